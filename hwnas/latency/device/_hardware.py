"""The hardware of this machine, which is part of a latency table's identity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from hwnas.latency.device._facts import cpu_facts, nvidia_facts


@dataclass(frozen=True)
class Hardware:
    """A processor and its operating system.

    Attributes:
        name: the maker's name.
        model: family, model and stepping of a CPU, or the driver of a GPU, because different processors share a name.
        features: instruction sets.
        system: operating system and architecture.
    """

    name: str
    model: str = ""
    features: tuple[str, ...] = ()
    system: str = ""

    @property
    def slug(self) -> str:
        """Short name for file names: ``amd-epyc-avx512``."""
        plain = re.sub(r"\((r|tm)\)|@.*|\b(cpu|processor|with .* graphics|\d+-core|nvidia)\b", " ", self.name.lower())
        words = re.findall(r"[a-z0-9]+", plain)
        if "avx512f" in self.features:
            words.append("avx512")
        elif "avx2" in self.features:
            words.append("avx2")
        return "-".join(words) or "unknown"


@cache
def cpu() -> Hardware:
    """The CPU of this machine."""
    return from_facts(cpu_facts())


@cache
def nvidia_gpu(index: int) -> Hardware:
    """An NVIDIA GPU of this machine."""
    return from_facts(nvidia_facts(index))


def from_facts(facts: Mapping[str, Any]) -> Hardware:
    """From `cpu_facts` or `nvidia_facts` of this machine or a board."""
    return Hardware(facts["name"], facts["model"], tuple(facts["features"]), facts["system"])
