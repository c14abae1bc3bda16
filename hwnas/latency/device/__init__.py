"""What networks are timed on: providers, hardware."""
