"""What a node must refuse, each with its reason (protocol section 13), driven through a whole replica and its store.

What is wrong in a run's bytes alone is in tests/vectors; here is what depends on what the node holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync import chain, limits
from sync.chain import BadRun
from sync.effects import FeedState
from sync.events import RunArrived
from sync.link import Phase
from sync.reasons import Reason
from sync.session import BENIGN
from sync.values import FeedName, Head, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import Closing, EpochStartPayload
from sync.wire.v1.frame_pb2 import (
    Cursor,
    Cursors,
    Entry,
    Ping,
    Pong,
    Run,
    Want,
)
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from tests.unit.sync.stage import (
    CASE_FEED,
    CASES,
    Cases,
    Numbered,
    Played,
    Stage,
    a_case,
    begun,
    cursor,
    second_version,
)
from tests.vectors.world import (
    CITY,
    NATION,
    OTHER_CITY,
    PROVINCE,
    Forge,
    header_hash,
    key,
    sixteen,
)

TALL = ("id", "division", "height")

# --- runs that are dropped: told with their reason and their credit, never stored, and the link goes on ---


def _rises(stage: Stage, forge: Cases, old: Any) -> Run:
    second_version(stage)
    return forge.run([forge.adoption(2, key(f"{CITY}/2"), old)])


def _no_adoption(stage: Stage, forge: Cases) -> Run:
    second_version(stage)
    forge.enrolment, forge.signer = 2, key(f"{CITY}/2")
    return forge.next_run()


def _falls(stage: Stage, forge: Cases) -> Run:
    second_version(stage)
    entries = [forge.adoption(2, key(f"{CITY}/2"), key(CITY), sealed=False)]
    return forge.run([*entries, forge.put(sealed=False, enrolment=1), forge.put()])


def _closed(stage: Stage, forge: Cases, *closings: Closing) -> Run:
    second_version(stage, closes_older=True, closings=closings)
    return forge.next_run()


def _closed_at(forge: Cases, seq: int) -> Closing:
    return Closing(publication=forge.feed.publication, epoch=forge.epoch, seq=seq)


def _start(forge: Cases) -> Entry:
    payload = EpochStartPayload(old_epoch=forge.epoch, named_seq=2, named_hash=forge.head).SerializeToString()
    return forge.entry(payload, kind=Kind.EPOCH_START, codec=2)


def _fresh_epoch(forge: Cases) -> Cases:
    return Cases(epoch=sixteen("another epoch"))


Dropped = tuple[Reason, Callable[[Stage, Cases], Run]]
DROPPED: dict[str, Dropped] = {
    "a byte of the payload flipped": (Reason.BAD_PAYLOAD_DIGEST, lambda s, f: _flipped(f, "payload")),
    "a byte of the header flipped": (Reason.BAD_SEAL, lambda s, f: _flipped(f, "header")),
    "a byte of the seal flipped": (Reason.BAD_SEAL, lambda s, f: _flipped(f, "seal")),
    "a run whose seq is not the next": (Reason.GAP, lambda s, f: _skip(f).next_run()),
    "a run of another epoch that nobody confirmed": (
        Reason.EPOCH_NOT_CONFIRMED,
        lambda s, f: _fresh_epoch(f).next_run(),
    ),
    "an epoch start without the parent's record": (
        Reason.EPOCH_NOT_CONFIRMED,
        lambda s, f: _fresh_epoch(f).run([_start(_fresh_epoch(f))]),
    ),
    "the route changed in mid-feed": (Reason.ROUTE_CHANGED, lambda s, f: f.next_run(route=2)),
    "the addressee changed in mid-feed": (Reason.MALFORMED, lambda s, f: f.next_run(addressee=NATION)),
    "an enrolment version not known yet": (Reason.UNKNOWN_ENROLMENT, lambda s, f: f.next_run(enrolment=7)),
    "a new version without adoption": (Reason.ADOPTION_MISSING, _no_adoption),
    "an adoption without the old key's signature": (Reason.ADOPTION_MISSING, lambda s, f: _rises(s, f, None)),
    "an adoption signed by another node's key": (
        Reason.ADOPTION_MISSING,
        lambda s, f: _rises(s, f, key(OTHER_CITY)),
    ),
    "the enrolment version falling back": (Reason.ENROLMENT_FELL, _falls),
    "a seal by a closed key beyond its list": (
        Reason.ENROLMENT_CLOSED,
        lambda s, f: _closed(s, f, _closed_at(f, 2)),
    ),
    "a seal by a closed key in a feed not on the list": (
        Reason.ENROLMENT_CLOSED,
        lambda s, f: _closed(s, _tree(), _closed_at(f, 2)),
    ),
    "a feed of the origin 4,097": (Reason.LIMIT_EXCEEDED, lambda s, f: _one_more_feed(s)),
    "a new feed whose first entry has another prev than its genesis": (
        Reason.BAD_PREV,
        lambda s, f: _tree(head=f.head).next_run([["a", "330106", 1]], dataset="x_tree", columns=TALL),
    ),
    "a run that passes neither through here nor to here": (
        Reason.NOT_YOUR_ORIGIN,
        lambda s, f: _tree(route=Route.NODE, addressee=CITY).next_run(),
    ),
    "a run of this node's own feed that it did not ask for": (
        Reason.NOT_YOUR_ORIGIN,
        lambda s, f: _own(s).run([_own(s).records([])]),
    ),
    "a zstd bomb": (Reason.LIMIT_EXCEEDED, lambda s, f: f.run([f.entry(b"x" * 100, codec=1, plain_size=1 << 23)])),
    "an entry of a message that does not parse": (
        Reason.MALFORMED,
        lambda s, f: f.run([f.entry(b"\x0a\xff", kind=Kind.ADOPTION, codec=2)]),
    ),
}


def _flipped(forge: Cases, part: str) -> Run:
    entry = forge.put()
    data = getattr(entry, part)
    setattr(entry, part, data[:40] + bytes([data[40] ^ 1]) + data[41:])
    return forge.run([entry])


def _skip(forge: Cases) -> Cases:
    forge.put()
    return forge


def _tree(addressee: str = "", **fields: Any) -> Cases:
    made = Cases("x_tree.tall", **fields)
    made.feed = FeedName(CITY, "x_tree.tall", addressee)
    if "head" not in fields:
        made.head = Forge(made.feed, made.signer, epoch=made.epoch).head
    return made


def _own(stage: Stage) -> Forge:
    return Forge(FeedName(stage.node, "org_unit.ancestors"), key(stage.node), Route.ANCESTORS)


def _one_more_feed(stage: Stage) -> Run:
    for number in range(limits.FEEDS_PER_ORIGIN_MAX):
        name = FeedName(CITY, f"x_f{number}")
        stage.core.feeds[name] = FeedState(name, Route.PARENT, Lane.BULK, Head(bytes(16), 0, bytes(32)))
    return _tree().next_run([["a", "330106", 1]], dataset="x_tree", columns=TALL)


@pytest.mark.parametrize(("reason", "make"), [pytest.param(*v, id=k) for k, v in DROPPED.items()])
def test_a_run_is_dropped_with_its_reason(reason: Reason, make: Callable[[Stage, Cases], Run]) -> None:
    """Told with its credit, not stored, no session ended: the next feed on the link is taken."""
    stage, forge, city, other = begun()
    states = {name: state.head for name, state in stage.core.feeds.items()}
    run = make(stage, forge)
    city.frames.clear()
    city.run(run)
    told = city.said("notice")
    assert [Reason(n.reason) for n in told] == [reason], told
    assert told[0].credit.bytes == sum(len(e.header) + len(e.payload) + len(e.seal) for e in run.entries)
    assert city.ended() is None
    assert ("run_dropped" in stage.alarmed()) is (reason not in BENIGN)
    for name, head in states.items():
        if name.origin != stage.node:
            assert stage.core.feeds[name].head == head
    other.run(Forge(FeedName(OTHER_CITY, "case.parent"), key(OTHER_CITY)).run([_other_case()]))
    assert other.acked == 1


def _other_case() -> Entry:
    forge = Forge(FeedName(OTHER_CITY, "case.parent"), key(OTHER_CITY))
    return forge.records([a_case(division="330201")], columns=CASES, dataset="case")


def test_the_suite_falling_back_is_refused() -> None:
    """An entry of suite 1 between entries of suite 2."""
    stage = Stage(suites=2)
    second_version(stage, suite=2)
    forge, city = Cases(enrolment=2, signer=key(f"{CITY}/2")), stage.dial_in(CITY)
    city.run(forge.next_run(suite=2))
    assert city.acked == 1
    city.run(forge.run([forge.put(sealed=False), forge.put(suite=2)]))
    assert city.notices() == [Reason.SUITE_FELL]


# --- runs from the wrong side ---

WRONG_SIDE: dict[str, tuple[str, str]] = {
    "an origin of the own subtree from the parent without a Want": (NATION, CITY),
    "an origin outside the link's carrying scope": (OTHER_CITY, CITY),
    "an origin of another subtree from a child": (CITY, NATION),
}


@pytest.mark.parametrize(("link", "origin"), [pytest.param(*v, id=k) for k, v in WRONG_SIDE.items()])
def test_a_run_from_the_side_its_feed_does_not_come_from_is_refused(link: str, origin: str) -> None:
    """Of each feed a node has one neighbour towards the origin."""
    stage = Stage()
    played = stage.dial_in(link)
    forge = Forge(FeedName(origin, "class_code.all"), key(origin), Route.DESCENDANTS)
    played.run(forge.run([forge.records([])]))
    assert played.notices() == [Reason.NOT_YOUR_ORIGIN]
    assert stage.head(forge.feed) == 0


def _forged(stage: Stage) -> Run:
    """A run of the other city's feed that the city made up: sealed by nobody, with a payload that does not inflate."""
    forge = Forge(FeedName(OTHER_CITY, "case.parent"), key(CITY), Route.PARENT)
    return forge.run([forge.entry(b"no zstd", codec=3, kind=Kind.RECORDS)])


