"""Templates: what a county fills in is loaded without a mapping of its own, and Excel eats no zero of a code."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from node.exporting.template import CODES, write_template
from node.loading.convert import Converter, bind
from node.loading.mapping import parse
from node.loading.template import mapping_text
from tests.unit.node_base.fakes import ListSink
from tests.unit.node_base.kit import catalogue, loader, no_files, small
from tiers.dataset import Dataset

NAMES = small().schema.names


def made(dataset: Dataset) -> Workbook:
    out = io.BytesIO()
    write_template(out, dataset)
    return load_workbook(out)


def mapping(dataset: Dataset) -> Converter:
    return bind("template", parse("template", mapping_text(dataset, "Asia/Shanghai"), no_files), dataset)


def filled(*rows: dict[str, Any]) -> bytes:
    """The template as somebody would hand it in."""
    book = made(small())
    sheet = book.worksheets[0]
    for number, cells in enumerate(rows, start=3):
        for name, value in cells.items():
            sheet.cell(number, NAMES.index(name) + 1).value = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_filled_template_is_loaded_as_it_was_meant(tmp_path: Path) -> None:
    """Words of the lists or codes, dates as people write them or as Excel makes them; a row that is wrong is told by
    its place on the sheet."""
    content = filled(
        {"id": "001", "kind": "甲", "open": "是", "day": "2026/11/22", "at": "2026-11-22 08:00", "amount": "1.50"},
        {"id": "002", "kind": "b", "open": "否", "day": dt.date(2026, 11, 22), "count": 7, "lon": 120.1234},
        {"id": "003", "count": "seven"},
    )
    sink = ListSink()
    report = loader(tmp_path, content, mapping(small()), "in.xlsx").run(sink)
    first, second = (dict(zip(NAMES, row, strict=True)) for row in sink.rows())
    assert (first["id"], first["kind"], first["open"], first["day"]) == ("001", "a", True, "2026-11-22")
    assert (first["at"], first["amount"], first["note"]) == (1_795_305_600_000_000, "1.50", None)
    assert (second["kind"], second["open"], second["day"], second["count"]) == ("b", False, "2026-11-22", 7)
    assert second["lon"] == 120.123
    assert [reject.line for reject in report.rejects] == [5]


def test_the_sheet_says_what_goes_where() -> None:
    """Headings in Chinese with a note; own names in a hidden row; lists to choose from; text columns are text."""
    book = made(small())
    sheet, codes = book.worksheets
    assert (sheet.title, sheet.sheet_state, codes.title, codes.sheet_state) == ("x_small", "visible", CODES, "hidden")
    assert [cell.value for cell in sheet[2]] == list(NAMES)
    assert sheet.row_dimensions[2].hidden
    heads = dict(zip(NAMES, sheet[1], strict=True))
    assert (heads["id"].value, heads["name"].value) == ("标识 *", "名称")
    assert all(cell.comment is not None for cell in sheet[1])
    formats = {name: sheet.column_dimensions[cell.column_letter].number_format for name, cell in heads.items()}
    assert {name for name, form in formats.items() if form != "@"} == {"count", "lon", "secret_count"}
    rules = {str(rule.sqref): rule.formula1 for rule in sheet.data_validations.dataValidation}
    kind, is_open = heads["kind"].column_letter, heads["open"].column_letter
    assert rules == {
        f"{kind}3:{kind}1048576": f"{CODES}!${kind}$1:${kind}$2",
        f"{is_open}3:{is_open}1048576": f"{CODES}!${is_open}$1:${is_open}$2",
    }
    assert [codes[f"{kind}{row}"].value for row in (1, 2)] == ["甲", "乙"]


def test_a_template_in_english_is_read_by_the_same_mapping(tmp_path: Path) -> None:
    """Headings, notes and lists in English; nobody has to say in which language it was made."""
    out = io.BytesIO()
    write_template(out, small(), "en")
    book = load_workbook(out)
    sheet, codes = book.worksheets
    assert (sheet["A1"].value, sheet["B1"].value) == ("id *", "division")
    column = sheet.cell(1, NAMES.index("open") + 1).column_letter
    assert [codes[f"{column}{row}"].value for row in (1, 2)] == ["Yes", "No"]
    for name, value in {"id": "001", "open": "Yes", "kind": "b"}.items():
        sheet.cell(3, NAMES.index(name) + 1).value = value
    book.save(tmp_path / "in.xlsx")
    sink = ListSink()
    loader(tmp_path, (tmp_path / "in.xlsx").read_bytes(), mapping(small()), "in.xlsx").run(sink)
    (row,) = (dict(zip(NAMES, one, strict=True)) for one in sink.rows())
    assert (row["open"], row["kind"]) == (True, "b")


def test_codes_of_tables_are_chosen_from_and_others_may_be_typed(tmp_path: Path) -> None:
    """What stands behind a code is for people; a code of an own table is no mistake of the sheet."""
    case = catalogue().datasets["case"]
    out = io.BytesIO()
    write_template(out, case, "zh", {"class_code": ["0110 | 暴露垃圾", "0111 | 积存垃圾"]})
    book = load_workbook(out)
    sheet, codes = book.worksheets
    names = list(case.schema.names)
    column = sheet.cell(1, names.index("class_code") + 1).column_letter
    (rule,) = (r for r in sheet.data_validations.dataValidation if str(r.sqref).startswith(f"{column}3:"))
    assert (rule.formula1, bool(rule.showErrorMessage)) == (f"{CODES}!${column}$1:${column}$2", False)
    assert codes[f"{column}1"].value == "0110 | 暴露垃圾"
    converter = mapping(case)
    place = names.index("class_code")
    needed = {"case_id": "1", "category": "事件", "source": "其他", "division": "330106", "state": "结案"}
    record = {**dict.fromkeys(names), **needed, "reported_at": "2026-03-01 08:00", "supervised": "否"}
    for typed, code in (("0110 | 暴露垃圾", "0110"), ("0111", "0111"), ("A 12", "A 12")):
        assert converter.row({**record, "class_code": typed}, "")[place] == code


@pytest.mark.parametrize("name", sorted(catalogue().datasets))
def test_every_dataset_has_its_template_and_its_mapping(name: str) -> None:
    dataset = catalogue().datasets[name]
    assert mapping(dataset).needs == set(dataset.schema.names)
    assert [cell.value for cell in made(dataset).worksheets[0][2]] == list(dataset.schema.names)
