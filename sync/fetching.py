"""What is remembered of attachments under way: those that this node fetches, and what it passes on for others.

Nothing of it survives a start: who asked asks again, and what had come lies in the store.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from sync import limits


@dataclass(slots=True)
class Fetch:
    """One file on its way here, in order. received: bytes handed on; asked: how far it was asked for."""

    token: object
    origin: str
    hash: bytes
    most: int
    received: int
    asked: int
    patience: int
    total: int = -1
    """Size of the whole; not known before the first part."""
    again_at: int = 0
    progress_at: int = 0
    pause: int = limits.ATTACHMENT_AGAIN_FIRST_US


class Part(NamedTuple):
    """Names a part of a file on its way from its origin to who asked."""

    asker: str
    origin: str
    hash: bytes
    offset: int


class Passing(NamedTuple):
    """A part that was asked for and has not come. source: the neighbour that it comes from, '' for this node's disk."""

    source: str
    until: int


@dataclass(slots=True)
class Attachments:
    """counts: what came about, by name, since the start."""

    fetches: dict[tuple[str, bytes], Fetch] = field(default_factory=dict)
    passing: dict[Part, Passing] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def passing_for(self, asker: str) -> int:
        """How many parts are on their way to one node."""
        return sum(part.asker == asker for part in self.passing)
