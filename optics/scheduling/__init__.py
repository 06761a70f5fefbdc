"""Schedules of circuits for a demand: one scheduler per file, and the bound that none beats."""
