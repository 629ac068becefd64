"""What a node must take (protocol section 13), driven through a whole replica and its store."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from sync import apply, limits
from sync.events import LocalPut, Rejudge
from sync.ports import ParkedRef
from sync.reasons import Reason
from sync.values import FeedName, Lane, Route
from sync.wire.v1.entry_pb2 import VersionRequest
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from sync.wire.v1.frame_pb2 import Frame, SnapshotChunk, Want
from tests.unit.sync.stage import (
    CASE_FEED,
    CASES,
    Cases,
    Stage,
    a_case,
    digest_holds,
)
from tests.vectors.world import CITY, NATION, OTHER_CITY, PROVINCE, Forge, key

# --- runs ---


def test_one_entry_with_one_seal_is_stored_applied_and_acknowledged() -> None:
    """And is said to be received in a receipt within seconds."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run())
    assert city.acked == 1
    assert list(stage.rows("case", CITY)) == [("case-1",)]
    assert digest_holds(stage, CASE_FEED)
    stage.wait(10)
    assert city.said("statements")[-1].receipts


def test_256_entries_with_one_seal_are_taken_at_once() -> None:
    """One Ack for the run, with all its credit."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    run = forge.run([forge.put(sealed=n == 256) for n in range(1, 257)])
    city.frames.clear()
    city.run(run)
    acks = city.said("ack")
    assert len(acks) == 1
    assert acks[0].credit[0].bytes == sum(len(e.header) + len(e.payload) + len(e.seal) for e in run.entries)
    assert len(stage.rows("case", CITY)) == city.acked == 256
    assert digest_holds(stage, CASE_FEED)


def test_an_unknown_header_field_is_stored_and_relayed_as_it_came() -> None:
    """Byte for byte."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    forge = _addressed()
    run = forge.run([forge.put(a_case(supervised=True), extra=b"\xa2\x06\x05later")])
    city.run(run)
    (passed,) = nation.runs(forge.feed)
    assert passed.entries[0] == run.entries[0]


def test_a_frame_of_an_unknown_kind_is_counted_and_ignored() -> None:
    """The session goes on; those that have their place in the wire for later use are treated alike."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.raw(b"\xa2\x06\x02\x08\x01")
    city.raw(Frame(snapshot_chunk=SnapshotChunk(payload=b"rows", last=True)).SerializeToString())
    city.raw(Frame(version_request=VersionRequest(body=b"later")).SerializeToString())
    assert stage.core.links[city.link].unknown_frames == 3
    city.run(forge.next_run())
    assert city.acked == 1


def test_a_duplicate_run_is_acknowledged_and_changes_nothing() -> None:
    """Its Ack was lost."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    run = forge.next_run()
    city.run(run)
    before = stage.core.feeds[CASE_FEED].digest
    city.run(run)
    assert len(city.said("ack")) == 2
    assert (city.acked, city.notices()) == (1, [])
    assert stage.core.feeds[CASE_FEED].digest == before


def test_an_overlapping_run_gives_its_new_part() -> None:
    """Entries 1 to 2 are held, 1 to 3 arrive."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    entries = [forge.put(), forge.put(), forge.put()]
    city.run(forge.run(entries[:2]))
    city.run(forge.run(entries))
    assert (city.acked, city.notices()) == (3, [])
    assert len(stage.rows("case", CITY)) == 3


def test_a_feed_without_rows_is_a_feed() -> None:
    """An entry of no rows, then one that voids a row never seen."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.run([forge.records([], dataset="case", columns=CASES)]))
    city.run(forge.run([forge.records([], [[["gone"], 1, "重复"]], dataset="case", columns=CASES)]))
    assert (city.acked, stage.fates(CASE_FEED)) == (2, [])
    assert digest_holds(stage, CASE_FEED)


