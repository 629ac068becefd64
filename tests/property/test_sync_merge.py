"""Merging: whatever the order between feeds, the rows and digests of a node are those of a plain replay."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.digests import digest_table
from node.store.store import Store
from sync.effects import Append, FeedState, SaveFeed
from sync.merge import Change, keys_of, merge
from sync.rows import EMPTY_DIGEST, End, EndKind, digest_rows, shift_digest
from sync.schema import CellType, Column, RowSchema
from sync.values import FeedName, Head, Key, Lane, Route

SCHEMA = RowSchema(
    "thing",
    1,
    (
        Column("k", CellType.TEXT, nullable=False, length=8),
        Column("a", CellType.INTEGER),
        Column("b", CellType.BOOLEAN),
        Column("c", CellType.TEXT, length=8),
    ),
    ("k",),
)
ORIGIN = "c330100.p330000.cn-demo"
COLUMNS: dict[FeedName, tuple[tuple[str, ...], ...]] = {
    FeedName(ORIGIN, "thing.one"): (("k", "a", "b"), ("k", "a")),
    FeedName(ORIGIN, "thing.two"): (("c", "k", "b"),),
    FeedName(ORIGIN, "thing.two", "n100000.cn-demo"): (("k", "a", "b", "c"),),
}
"""Column lists of each feed; the first feed's publication may change its list from entry to entry."""

History = dict[FeedName, list[Change]]
Images = dict[Key, dict[FeedName, tuple[int, dict[str, Any]]]]


class Played(NamedTuple):
    """What a history and an order of it led to."""

    rows: dict[Key, tuple[Any, ...]]
    digests: dict[FeedName, tuple[int, bytes]]
    recomputed: dict[FeedName, tuple[int, bytes]]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Transactions of one origin with rising versions: a feed gets of a row its image, its end or nothing."""
    history: History = {feed: [] for feed in COLUMNS}
    version = 0
    for _ in range(draw(st.integers(1, 8))):
        version += draw(st.integers(1, 3))
        touched: dict[str, dict[str, Any]] = {}
        for key in draw(st.sets(st.sampled_from("xyz"), min_size=1)):
            a, b = draw(st.one_of(st.none(), st.integers(0, 3))), draw(st.one_of(st.none(), st.booleans()))
            touched[key] = {"k": key, "a": a, "b": b, "c": draw(st.sampled_from([None, "p", "q"]))}
        for feed, lists in COLUMNS.items():
            columns = draw(st.sampled_from(lists))
            puts, ends = [], []
            for key, row in sorted(touched.items()):
                fate = draw(st.sampled_from(["put", "put", "end", "nothing"]))
                if fate == "put":
                    puts.append(tuple(row[c] for c in columns))
                elif fate == "end":
                    ends.append(End((key,), EndKind.LEFT))
            if puts or ends:
                history[feed].append(Change(version, columns, puts, ends))
    return history


@st.composite
def orders(draw: st.DrawFn, history: History) -> list[tuple[FeedName, int]]:
    """In which order the feeds arrive, and how many entries at a time."""
    left = {feed: len(changes) for feed, changes in history.items() if changes}
    order = []
    while left:
        feed = draw(st.sampled_from(sorted(left)))
        count = draw(st.integers(1, left[feed]))
        order.append((feed, count))
        left[feed] -= count
        if not left[feed]:
            del left[feed]
    return order


def _replay(history: History) -> Images:
    """The plain way: per feed, in order, the last image of each row."""
    images: Images = {}
    for feed, changes in history.items():
        for change in changes:
            for put in change.puts:
                cells = dict(zip(change.columns, put, strict=True))
                images.setdefault((cells["k"],), {})[feed] = (change.version, cells)
            for end in change.ends:
                images.get(end.key, {}).pop(feed, None)
    return {key: said for key, said in images.items() if said}


def _combined(said: dict[FeedName, tuple[int, dict[str, Any]]]) -> tuple[Any, ...]:
    """Per column, the value of the highest version that carries it."""
    row = []
    for name in SCHEMA.names:
        carrying = [(version, feed, cells[name]) for feed, (version, cells) in said.items() if name in cells]
        row.append(max(carrying, key=lambda c: c[:2])[2] if carrying else None)
    return tuple(row)


def _play(history: History, order: list[tuple[FeedName, int]]) -> Played:
    """The real way: merge and a store, run by run."""
    store = Store.in_memory([SCHEMA], instance=bytes(16))
    digests = dict.fromkeys(COLUMNS, (0, EMPTY_DIGEST))
    position = dict.fromkeys(COLUMNS, 0)
    store.begin()
    for feed in COLUMNS:
        head = Head(bytes(16), 0, bytes(32))
        store.perform(SaveFeed(FeedState(feed, Route.PARENT, Lane.NORMAL, head)))
        store.perform(Append(feed, bytes(16), [], []))
    for feed, entries in order:
        changes = history[feed][position[feed] : position[feed] + entries]
        position[feed] += entries
        keys = keys_of(SCHEMA, changes)
        merged = merge(SCHEMA, feed, changes, keys, store.held("thing", ORIGIN, keys))
        for write in merged.writes:
            store.perform(write)
        count, digest = digests[feed]
        digests[feed] = count + merged.rows, shift_digest(digest, merged.added, merged.removed)
    store.commit()
    rows = {key: cells for key, _, cells in store.scan("thing", ORIGIN)}
    connection = store.session.connection
    tables = {feed: digest_table(connection, SCHEMA, ORIGIN, feed) for feed in COLUMNS}
    store.close()
    return Played(rows, digests, {feed: (t.rows, t.digest) for feed, t in tables.items()})


@settings(max_examples=120)
@given(st.data())
def test_any_order_between_feeds_gives_the_rows_of_a_plain_replay(data: st.DataObject) -> None:
    """Other columns per feed, removals, versions, runs of any length: rows, number and digest of each feed agree."""
    history = data.draw(histories())
    images = _replay(history)
    expected = {key: _combined(said) for key, said in images.items()}
    for _ in range(2):
        played = _play(history, data.draw(orders(history)))
        assert played.rows == expected
        assert played.digests == played.recomputed
        for feed in COLUMNS:
            live = [
                (said[feed][0], tuple(said[feed][1].get(n) for n in SCHEMA.names))
                for said in images.values()
                if feed in said
            ]
            assert played.digests[feed] == (len(live), digest_rows(live))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 99), st.integers(0, 9)), unique_by=lambda r: r[0]))
def test_a_digest_does_not_depend_on_order_and_can_be_taken_back(rows: list[tuple[int, int, int]]) -> None:
    """What was added can be subtracted, down to nothing."""
    made = [(version, (key, cell)) for key, version, cell in rows]
    digest = digest_rows(made)
    assert digest == digest_rows(made[::-1])
    for row in made:
        digest = shift_digest(digest, 0, int.from_bytes(digest_rows([row]), "big"))
    assert digest == EMPTY_DIGEST
