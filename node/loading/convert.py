"""A mapping bound to its dataset: source records -> rows in schema order, or why not.

Binding checks all that can be known before the first row: columns exist, keys are mapped, constants and table codes are
values that the dataset accepts, and what must be rounded for privacy is rounded.
"""

from __future__ import annotations

import math
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import partial
from hashlib import sha256
from typing import Final

from node.faults import Code, Mistakes
from node.loading.dates import ISO, DateFormat, Stamp, compile_format
from node.loading.mapping import FileMapping, Mask, Ours, Rule, Split
from node.texts import N_, Text
from sync.payload import check_cell
from sync.reasons import Reason
from sync.rows import key_text
from sync.schema import CellType
from sync.values import Cell, Key, Row
from tiers.dataset import SOURCE_COLUMN, Dataset, Field

Record = Mapping[str, str | None]
"""One record of a file: column -> text, None for an empty JSON value."""

Step = Callable[[str], str | None]

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,38}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_TRUE: Final = frozenset({"true", "1", "y", "yes", "是"})
_FALSE: Final = frozenset({"false", "0", "n", "no", "否"})
_QUOTED_CHARACTERS: Final = 60
_STAMP: Final = compile_format(ISO)


class BadCell(Exception):
    """A value that cannot become a cell. `detail` quotes values of columns that are not held back, and only those."""

    def __init__(self, reason: Reason, detail: Text) -> None:
        super().__init__(str(detail))
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Target:
    """One column of the dataset and how it is filled; without a rule it stays empty."""

    field: Field
    rule: Rule | None
    steps: tuple[Step, ...]
    convert: Callable[[str], Cell]
    fallback: Cell

    @property
    def moves(self) -> bool:
        """Whether the cell depends on the record."""
        return self.rule is not None and self.rule.constant is None

    def cell(self, record: Record, region: str) -> Cell:
        """The cell. Raises BadCell."""
        rule = self.rule
        if rule is None:
            return None
        text = _fetch(rule, record, region)
        for step in self.steps:
            if text is None:
                break
            text = step(text)
        if text is None:
            cell = self.fallback
        else:
            try:
                cell = self.convert(text)
            except ValueError:
                raise BadCell(Reason.WRONG_TYPE, self._unlike(text)) from None
        return self._checked(cell)

    def _checked(self, cell: Cell) -> Cell:
        column = self.field.column
        if cell is None and not column.nullable:
            raise BadCell(Reason.KEY_MISSING, Text(N_("column '{column}' is empty"), column=column.name))
        if isinstance(cell, str):
            if len(cell) > column.length:
                many = {"column": column.name, "length": len(cell), "most": column.length}
                raise BadCell(Reason.TOO_LONG, Text(N_("column '{column}' holds {length}, at most {most}"), **many))
            if "\0" in cell or not _is_encodable(cell):
                problem = Text(N_("column '{column}' holds a character that no text may hold"), column=column.name)
                raise BadCell(Reason.WRONG_TYPE, problem)
        return cell

    def _unlike(self, text: str) -> Text:
        fields = {"column": self.field.column.name, "type": self.field.column.type.value}
        if self.field.held_back:
            return Text(N_("column '{column}': a value of {n} characters is not {type}"), n=len(text), **fields)
        if self.rule is not None and self.field.column.type in (CellType.DATE, CellType.TIMESTAMP):
            problem = N_("column '{column}': '{value}' fits no date format of the mapping: {formats}")
            fields["formats"] = ", ".join(form.text for form in self.rule.dates)
        else:
            problem = N_("column '{column}': '{value}' is not {type}")
        return Text(problem, value=text[:_QUOTED_CHARACTERS], **fields)


@dataclass(frozen=True, slots=True)
class Converter:
    """A mapping bound to a dataset. `needs` are the source columns that must be there."""

    mapping: FileMapping
    dataset: Dataset
    needs: frozenset[str]
    _still: Row
    """A row with the cells that no record changes: constants, and columns that stay empty."""
    _moving: tuple[tuple[int, _Target], ...]
    _key: tuple[_Target, ...]

    @property
    def key_needs(self) -> frozenset[str]:
        """The source columns that the key and the region are made of."""
        named = (name for target in self._key if target.rule is not None for name in target.rule.sources)
        return frozenset(named) | _ours_column(self.mapping.ours)

    def key(self, record: Record, region: str) -> Key:
        """The key alone of a record's row. Raises BadCell."""
        return tuple(target.cell(record, region) for target in self._key)

    def region(self, record: Record) -> str | None:
        """The region of a record, by `ours`; '' without `ours`, None when its value is not listed."""
        ours = self.mapping.ours
        if ours is None:
            return ""
        return ours.regions.get((record.get(ours.column) or "").strip())

    def row(self, record: Record, region: str) -> Row:
        """The row in schema order. Raises BadCell for the first column that cannot be filled."""
        cells = list(self._still)
        for place, target in self._moving:
            cells[place] = target.cell(record, region)
        return tuple(cells)

    def names(self, record: Record, region: str) -> tuple[str, str]:
        """(key as JSON text, number in its source) of a record that makes no row; '' for what it does not tell."""
        key = [self._named(name, record, region) for name in self.dataset.key]
        source = self._named(SOURCE_COLUMN, record, region)
        return "" if None in key else key_text(key), "" if source is None else str(source)

    def _named(self, column: str, record: Record, region: str) -> Cell:
        place = next((i for i, one in enumerate(self.dataset.fields) if one.column.name == column), None)
        target = next((target for at, target in self._moving if at == place), None)
        if place is None or target is None:
            return None if place is None else self._still[place]
        try:
            return target.cell(record, region)
        except BadCell:
            return None