def test_a_foreign_run_is_refused_before_anything_else_of_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is hashed, verified, inflated or decoded for it, and that it is no good besides is not asked."""
    stage = Stage()
    city = stage.dial_in(CITY)
    forged = _forged(stage)
    looked: list[str] = []
    for what in ("hash", "verify"):
        monkeypatch.setattr(Numbered, what, lambda *_, what=what: looked.append(what))
    monkeypatch.setattr(chain, "open_content", lambda *_: looked.append("content"))
    city.run(forged)
    assert city.notices() == [Reason.NOT_YOUR_ORIGIN]
    assert looked == []


def test_a_run_under_a_damaged_name_is_damaged_and_not_early() -> None:
    """A person is told: nothing that the registry may bring would mend it."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    run = forge.next_run()
    run.feed.origin = run.feed.origin.replace("c33", "c32")
    city.run(run)
    assert city.notices() == [Reason.MALFORMED]
    assert "run_dropped" in stage.alarmed()


def test_a_foreign_run_that_was_opened_before_its_link_was_known_is_foreign_all_the_same() -> None:
    """The core asks again, and first."""
    stage = Stage()
    city = stage.dial_in(CITY)
    stage.step(RunArrived(city.link, stage.opened(_forged(stage))))
    assert city.notices() == [Reason.NOT_YOUR_ORIGIN]


