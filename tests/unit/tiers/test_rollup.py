"""Roll-ups as a declaration says them, the mistakes found in them, and what they make of rows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync.errors import InputFault
from tests.unit.tiers.kit import CATALOGUE
from tests.unit.tiers.rollups import (
    MONTH,
    PLAIN,
    ROLLUP,
    SMALL,
    SPARING,
    STATS,
    VISITS,
    count,
    own,
    site,
    visit,
    written,
)
from tiers import rolling
from tiers.catalogue import Catalogue
from tiers.dataset import Cadence, Deadline
from tiers.faults import CatalogueFault
from tiers.rolling import Figures, Parts, handed_up, hold_back, merge, missing_part, rows_of, without
from tiers.rollup import ALL, EMPTY


def wrong(old: str, new: str, text: str = ROLLUP) -> str:
    """The mistakes after a change to the declaration."""
    assert old in text
    with pytest.raises(CatalogueFault) as told:
        site(SMALL, text.replace(old, new))
    return str(told.value)


def test_cells_by_group_and_the_total() -> None:
    """Each group by itself, empty cells under a mark of their own; other months are not counted."""
    rows = [visit(guests=2, paid="1.5"), visit(kind=None, guests=None), visit(kind="staff", hall="", guests=7)]
    tally = own(PLAIN, [*rows, visit(day="2026-04-01")])
    assert {place: figures.values[:3] for place, figures in tally.cells.items()} == {
        (ALL, ALL): (3, 2, Decimal("1.5")),
        ("a", ALL): (1, 2, Decimal("1.5")),
        (EMPTY, ALL): (1, 0, Decimal(0)),
        ("staff", ALL): (1, 0, Decimal(0)),
        (ALL, "h"): (2, 2, Decimal("1.5")),
        (ALL, EMPTY): (1, 0, Decimal(0)),
    }
    assert tally.cells[ALL, ALL].values[3] == 6


def test_a_ratio_is_worked_out_of_the_sums() -> None:
    """The mean of means would be 5.5; where nothing is below the line there is no ratio."""
    parts = [own(PLAIN, [visit(guests=1, paid="10")]), own(PLAIN, [visit(guests=9, paid="9")])]
    assert written(PLAIN, merge(PLAIN, parts))[PLAIN.total]["by_guest"] == "1.900"
    assert written(PLAIN, own(PLAIN, []))[PLAIN.total]["by_guest"] is None


def test_figures_that_somebody_else_brought_are_left_alone() -> None:
    """Their total has no count of corrections; they count as one part, and what they left empty is told."""
    row = dict.fromkeys(PLAIN.dataset.schema.names) | {"kind": ALL, "hall": ALL, "visits": 5, "guests": 7}
    assert rows_of(PLAIN, own(PLAIN, []), "330100", MONTH, {PLAIN.total: row}, closing=False) is None
    tally = handed_up(PLAIN, [row])
    assert tally is not None
    assert tally.parts == Parts(counted=1)
    assert tally.partial == {"paid", "hours"}
    assert not tally.is_complete
    assert written(PLAIN, tally)[PLAIN.total]["partial"] == "hours,paid"
    assert handed_up(PLAIN, [{**row, "kind": "a"}]) is None, "without a total nothing was handed up"


def test_a_link_that_comes_back_is_no_correction() -> None:
    """Of a closed period, only figures and how many parts are counted in matter."""
    city = own(PLAIN, [visit()])
    before = written(PLAIN, merge(PLAIN, [city, missing_part(2, is_down=True)]), closing=True)
    linked = written(PLAIN, merge(PLAIN, [city, missing_part(2, is_down=False)]), before, closing=True)
    assert linked == before
    late = written(PLAIN, merge(PLAIN, [city, own(PLAIN, []), missing_part(1, is_down=False)]), before, closing=True)
    assert late[PLAIN.total]["corrections"] == 1
    assert late[PLAIN.total]["parts_counted"] == 2


def test_what_was_counted_and_goes_stays_as_zero_once_final() -> None:
    """A case that turns out to be of another month: before the cut-off its cell goes, afterwards it says 0."""
    before = written(PLAIN, own(PLAIN, [visit()]))
    assert set(written(PLAIN, own(PLAIN, []), before)) == {PLAIN.total}
    final = written(PLAIN, own(PLAIN, [visit()]), closing=True)
    later = written(PLAIN, own(PLAIN, []), final)
    assert later["a", ALL]["visits"] == 0
    assert later["a", ALL]["corrections"] == 1
    silent = written(PLAIN, own(PLAIN, [], has_data=False), final)
    assert silent["a", ALL]["visits"] is None
    assert silent[PLAIN.total]["parts_no_data"] == 1


def test_a_measure_that_one_part_left_empty_is_lacking_in_the_sum() -> None:
    """All are counted in, and yet it is not complete; which measure lacks is handed on."""
    row = written(PLAIN, own(PLAIN, [visit()]))[PLAIN.total]
    other = handed_up(PLAIN, [{**row, "paid": None}])
    assert other is not None
    both = merge(PLAIN, [own(PLAIN, [visit()]), other])
    assert (both.parts, both.is_complete, both.partial) == (Parts(counted=2), False, {"paid"})


def test_more_cells_than_a_transaction_holds_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of running numbers taken for a class would make a cell of each row."""
    monkeypatch.setattr(rolling, "CELLS_MAX", 3)
    count(PLAIN, [visit(kind="a")])
    with pytest.raises(InputFault, match="more than 3 cells"):
        count(PLAIN, [visit(kind="a"), visit(kind="b")])


