"""A record that closes older enrolment versions, held against what is held already (docs/wire.md, §13)."""

from __future__ import annotations

from typing import Any

import pytest

from sync.events import AnchorKnown, LocalPut
from sync.reasons import Reason
from sync.values import FeedName, Lane, Route
from sync.wire.v1.entry_pb2 import Anchor, Closing
from tests.unit.sync.stage import CASE_FEED, Stage, begun, second_version
from tests.vectors.world import CITY, NATION, PROVINCE, Forge, anchor_body, key, record, sixteen

SECOND_KEY = key(f"{CITY}/2")


def closing(seq: int, epoch: bytes, publication: str = "case.parent") -> Closing:
    return Closing(publication=publication, epoch=epoch, seq=seq)


def close(stage: Stage, *closings: Closing, **fields: Any) -> None:
    """The city has lost its key; its parent says where its older life ended."""
    second_version(stage, key_lost=True, closes_older=True, closings=closings, **fields)


@pytest.mark.parametrize("seq", [0, 1])
def test_a_feed_that_runs_on_beyond_its_closing_is_frozen(seq: int) -> None:
    """The record is the evidence: nothing more is taken, not by adoption either; what is held stays, and is marked."""
    stage, forge, city, other = begun()
    close(stage, *([closing(seq, forge.epoch)] if seq else []))
    state = stage.core.feeds[CASE_FEED]
    assert (state.frozen, state.disputed_from) == (True, seq + 1)
    assert stage.alarmed().count("fork") == 1
    city.run(forge.run([forge.adoption(2, SECOND_KEY, None), forge.put()]))
    assert city.notices() == [Reason.FROZEN]
    assert stage.head(CASE_FEED) == 2
    assert len(stage.rows("case", CITY)) == 2
    assert city.said("evidence") == other.said("evidence") == []
    stage.played.clear()
    stage.engine.rebuild()
    stage.remember()
    assert stage.core.feeds[CASE_FEED].frozen


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(lambda forge: closing(2, forge.epoch), id="at the head"),
        pytest.param(lambda forge: closing(9, forge.epoch), id="beyond the head"),
        pytest.param(lambda forge: closing(1, sixteen("an epoch to come")), id="in another epoch"),
    ],
)
def test_a_feed_that_ends_where_it_is_closed_goes_on(said: Any) -> None:
    """There is no other branch."""
    stage, forge, city, _ = begun()
    close(stage, said(forge))
    assert "fork" not in stage.alarmed()
    city.run(forge.run([forge.adoption(2, SECOND_KEY, None), forge.put()]))
    assert (city.notices(), city.acked) == ([], 4)


def test_entries_of_a_version_that_is_not_closed_stay() -> None:
    """The feed had passed to the second version when a third closed the first again."""
    stage, forge, city, _ = begun()
    second_version(stage)
    city.run(forge.run([forge.adoption(2, SECOND_KEY, key(CITY)), forge.put()]))
    third = {"log_public_key": SECOND_KEY.public_key, "closes_older": True, "closings": [closing(4, forge.epoch)]}
    stage.enrol(record(CITY, PROVINCE, "330100", 3, **third))
    assert not stage.core.feeds[CASE_FEED].frozen
    assert "fork" not in stage.alarmed()


def test_what_was_closed_is_not_passed_on_nor_told_as_held() -> None:
    """A relay that holds too much of a feed says nothing of it: an origin that came back with less must not ask."""
    stage = Stage()
    forge = Forge(FeedName(CITY, "x_big.nation", NATION), key(CITY), Route.NODE, Lane.NORMAL)
    city = stage.dial_in(CITY)
    city.run(forge.run([forge.records([]), forge.records([])]))
    close(stage, closing(1, forge.epoch, "x_big.nation"))
    stage.cut(city)
    nation, again = stage.dial_in(NATION), stage.dial_in(CITY)
    assert nation.runs(forge.feed) == []
    assert all(c.feed.publication != "x_big.nation" for said in again.said("cursors") for c in said.cursors)


def test_an_anchor_closes_feeds_of_the_nation() -> None:
    """As a record does for every other node."""
    stage = Stage(CITY)
    province = stage.dial_in(PROVINCE)
    forge = Forge(FeedName(NATION, "class_code.all"), key(NATION), Route.DESCENDANTS)
    province.run(forge.run([forge.records([]), forge.records([])]))
    assert stage.head(forge.feed) == 2
    said = [Closing(publication="class_code.all", epoch=forge.epoch, seq=1)]
    body = anchor_body(
        serial=2, enrolment=2, log_public_key=key(f"{NATION}/2").public_key, closes_older=True, closings=said
    )
    stage.step(AnchorKnown(Anchor(body=body.SerializeToString(), signature=b"s").SerializeToString()))
    assert stage.core.feeds[forge.feed].frozen
    assert stage.alarmed().count("fork") == 1


def test_an_own_feed_that_runs_on_beyond_its_closing_seals_nothing_more() -> None:
    """Nobody would take it: what is written waits for the feed's next epoch."""
    stage = Stage(CITY)
    stage.unsound = {"OWN_CLOSED"}
    province = stage.dial_in(PROVINCE)
    trees = FeedName(CITY, "x_tree.tall")
    for number in range(2):
        stage.step(LocalPut("t", stage.locally("x_tree", (f"{number}", "330106", 1, "elm"))))
    epoch = stage.core.feeds[trees].head.epoch
    kind = FeedName(CITY, "x_tree.kind")
    both = [closing(1, epoch, "x_tree.tall"), closing(2, stage.core.feeds[kind].head.epoch, "x_tree.kind")]
    said = record(CITY, PROVINCE, "330100", 2, log_public_key=key(CITY).public_key, closes_older=True, closings=both)
    forge = Forge(FeedName(PROVINCE, "registry"), key(PROVINCE), Route.EVERYWHERE, Lane.URGENT)
    province.run(forge.run([forge.registry(said)]))
    stage.step(LocalPut("t", stage.locally("x_tree", ("9", "330106", 1, "oak"))))
    assert stage.head(trees) == 2
    assert stage.core.waiting[trees] == 1
    assert stage.head(kind) == 4  # an adoption, and what was written
    assert stage.alarmed().count("fork") == 1
    assert province.ended() is None
