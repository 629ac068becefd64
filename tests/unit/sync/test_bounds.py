"""What a peer names is remembered within bounds, whatever it names (docs/wire.md, "Frames")."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync import limits
from sync.link import Link
from sync.reasons import Reason
from sync.suites import HEADS, RECEIPT
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import ROUTE_PARENT
from sync.wire.v1.frame_pb2 import (
    Ack,
    Cursor,
    Cursors,
    FeedHead,
    FeedReceipt,
    HeadsBody,
    HeadsStatement,
    ReceiptBody,
    ReceiptStatement,
    Statements,
)
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from tests.unit.sync.stage import Cases, Played, Stage
from tests.vectors.world import CITY, FEDERATION, OTHER_CITY, PROVINCE, SUITE, Forge, key, record, sixteen

NEW_CITY = "c330300.p330000.cn-demo"
MOST = 40
MANY = 100


@pytest.fixture(autouse=True)
def _low_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test reaches soon; what is shown does not depend on their size."""
    for name in ("FEEDS_PER_LINK_MAX", "FEEDS_PER_ORIGIN_MAX", "EARLY_STATEMENTS_MAX"):
        monkeypatch.setattr(limits, name, MOST)


def _receipt(origin: str, feeds: int = 0) -> Statements:
    said = [FeedReceipt(publication="case.parent")] * feeds
    body = ReceiptBody(federation=FEDERATION, receiver=CITY, origin=origin, counter=1, enrolment=1, feeds=said)
    data = body.SerializeToString()
    statement = ReceiptStatement(body=data, signature=key(CITY).sign(RECEIPT + SUITE.hash(data)))
    return Statements(receipts=[statement])


def _heads(counter: int, publications: list[str]) -> Statements:
    heads = [FeedHead(publication=p, route=ROUTE_PARENT, epoch=bytes(16), seq=1) for p in publications]
    parts = b"".join(
        len(f).to_bytes(4, "big") + f
        for h in heads
        for f in (h.publication.encode(), b"", b"\0\0\0\1", h.epoch, h.seq.to_bytes(8, "big"), b"", b"")
    )
    digest = SUITE.hash(HEADS + parts)
    body = HeadsBody(
        federation=FEDERATION, origin=CITY, boot=sixteen("b"), counter=counter, digest=digest, enrolment=1
    ).SerializeToString()
    signature = key(CITY).sign(HEADS + SUITE.hash(body))
    return Statements(heads=[HeadsStatement(body=body, signature=signature, heads=heads, whole=True)])


def _cursor(number: int, origin: str = PROVINCE) -> Cursor:
    feed = WireFeed(origin=origin, publication=f"x_f{number}.parent")
    return Cursor(feed=feed, epoch=bytes(16), seq=5, header_hash=bytes(32))


def _receipts(city: Played, number: int) -> None:
    city.say(statements=_receipt(f"c33{number:04}.p330000.cn-demo"))


def _other_heads(city: Played, number: int) -> None:
    city.say(statements=_heads(number + 1, [f"x_f{number}.parent"]))


def _acks(city: Played, number: int) -> None:
    city.say(ack=Ack(committed=[_cursor(number)]))


def _bad_runs(city: Played, number: int) -> None:
    forge = Forge(FeedName(OTHER_CITY, f"x_f{number}.parent"), key(OTHER_CITY))
    city.run(forge.run([forge.records([])]))


def _cursors(city: Played, number: int) -> None:
    city.say(cursors=Cursors(cursors=[_cursor(number)]))


Remembered = Callable[[Stage, Link], int]
Named = tuple[Callable[[Played, int], None], Remembered, int, bool]
NAMED: dict[str, Named] = {
    "receipts about origins that nobody enrolled: stored": (_receipts, lambda s, k: len(s.core.statements), 0, False),
    "receipts about origins that nobody enrolled: kept": (_receipts, lambda s, k: len(s.core.early), MOST, False),
    "heads of ever other feeds": (_other_heads, lambda s, k: len(s.core.withheld), 1, False),
    "acknowledgements of feeds that were never sent": (_acks, lambda s, k: len(k.acked), 0, False),
    "bad runs of ever other feeds": (_bad_runs, lambda s, k: len(k.inn), MOST, True),
    "cursors beyond the head of ever other feeds": (_cursors, lambda s, k: len(k.wants), MOST, False),
    "own feeds that a peer says it holds more of": (_cursors, lambda s, k: len(s.core.recovering), MOST, False),
}