def test_a_dropped_run_is_taken_when_it_comes_again_whole() -> None:
    """The node asks by itself, after a moment, with its cursor."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    run = forge.next_run()
    bad = type(run).FromString(run.SerializeToString())
    bad.entries[0].seal = bytes(64)
    city.run(bad)
    assert city.notices() == [Reason.BAD_SEAL]
    city.frames.clear()
    stage.wait(1)
    asked = city.said("cursors")[0].cursors[0]
    assert (asked.feed.publication, asked.seq) == ("case.parent", 0)
    city.run(run)
    assert city.acked == 1


# --- relays ---


def _addressed(publication: str = "case.nation", **fields: Any) -> Cases:
    forge = Cases(publication, route=Route.NODE, **fields)
    forge.feed = FeedName(CITY, publication, NATION)
    forge.head = Forge(forge.feed, forge.signer, epoch=forge.epoch).head
    return forge


RELAYED: dict[str, tuple[str, dict[str, Any]]] = {
    "an unknown dataset": ("x_secret.nation", {"dataset": "x_secret", "columns": ["a"]}),
    "a higher schema version": ("case.nation", {"columns": ["case_id", "colour"], "schema_version": 9}),
    "rows that this node would refuse": ("case.nation", {"columns": ["nonsense"]}),
    "a kind that no version knows yet": ("case.nation", {"kind": 99}),
    "a header of a later format": ("case.nation", {"format": 2}),
}


@pytest.mark.parametrize(("publication", "fields"), [pytest.param(*v, id=k) for k, v in RELAYED.items()])
def test_a_relay_carries_what_it_cannot_read(publication: str, fields: dict[str, Any]) -> None:
    """Chain and seal are checked, rows are not; the bytes go on as they came, and nothing is refused here."""
    stage, forge = Stage(), _addressed(publication)
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    run = forge.run([forge.records([["x"]], **({"dataset": "case", "columns": CASES} | fields))])
    city.run(run)
    assert city.acked == 1
    assert nation.runs(forge.feed)[0].entries[0] == run.entries[0]
    assert stage.fates(forge.feed) == []


def test_an_old_format_beside_a_new_one_is_read_while_the_new_one_waits() -> None:
    """In one feed, from two neighbours of two versions: entries of the later format park, those of this one apply."""
    stage, forge = Stage(), Cases()
    new, old = stage.dial_in(CITY, format=2, capabilities=["statements", "telepathy"]), stage.dial_in(OTHER_CITY)
    new.run(forge.run([forge.put(), forge.put(format=2), forge.put()]))
    other = Forge(FeedName(OTHER_CITY, "case.parent"), key(OTHER_CITY), Route.PARENT, Lane.NORMAL)
    old.run(other.run([other.records([a_case(1, division="330206")], columns=CASES, dataset="case")]))
    assert (new.acked, old.acked, new.notices(), old.notices()) == (3, 1, [], [])
    assert sorted(stage.rows("case", CITY)) == [("case-1",), ("case-3",)]
    assert len(stage.rows("case", OTHER_CITY)) == 1
    assert stage.fates(CASE_FEED) == [(2, -1, "PARKED", "UNKNOWN_SCHEMA_VERSION")]
    assert {link.format for link in stage.core.links.values()} == {1}


def test_a_run_is_passed_on_only_after_the_own_commit() -> None:
    """So the next node never holds more than this one: the Ack is said first."""
    stage, forge = Stage(), _addressed()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    order: list[tuple[str, str]] = []
    do = stage.engine._do
    stage.engine._do = lambda act: (order.append(_what(act)), do(act))[1]  # type: ignore[func-returns-value]
    city.run(forge.next_run(a_case(supervised=True)))
    assert not stage.store.in_transaction
    said = [kind for kind, _ in order]
    assert said.index("ack") < said.index("run")
    assert nation.runs(forge.feed)


def _what(act: Any) -> tuple[str, str]:
    frame = getattr(act, "frame", b"")
    return (Frame.FromString(frame).WhichOneof("kind") or "" if frame else type(act).__name__), ""


def test_a_feed_from_above_is_passed_to_every_child_and_not_back() -> None:
    """Codes of the nation reach both cities."""
    stage = Stage()
    nation, city, other = stage.dial_in(NATION), stage.dial_in(CITY), stage.dial_in(OTHER_CITY)
    forge = Forge(FeedName(NATION, "x_codes.all"), key(NATION), Route.DESCENDANTS)
    nation.run(forge.run([forge.records([["x"]], dataset="x_codes", columns=["a"])]))
    assert city.runs(forge.feed) == other.runs(forge.feed) != []
    assert nation.runs(forge.feed) == []


def test_a_want_is_answered_with_the_stored_bytes() -> None:
    """One entry or all from there; marked as an answer."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    run = forge.run([forge.put(), forge.put()])
    city.run(run)
    city.say(want=Want(feed=WireFeed(origin=CITY, publication="case.parent"), epoch=forge.epoch, from_seq=2))
    (answer,) = city.runs(CASE_FEED)
    assert answer.answer
    assert list(answer.entries) == [run.entries[1]]


