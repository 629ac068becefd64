"""A node's own door: rows that its loader or API brings are rejected here, by the same rules as everywhere else.

So what a city may not publish never enters its tables, and the person who brought it is told at once, row by row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from sync.errors import InputFault
from sync.payload import cell_type, check_cell
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.rows import key_text
from sync.values import Key, Row
from tiers.catalogue import Catalogue
from tiers.codes import Life
from tiers.dataset import Check, Dataset, Personal, Severity
from tiers.filters import compile_filter
from tiers.personal import Guard, words
from tiers.profile import Standing
from tiers.rules import CodesDated, RowRules

WARNED_MAX = 100
"""Warnings that are told one by one of each transaction; all are counted."""
VOID_REASON_MAX = 200
"""Characters of a void's reason: a longer one is refused by every receiver."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_encode = msgspec.msgpack.Encoder().encode


class Reject(NamedTuple):
    """One row that is not let in, by its place in what was brought."""

    place: int
    key: str
    reason: Reason
    detail: str


class Warned(NamedTuple):
    """Something that is told of a row which is let in all the same, by its place in what was brought: a check of
    severity warn that it breaks, or a number of a person in a text of it."""

    place: int
    key: str
    detail: Phrase


class Checked(NamedTuple):
    """`rows` may be written as they stand here (whole numbers in float columns have become floats).

    `size`: bytes that all of `rows` take in msgpack, at most. `warned` holds the first of all `warnings`. `personal`:
    how many cells hold numbers of persons, by (column, rule).
    """

    rows: list[Row]
    rejects: list[Reject]
    size: int
    warned: tuple[Warned, ...] = ()
    warnings: int = 0
    personal: Mapping[tuple[str, str], int] = MappingProxyType({})


class TypedRows(list[Row]):
    """Rows as Door.read_rows made them out of bytes, each cell of its column's type. size: of those bytes."""

    def __init__(self, rows: Sequence[Row], size: int) -> None:
        super().__init__(rows)
        self.size = size