@pytest.mark.parametrize(("name", "remembered", "most", "ends"), [pytest.param(*v, id=k) for k, v in NAMED.items()])
def test_what_a_peer_names_is_remembered_within_bounds(
    name: Callable[[Played, int], None], remembered: Remembered, most: int, ends: bool
) -> None:
    """A hundred of them: as many as the bound, or none; where more can only be a fault, the session ends."""
    stage = Stage()
    city = stage.dial_in(CITY)
    link = stage.core.links[city.link]
    before = remembered(stage, link)
    for number in range(MANY):
        if city.closed is None:
            name(city, number)
    assert remembered(stage, link) - before == most
    assert city.ended() is (Reason.LIMIT_EXCEEDED if ends else None)


def test_statements_about_strangers_are_bounded_by_their_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few large ones are kept; there is room again when the registry has grown and they were looked at."""
    stage = Stage()
    city = stage.dial_in(CITY)
    size = _receipt("c330000.p330000.cn-demo", 10).receipts[0].ByteSize()
    monkeypatch.setattr(limits, "EARLY_STATEMENTS_MAX", MANY)
    monkeypatch.setattr(limits, "EARLY_STATEMENTS_BYTES_MAX", 3 * size)
    for _ in range(2):
        for number in range(MANY):
            city.say(statements=_receipt(f"c33{number:04}.p330000.cn-demo", 10))
        assert len(stage.core.early) == 3
    stage.enrol(record("c330000.p330000.cn-demo", PROVINCE, "330100"))
    assert len(stage.core.early) == len(stage.core.early_sizes) == 2
    city.say(statements=_receipt("c339999.p330000.cn-demo", 10))
    assert len(stage.core.early) == 3


def test_pages_of_cursors_without_an_end_close_the_session() -> None:
    """They wait for the last page, so there is a bound on all of them together."""
    stage = Stage()
    city = stage.dial(CITY)
    city.hello()
    link = stage.core.links[city.link]
    for number in range(MANY):
        if city.closed is None:
            city.say(cursors=Cursors(cursors=[_cursor(number)]))
    assert city.ended() is Reason.LIMIT_EXCEEDED
    assert len(link.peer_cursors) <= MOST + 1


def test_a_receipt_waits_for_the_record_of_whom_it_is_about() -> None:
    """It may come before the registry has brought that node."""
    stage = Stage()
    city = stage.dial_in(CITY)
    city.say(statements=_receipt(NEW_CITY))
    assert ("receipt", CITY, NEW_CITY) not in stage.core.statements
    stage.enrol(record(NEW_CITY, PROVINCE, "330300"))
    assert ("receipt", CITY, NEW_CITY) in stage.core.statements


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(_receipt(PROVINCE, feeds=MANY), id="a receipt"),
        pytest.param(_heads(1, [f"x_f{n}" for n in range(MANY)]), id="a heads statement"),
    ],
)
def test_a_statement_of_more_feeds_than_an_origin_has_is_refused(statements: Statements) -> None:
    """Nothing of it is kept."""
    stage = Stage()
    city = stage.dial_in(CITY)
    kept = dict(stage.core.statements)
    city.say(statements=statements)
    assert "statement_refused" in stage.alarmed()
    assert stage.core.statements == kept


def test_a_run_of_a_feed_whose_name_is_none_is_not_remembered() -> None:
    """There is nothing to ask for again; the link goes on."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    odd = forge.next_run()
    odd.feed.publication = "x" * 100_000
    city.run(odd)
    assert city.notices() == [Reason.MALFORMED]
    assert not stage.core.links[city.link].inn
    assert city.ended() is None
