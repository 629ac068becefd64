"""Rows out into a file, from a node that runs and from one that is stopped."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from node.exporting import pages, workbook
from tests.unit.cli.conftest import Call, Country
from tests.unit.cli.test_rows import REPORTED, case

WHERE = json.dumps({"column": "source_key", "op": "=", "value": "export"})


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few rows need several."""
    monkeypatch.setattr(pages, "PAGE_ROWS", 3)


@pytest.fixture
def filled(call: Call, country: Country) -> str:
    """The city's home, with ten cases of this test."""
    city = country.home("city")
    rows = [case(f"export-{n:02}", source_key="export", reporter_phone="13800000000") for n in range(10)]
    taken = [part for row in rows for part in ("--row", json.dumps(row))]
    told = call("--home", city, "put", "case", *taken, "--json").json
    assert told["accepted"] + told["unchanged"] == 10, told
    return city


def test_every_row_stands_once_and_in_order(call: Call, filled: str, tmp_path: Path) -> None:
    """Over several pages, with the columns asked for in the order asked for."""
    file = tmp_path / "cases.jsonl"
    columns = "case_id,_origin,supervised,reported_at"
    told = call(
        "--home", filled, "export", "case", "--output", str(file), "--filter", WHERE, "--columns", columns, "--json"
    ).json
    assert (told["rows"], told["format"], told["columns"]) == (10, "jsonl", columns.split(","))
    found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [one["case_id"] for one in found] == [f"export-{n:02}" for n in range(10)]
    assert list(found[0]) == columns.split(",")
    assert (found[0]["supervised"], found[0]["reported_at"]) == (True, REPORTED)


def test_who_exports_leaves_a_line_in_the_audit(call: Call, filled: str, tmp_path: Path) -> None:
    """It names what was handed out, and the chain stays whole beside the running node."""
    file = tmp_path / "cases.csv"
    call("--home", filled, "export", "case", "--output", str(file), "--columns", "case_id,state", "--filter", WHERE)
    events = call("--home", filled, "audit", "show", "--event", "rows_exported", "--json").json["events"]
    fields = events[-1]["fields"]
    assert (fields["dataset"], fields["columns"], fields["file"]) == ("case", "case_id,state", str(file))
    assert fields["by"]
    assert call("--home", filled, "audit", "verify", "--json").json["sound"]


def test_csv_on_stdout_with_titles(call: Call, filled: str) -> None:
    called = call(
        "--home", filled, "export", "case", "--filter", WHERE, "--columns", "case_id,division", "--titles", "zh"
    )
    table = list(csv.reader(called.out.splitlines()))
    assert table[0] == ["案件标识", "行政区划代码"]
    assert len(table) == 11


def test_columns_that_never_leave_stay_out_unless_asked_for(call: Call, filled: str, tmp_path: Path) -> None:
    """An export is made to be handed on; what was left out is said."""

    def exported(*options: str) -> tuple[dict[str, Any], list[str]]:
        file = tmp_path / f"{len(options)}.jsonl"
        told = call(
            "--home", filled, "export", "case", "--filter", WHERE, "--output", str(file), *options, "--json"
        ).json
        return told, list(json.loads(file.read_text("utf-8").splitlines()[0]))

    told, names = exported()
    assert told["left_out"]
    assert not set(told["left_out"]) & set(names)
    whole, names = exported("--held-back")
    assert whole["left_out"] == []
    assert set(told["left_out"]) < set(names)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--format", "docx"), "E1008"),
        (("--titles", "fr"), "E1008"),
        (("--format", "jsonl", "--bom"), "E1008"),
        (("--format", "xlsx", "--bom"), "E1008"),
        (("--columns", "case_id,case_id"), "E1008"),
        (("--filter", "{"), "E1012"),
        (("--columns", "nothing"), "E1903"),
    ],
)
def test_what_cannot_be_exported_leaves_no_file(
    call: Call, country: Country, tmp_path: Path, options: tuple[str, ...], code: str
) -> None:
    file = tmp_path / "out"
    called = call("--home", country.home("city"), "export", "case", "--output", str(file), *options, "--json")
    assert called.json["error"]["code"] == code
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_replaced_by_force_only(call: Call, filled: str, tmp_path: Path) -> None:
    file = tmp_path / "cases.csv"
    file.write_text("mine", "utf-8")
    command = ("--home", filled, "export", "case", "--output", str(file), "--json")
    assert call(*command).json["error"]["code"] == "E1208"
    assert file.read_text("utf-8") == "mine"
    assert call(*command, "--force").json["rows"] >= 10


