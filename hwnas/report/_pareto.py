"""Dominance and hypervolume, by the functions that searches use."""

from hwnas.search import hypervolume, non_dominated

__all__ = ["hypervolume", "non_dominated"]
