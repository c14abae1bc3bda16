"""Something that was found to compute with, and what the provenance says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """Something to compute with, and what the provenance says of it."""

    it: T
    facts: Mapping[str, Any]
