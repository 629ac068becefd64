"""What a node must take, continued: keys and versions, sessions, any bit of a frame flipped (protocol section 13)."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.chain import adoption_message
from sync.events import LocalPut
from sync.reasons import Reason
from sync.registry import scope_to_wire
from sync.scope import Scope
from sync.values import FeedName, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import AdoptionPayload, Closing
from sync.wire.v1.frame_pb2 import Frame, Pong
from tests.unit.sync.stage import (
    CASE_FEED,
    CASES,
    Cases,
    Played,
    Stage,
    a_case,
    cursor,
    digest_holds,
    second_version,
)
from tests.vectors.world import CITY, PROVINCE, SUITE, Forge, key, sixteen

SECOND_KEY = key(f"{CITY}/2")


# --- keys and versions ---


def test_a_feed_goes_on_under_the_version_it_adopts() -> None:
    """Rotation in mid-feed; entries older than it stay valid when they come late."""
    stage, forge = Stage(), Cases()
    second_version(stage)
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
    second_version(stage)
    asked = [c for said in city.said("cursors") for c in said.cursors if c.feed.publication == "case.parent"]
    assert [c.seq for c in asked] == [1]
    city.run(late)
    assert city.acked == 3


def test_an_old_version_counts_up_to_the_exact_head_that_closes_it() -> None:
    """The entry at the closing's seq is taken, and the feed goes on by adoption."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    closing = Closing(publication="case.parent", epoch=forge.epoch, seq=2)
    second_version(stage, closes_older=True, closings=[closing])
    city.run(forge.run([forge.put(), forge.put()]))
    city.run(forge.run([forge.adoption(2, SECOND_KEY, key(CITY)), forge.put()]))
    assert (city.acked, city.notices()) == (4, [])


def test_a_record_that_says_stolen_needs_no_old_signature() -> None:
    """The thief has the old key, so its word is not asked."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run())
    closing = Closing(publication="case.parent", epoch=forge.epoch, seq=1)
    second_version(stage, key_lost=True, closes_older=True, closings=[closing])
    city.run(forge.run([forge.adoption(2, SECOND_KEY, None)]))
    assert (city.acked, city.notices()) == (2, [])


def test_a_new_feed_starts_with_the_newest_version() -> None:
    """No adoption where nothing was before."""
    stage = Stage()
    second_version(stage)
    forge, city = Cases(enrolment=2, signer=SECOND_KEY), stage.dial_in(CITY)
    city.run(forge.next_run())
    assert city.acked == 1


def test_suite_2_after_suite_1_is_taken() -> None:
    """Suites may rise."""
    stage, forge = Stage(suites=2), Cases()
    second_version(stage, suite=2)
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
    second_version(stage, signing_scope=scope_to_wire(Scope.of("3301*", "330282")))
    city = stage.dial_in(CITY)
    city.run(forge.next_run(a_case(1, division="330282")))
    city.run(forge.run([forge.adoption(2, SECOND_KEY, key(CITY)), forge.put(a_case(2, division="330282"))]))
    assert list(stage.rows("case", CITY)) == [("case-2",)]
    assert stage.fates(CASE_FEED) == [(1, 0, "REFUSED", "OUT_OF_SCOPE")]


@pytest.mark.parametrize("days", [-1, 1, 400])
def test_an_origin_whose_clock_is_wrong_is_taken(days: int) -> None:
    """Clocks are said and decide nothing; one that runs far ahead does not drag others along."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    city.run(forge.next_run(hlc=(stage.now // 1000 + days * 86_400_000) << 16))
    assert (city.acked, city.notices()) == (1, [])
    assert stage.core.hlc >> 16 <= stage.now // 1000 + 86_400_000


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


def test_of_two_formats_the_lower_holds_and_what_only_one_side_knows_is_left_alone() -> None:
    """A Hello from a later version: format 9, capabilities that nobody here has heard of."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY, format=9, capabilities=["statements", "rows-arrow", "telepathy"])
    link = stage.core.links[city.link]
    assert (link.format, link.capabilities) == (1, frozenset({"statements"}))
    city.run(forge.next_run())
    assert (city.acked, city.notices()) == (1, [])


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
    stage.remember()
    assert stage.head(CASE_FEED) == 2
    assert stage.core.feeds[CASE_FEED].digest == digest
    assert digest_holds(stage, CASE_FEED)


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


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
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
