"""Measured times of operators and of serving, as they ship."""
