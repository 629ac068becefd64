"""Reads the declared fields of a dataset. What each key means is in tiers/dataset.py."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from sync.limits import CELL_BYTES_MAX, COLUMNS_MAX
from sync.phrase import Phrase
from sync.schema import CellType, Column
from sync.values import is_identifier
from tiers.codes import RANGES_MAX, Range, read_range
from tiers.dataset import Bound, CodeRef, CodeValue, Field, Personal
from tiers.faults import Table
from tiers.filters import read_cell
from tiers.numbers import is_float_good, of_field

_TYPES = {t.value: t for t in CellType}
_TEXT_LENGTH = 200
_PERSONAL = {p.value: p for p in Personal}
_BOUNDED = (CellType.INTEGER, CellType.FLOAT, CellType.DECIMAL)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _whole(text: str) -> int:
    return int(_plain(text))


def _broken(text: str) -> float:
    return float(_plain(text))


def _plain(text: str) -> str:
    """Python reads 1_000 and other scripts' digits, too; who loads a file does not write them."""
    if not text.isascii() or "_" in text:
        raise ValueError
    return text


_READ: dict[CellType, Callable[[str], object]] = {
    CellType.INTEGER: _whole,
    CellType.FLOAT: _broken,
    CellType.BOOLEAN: _flag,
}
"""Types whose examples are not texts already; what is not here is read as it is written."""


def read_fields(table: Table) -> tuple[Field, ...]:
    """The fields of a dataset's table; those with mistakes are left out."""
    read = [_field(t) for t in table.tables("fields")]
    if not 0 < len(read) <= COLUMNS_MAX:
        table.wrong("fields", Phrase("must name 1 to {} fields", COLUMNS_MAX))
    fields = tuple(f for f in read if f is not None)
    seen: set[str] = set()
    for field in fields:
        if field.column.name in seen:
            table.wrong("fields", Phrase("'{}' stands twice", field.column.name))
        seen.add(field.column.name)
    return fields


def _field(table: Table) -> Field | None:
    before = len(table.mistakes)
    name = table.text("name")
    if name and not is_identifier(name):
        table.wrong("name", Phrase("'{}' is not an identifier (a-z, 0-9, _)", name))
    kind = table.choice("type", _TYPES)
    nullable = table.flag("nullable", True)
    length = table.whole("length", 1, CELL_BYTES_MAX, _TEXT_LENGTH)
    held_back = table.flag("held_back", False)
    if held_back and not nullable:
        table.wrong("nullable", Phrase("a held-back column is empty everywhere else, so it must be nullable"))
    zh, en = table.text("zh"), table.text("en")
    definition, definition_zh = table.text("definition", ""), table.text("definition_zh", "")
    unit, example = table.text("unit", ""), table.text("example", "")
    bounds = (table.raw("minimum"), table.raw("maximum"))
    values = tuple(_code_value(t) for t in table.tables("values"))
    codes = _code_ref(table)
    raw_decimals = table.raw("decimals")
    decimals = raw_decimals if isinstance(raw_decimals, int) and not isinstance(raw_decimals, bool) else None
    if raw_decimals is not None and (kind is not CellType.FLOAT or decimals is None or not 0 <= decimals <= 9):
        table.wrong("decimals", Phrase("must be 0 to 9, on a float"))
    if (values or codes) and kind not in (CellType.TEXT, None):
        table.wrong("type", Phrase("codes and values are text"))
    personal = _personal(table)
    if personal and (kind not in (CellType.TEXT, None) or values or codes or held_back):
        table.wrong("personal", Phrase("is for free text that leaves: no values, no codes, not held back"))
    attachment = table.flag("attachment", False)
    if attachment and (kind not in (CellType.TEXT, None) or values or codes or personal):
        table.wrong("attachment", Phrase("is for a text of SHA-256 digests: no values, no codes, not 'personal'"))
    if values and codes:
        table.wrong("values", Phrase("a column has values or codes, not both"))
    if len({v.value for v in values}) != len(values):
        table.wrong("values", Phrase("a value stands twice"))
    if any(len(v.value) > length for v in values):
        table.wrong("values", Phrase("a value is longer than the column"))
    table.finish()
    if len(table.mistakes) > before or kind is None:
        return None
    column = Column(name, kind, nullable, length)
    minimum, maximum = (
        _bound(table, key, raw, column) for key, raw in zip(("minimum", "maximum"), bounds, strict=True)
    )
    if minimum is not None and maximum is not None and minimum > maximum:
        table.wrong("minimum", Phrase("is above maximum"))
    field = Field(
        column,
        zh,
        en,
        definition,
        definition_zh,
        unit,
        example,
        held_back,
        values,
        codes,
        decimals,
        minimum,
        maximum,
        personal,
        attachment,
    )
    if example:
        _check_example(table, field)
    return field if len(table.mistakes) == before else None


