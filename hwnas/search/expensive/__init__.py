"""Searches with few slow evaluations: predictors in between, and what is worth evaluating next."""
