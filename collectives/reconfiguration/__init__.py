"""Collectives on fabrics whose circuits change: when to reconfigure between steps, and what it costs."""