def test_json_about_rows_on_stdout_is_refused(call: Call, filled: str) -> None:
    assert call("--home", filled, "export", "case", "--json").json["error"]["code"] == "E1008"


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_a_workbook_and_parquet_by_the_name_of_the_file(call: Call, filled: str, tmp_path: Path, kind: str) -> None:
    """Loaded again they change nothing: each row is as it was."""
    file, mapping = tmp_path / f"cases.{kind}", tmp_path / "same.toml"
    told = call(
        "--home", filled, "export", "case", "--held-back", "--filter", WHERE, "--output", str(file), "--json"
    ).json
    assert (told["format"], told["rows"]) == (kind, 10)
    rounded = {"pos_lon", "pos_lat"}
    lines = [
        f'{name} = {{ from = "{name}", strip = false{", round = 3" if name in rounded else ""} }}'
        for name in told["columns"]
    ]
    mapping.write_text(
        'name = "same"\ndataset = "case"\n[source]\ndates = ["iso"]\n[columns]\n' + "\n".join(lines), "utf-8"
    )
    counts = call("--home", filled, "load", "case", str(file), "--map", str(mapping), "--json").json
    assert (counts["unchanged"], counts["rejected"]) == (10, 0), counts


def test_more_rows_than_a_sheet_has_leave_no_file(
    call: Call, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "ROWS_MAX", 9)
    file = tmp_path / "cases.xlsx"
    called = call("--home", filled, "export", "case", "--filter", WHERE, "--output", str(file), "--json")
    assert called.json["error"]["code"] == "E1008"
    assert "10 rows do not fit" in called.json["error"]["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_what_is_no_text_does_not_go_to_stdout(call: Call, filled: str, kind: str) -> None:
    called = call("--home", filled, "export", "case", "--format", kind)
    assert (called.code, called.out) == (2, "")


def test_without_pyarrow_there_is_no_parquet_and_the_rest_goes_on(
    call: Call, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    command = ("--home", filled, "export", "case", "--json", "--output")
    called = call(*command, str(tmp_path / "cases.parquet"))
    assert "pyarrow" in called.json["error"]["message"]
    assert list(tmp_path.iterdir()) == []
    assert call(*command, str(tmp_path / "cases.csv")).code == 0


def test_a_template_is_filled_in_and_loaded(call: Call, country: Country, tmp_path: Path) -> None:
    """No mapping has to be written; a template that is there is not overwritten."""
    city, file = country.home("city"), tmp_path / "case.xlsx"
    names = call("--home", city, "template", "case", "-o", str(file), "--json").json["columns"]
    assert call("--home", city, "template", "case", "-o", str(file), "--json").json["error"]["code"] == "E1208"
    book = load_workbook(file)
    cells = {**case("template-1"), "category": "事件", "supervised": "是", "reported_at": "2026-11-22 08:00"}
    for name, value in cells.items():
        book.worksheets[0].cell(3, names.index(name) + 1).value = value
    book.save(file)
    called = call("--home", city, "load", "case", str(file), "--map", "template", "--json")
    assert called.code == 0, called
    wanted = json.dumps({"column": "case_id", "op": "=", "value": "template-1"})
    columns = "category,supervised,reported_at"
    called = call("--home", city, "export", "case", "--format", "jsonl", "--filter", wanted, "--columns", columns)
    assert json.loads(called.out) == {"category": "event", "supervised": True, "reported_at": REPORTED}


def test_a_template_lists_the_codes_that_the_node_has(call: Call, country: Country, tmp_path: Path) -> None:
    """Those in effect, with what they stand for in the language of the template."""
    row = {"table_name": "T1", "code": "0110", "table_version": 1, "name_zh": "暴露垃圾", "name_en": "exposed waste"}
    said = {**row, "is_extension": False, "status": "effective", "effective_on": "2026-01-01"}
    for one in (said, {**said, "code": "0111", "status": "draft"}):
        called = call("--home", country.home("nation"), "put", "class_code", "--row", json.dumps(one))
        assert called.code == 0, called
    file = tmp_path / "case.xlsx"
    options = ("--titles", "en", "-o", str(file), "--json")
    names = call("--home", country.home("nation"), "template", "case", *options).json["columns"]
    sheet, codes = load_workbook(file).worksheets
    place = names.index("class_code") + 1
    assert sheet.cell(1, place).value == "Class code"
    listed = [cell.value for cell in codes[sheet.cell(1, place).column_letter] if cell.value]
    assert any(text.startswith("0110 | exposed waste") for text in listed)
    assert not any(text.startswith("0111") for text in listed)


def test_what_is_rejected_comes_back_marked_in_the_same_file(call: Call, country: Country, tmp_path: Path) -> None:
    """The reason stands beside the row; corrected and handed in again, the old mark is gone and nothing is loaded
    twice. A file that is there is not overwritten, and then nothing is loaded."""
    city, file, back = country.home("city"), tmp_path / "in.xlsx", tmp_path / "back.xlsx"
    names = call("--home", city, "template", "case", "-o", str(file), "--json").json["columns"]

    def fill(path: Path, row: int, cells: dict[str, Any]) -> None:
        book = load_workbook(path)
        for name, value in cells.items():
            book.worksheets[0].cell(row, names.index(name) + 1).value = value
        book.save(path)

    def load(path: Path, marked: Path) -> Any:
        command = ("load", "case", str(path), "--map", "template", "--marked", str(marked), "--json")
        return call("--home", city, *command).json

    good = {**case("marked-1"), "supervised": "是", "reported_at": "2026-11-22 08:00"}
    for row, cells in enumerate(
        [good, {**good, "case_id": "marked-2", "state": "=odd"}, {**good, "case_id": "marked-3"}], 3
    ):
        fill(file, row, {**cells, "division": "330106"} if row == 5 else cells)
    counts = load(file, back)
    assert (counts["read"], counts["rejected"]) == (3, 2)
    sheet = load_workbook(back).worksheets[0]
    reasons = {row: sheet.cell(row, len(names) + 1).value for row in (3, 4, 5)}
    assert reasons[3] is None
    assert reasons[4]
    assert reasons[5]
    assert load(file, back)["error"]["code"] == "E1208"
    fill(back, 4, {"state": "handling"})
    counts = load(back, again := tmp_path / "again.xlsx")
    assert (counts["unchanged"], counts["rejected"]) == (1, 1)
    sheet = load_workbook(again).worksheets[0]
    assert [sheet.cell(row, len(names) + 1).value for row in (3, 4, 5)] == [None, None, reasons[5]]
    assert sheet.max_column == len(names) + 1
    fill(again, 5, {"division": "310000"})
    assert load(again, tmp_path / "none.xlsx")["rejected"] == 0
    assert not (tmp_path / "none.xlsx").exists()


def test_only_workbooks_are_marked(call: Call, country: Country, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("a,b\n", "utf-8")
    command = ("load", "case", str(file), "--map", "template", "--marked", str(tmp_path / "out.xlsx"), "--json")
    assert call("--home", country.home("city"), *command).json["error"]["code"] == "E1008"
