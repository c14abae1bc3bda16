"""The common part of Once-for-All's families: published spaces and checkpoints, and the names in these."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import ClassVar

from hwnas.space import SearchSpace, get_space
from hwnas.supernet._base import Supernet
from hwnas.supernet._download import cached_checkpoint
from hwnas.task import IMAGENET


class OnceForAll(Supernet):
    """A published supernet. Its checkpoints have upstream's names."""

    space_name: ClassVar[str]
    preprocessing = IMAGENET

    @classmethod
    def search_space(cls) -> SearchSpace:
        return get_space(cls.space_name)

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        return cached_checkpoint(cls.space_name)

    @classmethod
    def normalised_key(cls, key: str) -> str:
        return one_spelling(key)


def one_spelling(key: str) -> str:
    """One spelling of a tensor's upstream names.

    Elastic layers wrap static ones (``conv.conv``, ``bn.bn``, ``linear.linear``), old files say ``mobile_inverted_conv``, and
    upstream's loader accepts any of these for any other: ``blocks.1.mobile_inverted_conv.x.conv.conv.weight`` and
    ``blocks.1.conv.x.conv.weight`` are one tensor.
    """
    parts = key.replace("mobile_inverted_conv", "conv").split(".")
    return ".".join(part for part, _ in groupby(parts))
