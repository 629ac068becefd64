"""Quiet hours: when what is about a node waits. Times are local, and arguments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sync.values import is_node_id


class Quiet(NamedTuple):
    """Hours in which what is about a node ('' any) waits; in minutes of the day, past midnight where end <= begin."""

    about: str
    begin: int
    end: int


def read_quiet(said: str) -> Quiet:
    """'22:00-07:00', or with a node id before it. Raises ValueError."""
    *about, span = said.split()
    begin, dash, end = span.partition("-")
    if len(about) > 1 or not dash or (about and not is_node_id(about[0])):
        raise ValueError(said)
    return Quiet(about[0] if about else "", _minutes(begin), _minutes(end))


def _minutes(said: str) -> int:
    hours, colon, minutes = said.partition(":")
    if not (colon and len(said) == len("00:00") and hours.isdigit() and minutes.isdigit()):
        raise ValueError(said)
    found = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or found > 24 * 60:
        raise ValueError(said)
    return found


def waits(about: str, quiet: Sequence[Quiet], now: dt.datetime) -> bool:
    """Whether what is about a node is not told at this moment (local time)."""
    minute = now.hour * 60 + now.minute
    return any(one.about in ("", about) and _within(one, minute) for one in quiet)


def _within(one: Quiet, minute: int) -> bool:
    if one.begin < one.end:
        return one.begin <= minute < one.end
    return minute >= one.begin or minute < one.end
