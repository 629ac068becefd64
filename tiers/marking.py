"""What a receiver finds wrong with a row that has arrived, by itself (flow W9): declared checks that the row breaks.

Checks are asked where a row is written (tiers/door.py), and a receiver never refuses a row for one (tiers/dataset.py
says why). But a check of severity warn lets a row in at its origin, and an origin with an older catalogue does not know
a newer check: who receives such a row may say so. Checks about columns that were not published are not asked.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import NamedTuple

from sync.values import Row
from tiers.dataset import Dataset
from tiers.filters import columns_of, compile_filter

AUTOMATIC = "W9A-"
"""Begins the id of an issue that a node made by itself."""

MISSING, LATE, CODE_UNKNOWN = "missing", "late", "code_unknown"
OUT_OF_RANGE, CONTRADICTS, DUPLICATE = "out_of_range", "contradicts", "duplicate"
KINDS = (MISSING, LATE, CODE_UNKNOWN, OUT_OF_RANGE, CONTRADICTS, DUPLICATE)


class Flaw(NamedTuple):
    """What is wrong, by a rule that has a name. column: '' where it is about several. said: in both languages."""

    rule: str
    kind: str
    column: str
    said: str


class Extension(NamedTuple):
    """An extension code in a row: nobody knows by the row alone whether it is registered."""

    column: str
    table: str
    code: str

    @property
    def rule(self) -> str:
        """The rule that it must be registered."""
        return f"code:{self.column}:{self.table}:{self.code}"

    @property
    def flaw(self) -> Flaw:
        """It is not."""
        said = (
            f"扩展代码 {self.code}（{self.table}）未登记 / extension code {self.code} of {self.table} is not registered"
        )
        return Flaw(self.rule, CODE_UNKNOWN, self.column, said)


def flaw_of_check(name: str, columns: Collection[str], zh: str, en: str) -> Flaw:
    """A check about one column bounds its values; one about several says that they contradict each other."""
    kind, column = (OUT_OF_RANGE, next(iter(columns))) if len(columns) == 1 else (CONTRADICTS, "")
    return Flaw(f"check:{name}", kind, column, f"{zh} / {en}")


def issue_id(region: str, dataset: str, origin: str, rule: str, key: str) -> str:
    """The id of the issue that a rule is broken: the same however often it is found, so it stands once."""
    named = "\0".join((dataset, origin, rule, key))
    return f"{AUTOMATIC}{region}-{sha256(named.encode()).hexdigest()[:32]}"


class Marker:
    """Looks at rows of a dataset, whole and in schema order, of which only `held` columns were published to here."""

    def __init__(self, dataset: Dataset, held: Collection[str], kinds: Collection[str]) -> None:
        names = dataset.schema.names
        found = [
            (flaw_of_check(check.name, columns_of(check.rule), check.title_zh, check.title_en), check.rule)
            for check in dataset.checks
            if columns_of(check.rule) <= set(held)
        ]
        self._checks = [(flaw, compile_filter(rule, names)) for flaw, rule in found if flaw.kind in kinds]
        at = {name: i for i, name in enumerate(names) if name in held}
        self._codes = [
            (field.column.name, at[field.column.name], field.codes, at.get(field.codes.column, -1))
            for field in dataset.fields
            if field.codes is not None and field.column.name in at and CODE_UNKNOWN in kinds
            if not field.codes.column or field.codes.column in at
        ]

    def flaws(self, row: Row) -> list[Flaw]:
        """The checks that a row breaks."""
        return [flaw for flaw, holds in self._checks if not holds(row)]

    def extensions(self, row: Row) -> list[Extension]:
        """The extension codes in a row."""
        return [
            Extension(name, str(table), str(row[at]))
            for name, at, ref, of in self._codes
            if ref.is_extension(table := row[of] if of >= 0 else ref.table, row[at])
        ]
