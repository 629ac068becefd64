"""The life of a code, and extension codes in reserved ranges (trap 1 and flow W11 of reference/domain.md)."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.reasons import Reason
from sync.rows import RowBatch
from sync.values import Cell, Row
from tests.unit.tiers.kit import (
    CATALOGUE,
    CITY_STANDS,
    NOTHING_KNOWN,
    PROVINCE_STANDS,
    KnownFake,
    a_case,
    a_header,
    signer,
)
from tiers.codes import Range, Span, common_days, is_in_force, life_flaw, read_range, spans_of, void_flaw
from tiers.dataset import CodeRef
from tiers.door import Door
from tiers.judging import TierJudge

DATASET = CATALOGUE.datasets["class_code"]
assert DATASET.code_table is not None
assert DATASET.code_table.life is not None
LIFE = DATASET.code_table.life
NAMES = DATASET.schema.names
TABLE = "GBT30428.2-2013"
DOOR = Door(CATALOGUE, CITY_STANDS)
NOON_CST_US = 4 * 3_600_000_000


def a_code(status: str, since: str | None = None, until: str | None = None, **cells: Cell) -> Row:
    row: dict[str, Cell] = dict.fromkeys(NAMES)
    row |= {"table_name": TABLE, "code": "0110", "table_version": 1, "name_zh": "暴露垃圾", "is_extension": False}
    return tuple((row | {"status": status, "effective_on": since, "retired_on": until} | cells).values())


def on(day: str) -> int:
    """Noon of a day in China, as a timestamp."""
    return (dt.date.fromisoformat(day) - dt.date(1970, 1, 1)).days * 86_400_000_000 + NOON_CST_US


def known(*spans: Span) -> KnownFake:
    made = KnownFake({TABLE: ["0110"]})
    made.days = {TABLE: {"0110": spans}} if spans else {}
    return made


@pytest.mark.parametrize("many", [1, 20])
@pytest.mark.parametrize(
    ("day", "comes_in"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-06-30", True), ("2026-12-31", True), ("2027-01-01", False)],
)
def test_at_the_door_a_code_is_judged_by_the_row_s_own_date(day: str, comes_in: bool, many: int) -> None:
    """From its first day to its last, both counted, whatever day it is today; the other rows of the batch come in."""
    good = [a_case(100 + i, class_scheme=TABLE, class_code="0110", reported_at=on("2026-05-01")) for i in range(many)]
    asked = a_case(1, class_scheme=TABLE, class_code="0110", reported_at=on(day))
    checked = DOOR.check_local_rows("case", [*good, asked], known(Span("2026-01-01", "2026-12-31")))
    assert [(r.place, r.reason) for r in checked.rejects] == ([] if comes_in else [(many, Reason.UNKNOWN_CODE)])


def test_a_retired_code_makes_no_arrived_record_bad() -> None:
    """A receiver asks only whether the code was ever in force: what it heard of its retirement decides nothing."""
    row = a_case(1, class_scheme=TABLE, class_code="0110", reported_at=on("2030-01-01"))
    batch = RowBatch("case", CATALOGUE.publications["case.parent"].columns, [], [])
    at = [CATALOGUE.datasets["case"].schema.names.index(c) for c in batch.columns]
    batch.puts.append(tuple(row[i] for i in at))
    judged = TierJudge(CATALOGUE).records(
        a_header("case.parent"), batch, signer(CITY_STANDS), known(Span("2026-01-01", "2026-12-31"))
    )
    assert judged.bad == []


LIVES = {
    "a draft may become anything": (a_code("draft"), a_code("effective", "2026-01-01"), True),
    "in force it may be retired": (
        a_code("effective", "2026-01-01"),
        a_code("retired", "2026-01-01", "2026-02-01"),
        True,
    ),
    "retired without its last day": (a_code("effective"), a_code("retired"), False),
    "never a draft again": (a_code("effective"), a_code("draft"), False),
    "never back from retirement": (a_code("retired", None, "2026-02-01"), a_code("effective"), False),
    "never in force later": (a_code("effective", "2026-01-01"), a_code("effective", "2026-02-01"), False),
    "in force earlier": (a_code("effective", "2026-02-01"), a_code("effective", "2026-01-01"), True),
    "another name": (a_code("effective"), a_code("effective", name_zh="垃圾暴露"), True),
}


@pytest.mark.parametrize("case", LIVES)
def test_a_code_lives_one_way(case: str) -> None:
    before, after, good = LIVES[case]
    assert (life_flaw(LIFE, DATASET.schema, before, after) is None) is good


def test_only_a_draft_may_be_voided() -> None:
    assert void_flaw(LIFE, DATASET.schema, a_code("draft")) is None
    assert void_flaw(LIFE, DATASET.schema, None) is None
    assert void_flaw(LIFE, DATASET.schema, a_code("effective")) is not None
    assert void_flaw(LIFE, DATASET.schema, a_code("retired", None, "2026-01-01")) is not None


_steps = st.lists(
    st.tuples(st.sampled_from(["draft", "effective", "retired"]), st.sampled_from([None, "2026-01-01", "2026-02-01"])),
    max_size=8,
)


@given(_steps)
def test_no_life_takes_back_that_a_code_was_in_force(steps: list[tuple[str, str | None]]) -> None:
    """Whatever is tried, in whatever order: what a receiver once let a record in by, stays."""
    now: Row | None = None
    ever = False
    for status, since in steps:
        row = a_code(status, since, "2027-01-01")
        if life_flaw(LIFE, DATASET.schema, now, row) is None:
            now = row
        in_force = now is not None and now[NAMES.index("status")] != "draft"
        assert in_force or not ever
        ever = in_force


_days = st.sampled_from(["", "2026-01-01", "2026-02-01", "2026-03-01"])
_spans = st.builds(Span, _days, _days)


@given(
    st.lists(st.lists(_spans, max_size=2).map(tuple), min_size=1, max_size=3), st.lists(_days.filter(bool), min_size=1)
)
def test_asking_all_rows_at_once_says_the_same(codes: list[tuple[Span, ...]], days: list[str]) -> None:
    """The days that all codes have in common decide for a batch only where each row would be let in."""
    used = common_days(codes)
    if used is not None and all(used.holds(day) for day in (min(days), max(days))):
        assert all(is_in_force(spans, day) for spans in codes for day in days)


def test_a_version_without_bounds_leaves_nothing_to_ask() -> None:
    bounded, free = a_code("effective", "2026-01-01"), a_code("effective", table_version=2)
    assert spans_of(LIFE, DATASET.schema, [("0110", bounded)]) == {"0110": (Span("2026-01-01", ""),)}
    assert spans_of(LIFE, DATASET.schema, [("0110", bounded), ("0110", free)]) == {}


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("..70-99", ["0170", "0199", "9985"], ["0169", "170", "01700", "01７0", "ab70", ""]),
        ("..080-999", ["01080", "01999"], ["01079", "0180", "010800"]),
        ("1-3", ["1", "3"], ["0", "4", "11"]),
    ],
)
def test_a_reserved_range_holds_codes_of_its_length(text: str, inside: list[str], outside: list[str]) -> None:
    found = read_range(text)
    assert found is not None
    assert str(found) == text
    assert all(found.holds(code) for code in inside)
    assert not any(found.holds(code) for code in outside)


@pytest.mark.parametrize("text", ["", "70", "..9-70", "..99-70", "x-y", "..70-99 ", "-"])
def test_what_is_no_range_is_told(text: str) -> None:
    assert read_range(text) is None


def test_an_extension_code_is_kept_registered_or_not() -> None:
    """Trap 1 and W11: in the reserved range no table is asked, at the door and on arrival; beside it, it is."""
    rows = [a_case(i, class_scheme=TABLE, class_code=code) for i, code in enumerate(("0199", "01080"))]
    assert DOOR.check_local_rows("case", rows, known()).rejects == []
    standard = a_case(9, class_scheme=TABLE, class_code="0111")
    assert [r.reason for r in DOOR.check_local_rows("case", [standard], known()).rejects] == [Reason.UNKNOWN_CODE]
    ref = CodeRef("", "scheme", "local:", (Range(2, "70", "99"),))
    assert ref.is_extension("local:330100", "anything")
    assert ref.is_extension(TABLE, "0199")
    assert not ref.is_extension(TABLE, None)
    assert not ref.is_extension("local:330100", None)


def test_an_extension_belongs_to_the_place_that_registers_it() -> None:
    """A city registers for itself, not in another's name, and only under a class that is known."""
    names = CATALOGUE.datasets["class_extension"].schema.names

    def extension(**cells: Cell) -> Row:
        row: dict[str, Cell] = dict.fromkeys(names)
        row |= {"division": "330100", "table_name": TABLE, "code": "0199", "name_zh": "共享单车乱停"}
        return tuple((row | {"mapped_table": TABLE, "mapped_to": "0110", "status": "effective"} | cells).values())

    assert DOOR.check_local_rows("class_extension", [extension()], known()).rejects == []
    other = DOOR.check_local_rows("class_extension", [extension(division="330200")], known())
    assert [r.reason for r in other.rejects] == [Reason.OUT_OF_SCOPE]
    unmapped = DOOR.check_local_rows("class_extension", [extension(mapped_to="0111")], known())
    assert [r.reason for r in unmapped.rejects] == [Reason.UNKNOWN_CODE]
    province = Door(CATALOGUE, PROVINCE_STANDS)
    assert province.check_local_rows("class_extension", [extension(division="330000")], NOTHING_KNOWN).rejects == []
    assert not TierJudge(CATALOGUE).is_awaited("class_extension"), "no record waits for a registration"
