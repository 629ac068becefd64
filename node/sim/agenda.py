"""The virtual clock: it jumps to the next thing that happens."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Agenda:
    """What will happen, in order of time, then of arrangement."""

    def __init__(self, start: int) -> None:
        self.now = start
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, time: int, what: Callable[[], None]) -> None:
        """Arranges something, now at the earliest."""
        self._count += 1
        heappush(self._heap, (max(time, self.now), self._count, what))

    def next_time(self) -> int | None:
        """When the next thing happens."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Callable[[], None]:
        """Moves the clock to the next thing and gives it."""
        self.now, _, what = heappop(self._heap)
        return what