# --- rows in two feeds, in every order ---


def _tree(publication: str, *entries: tuple[list[list[Any]], list[Any], int]) -> list[tuple[str, Any]]:
    columns = {"x_tree.tall": ["id", "division", "height"], "x_tree.kind": ["id", "division", "kind"]}[publication]
    forge = Cases(publication)
    made = []
    for puts, ends, group in entries:
        forge.group = group - 1
        made.append((publication, forge.run([forge.records(puts, ends, dataset="x_tree", columns=columns)])))
    return made


def test_a_row_in_two_feeds_comes_out_alike_in_every_order() -> None:
    """Other columns, other filters, a removal from one feed while the other lags: all ten interleavings agree."""
    tall = _tree(
        "x_tree.tall",
        ([["a", "330106", 10], ["b", "330106", 20]], [], 1),
        ([["a", "330105", 11]], [], 4),
        ([], [[["b"], 2, ""]], 5),
    )
    kind = _tree("x_tree.kind", ([["a", "330106", "oak"], ["b", "330106", "fir"]], [], 2), ([], [[["a"], 2, ""]], 6))
    seen = set()
    for order in set(permutations("tttkk")):
        stage, streams = Stage(), {"t": iter(tall), "k": iter(kind)}
        city = stage.dial_in(CITY)
        for which in order:
            city.run(next(streams[which])[1])
        assert city.notices() == []
        assert digest_holds(stage, FeedName(CITY, "x_tree.tall"), "x_tree")
        assert digest_holds(stage, FeedName(CITY, "x_tree.kind"), "x_tree")
        seen.add(
            (tuple(sorted(stage.rows("x_tree", CITY).values())), stage.core.feeds[FeedName(CITY, "x_tree.tall")].digest)
        )
    assert [rows for rows, _ in seen] == [(("a", "330105", 11, None), ("b", "330106", None, "fir"))]


# --- parked ---


def _coded(number: int, **cells: Any) -> list[Any]:
    return a_case(number, **({"class_scheme": "T", "class_code": "01"} | cells))


def test_a_parked_row_is_applied_by_itself_when_its_reason_is_gone() -> None:
    """The head advances meanwhile; the origin is told of both."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run(_coded(1), a_case(2)))
    assert city.acked == 1
    assert stage.fates(CASE_FEED) == [(1, 0, "PARKED", "MISSING_DEPENDENCY")]
    assert list(stage.rows("case", CITY)) == [("case-2",)]
    stage.known.tables["T"] = frozenset({"01"})
    stage.step(Rejudge())
    assert len(stage.rows("case", CITY)) == 2
    assert stage.core.feeds[CASE_FEED].parked == 0
    assert stage.fates(CASE_FEED)[0][2] == "APPLIED"
    assert stage.head(FeedName(PROVINCE, "refusals", CITY)) == 2
    assert digest_holds(stage, CASE_FEED)


def test_a_parked_row_is_overtaken_by_a_newer_version_of_its_key() -> None:
    """What comes later in the feed holds, also when the reason goes away afterwards."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run(_coded(1, state="reported")))
    city.run(forge.next_run(a_case(1, state="closed")))
    assert [f[2] for f in stage.fates(CASE_FEED)] == ["SUPERSEDED"]
    stage.known.tables["T"] = frozenset({"01"})
    stage.wait(60)
    (row,) = stage.rows("case", CITY).values()
    assert "closed" in row
    assert digest_holds(stage, CASE_FEED)


