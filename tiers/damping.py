"""Which grade of a neighbour is told: one that has held, so that a link that comes and goes does not fill the books.

Climbing the ladder and an interruption (which has lasted a quarter of an hour by itself) are told at once, other faults
when they have held for ten minutes. What gets better is told when it has held for ten minutes, and for twice as long
with every change of the last day: so there are few changes in a day, however it flaps, and the worse is told meanwhile.
The limits are proposals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from tiers.grades import PROPOSED, Grade

MINUTE_US = 60_000_000
DAY_US = 1_440 * MINUTE_US
HOLD_US = 10 * MINUTE_US
LADDER = (Grade.UNCONNECTED, Grade.NETWORK, Grade.SERVICE, Grade.DATA, Grade.STEADY)
FAULTS = {Grade.QUALITY: 1, Grade.LAGGING: 1, Grade.INTERRUPTED: 2}


class Told(NamedTuple):
    """The grade that is told, and since when."""

    grade: Grade
    since_us: int


class Watch(NamedTuple):
    """What is known of one neighbour. began_us: since when it is watched without a break. changed: when faults were
    told or over, within a day. seen: another grade than is told, and since when it holds."""

    began_us: int
    told: Told | None = None
    changed: tuple[int, ...] = ()
    seen: Told | None = None


def watched(began_us: int, told: Iterable[Told]) -> Watch:
    """As the books have it, the oldest first."""
    listed = list(told)
    changed = [
        now.since_us
        for before, now in zip([None, *listed], listed, strict=False)
        if now.grade in FAULTS or (before is not None and before.grade in FAULTS)
    ]
    return Watch(began_us, listed[-1] if listed else None, tuple(changed))


def step(watch: Watch, grade: Grade, now: int, steady_us: int) -> Watch:
    """After one more look. steady_us: for so long data must have come without a fault for it to be steady."""
    watch = watch._replace(changed=tuple(at for at in watch.changed if now - at < DAY_US))
    told = watch.told
    if grade is Grade.AWAY:
        # Too short to be anything yet; what was about to be told begins anew.
        return watch._replace(seen=None)
    if told is None:
        return _tell(watch, grade, now)
    if told.grade in LADDER and grade in LADDER:
        return _climb(watch, told, grade, now, steady_us)
    if grade is told.grade:
        return watch._replace(seen=None)
    seen = watch.seen if watch.seen is not None and watch.seen.grade is grade else Told(grade, now)
    if now - seen.since_us >= _hold(watch, told.grade, grade) and _is_sure(watch, grade, now):
        return _tell(watch, grade, now)
    return watch._replace(seen=seen)


def _climb(watch: Watch, told: Told, grade: Grade, now: int, steady_us: int) -> Watch:
    """The ladder is climbed, not descended: what once worked is wrong when it does not."""
    watch = watch._replace(seen=None)
    if LADDER.index(grade) > LADDER.index(told.grade):
        return _tell(watch, grade, now)
    if told.grade is Grade.DATA and now - told.since_us >= steady_us:
        return _tell(watch, Grade.STEADY, now)
    return watch


def _is_sure(watch: Watch, grade: Grade, now: int) -> bool:
    """Who just began to look knows of no silence but its own."""
    return grade not in FAULTS or now - watch.began_us >= PROPOSED.silent_us


def _hold(watch: Watch, before: Grade, after: Grade) -> int:
    if not {Grade.LEFT, Grade.SUSPENDED}.isdisjoint((before, after)):
        return 0
    if FAULTS.get(after, 0) > FAULTS.get(before, 0):
        return 0 if after is Grade.INTERRUPTED else HOLD_US
    return min(HOLD_US << min(20, max(0, len(watch.changed) - 1)), DAY_US)


def _tell(watch: Watch, grade: Grade, now: int) -> Watch:
    before = watch.told.grade if watch.told is not None else grade
    changed = watch.changed
    if grade in FAULTS or before in FAULTS:
        changed = (*changed, now)
    return watch._replace(told=Told(grade, now), changed=changed, seen=None)


class Episode(NamedTuple):
    """A time in which one grade was told of a node. until_us: 0 while it lasts."""

    node: str
    grade: Grade
    since_us: int
    until_us: int = 0
    escalated: bool = False
    evidence: str = ""


class Count(NamedTuple):
    """How often a fault of a node was there in a span of time, and for how long."""

    times: int = 0
    lasted_us: int = 0


def counts(
    episodes: Iterable[Episode],
    since_us: int,
    until_us: int,
    now: int,
    excused: Callable[[str, int, int], int] = lambda node, since, until: 0,
) -> dict[tuple[str, Grade], Count]:
    """Faults that began in the span or reached into it, by node and grade; of each, the time inside the span. excused:
    how much of a time does not count for a node, because of announced maintenance."""
    found: dict[tuple[str, Grade], Count] = {}
    for one in episodes:
        began, ended = max(one.since_us, since_us), min(one.until_us or now, until_us, now)
        if one.grade in FAULTS and ended >= began and one.since_us < until_us:
            times, so_far = found.get((one.node, one.grade), Count())
            lasted = max(0, ended - began - excused(one.node, began, ended))
            found[one.node, one.grade] = Count(times + 1, so_far + lasted)
    return found
