"""The log: entries come back as they went in, in runs that end at a seal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.faults import StoreFault
from node.store.store import Store
from sync import limits
from sync.effects import Append, ClearOutbox, LogEntry, OutboxItem, Queue, Unqueue
from sync.values import FeedName, Head, Kind, Lane, Route
from tests.unit.store.world import EPOCH, FEED, INSTANCE, OTHER_FEED, SCHEMA

LATER = b"f" * 16


def entry(seq: int, payload: bytes = b"p", sealed: bool = True, plain: int = 1, rows: int = 1) -> LogEntry:
    digest = payload[:1] * 16 + len(payload).to_bytes(16, "big")
    seal = b"seal%d" % seq if sealed else b""
    return LogEntry(seq, b"header%d" % seq, b"hash%d" % seq, payload, digest, seal, plain, rows)


def append(store: Store, entries: list[LogEntry], feed: FeedName = FEED, epoch: bytes = EPOCH) -> None:
    store.begin()
    store.perform(Append(feed, epoch, entries, [0] * len(entries)))
    store.commit()


def size(one: LogEntry) -> int:
    return len(one.header) + len(one.payload) + len(one.seal)


@settings(max_examples=80)
@given(
    shapes=st.lists(st.tuples(st.sampled_from([1, 50, 1023, 1024, 3000]), st.booleans()), max_size=20),
    from_seq=st.integers(0, 22),
    bytes_max=st.integers(0, 8000),
    entries_max=st.integers(0, 12),
)
def test_a_run_ends_at_a_seal_and_is_as_long_as_fits(
    shapes: list[tuple[int, bool]], from_seq: int, bytes_max: int, entries_max: int
) -> None:
    """At least up to the first seal, and no further sealed entry that would have fitted is left out."""
    written = [entry(i, bytes([i]) * n, sealed) for i, (n, sealed) in enumerate(shapes, start=1)]
    store = Store.in_memory([SCHEMA], INSTANCE)
    append(store, written)
    found = store.entries(FEED, EPOCH, from_seq, bytes_max, entries_max)
    store.close()
    rest = written[max(from_seq, 1) - 1 :]
    ends = [i for i, e in enumerate(rest, start=1) if e.seal]
    fitting = [n for n in ends if n <= entries_max and sum(map(size, rest[:n])) <= bytes_max]
    expected = max(fitting, default=ends[0] if ends else 0)
    assert found == rest[:expected]


@pytest.mark.parametrize(("name", "bound"), [("plain", limits.RUN_PLAIN_BYTES_MAX), ("rows", limits.RUN_ROWS_MAX)])
def test_a_run_is_bounded_by_what_it_inflates_to(store: Store, name: str, bound: int) -> None:
    """In plain bytes and in rows, as its receiver asks; one stretch is given however much it is."""
    measures = [bound // 2, bound - bound // 2, 1, bound, bound + 1]
    append(store, [entry(seq, sealed=seq != 1, **{name: n}) for seq, n in enumerate(measures, start=1)])
    runs, seq = [], 1
    while found := store.entries(FEED, EPOCH, seq, 1 << 30, 100):
        runs.append([e.seq for e in found])
        seq = found[-1].seq + 1
    assert runs == [[1, 2], [3], [4], [5]]


def test_entries_come_back_one_by_one(store: Store) -> None:
    """Small and large payloads alike; None for what is not held."""
    written = [entry(1, b"a"), entry(2, b"b" * 5000, sealed=False), entry(3, b"")]
    append(store, written)
    assert [store.entry(FEED, EPOCH, seq) for seq in (0, 1, 2, 3, 4, 1 << 40, -1)] == [None, *written, None, None, None]
    assert store.entry(FEED, LATER, 1) is None
    assert store.entry(OTHER_FEED, EPOCH, 1) is None
    assert store.entries(OTHER_FEED, EPOCH, 1, 100, 100) == []


def test_a_large_payload_in_two_feeds_is_stored_once(store: Store) -> None:
    """The same rows in two feeds cost two headers."""
    append(store, [entry(1, b"x" * 2000)])
    append(store, [entry(1, b"x" * 2000)], OTHER_FEED)
    append(store, [entry(1, b"y" * 1000)], OTHER_FEED, LATER)
    assert store.session.first("SELECT count(*), sum(length(bytes)) FROM payload") == (1, 2000)
    assert store.entry(OTHER_FEED, EPOCH, 1) == store.entry(FEED, EPOCH, 1)


@pytest.mark.parametrize("seq", [1, 2, 4])
def test_a_feed_has_no_gaps(store: Store, seq: int) -> None:
    """Only the next seq is taken, whatever the caller believes."""
    append(store, [entry(1), entry(2)])
    store.begin()
    with pytest.raises(StoreFault, match="3 was due"):
        store.perform(Append(FEED, EPOCH, [entry(seq)], [0]))
    store.rollback()


def test_after_a_roll_back_the_same_seq_is_taken_again(store: Store) -> None:
    """What a failed transaction remembered of the head is forgotten with it."""
    append(store, [entry(1)])
    store.begin()
    store.perform(Append(FEED, EPOCH, [entry(2)], [0]))
    store.perform(Append(OTHER_FEED, LATER, [entry(1)], [0]))
    store.rollback()
    assert store.epochs(OTHER_FEED) == []
    append(store, [entry(2, b"other")])
    assert store.epochs(FEED) == [Head(EPOCH, 2, b"hash2")]


def test_epochs_stand_in_the_order_in_which_they_came(store: Store) -> None:
    """Each with its last head."""
    append(store, [entry(1), entry(2)])
    append(store, [entry(1)], epoch=LATER)
    append(store, [entry(1)], OTHER_FEED)
    assert store.epochs(FEED) == [Head(EPOCH, 2, b"hash2"), Head(LATER, 1, b"hash1")]
    assert store.epochs(FeedName("x.cn", "none")) == []


def test_headers_go_up_to_the_first_seal(store: Store) -> None:
    """Evidence needs headers, not payloads."""
    append(store, [entry(1), entry(2, sealed=False), entry(3, b"z" * 3000, sealed=False), entry(4), entry(5)])
    found = store.headers(FEED, EPOCH, 2, 100)
    assert [(e.seq, e.payload, e.seal) for e in found] == [(2, b"", b""), (3, b"", b""), (4, b"", b"seal4")]
    assert found[1].payload_digest == entry(3, b"z" * 3000).payload_digest
    assert [e.seq for e in store.headers(FEED, EPOCH, 2, 2)] == [2, 3]
    assert store.headers(OTHER_FEED, EPOCH, 1, 5) == []


def item(number: int, feed: FeedName = FEED, payload: bytes = b"p" * 10, kind: Kind = Kind.RECORDS) -> OutboxItem:
    return OutboxItem(number, feed, Route.NODE, Lane.URGENT, kind, 2, payload, 11, 3, 4, 1 << 33)


def test_the_outbox_gives_the_oldest_first_and_at_least_one(store: Store) -> None:
    """Bounds hold from the second item on; what is sealed leaves; counts are per feed."""
    items = [item(5), item(7, OTHER_FEED), item(8), item(9, payload=b"q" * 3000)]
    store.begin()
    for one in reversed(items):
        store.perform(Queue(one))
    store.commit()
    mine = [items[0], items[2], items[3]]
    assert store.outbox(FEED, 1 << 62, 1 << 30) == mine
    assert store.outbox(FEED, 0, 5) == mine[:1]
    assert store.outbox(FEED, 20, 5) == mine[:2]
    assert store.outbox(FEED, 1000, 1) == mine[:1]
    assert store.outbox(FeedName("x.cn", "none"), 10, 10) == []
    assert store.load_state().outbox_feeds == {FEED: 3, OTHER_FEED: 1}
    assert store.load_state().outbox_id == 9
    store.begin()
    store.perform(Unqueue(FEED, 8))
    store.commit()
    assert store.load_state().outbox_feeds == {FEED: 1, OTHER_FEED: 1}


def test_clearing_the_outbox_keeps_what_is_no_record_change(store: Store) -> None:
    """Moves and refusals are taken by their ids after a recovery; record changes are made anew."""
    store.begin()
    for one in (item(1), item(2, kind=Kind.MOVE), item(3, OTHER_FEED), item(4, kind=Kind.REFUSALS)):
        store.perform(Queue(one))
    store.perform(ClearOutbox())
    store.commit()
    assert [one.id for one in store.outbox(FEED, 1000, 10)] == [2, 4]
    assert store.outbox(OTHER_FEED, 1000, 10) == []
