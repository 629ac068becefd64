"""What a node states of itself, and when: heads that its neighbour has, not too often and not too seldom; and that a
fork is told in each session."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sync.events import LocalPut
from sync.values import FeedName, Route
from sync.wire.v1.frame_pb2 import FeedHead, HeadsStatement
from tests.unit.sync.stage import Cases, Played, Stage, a_case, begun
from tests.vectors.world import CITY, NATION, PROVINCE, Forge, sixteen

TREES = FeedName(CITY, "x_tree.tall")


def write(stage: Stage, number: int = 1) -> None:
    """The city plants a tree."""
    stage.step(LocalPut("t", stage.locally("x_tree", (f"tree {number}", "330106", number, "elm"))))


def heard(province: Played) -> list[HeadsStatement]:
    return [heads for said in province.said("statements") for heads in said.heads]


def stated(province: Played) -> list[FeedHead]:
    """The trees' heads in the newest list."""
    lists = [one.heads for one in heard(province) if one.whole]
    return [h for h in lists[-1] if h.publication == TREES.publication] if lists else []


def spoken(stage: Stage, province: Played, seconds: int, every: int = 0) -> list[int]:
    """The seconds at which heads were stated, while a tree is planted every so many seconds; all is acknowledged."""
    found, before = [], len(heard(province))
    for second in range(seconds):
        if every and second % every == 0:
            write(stage, second)
        stage.live(1)
        found += [second] * (len(heard(province)) - before)
        before = len(heard(province))
    return found


def city() -> tuple[Stage, Played]:
    """A city that has one tree, which its province holds and has heard of."""
    stage = Stage(CITY)
    province = stage.dial_in(PROVINCE)
    write(stage)
    stage.live(10)
    assert [h.seq for h in stated(province)] == [1]
    return stage, province


def test_a_list_that_does_not_change_for_an_hour_is_vouched_for_each_minute_and_sent_once() -> None:
    """So that "nothing new" is a fact."""
    stage, province = city()
    before = len(heard(province))
    times = spoken(stage, province, 3600)
    assert len(times) == 60
    assert {later - earlier for earlier, later in pairwise(times)} == {60}
    fresh = heard(province)[before:]
    assert not any(one.whole or one.heads for one in fresh)
    assert len({one.body for one in fresh}) == len(fresh)
    assert province.ended() is None


def test_while_something_changes_all_the_time_it_is_stated_every_five_seconds() -> None:
    """And no more often."""
    stage, province = city()
    times = spoken(stage, province, 120, every=1)
    assert {later - earlier for earlier, later in pairwise(times)} == {5}
    assert len(times) == 24
    stage.live(6)
    assert stated(province)[0].seq == 121
    assert heard(province)[-1].heads[0].row_digest


def test_a_change_after_a_quiet_time_is_stated_within_five_seconds() -> None:
    """It does not wait for the minute."""
    stage, province = city()
    stage.live(100)
    times = spoken(stage, province, 30, every=100)
    assert times
    assert times[0] <= 5
    assert stated(province)[0].seq == 2


def test_a_head_is_stated_only_when_the_neighbour_has_it() -> None:
    """What exists here alone may be lost in a restore. The feed's head before it still is stated."""
    stage = Stage(CITY)
    province = stage.dial_in(PROVINCE)
    write(stage)
    for _ in range(6):
        stage.wait(10)
    assert stated(province) == []
    province.answer()
    stage.wait(10)
    (first,) = stated(province)
    assert (first.seq, bool(first.row_digest)) == (1, True)
    write(stage, 2)
    stage.wait(10)
    (held,) = stated(province)
    assert (held.seq, held.header_hash, bool(held.row_digest)) == (1, first.header_hash, False)
    province.answer()
    stage.wait(10)
    (second,) = stated(province)
    assert (second.seq, bool(second.row_digest)) == (2, True)


def test_an_acknowledgement_of_something_else_is_none() -> None:
    """A neighbour that says another hash does not hold what this node holds."""
    stage = Stage(CITY)
    province = stage.dial_in(PROVINCE)
    write(stage)
    ((run,)) = province.runs(TREES)
    run.entries[0].header += b"\xa2\x06\x05other"
    province.acknowledge(run)
    stage.wait(10)
    assert stated(province) == []


@pytest.mark.parametrize("node", [CITY, NATION])
def test_evidence_is_told_anew_in_each_session(node: str) -> None:
    """Whatever the neighbour shows, or does not show, of that feed."""
    stage, forge, _, _ = begun()
    other = Cases()
    if node == NATION:
        forge, other = _addressed(), _addressed()
        stage.links[0].run(forge.next_run())
    stage.links[0].run(other.run([other.put(a_case(7))]))
    feed = forge.feed
    assert stage.core.feeds[feed].frozen
    for number in range(3):
        for played in list(stage.played.values()):
            if played.node == node:
                stage.cut(played)
        again = stage.dial_in(node, boot=sixteen(f"later {number}"))
        told = [FeedName(e.feed.origin, e.feed.publication, e.feed.addressee) for e in again.said("evidence")]
        assert feed in told


def _addressed() -> Cases:
    forge = Cases("case.nation", route=Route.NODE)
    forge.feed = FeedName(CITY, "case.nation", NATION)
    forge.head = Forge(forge.feed, forge.signer, epoch=forge.epoch).head
    return forge
