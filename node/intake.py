"""What waits for the writer, shared fairly: every source (a link, or the node itself) keeps its own order, and none
waits behind the bulk of another.

In one queue an Ack of the parent would stand behind megabytes of a child's runs, and the link upwards would idle for as
long as the link below is busy (ADR 0007).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

HERE = 0
"""The source of what this node itself does; links count from 1."""


class Waiting(NamedTuple, Generic[T]):
    """One item and where it came from. size: bytes of data that it brings, 0 for what is small.

    done: called in the asyncio loop once the item's transaction is over, so that its source may bring more.
    """

    source: int
    item: T
    size: int = 0
    done: Callable[[], None] | None = None


class Intake(Generic[T]):
    """Sources in turn. Used by one thread."""

    def __init__(self, batch_items: int, batch_bytes: int) -> None:
        self._batch_items = batch_items
        self._batch_bytes = batch_bytes
        self._queues: dict[int, deque[Waiting[T]]] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def add(self, waiting: Waiting[T]) -> None:
        """Puts an item at the end of its source's queue."""
        self._queues.setdefault(waiting.source, deque()).append(waiting)

    def keep(self, source: int) -> None:
        """Drops what all other sources brought."""
        self._queues = {own: queue for own, queue in self._queues.items() if own == source}

    def take(self) -> list[Waiting[T]]:
        """The next batch: of every source in turn all that is small and one item with data, again and again while there
        is room. The first item with data goes however large it is.
        """
        taken: list[Waiting[T]] = []
        size = 0
        while self._queues and len(taken) < self._batch_items and size < self._batch_bytes:
            source, queue = next(iter(self._queues.items()))
            # To the end of the turn, also when the batch is full: next time another source is first.
            del self._queues[source]
            while queue and len(taken) < self._batch_items:
                waiting = queue.popleft()
                taken.append(waiting)
                size += waiting.size
                if waiting.size:
                    break
            if queue:
                self._queues[source] = queue
        return taken
