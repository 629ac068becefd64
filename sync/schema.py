"""The shape of a dataset's rows, as far as the exchange needs it: names, types, bounds, key.

What a dataset means (titles, codes, owner tier, publications) is in tiers/; this is what the codec and the store need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from sync.limits import CELL_BYTES_MAX, COLUMNS_MAX, KEY_COLUMNS_MAX
from sync.values import is_identifier


class CellType(Enum):
    """Types of a cell. Values in rows: text, decimal, date -> str; timestamp, integer -> int; the rest as named.

    date: 'YYYY-MM-DD'; timestamp: microseconds since 1970 UTC; decimal: plain notation, '-12.50'.
    """

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    BYTES = "bytes"
    DATE = "date"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `length` bounds text in characters and bytes in bytes."""

    name: str
    type: CellType
    nullable: bool = True
    length: int = CELL_BYTES_MAX

    def __post_init__(self) -> None:
        assert is_identifier(self.name), self.name
        assert 0 < self.length <= CELL_BYTES_MAX


@dataclass(frozen=True, slots=True)
class RowSchema:
    """A dataset's columns in order; `key` names the columns that identify a row within its origin. `region`: the column
    that says which place a row is of, '' for none.
    """

    dataset: str
    version: int
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    region: str = field(default="", compare=False)
    names: tuple[str, ...] = field(init=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = tuple(c.name for c in self.columns)
        object.__setattr__(self, "names", names)
        assert is_identifier(self.dataset)
        assert 0 < len(names) <= COLUMNS_MAX
        assert len(set(names)) == len(names)
        assert 0 < len(self.key) <= KEY_COLUMNS_MAX
        assert set(self.key) <= set(names)
        object.__setattr__(self, "_hash", hash((self.dataset, self.version, self.columns, self.key)))

    def __hash__(self) -> int:
        # Asked for with every entry (decoders are cached by schema), so it is computed once.
        return self._hash

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
