"""An Excel workbook of one sheet, written row by row.

Texts, codes, decimals, dates and moments are cells of the kind text: Excel runs none as a formula, takes no leading
zero away and turns nothing into a date of its own. Numbers of more than 15 digits are texts too: Excel would cut them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from node.exporting.cells import Head, Plain, plain
from node.faults import Code, UserFault
from node.texts import N_
from sync.values import Row

ROWS_MAX: Final = 1_048_576 - 1
"""Rows of one sheet, without the heading."""
TEXT_MAX: Final = 32_767
"""Of one cell, in UTF-16 units."""
_SHEET_NAME_MAX: Final = 31
_NUMBER_MAX: Final = 10**15
_NEVER_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TEXT: Final = "@"


def check_rows(count: int) -> None:
    """Before anything is written. Raises UserFault BAD_ARGUMENT."""
    if count > ROWS_MAX:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("{count} rows do not fit on one sheet of a workbook, which holds {most}."),
            N_(
                "Export in parts with --filter or --origin, or as CSV, JSON lines or Parquet, which have no such bound."
            ),
            count=count,
            most=ROWS_MAX,
        )


class WorkbookFormat:
    """A workbook. openpyxl keeps the sheet in a temporary file until `finish`."""

    def __init__(self, out: BinaryIO, heads: Sequence[Head], zone: dt.tzinfo, name: str) -> None:
        self._out, self._heads = out, heads
        self._values = [plain(head.type, zone) for head in heads]
        self._book = Workbook(write_only=True)
        self._sheet: Any = self._book.create_sheet(name[:_SHEET_NAME_MAX])
        self._sheet.freeze_panes = "A2"
        # A row is written as soon as it is appended, so one cell a column serves them all.
        self._texts = [self._cell() for _ in heads]
        self._written = 0
        self._sheet.append([self._text(i, head.title) for i, head in enumerate(heads)])

    def write(self, rows: Sequence[Row]) -> None:
        """Adds rows. Raises UserFault for what no sheet can hold."""
        for row in rows:
            self._written += 1
            check_rows(self._written)
            said = [value(cell) for value, cell in zip(self._values, row, strict=True)]
            self._sheet.append([self._shown(i, one) for i, one in enumerate(said)])

    def finish(self) -> None:
        """Puts the workbook together."""
        self._book.save(self._out)

    def abandon(self) -> None:
        """Takes the temporary file away; once `finish` has begun, openpyxl does so when the program ends."""
        if not self._sheet.closed:
            self._sheet.close()
            self._sheet._writer.cleanup()

    def _cell(self) -> Any:
        cell = WriteOnlyCell(self._sheet)
        cell.number_format = _TEXT
        return cell

    def _shown(self, place: int, said: Plain) -> Any:
        if isinstance(said, str):
            return self._text(place, said)
        if isinstance(said, int) and abs(said) >= _NUMBER_MAX:
            return self._text(place, str(said))
        return said

    def _text(self, place: int, text: str) -> Any:
        if _NEVER_IN_XML.search(text):
            raise self._unfit(place, N_("Column {column} of row {row} holds a character that no workbook can hold."))
        if len(text) > TEXT_MAX or len(text.encode("utf-16-le")) > 2 * TEXT_MAX:
            raise self._unfit(
                place,
                N_("Column {column} of row {row} holds more than {most} characters, the most of a workbook's cell."),
            )
        cell = self._texts[place]
        cell.value = text
        # openpyxl takes some texts for formulas and errors; they are texts.
        cell.data_type = "s"
        return cell

    def _unfit(self, place: int, what: str) -> UserFault:
        return UserFault(
            Code.BAD_ARGUMENT,
            what,
            N_("Leave the column out with --columns, or export as CSV, JSON lines or Parquet."),
            column=self._heads[place].name,
            row=self._written + 1,
            most=TEXT_MAX,
        )
