"""Races: subnets are judged on growing shares of the samples, and those surely behind the front stop."""
