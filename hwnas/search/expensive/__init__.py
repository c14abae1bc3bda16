"""Searches with few slow evaluations: a predictor chooses which subnets to evaluate next."""
