"""What a neighbour may say to bring a node down or to slip past it: each is dropped or refused, and the node works on.

Every case once ended a node, most of them again at each of its starts.
"""

from __future__ import annotations

import pytest

from sync.events import Rejudge
from sync.judge import Judgement, Known, Signer
from sync.reasons import Reason
from sync.registry import scope_to_wire
from sync.rows import BadRow, RowBatch, key_text
from sync.scope import Scope
from sync.statements import heads_digest
from sync.suites import HEADS
from sync.values import Fate, FeedName, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import EntryHeader
from sync.wire.v1.frame_pb2 import Cursor, Cursors, Drain, FeedHead, HeadsBody, HeadsStatement, Statements, Want
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from tests.unit.sync.site import SITE, catalogue
from tests.unit.sync.stage import CASE_FEED, Cases, Stage, a_case
from tests.unit.sync.test_conformance_refused import _boot_returns
from tests.vectors.world import (
    CITY,
    FEDERATION,
    NATION,
    OTHER_CITY,
    OTHER_PROVINCE,
    PROVINCE,
    SUITE,
    Forge,
    key,
    record,
    sixteen,
)

TALL = FeedName(CITY, "x_tree.tall")
COLUMNS = ("id", "division", "height")
KIND = """{ name = "kind", type = "text", length = 8, zh = "a", en = "a" },"""
COLOURED = (KIND, KIND + KIND.replace("kind", "colour"))
"""What a second version of the dataset adds."""


def registry_of_city() -> Forge:
    return Forge(FeedName(CITY, "registry"), key(CITY), Route.EVERYWHERE, Lane.URGENT)


def told_of_provinces(stage: Stage) -> None:
    """The nation's registry came over the link, so that it is there again after a restart."""
    forge = Forge(FeedName(NATION, "registry"), key(NATION), Route.EVERYWHERE, Lane.URGENT)
    records = record(PROVINCE, NATION, "330000"), record(OTHER_PROVINCE, NATION, "440000")
    stage.dial_in(NATION).run(forge.run([forge.registry(*records)]))


def learns_the_dataset(stage: Stage) -> None:
    """An upgrade: the catalogue now has x_tree."""
    stage.judge._catalogue = catalogue(True)
    stage.store.add_schemas([d.schema for d in catalogue(True).datasets.values()])
    stage.step(Rejudge())


@pytest.mark.parametrize("publication", ["a b", "a\nb", "", "x" * 100_000])
def test_a_feed_with_a_name_that_is_none_ends_the_session_and_is_not_kept(publication: str) -> None:
    """In a cursor or a Want, for this node's own feed too: once it made the next start fail."""
    feed = WireFeed(origin=PROVINCE, publication=publication)
    for frame in (
        {"cursors": Cursors(cursors=[Cursor(feed=feed, epoch=bytes(16), seq=5, header_hash=bytes(32))])},
        {"want": Want(feed=feed, epoch=bytes(16), from_seq=1)},
    ):
        stage = Stage()
        told_of_provinces(stage)
        city = stage.dial_in(CITY)
        city.say(**frame)
        assert city.ended() is Reason.MALFORMED
        assert not stage.core.recovering
        stage.engine.rebuild()


def test_a_registry_entry_of_a_later_format_counts_neither_now_nor_after_a_restart() -> None:
    """It is kept and passed on, and parked; whatever its payload is, the node starts."""
    stage = Stage()
    told_of_provinces(stage)
    city, forge = stage.dial_in(CITY), registry_of_city()
    city.run(forge.run([forge.entry(b"\xff\xff\xff", kind=Kind.REGISTRY, codec=2, format=2)]))
    assert stage.head(forge.feed) == 1
    stage.engine.rebuild()
    assert stage.head(forge.feed) == 1