def bind(path: str, mapping: FileMapping, dataset: Dataset) -> Converter:
    """The mapping's converter. Raises UserFault MAPPING_INVALID with every mistake."""
    mistakes = Mistakes()
    fields = {f.column.name: f for f in dataset.fields}
    rules = {rule.target: rule for rule in mapping.rules}
    for name in rules:
        if name not in fields:
            mistakes.unknown(f"columns.{name}", name, fields)
    for name, field in fields.items():
        if name not in rules and not field.column.nullable:
            mistakes.add(f"columns.{name}", Text(N_("is missing: dataset '{dataset}' needs it"), dataset=dataset.id))
    targets = tuple(_target(f, rules.get(f.column.name), mapping, mistakes) for f in dataset.fields)
    mistakes.raise_any(
        Code.MAPPING_INVALID,
        path,
        N_("Correct the keys named above; `tiersync catalogue show DATASET` shows the dataset's columns and codes."),
    )
    needs = frozenset(name for rule in mapping.rules for name in rule.sources) | _ours_column(mapping.ours)
    still = tuple(None if target.moves else target.cell({}, "") for target in targets)
    moving = tuple((place, target) for place, target in enumerate(targets) if target.moves)
    names = dataset.schema.names
    key = tuple(targets[names.index(name)] for name in dataset.key)
    return Converter(mapping, dataset, needs, still, moving, key)


def _ours_column(ours: Ours | None) -> frozenset[str]:
    return frozenset({ours.column}) if ours else frozenset()


def _target(field: Field, rule: Rule | None, mapping: FileMapping, mistakes: Mistakes) -> _Target:
    if rule is None:
        return _Target(field, None, (), str, None)
    where = f"columns.{rule.target}"
    convert = conversion(field, rule)
    if rule.region and mapping.ours is None:
        mistakes.add(where, Text(N_("region = true needs the section [ours]")))
    if field.decimals is not None and (rule.round is None or rule.round > field.decimals):
        mistakes.add(where, Text(N_("needs round = {most} or less: the dataset demands it"), most=field.decimals))
    fallback = _known_text(rule.default, "default", field, convert, where, mistakes)
    _known_text(rule.constant, "value", field, convert, where, mistakes)
    table = mapping.tables.get(rule.table)
    for code in sorted(set(table.values())) if table is not None else ():
        _known_text(rule.prefix + code + rule.suffix, f"table '{rule.table}'", field, convert, where, mistakes)
    return _Target(field, rule, tuple(_steps(rule, table, field.held_back)), convert, fallback)


def _known_text(
    text: str | None, key: str, field: Field, convert: Callable[[str], Cell], where: str, mistakes: Mistakes
) -> Cell:
    """The cell of a text that the mapping itself holds; notes why it cannot be one."""
    if text is None:
        return None
    try:
        cell = convert(text)
    except ValueError:
        problem = N_("{key}: '{value}' is not {type}")
        mistakes.add(where, Text(problem, key=key, value=text, type=field.column.type.value))
        return None
    fault = check_cell(field.column, cell)
    if fault is not None:
        mistakes.add(where, Text("{key}: {detail}", key=key, detail=fault[1]))
    allowed = [value.value for value in field.values]
    if allowed and cell not in allowed:
        problem = N_("{key}: '{value}' is not one of: {words}")
        mistakes.add(where, Text(problem, key=key, value=text, words=", ".join(allowed)))
    return cell


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fetch(rule: Rule, record: Record, region: str) -> str | None:
    """The text that a rule starts from; None when there is none."""
    if rule.region:
        return region or None
    if rule.constant is not None:
        return rule.constant
    if len(rule.sources) == 1:
        text = record.get(rule.sources[0])
        return text.strip() if text is not None and rule.strip and not isinstance(text, Stamp) else text
    parts = [record.get(name) or "" for name in rule.sources]
    if rule.strip:
        parts = [part.strip() for part in parts]
    return rule.join.join(part for part in parts if part) or None


