"""What a replica starts from: the same after a start, a roll-back and a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.faults import StoreFault
from node.store.store import Store
from sync.effects import (
    DropMoves,
    FateRow,
    FeedState,
    OutboxItem,
    Queue,
    SaveAnchor,
    SaveEvidence,
    SaveFates,
    SaveFeed,
    SaveHeard,
    SaveMeta,
    SaveMoves,
    SaveSeen,
    SaveStatement,
    UpsertRows,
)
from sync.limits import BOOT_IDS_KEPT_US
from sync.ports import Log, ParkedRef, Rebuilt
from sync.reasons import Reason
from sync.values import Fate, FeedName, Head, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import MoveBody, Refusal
from tests.unit.store.world import EPOCH, FEED, INSTANCE, ORIGIN, OTHER_FEED, SCHEMA, row, state_of

IDS = st.binary(min_size=16, max_size=16)
NODES = st.sampled_from(["a.cn", "b.a.cn", "c.a.cn"])
FEEDS = st.builds(FeedName, NODES, st.sampled_from(["demo", "moves", "registry"]), st.sampled_from(["", "a.cn"]))
COUNTS = st.integers(0, 2**62)
STATES = st.builds(
    FeedState,
    FEEDS,
    st.sampled_from(Route),
    st.sampled_from(Lane),
    st.builds(Head, IDS, COUNTS, st.binary(min_size=32, max_size=32)),
    COUNTS,
    st.integers(1, 2),
    st.booleans(),
    COUNTS,
    st.binary(min_size=32, max_size=32),
    *[COUNTS] * 4,
)
WRITES = st.one_of(
    st.builds(SaveFeed, STATES),
    st.builds(SaveAnchor, st.binary(min_size=1)),
    st.builds(SaveSeen, NODES, IDS, IDS, st.integers(1, 99), st.integers(1, BOOT_IDS_KEPT_US)),
    st.builds(
        SaveStatement, st.sampled_from(["heads", "receipt"]), NODES, NODES, st.binary(), st.binary(), st.binary()
    ),
    st.builds(SaveEvidence, FEEDS, st.binary()),
    st.builds(SaveMeta, st.sampled_from(["group", "counter", "outbox_id", "restored"]), st.integers(0, 2**62)),
    st.builds(SaveMeta, st.sampled_from(["compared", "suspended_clone"]), st.just("a.cn b.a.cn")),
    st.builds(SaveFates, FEEDS, IDS, st.just([FateRow(1, 0, "demo", "k", Fate.PARKED, Reason.UNKNOWN_CODE, "")])),
)


def perform(store: Store, *writes: Any) -> None:
    store.begin()
    for write in writes:
        store.perform(write)
    store.commit()


def model(writes: list[Any]) -> Rebuilt:
    """What load_state should say, by dictionaries."""
    feeds: dict[FeedName, FeedState] = {}
    order: dict[FeedName, None] = {}
    seen: dict[tuple[str, bytes, bytes], int] = {}
    statements: dict[tuple[str, str, str], tuple[bytes, bytes, bytes]] = {}
    evidence: dict[tuple[FeedName, bytes], None] = {}
    meta: dict[str, Any] = {}
    rebuilt = Rebuilt(INSTANCE)
    for write in writes:
        match write:
            case SaveFeed(state):
                order.setdefault(state.name)
                feeds[state.name] = state
            case SaveAnchor(anchor):
                rebuilt.anchor = anchor
            case SaveSeen(node, instance, boot, sight, _):
                seen[node, instance, boot] = sight
            case SaveStatement(sort, by, about, body, signature, detail):
                statements[sort, by, about] = (body, signature, detail)
            case SaveEvidence(feed, body):
                order.setdefault(feed)
                evidence.setdefault((feed, body))
            case SaveMeta(name, value):
                meta[name] = value
            case SaveFates(feed, _, _):
                order.setdefault(feed)
    rebuilt.feeds = [feeds[name] for name in order if name in feeds]
    rebuilt.seen = sorted((*names, sight) for names, sight in seen.items())
    rebuilt.statements = sorted((*names, *rest) for names, rest in statements.items())
    rebuilt.evidence = list(evidence)
    rebuilt.group, rebuilt.counter = meta.get("group", 0), meta.get("counter", 0)
    rebuilt.outbox_id, rebuilt.restored = meta.get("outbox_id", 0), meta.get("restored") == 1
    rebuilt.compared = frozenset(meta.get("compared", "").split())
    rebuilt.suspended_clone = frozenset(meta.get("suspended_clone", "").split())
    return rebuilt


def sorted_seen(rebuilt: Rebuilt) -> Rebuilt:
    sights = [sight for *_, sight in rebuilt.seen]
    assert sights == sorted(sights), "oldest first"
    rebuilt.seen = sorted(rebuilt.seen)
    return rebuilt


@settings(max_examples=60)
@given(first=st.lists(WRITES, max_size=8), lost=st.lists(WRITES, max_size=8), then=st.lists(WRITES, max_size=8))
def test_the_state_is_what_was_committed_and_nothing_else(first: list[Any], lost: list[Any], then: list[Any]) -> None:
    """A crash before the commit leaves the state before; what follows builds on that."""
    store = Store.in_memory([SCHEMA], INSTANCE)
    perform(store, *first)
    store.begin()
    for write in lost:
        store.perform(write)
    store.rollback()
    assert sorted_seen(store.load_state()) == model(first)
    perform(store, *then)
    assert sorted_seen(store.load_state()) == model([*first, *then])
    store.close()


def test_a_store_answers_the_core(store: Store) -> None:
    """Store is a sync.ports.Log, by type as well."""
    log: Log = store
    assert log.parked(None, 10) == []
    assert log.first_parked(FEED) == 0


def test_reopening_gives_the_same_state(path: Path) -> None:
    """What was committed to a file is there for the next process, and what was not is not."""
    store = Store.open(path, [SCHEMA])
    state = state_of(head=Head(EPOCH, 3, b"h" * 32))
    perform(
        store,
        SaveMeta("instance", INSTANCE),
        SaveFeed(state),
        SaveAnchor(b"anchor"),
        SaveSeen("a.cn", b"1" * 16, b"2" * 16, 1, 5),
        Queue(OutboxItem(4, OTHER_FEED, Route.NODE, Lane.URGENT, Kind.MOVE, 2, b"p", 1, 1, 1, 1)),
        UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, [row(1)], 1),
    )
    before = store.load_state()
    store.begin()
    store.perform(SaveMeta("group", 99))
    store.close()
    store = Store.open(path, [SCHEMA])
    after = store.load_state()
    store.close()
    assert after == before
    assert after.feeds == [state]
    assert after.outbox_feeds == {OTHER_FEED: 1}


def test_the_saved_state_is_a_copy(store: Store) -> None:
    """The core goes on changing its FeedState; what was performed stays as it was."""
    state = state_of()
    store.begin()
    store.perform(SaveFeed(state))
    state.rows = 77
    store.commit()
    assert store.load_state().feeds[0].rows == 0


def test_a_store_without_an_instance_is_no_node(path: Path) -> None:
    """Init gives the instance; without it there is nothing to start."""
    store = Store.open(path, [])
    with pytest.raises(StoreFault, match="instance"):
        store.load_state()
    store.close()


def test_writes_need_a_transaction(store: Store) -> None:
    """A write that would commit by itself is refused: order and group are the transaction's."""
    with pytest.raises(StoreFault, match="outside a transaction"):
        store.perform(SaveMeta("group", 1))
    assert store.meta("group") is None


