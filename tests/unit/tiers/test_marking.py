"""What a receiver asks of a row by itself: the declared checks on the columns it was given, and extension codes."""

from __future__ import annotations

from sync.values import Cell, Row
from tests.unit.tiers.kit import CATALOGUE
from tiers.catalogue import Catalogue
from tiers.marking import CODE_UNKNOWN, CONTRADICTS, KINDS, OUT_OF_RANGE, Marker, issue_id

CASE = CATALOGUE.datasets["case"]
EVERYTHING = CASE.schema.names
SITE = """
[dataset.x_pump]
version = 1
zh = "a"
en = "a"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["on_change"]
owner = ["city"]
key = ["id"]
fields = [
  { name = "id", type = "text", length = 9, nullable = false, zh = "a", en = "a" },
  { name = "level", type = "integer", zh = "a", en = "a" },
]
checks = [
  { name = "not_dry", severity = "warn", rule = { column = "level", op = ">", value = 0 }, zh = "缺水", en = "is dry" },
]
"""


def row(**cells: Cell) -> Row:
    return tuple(cells.get(name) for name in EVERYTHING)


WRONG = row(case_id="1", state="closed", dispatched_at=2, handled_at=1)


def test_the_checks_that_a_row_breaks_are_told_with_what_they_are_about() -> None:
    found = Marker(CASE, EVERYTHING, KINDS).flaws(WRONG)
    assert {flaw.rule for flaw in found} == {"check:handled_after_dispatched", "check:closed_has_time"}
    assert {(flaw.kind, flaw.column) for flaw in found} == {(CONTRADICTS, "")}
    assert not Marker(CASE, EVERYTHING, KINDS).flaws(row(case_id="1", state="handling"))


def test_a_check_about_one_column_is_about_its_range() -> None:
    pump = Catalogue.build([], [("site.toml", SITE)]).datasets["x_pump"]
    (flaw,) = Marker(pump, pump.schema.names, KINDS).flaws(("p", 0))
    assert (flaw.kind, flaw.column, flaw.said) == (OUT_OF_RANGE, "level", "缺水 / is dry")
    assert not Marker(pump, pump.schema.names, [CONTRADICTS]).flaws(("p", 0))


def test_a_column_that_was_not_published_here_is_not_asked() -> None:
    """It is empty at the receiver, whatever it is at its owner."""
    held = set(EVERYTHING) - {"closed_at"}
    assert [flaw.rule for flaw in Marker(CASE, held, KINDS).flaws(WRONG)] == ["check:handled_after_dispatched"]


def test_extension_codes_are_found_by_the_row_alone() -> None:
    local = row(case_id="1", class_scheme="local:330100", class_code="7")
    (one,) = Marker(CASE, EVERYTHING, KINDS).extensions(local)
    assert (one.table, one.code, one.flaw.kind) == ("local:330100", "7", CODE_UNKNOWN)
    assert not Marker(CASE, EVERYTHING, KINDS).extensions(row(case_id="1", class_scheme="GB", class_code="0110"))
    assert not Marker(CASE, EVERYTHING, [CONTRADICTS]).extensions(local)
    assert not Marker(CASE, {"case_id", "class_code"}, KINDS).extensions(local), "its table is not known here"


def test_an_issue_has_one_id_for_one_rule_and_record() -> None:
    ids = {
        issue_id("330000", dataset, origin, rule, key)
        for dataset in ("case", "component")
        for origin in ("a", "b")
        for rule in ("check:x", "check:y")
        for key in ("", '["1"]')
    }
    assert len(ids) == 16
    assert all(len(one) <= 64 for one in ids)