def test_rows_with_keys_alike_at_their_beginning_overtake_none_but_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a key is longer than what is kept of it, too."""
    monkeypatch.setattr(limits, "KEY_TEXT_CHARACTERS_MAX", 40)
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    key = "k" * 63
    city.run(forge.next_run(_coded(1, case_id=key + "1"), _coded(2, case_id=key + "2")))
    city.run(forge.next_run(a_case(2, case_id=key + "2")))
    assert [f[2] for f in stage.fates(CASE_FEED)] == ["PARKED", "SUPERSEDED"]


def test_a_run_asks_for_the_parked_rows_of_its_own_keys_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many others wait."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run(*(_coded(n) for n in range(1, 40))))
    found: list[str] = []
    among = stage.store.parked_among

    def told(*asked: Any) -> list[ParkedRef]:
        refs = among(*asked)
        found.extend(ref.key for ref in refs)
        return refs

    monkeypatch.setattr(stage.store, "parked_among", told)
    monkeypatch.setattr(stage.store, "parked_after", lambda *_: [])
    city.run(forge.next_run(a_case(7), a_case(100)))
    assert found == ['["case-7"]']
    assert stage.core.feeds[CASE_FEED].parked == 38


def test_only_rows_that_may_be_waited_for_bring_a_new_look_at_what_is_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many parked rows do not slow every other run down; codes let them in at once."""
    stage, forge = Stage(), Cases()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    city.run(forge.next_run(*(_coded(n) for n in range(1, 40))))
    looks: list[object] = []
    after = stage.store.parked_after
    monkeypatch.setattr(stage.store, "parked_after", lambda *asked: looks.append(asked) or after(*asked))
    city.run(forge.next_run(a_case(100)))
    unit = ("u", "a unit", "330000", "handling", None, None, None, None)
    stage.step(LocalPut("org", stage.locally("org_unit", unit)))
    stage.wait(60)
    assert not looks
    codes = Forge(FeedName(NATION, "class_code.all"), key(NATION), Route.DESCENDANTS, Lane.NORMAL)
    columns = ("table_name", "code", "table_version", "name_zh", "is_extension", "status")
    code = ("T", "01", 1, "x", False, "effective")
    stage.known.tables["T"] = frozenset({"01"})
    nation.run(codes.run([codes.records([code], columns=columns, dataset="class_code")]))
    assert looks
    assert stage.core.feeds[CASE_FEED].parked == 0


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_every_parked_row_is_looked_at_again_however_many_wait(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds go on where the last one stopped: what waits for long does not keep the others from their turn."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    monkeypatch.setattr(apply, "REJUDGE_AT_ONCE", at_once)
    later = {4, 5, 9}
    for numbers in ((1, 2, 3, 4), (5,), (6, 7, 8), (9, 10)):
        city.run(forge.next_run(*(_coded(n, class_scheme="U" if n in later else "T") for n in numbers)))
    assert stage.core.feeds[CASE_FEED].parked == 10
    stage.known.tables["U"] = frozenset({"01"})
    stage.step(Rejudge())
    assert sorted(stage.rows("case", CITY)) == [(f"case-{n}",) for n in sorted(later)]
    stage.known.tables["T"] = frozenset({"01"})
    stage.step(Rejudge())
    assert len(stage.rows("case", CITY)) == 10
    assert stage.core.feeds[CASE_FEED].parked == 0
    assert digest_holds(stage, CASE_FEED)
