"""The formats of an export: each takes rows a page at a time and keeps none of them.

csv    UTF-8, heading first; nothing stands for an empty cell. What a spreadsheet would take for a formula gets an
       apostrophe in front: such a text does not come back as it was
jsonl  UTF-8, one object a line, every value as it is
xlsx, parquet: workbook.py and parquet.py
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, Protocol

from node.exporting.cells import Head, Plain, is_formula, plain
from sync.schema import CellType
from sync.values import Cell, Row


class Format(Protocol):
    """One file under way: `finish` when all rows are in, `abandon` when something went wrong before."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


class CsvFormat:
    """CSV in UTF-8; with a byte order mark Excel knows it for that."""

    def __init__(self, out: BinaryIO, heads: Sequence[Head], zone: dt.tzinfo, bom: bool = False) -> None:
        self._out = out
        self._texts = [_text(head.type, zone) for head in heads]
        if bom:
            out.write(codecs.BOM_UTF8)
        self._lines([[_harmless(head.title) for head in heads]])

    def write(self, rows: Sequence[Row]) -> None:
        """Adds rows."""
        texts = self._texts
        self._lines([text(cell) for text, cell in zip(texts, row, strict=True)] for row in rows)

    def finish(self) -> None:
        """Nothing is left to be written."""

    def abandon(self) -> None:
        """Nothing is held."""

    def _lines(self, lines: Iterable[Sequence[str]]) -> None:
        page = io.StringIO(newline="")
        # Of both ends of lines: a carriage return inside a cell is only then put in quotes.
        csv.writer(page, lineterminator="\r\n").writerows(lines)
        self._out.write(page.getvalue().encode())


class JsonlFormat:
    """JSON lines."""

    def __init__(self, out: BinaryIO, heads: Sequence[Head], zone: dt.tzinfo) -> None:
        self._out = out
        self._titles = [head.title for head in heads]
        self._values = [plain(head.type, zone) for head in heads]
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def write(self, rows: Sequence[Row]) -> None:
        """Adds rows."""
        lines = [
            self._encode({t: value(c) for t, value, c in zip(self._titles, self._values, row, strict=True)})
            for row in rows
        ]
        self._out.write("".join(f"{line}\n" for line in lines).encode())

    def finish(self) -> None:
        """Nothing is left to be written."""

    def abandon(self) -> None:
        """Nothing is held."""


def _text(kind: CellType, zone: dt.tzinfo) -> Callable[[Cell], str]:
    value = plain(kind, zone)
    is_free = kind is CellType.TEXT

    def text(cell: Cell) -> str:
        said = value(cell)
        return _harmless(said) if is_free and isinstance(said, str) else _word(said)

    return text


def _word(said: Plain) -> str:
    if said is None:
        return ""
    if isinstance(said, bool):
        return "true" if said else "false"
    return repr(said) if isinstance(said, float) else str(said)


def _harmless(text: str) -> str:
    return f"'{text}" if is_formula(text) else text
