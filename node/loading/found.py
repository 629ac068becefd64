"""What reading a file gives: records, places that make none, and what is known of the file before its first record."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from node.faults import Code, UserFault
from node.loading.convert import Record
from node.texts import N_, Text
from sync.reasons import Reason

COLUMNS_MAX: Final = 2_000


class Found(NamedTuple):
    """One record. `line` is its first line in the file, from 1; in a workbook its row, in Parquet its number."""

    line: int
    record: Record


class Unreadable(NamedTuple):
    """A place that makes no record."""

    line: int
    reason: Reason
    detail: Text


class State(NamedTuple):
    """What tells that a file is still the one that was looked through."""

    device: int
    inode: int
    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a file before its first record. `digest` is SHA-256 (hex) of the file as it lies on disk.

    encoding: '' for formats that leave nothing to find out. Of a workbook: has_formulas, and whether their stored
    values count (worked_out).
    """

    path: Path
    digest: str
    state: State
    format: str
    packed: bool = False
    encoding: str = ""
    has_formulas: bool = False
    worked_out: bool = True


def unreadable(path: Path, why: str | Text) -> UserFault:
    """The fault of a file that is broken."""
    todo = N_("Fetch or pack the file again; nothing of it was loaded.")
    return UserFault(Code.FILE_UNREADABLE, N_("'{file}' cannot be read: {why}."), todo, file=path, why=why)


def broken(path: Path, why: str | Text) -> UserFault:
    """The fault of a file that turns out to be broken when some of its rows may be in."""
    todo = N_("Fetch the file again and load it; rows already taken come to no harm.")
    return UserFault(Code.FILE_UNREADABLE, N_("'{file}' cannot be read: {why}."), todo, file=path, why=why)


def bad_heading(path: Path, problem: Text) -> UserFault:
    """The fault of a file whose columns are not those of the mapping."""
    todo = N_(
        "Check that the mapping is the one for this file, and that its first line holds the column names "
        "(`header` in [source] of the mapping names another line)."
    )
    return UserFault(Code.FILE_HEADER, N_("'{file}': {problem}."), todo, file=path, problem=problem)


def as_asked(names: Sequence[str], needs: Collection[str]) -> list[str]:
    """Column names as the mapping writes them: one that is not there is found in other case too.

    The same table comes in capitals from one database and without from another.
    """
    here = set(names)
    asked = {name.casefold(): name for name in needs if name not in here}
    return [asked.get(name.casefold(), name) for name in names] if asked else list(names)


def heading_problem(names: Sequence[str], needs: Collection[str]) -> Text | None:
    """What is wrong with column names; None if nothing is."""
    missing = sorted(set(needs) - set(names))
    if not names:
        return Text(N_("the first line holds no column names"))
    if len(names) > COLUMNS_MAX:
        return Text(N_("the header has more than {most} columns"), most=COLUMNS_MAX)
    if missing:
        return Text(N_("the header lacks: {missing}"), missing=", ".join(missing))
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        return Text(N_("these column names stand twice: {twice}"), twice=", ".join(twice))
    return None
