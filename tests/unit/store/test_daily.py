"""Counts per day: the same at everybody who holds the entries, and refused and parked rows under their entry's day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.store.daily import AtDoor, Daily, EntriesOfDay
from node.store.driver import unfence
from node.store.migrations import NAMES
from node.store.names import Names
from node.store.store import Store
from sync.days import DAY_MS, OFFSET_MS
from sync.effects import Append, FateRow, LogEntry, SaveFates, SaveHeard
from sync.reasons import Reason
from sync.values import Fate
from sync.wire.v1.entry_pb2 import EntryHeader, Refusal
from tests.unit.store.world import EPOCH, FEED, NODE, SCHEMA

DAY = 20_000
MIDNIGHT = (DAY * DAY_MS - OFFSET_MS) << 16
"""When day 20,000 begins in Beijing."""
HOUR = 3_600_000 << 16


def entries(times: Sequence[int], rows: Sequence[int], first: int = 1) -> list[LogEntry]:
    """Entries that say these times in their headers."""
    return [
        LogEntry(seq, EntryHeader(hlc=time).SerializeToString(), b"h", b"", b"d", b"s", 0, count)
        for seq, (time, count) in enumerate(zip(times, rows, strict=True), start=first)
    ]


def daily(store: Store) -> Daily:
    return Daily(store.session, Names(store.session))


def append(store: Store, times: Sequence[int], rows: Sequence[int], first: int = 1) -> None:
    store.begin()
    store.perform(Append(FEED, EPOCH, entries(times, rows, first), times))
    store.commit()


def counted(store: Store, days: Sequence[int]) -> list[EntriesOfDay | None]:
    return [daily(store).entries(FEED, EPOCH, day) for day in days]


def test_the_last_moment_of_a_day_and_the_first_of_the_next_are_told_apart(store: Store) -> None:
    """Midnight in Beijing divides the days, whatever the clock of whoever counts says."""
    append(store, [MIDNIGHT - (1 << 16), MIDNIGHT, MIDNIGHT + HOUR], [1, 2, 4])
    yesterday, today = counted(store, [DAY - 1, DAY])
    assert yesterday is not None
    assert today is not None
    assert (yesterday.first, yesterday.last, yesterday.entries, yesterday.rows) == (1, 1, 1, 1)
    assert (today.first, today.last, today.entries, today.rows) == (2, 3, 2, 6)


TIMES = st.lists(
    st.tuples(st.integers(MIDNIGHT - 30 * HOUR, MIDNIGHT + 30 * HOUR), st.integers(0, 50)), min_size=1, max_size=12
)


@given(TIMES, st.data())
def test_both_ends_count_the_same_however_the_runs_were_cut(said: list[tuple[int, int]], data: st.DataObject) -> None:
    """Also where the origin's clock went back between two entries."""
    times, rows = [time for time, _ in said], [count for _, count in said]
    days = range(DAY - 2, DAY + 3)
    one, other = Store.in_memory([SCHEMA]), Store.in_memory([SCHEMA])
    append(one, times, rows)
    at = 0
    while at < len(times):
        size = data.draw(st.integers(1, len(times) - at))
        append(other, times[at : at + size], rows[at : at + size], at + 1)
        at += size
    assert counted(one, days) == counted(other, days)
    assert sum(of.rows for of in counted(one, days) if of) == sum(rows)
    one.close()
    other.close()


def test_what_is_rolled_back_was_not_counted(store: Store) -> None:
    """Neither entries nor rows at the door."""
    store.begin()
    store.perform(Append(FEED, EPOCH, entries([MIDNIGHT], [1]), [MIDNIGHT]))
    store.daybook.door("demo", 0, taken=3)
    store.rollback()
    append(store, [MIDNIGHT], [5])
    assert daily(store).door(0) == {}
    assert counted(store, [DAY])[0] == EntriesOfDay(DAY, 1, 1, 1, 5, (MIDNIGHT >> 16) * 1000)


def test_rows_at_the_door_add_up_over_transactions(store: Store) -> None:
    """Per dataset and day."""
    for taken, at in ((3, 5), (4, 9)):
        store.begin()
        store.daybook.door("demo", at, taken=taken, unchanged=1, rejected=2)
        store.commit()
    assert daily(store).door(0) == {"demo": AtDoor("demo", 0, 7, 2, 4, 9)}
    assert daily(store).newest_at_door() == {"demo": 9}


def fate(seq: int, place: int, what: Fate) -> FateRow:
    return FateRow(seq, place, "demo", f"[{place}]", what, Reason.OUT_OF_SCOPE, "")


def told(seq: int, key: str, what: Fate, reason: Reason = Reason.OUT_OF_SCOPE) -> bytes:
    return Refusal(
        publication=FEED.publication,
        addressee=FEED.addressee,
        epoch=EPOCH,
        seq=seq,
        dataset="demo",
        key=key,
        fate=int(what),  # type: ignore[arg-type]
        reason=int(reason),
    ).SerializeToString()


@pytest.mark.parametrize(
    "times", [[MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 2], [MIDNIGHT, MIDNIGHT - HOUR, MIDNIGHT + 2]], ids=["plain", "back"]
)
def test_fates_count_under_the_day_of_their_entry(store: Store, times: list[int]) -> None:
    """As this node keeps them and as another tells them; an entry that nobody could read counts with all its rows."""
    append(store, times, [10, 10, 10])
    store.begin()
    store.perform(
        SaveFates(
            FEED,
            EPOCH,
            [fate(1, 0, Fate.REFUSED), fate(1, 1, Fate.APPLIED), fate(2, 0, Fate.REFUSED), fate(3, -1, Fate.PARKED)],
        )
    )
    said = [told(1, "[0]", Fate.REFUSED), told(1, "[1]", Fate.APPLIED), told(2, "[0]", Fate.REFUSED)]
    store.perform(SaveHeard(NODE, [*said, told(3, "", Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION)]))
    store.commit()
    of = counted(store, [DAY])[0]
    assert of is not None
    refused = 2 if times[1] > MIDNIGHT else 1
    expected = Counter({Fate.REFUSED: refused, Fate.PARKED: 10})
    assert daily(store).fates(FEED, EPOCH, of) == expected
    assert daily(store).told(NODE, FEED, EPOCH, of) == expected


def test_a_part_of_a_day_is_counted_up_to_a_position(store: Store) -> None:
    """What a neighbour has received of a day that it has not all of."""
    append(store, [MIDNIGHT - HOUR, MIDNIGHT, MIDNIGHT + 1], [1, 2, 4])
    of = counted(store, [DAY])[0]
    assert of is not None
    assert [daily(store).rows_up_to(FEED, EPOCH, of, seq) for seq in (0, 1, 2, 3, 9)] == [0, 0, 2, 6, 6]


def test_an_older_store_gets_its_counts_from_its_log(store: Store) -> None:
    """The migration counts what was there before it."""
    append(store, [MIDNIGHT, MIDNIGHT + HOUR], [3, 4])
    before = counted(store, [DAY])
    unfence(store.session.connection)
    run = store.session.connection.execute
    for table in ("feed_day", "door_day", "receipt_mark"):
        run(f"DROP TABLE {table}")
    for index in ("load_reject_key", "load_reject_source"):
        run(f"DROP INDEX {index}")
    for column in ("key", "source"):
        run(f"ALTER TABLE load_reject DROP COLUMN {column}")
    counts = next(name for name in NAMES if name.endswith("counts_and_marks"))
    run("DELETE FROM _sqlite_migrations WHERE name = ?", (counts,))
    store.add_schemas([SCHEMA])
    assert counted(store, [DAY]) == before
