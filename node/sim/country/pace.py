"""Signs of life on idle links, seldom: over weeks they would be nearly all that a simulated country does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sync import limits

_HOUR_US = 3_600_000_000
_SELDOM = {
    "PING_AFTER_US": 8 * _HOUR_US,
    "STATEMENT_CHANGED_US": 24 * _HOUR_US,
    "STATEMENT_IDLE_US": 24 * _HOUR_US,
    "LOOK_EVERY_US": 2 * _HOUR_US,
    "WITHHELD_AFTER_US": 72 * _HOUR_US,
    "SILENT_AFTER_US": 240 * _HOUR_US,
}
"""In the proportions that they have to each other; statements of heads and receipts come once a day and at the begin of
a session, since those of the nation and the provinces go to every node."""


@contextmanager
def signs_of_life_are_rare() -> Iterator[None]:
    """Pings, statements, and how long silence is borne. Moves go out as soon as ever."""
    usual = {name: getattr(limits, name) for name in _SELDOM}
    try:
        for name, value in _SELDOM.items():
            setattr(limits, name, value)
        yield
    finally:
        for name, value in usual.items():
            setattr(limits, name, value)
