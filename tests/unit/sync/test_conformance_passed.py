"""What a node must take (protocol section 13), driven through a whole replica and its store."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.store.digests import digest_table
from sync.chain import adoption_message
from sync.events import LocalPut, Rejudge
from sync.reasons import Reason
from sync.registry import scope_to_wire
from sync.scope import Scope
from sync.values import FeedName, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import AdoptionPayload, Closing
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from sync.wire.v1.frame_pb2 import Frame, Pong, Want
from tests.unit.sync.stage import CASE_FEED, CASES, Cases, Played, Stage, a_case, cursor
from tests.vectors.world import CITY, NATION, OTHER_CITY, PROVINCE, SUITE, Forge, key, record, sixteen

SECOND_KEY = key(f"{CITY}/2")


def _second_version(stage: Stage, **fields: Any) -> None:
    stage.enrol(record(CITY, PROVINCE, "330100", 2, **fields))


def _digest_holds(stage: Stage, feed: FeedName, dataset: str = "case") -> bool:
    """The digest kept step by step is that of the rows, by an implementation of its own."""
    state = stage.core.feeds[feed]
    schema = stage.judge.schema("", dataset)
    assert schema is not None
    made = digest_table(stage.store.session.connection, schema, feed.origin, feed)
    return (state.rows, state.digest) == (made.rows, made.digest)


# --- runs ---


def test_one_entry_with_one_seal_is_stored_applied_and_acknowledged() -> None:
    """And is said to be received in a receipt within seconds."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run())
    assert city.acked == 1
    assert list(stage.rows("case", CITY)) == [("case-1",)]
    assert _digest_holds(stage, CASE_FEED)
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
    assert _digest_holds(stage, CASE_FEED)


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
    """The session goes on."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.raw(b"\xa2\x06\x02\x08\x01")
    assert stage.core.links[city.link].unknown_frames == 1
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
    assert _digest_holds(stage, CASE_FEED)


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
        assert _digest_holds(stage, FeedName(CITY, "x_tree.tall"), "x_tree")
        assert _digest_holds(stage, FeedName(CITY, "x_tree.kind"), "x_tree")
        seen.add(
            (tuple(sorted(stage.rows("x_tree", CITY).values())), stage.core.feeds[FeedName(CITY, "x_tree.tall")].digest)
        )
    assert [rows for rows, _ in seen] == [(("a", "330105", 11, None), ("b", "330106", None, "fir"))]


# --- keys and versions ---


def test_a_feed_goes_on_under_the_version_it_adopts() -> None:
    """Rotation in mid-feed; entries older than it stay valid when they come late."""
    stage, forge = Stage(), Cases()
    _second_version(stage)
    city = stage.dial_in(CITY)
    entries = [forge.put(), forge.adoption(2, SECOND_KEY, key(CITY)), forge.put()]
    for entry in entries:
        city.run(forge.run([entry]))
    assert (city.acked, city.notices()) == (3, [])
    assert stage.core.feeds[CASE_FEED].enrolment == 2


def test_an_entry_of_the_new_version_waits_for_its_registry_record() -> None:
    """Dropped, asked for at once when the record comes, and taken."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run())
    late = forge.run([forge.adoption(2, SECOND_KEY, key(CITY)), forge.put()])
    city.run(late)
    assert city.notices() == [Reason.UNKNOWN_ENROLMENT]
    city.frames.clear()
    _second_version(stage)
    asked = [c for said in city.said("cursors") for c in said.cursors if c.feed.publication == "case.parent"]
    assert [c.seq for c in asked] == [1]
    city.run(late)
    assert city.acked == 3


def test_an_old_version_counts_up_to_the_exact_head_that_closes_it() -> None:
    """The entry at the closing's seq is taken, and the feed goes on by adoption."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    closing = Closing(publication="case.parent", epoch=forge.epoch, seq=2)
    _second_version(stage, closes_older=True, closings=[closing])
    city.run(forge.run([forge.put(), forge.put()]))
    city.run(forge.run([forge.adoption(2, SECOND_KEY, key(CITY)), forge.put()]))
    assert (city.acked, city.notices()) == (4, [])


def test_a_record_that_says_stolen_needs_no_old_signature() -> None:
    """The thief has the old key, so its word is not asked."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run())
    closing = Closing(publication="case.parent", epoch=forge.epoch, seq=1)
    _second_version(stage, key_lost=True, closes_older=True, closings=[closing])
    city.run(forge.run([forge.adoption(2, SECOND_KEY, None)]))
    assert (city.acked, city.notices()) == (2, [])