@pytest.mark.parametrize(
    ("kinds", "hidden"),
    [
        ("aaabbb", ""),
        ("aabbbbb", "ab"),
        ("abbbccccc", "ab"),
        ("abccccc", "abc"),
        ("aabbccccc", "ab"),
        ("abcdddd", "abcd"),
        ("aa", "a"),
        ("", ""),
    ],
)
def test_small_cells_are_held_back_with_company(kinds: str, hidden: str) -> None:
    """The next smallest goes with a single one; two of one case each would follow from their sum, so a third goes."""
    tally = own(SPARING, [visit(kind=kind) for kind in kinds])
    marked = "".join(sorted(place[0] for place, f in tally.cells.items() if f.withheld and place[0] != ALL))
    assert marked == hidden
    assert tally.cells[SPARING.total].values[0] == len(kinds)


def test_what_is_held_back_together_is_no_small_cell_either() -> None:
    """Of 1 and 2 under a limit of 5 the sum would be told: it is below the limit as well."""
    rollup = site("small_cells = { below = 5 }").rollups["x_stat"]
    tally = own(rollup, [visit(kind=kind) for kind in "abb" + 9 * "c" + 9 * "d"])
    assert [kind for kind in "abcd" if tally.cells[kind, ALL].withheld] == ["a", "b", "c"]


def test_a_withheld_cell_is_neither_zero_nor_without_data() -> None:
    """Its measures are empty, the number of parts that hold back stands beside it, and sums say whom they lack."""
    small, large = own(SPARING, [visit(), visit()]), own(SPARING, [visit()] * 4)
    row = written(SPARING, small)["a", ALL]
    assert (row["visits"], row["by_guest"], row["withheld_parts"]) == (None, None, 1)
    both = merge(PLAIN, [small, large])
    assert both.cells["a", ALL] == Figures((4, 4, Decimal(0), 8, 1, Decimal(0)), 1)
    assert both.cells[SPARING.total].values[0] == 6
    assert both.is_complete


def test_a_greatest_that_was_left_out_makes_its_measure_partial() -> None:
    """The other city's figure is not that of both: nobody here knows what comes next at the first."""
    marked, other = visit(paid="-3"), visit(paid="0.1")
    first = without(PLAIN, own(PLAIN, [marked, visit()]), count(PLAIN, [marked]).cells(MONTH), 1)
    both = merge(PLAIN, [first, own(PLAIN, [other])])
    assert both.partial == {"most_guests", "least_paid"}
    assert written(PLAIN, both)[PLAIN.total]["least_paid"] == "0.1"
    assert not both.is_complete
    assert without(PLAIN, own(PLAIN, [marked, visit(guests=2)]), count(PLAIN, [visit()]).cells(MONTH), 1).is_complete


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('source = "x_visit"', 'source = "x_other"', "'x_other' is not a dataset"),
        ("[rollup.x_stat]", "[rollup.x_visit]", "x_visit needs a column 'complete'"),
        ('date = "day"', 'date = "kind"', "'kind' must be date or timestamp"),
        ('kind = "kind"', 'kind = "name"', "'name' is held back"),
        ('kind = "kind"', 'visits = "kind"', "'visits' is no key column"),
        (', { name = "hall", columns = { hall = "hall" } }', "", "no group fills the key column 'hall'"),
        ('{ hall = "hall" }', '{ hall = "hall", kind = "kind" }', "two groups share a column"),
        ('column = "kind"', 'column = "name"', "'name' is held back"),
        ('sum = "paid"', 'sum = "kind"', "'kind' must be integer or decimal"),
        ('["came", "went"]', '["came"]', "names two columns"),
        ('["paid", "guests"]', '["paid", "by_guest"]', "'by_guest' is made of 'by_guest'"),
        ('{ to = "visits" }', '{ to = "complete" }', "'complete' is no column for a measure"),
        ('{ to = "visits" }', '{ to = "paid" }', "no column 'paid' of type integer"),
        ('{ to = "visits" }', '{ to = "visits", median = "guests" }', "is not known here"),
    ],
)
def test_mistakes_are_told(old: str, new: str, told: str) -> None:
    assert told in wrong(old, new)


