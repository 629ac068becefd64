"""Neighbours that hold more of an own feed than this node: each claim stands until it is proved or withdrawn."""

from __future__ import annotations

import pytest

from sync.values import FeedName, Lane, Route
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_SUSPENDED
from sync.wire.v1.frame_pb2 import Cursor
from tests.unit.sync.stage import Stage, cursor
from tests.vectors.world import CITY, NATION, OTHER_CITY, PROVINCE, Forge, key, record

OWN = FeedName(PROVINCE, "class_code.all")


def _own() -> Forge:
    return Forge(OWN, key(PROVINCE), Route.DESCENDANTS, Lane.NORMAL)


def _claims(stage: Stage, node: str, seq: int) -> None:
    """A neighbour names a head of an own feed that is not held here, and is gone before it has proved it."""
    stage.cut(stage.dial_in(node, cursor(_own(), seq, b"h" * 32)))


def _restarted(stage: Stage) -> None:
    """From the store, with what nobody's registry feed has brought."""
    stage.engine.rebuild()
    stage.remember()


@pytest.mark.parametrize("last", [CITY, OTHER_CITY])
def test_what_one_neighbour_withdraws_another_may_still_hold(last: str) -> None:
    """Whoever seals over it makes a fork. Over a restart too, and whichever claimed more."""
    stage = Stage()
    for node, seq in ((CITY, 5), (OTHER_CITY, 3)):
        _claims(stage, node, seq)
    claimed = stage.core.recovering[OWN].copy()
    assert claimed == {CITY: 5, OTHER_CITY: 3}
    _restarted(stage)
    assert stage.core.recovering == {OWN: claimed}
    first = CITY if last == OTHER_CITY else OTHER_CITY
    stage.cut(stage.dial_in(first))
    assert stage.core.recovering == {OWN: {last: claimed[last]}}
    stage.cut(stage.dial_in(last))
    assert not stage.core.recovering


def test_a_claim_that_is_proved_ends_the_lower_ones() -> None:
    """What came back is what both held."""
    stage, own = Stage(), _own()
    tail = [own.records([]) for _ in range(5)]
    _claims(stage, OTHER_CITY, 3)
    city = stage.dial_in(CITY, cursor(own))
    city.run(own.run(tail, answer=True))
    assert stage.head(OWN) == 5
    assert not stage.core.recovering


def test_a_claim_about_the_own_registry_that_the_next_hello_does_not_repeat_is_withdrawn() -> None:
    """A node that has enrolled nobody has none, so nothing else of it is compared."""
    stage = Stage(CITY)
    own = Forge(FeedName(CITY, "registry"), key(CITY), Route.EVERYWHERE, Lane.URGENT)
    named: Cursor = cursor(own, 5, b"h" * 32)
    stage.cut(stage.dial_in(PROVINCE, registry=[named]))
    assert stage.core.recovering == {own.feed: {PROVINCE: 5}}
    stage.dial_in(PROVINCE)
    assert not stage.core.recovering


def test_what_a_former_neighbour_claimed_is_waited_for_no_longer() -> None:
    """It cannot bring it; the others go on."""
    stage = Stage()
    _claims(stage, CITY, 5)
    _claims(stage, OTHER_CITY, 3)
    stage.enrol(record(CITY, PROVINCE, "330100", 2, status=ENROLMENT_STATUS_SUSPENDED))
    assert stage.core.recovering == {OWN: {OTHER_CITY: 3}}
    stage.enrol(record(OTHER_CITY, PROVINCE, "330200", 2, status=ENROLMENT_STATUS_SUSPENDED))
    assert not stage.core.recovering


def test_who_helps_with_a_lost_tail_is_sent_what_others_brought_meanwhile() -> None:
    """A relay that was put back asks its child; before that answers, its parent sends all of it and more.

    Simulator, seed 1852: the child was taken to hold all that the relay held by then.
    """
    stage = Stage()
    codes = Forge(FeedName(NATION, "class_code.all"), key(NATION), Route.DESCENDANTS, Lane.NORMAL)
    entries = [codes.records([]) for _ in range(2)]
    held = cursor(codes)
    entries.append(codes.records([]))
    nation = stage.dial_in(NATION)
    city = stage.dial_in(CITY, held)
    nation.run(codes.run(entries))
    city.run(codes.run(entries[:2], answer=True))
    assert [entry.header for run in city.runs(codes.feed) for entry in run.entries] == [entries[2].header]
