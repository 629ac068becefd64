"""What an operator wishes an invite to be: one, or a list as CSV. Reading only; nothing is decided here.

A list has a heading line; columns: region, profile, title, and as wished signing, carrying, approval, days.
A scope is written as patterns between spaces, what it leaves out behind a minus: `65*-6590* 659001`.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Final

from certs.invite import Approval
from node.faults import Code, Mistakes, UserFault
from node.texts import N_, Text
from sync.errors import InputFault
from sync.limits import MIB
from sync.scope import Scope, ScopeItem
from tiers.profile import PROFILES

LIST_BYTES_MAX: Final = 1 * MIB
LIST_LINES_MAX: Final = 1_000
DAYS: Final = (1, 60)
"""How long an invite may live, in days, at least and at most."""
_NEEDED: Final = ("region", "profile", "title")
_COLUMNS: Final = (*_NEEDED, "signing", "carrying", "approval", "days")


@dataclass(frozen=True, slots=True)
class Wish:
    """One invite as it is wished. What is empty or None follows from the profile and the configuration."""

    region: str
    profile: str
    title: str
    signing: Scope | None = None
    carrying: Scope | None = None
    approval: Approval | None = None
    days: int = 7


def scope_from_text(text: str) -> Scope | None:
    """'65*-6590* 659001' as a scope; None for ''. Raises InputFault OUT_OF_SCOPE."""
    items = []
    for part in text.replace(";", " ").split():
        region, *gaps = part.split("-")
        items.append(ScopeItem(region, tuple(gaps)))
    return Scope(tuple(items)) if items else None


def wishes_from_csv(name: str, text: str) -> list[Wish]:
    """The wishes of a list. `name`: what messages call the file.

    Raises UserFault FILE_HEADER for its columns, or MAPPING_INVALID with every mistake and its line.
    """
    if len(text.encode()) > LIST_BYTES_MAX:
        raise UserFault(
            Code.FILE_UNREADABLE,
            N_("{file} is larger than {most} bytes."),
            N_("Split the list; one holds up to {lines} invites."),
            file=name,
            most=LIST_BYTES_MAX,
            lines=LIST_LINES_MAX,
        )
    mistakes = Mistakes()
    found: list[Wish] = []
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    try:
        _check_columns(name, [c.strip() for c in reader.fieldnames or ()])
        for row in reader:
            if len(found) >= LIST_LINES_MAX:
                mistakes.add(f"line {reader.line_num}", Text(N_("is more than {most} invites"), most=LIST_LINES_MAX))
                break
            wish = _wish(f"line {reader.line_num}", row, mistakes)
            if wish is not None:
                found.append(wish)
    except csv.Error as fault:
        mistakes.add(f"line {reader.line_num}", Text("{what}", what=fault))
    mistakes.raise_any(Code.MAPPING_INVALID, name, N_("Correct these lines and give the list again: nothing was made."))
    return found


def _check_columns(name: str, columns: list[str]) -> None:
    absent = [c for c in _NEEDED if c not in columns]
    unknown = [c for c in columns if c not in _COLUMNS]
    if absent or unknown:
        raise UserFault(
            Code.FILE_HEADER,
            N_("{file}: the first line must name the columns. Missing: {absent}. Not known: {unknown}."),
            N_("Columns: {columns}; the first three are needed."),
            file=name,
            absent=", ".join(absent) or "-",
            unknown=", ".join(unknown) or "-",
            columns=", ".join(_COLUMNS),
        )


def _wish(where: str, row: dict[str, str | None], mistakes: Mistakes) -> Wish | None:
    """One line; None if something is wrong with it."""
    if None in row or None in row.values():
        mistakes.add(where, Text(N_("has more or fewer cells than the first line")))
        return None
    cells = {str(name).strip(): (value or "").strip() for name, value in row.items()}
    before = len(mistakes.found)
    if cells["profile"] not in PROFILES:
        mistakes.unknown(f"{where}, profile", cells["profile"], PROFILES)
    days = cells.get("days") or "7"
    if not (days.isascii() and days.isdigit() and len(days) < 4):
        mistakes.add(f"{where}, days", Text(N_("must be a whole number without quotes")))
    approval = cells.get("approval", "")
    known = [a.value for a in Approval]
    if approval and approval not in known:
        mistakes.unknown(f"{where}, approval", approval, known)
    scopes: list[Scope | None] = []
    for column in ("signing", "carrying"):
        try:
            scopes.append(scope_from_text(cells.get(column, "")))
        except InputFault as fault:
            mistakes.add(f"{where}, {column}", Text("{detail}", detail=fault.detail))
    if len(mistakes.found) > before:
        return None
    return Wish(
        region=cells["region"],
        profile=cells["profile"],
        title=cells["title"],
        signing=scopes[0],
        carrying=scopes[1],
        approval=Approval(approval) if approval else None,
        days=int(days),
    )