def test_small_cells_need_a_count() -> None:
    """A sum says nothing of how many people stand behind it."""
    assert "no measure counts rows" in wrong('{ to = "visits" }', '{ to = "visits", sum = "guests" }')


def test_a_cell_is_small_by_its_largest_count() -> None:
    """A case reported before the period whose limit ends in it stands behind a cell too, though none was reported."""
    rollup = CATALOGUE.rollups["case_stat"]
    names = [m.to for m in rollup.measures]
    zeros = dict.fromkeys(names, 0)
    total = ("*", "*", "*")
    one, many = ("*", "*", "public"), ("*", "*", "video")
    cells = {
        total: Figures(tuple({**zeros, "reported": 9, "need_dispose": 1}.values())),
        one: Figures(tuple({**zeros, "need_dispose": 1}.values())),
        many: Figures(tuple({**zeros, "reported": 9, "cancelled": 1}.values())),
    }
    shown = hold_back(rollup, cells)
    assert [shown[place].withheld for place in (total, one, many)] == [0, 1, 1]


def test_statistics_without_marks_or_deadlines_cannot_be_rolled_up() -> None:
    """The dataset must be able to say what is missing, and when a period is closed."""
    for gone, told in (
        ('{ name = "parts_down", type = "integer", zh = "a", en = "a" },', "needs a column 'parts_down'"),
        (", monthly = { due_days = 3, cut_off_days = 5 }", "needs a deadline for its cadence monthly"),
        ('period = "period"\n', "deadlines: need a period"),
    ):
        assert gone in STATS
        with pytest.raises(CatalogueFault, match=told):
            Catalogue.build([], [("site.toml", VISITS + STATS.replace(gone, "") + ROLLUP.replace("SMALL", ""))])


def test_deadlines_are_declared_by_cadence() -> None:
    """In natural days; other calendars are not there yet, so none can be named."""
    stat = site().datasets["x_stat"]
    assert stat.deadlines == {Cadence.DAILY: Deadline(1, 2), Cadence.MONTHLY: Deadline(3, 5)}
    for old, new, told in (
        ("daily = { due_days = 1, cut_off_days = 2 }", "daily = { due_days = 3, cut_off_days = 2 }", "before due_days"),
        ("daily = { due_days = 1", "on_change = { due_days = 1", "no cadence with periods"),
        ("daily = { due_days = 1", "daily = { calendar = 'working', due_days = 1", "must be one of natural"),
    ):
        assert old in STATS
        with pytest.raises(CatalogueFault, match=told):
            Catalogue.build([], [("site.toml", VISITS + STATS.replace(old, new))])


def test_a_site_rolls_up_its_own_statistics_only() -> None:
    """What the built-in ones count is the same everywhere."""
    with pytest.raises(CatalogueFault, match="a site's text, and only those"):
        Catalogue.build([], [("site.toml", "[rollup.case_stat]\nsource = 'case'\n")])


def test_the_built_in_statistics_are_rolled_up() -> None:
    """Cases by class and by source with small cells held back, components by class as they stand, vital signs by what
    they say of themselves."""
    cases, components = CATALOGUE.rollups["case_stat"], CATALOGUE.rollups["component_stat"]
    assert cases.small_cells is not None
    assert (cases.small_cells.below, cases.is_stock, components.is_stock) == (3, False, True)
    measured = {m.to for m in cases.measures} | {r.to for r in cases.ratios}
    assert {"reported", "closed_in_time", "avg_dispose_hours"} <= measured
    assert count(PLAIN, []).cells(MONTH) == {PLAIN.total: Figures((0, 0, Decimal(0), 0, None, None))}
    vitals = CATALOGUE.rollups["operation_vitals_stat"]
    assert (vitals.by_period, vitals.own_place, vitals.is_stock) == (True, True, False)
    assert {m.to: m.in_total for m in vitals.measures if m.of} == dict.fromkeys(
        ["value_sum", "value_max", "value_min"], False
    )
