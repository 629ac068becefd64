"""A workbook that somebody handed in, given back with the reason beside each row that was not let in.

The whole workbook is held in memory for that, so only small ones are marked: those that people fill in by hand.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from openpyxl import load_workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from node.faults import Code, UserFault
from node.texts import N_
from sync.limits import MIB

BYTES_MAX: Final = 64 * MIB
"""What a workbook that is marked may unpack to."""
HEADING: Final = "退回原因 / Not taken because"
"""The same in every language, so that it is found when the file comes again."""
_RED: Final = "FFC7CE"
_WIDTH: Final = 60


def check_markable(path: Path) -> None:
    """Before anything is loaded. Raises UserFault BAD_ARGUMENT for what is no workbook or too large; OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile as error:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("Only an Excel workbook (.xlsx) is given back with marks."),
            N_("Leave --marked out; `tiersync loads rejects` lists what was not let in."),
        ) from error
    if size > BYTES_MAX:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("{file} is too large to be marked: it unpacks to more than {most} MiB."),
            N_("Leave --marked out; `tiersync loads rejects` lists what was not let in."),
            file=path,
            most=BYTES_MAX // MIB,
        )


def write_marked(path: Path, out: BinaryIO, sheet: str, header: int, reasons: Mapping[int, str]) -> None:
    """The workbook with a reason in the rows named; marks of an earlier time are gone.

    sheet: '' for the only visible one, as it was read. header: the row of the column names. check_markable was asked.
    """
    book = load_workbook(path)
    chosen = next(s for s in book.worksheets if (s.title == sheet if sheet else s.sheet_state == "visible"))
    place = _column(chosen, header)
    for row in range(header + 1, chosen.max_row + 1):
        cell = chosen.cell(row, place)
        reason = reasons.get(row)
        cell.value = reason
        cell.fill = PatternFill() if reason is None else PatternFill("solid", start_color=_RED)
        if reason is not None:
            # A reason quotes what was typed: it is never a formula.
            cell.data_type = "s"
    book.save(out)


def _column(sheet: Any, header: int) -> int:
    """Where the reasons stand: where they stood before, else behind the last column."""
    for place in range(1, sheet.max_column + 1):
        if sheet.cell(header, place).value == HEADING:
            return place
    place = int(sheet.max_column) + 1
    # In the row of names too, which may be a hidden one: there it is found again, and no column is without a name.
    sheet.cell(header, place, HEADING)
    sheet.cell(1, place, HEADING).font = Font(bold=True)
    sheet.column_dimensions[get_column_letter(place)].width = _WIDTH
    return place
