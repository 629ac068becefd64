"""Columns that name files by content: which files a row refers to."""

from __future__ import annotations

import re
from collections.abc import Collection

from sync.values import Cell, Row
from tiers.dataset import Dataset

_HASH = re.compile(r"[0-9a-f]{64}")
_BETWEEN = re.compile(r"[\s,;，、；]+")
"""Commas are asked for; what a person types instead must not make files stay away without a word."""


def hashes_in(cell: Cell) -> list[str]:
    """The files that a cell names, each once, in order; what is no SHA-256 in hexadecimal names none."""
    if not isinstance(cell, str):
        return []
    parts = _BETWEEN.split(cell.lower())
    return [part for part in dict.fromkeys(parts) if _HASH.fullmatch(part)]


def columns_naming(dataset: Dataset, row: Row, name: str) -> list[str]:
    """The columns of a whole row, in schema order, that name this file."""
    names = dataset.schema.names
    return [column for column in dataset.attachments if name in hashes_in(row[names.index(column)])]


def named_by(dataset: Dataset, row: Row, columns: Collection[str]) -> list[str]:
    """All files that these columns of a whole row name, each once."""
    names = dataset.schema.names
    cells = [row[names.index(column)] for column in dataset.attachments if column in columns]
    return list(dict.fromkeys(name for cell in cells for name in hashes_in(cell)))
