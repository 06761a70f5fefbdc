"""Light: link media, energy, loss budgets, circuit switches, circuit scheduling, reconfigurable fabrics."""
