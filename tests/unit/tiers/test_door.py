"""A node's own door: the same rules, told row by row to whoever brought the rows."""

from __future__ import annotations

import msgspec
import pytest

from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import Cell
from tests.unit.tiers.kit import (
    CATALOGUE,
    CITY_STANDS,
    MUNICIPALITY_STANDS,
    NATION_STANDS,
    NOTHING_KNOWN,
    PROVINCE_STANDS,
    KnownFake,
    a_case,
)
from tiers.door import WARNED_MAX, Door

DOOR = Door(CATALOGUE, CITY_STANDS)


def test_good_rows_come_in_as_their_schema_types_them() -> None:
    """Whole rows pass, held-back columns included; a whole number in a float column is a float from here on."""
    rows = [a_case(i, pos_lon=120) for i in range(10)]
    checked = DOOR.check_local_rows("case", rows, NOTHING_KNOWN)
    assert checked.rejects == []
    assert checked.rows == rows
    assert all(type(cell) is not int for row in checked.rows for cell in row if cell == 120)
    assert DOOR.check_local_row("case", rows[0], NOTHING_KNOWN) == rows[0]


def test_a_key_may_hold_any_script() -> None:
    """Spaces of any width and Chinese are no control characters."""
    rows = [a_case(1, case_id="案件\u3000一 号"), a_case(2, case_id="ñ-2")]
    assert DOOR.check_local_rows("case", rows, NOTHING_KNOWN).rejects == []


def test_rows_read_out_of_their_bytes_are_judged_alike() -> None:
    """Typing rows while they are decoded saves a pass and changes nothing; where it fails, rows are told one by one."""
    rows = [a_case(i, pos_lon=120) for i in range(10)]
    read = DOOR.read_rows("case", msgspec.msgpack.encode(rows))
    assert read is not None
    typed = DOOR.check_local_rows("case", read, NOTHING_KNOWN)
    brought = DOOR.check_local_rows("case", rows, NOTHING_KNOWN)
    assert (typed.rows, typed.rejects) == (brought.rows, brought.rejects)
    assert typed.size <= brought.size + 8 * len(rows), "a whole number may grow by becoming a float"
    assert DOOR.read_rows("case", msgspec.msgpack.encode([*rows, a_case(11, reported_at="noon")])) is None
    twice = DOOR.read_rows("case", msgspec.msgpack.encode([rows[0], rows[0]]))
    assert twice is not None
    assert [r.reason for r in DOOR.check_local_rows("case", twice, NOTHING_KNOWN).rejects] == [Reason.RULE_BROKEN]


