"""An empty workbook for people who have no system of their own: headings, notes, and lists to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO, Final

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from node.loading.template import HEADER, YES_AND_NO, choices
from node.texts import N_, Language, translator
from sync.schema import CellType
from tiers.dataset import Dataset, Field

CODES: Final = "codes"
_LISTED_MAX: Final = 5_000
_LAST_ROW: Final = 1_048_576
_WIDTH: Final = 18
_NOTE_WIDTH, _NOTE_HEIGHT = 360, 160
_NUMBERS: Final = (CellType.INTEGER, CellType.FLOAT)
_TEXT: Final = "@"


def write_template(
    out: BinaryIO, dataset: Dataset, language: Language = "zh", codes_of: Mapping[str, Sequence[str]] | None = None
) -> None:
    """The template of a dataset. codes_of: what to choose from for columns whose codes stand in tables."""
    book = Workbook()
    sheet, codes = book.worksheets[0], book.create_sheet(CODES)
    sheet.title = dataset.id[:31]
    codes.sheet_state = "hidden"
    sheet.row_dimensions[HEADER].hidden = True
    sheet.freeze_panes = f"A{HEADER + 1}"
    for place, field in enumerate(dataset.fields, start=1):
        listed = (codes_of or {}).get(field.column.name, ())[:_LISTED_MAX]
        _add(sheet, codes, place, field, language, listed)
    book.save(out)


def _add(
    sheet: Worksheet, codes: Worksheet, place: int, field: Field, language: Language, in_tables: Sequence[str]
) -> None:
    title = field.title_zh if language == "zh" else field.title_en
    letter = get_column_letter(place)
    column = sheet.column_dimensions[letter]
    column.width = max(_WIDTH, 2 * len(field.title_zh) + 4 if language == "zh" else len(title) + 4)
    if field.column.type not in _NUMBERS:
        # Or Excel would take the zeros before a code away, and make dates of what looks like one.
        column.number_format = _TEXT
    head = sheet.cell(1, place, title + ("" if field.column.nullable else " *"))
    head.font = Font(bold=True)
    head.comment = Comment(_note(field, language), "tiersync", width=_NOTE_WIDTH, height=_NOTE_HEIGHT)
    sheet.cell(HEADER, place, field.column.name)
    closed = YES_AND_NO[language] if field.column.type is CellType.BOOLEAN else tuple(choices(field, language))
    listed = closed or in_tables
    if listed:
        for row, text in enumerate(listed, start=1):
            codes.cell(row, place, text).data_type = "s"
        rule = DataValidation("list", formula1=f"{CODES}!${letter}$1:${letter}${len(listed)}", allow_blank=True)
        # Tables grow, and some are a county's own: another code may be typed, and the door has the last word.
        rule.showErrorMessage = bool(closed)
        rule.error = translator(language)(N_("Choose a value of the list."))
        rule.add(f"{letter}{HEADER + 1}:{letter}{_LAST_ROW}")
        sheet.add_data_validation(rule)


def _note(field: Field, language: Language) -> str:
    """What a heading says when it is pointed at."""
    _ = translator(language)
    lines = [f"{field.column.name} ({field.column.type.value})"]
    definition = (field.definition_zh if language == "zh" else "") or field.definition
    lines += [definition] if definition else []
    if not field.column.nullable:
        lines.append(_("Must be filled in."))
    if field.unit and field.column.type is not CellType.TIMESTAMP:
        lines.append(_("Unit: {unit}").format(unit=field.unit))
    if field.example and field.column.type is not CellType.TIMESTAMP:
        lines.append(_("Example: {example}").format(example=field.example))
    if field.column.type is CellType.TIMESTAMP:
        lines.append(_("Example: {example}").format(example="2026-11-22 08:00"))
    if field.held_back:
        lines.append(_("Stays on this node; it is never sent on."))
    return "\n".join(lines)
