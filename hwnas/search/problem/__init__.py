"""What is searched for: objectives and budgets, what was scored so far, dominance and hypervolume."""
