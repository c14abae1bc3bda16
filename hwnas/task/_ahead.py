"""Batches made ahead of time, while the one before is in use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The items in order. A thread makes the next one meanwhile, so that nobody waits for decoding or tokenizing.

    The thread runs in the caller's context, so that its reports of progress reach the caller's listener. An error raised
    by an item is raised where the item would have come.
    """
    end = object()
    iterator, here = iter(items), copy_context()

    def make() -> T | object:
        return here.run(lambda: next(iterator, end))

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(make)
        while (item := coming.result()) is not end:
            coming = thread.submit(make)
            yield item  # type: ignore[misc] # not the sentinel