def test_a_run_that_was_opened_before_the_record_that_shows_its_way_is_asked_for_again() -> None:
    """It may come right behind that record, and be looked at while that is being written."""
    stage = Stage()
    city = stage.dial_in(CITY)
    forge = Cases()
    early = BadRun(CASE_FEED, forge.epoch, 1, Lane.NORMAL, 10, False, Route.PARENT, Reason.NOT_YOUR_ORIGIN, "too early")
    stage.step(RunArrived(city.link, early))
    assert city.notices() == [Reason.UNKNOWN_ENROLMENT]
    stage.live(1)
    assert [c.feed.publication for f in city.said("cursors") for c in f.cursors] == ["case.parent"]
    city.run(forge.next_run())
    assert city.acked == 1


# --- sessions ---


def _hello_twice(stage: Stage) -> Played:
    city = stage.dial_in(CITY)
    city.hello()
    return city


def _boot_returns(stage: Stage) -> Played:
    for boot in ("a", "b"):
        stage.cut(stage.dial_in(CITY, boot=sixteen(boot)))
    return stage.dial_in(CITY, boot=sixteen("a"))


def _instance_returns(stage: Stage) -> Played:
    for n, instance in enumerate(("a", "b")):
        stage.cut(stage.dial_in(CITY, instance=sixteen(instance), boot=sixteen(f"boot {n}")))
    return stage.dial_in(CITY, instance=sixteen("a"), boot=sixteen("boot 3"))