def test_a_new_feed_starts_with_the_newest_version() -> None:
    """No adoption where nothing was before."""
    stage = Stage()
    _second_version(stage)
    forge, city = Cases(enrolment=2, signer=SECOND_KEY), stage.dial_in(CITY)
    city.run(forge.next_run())
    assert city.acked == 1


def test_suite_2_after_suite_1_is_taken() -> None:
    """Suites may rise."""
    stage, forge = Stage(suites=2), Cases()
    _second_version(stage, suite=2)
    city = stage.dial_in(CITY)
    city.run(forge.next_run())
    message = adoption_message(stage.suites[2], forge.head, 2, SECOND_KEY.public_key)
    forge.enrolment, forge.signer = 2, SECOND_KEY
    payload = AdoptionPayload(old_signature=key(CITY).sign(message)).SerializeToString()
    entry = forge.entry(payload, kind=Kind.ADOPTION, codec=2, suite=2)
    city.run(forge.run([entry]))
    assert (city.acked, city.notices()) == (2, [])
    assert stage.core.feeds[CASE_FEED].suite == 2


def test_a_scope_that_grew_lets_its_rows_in_under_the_new_version() -> None:
    """The old version's scope still judges what was sealed under it."""
    stage, forge = Stage(), Cases()
    _second_version(stage, signing_scope=scope_to_wire(Scope.of("3301*", "330282")))
    city = stage.dial_in(CITY)
    city.run(forge.next_run(a_case(1, division="330282")))
    city.run(forge.run([forge.adoption(2, SECOND_KEY, key(CITY)), forge.put(a_case(2, division="330282"))]))
    assert list(stage.rows("case", CITY)) == [("case-2",)]
    assert stage.fates(CASE_FEED) == [(1, 0, "REFUSED", "OUT_OF_SCOPE")]


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
    assert _digest_holds(stage, CASE_FEED)


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
    assert _digest_holds(stage, CASE_FEED)


# --- sessions ---


def test_a_restart_within_five_seconds_is_no_clone() -> None:
    """The old session is asked, does not answer, and gives way."""
    stage = Stage()
    older = stage.dial_in(CITY)
    newer = stage.dial(CITY)
    newer.hello(boot=b"n" * 16)
    assert newer.said("hello") == []
    stage.wait(6)
    assert older.ended() is Reason.TIMEOUT
    assert newer.said("hello")
    assert newer.ended() is None
    assert "clone" not in stage.alarmed()


def test_a_session_that_never_says_hello_is_closed_after_ten_seconds() -> None:
    """With its reason."""
    stage = Stage()
    city = stage.dial(CITY)
    stage.wait(9)
    assert city.ended() is None
    stage.wait(2)
    assert city.ended() is Reason.TIMEOUT


def test_a_silent_link_is_pinged_and_closed_after_three_unanswered() -> None:
    """Twenty seconds each; an answer starts anew."""
    stage = Stage()
    city = stage.dial_in(CITY)
    stage.wait(21)
    city.say(pong=Pong(nonce=city.said("ping")[-1].nonce))
    stage.wait(75)
    assert city.ended() is None
    stage.wait(25)
    assert city.ended() is Reason.TIMEOUT


def test_a_link_cut_after_any_frame_goes_on_where_it_was() -> None:
    """Nothing is lost and nothing is said twice: the next session's cursor says what is held."""
    forge = Cases()
    runs = [forge.next_run() for _ in range(4)]
    for cut in range(len(runs) + 1):
        stage = Stage()
        city = stage.dial_in(CITY, boot=b"1" * 16)
        for run in runs[:cut]:
            city.run(run)
        stage.cut(city)
        city = stage.dial_in(CITY, boot=b"2" * 16)
        held = [c.seq for said in city.said("cursors") for c in said.cursors if c.feed.publication == "case.parent"]
        assert held == ([cut] if cut else [])
        for run in runs[cut:]:
            city.run(run)
        assert stage.head(CASE_FEED) == 4


