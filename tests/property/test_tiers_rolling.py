"""Roll-ups add up: whatever the parts, their order and the tiers between, the whole says what all the rows say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from sync.values import Row
from tests.unit.tiers.rollups import MONTH, PLAIN, SPARING, count, own, passed_up, visit, written
from tiers.dataset import Cadence
from tiers.periods import CALENDAR, day_of, ended_periods, midnight_us, parse_period, period_of
from tiers.rolling import NOTHING, Counter, Parts, Tally, hold_back, merge, missing_part, without
from tiers.rollup import Fold

KINDS = st.sampled_from(["a", "b", "staff", None])
ROWS = st.lists(
    st.builds(
        visit,
        st.sampled_from(["2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01"]),
        KINDS,
        st.sampled_from(["h", "i", "j", ""]),
        st.none() | st.integers(0, 9),
        st.sampled_from(["0", "0.1", "12345678901234567890.25", "-3"]),
    ),
    max_size=8,
)
MISSING = st.builds(missing_part, st.integers(1, 5), st.booleans())
SILENT = st.just(own(PLAIN, [], has_data=False))
CITIES = st.lists(ROWS, max_size=4)
PARTS = st.lists(st.builds(lambda rows: own(SPARING, rows), ROWS) | MISSING | SILENT, max_size=5)


def shuffled(tallies: Sequence[Tally]) -> st.SearchStrategy[list[Tally]]:
    return st.permutations(list(tallies)) if tallies else st.just([])


@given(CITIES)
def test_the_roll_up_of_parts_is_the_roll_up_of_the_whole(cities: list[list[Row]]) -> None:
    """Rows of all cities counted at once, or by each city and added: the same cells."""
    together = own(PLAIN, [row for rows in cities for row in rows])
    parts = merge(PLAIN, [own(PLAIN, rows) for rows in cities])
    assert parts.cells == (together.cells if cities else {})
    assert parts.parts == Parts(counted=len(cities))


@given(PARTS, st.data())
def test_order_and_the_tiers_between_change_nothing(parts: list[Tally], data: st.DataObject) -> None:
    """Cities added in any order, or by provinces whose rows the nation adds: one tally, small cells and all."""
    whole = merge(PLAIN, parts)
    mixed = data.draw(shuffled(parts))
    assert merge(PLAIN, mixed) == whole
    cut = data.draw(st.integers(0, len(mixed)))
    provinces = [merge(PLAIN, mixed[:cut]), merge(PLAIN, mixed[cut:])]
    assert merge(PLAIN, provinces) == whole
    assert merge(PLAIN, [passed_up(SPARING, one) for one in provinces if one.parts.all]) == whole


@given(CITIES)
def test_the_greatest_of_parts_is_the_greatest_of_all(cities: list[list[Row]]) -> None:
    """By group; the total has none where it was declared so. Of nothing there is no smallest, and none is not zero."""
    parts = merge(PLAIN, [own(PLAIN, rows) for rows in cities])
    counted = [row for rows in cities for row in rows if row[1].startswith("2026-03")]
    for kind in ("a", "b", "staff"):
        rows = [row for row in counted if row[2] == kind]
        if rows:
            figures = dict(zip([m.to for m in PLAIN.measures], parts.cells[kind, "*"].values, strict=True))
            assert figures["most_guests"] == max((row[4] for row in rows if row[4] is not None), default=None)
            assert figures["least_paid"] == min(Decimal(row[5]) for row in rows)
    if cities:
        total = written(PLAIN, parts)[PLAIN.total]
        assert total["most_guests"] is None
        assert (total["least_paid"] is None) == (not counted)
        assert total["partial"] is None


@given(PARTS, MISSING, st.booleans())
def test_a_missing_part_is_never_zero(parts: list[Tally], missing: Tally, silent: bool) -> None:
    """It changes no figure, it ends completeness, and the four states are counted apart all the way up."""
    whole = merge(PLAIN, parts)
    extra = own(PLAIN, [], has_data=False) if silent else missing
    more = merge(PLAIN, [*parts, extra])
    assert more.cells == whole.cells
    assert not more.is_complete
    assert more.parts == Parts(*(a + b for a, b in zip(whole.parts, extra.parts, strict=True)))
    total = passed_up(SPARING, more)
    assert total.parts == more.parts
    if not more.parts.counted:
        (row,) = written(SPARING, more).values()
        assert row["visits"] is None, "nobody counted, so there is no zero"


@given(PARTS)
def test_a_part_with_none_counts_as_zero(parts: list[Tally]) -> None:
    """It leaves the figures as they are, and does not end completeness."""
    zero = own(PLAIN, [])
    more = merge(PLAIN, [*parts, zero])
    assert more.is_complete == merge(PLAIN, parts).is_complete
    assert more.cells[PLAIN.total].values == merge(PLAIN, [*parts, zero, NOTHING]).cells[PLAIN.total].values
    assert written(PLAIN, merge(PLAIN, [zero]))[PLAIN.total]["visits"] == 0


@given(ROWS)
def test_no_small_cell_follows_from_the_others(rows: list[Row]) -> None:
    """A cell of 1 or 2 is empty and marked. The rest of its group's total leaves more than one answer open, unless
    there was nothing left to hide it behind."""
    cells = count(SPARING, rows).cells(MONTH)
    shown = hold_back(SPARING, cells)
    assert set(shown) == set(cells)
    total = cells[SPARING.total].values[0]
    assert shown[SPARING.total] == cells[SPARING.total]
    for at in (0, 1):
        group = [place for place in cells if place[at] != "*" and place[1 - at] == "*"]
        hidden = [place for place in group if shown[place].withheld]
        small = {place for place in group if 0 < (cells[place].values[0] or 0) < 3}
        assert small <= set(hidden)
        assert all(set(shown[place].values) == {None} for place in hidden)
        assert all(shown[place] == cells[place] for place in group if place not in hidden)
        if small and set(hidden) != {p for p in group if cells[p].values[0]}:
            rest = (total or 0) - sum(shown[place].values[0] or 0 for place in group if place not in hidden)
            assert len(hidden) > 1
            assert rest > len(hidden), "each is 1 at least: a sum as small as their number would tell them all"


@given(CITIES, st.data())
def test_what_is_left_out_is_as_if_it_had_not_been_there(cities: list[list[Row]], data: st.DataObject) -> None:
    """Some records of each city marked: the province's figures are those of all others, and say how many are not in."""
    parts, others, records = [], [], 0
    for rows in cities:
        marked = [row for row in rows if data.draw(st.booleans())]
        kept = [row for row in rows if not any(row is one for one in marked)]
        counted = len([row for row in marked if row[1].startswith("2026-03")])
        parts.append(without(PLAIN, own(PLAIN, rows), count(PLAIN, marked).cells(MONTH), counted))
        others.append(own(PLAIN, kept))
        records += counted
    left, rest = merge(PLAIN, parts), merge(PLAIN, others)
    assert left.left_out == records
    assert left.parts == rest.parts
    for place, figures in left.cells.items():
        kept = rest.cells[place].values if place in rest.cells else (None,) * len(figures.values)
        for measure, left_of, kept_of in zip(PLAIN.measures, figures.values, kept, strict=True):
            if measure.fold is Fold.SUM:
                assert left_of == (kept_of or 0)
            else:
                said = measure.to in left.partial
                assert left_of == kept_of or said, "if the greatest was left out, nobody here knows the next"
    if left.parts.all:
        assert passed_up(PLAIN, left).left_out == records


