"""Statistics and deadlines as a person asks for them."""

from __future__ import annotations

from pathlib import Path

from openpyxl import load_workbook

from tests.unit.cli.conftest import Call, Country


def test_what_is_counted_is_listed(call: Call, country: Country) -> None:
    """Both languages; what cannot be asked for is told with what can."""
    city = country.home("city")
    found = call("--home", city, "rollup", "list", "--json").json["rollups"]
    assert {one["dataset"]: one["source"] for one in found} == {
        "case_stat": "case",
        "component_stat": "component",
        "operation_vitals_stat": "operation_vitals",
        "task_stat": "task",
    }
    assert "案件统计" in call("--home", city, "--lang", "zh", "rollup", "list").out
    wrong = call("--home", city, "rollup", "show", "case", "--json").json["error"]
    assert wrong["code"] == "E1008"
    assert "case_stat" in str(wrong)


def test_periods_that_cannot_be_are_refused(call: Call, country: Country) -> None:
    """Not written like one, of another cadence, not over yet."""
    city = country.home("city")
    for period in ("2026-3-2", "2026Q1", "9999-01-01"):
        called = call("--home", city, "rollup", "run", "case_stat", "--period", period, "--json")
        assert called.json["error"]["code"] == "E1008", period
    assert call("--home", city, "rollup", "run", "--period", "2026-03-02", "--json").code != 0


def test_a_dry_run_writes_nothing_and_show_says_how_far_a_period_is(call: Call, country: Country) -> None:
    """The day before the nodes joined nothing was expected of them; the nation waits for nobody then."""
    city, nation = country.home("city"), country.home("nation")
    dry = call("--home", city, "rollup", "run", "case_stat", "--dry-run", "--json").json
    assert dry["dry_run"]
    assert call("--home", city, "rollup", "run", "--dry-run").err.endswith("Nothing was written.\n")
    shown = call("--home", nation, "rollup", "show", "case_stat", "--period", "2026-01-01", "--json").json
    (period,) = shown["periods"]
    assert period["here"]["state"] == "not_worked_out"
    assert period["below"] == []
    assert "not worked out yet" in call("--home", nation, "rollup", "show", "case_stat").out


def test_dues_are_listed_and_nobody_is_reminded_of_what_nobody_owes(call: Call, country: Country) -> None:
    nation = country.home("nation")
    found = call("--home", nation, "due", "list", "--overdue", "--json").json
    assert found == {"items": [], "scores": [], "reminders": []}
    assert call("--home", nation, "due", "remind", "case_stat", "--json").json["reminded"] == []
    assert "none" in call("--home", nation, "due", "list").out
    for arguments in (("remind", "case"), ("position", "case_stat", "2026-01-01"), ("list", "--month", "2026")):
        assert call("--home", nation, "due", *arguments, "--json").json["error"]["code"] == "E1008", arguments


def test_the_notice_is_a_workbook_in_the_language_of_the_call(call: Call, country: Country, tmp_path: Path) -> None:
    """A file that is there is kept unless it may be replaced."""
    nation, zh, en = country.home("nation"), tmp_path / "zh.xlsx", tmp_path / "en.xlsx"
    assert call("--home", nation, "--lang", "zh", "due", "notice", "2026-03", "-o", str(zh)).code == 0
    call("--home", nation, "due", "notice", "2026-03", "-o", str(en))
    assert load_workbook(zh).worksheets[0]["A1"].value == "联网通报（2026-03）"
    assert load_workbook(en).sheetnames == ["Overview", "Items", "Links"]
    assert call("--home", nation, "due", "notice", "2026-03", "-o", str(zh)).code != 0
    assert call("--home", nation, "due", "notice", "2026-03", "-o", str(zh), "--force").code == 0
