"""Excel workbooks (.xlsx), read row by row.

Before the first row the archive is looked through: a workbook is a zip of XML, and a small one may unpack to more than
any memory holds. What is stored must be what is meant: a number that has lost its digits, or a formula whose value
nobody worked out, makes no row.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError
from zoneinfo import ZoneInfo

from openpyxl import load_workbook
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.utils import get_column_letter

from node.faults import Code, UserFault
from node.loading.found import (
    COLUMNS_MAX,
    Found,
    Survey,
    Unreadable,
    as_asked,
    bad_heading,
    broken,
    heading_problem,
    unreadable,
)
from node.loading.mapping import Source
from node.loading.typed import text_of
from node.texts import N_, Text
from sync.limits import MIB
from sync.reasons import Reason

PARTS_MAX: Final = 10_000
UNPACKED_BYTES_MAX: Final = 2_048 * MIB
STRINGS_BYTES_MAX: Final = 256 * MIB
"""The table of texts, which is held in memory as a whole."""
PART_BYTES_MAX: Final = 16 * MIB
"""Any other part that is held in memory as a whole, such as the styles."""
ROW_BYTES_MAX: Final = 8 * MIB
ROWS_MAX: Final = 1_048_576
STRINGS_MAX: Final = 2_000_000
NUMBER_MAX: Final = 10**15
"""From here on Excel has put zeros in the place of digits."""

_SHEETS: Final = "xl/worksheets/"
_STRINGS: Final = "xl/sharedStrings.xml"
_MARKS: Final = re.compile(rb"<(?:\w+:)?(row|si|f)[\s/>]")
_CALCULATE: Final = re.compile(rb"""<(?:\w+:)?calcPr\b[^>]*\bfullCalcOnLoad\s*=\s*["'](?:1|true)["']""")
_MARK_BYTES: Final = 64
_PIECE_BYTES: Final = 1 * MIB
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What zipfile and openpyxl raise for archives that are no workbooks: there is no common error."""


class _BadCell(Exception):
    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def look_through(path: Path, raw: IO[bytes]) -> tuple[bool, bool]:
    """Whether the sheets hold formulas, and whether those are worked out.

    Raises UserFault FILE_UNREADABLE for what is broken, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(raw) as archive:
            parts = archive.infolist()
            problem = _too_much(parts)
            if problem is not None:
                raise unreadable(path, problem)
            # A sheet may be stored under any name: every part is looked at.
            formulas = sum(_has_formulas(path, archive, part) for part in parts if part.filename.endswith(".xml"))
            books = [
                part for part in parts if part.filename.endswith("workbook.xml") and part.file_size <= PART_BYTES_MAX
            ]
            # openpyxl takes it for granted where nothing is said.
            return formulas > 0, not any(_CALCULATE.search(archive.read(book)) for book in books)
    except _BROKEN as error:
        raise unreadable(path, str(error)) from error


def _too_much(parts: list[zipfile.ZipInfo]) -> Text | None:
    """Why an archive is not unpacked; the sizes it states are those that zipfile holds it to."""
    if len(parts) > PARTS_MAX:
        return Text(N_("the workbook has more than {most} parts"), most=PARTS_MAX)
    if sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
        return Text(N_("the workbook unpacks to more than {most} MiB"), most=UNPACKED_BYTES_MAX // MIB)
    for part in parts:
        most = STRINGS_BYTES_MAX if part.filename == _STRINGS else PART_BYTES_MAX
        is_held = part.filename.endswith((".xml", ".rels")) and not part.filename.startswith(_SHEETS)
        if is_held and part.file_size > most:
            return Text(
                N_("{part} in the workbook unpacks to more than {most} MiB"), part=part.filename, most=most // MIB
            )
    return None


def _has_formulas(path: Path, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Looks through a part: whole, and no row or text in it longer than what may be held at once. Raises UserFault."""
    seen = {b"row": 0, b"si": 0, b"f": 0}
    is_long = part.filename == _STRINGS or part.filename.startswith(_SHEETS)
    last, at, rest = 0, 0, b""
    with archive.open(part) as content:
        while piece := content.read(_PIECE_BYTES):
            text = rest + piece
            for mark in _MARKS.finditer(text):
                seen[mark[1]] += 1
                last = last if mark[1] == b"f" else at + mark.start()
            # A mark may be cut in two: its beginning is kept, and no mark is seen twice.
            opened = text.rfind(b"<", max(0, len(text) - _MARK_BYTES))
            keep = opened if opened >= 0 and not _MARKS.match(text, opened) else len(text)
            at, rest = at + keep, text[keep:]
            problem = _too_long(seen, at - last if is_long else 0)
            if problem is not None:
                raise unreadable(path, problem)
    return seen[b"f"] > 0


def _too_long(seen: dict[bytes, int], stretch: int) -> Text | None:
    if stretch > ROW_BYTES_MAX:
        row = max(seen[b"row"], seen[b"si"])
        return Text(N_("row {row} is longer than {most} MiB"), row=row, most=ROW_BYTES_MAX // MIB)
    if seen[b"row"] > ROWS_MAX:
        return Text(N_("a sheet has more than {most} rows"), most=ROWS_MAX)
    if seen[b"si"] > STRINGS_MAX:
        return Text(N_("the workbook has more than {most} texts: save the sheet as CSV"), most=STRINGS_MAX)
    return None


def records(at: Survey, raw: IO[bytes], source: Source, needs: frozenset[str] | None) -> Iterator[Found | Unreadable]:
    """The rows below the heading. Raises UserFault FILE_HEADER, or FILE_UNREADABLE for a broken workbook."""
    rows = _rows(at, raw, source)
    cells = next((cells for number, cells, _ in rows if number == source.header), ())
    names = [str(cell.value).strip() if cell.value is not None else "" for cell in cells]
    while names and not names[-1]:
        names.pop()
    names = as_asked(names, needs or ())
    problem = heading_problem([name for name in names if name], needs or ())
    if len(names) > COLUMNS_MAX:
        problem = Text(N_("the header has more than {most} columns"), most=COLUMNS_MAX)
    if problem is not None:
        raise bad_heading(at.path, problem)
    columns = [(place, name, needs is not None and name in needs) for place, name in enumerate(names) if name]
    zone = ZoneInfo(source.time_zone)
    for number, cells, formulas in rows:
        if any(cell.value not in (None, "") for cell in (*cells, *formulas)):
            yield _record(number, cells, formulas, columns, zone)


def _record(
    number: int, cells: Any, formulas: Any, columns: list[tuple[int, str, bool]], zone: dt.tzinfo
) -> Found | Unreadable:
    record: dict[str, str | None] = {}
    for place, name, needed in columns:
        try:
            record[name] = _text(cells, formulas, place, zone)
        except _BadCell as bad:
            if needed:
                detail = Text(bad.problem, cell=f"{get_column_letter(place + 1)}{number}")
                return Unreadable(number, Reason.WRONG_TYPE, detail)
            record[name] = None
    return Found(number, record)


def _text(cells: Any, formulas: Any, place: int, zone: dt.tzinfo) -> str | None:
    """The text of a cell. Raises _BadCell."""
    cell = cells[place] if place < len(cells) else EMPTY_CELL
    value = cell.value
    is_formula = place < len(formulas) and formulas[place].data_type == "f"
    if cell.data_type == "f" or (is_formula and value is None):
        raise _BadCell(N_("cell {cell} holds a formula without a stored value; paste it as a value"))
    if value is None:
        return None
    if cell.data_type == "e":
        raise _BadCell(N_("cell {cell} holds an error value"))
    if isinstance(value, float):
        if abs(value) >= NUMBER_MAX:
            raise _BadCell(N_("cell {cell} holds a number of more than 15 digits, which Excel cuts; enter it as text"))
        value = float(format(value, ".15g"))
    try:
        return text_of(value, zone)
    except TypeError:
        raise _BadCell(N_("cell {cell} is of a kind that no column takes, such as a span of time")) from None


def _rows(at: Survey, raw: IO[bytes], source: Source) -> Iterator[tuple[int, Any, Any]]:
    """(number, cells with their values, the same with their formulas where the workbook has any). Raises UserFault."""
    with warnings.catch_warnings():
        # Of parts that openpyxl does not read, such as drawings; nothing of a row is among them.
        warnings.filterwarnings("ignore", module="openpyxl")
        try:
            values, formulas = _views(at, raw, source)
            yield from ((n, *both) for n, both in enumerate(zip_longest(values, formulas, fillvalue=()), 1))
        except _BROKEN as error:
            raise broken(at.path, str(error)) from error


def _views(at: Survey, raw: IO[bytes], source: Source) -> tuple[Iterator[Any], Iterator[Any]]:
    """The rows of the sheet: stored values, and formulas where they must be told apart.

    Whoever asks for everything to be worked out at opening has not done so: then only the formulas are looked at.
    """
    book = _book(raw, values=not at.has_formulas)
    if not (at.has_formulas and at.worked_out):
        return _sheet(at.path, book, source), iter(())
    return _sheet(at.path, _book(raw, values=True), source), _sheet(at.path, book, source)


def _book(raw: IO[bytes], *, values: bool) -> Any:
    return load_workbook(raw, read_only=True, data_only=values, keep_links=False)


def _sheet(path: Path, book: Any, source: Source) -> Iterator[Any]:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    chosen = [s for s in sheets.values() if (s.title == source.sheet if source.sheet else s.sheet_state == "visible")]
    if len(chosen) != 1:
        raise _no_sheet(path, source.sheet, list(sheets))
    # What a sheet says of its own size may be wrong, and then rows would be cut off.
    chosen[0].reset_dimensions()
    rows: Iterator[Any] = chosen[0].iter_rows(max_row=ROWS_MAX)
    return rows


def _no_sheet(path: Path, wanted: str, known: list[str]) -> UserFault:
    todo = N_("Say which sheet is meant: `--sheet`, or `sheet` in [source] of the mapping.")
    if wanted:
        message = N_("'{file}' has no sheet '{sheet}'; it has: {known}.")
    else:
        message = N_("'{file}' does not have exactly one visible sheet; it has: {known}.")
    return UserFault(Code.FILE_HEADER, message, todo, file=path, sheet=wanted, known=", ".join(known))