def _personal(table: Table) -> Personal | None:
    said = table.text("personal", "")
    if said and said not in _PERSONAL:
        table.wrong("personal", Phrase("'{}' is none of {}", said, ", ".join(_PERSONAL)))
    return _PERSONAL.get(said)


def _bound(table: Table, key: str, raw: object, column: Column) -> Bound | None:
    if raw is None:
        return None
    if column.type not in _BOUNDED:
        table.wrong(key, Phrase("is for {}", ", ".join(t.value for t in _BOUNDED)))
        return None
    is_decimal = column.type is CellType.DECIMAL
    if is_decimal and isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    cell = read_cell(column, raw, table, key)
    if isinstance(cell, str):
        return Decimal(cell)
    if isinstance(cell, float) and not is_float_good(cell, None):
        table.wrong(key, Phrase("is -0.0 or no number"))
        return None
    return cell if isinstance(cell, int | float) else None


def _check_example(table: Table, field: Field) -> None:
    """An example that the node itself would not let in would teach the wrong thing."""
    column, before = field.column, len(table.mistakes)
    try:
        cell = read_cell(column, _READ.get(column.type, str)(field.example), table, "example")
    except ValueError:
        table.wrong("example", Phrase("'{}' is not {}", field.example, column.type.value))
        return
    if len(table.mistakes) > before:
        return
    numbers = of_field(field)
    flaw = numbers.flaw(cell) if numbers else None
    if flaw is not None:
        table.wrong("example", flaw)
    if field.values and cell not in {v.value for v in field.values}:
        table.wrong("example", Phrase("'{}' is not among the values", field.example))


def _code_value(table: Table) -> CodeValue:
    value = CodeValue(table.text("value"), table.text("zh"), table.text("en"))
    table.finish()
    return value


def _code_ref(table: Table) -> CodeRef | None:
    fixed, column, free = table.text("codes", ""), table.text("codes_from", ""), table.text("codes_free", "")
    if fixed and column:
        table.wrong("codes", Phrase("a column has codes or codes_from, not both"))
    if free and not column:
        table.wrong("codes_free", Phrase("goes with codes_from"))
    reserved = _reserved(table)
    if reserved and not (fixed or column):
        table.wrong("codes_reserved", Phrase("goes with codes or codes_from"))
    return CodeRef(fixed, column, free, reserved) if fixed or column else None


def _reserved(table: Table) -> tuple[Range, ...]:
    texts = table.texts("codes_reserved", ())
    if len(texts) > RANGES_MAX:
        table.wrong("codes_reserved", Phrase("are more than {}", RANGES_MAX))
    ranges = [(text, read_range(text)) for text in texts[:RANGES_MAX]]
    for text in (text for text, one in ranges if one is None):
        table.wrong(
            "codes_reserved", Phrase("'{}' is no range such as '..70-99' (two digits of any kind, then 70 to 99)", text)
        )
    return tuple(one for _, one in ranges if one is not None)
