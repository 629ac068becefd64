"""Whatever a node was told, no frame that it sends is larger than a neighbour reads (docs/wire.md, "Services").

One that is ends the link, and the next one, for the same bytes wait there again.
"""

from __future__ import annotations

from typing import Any

import pytest

from sync import limits
from sync.reasons import Reason
from sync.refusals import in_payloads
from sync.rows import key_text
from sync.suites import HEADS
from sync.values import FeedName, Head, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import MoveBody, MovePayload, Refusal, RefusalsPayload
from sync.wire.v1.frame_pb2 import (
    Cursor,
    FeedHead,
    HeadsBody,
    HeadsStatement,
    Hello,
    ReceiptBody,
    ReceiptStatement,
    Run,
    Statements,
)
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from tests.unit.sync.stage import CASE_FEED, Cases, Played, Stage, a_case
from tests.vectors.world import CITY, FEDERATION, NATION, OTHER_CITY, PROVINCE, SUITE, Forge, key, sixteen

ALL_TOLD = FeedName(PROVINCE, "refusals", CITY)


def _padding(size: int) -> bytes:
    """A field that no version knows yet."""
    length = b"%c%c%c" % (size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14)
    return b"\xc2\x3e" + length + b"p" * size


def _told(city: Played) -> list[RefusalsPayload]:
    return [RefusalsPayload.FromString(entry.payload) for run in city.runs(ALL_TOLD) for entry in run.entries]


# --- refusals ---


def test_a_refused_move_with_huge_words_is_told_in_few() -> None:
    """Task, move and flow of a move that this node cannot read may be as long as an entry."""
    stage = Stage()
    city = stage.dial_in(CITY)
    forge = Forge(FeedName(CITY, "moves", PROVINCE), key(CITY), Route.NODE, Lane.URGENT)
    body = MoveBody(flow="f" * 300_000, task="t" * 300_000, move="m" * 300_000, move_id="i")
    payload = MovePayload(body=body).SerializeToString()
    moves = [forge.entry(payload, kind=Kind.MOVE, codec=2, rows=1) for _ in range(2)]
    city.run(forge.run(moves))
    stage.wait(1)
    told = [refusal for payload in _told(city) for refusal in payload.refusals]
    assert [(r.seq, len(r.key), len(r.dataset)) for r in told] == [(1, 200, 64), (2, 200, 64)]
    assert all(len(r.detail) <= limits.DETAIL_CHARACTERS_MAX for r in told)


