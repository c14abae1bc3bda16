"""Exact fronts of sums over layers, and what they tell of a front that is not exact."""
