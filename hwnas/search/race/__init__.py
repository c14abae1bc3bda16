"""Races: subnets are evaluated on growing shares of the samples, and only promising ones on all of them."""
