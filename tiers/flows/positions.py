"""What a move cites, so that anybody can check it: up to where feeds of its data stood, and which release it went by.

The words are made by the author's node (node/commands/cited.py) and compared wherever the feeds and rows are held.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from hashlib import sha256
from typing import NamedTuple

NOTHING = "-"
"""Said where the values come from no data that is exchanged, such as a check on the spot."""
POSITIONS_MAX = 32
_POSITION = re.compile(r"([^\s;@/]+/[^\s;@/]+(?:@[^\s;@/]+)?) ([0-9a-f]{32}) ([1-9][0-9]{0,18}) ([0-9a-f]{64})")
_WAITING = re.compile(r"([a-z][a-z0-9_]{0,62}) -")
_RELEASE = re.compile(r"([0-9a-f]{64}):([1-9][0-9]{0,5})")


class Position(NamedTuple):
    """An entry of a feed: its epoch, seq and header hash. The chain vouches for all before it.

    Where nothing of a dataset had been sealed yet, as while the link is down from the first, it is named alone: seq 0.
    """

    feed: str
    epoch: str
    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.feed} {self.epoch} {self.seq} {self.hash}" if self.seq else f"{self.feed} -"


class Stands(Enum):
    """How what is cited stands where it is looked at."""

    SAME = "same"
    OTHER = "other"
    NOT_YET = "not_yet"  # it is still on its way
    NOT_HELD = "not_held"  # the feed does not come here
    WAITED = "waited"  # nothing of it had been sent when it was cited
    NOTHING = "nothing"  # no exchanged data is cited


def position_text(positions: Iterable[Position]) -> str:
    """As a field of a move says it."""
    return "; ".join(map(str, positions))


def positions_in(said: str) -> list[Position] | None:
    """What a field cites; None if it is not written so."""
    if said == NOTHING:
        return []
    found = [_position(one.strip()) for one in said.split(";")]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) <= POSITIONS_MAX else None


def _position(text: str) -> Position | None:
    if (waiting := _WAITING.fullmatch(text)) is not None:
        return Position(waiting[1], "", 0, "")
    found = _POSITION.fullmatch(text)
    return Position(found[1], found[2], int(found[3]), found[4]) if found is not None else None


def position_stands(cited: Position, held: str | None, head: tuple[str, int] | None) -> Stands:
    """How a position stands. held: the hash of the entry of that epoch and seq here; head: epoch and seq up to which
    the feed is held here; None of either: not at all."""
    if not cited.seq:
        return Stands.WAITED
    if held is not None:
        return Stands.SAME if held == cited.hash else Stands.OTHER
    if head is None:
        return Stands.NOT_HELD
    return Stands.NOT_YET if head[0] == cited.epoch and head[1] < cited.seq else Stands.OTHER


class Release(NamedTuple):
    """Which rows a release had: a digest over them, and how many."""

    digest: str
    rows: int

    def __str__(self) -> str:
        return f"{self.digest}:{self.rows}"


def release_in(said: str) -> Release | None:
    """What a field cites; None if it is not written so."""
    found = _RELEASE.fullmatch(said)
    return Release(found[1], int(found[2])) if found is not None else None


def release_of(rows: Iterable[Mapping[str, object]]) -> Release | None:
    """Of rows as they are held; the same for the same rows in any order, and though a later version of the dataset has
    further columns that are empty. None of no rows."""
    lines = sorted(json.dumps(_said(row), ensure_ascii=True, sort_keys=True, separators=(",", ":")) for row in rows)
    return Release(sha256("\n".join(lines).encode()).hexdigest(), len(lines)) if lines else None


def _said(row: Mapping[str, object]) -> dict[str, object]:
    return {name: cell for name, cell in row.items() if cell is not None}


def release_stands(cited: Release, held: Release | None) -> Stands:
    """How a release stands where these rows of it are held."""
    if held is None or held.rows < cited.rows:
        return Stands.NOT_YET
    return Stands.SAME if held == cited else Stands.OTHER
