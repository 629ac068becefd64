"""What the tests of roll-ups share: a small dataset of visits, its statistics by kind and by place, and rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC

from sync.values import Cell, Row
from tiers.catalogue import Catalogue
from tiers.periods import Period, parse_period
from tiers.rolling import Counter, Place, Tally, handed_up, own_part, rows_of
from tiers.rollup import MARKS, RollUp

VISITS = """
[dataset.x_visit]
version = 1
zh = "a"
en = "a"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["real_time"]
owner = ["city"]
key = ["id"]
fields = [
  { name = "id", type = "text", length = 9, nullable = false, zh = "a", en = "a" },
  { name = "day", type = "date", zh = "a", en = "a" },
  { name = "kind", type = "text", length = 9, zh = "a", en = "a" },
  { name = "hall", type = "text", length = 9, zh = "a", en = "a" },
  { name = "guests", type = "integer", zh = "a", en = "a" },
  { name = "paid", type = "decimal", zh = "a", en = "a" },
  { name = "came", type = "timestamp", zh = "a", en = "a" },
  { name = "went", type = "timestamp", zh = "a", en = "a" },
  { name = "name", type = "text", length = 9, held_back = true, zh = "a", en = "a" },
]
"""
_MARKS = "\n".join(f'{{ name = "{n}", type = "{t.value}", zh = "a", en = "a" }},' for n, t in MARKS.items())
STATS = f"""
[dataset.x_stat]
version = 1
zh = "a"
en = "a"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["daily", "monthly", "on_change"]
period = "period"
deadlines = {{ daily = {{ due_days = 1, cut_off_days = 2 }}, monthly = {{ due_days = 3, cut_off_days = 5 }} }}
owner = ["city", "provincial", "national"]
key = ["division", "period", "kind", "hall"]
region = "division"
fields = [
  {{ name = "division", type = "text", length = 6, nullable = false, zh = "a", en = "a" }},
  {{ name = "period", type = "text", length = 10, nullable = false, zh = "a", en = "a" }},
  {{ name = "kind", type = "text", length = 9, nullable = false, zh = "a", en = "a" }},
  {{ name = "hall", type = "text", length = 9, nullable = false, zh = "a", en = "a" }},
  {{ name = "visits", type = "integer", zh = "a", en = "a" }},
  {{ name = "guests", type = "integer", zh = "a", en = "a" }},
  {{ name = "paid", type = "decimal", zh = "a", en = "a" }},
  {{ name = "hours", type = "integer", zh = "a", en = "a" }},
  {{ name = "by_guest", type = "decimal", zh = "a", en = "a" }},
  {{ name = "most_guests", type = "integer", zh = "a", en = "a" }},
  {{ name = "least_paid", type = "decimal", zh = "a", en = "a" }},
{_MARKS}
]
"""
ROLLUP = """
[rollup.x_stat]
source = "x_visit"
date = "day"
groups = [{ name = "kind", columns = { kind = "kind" } }, { name = "hall", columns = { hall = "hall" } }]
SMALL
measures = [
  { to = "visits" },
  { to = "guests", sum = "guests", where = { column = "kind", op = "!=", value = "staff" } },
  { to = "paid", sum = "paid" },
  { to = "hours", elapsed = ["came", "went"], unit = "hour" },
  { to = "by_guest", ratio = ["paid", "guests"], decimals = 3 },
  { to = "most_guests", most = "guests", total = false },
  { to = "least_paid", least = "paid" },
]
"""
SMALL = "small_cells = { below = 3 }"
MONTH = parse_period("2026-03")
COLUMNS = ("id", "day", "kind", "hall", "guests", "paid", "came", "went", "name")


def site(small: str = "", rollup: str = ROLLUP) -> Catalogue:
    """The catalogue of both, and the roll-up."""
    return Catalogue.build([], [("site.toml", VISITS + STATS + rollup.replace("SMALL", small))])


PLAIN = site().rollups["x_stat"]
SPARING = site(SMALL).rollups["x_stat"]


def visit(
    day: str = "2026-03-02", kind: str | None = "a", hall: str | None = "h", guests: int | None = 1, paid: str = "0"
) -> Row:
    """A row of x_visit."""
    return ("v", day, kind, hall, guests, paid, 0, 2 * 3_600_000_000, None)


def count(rollup: RollUp, rows: Iterable[Row], periods: Sequence[Period] = (MONTH,)) -> Counter:
    """Rows counted."""
    counter = Counter(rollup, periods, UTC)
    at = [COLUMNS.index(name) for name in counter.columns]
    counter.add(tuple(row[i] for i in at) for row in rows)
    return counter


def own(rollup: RollUp, rows: Iterable[Row], has_data: bool = True) -> Tally:
    """The tally of a city with these rows in MONTH."""
    return own_part(rollup, count(rollup, rows).cells(MONTH), has_data)


Held = dict[Place, dict[str, Cell]]


def written(rollup: RollUp, tally: Tally, before: Held | None = None, closing: bool = False) -> Held:
    """The rows that say a tally, by dimensions."""
    rows = rows_of(rollup, tally, "330000", MONTH, before or {}, closing)
    assert rows is not None
    return {tuple(str(row[name]) for name in rollup.dimensions): row for row in rows}


def passed_up(rollup: RollUp, tally: Tally) -> Tally:
    """A tally as the tier above reads it from the rows that say it."""
    read = handed_up(rollup, written(rollup, tally).values())
    assert read is not None
    return read
