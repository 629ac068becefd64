"""How far a table was read: pure, and told to the store as text.

Update times lie: a row may become visible long after the time that stands in it. So every reading begins `overlap`
before the newest watermark of the last one that came to its end. That is not above the source's own clock when it began
(a stamp of next year must not hide this year), nor above a place where a reading broke off (what became visible below
it meanwhile was not seen).
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

Mark = dt.datetime | dt.date | int
"""A watermark that can be compared and calculated with."""

MARKED = "marked"
"""Rows with a watermark, in order of it and the key."""
UNMARKED = "unmarked"
"""Rows without one, in order of the key."""


class UnfitCell(Exception):
    """A key or watermark of a kind that no position can hold; says its kind."""


@dataclass(frozen=True, slots=True)
class Position:
    """high: the newest watermark that is known to be complete, but for the overlap.

    Of the reading that goes on: low, where it began; part; after, the last row that is in (watermark, if it has one,
    and key), None at the beginning of a part; now, the source's clock at its beginning; broken, the lowest place at
    which it was broken off. going: whether one goes on.
    """

    high: Mark | None = None
    going: bool = False
    low: Mark | None = None
    part: str = MARKED
    after: tuple[Any, ...] | None = None
    newest: Mark | None = None
    now: dt.datetime | None = None
    broken: Mark | None = None


def begun(position: Position, overlap: dt.timedelta | int, now: dt.datetime | None, part: str) -> Position:
    """A new reading, or the one that was broken off."""
    if not position.going:
        return Position(position.high, True, _before(position.high, overlap), part, None, None, now, None)
    place = position.after[0] if position.after and position.part == MARKED else None
    if not _is_mark(place):
        return position
    return replace(position, broken=_least(position.broken, place))


def passed(position: Position, after: tuple[Any, ...]) -> Position:
    """A row is in."""
    mark = after[0] if position.part == MARKED else None
    newest: Any = position.newest
    if _is_mark(mark) and (newest is None or _same_kind(newest, mark)):
        newest = mark if newest is None else max(newest, mark)
    return replace(position, after=after, newest=newest)


def ended(position: Position, zone: dt.tzinfo) -> Position:
    """The reading came to its end. zone: of watermarks without offset."""
    newest = position.newest
    if newest is None:
        return Position(position.high)
    high: Any = _least(_least(newest, _like(newest, position.now, zone)), position.broken)
    # What was broken off goes back; else never, for rows may have been taken away.
    if position.broken is None and position.high is not None and _same_kind(high, position.high):
        high = max(high, position.high)
    return Position(high)


def _like(mark: Mark, now: dt.datetime | None, zone: dt.tzinfo) -> Mark | None:
    """The source's clock in the words of its watermarks; a number has none."""
    if now is None or isinstance(mark, int):
        return None
    here = now.astimezone(zone)
    if not isinstance(mark, dt.datetime):
        return here.date()
    return now if mark.tzinfo is not None else here.replace(tzinfo=None)


def _before(mark: Mark | None, overlap: dt.timedelta | int) -> Mark | None:
    if mark is None:
        return None
    if isinstance(mark, int):
        return mark - overlap if isinstance(overlap, int) else mark
    if isinstance(overlap, int):
        return mark
    if isinstance(mark, dt.datetime):
        return mark - overlap
    # A date says nothing of the time of day: the day itself is always read again.
    return mark - dt.timedelta(days=-(-overlap // dt.timedelta(days=1)))


def _least(one: Any, other: Any) -> Any:
    if one is None or other is None or not _same_kind(one, other):
        return one if one is not None else other
    return min(one, other)


def _same_kind(one: Any, other: Any) -> bool:
    if isinstance(one, dt.datetime) and isinstance(other, dt.datetime):
        return (one.tzinfo is None) == (other.tzinfo is None)
    return type(one) is type(other)


def _is_mark(value: object) -> bool:
    return isinstance(value, dt.date | int) and not isinstance(value, bool)


def as_text(position: Position) -> str:
    """The position as the store keeps it. Raises UnfitCell."""
    fields = ("high", "low", "newest", "now", "broken")
    said: dict[str, Any] = {name: _said(getattr(position, name)) for name in fields}
    said["after"] = None if position.after is None else [_said(cell) for cell in position.after]
    return json.dumps({"going": position.going, "part": position.part, **{k: v for k, v in said.items() if v}})


def of_text(text: str) -> Position:
    """The inverse; '' is the beginning."""
    if not text:
        return Position()
    said = json.loads(text)
    marks = {name: _meant(said[name]) for name in ("high", "low", "newest", "now", "broken") if name in said}
    after = tuple(_meant(cell) for cell in said["after"]) if "after" in said else None
    return Position(going=said["going"], part=said["part"], after=after, **marks)


def _said(cell: object) -> list[str] | None:
    match cell:
        case None:
            return None
        case bool():
            return ["bool", str(int(cell))]
        case int():
            return ["int", str(cell)]
        case str():
            return ["text", cell]
        case Decimal():
            return ["decimal", str(cell)]
        case bytes():
            return ["bytes", cell.hex()]
        case UUID():
            return ["uuid", str(cell)]
        case dt.datetime():
            return ["time", cell.isoformat()]
        case dt.date():
            return ["date", cell.isoformat()]
    raise UnfitCell(type(cell).__name__)


def _meant(said: list[str] | None) -> Any:
    if said is None:
        return None
    kind, text = said
    match kind:
        case "bool":
            return text == "1"
        case "int":
            return int(text)
        case "decimal":
            return Decimal(text)
        case "bytes":
            return bytes.fromhex(text)
        case "uuid":
            return UUID(text)
        case "time":
            return dt.datetime.fromisoformat(text)
        case "date":
            return dt.date.fromisoformat(text)
    return text