def fate(seq: int, place: int, word: Fate) -> FateRow:
    return FateRow(seq, place, "demo", f"k{seq}.{place}", word, Reason.UNKNOWN_CODE, "code 7")


def test_parked_rows_are_listed_until_a_later_fate(store: Store) -> None:
    """In order of feed, seq and place; a later fate takes the earlier one's place."""
    parked, refused, applied = Fate.PARKED, Fate.REFUSED, Fate.APPLIED
    perform(
        store,
        SaveFates(FEED, EPOCH, [fate(9, 0, parked), fate(2, 5, parked), fate(2, 1, parked), fate(1, 0, refused)]),
        SaveFates(OTHER_FEED, EPOCH, [fate(1, -1, parked)]),
    )
    every = store.parked(None, 10)
    assert [(p.feed, p.seq, p.place) for p in every] == [
        (FEED, 2, 1), (FEED, 2, 5), (FEED, 9, 0), (OTHER_FEED, 1, -1),
    ]  # fmt: skip
    assert every[0] == ParkedRef(FEED, EPOCH, 2, 1, "demo", "k2.1", Reason.UNKNOWN_CODE)
    assert store.parked(None, 2) == every[:2]
    assert store.parked(OTHER_FEED, 10) == every[3:]
    assert store.parked(FeedName("x.cn", "none"), 10) == []
    assert [store.first_parked(f) for f in (FEED, OTHER_FEED, FeedName("x.cn", "none"))] == [2, 1, 0]
    perform(store, SaveFates(FEED, EPOCH, [fate(2, 1, applied), fate(2, 5, Fate.SUPERSEDED)]))
    assert store.first_parked(FEED) == 9
    assert store.parked(FEED, 10) == every[2:3]