def test_a_rebuilt_node_holds_what_it_acknowledged() -> None:
    """A crash after the commit: state, rows and digest come from the store."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.run([forge.put(), forge.put()]))
    digest = stage.core.feeds[CASE_FEED].digest
    stage.played.clear()
    stage.engine.rebuild()
    assert stage.head(CASE_FEED) == 2
    assert stage.core.feeds[CASE_FEED].digest == digest
    assert _digest_holds(stage, CASE_FEED)


def test_work_without_a_link_waits_in_the_outbox_and_is_sealed_for_the_next_session() -> None:
    """Nothing is sealed while nobody listens."""
    stage = Stage(CITY)
    schema = stage.judge.schema("", "case")
    assert schema is not None
    row = dict(zip(CASES, a_case(1), strict=True))
    cells = tuple(row.get(name) for name in schema.names)
    stage.step(LocalPut("t", stage.locally("case", cells)))
    assert stage.head(CASE_FEED) == 0
    parent = stage.dial_in(PROVINCE)
    assert stage.head(CASE_FEED) == 1
    assert parent.runs(CASE_FEED)[0].entries[0].seal


def test_a_lost_tail_of_an_own_feed_is_asked_back_before_anything_is_sealed() -> None:
    """The neighbour holds two entries of this node that it lost: it takes them back and goes on above their version."""
    lost = Cases()
    lost.epoch = _own_epoch()
    lost.head = Forge(lost.feed, lost.signer, epoch=lost.epoch).head
    lost.group = 40
    entries = [lost.put(), lost.put()]
    stage = Stage(CITY)
    parent = stage.dial(PROVINCE)
    parent.hello()
    parent.end(cursor(lost))
    assert parent.said("want")[-1].from_seq == 1
    assert "recovering" in stage.alarmed()
    parent.run(lost.run(entries, answer=True))
    assert stage.head(CASE_FEED) >= 2
    assert stage.core.group >= 2**32
    assert len(stage.rows("case", CITY)) == 2


def _own_epoch() -> bytes:
    """The epoch that the city's node gives its feed: docs/wire.md says how it follows from the instance."""
    seed = b"\0".join((sixteen("instance " + CITY), b"case.parent", b""))
    return SUITE.hash(b"tiersync.v1.epoch\0" + seed)[:16]


# --- any byte ---


def _captured() -> bytes:
    forge = Cases()
    return Frame(run=forge.run([forge.put(), forge.put()])).SerializeToString()


FRAME = _captured()


class _Shared:
    """One stage for many examples; a new one when something was stored after all."""

    stage: Stage | None = None
    city: Played | None = None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.integers(0, len(FRAME) - 1), bit=st.integers(0, 7))
def test_a_frame_with_one_bit_flipped_is_never_stored_and_the_link_goes_on(place: int, bit: int) -> None:
    """Stored are the sealed bytes or nothing; the next good frame is taken (after dialling again, if it was closed)."""
    data = FRAME[:place] + bytes([FRAME[place] ^ 1 << bit]) + FRAME[place + 1 :]
    if _Shared.stage is None or _Shared.city is None or _Shared.city.closed:
        _Shared.stage = Stage()
        _Shared.city = _Shared.stage.dial_in(CITY)
    stage, city = _Shared.stage, _Shared.city
    try:
        Frame.FromString(data)
    except DecodeError:
        return
    city.raw(data)
    sealed = {(e.header, e.payload) for e in Frame.FromString(FRAME).run.entries}
    for name, state in stage.core.feeds.items():
        if name.publication.startswith("case") and state.head.seq:
            held = stage.store.entries(name, state.head.epoch, 1, 1 << 20, 10)
            assert {(e.header, e.payload) for e in held} <= sealed
    if stage.head(CASE_FEED) or city.closed:
        _Shared.stage = None
        return
    other = Forge(FeedName(CITY, "org_unit.ancestors"), key(CITY), Route.ANCESTORS, Lane.BULK)
    before = len(city.said("ack"))
    city.run(other.run([other.records([])]))
    assert len(city.said("ack")) == before + 1