REJECTED: dict[str, tuple[dict[str, Cell], Reason, str]] = {
    "another place": ({"division": "330206"}, Reason.OUT_OF_SCOPE, "330206"),
    "a text beyond its length": ({"reporter_phone": "1" * 31}, Reason.TOO_LONG, "reporter_phone"),
    "a text for a time": ({"reported_at": "noon"}, Reason.WRONG_TYPE, "reported_at"),
    "an empty cell that must not be": ({"supervised": None}, Reason.WRONG_TYPE, "supervised"),
    "an empty key": ({"case_id": None}, Reason.KEY_MISSING, "case_id"),
    "a key that cannot be read out": ({"case_id": "case-\x1b[2J"}, Reason.RULE_BROKEN, "control character"),
    "a key with a line feed": ({"case_id": "case\n1"}, Reason.RULE_BROKEN, "control character"),
    "half a character": ({"description": "\ud83d"}, Reason.WRONG_TYPE, "surrogate"),
    "infinity": ({"pos_lon_exact": float("inf")}, Reason.WRONG_TYPE, "pos_lon_exact"),
    "no number": ({"pos_lon_exact": float("nan")}, Reason.WRONG_TYPE, "pos_lon_exact"),
    "negative zero": ({"pos_lon_exact": -0.0}, Reason.RULE_BROKEN, "pos_lon_exact"),
    "an exact position in the rounded column": ({"pos_lon": 120.15345}, Reason.RULE_BROKEN, "pos_lon"),
    "a state that is none": ({"state": "Closed"}, Reason.UNKNOWN_CODE, "state"),
    "a code that its table lacks": ({"class_scheme": "GB", "class_code": "9"}, Reason.UNKNOWN_CODE, "'9'"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_bad_row_is_rejected_and_the_others_come_in(case: str) -> None:
    """Each reject names place, key, reason and column; the neighbours are let in."""
    cells, reason, words = REJECTED[case]
    known = KnownFake({"GB": ["1"]})
    checked = DOOR.check_local_rows("case", [a_case(0), a_case(1, **cells), a_case(2)], known)
    assert [row[0] for row in checked.rows] == ["case-0", "case-2"]
    (reject,) = checked.rejects
    assert (reject.place, reject.reason) == (1, reason)
    assert words in reject.detail
    with pytest.raises(InputFault) as told:
        DOOR.check_local_row("case", a_case(1, **cells), known)
    assert told.value.reason is reason


def test_a_row_of_another_width_is_rejected() -> None:
    """A row has as many cells as the dataset has columns."""
    checked = DOOR.check_local_rows("case", [a_case(1)[:-1], a_case(2)], NOTHING_KNOWN)
    assert [(r.place, r.reason) for r in checked.rejects] == [(0, Reason.WRONG_TYPE)]
    assert len(checked.rows) == 1


def test_a_key_that_stands_twice_comes_in_once() -> None:
    """In one transaction a row is written once."""
    checked = DOOR.check_local_rows("case", [a_case(1), a_case(2), a_case(1, state="closed")], NOTHING_KNOWN)
    assert [(r.place, r.reason) for r in checked.rejects] == [(2, Reason.RULE_BROKEN)]


def test_work_goes_on_without_a_code_table() -> None:
    """A code whose table is not here yet comes in: the tiers above wait for it, the city does not."""
    row = a_case(1, class_scheme="GB", class_code="0110")
    assert DOOR.check_local_row("case", row, NOTHING_KNOWN) == row


def test_a_node_writes_only_what_its_tier_owns() -> None:
    """Whole batches are refused for an unknown dataset and for one that another tier owns."""
    for door, dataset, reason in (
        (DOOR, "x_none", Reason.UNKNOWN_DATASET),
        (DOOR, "class_code", Reason.NOT_OWNER),
        (Door(CATALOGUE, PROVINCE_STANDS), "case", Reason.NOT_OWNER),
    ):
        with pytest.raises(InputFault) as told:
            door.check_local_rows(dataset, [], NOTHING_KNOWN)
        assert told.value.reason is reason
        with pytest.raises(InputFault):
            door.check_local_keys(dataset, [])
    for stands in (PROVINCE_STANDS, MUNICIPALITY_STANDS):
        assert Door(CATALOGUE, stands).check_local_rows("org_unit", [], NOTHING_KNOWN).rejects == []
    assert Door(CATALOGUE, NATION_STANDS).check_local_rows("class_code", [], NOTHING_KNOWN).rows == []


def test_keys_to_be_voided_are_keys_of_the_dataset() -> None:
    """A key of another width or type is rejected."""
    rejects = DOOR.check_local_keys("case", [("case-1",), ("a", "b"), (5,), (None,)])
    assert [(r.place, r.reason) for r in rejects] == [(i, Reason.WRONG_TYPE) for i in (1, 2, 3)]
    assert [r.reason for r in DOOR.check_local_keys("case", [("\ud800",)])] == [Reason.WRONG_TYPE]


def test_a_key_is_voided_once_and_not_put_as_well() -> None:
    """Receivers refuse an entry that says two things of one row."""
    rejects = DOOR.check_local_keys("case", [("a",), ("b",), ("a",), ("c",)], [("c",)])
    assert [(r.place, r.reason, r.detail) for r in rejects] == [
        (place, Reason.RULE_BROKEN, "the key stands twice") for place in (2, 3)
    ]


def test_a_row_that_breaks_a_check_is_rejected_with_its_name_and_words_in_both_languages() -> None:
    """Cross-field checks of severity reject, alone and among good rows."""
    bad = a_case(1, closed_at=1_500_000_000_000_000)
    for rows in ([bad], [a_case(0), bad, a_case(2)]):
        checked = DOOR.check_local_rows("case", rows, NOTHING_KNOWN)
        assert len(checked.rows) == len(rows) - 1
        (reject,) = checked.rejects
        assert (reject.place, reject.reason) == (rows.index(bad), Reason.RULE_BROKEN)
        assert "closed_after_reported" in reject.detail
        assert "结案时间早于上报时间" in reject.detail
        assert "closed before it was reported" in reject.detail


def test_a_row_that_breaks_a_check_of_severity_warn_comes_in_and_is_told() -> None:
    """Each warning says where the row stood, also beside rows that were rejected."""
    rows = [a_case(0), a_case(1, division="330206"), a_case(2, state="closed", pos_lon=None), a_case(3, state="closed")]
    checked = DOOR.check_local_rows("case", rows, NOTHING_KNOWN)
    assert checked.rows == [rows[0], rows[2], rows[3]]
    assert checked.warnings == 3
    assert [(w.place, w.key, w.detail.arguments[0]) for w in checked.warned] == [
        (2, '["case-2"]', "closed_has_time"),
        (2, '["case-2"]', "position_is_whole"),
        (3, '["case-3"]', "closed_has_time"),
    ]


def test_warnings_told_one_by_one_have_a_bound_and_all_are_counted() -> None:
    """The first rows' warnings are told."""
    rows = [a_case(i, state="closed") for i in range(WARNED_MAX + 20)]
    checked = DOOR.check_local_rows("case", rows, NOTHING_KNOWN)
    assert len(checked.rows) == checked.warnings == len(rows)
    assert [w.place for w in checked.warned] == list(range(WARNED_MAX))


def test_a_number_beyond_its_bounds_is_rejected() -> None:
    """Bounds are inclusive."""
    rows = [a_case(1, pos_lat=90.0), a_case(2, pos_lat=90.001), a_case(3, rework_count=-1), a_case(4, rework_count=0)]
    checked = DOOR.check_local_rows("case", rows, NOTHING_KNOWN)
    assert checked.rows == [rows[0], rows[3]]
    assert [r.detail for r in checked.rejects] == ["column 'pos_lat' is above 90.0", "column 'rework_count' is below 0"]