def _steps(rule: Rule, table: Mapping[str, str] | None, held_back: bool) -> list[Step]:
    """What happens to a text, in the order that mapping.py names."""
    if rule.constant is not None or rule.region:
        return []
    steps: list[Step] = [lambda text: None if text in rule.empty else text]
    if rule.remove:
        gone = str.maketrans("", "", rule.remove)
        steps.append(lambda text: text.translate(gone))
    if rule.split is not None:
        steps.append(_split_step(rule.split, rule.strip))
    if rule.cut is not None:
        steps.append(lambda text: text[: rule.cut])
    if rule.mask is not None:
        steps.append(_mask_step(rule.mask))
    if rule.digest is not None:
        steps.append(lambda text: sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[: rule.digest])
    if table is not None:
        steps.append(_table_step(rule, table, held_back))
    if rule.prefix or rule.suffix:
        steps.append(lambda text: rule.prefix + text + rule.suffix)
    return steps


def _split_step(split: Split, strip: bool) -> Step:
    def by_separator(text: str) -> str | None:
        parts = text.split(split.separator)
        return _kept(parts[split.part], strip) if split.part < len(parts) else None

    def by_pattern(text: str) -> str | None:
        found = split.pattern.search(text) if split.pattern else None
        return _kept(found[split.group], strip) if found else None

    return by_pattern if split.pattern else by_separator


def _kept(part: str | None, strip: bool) -> str | None:
    return (part.strip() if part and strip else part) or None


def _mask_step(mask: Mask) -> Step:
    def step(text: str) -> str:
        hidden = len(text) - mask.keep_start - mask.keep_end
        if hidden <= 0:
            return mask.sign * len(text)
        return text[: mask.keep_start] + mask.sign * hidden + text[len(text) - mask.keep_end :]

    return step


def _table_step(rule: Rule, table: Mapping[str, str], held_back: bool) -> Step:
    def step(text: str) -> str | None:
        code = table.get(text)
        if code is not None:
            return code
        if rule.unknown == "reject":
            value = "***" if held_back else text[:_QUOTED_CHARACTERS]
            fields = {"column": rule.target, "value": value, "table": rule.table}
            raise BadCell(Reason.UNKNOWN_CODE, Text(N_("column '{column}': '{value}' is not in '{table}'"), **fields))
        return text if rule.unknown == "keep" else None

    return step


def conversion(field: Field, rule: Rule) -> Callable[[str], Cell]:
    """Text -> cell of the column's type. The functions raise ValueError."""
    match field.column.type:
        case CellType.TEXT:
            return str
        case CellType.INTEGER:
            return _integer
        case CellType.DECIMAL:
            return lambda text: _decimal(text, rule.round)
        case CellType.FLOAT:
            return lambda text: _float(text, rule.round)
        case CellType.BOOLEAN:
            return _boolean(rule)
        case CellType.BYTES:
            return bytes.fromhex
        case CellType.DATE:
            dates = tuple(form.date for form in rule.dates)
            return lambda text: _STAMP.date(text) if isinstance(text, Stamp) else _first(text, dates)
        case CellType.TIMESTAMP:
            zone = zoneinfo.ZoneInfo(rule.time_zone)
            moments = tuple(partial(_moment, form, zone) for form in rule.dates)
            stamp = partial(_moment, _STAMP, zone)
            return lambda text: stamp(text) if isinstance(text, Stamp) else _first(text, moments)


def _moment(form: DateFormat, zone: zoneinfo.ZoneInfo, text: str) -> int:
    return form.timestamp(text, zone)


def _first(text: str, readers: Iterable[Callable[[str], Cell]]) -> Cell:
    """What the first format that fits makes of a text. Raises ValueError when none does."""
    for reader in readers:
        try:
            return reader(text)
        except ValueError:
            continue
    raise ValueError(text)


def _integer(text: str) -> int:
    number = int(text) if _INTEGER.fullmatch(text) else None
    if number is None or not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _decimal(text: str, places: int | None) -> str:
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError(text)
    try:
        number = Decimal(text)
        if places is not None:
            number = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    except InvalidOperation as error:
        raise ValueError(text) from error
    plain = format(number, "f")
    # As many decimals as were written; there is no -0.
    return plain.removeprefix("-") if number == 0 else plain


def _float(text: str, places: int | None) -> float:
    number = float(text) if _FLOAT.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError(text)
    # The sum makes 0.0 of -0.0, which no row may hold.
    return (number if places is None else round(number, places)) + 0.0


def _boolean(rule: Rule) -> Callable[[str], Cell]:
    yes = {word.lower() for word in rule.true} or _TRUE
    no = {word.lower() for word in rule.false} or _FALSE

    def convert(text: str) -> bool:
        word = text.lower()
        if word in yes or word in no:
            return word in yes
        raise ValueError(text)

    return convert
