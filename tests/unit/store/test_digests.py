"""Digests by plain SELECT are those that the core keeps: two implementations, one definition."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.digests import TableDigest, digest_table
from node.store.store import Store
from sync.effects import UpsertRows
from sync.rows import EMPTY_DIGEST, End, EndKind, digest_rows
from sync.values import FeedName, Row
from tests.unit.store.test_rows import ROWS
from tests.unit.store.world import FEED, FEW, INSTANCE, ORIGIN, OTHER_FEED, SCHEMA, Log, few, key, receive, row

STEPS = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 12), max_size=6, unique=True), st.booleans()), max_size=8
)


@settings(max_examples=60)
@given(steps=STEPS)
def test_select_agrees_with_what_the_core_kept(steps: list[tuple[bool, list[int], bool]]) -> None:
    """Whatever two feeds put and end, in whatever order: state, SELECT and images say the same of each feed."""
    store = Store.in_memory([SCHEMA], INSTANCE)
    logs = (Log(), Log(OTHER_FEED, FEW))
    states = {log.feed: None for log in logs}
    for group, (second, numbers, ends) in enumerate(steps, start=1):
        log = logs[second]
        rows = [row(n, name=f"v{group}") for n in numbers]
        puts = [] if ends else [few(r) if second else r for r in rows]
        log.entries.clear()
        log.changes.clear()
        log.add(group, puts, [End(key(r), EndKind.LEFT) for r in rows] if ends else [])
        states[log.feed] = receive(store, log, states[log.feed])  # type: ignore[assignment]
    for log in logs:
        state = states[log.feed]
        found = digest_table(store.session.connection, SCHEMA, ORIGIN, log.feed)
        assert found == (TableDigest(0, EMPTY_DIGEST) if state is None else (state.rows, state.digest))
    store.close()


@settings(max_examples=60)
@given(rows=st.lists(ROWS, max_size=12, unique_by=lambda r: r[:2]), version=st.integers(1, 2**62))
def test_every_kind_of_cell_counts_alike(rows: list[Row], version: int) -> None:
    """At the origin too, whole or cut down to a publication's columns and filter."""
    store = Store.in_memory([SCHEMA], INSTANCE)
    store.begin()
    store.perform(UpsertRows("demo", ORIGIN, None, SCHEMA.names, rows, version))
    store.commit()
    connection = store.session.connection
    whole = digest_table(connection, SCHEMA, ORIGIN, None)
    cut = digest_table(connection, SCHEMA, ORIGIN, None, FEW)
    part = digest_table(connection, SCHEMA, ORIGIN, None, (), '"part" > ? OR "part" < ?', (5, 0))
    store.close()
    assert whole == (len(rows), digest_rows((version, r) for r in rows))
    bare = [tuple(c if n in FEW else None for n, c in zip(SCHEMA.names, r, strict=True)) for r in rows]
    assert cut == (len(rows), digest_rows((version, r) for r in bare))
    chosen = [r for r in rows if not 0 <= r[1] <= 5]  # type: ignore[operator]
    assert part == (len(chosen), digest_rows((version, r) for r in chosen))


def test_an_unknown_feed_has_no_rows(store: Store) -> None:
    """Nothing held is the empty digest, for any feed and origin."""
    connection = store.session.connection
    nothing = TableDigest(0, EMPTY_DIGEST)
    assert digest_table(connection, SCHEMA, ORIGIN, FEED) == nothing
    assert digest_table(connection, SCHEMA, "x.cn", None) == nothing
    assert digest_table(connection, SCHEMA, ORIGIN, FeedName(ORIGIN, "none")) == nothing
