"""A workbook for people to read and print: lead lines, then a table, on each sheet. No text is a formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from node.exporting.workbook import TEXT_MAX
from node.storable import visible

_WIDTH_MIN, _WIDTH_MAX = 10, 50
Shown = str | int | float | None
_SHARE = "0.0%"


class Sheet(NamedTuple):
    """shares: places of the columns whose numbers are shown as per cent."""

    name: str
    lead: Sequence[str]
    heads: Sequence[str]
    rows: Iterable[Sequence[Shown]]
    shares: frozenset[int] = frozenset()


def write_sheets(out: BinaryIO, sheets: Sequence[Sheet]) -> None:
    """The workbook, sheets in order."""
    book = Workbook()
    made = book.worksheets[0]
    for place, sheet in enumerate(sheets):
        target = made if place == 0 else book.create_sheet()
        target.title = sheet.name[:31]
        _fill(target, sheet)
    book.save(out)


def _fill(target: Worksheet, sheet: Sheet) -> None:
    for number, line in enumerate(sheet.lead, start=1):
        _put(target, number, 1, line, bold=number == 1)
    first = len(sheet.lead) + 1
    widths = [_wide(head) for head in sheet.heads]
    for column, head in enumerate(sheet.heads, start=1):
        _put(target, first, column, head, bold=True)
    target.freeze_panes = f"A{first + 1}"
    for number, row in enumerate(sheet.rows, start=first + 1):
        for place, value in enumerate(row):
            _put(target, number, place + 1, value, share=place in sheet.shares)
            widths[place] = max(widths[place], _wide(value))
    for column, width in enumerate(widths, start=1):
        target.column_dimensions[get_column_letter(column)].width = min(max(width, _WIDTH_MIN), _WIDTH_MAX)


def _put(target: Worksheet, row: int, column: int, value: Shown, *, bold: bool = False, share: bool = False) -> None:
    cell = target.cell(row, column)
    if isinstance(value, str):
        cell.value = visible(value)[:TEXT_MAX]
        cell.data_type = "s"
        cell.alignment = Alignment(vertical="top")
    elif value is not None:
        cell.value = value
        if share:
            cell.number_format = _SHARE
    if bold:
        cell.font = Font(bold=True)


def _wide(value: Shown) -> int:
    """Chinese letters are as wide as two others."""
    text = "" if value is None else str(value)
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text) + 2
