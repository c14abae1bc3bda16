"""Real pretrained networks on real data that nobody here made: what a searched front is worth against the simple ways."""
