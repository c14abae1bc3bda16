"""Dominance and hypervolume; the searches keep their fronts with the same functions."""

from hwnas.search import hypervolume, non_dominated

__all__ = ["hypervolume", "non_dominated"]
