"""A table or predictor, with its facts for the provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Found(Generic[T_co]):
    """A table or predictor (``it``), with its facts for the provenance."""

    it: T_co
    facts: Mapping[str, Any]
