"""A table or predictor, with its facts for the provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """A table or predictor (``it``), with its facts for the provenance."""

    it: T
    facts: Mapping[str, Any]
