"""What a number in a row must keep: its bounds, its decimals, and that it is a number at all.

It depends on the cell and its declaration alone, so every node gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import repeat
from math import copysign, isnan
from operator import itemgetter
from typing import Any, NamedTuple

from sync.phrase import Phrase
from sync.schema import CellType
from sync.values import Cell, Row
from tiers.dataset import Bound, Field


class Numbers(NamedTuple):
    """What `of_field` says of the column that stands at `at`. is_float: NaN and -0.0 are possible."""

    name: str
    at: int
    is_float: bool
    is_decimal: bool
    decimals: int | None
    minimum: Bound | None
    maximum: Bound | None

    def all_good(self, rows: Sequence[Row]) -> bool:
        """Whether the column is good in every row."""
        values: list[Any] = list(map(itemgetter(self.at), rows))
        if None in values:
            values = [value for value in values if value is not None]
        if self.is_float and not _floats_good(values, self.decimals):
            return False
        if not values or (self.minimum is None and self.maximum is None):
            return True
        if self.is_decimal:
            values = list(map(Decimal, values))
        return (self.minimum is None or min(values) >= self.minimum) and (
            self.maximum is None or max(values) <= self.maximum
        )

    def is_of_no_version(self, cell: Cell) -> bool:
        """Whether no later version could allow it: not a number, or -0.0."""
        return self.is_float and not is_float_good(cell, None)

    def flaw(self, cell: Cell) -> Phrase | None:
        """What is wrong with a cell of the column's type."""
        if cell is None:
            return None
        if self.is_float and not is_float_good(cell, self.decimals):
            if self.decimals is None or not is_float_good(cell, None):
                return Phrase("column '{}' is -0.0 or no number", self.name)
            return Phrase("column '{}' has more than {} decimals", self.name, self.decimals)
        assert isinstance(cell, int | float | str)
        number = Decimal(cell) if self.is_decimal else cell
        assert not isinstance(number, str)
        if self.minimum is not None and number < self.minimum:
            return Phrase("column '{}' is below {}", self.name, self.minimum)
        if self.maximum is not None and number > self.maximum:
            return Phrase("column '{}' is above {}", self.name, self.maximum)
        return None


def of_field(field: Field, at: int = 0) -> Numbers | None:
    """What a field's numbers must keep; None where there is nothing to keep."""
    column = field.column
    is_float = column.type is CellType.FLOAT
    if not is_float and field.minimum is None and field.maximum is None:
        return None
    is_decimal = column.type is CellType.DECIMAL
    return Numbers(column.name, at, is_float, is_decimal, field.decimals, field.minimum, field.maximum)


def is_float_good(value: Cell, decimals: int | None) -> bool:
    """-0.0 is stored as 0.0 and would change the row's digest; a number too exact tells what was to be rounded away."""
    if value is None:
        return True
    assert isinstance(value, int | float)
    if decimals is not None and round(value, decimals) != value:
        return False
    return not isnan(value) and (value != 0 or copysign(1.0, value) > 0)


def _floats_good(values: list[Any], decimals: int | None) -> bool:
    if decimals is not None and list(map(round, values, repeat(decimals))) != values:
        return False
    # One NaN makes the sum NaN, and zeros (either of them) are rare: only then is each number looked at by itself.
    return (0.0 not in values and not isnan(sum(values))) or all(is_float_good(value, None) for value in values)
