"""Races: subnets are judged on growing shares of the samples, and only those see all that are expected to add to the front."""