@pytest.mark.parametrize("route", [0, 6, 9])
def test_a_stated_head_of_an_unknown_route_is_passed_over(route: int) -> None:
    """A newer version may know more routes."""
    stage = Stage()
    stage.dial_in(NATION)
    city = stage.dial_in(CITY)
    heads = [FeedHead(publication="case.parent", route=route, epoch=bytes(16), seq=1, header_hash=bytes(32))]
    body = HeadsBody(
        federation=FEDERATION,
        origin=CITY,
        instance=sixteen("i"),
        boot=sixteen("b"),
        counter=1,
        digest=heads_digest(SUITE, heads),
        enrolment=1,
    ).SerializeToString()
    signature = key(CITY).sign(HEADS + SUITE.hash(body))
    city.say(statements=Statements(heads=[HeadsStatement(body=body, signature=signature, heads=heads, whole=True)]))
    assert city.ended() is None


def test_a_version_beyond_every_stores_integers_is_refused() -> None:
    """In the record, and so in every entry under it."""
    stage = Stage()
    city, forge = stage.dial_in(CITY), registry_of_city()
    child, scope = "d330106.c330100.cn-demo", scope_to_wire(Scope.of("330106"))
    said = record(
        child,
        CITY,
        "330106",
        version=2**63 + 1,
        log_public_key=key(child).public_key,
        signing_scope=scope,
        carrying_scope=scope,
    )
    city.run(forge.run([forge.registry(said)]))
    assert stage.fates(forge.feed) == [(1, 0, "REFUSED", "MALFORMED")]
    assert stage.core.registry.newest(child) is None


def test_an_empty_entry_without_key_columns_harms_no_second_look() -> None:
    """It stands behind an entry that waits as a whole."""
    stage = Stage(with_site=False)
    city, forge = stage.dial_in(CITY), Forge(TALL, key(CITY))
    entries = [
        forge.records([["a", "330106", 1]], columns=COLUMNS, dataset="x_tree"),
        forge.records([], columns=[], dataset="x_tree"),
    ]
    city.run(forge.run(entries))
    learns_the_dataset(stage)
    assert sorted(stage.rows("x_tree", CITY)) == [("a",)]


def test_a_suspended_clone_gets_no_rows_in_while_its_hello_is_contested() -> None:
    """An older, silent session of it is being asked; what comes meanwhile ends the new one."""
    stage = Stage()
    assert _boot_returns(stage).closed is not None
    assert CITY in stage.core.clones
    stage.dial(CITY)
    second = stage.dial(CITY)
    second.hello(boot=sixteen("c"))
    second.say(drain=Drain())
    assert second.ended() is Reason.MALFORMED
    assert stage.head(CASE_FEED) == 0


def test_a_session_whose_turn_is_put_off_by_newer_ones_asks_for_no_moment_that_is_past() -> None:
    """A child dials every four seconds and each session waits for the answer of those before it: none is told silent,
    and the node does not wake itself without end."""
    stage = Stage()
    stage.dial_in(CITY)
    for _ in range(8):
        stage.dial(CITY).hello()
        stage.now += 4_000_000
        stage.step()
        wake = stage.engine.wake_at
        assert wake is None or wake > stage.now


def test_a_childs_feed_for_those_below_does_not_go_to_its_siblings() -> None:
    """Down means below its origin."""
    stage = Stage()
    stage.dial_in(NATION)
    city, other = stage.dial_in(CITY), stage.dial_in(OTHER_CITY)
    forge = Forge(FeedName(CITY, "class_code.all"), key(CITY), Route.DESCENDANTS)
    city.run(forge.run([forge.records([])]))
    assert city.notices() == [Reason.NOT_YOUR_ORIGIN]
    assert other.runs(forge.feed) == []


# --- parked as a whole, or readable at once: the same in the end ------------------------------------------------------


def outcomes(*entries: list[list[object]]) -> list[object]:
    """Rows and fates when the dataset was known from the start, and when it became known afterwards."""
    found: list[object] = []
    for known in (True, False):
        stage = Stage(with_site=known)
        city, forge = stage.dial_in(CITY), Forge(TALL, key(CITY))
        city.run(forge.run([forge.records(rows, columns=COLUMNS, dataset="x_tree") for rows in entries]))
        if not known:
            learns_the_dataset(stage)
        fates = [fate for fate in stage.fates(TALL) if fate[1] >= 0]
        found.append((stage.rows("x_tree", CITY), fates, stage.core.feeds[TALL].parked))
    return found