def _second_live(stage: Stage) -> Played:
    older = stage.dial_in(CITY)
    newer = stage.dial(CITY)
    newer.hello(boot=sixteen("another boot"))
    older.say(pong=Pong(nonce=older.said("ping")[-1].nonce))
    assert older.ended() is Reason.CLONE
    return newer


def _suspended(stage: Stage) -> Played:
    second_version(stage, status=2)
    return stage.dial_in(CITY)


def _stranger(stage: Stage) -> Played:
    return stage.dial_in("c330300.p330000.cn-demo")


def _beyond_credit(stage: Stage) -> Played:
    city, forge = stage.dial_in(CITY), Cases()
    runs = [forge.run([forge.entry(bytes(900 * 1024), kind=Kind.CHECKPOINT, codec=2)]) for _ in range(6)]
    stage.step(*(RunArrived(city.link, stage.opened(run)) for run in runs))
    return city


def _registered_key(stage: Stage) -> Played:
    city = stage.dial(CITY, b"x" * 32)
    city.hello()
    return city


def _too_many_cursors(stage: Stage) -> Played:
    city = stage.dial_in(CITY)
    city.say(cursors=Cursors(cursors=[Cursor()] * (limits.CURSORS_PER_FRAME_MAX + 1)))
    return city


def _frame_before_hello(stage: Stage) -> Played:
    city = stage.dial(CITY)
    city.say(want=Want(from_seq=1))
    return city


CLOSED: dict[str, tuple[Reason, Callable[[Stage], Played]]] = {
    "Hello twice": (Reason.MALFORMED, _hello_twice),
    "a frame before Hello": (Reason.MALFORMED, _frame_before_hello),
    "a boot id that returns after another was seen": (Reason.CLONE, _boot_returns),
    "an instance that returns after another was seen": (Reason.CLONE, _instance_returns),
    "a second live session of one node": (Reason.CLONE, _second_live),
    "a node that is suspended": (Reason.SUSPENDED, _suspended),
    "a node that is not enrolled here": (Reason.NOT_ENROLLED, _stranger),
    "a certificate of the right name and an unregistered key": (Reason.CERTIFICATE_NOT_REGISTERED, _registered_key),
    "a Hello that names another node than the certificate": (
        Reason.NOT_ENROLLED,
        lambda s: s.dial_in(CITY, node=OTHER_CITY),
    ),
    "a Hello of another federation": (
        Reason.FEDERATION_MISMATCH,
        lambda s: s.dial_in(CITY, federation="cn-trial"),
    ),
    "a Hello below the version floor": (Reason.VERSION_TOO_OLD, lambda s: s.dial_in(CITY, format=0)),
    "an instance of 15 bytes": (Reason.MALFORMED, lambda s: s.dial_in(CITY, instance=b"i" * 15)),
    "runs beyond the credit before any of them is answered": (Reason.NO_CREDIT, _beyond_credit),
    "more cursors in a frame than may be": (Reason.LIMIT_EXCEEDED, _too_many_cursors),
}


@pytest.mark.parametrize(("reason", "play"), [pytest.param(*v, id=k) for k, v in CLOSED.items()])
def test_a_session_is_closed_with_its_reason(reason: Reason, play: Callable[[Stage], Played]) -> None:
    """The peer is told before the link ends, and other neighbours keep theirs."""
    stage = Stage()
    parent = stage.dial_in(NATION)
    played = play(stage)
    assert played.ended() is reason
    if reason is not Reason.NO_CREDIT:
        assert played.said("notice")[-1].closing
    assert ("clone" in stage.alarmed()) is (reason is Reason.CLONE)
    assert parent.ended() is None


def test_a_clone_stays_out_until_a_person_clears_it() -> None:
    """A new boot id does not let it in again."""
    stage = Stage()
    assert _boot_returns(stage).closed is not None
    again = stage.dial_in(CITY, boot=sixteen("c"))
    assert again.ended() is Reason.CLONE


def test_a_run_before_hello_is_told_and_not_stored() -> None:
    """The session may still begin."""
    stage, forge = Stage(), Cases()
    city = stage.dial(CITY)
    city.run(forge.next_run())
    assert city.notices() == [Reason.MALFORMED]
    assert stage.head(CASE_FEED) == 0
    city.hello()
    city.end()
    assert city.ended() is None


