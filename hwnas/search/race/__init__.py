"""Races: subnets are judged on growing shares of the samples, and those that are behind the front at a stated confidence stop."""