class _Entrance:
    """What follows from a dataset alone."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.rules = RowRules(dataset, dataset.schema.names, new_tables_pass=True)
        columns = dataset.schema.columns
        pair: Any = tuple  # built at run time from the schema, so out of the type checker's sight
        many: Any = list
        self.row_type: Any = pair[tuple(map(cell_type, columns))]
        self.rows_type: Any = many[self.row_type]
        self.decoder = msgspec.msgpack.Decoder(self.rows_type)
        self.key_type: Any = pair[tuple(cell_type(dataset.schema.column(k)) for k in dataset.key)]
        asked = [(check, compile_filter(check.rule, dataset.schema.names)) for check in dataset.checks]
        self.rejecting = [one for one in asked if one[0].severity is Severity.REJECT]
        self.warning = [one for one in asked if one[0].severity is Severity.WARN]
        self.guard = Guard(dataset, dataset.schema.names)

    def all_pass(self, rows: Sequence[Row]) -> bool:
        """Whether no row breaks a check of severity reject, or holds a number of a person where none may be."""
        return all(all(map(holds, rows)) for _, holds in self.rejecting) and not (
            self.guard.suspects(rows) and any(self.refused(row) for row in rows)
        )

    def broken(self, row: Row) -> Phrase | None:
        """The first check of severity reject that a row breaks."""
        return next((_words(check) for check, holds in self.rejecting if not holds(row)), None)

    def refused(self, row: Row) -> str:
        """The first column that holds a number of a person where none may be, '' if there is none."""
        return next((name for rule, name in self.guard.found(row) if rule is Personal.REFUSE), "")

    def checked(
        self, rows: list[Row], places: Sequence[int], rejects: list[Reject], size: int, refused: Sequence[str] = ()
    ) -> Checked:
        """Good rows with what they are warned of; `places`: where each stood in what was brought. refused: of each row
        that was not let in because of a number of a person, the column."""
        told = [(i, _words(check)) for check, holds in self.warning for i, row in enumerate(rows) if not holds(row)]
        counts = Counter((name, Personal.REFUSE.value) for name in refused)
        for i, row in enumerate(rows) if self.guard.suspects(rows) else ():
            for rule, name in self.guard.found(row):
                told.append((i, words(rule, name)))
                counts[name, rule.value] += 1
        first = sorted(told, key=itemgetter(0))[:WARNED_MAX]
        warned = [Warned(places[i], _text(self.rules.key_of(rows[i])), said) for i, said in first]
        return Checked(rows, rejects, size, tuple(warned), len(told), counts)


class Door:
    """The door of the node that stands at `standing`."""

    def __init__(self, catalogue: Catalogue, standing: Standing) -> None:
        self._catalogue = catalogue
        self._standing = standing
        self._entrances: dict[str, _Entrance] = {}

    @property
    def region(self) -> str:
        """The node's own division code."""
        return self._standing.region

    def read_rows(self, dataset: str, packed: bytes) -> TypedRows | None:
        """Whole rows in schema order out of msgpack, so that check_local_rows need not type them a second time.

        None if any of them is not as the schema says: then they are brought as they are, and told apart one by one.
        Raises as check_local_rows.
        """
        try:
            return TypedRows(self._entrance(dataset).decoder.decode(packed), len(packed))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def check_local_rows(self, dataset: str, rows: Sequence[Row], known: CodesDated) -> Checked:
        """Whole rows in schema order, held-back columns included. `known` is asked for code tables.

        A code of a table that is here must be in it; one of a table that is not here passes. A key that stands twice
        in `rows` is rejected the second time. Raises InputFault UNKNOWN_DATASET, or NOT_OWNER if this node's tier does
        not own the dataset.
        """
        entrance = self._entrance(dataset)
        try:
            typed: list[Row]
            if isinstance(rows, TypedRows):
                typed, size = rows, rows.size
            else:
                # bytes as they are: without this, text would pass for base64
                typed = msgspec.convert(rows, entrance.rows_type, builtin_types=(bytes,))
                size = len(_encode(typed))
        except (msgspec.ValidationError, UnicodeEncodeError):
            return self._one_by_one(entrance, rows, known)
        keys = set(map(entrance.rules.key_of, typed))
        if (
            len(keys) == len(typed)
            and not _are_obscure(keys)
            and entrance.rules.all_good(typed, self._standing.scope, known)
            and entrance.rules.days_good(typed, known)
            and entrance.all_pass(typed)
        ):
            return entrance.checked(typed, range(len(typed)), [], size)
        return self._one_by_one(entrance, rows, known)

    def code_life(self, dataset: str) -> Life | None:
        """The columns that say when its rows, which are codes, are in force. Raises as check_local_rows."""
        codes = self._entrance(dataset).dataset.code_table
        return codes.life if codes is not None else None

    def check_local_row(self, dataset: str, row: Row, known: CodesDated) -> Row:
        """One row, as check_local_rows. Raises InputFault with the reason if it is not let in."""
        checked = self.check_local_rows(dataset, [row], known)
        if checked.rejects:
            raise InputFault(checked.rejects[0].reason, checked.rejects[0].detail)
        return checked.rows[0]

    def check_local_keys(self, dataset: str, keys: Sequence[Key], put: Sequence[Key] = ()) -> list[Reject]:
        """Keys of rows to be voided: those that cannot be keys of this dataset, that stand twice, or stand among the
        keys that are `put` at the same time. Raises as check_local_rows.
        """
        entrance = self._entrance(dataset)
        rejects = []
        seen = set(put) if keys else set()
        for place, key in enumerate(keys):
            try:
                _encode(msgspec.convert(key, entrance.key_type, builtin_types=(bytes,)))
            except (msgspec.ValidationError, UnicodeEncodeError):
                detail = f"not a key of '{dataset}': {', '.join(entrance.dataset.key)}"
                rejects.append(Reject(place, _text(key), Reason.WRONG_TYPE, detail))
                continue
            if key in seen:
                rejects.append(Reject(place, _text(key), Reason.RULE_BROKEN, Phrase("the key stands twice")))
            seen.add(key)
        return rejects

    def _entrance(self, dataset: str) -> _Entrance:
        entrance = self._entrances.get(dataset)
        if entrance is None:
            found = self._catalogue.datasets.get(dataset)
            if found is None:
                raise InputFault(Reason.UNKNOWN_DATASET, Phrase("dataset '{}'", dataset))
            if not any(tier in found.owner for tier in self._standing.profile.tiers(self._standing.parent)):
                raise InputFault(
                    Reason.NOT_OWNER, Phrase("dataset '{}' belongs to: {}", dataset, ", ".join(found.owner))
                )
            entrance = self._entrances[dataset] = _Entrance(found)
        return entrance

    def _one_by_one(self, entrance: _Entrance, rows: Sequence[Row], known: CodesDated) -> Checked:
        good: list[Row] = []
        places: list[int] = []
        rejects: list[Reject] = []
        refused: list[str] = []
        seen: set[Key] = set()
        for place, row in enumerate(rows):
            typed = _typed(entrance, row)
            if isinstance(typed, Reject):
                rejects.append(typed._replace(place=place))
                continue
            key = entrance.rules.key_of(typed)
            flaw = entrance.rules.flaw(typed, self._standing.scope, known)
            if key in seen:
                rejects.append(Reject(place, _text(key), Reason.RULE_BROKEN, Phrase("the key stands twice")))
            elif flaw is not None:
                rejects.append(Reject(place, _text(key), flaw.reason, flaw.detail))
            elif _are_obscure([key]):
                rejects.append(
                    Reject(place, _text(key), Reason.RULE_BROKEN, Phrase("the key holds a control character"))
                )
            elif (late := entrance.rules.day_flaw(typed, known)) is not None:
                rejects.append(Reject(place, _text(key), Reason.UNKNOWN_CODE, late))
            elif (broken := entrance.broken(typed)) is not None:
                rejects.append(Reject(place, _text(key), Reason.RULE_BROKEN, broken))
            elif column := entrance.refused(typed):
                rejects.append(Reject(place, _text(key), Reason.RULE_BROKEN, words(Personal.REFUSE, column)))
                refused.append(column)
            else:
                good.append(typed)
                places.append(place)
            seen.add(key)
        return entrance.checked(good, places, rejects, len(_encode(good)), refused)


