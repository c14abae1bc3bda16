"""Batches made ahead of time, while the one before is being worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The items in their order. The next one is made by a thread, so that decoding and tokenizing cost no waiting; what it
    reports reaches whoever listens here.

    Raises:
        whatever making an item raises, in its place.
    """
    end = object()
    iterator, here = iter(items), copy_context()

    def make() -> T | object:
        return here.run(lambda: next(iterator, end))

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(make)
        while (item := coming.result()) is not end:
            coming = thread.submit(make)
            yield item  # type: ignore[misc] # it is not the end
