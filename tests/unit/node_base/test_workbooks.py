"""Excel workbooks: typed cells go through the same door as texts, and what is not what it seems makes no row."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from node.faults import Code, UserFault
from node.loading import workbooks
from node.loading.load import Loader, Report
from node.texts import translator
from sync.limits import MIB
from tests.unit.node_base import kit
from tests.unit.node_base.fakes import ListSink

ALL = "\n".join(
    f'{name} = "{name}"' for name in ("id", "name", "count", "amount", "lon", "open", "day", "at", "note")
).replace('lon = "lon"', 'lon = { from = "lon", round = 3 }')
TEN = dt.datetime(2026, 3, 1, 10, 0, 0)  # noqa: DTZ001 - Excel knows no zones


def _bytes(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(*rows: tuple[Any, ...]) -> Workbook:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    return book


def _changed(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """A workbook with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in given.namelist():
            text = given.read(name)
            if name == part:
                assert old in text
                text = text.replace(old, new)
            made.writestr(name, text)
    return out.getvalue()


def _run(
    folder: Path, book: Workbook | bytes, columns: str = kit.COLUMNS, head: str = ""
) -> tuple[Report, list[dict[str, object]]]:
    content = book if isinstance(book, bytes) else _bytes(book)
    made, sink = kit.converter(columns, head), ListSink()
    report = kit.loader(folder, content, made, "in.xlsx").run(sink)
    names = made.dataset.schema.names
    return report, [{n: c for n, c in zip(names, row, strict=True) if c is not None} for row in sink.rows()]


def _told(report: Report) -> list[tuple[int, str]]:
    return [(reject.line, reject.detail.say(translator("en"))) for reject in report.rejects]


def _fault(folder: Path, content: bytes, head: str = "", name: str = "in.xlsx") -> tuple[Code, str]:
    with pytest.raises(UserFault) as met:
        kit.loader(folder, content, kit.converter(kit.COLUMNS, head), name).run(ListSink())
    return met.value.code, met.value.message.say(translator("en"))


def test_typed_cells_become_cells_of_the_dataset(tmp_path: Path) -> None:
    """Numbers, dates, booleans and texts; an empty cell is empty, an empty row no row."""
    book = _sheet(
        ("id", "name", "count", "amount", "lon", "open", "day", "at", "note"),
        (330106, " 井盖 ", 5.0, 12.5, 120.12345, True, dt.date(2026, 3, 1), TEN, "=1+1 as text"),
        (),
        ("b", None, None, "0.10", "120.1", "否", "2026-03-02", "2026-03-01 10:00:00", TEN),
    )
    book.active["I2"].data_type = "s"
    report, rows = _run(tmp_path, book, ALL)
    assert (report.format, report.encoding, report.counts.read) == ("xlsx", "", 2)
    at = 1_772_330_400_000_000
    one = {"count": 5, "amount": "12.5", "lon": 120.123, "open": True, "day": "2026-03-01", "at": at}
    assert rows[0] == {"id": "330106", "name": "井盖", **one, "note": "=1+1 as text"}
    other = {"amount": "0.10", "lon": 120.1, "open": False, "day": "2026-03-02", "at": at}
    assert rows[1] == {"id": "b", **other, "note": "2026-03-01T10:00:00"}


@pytest.mark.parametrize("from_1904", [False, True])
def test_date_cells_know_their_calendar(from_1904: bool, tmp_path: Path) -> None:
    """Both calendars of Excel give the same day; the date formats of the mapping are for texts, not for them."""
    book = Workbook()
    if from_1904:
        book.epoch = CALENDAR_MAC_1904
    for row in (("id", "at"), ("a", TEN), ("b", "01/03/2026")):
        book.active.append(row)
    head = '[source]\ndates = ["%d/%m/%Y"]'
    _, rows = _run(tmp_path, book, 'id = "id"\nat = "at"\nday = "at"', head)
    assert [row["day"] for row in rows] == ["2026-03-01", "2026-03-01"]
    assert rows[0]["at"] == 1_772_330_400_000_000


def test_bare_day_numbers_are_dates_only_where_the_mapping_says_so(tmp_path: Path) -> None:
    """A number in a date column is rejected with its place; `dates = excel` reads it."""
    book = _sheet(("id", "at"), ("a", 46082.416666666664))
    columns = 'id = "id"\nat = "at"'
    assert _told(_run(tmp_path, book, columns)[0]) == [
        (2, "column 'at': '46082.4166666667' fits no date format of the mapping: iso")
    ]
    _, rows = _run(tmp_path, book, columns, '[source]\ndates = ["excel"]')
    assert rows[0]["at"] == 1_772_330_400_000_000
    _, rows = _run(tmp_path, book, columns, '[source]\ndates = ["excel_1904"]')
    assert rows[0]["at"] == 1_772_330_400_000_000 + 1_462 * 86_400_000_000


