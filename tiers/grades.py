"""How a neighbour's exchange stands, as one grade that a person can read: from what the exchange itself proves.

The ladder (not connected, network, service, data) and the faults (lagging, interrupted, quality) are a proposal: no
standard's text is confirmed. So are the limits. The top of the ladder, steady running, is not given here: it needs a
record of n days (tiers/damping.py).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

_MINUTE_US = 60_000_000


class Grade(Enum):
    """From the foot of the ladder to its top; then what is wrong; then who is out of it."""

    UNCONNECTED = "unconnected"
    NETWORK = "network"
    SERVICE = "service"
    DATA = "data"
    STEADY = "steady"
    LAGGING = "lagging"
    AWAY = "away"
    INTERRUPTED = "interrupted"
    QUALITY = "quality"
    SUSPENDED = "suspended"
    LEFT = "left"


class GradeLimits(NamedTuple):
    """silent_us: not heard for longer is an interruption. lag_us: longer on its way is lagging."""

    silent_us: int = 15 * _MINUTE_US
    lag_us: int = 5 * _MINUTE_US


PROPOSED = GradeLimits()


class Evidence(NamedTuple):
    """What is known of one node.

    greeted: a session towards it has begun. linked: one works (its own, or of the neighbour that leads to it).
    silent_us: since it was last heard; None = never. batch: data of it, or by way of it, has
    been received.
    lag_us: how long the longest missing change is known to be on its way, in either direction; 0 = none is missing.
    parked: rows of it that wait here. disputed: a feed of it is frozen. suspended: not enrolled for the time being.
    """

    enrolled: bool
    greeted: bool = False
    linked: bool = False
    silent_us: int | None = None
    batch: bool = False
    lag_us: int = 0
    parked: int = 0
    disputed: bool = False
    suspended: bool = False


def grade_of(known: Evidence, limits: GradeLimits = PROPOSED) -> Grade:
    """The one grade: what hinders most is told first."""
    if not known.enrolled:
        return Grade.SUSPENDED if known.suspended else Grade.LEFT
    if not known.linked:
        return _without_link(known, limits)
    if known.silent_us is not None and known.silent_us > limits.silent_us:
        return Grade.INTERRUPTED
    if known.disputed:
        return Grade.QUALITY
    if known.lag_us > limits.lag_us:
        return Grade.LAGGING
    if known.parked:
        return Grade.QUALITY
    return Grade.DATA if known.batch else Grade.SERVICE


def _without_link(known: Evidence, limits: GradeLimits) -> Grade:
    if known.silent_us is None:
        if known.batch:  # its data came, its first word of itself has not
            return Grade.AWAY
        return Grade.NETWORK if known.greeted else Grade.UNCONNECTED
    return Grade.INTERRUPTED if known.silent_us > limits.silent_us else Grade.AWAY
