"""Cells as a file of another program says them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync.schema import CellType
from sync.values import Cell
from tiers.dataset import Dataset

Plain = str | int | float | bool | None
"""What JSON has a word for."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
_TYPES = {"_origin": CellType.TEXT, "_version": CellType.INTEGER}


@dataclass(frozen=True, slots=True)
class Head:
    """One column of the file: under which heading, and of which type."""

    name: str
    title: str
    type: CellType


def heads(dataset: Dataset, columns: Sequence[str], language: str) -> list[Head]:
    """Headings by id, or by title in 'zh' or 'en'; a title that stands twice has the id behind it."""
    fields = {field.column.name: field for field in dataset.fields}
    titles = [
        (fields[name].title_zh if language == "zh" else fields[name].title_en) if language and name in fields else name
        for name in columns
    ]
    return [
        Head(
            name,
            f"{title} ({name})" if titles.count(title) > 1 else title,
            fields[name].column.type if name in fields else _TYPES[name],
        )
        for name, title in zip(columns, titles, strict=True)
    ]


def plain(kind: CellType, zone: dt.tzinfo) -> Callable[[Cell], Plain]:
    """Cells of a type as JSON values: moments as ISO texts with their offset in `zone`, bytes as hex."""
    if kind is CellType.TIMESTAMP:
        return lambda cell: _moment(cell, zone) if isinstance(cell, int) else None
    return lambda cell: cell.hex() if isinstance(cell, bytes) else cell


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take a text for a formula. A negative decimal is one that every spreadsheet takes for
    the number it is."""
    return text[:1] in _FORMULA and bool(text) and _NUMBER.fullmatch(text) is None


def _moment(us: int, zone: dt.tzinfo) -> Plain:
    """A moment outside the calendar stays the number it is."""
    try:
        return (_EPOCH + dt.timedelta(microseconds=us)).astimezone(zone).isoformat()
    except OverflowError:
        return us