def _words(check: Check) -> Phrase:
    """In both languages: who reads a reject out over the phone may speak to someone who reads the other."""
    return Phrase("check '{}': {} / {}", check.name, check.title_zh, check.title_en)


def _typed(entrance: _Entrance, row: Row) -> Row | Reject:
    """The row as its schema types it, or why it is none (place is filled in by the caller)."""
    schema = entrance.dataset.schema
    if len(row) != len(schema.columns):
        return Reject(0, "", Reason.WRONG_TYPE, Phrase("{} cells for {} columns", len(row), len(schema.columns)))
    try:
        typed: Row = msgspec.convert(row, entrance.row_type, builtin_types=(bytes,))
        _encode(typed)
        return typed
    except UnicodeEncodeError:
        return Reject(0, "", Reason.WRONG_TYPE, Phrase("a text holds half a character (a lone surrogate)"))
    except msgspec.ValidationError as error:
        by_name = dict(zip(schema.names, row, strict=True))
        key = _text([by_name[k] for k in schema.key])
        for column in schema.columns:
            cell = by_name[column.name]
            if cell is None and column.name in schema.key:
                return Reject(0, key, Reason.KEY_MISSING, Phrase("key column '{}' is empty", column.name))
            fault = check_cell(column, cell)
            if fault is not None:
                return Reject(0, key, *fault)
        return Reject(0, key, Reason.WRONG_TYPE, str(error))


def _are_obscure(keys: Iterable[Key]) -> bool:
    """Whether one of the keys could not be read out, typed or searched for: nobody would find its row again.

    Asked at the door alone: who receives such a row, signed, has no reason to refuse it.
    """
    return _CONTROL.search("".join(map(str, chain.from_iterable(keys)))) is not None


def _text(key: Sequence[object]) -> str:
    return key_text([k if isinstance(k, str | int | float | bytes | None) else str(k) for k in key])