def test_a_cursor_beyond_the_head_is_never_taken_for_caught_up() -> None:
    """The peer must prove it by seals; after ten seconds without, it is told, and the session ends."""
    stage = Stage(CITY)
    own = _own(stage)
    parent = stage.dial(PROVINCE)
    parent.hello()
    parent.end(cursor(own, 5, b"h" * 32))
    assert parent.said("want")[-1].from_seq == 1
    stage.wait(11)
    assert Reason.CURSOR_BEYOND_HEAD in parent.notices()
    assert "cursor_not_proved" in stage.alarmed()
    assert parent.closed is not None


def _level(stage: Stage) -> tuple[Forge, Played]:
    """A session with the parent in exchange, and an own feed of which nothing is held."""
    own, parent = _own(stage), stage.dial_in(PROVINCE)
    assert stage.core.links[parent.link].phase is Phase.EXCHANGE
    return own, parent


def test_a_cursor_beyond_the_head_after_compare_freezes_own_feeds_no_longer_than_in_it() -> None:
    """A peer that names it, proves nothing and only pings is told after ten seconds, and the session ends."""
    stage = Stage(CITY)
    own, parent = _level(stage)
    parent.say(cursors=Cursors(cursors=[cursor(own, 5, b"h" * 32)]))
    assert parent.said("want")[-1].from_seq == 1
    assert stage.core.pulling
    for _ in range(3):
        stage.wait(3)
        parent.say(ping=Ping(nonce=1))
        parent.say(cursors=Cursors(cursors=[cursor(own, 5, b"h" * 32)]))
        assert parent.closed is None
    stage.wait(2)
    assert Reason.CURSOR_BEYOND_HEAD in parent.notices()
    assert "cursor_not_proved" in stage.alarmed()
    assert parent.ended() is Reason.TIMEOUT
    assert not stage.core.pulling


def test_what_is_held_already_proves_no_cursor() -> None:
    """The first entries again and again are no progress."""
    stage = Stage(CITY)
    own, parent = _level(stage)
    first = own.run([own.records([])], answer=True)
    parent.say(cursors=Cursors(cursors=[cursor(own, 5, b"h" * 32)]))
    parent.run(first)
    for _ in range(4):
        stage.wait(3)
        parent.run(first)
    assert parent.ended() is Reason.TIMEOUT


def test_a_want_that_is_answered_slowly_is_waited_for() -> None:
    """One entry in nine seconds: each is progress, for what is answered after it too."""
    stage = Stage(CITY)
    own, parent = _level(stage)
    other = Forge(FeedName(stage.node, "case.parent"), key(stage.node))
    tail = [own.records([]) for _ in range(4)]
    named = [cursor(own), cursor(other, 1, header_hash((last := other.records([])).header))]
    parent.say(cursors=Cursors(cursors=named))
    for entry in tail:
        stage.wait(9)
        parent.run(own.run([entry], answer=True))
    stage.wait(9)
    parent.run(other.run([last], answer=True))
    stage.wait(11)
    assert parent.closed is None
    assert "cursor_not_proved" not in stage.alarmed()
    assert (stage.head(own.feed), stage.head(other.feed)) == (4, 1)
    assert not stage.core.recovering


def test_a_cursor_of_an_epoch_not_held_is_an_error_with_a_meaning() -> None:
    """EPOCH_UNKNOWN, and nothing is pushed."""
    stage, _, city, _ = begun()
    nation = stage.dial(NATION)
    nation.hello()
    addressed = Cases("case.nation", route=Route.NODE)
    addressed.feed = FeedName(CITY, "case.nation", NATION)
    addressed.head = Forge(addressed.feed, addressed.signer, epoch=addressed.epoch).head
    city.run(addressed.next_run(a_case(supervised=True)))
    nation.end(cursor(addressed, seq=1))
    foreign = cursor(addressed, seq=1)
    foreign.epoch = b"?" * 16
    nation.say(cursors=Cursors(cursors=[foreign]))
    assert nation.notices() == [Reason.EPOCH_UNKNOWN]


def test_a_want_beyond_the_head_is_answered_with_a_reason() -> None:
    """CURSOR_BEYOND_HEAD; nothing is sent."""
    _, forge, city, _ = begun()
    feed = WireFeed(origin=CITY, publication="case.parent")
    city.say(want=Want(feed=feed, epoch=forge.epoch, from_seq=3))
    assert city.notices() == [Reason.CURSOR_BEYOND_HEAD]
