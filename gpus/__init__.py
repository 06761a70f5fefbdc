"""The GPU itself: catalogue, die yield, cost, power and reliability."""