def test_a_formula_counts_as_its_stored_value_if_it_has_one(tmp_path: Path) -> None:
    """Without one, or with one that nobody worked out, the row is rejected with its cell; its neighbours are in."""
    book = _sheet(("ID", "A", "N", "x"), ("a", "n", "=1+1", "=2"), ("b", "n", "=1/0", ""), ("c", "n", 3, "=NOW()"))
    fresh = _changed(_bytes(book), "xl/workbook.xml", b'fullCalcOnLoad="1"', b'fullCalcOnLoad="0"')
    worked_out = _changed(fresh, "xl/worksheets/sheet1.xml", b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>")
    report, rows = _run(tmp_path, worked_out)
    missing = "holds a formula without a stored value; paste it as a value"
    assert (rows[0]["id"], rows[0]["count"], rows[1]["id"]) == ("a", 2, "c")
    assert _told(report) == [(3, f"cell C3 {missing}")]
    unsure = _changed(worked_out, "xl/workbook.xml", b'fullCalcOnLoad="0"', b'fullCalcOnLoad="1"')
    report, rows = _run(tmp_path, unsure)
    assert ([row["id"] for row in rows], _told(report)[0]) == (["c"], (2, f"cell C2 {missing}"))


def test_cells_that_hold_no_value_reject_their_row(tmp_path: Path) -> None:
    """Errors, numbers that have lost digits, spans of time; in a column that nobody asks for they do no harm."""
    book = _sheet(("ID", "A", "N", "x"), ("a", "#REF!", 1, "#N/A"), (1.2345678901234567e18, "n", 1), ("c", "n", 1))
    book.active["B2"].data_type = book.active["D2"].data_type = "e"
    book.active.append(("d", dt.timedelta(hours=30), 1))
    book.active.append(("e", "n", 1, "#N/A"))
    report, rows = _run(tmp_path, book)
    assert [row["id"] for row in rows] == ["c", "e"]
    assert _told(report) == [
        (2, "cell B2 holds an error value"),
        (3, "cell A3 holds a number of more than 15 digits, which Excel cuts; enter it as text"),
        (5, "cell B5 is of a kind that no column takes, such as a span of time"),
    ]


def test_the_sheet_is_the_visible_one_or_the_one_that_is_named(tmp_path: Path) -> None:
    """A hidden sheet is read only when it is named; several visible ones are asked about."""
    book = _sheet(("ID", "A", "N"), ("a", "n", 1))
    hidden = book.create_sheet("隐藏")
    hidden.append(("ID", "A", "N"))
    hidden.append(("h", "n", 1))
    hidden.sheet_state = "hidden"
    assert [row["id"] for row in _run(tmp_path, book)[1]] == ["a"]
    assert [row["id"] for row in _run(tmp_path, book, head='[source]\nsheet = "隐藏"')[1]] == ["h"]
    book.create_sheet("more")
    code, said = _fault(tmp_path, _bytes(book))
    assert (code, said) == (
        Code.FILE_HEADER,
        f"'{tmp_path / 'in.xlsx'}' does not have exactly one visible sheet; it has: Sheet, 隐藏, more.",
    )
    assert "has no sheet 'no'" in _fault(tmp_path, _bytes(book), '[source]\nsheet = "no"')[1]
    made = kit.three()
    named = Loader(tmp_path / "in.xlsx", made, kit.everything, replace(made.mapping.source, sheet="Sheet"))
    assert named.run(ListSink()).counts.taken == 1
    assert named.load_id != Loader(tmp_path / "in.xlsx", made, kit.everything).load_id


def test_the_heading_may_stand_further_down(tmp_path: Path) -> None:
    """Titles above it are passed over; rows keep the numbers that Excel shows."""
    book = _sheet(("案件统计表",), (), ("ID", "A", "N", None, "x"), ("a", "n", 1, "aside"), ("b", "n", "many"))
    report, rows = _run(tmp_path, book, head="[source]\nheader = 3")
    assert [row["id"] for row in rows] == ["a"]
    assert _told(report) == [(5, "column 'count': 'many' is not integer")]
    assert "the header lacks: A, ID, N" in _fault(tmp_path, _bytes(book))[1]
    assert "holds no column names" in _fault(tmp_path, _bytes(book), "[source]\nheader = 900")[1]


def test_columns_are_bounded(tmp_path: Path) -> None:
    """10,000 columns are no table of records."""
    book = _sheet(("ID", "A", "N", *(f"c{n}" for n in range(10_000))), ("a", "n", 1))
    assert _fault(tmp_path, _bytes(book)) == (
        Code.FILE_HEADER,
        f"'{tmp_path / 'in.xlsx'}': the header has more than 2000 columns.",
    )


def _archive(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in parts.items():
            made.writestr(name.replace("__", "/"), text)
    return out.getvalue()


def test_small_archives_that_unpack_to_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what they say of themselves, before anything is unpacked; and a sheet by its longest row."""
    styles = _archive(**{"xl__styles.xml": b" " * (17 * MIB)})
    assert len(styles) < 100_000
    assert "unpacks to more than 16 MiB" in _fault(tmp_path, styles)[1]
    row = _archive(**{"xl__worksheets__sheet1.xml": b"<sheetData><row>" + b"<c/>" * (3 * MIB)})
    assert "row 1 is longer than 8 MiB" in _fault(tmp_path, row)[1]
    monkeypatch.setattr(workbooks, "ROWS_MAX", 1_000)
    rows = _archive(**{"xl__worksheets__sheet1.xml": b"<sheetData>" + b"<row/>" * 1_001})
    assert "more than 1000 rows" in _fault(tmp_path, rows)[1]
    monkeypatch.setattr(workbooks, "STRINGS_MAX", 1_000)
    texts = _archive(**{"xl__sharedStrings.xml": b"<sst>" + b"<si/>" * 1_001})
    assert "more than 1000 texts" in _fault(tmp_path, texts)[1]
    one = _archive(**{"xl__sharedStrings.xml": b"<sst><si>" + b"<r/>" * (3 * MIB)})
    assert "is longer than 8 MiB" in _fault(tmp_path, one)[1]
    monkeypatch.setattr(workbooks, "UNPACKED_BYTES_MAX", 1 * MIB)
    assert "unpacks to more than 1 MiB" in _fault(tmp_path, row)[1]


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    """XML that defines its own words is no workbook."""
    laughs = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><worksheet '
    content = _changed(_bytes(_sheet(("ID", "A", "N"))), "xl/worksheets/sheet1.xml", b"<worksheet ", laughs)
    assert _fault(tmp_path, content)[0] is Code.FILE_UNREADABLE


def test_what_is_no_workbook_says_so(tmp_path: Path) -> None:
    """Cut short, of another kind, an old .xls, or a workbook that is read as CSV."""
    good = _bytes(_sheet(("ID", "A", "N"), ("a", "n", 1)))
    assert _fault(tmp_path, good[: len(good) // 2])[0] is Code.FILE_UNREADABLE
    assert "it is not an Excel workbook" in _fault(tmp_path, b"ID,A,N\n")[1]
    assert "save it as .xlsx" in _fault(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1")[1]
    assert "read with --format xlsx" in _fault(tmp_path, good, name="in.csv")[1]
    damaged = _changed(good, "xl/worksheets/sheet1.xml", b"</sheetData>", b"</sheetDat>")
    assert _fault(tmp_path, damaged)[0] is Code.FILE_UNREADABLE
    assert _fault(tmp_path, _archive(x=b"x"))[0] is Code.FILE_UNREADABLE


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
AS_EXCEL_WRITES = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
    f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPE}.worksheet+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{TYPE}.sharedStrings+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="案件" sheetId="1" r:id="rId1"/></sheets><calcPr calcId="191029"/></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
    f'Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
    "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>ID</t></si><si><t>A</t></si><si><t>N</t></si>'
    "<si><r><t>井</t></r><r><rPr><b/></rPr><t>盖</t></r></si></sst>",
    "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><dimension ref="A1:A1"/><sheetData>'
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row>'
    '<row r="2"><c r="A2"><v>7</v></c><c r="B2" t="s"><v>3</v></c><c r="C2"><f>1+1</f><v>2</v></c></row>'
    '<row r="5"><c r="A5" t="str"><f>"x"&amp;1</f><v>x1</v></c><c r="C5"><v>1E1</v></c></row>'
    "</sheetData></worksheet>",
}


def test_a_workbook_as_excel_writes_it(tmp_path: Path) -> None:
    """Shared texts, also in several fonts; rows and cells left out; a wrong size; formulas that are worked out."""
    parts = {name: text.encode() for name, text in AS_EXCEL_WRITES.items()}
    report, rows = _run(tmp_path, _archive(**parts))
    assert not _told(report)
    assert rows == [{"id": "7", "name": "井盖", "count": 2}, {"id": "x1", "count": 10}]
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(
        b'r="5"><c r="A5"', b'r="9"><c r="A9"'
    )
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(b"<v>x1</v>", b"")
    report, _ = _run(tmp_path, _archive(**parts))
    assert _told(report) == [(9, "cell A9 holds a formula without a stored value; paste it as a value")]


def test_formulas_are_seen_under_any_name() -> None:
    """A sheet need not be stored where sheets usually are."""
    odd = _archive(**{"odd__place.xml": b"<row><c><f>1</f></c></row>"})
    assert workbooks.look_through(Path("x"), io.BytesIO(odd)) == (True, True)


@pytest.mark.parametrize("cut", range(60))
def test_marks_are_counted_wherever_a_piece_ends(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and formulas are seen however a sheet is cut into pieces."""
    monkeypatch.setattr(workbooks, "_PIECE_BYTES", cut + 1)
    monkeypatch.setattr(workbooks, "ROWS_MAX", 2)
    text = b'<sheetData><row r="1"><c><f>1</f></c></row><x:row r="2"/></sheetData>'
    assert workbooks.look_through(Path("x"), io.BytesIO(_archive(**{"xl__worksheets__s.xml": text})))[0]
    monkeypatch.setattr(workbooks, "ROWS_MAX", 1)
    with pytest.raises(UserFault):
        workbooks.look_through(Path("x"), io.BytesIO(_archive(**{"xl__worksheets__s.xml": text})))
