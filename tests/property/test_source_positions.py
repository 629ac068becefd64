"""A table whose update times lie is read wholly, as long as no row becomes visible later than the overlap says."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from node.sources.database.position import MARKED, Position, as_text, begun, ended, of_text, passed

ZONE = dt.timezone(dt.timedelta(hours=8))
START = dt.datetime(2026, 3, 1, tzinfo=ZONE)
OVERLAP_S = 8


@dataclass(frozen=True)
class Written:
    """A row: stamped `late` seconds before it becomes visible at `seen_at`."""

    key: int
    seen_at: int
    late: int

    @property
    def mark(self) -> dt.datetime:
        return _naive(self.seen_at - self.late)


def _naive(second: int) -> dt.datetime:
    return (START + dt.timedelta(seconds=second)).replace(tzinfo=None)


def page(rows: list[Written], position: Position, now: int, limit: int) -> list[Written]:
    """What the SQL of node/sources/database/table.py gives."""
    seen = [row for row in rows if row.seen_at <= now]
    if position.after is not None:
        seen = [row for row in seen if (row.mark, row.key) > position.after]
    elif position.low is not None:
        assert isinstance(position.low, dt.datetime)
        seen = [row for row in seen if row.mark >= position.low]
    return sorted(seen, key=lambda row: (row.mark, row.key))[:limit]


# Close together: rows that come late, readings that see some of them and readings that break off must meet each other.
MOMENTS = st.integers(0, 40)
ROWS = st.lists(st.tuples(MOMENTS, st.integers(0, OVERLAP_S)), min_size=2, max_size=30).map(
    lambda found: [Written(key, seen, late) for key, (seen, late) in enumerate(found)]
)
READINGS = st.lists(st.tuples(MOMENTS, st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=12).map(sorted)


@given(ROWS, READINGS, st.integers(1, 7))
def test_nothing_that_is_late_by_less_than_the_overlap_is_missed(
    rows: list[Written], readings: list[tuple[int, int, int]], last_pages: int
) -> None:
    """Whenever readings begin, wherever they break off, however many rows a page holds, and with the place kept as text
    between any two pages. A reading takes time: each page sees the table a second later."""
    text, taken = "", set[int]()
    finally_ = [(60, 1_000, last_pages), (1_200, 1_000, last_pages)]
    for at, pages, limit in [*readings, *finally_]:
        now = START + dt.timedelta(seconds=at)
        position = begun(of_text(text), dt.timedelta(seconds=OVERLAP_S), now, MARKED)
        for number in range(pages):
            found = page(rows, position, at + number, limit)
            for row in found:
                taken.add(row.key)
                position = passed(position, (row.mark, row.key))
            if len(found) < limit:
                position = ended(position, ZONE)
                text = as_text(position)
                break
            text = as_text(position)
    assert taken == {row.key for row in rows}


CELLS = st.one_of(
    st.integers(),
    st.text(),
    st.binary(max_size=20),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
    st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    st.dates(),
    st.booleans(),
    st.none(),
)
MARKS = st.none() | st.datetimes() | st.dates() | st.integers()


@given(MARKS, MARKS, st.none() | st.tuples(CELLS, CELLS), st.booleans())
def test_a_position_is_the_same_after_it_was_kept(
    high: dt.datetime | None, low: dt.datetime | None, after: tuple[object, ...] | None, going: bool
) -> None:
    """Whatever kinds of columns the key has."""
    position = Position(high, going, low, MARKED, after)
    assert of_text(as_text(position)) == position