def test_refusals_of_long_words_are_told_in_several_entries() -> None:
    """All of them, in order; none of these entries is larger than its bound."""
    long = {
        "key": "键" * 200,
        "dataset": "d" * 64,
        "detail": "字" * 300,
        "publication": "p" * 81,
        "addressee": "a" * 64,
    }
    refusals = [Refusal(seq=1 + n // 600, reason=n, **long) for n in range(1_200)]
    payloads = list(in_payloads(refusals))
    assert all(payload.ByteSize() <= limits.REFUSALS_BYTES_MAX for payload in payloads)
    assert [r.reason for payload in payloads for r in payload.refusals] == list(range(1_200))
    assert not any(payload.not_listed for payload in payloads)


def test_every_entry_of_a_run_has_its_refusals_told() -> None:
    """Of one entry 1,000 are listed and the others counted; that says nothing of the next entry."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    most = limits.REFUSALS_PER_ENTRY_MAX
    numbers = iter(range(1, 5_000))

    def refused(count: int) -> Any:
        return forge.put(*(a_case(next(numbers), division="440106") for _ in range(count)))

    city.run(forge.run([refused(700), refused(most + 3), refused(700)]))
    stage.wait(1)
    listed: dict[int, int] = {}
    for payload in _told(city):
        assert len(payload.refusals) <= most
        for refusal in payload.refusals:
            listed[refusal.seq] = listed.get(refusal.seq, 0) + 1
    assert listed == {1: 700, 2: most, 3: 700}
    assert sum(payload.not_listed for payload in _told(city)) == 3


def test_two_long_keys_that_begin_alike_are_told_apart() -> None:
    """A row that waits is overtaken by its own key alone."""
    texts = {key_text(["k" * 5_000 + end]) for end in "ab"}
    assert len(texts) == 2
    assert {len(text) for text in texts} == {limits.KEY_TEXT_CHARACTERS_MAX}


# --- statements ---


def _heads(counter: int, heads: list[FeedHead], *, whole: bool, padding: int = 0) -> Statements:
    def lp(*fields: bytes) -> bytes:
        return b"".join(len(f).to_bytes(4, "big") + f for f in fields)

    digest = SUITE.hash(
        HEADS
        + b"".join(
            lp(h.publication.encode(), h.addressee.encode(), int(h.route).to_bytes(4, "big"), h.epoch)
            + lp(h.seq.to_bytes(8, "big"), h.header_hash, h.row_digest)
            for h in heads
        )
    )
    body = HeadsBody(
        federation=FEDERATION, origin=CITY, boot=sixteen("boot"), counter=counter, digest=digest, enrolment=1
    ).SerializeToString() + (_padding(padding) if padding else b"")
    signature = key(CITY).sign(HEADS + SUITE.hash(body))
    return Statements(heads=[HeadsStatement(body=body, signature=signature, heads=heads if whole else [], whole=whole)])


def test_a_list_of_heads_that_does_not_fit_beside_its_body_is_refused() -> None:
    """They came in two frames, and would have to be relayed in one."""
    stage = Stage()
    nation, city = stage.dial_in(NATION), stage.dial_in(CITY)
    heads = [FeedHead(publication="case.nation", route=2, epoch=bytes(16), seq=1)]  # type: ignore[arg-type]
    heads += [FeedHead(publication=f"z{n:07}" + "z" * 400, route=2) for n in range(3_000)]  # type: ignore[arg-type]
    city.say(statements=_heads(1, heads, whole=True))
    assert len(nation.said("statements")) == 1
    city.say(statements=_heads(2, heads, whole=False, padding=1_000_000))
    assert stage.alarmed() == ["statement_refused"]
    assert len(nation.said("statements")) == 1


def test_a_receipt_as_large_as_a_frame_is_refused() -> None:
    """Its body is signed, and relayed as it is."""
    stage = Stage()
    stage.dial_in(NATION)
    city = stage.dial_in(CITY)
    size = limits.MESSAGE_BYTES_MAX - 512
    body = ReceiptBody(federation=FEDERATION, receiver=CITY, origin=NATION, counter=1, enrolment=1)
    data = body.SerializeToString() + _padding(size)
    city.say(statements=Statements(receipts=[ReceiptStatement(body=data, signature=b"s")]))
    assert stage.alarmed() == ["statement_refused"]


def test_own_heads_are_stated_as_far_as_a_receiver_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node may have more feeds than an origin has elsewhere."""
    monkeypatch.setattr(limits, "FEEDS_PER_ORIGIN_MAX", 3)
    stage = Stage()
    nation = stage.dial_in(NATION)
    link = stage.core.links[nation.link]
    for number in range(5):
        feed = FeedName(PROVINCE, f"x_f{number}.parent")
        state = stage.core.own_feed(feed, Route.PARENT, Lane.NORMAL)
        state.head = Head(state.head.epoch, 1, bytes(32))
        link.acked[feed] = (1, bytes(32))
    stage.wait(61)
    assert [len(s.heads[0].heads) for s in nation.said("statements") if s.heads and s.heads[0].whole] == [3]


def test_receipts_that_do_not_fit_one_frame_go_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, and none is forgotten."""
    monkeypatch.setattr(limits, "RECEIPTS_BYTES_ENOUGH", 1)
    stage = Stage(NATION)
    province = stage.dial_in(PROVINCE)
    origins = {PROVINCE, CITY, OTHER_CITY}
    stage.core.receipts_due.update(origins)
    stage.wait(61)
    frames = [s.receipts for s in province.said("statements") if s.receipts]
    assert [len(receipts) for receipts in frames] == [1, 1, 1]
    assert {ReceiptBody.FromString(receipts[0].body).origin for receipts in frames} == origins


# --- evidence ---


def test_evidence_of_very_large_headers_is_told_all_the_same() -> None:
    """Two branches of 256 headers of 4 KiB are no frame; a later entry, nearer to both seals, proves it too."""
    stage, other = Stage(), Stage(NATION)
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    ours, twin = Cases(), Cases()
    both = ours.next_run()
    twin.next_run()
    city.run(both)
    for forge, first in ((ours, 10), (twin, 1_000)):
        rows = range(first, first + limits.SEAL_EVERY_ENTRIES)
        entries = [forge.put(a_case(n), extra=_padding(3_888), sealed=n == rows[-1]) for n in rows]
        city.run(forge.run(entries))
    assert city.notices() == [Reason.FORK]
    assert stage.core.feeds[CASE_FEED].disputed_from == 2
    evidence = city.said("evidence")[0]
    assert nation.said("evidence") == []
    assert evidence.ByteSize() <= limits.EVIDENCE_BYTES_MAX
    other.dial_in(PROVINCE).say(evidence=evidence)
    assert CASE_FEED in other.core.evidence


# --- the registry ---


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"addressee": PROVINCE}, id="a registry that is addressed to a node"),
        pytest.param({"route": Route.PARENT}, id="a registry that goes to the parent alone"),
    ],
)
def test_a_registry_feed_that_is_not_for_everybody_is_no_feed(fields: dict[str, Any]) -> None:
    """Of each origin there is one: so many stand in a Hello."""
    stage = Stage()
    city = stage.dial_in(CITY)
    name = FeedName(CITY, "registry", fields.get("addressee", ""))
    forge = Forge(name, key(CITY), fields.get("route", Route.EVERYWHERE), Lane.URGENT)
    city.run(forge.run([forge.registry()]))
    assert city.notices() == [Reason.MALFORMED]
    assert stage.head(name) == 0


def test_a_hello_that_names_an_addressed_registry_ends_the_session() -> None:
    """So it is no goal either."""
    stage = Stage()
    feed = WireFeed(origin=NATION, publication="registry", addressee=PROVINCE)
    nation = stage.dial(NATION)
    nation.hello(registry=[Cursor(feed=feed, epoch=bytes(16), seq=5, header_hash=bytes(32))])
    assert nation.ended() is Reason.MALFORMED


def test_a_hello_lists_the_registries_nearest_to_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a frame of cursors holds; of the others the peer is sent what it holds already."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    for link, origin in ((city, CITY), (nation, NATION)):
        forge = Forge(FeedName(origin, "registry"), key(origin), Route.EVERYWHERE, Lane.URGENT)
        link.run(forge.run([forge.registry()]))
    monkeypatch.setattr(limits, "CURSORS_PER_FRAME_MAX", 2)
    other = stage.dial(OTHER_CITY)
    other.hello()
    assert _named(other.said("hello")[0]) == [NATION, PROVINCE]
    other.end()
    sent: list[Run] = other.runs(FeedName(CITY, "registry"))
    assert len(sent) == 1
    stage.cut(city)
    city = stage.dial(CITY)
    city.hello()
    assert _named(city.said("hello")[0]) == [CITY, NATION], "its own tells a node whether it came back wrong"


def _named(hello: Hello) -> list[str]:
    return [cursor.feed.origin for cursor in hello.registry]