def test_parked_rows_are_found_by_place_and_by_key(store: Store) -> None:
    """Of one epoch: behind a place so many, or those that are among some keys of some datasets."""
    parked = [fate(seq, place, Fate.PARKED) for seq in (1, 2, 3) for place in range(-1, 60)]
    perform(
        store,
        SaveFates(FEED, EPOCH, [*parked, fate(2, 60, Fate.REFUSED), fate(4, 0, Fate.APPLIED)]),
        SaveFates(FEED, b"f" * 16, [fate(9, 0, Fate.PARKED)]),
        SaveFates(OTHER_FEED, EPOCH, [fate(1, 0, Fate.PARKED)]),
    )
    every = store.parked_after(FEED, EPOCH, (0, -2), 1000)
    assert [(p.seq, p.place) for p in every] == [(f.seq, f.place) for f in parked]
    assert store.parked_after(FEED, EPOCH, (1, 58), 3) == every[60:63]
    assert store.parked_after(FEED, EPOCH, (3, 59), 3) == []
    keys = [("demo", f.key) for f in parked] + [("demo", "k2.60"), ("demo", "k9.0"), ("other", "k1.0"), ("", "")]
    assert sorted(store.parked_among(FEED, EPOCH, keys)) == every
    assert store.parked_among(FEED, EPOCH, {("demo", "k2.5"), ("demo", "k7.7")}) == [every[61 + 6]]
    assert store.parked_among(FEED, EPOCH, []) == []
    nowhere = FeedName("x.cn", "none")
    assert store.parked_after(nowhere, EPOCH, (0, -2), 9) == store.parked_among(nowhere, EPOCH, keys) == []


def test_first_parked_is_of_the_newest_epoch(store: Store) -> None:
    """A receipt speaks of the current epoch; what waits in an older one is listed all the same."""
    perform(store, SaveFates(FEED, EPOCH, [fate(3, 0, Fate.PARKED)]), SaveFates(FEED, b"f" * 16, []))
    assert store.first_parked(FEED) == 0
    assert [p.epoch for p in store.parked(FEED, 5)] == [EPOCH]
    assert store.epochs(FEED) == []


def test_a_node_says_one_thing_of_a_row(store: Store) -> None:
    """A later word on the same row replaces the earlier one; bytes are kept as they came."""
    said = Refusal(publication="demo", epoch=EPOCH, seq=3, dataset="demo", key="k", fate=3, reason=308)  # type: ignore[arg-type]
    later = Refusal(publication="demo", epoch=EPOCH, seq=3, dataset="demo", key="k", fate=1)  # type: ignore[arg-type]
    perform(store, SaveHeard("p.cn", [said.SerializeToString()]), SaveHeard("n.cn", [said.SerializeToString()]))
    perform(store, SaveHeard("p.cn", [later.SerializeToString()]))
    found = store.session.rows("SELECT by_node, body FROM heard ORDER BY by_node")
    assert found == [("n.cn", said.SerializeToString()), ("p.cn", later.SerializeToString())]


def move(move_id: str, number: int = 0, **more: object) -> MoveBody:
    return MoveBody(task="t1", move_id=move_id, number=number, **more)  # type: ignore[arg-type]


def test_a_task_has_numbered_pending_and_refused_moves(store: Store) -> None:
    """A number or a verdict ends the pending; what was refused is kept as refused."""
    perform(store, SaveMoves("t1", [move("a"), move("b"), move("c")]), SaveMoves("t2", [move("x", 1)]))
    assert [m.move_id for m in store.pending_moves("t1")] == ["a", "b", "c"]
    perform(store, SaveMoves("t1", [move("b", 2), move("z", 1), move("c", verdict=True, reason=404)]))
    assert [(m.move_id, m.number) for m in store.moves("t1")] == [("z", 1), ("b", 2)]
    assert [m.move_id for m in store.pending_moves("t1")] == ["a"]
    assert [m.move_id for m in store.pending_moves("t1", refused=True)] == ["c"]
    assert store.moves("none") == []
    perform(store, DropMoves("t1", 2), SaveMoves("t1", [move("b", verdict=True, reason=404)]))
    assert [m.move_id for m in store.moves("t1")] == ["z"]
    assert [m.move_id for m in store.pending_moves("t1", refused=True)] == ["c", "b"]


def test_absurd_numbers_of_a_peer_do_not_stop_the_store(store: Store) -> None:
    """A uint64 that SQLite cannot hold is kept in the body and does no harm."""
    said = Refusal(publication="demo", seq=2**64 - 1).SerializeToString()
    perform(store, SaveHeard("p.cn", [said]), SaveMoves("t1", [move("a", 2**64 - 1), move("b", 1)]))
    assert store.session.first("SELECT body FROM heard") == (said,)
    assert [m.number for m in store.moves("t1")] == [1, 2**64 - 1]


def test_boots_are_kept_ninety_days_and_instances_for_good(store: Store) -> None:
    """An old boot is forgotten when a newer one is seen, but never the last trace of an instance."""
    old, new = b"o" * 16, b"n" * 16
    perform(
        store,
        SaveSeen("a.cn", old, b"1" * 16, 1, 10),
        SaveSeen("a.cn", old, b"2" * 16, 2, 20),
        SaveSeen("b.cn", old, b"1" * 16, 3, 10),
        SaveSeen("a.cn", new, b"3" * 16, 4, BOOT_IDS_KEPT_US + 100),
    )
    assert store.load_state().seen == [
        ("a.cn", old, b"2" * 16, 2),
        ("b.cn", old, b"1" * 16, 3),
        ("a.cn", new, b"3" * 16, 4),
    ]
