"""The life of a code: drafted, in force from a day, retired after a day; and extension codes in reserved ranges.

Two questions, and who asks them. *Was the code ever put in force?* is asked at every tier, and its answer only ever
goes from no to yes: so the order in which rows and codes arrive decides nothing, and a code that is retired later
makes no old record bad. *Is it in force on the day of this row?* is asked at the door of the node that writes the row,
which can tell the person at once; a receiver that asked it would judge by what it happened to have heard.

An extension code stands in a range that a column's declaration reserves, or in a table of its origin's own. It is let
in everywhere, registered or not, and counted (flow W11: never dropped). Ranges and flow are proposals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sync.phrase import Phrase
from sync.schema import RowSchema
from sync.values import Row

DRAFT, EFFECTIVE, RETIRED = "draft", "effective", "retired"
STATUSES = (DRAFT, EFFECTIVE, RETIRED)
RANGES_MAX = 16
_RANGE = re.compile(r"(\.*)([0-9]+)-([0-9]+)")


class Life(NamedTuple):
    """The columns of a code table that say when a code is in force. `until` is the last day, '' = open."""

    status: str
    since: str
    until: str


class Span(NamedTuple):
    """From the day `since` to the day `until`, both counted; '' = open."""

    since: str
    until: str

    def holds(self, day: str) -> bool:
        """Whether `day` lies in it."""
        return self.since <= day and (not self.until or day <= self.until)


class Range(NamedTuple):
    """Codes of one length: `free` digits of any kind, then digits from `first` to `last`."""

    free: int
    first: str
    last: str

    def holds(self, code: str) -> bool:
        """Whether `code` lies in it."""
        if len(code) != self.free + len(self.first) or not (code.isascii() and code.isdigit()):
            return False
        return self.first <= code[self.free :] <= self.last

    def __str__(self) -> str:
        return f"{'.' * self.free}{self.first}-{self.last}"


def read_range(text: str) -> Range | None:
    """'..70-99': two digits of any kind, then 70 to 99. None for what is not of that form."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    made = Range(len(found[1]), found[2], found[3])
    return made if len(made.first) == len(made.last) and made.first <= made.last else None


def is_reserved(code: object, ranges: Iterable[Range]) -> bool:
    """Whether a code is an extension by its digits."""
    return isinstance(code, str) and any(one.holds(code) for one in ranges)


def is_in_force(spans: Sequence[Span], day: str) -> bool:
    """Whether one version of a code is in force on `day`. No spans: nothing is said of its days."""
    return not spans or any(span.holds(day) for span in spans)


def common_days(spans: Iterable[Sequence[Span]]) -> Span | None:
    """The days on which all of these codes are in force, as far as one span each says it; None: ask one by one."""
    since, until = "", ""
    for versions in spans:
        if not versions:
            continue
        if len(versions) > 1:
            return None
        since = max(since, versions[0].since)
        until = min(until or versions[0].until, versions[0].until or until)
    return Span(since, until)


def spans_of(life: Life, schema: RowSchema, rows: Iterable[tuple[str, Row]]) -> Mapping[str, tuple[Span, ...]]:
    """When codes are in force that a day bounds: (code, row) of each version that was ever put in force.

    A code of which a version has no bounds is left out: nothing is to be asked of it.
    """
    since, until = schema.names.index(life.since), schema.names.index(life.until)
    found: dict[str, set[Span]] = {}
    for code, row in rows:
        found.setdefault(code, set()).add(Span(str(row[since] or ""), str(row[until] or "")))
    return {code: tuple(sorted(spans)) for code, spans in found.items() if Span("", "") not in spans}


def life_flaw(life: Life, schema: RowSchema, before: Row | None, row: Row) -> Phrase | None:
    """What is wrong with the step of a code from what it was to what `row` says; None if nothing is.

    Once in force it is never a draft again, and never in force later than it was said to be: records stand on it.
    """
    status, since = schema.names.index(life.status), schema.names.index(life.since)
    now = row[status]
    if now == RETIRED and row[schema.names.index(life.until)] is None:
        return Phrase("a retired code needs the last day on which new records may have it ('{}')", life.until)
    if before is None or before[status] not in (EFFECTIVE, RETIRED):
        return None
    if now == DRAFT:
        return Phrase("a code that was in force never becomes a draft again; retire it")
    if before[status] == RETIRED and now == EFFECTIVE:
        return Phrase("a retired code never comes back; give it anew in a later version of the table")
    if str(row[since] or "") > str(before[since] or ""):
        return Phrase("a code that is in force cannot begin later: records may stand on it")
    return None


def void_flaw(life: Life, schema: RowSchema, before: Row | None) -> Phrase | None:
    """Whether a code may be voided: only while it is a draft."""
    if before is None or before[schema.names.index(life.status)] == DRAFT:
        return None
    return Phrase("a code that was in force is never removed, since records keep it; retire it")