@given(ROWS, st.data())
def test_leaving_out_tells_no_small_cell(rows: list[Row], data: st.DataObject) -> None:
    """Neither what is left nor what was left out of a class is few: who has both figures subtracts them."""
    marked = [row for row in rows if data.draw(st.booleans())]
    before = own(SPARING, rows)
    after = without(SPARING, before, count(SPARING, marked).cells(MONTH), len(marked))
    for place, figures in after.cells.items():
        was, left = before.cells[place].values[0], figures.values[0]
        if place != SPARING.total and left is not None:
            assert was is not None
            assert left == 0 or left >= 3
            assert was - left == 0 or was - left >= 3


@given(ROWS, ROWS)
def test_a_part_that_had_not_counted_a_record_yet_is_never_less_than_nothing(
    rows: list[Row], marked: list[Row]
) -> None:
    left = without(PLAIN, own(PLAIN, rows), count(PLAIN, marked).cells(MONTH), len(marked))
    assert all((figures.values[0] or 0) >= 0 for figures in left.cells.values())
    assert without(PLAIN, own(PLAIN, [], has_data=False), left.cells, 3).left_out == 0, "nothing was counted there"


@given(ROWS, ROWS, st.booleans())
def test_a_closed_period_changes_by_corrections_only(first: list[Row], later: list[Row], closing: bool) -> None:
    """What is as it was stays as it is; what differs is counted; and no row goes."""
    before = written(PLAIN, own(PLAIN, first), closing=True)
    again = written(PLAIN, own(PLAIN, first), before, closing)
    assert again == before
    after = written(PLAIN, own(PLAIN, later), before, closing)
    assert set(after) >= set(before)
    for place, row in after.items():
        assert row["final"]
        same = place in before and {**row, "corrections": 0} == {**before[place], "corrections": 0}
        assert row["corrections"] == (0 if same else 1)
    same_again = written(PLAIN, own(PLAIN, later), after, closing)
    assert same_again == after


@given(st.sampled_from(CALENDAR), st.dates(date(2, 1, 1), date(9998, 1, 1)))
def test_periods_are_written_as_they_are_read_and_leave_no_gap(cadence: Cadence, day: date) -> None:
    period = period_of(cadence, day)
    assert period.first <= day <= period.last
    assert parse_period(str(period)) == period
    assert period.after().before() == period
    assert period.after().first == period.until


@given(st.sampled_from(CALENDAR), st.integers(0, 4_000_000_000_000_000), st.integers(1, 9))
def test_ended_periods_follow_each_other_up_to_now(cadence: Cadence, now: int, wanted: int) -> None:
    """In the time zone of the region: the last has ended, the next has not."""
    zone = ZoneInfo("Asia/Shanghai")
    found = ended_periods(cadence, now, zone, wanted)
    assert len(found) == wanted
    assert all(a.until == b.first for a, b in pairwise(found))
    assert found[-1].span_us(zone)[1] <= now < found[-1].after().span_us(zone)[1]
    assert midnight_us(day_of(now, zone), zone) <= now


@given(ROWS)
def test_days_add_up_to_their_month(rows: list[Row]) -> None:
    """Counted by day or by month, each row stands in one period, and only in the one its date lies in."""
    days = [parse_period(f"2026-03-{day:02}") for day in range(1, 32)]
    counter: Counter = count(PLAIN, rows, days)
    by_day = merge(PLAIN, [Tally(Parts(), counter.cells(day)) for day in days])
    assert by_day.cells == own(PLAIN, rows).cells