@pytest.mark.parametrize(
    "entries",
    [
        ([["bad", "330106", "no number"], ["a", "330106", 1], ["out", "440106", 2]],),
        ([["a", "330106", 1]], [["a", "440106", 2]]),
        ([["a", "330106", 1], ["b", "330106", 1]], [["a", "330106", 2]], [["b", "330106", 3], ["a", "440106", 4]]),
    ],
    ids=["a row of a wrong type", "a later row that is refused", "later rows of both kinds"],
)
def test_entries_that_waited_end_as_if_they_had_been_readable(entries: tuple[list[list[object]], ...]) -> None:
    """Rows and their fates: what a later entry overtook, what it was refused for, what does not decode."""
    at_once, later = outcomes(*entries)
    assert at_once == later


def test_a_row_that_waits_on_keeps_its_place_beside_one_that_does_not_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entry became readable, its code had not come yet: when it comes, that very row is applied."""
    stage = Stage(with_site=False)
    in_force = {"a"}

    def records(header: EntryHeader, batch: RowBatch, signer: Signer, known: Known) -> Judgement:
        bad = [
            BadRow(place, key_text([row[0]]), Fate.PARKED, Reason.UNKNOWN_CODE, "")
            for place, row in enumerate(batch.puts)
            if row[0] not in in_force
        ]
        return Judgement([row for row in batch.puts if row[0] in in_force], list(batch.ends), bad)

    monkeypatch.setattr(stage.judge, "records", records)
    city, forge = stage.dial_in(CITY), Forge(TALL, key(CITY))
    rows = [["bad", "330106", "no number"], ["a", "330106", 1], ["b", "330106", 2]]
    city.run(forge.run([forge.records(rows, columns=COLUMNS, dataset="x_tree")]))
    learns_the_dataset(stage)
    assert sorted(stage.rows("x_tree", CITY)) == [("a",)]
    assert stage.core.feeds[TALL].parked == 1
    in_force.add("b")
    stage.step(Rejudge())
    assert sorted(stage.rows("x_tree", CITY)) == [("a",), ("b",)]
    assert stage.core.feeds[TALL].parked == 0


def test_an_entry_that_became_readable_overtakes_what_waits_from_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would have, had it been readable when it came: what is older does not come on top of it later."""
    stage = Stage()
    waits = True

    def records(header: EntryHeader, batch: RowBatch, signer: Signer, known: Known) -> Judgement:
        old = waits and header.seq == 1
        bad = [BadRow(p, key_text([r[0]]), Fate.PARKED, Reason.UNKNOWN_CODE, "") for p, r in enumerate(batch.puts)]
        return Judgement([] if old else list(batch.puts), list(batch.ends), bad if old else [])

    monkeypatch.setattr(stage.judge, "records", records)
    monkeypatch.setattr("tests.unit.sync.site.SITE", SITE.replace("version = 1", "version = 2").replace(*COLOURED))
    city, forge = stage.dial_in(CITY), Forge(TALL, key(CITY))
    city.run(forge.run([forge.records([["a", "330106", 1]], columns=COLUMNS, dataset="x_tree")]))
    city.run(
        forge.run(
            [
                forge.records(
                    [["a", "330106", 2, "red"]], columns=(*COLUMNS, "colour"), dataset="x_tree", schema_version=2
                )
            ]
        )
    )
    assert [fate[1:] for fate in stage.fates(TALL)] == [
        (0, "PARKED", "UNKNOWN_CODE"), (-1, "PARKED", "UNKNOWN_SCHEMA_VERSION"),
    ]  # fmt: skip
    catalogue.cache_clear()
    learns_the_dataset(stage)
    catalogue.cache_clear()
    assert [fate[1:3] for fate in stage.fates(TALL)] == [(0, "SUPERSEDED"), (-1, "APPLIED")]
    waits = False
    stage.step(Rejudge())
    ((cells),) = stage.rows("x_tree", CITY).values()
    assert cells[2] == 2


def test_the_node_takes_cases_after_all_that() -> None:
    """The stage itself works: a good run is taken."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.run([forge.put(a_case(1))]))
    assert stage.head(CASE_FEED) == 1
