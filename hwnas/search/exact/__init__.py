"""Exact fronts of sums over layers, and how far other fronts are from them."""
