"""Runs that were dropped: when a feed is asked for again, when a person is told, and what is never asked for again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync import limits
from sync.reasons import Reason
from sync.values import FeedName, Route
from sync.wire.v1.frame_pb2 import Run
from tests.unit.sync.stage import CASE_FEED, SECOND, Cases, Played, Stage, a_case, begun
from tests.vectors.world import OTHER_CITY, Forge, key

BAD = 12


def damaged(forge: Cases) -> Run:
    run = forge.next_run()
    run.entries[-1].seal = bytes(64)
    return run


def asked(city: Played, feed: FeedName = CASE_FEED) -> int:
    """How often the city was told where to go on with a feed."""
    said = [c.feed for frame in city.said("cursors") for c in frame.cursors]
    return sum((f.origin, f.publication, f.addressee) == feed for f in said)


def waited(stage: Stage, city: Played) -> int:
    """Microseconds until the feed is asked for once more."""
    before, since = asked(city), stage.now
    while asked(city) == before:
        due = stage.engine.wake_at
        assert due is not None
        stage.wait((due - stage.now) / SECOND)
        city.answer()
    return stage.now - since


def test_each_damaged_run_in_a_row_doubles_the_wait_up_to_a_minute() -> None:
    """From 200 ms on; and one good run begins anew."""
    stage, forge, city, _ = begun()
    bad = damaged(forge)
    waits = []
    for _ in range(BAD):
        city.run(bad)
        waits.append(waited(stage, city))
    first, most = limits.CURSOR_RETRY_FIRST_US, limits.CURSOR_RETRY_MAX_US
    assert waits == [min(most, first * 2**n) for n in range(BAD)]
    assert (waits[0], waits[-1]) == (200_000, 60_000_000)
    forge.seq, forge.head = forge.seq - 1, stage.core.feeds[CASE_FEED].head.hash
    city.run(forge.next_run())
    assert city.acked == 3
    city.run(damaged(forge))
    assert waited(stage, city) == first


def test_a_feed_that_keeps_failing_is_told_once() -> None:
    """At the third run in a row, and not again while it goes on so."""
    stage, forge, city, _ = begun()
    bad = damaged(forge)
    told = []
    for _ in range(6):
        city.run(bad)
        told.append(stage.alarmed().count("feed_keeps_failing"))
        waited(stage, city)
    assert told == [0, 0, 1, 1, 1, 1]
    assert city.ended() is None


def test_what_came_behind_a_dropped_run_neither_counts_nor_hastens() -> None:
    """It was on its way already."""
    stage, forge, city, _ = begun()
    city.run(damaged(forge))
    for _ in range(5):
        city.run(forge.next_run())
    assert city.notices() == [Reason.BAD_SEAL] + [Reason.GAP] * 5
    assert "feed_keeps_failing" not in stage.alarmed()
    assert waited(stage, city) == limits.CURSOR_RETRY_FIRST_US


def _forked(city: Played, forge: Cases) -> FeedName:
    other = Cases()
    city.run(other.run([other.put(a_case(7)), other.put()]))
    return CASE_FEED


def _frozen(city: Played, forge: Cases) -> FeedName:
    _forked(city, forge)
    city.run(forge.next_run())
    return CASE_FEED


def _astray(city: Played, forge: Cases) -> FeedName:
    stray = Forge(FeedName(OTHER_CITY, "x_stray.parent"), key(OTHER_CITY), Route.PARENT)
    city.run(stray.run([stray.records([])]))
    return stray.feed


NEVER: dict[Reason, Callable[[Played, Cases], FeedName]] = {
    Reason.FORK: _forked,
    Reason.FROZEN: _frozen,
    Reason.NOT_YOUR_ORIGIN: _astray,
}


@pytest.mark.parametrize("reason", NEVER, ids=lambda r: r.name)
def test_what_asking_again_cannot_mend_is_never_asked_for(reason: Reason) -> None:
    """A person decides, or nobody need do anything."""
    stage, forge, city, _ = begun()
    feed = NEVER[reason](city, forge)
    assert city.notices()[-1] is reason
    before = asked(city, feed)
    stage.live(120)
    assert asked(city, feed) == before
    assert city.ended() is None
