"""Division codes (GB/T 2260) with their history: a code alone does not name a place, a code and a date do.

What the data is and what it does not hold: tiers/divisions/NOTICE.md. It knows the year of a change, not the day: a
span begins and ends on 1 January of that year, so within the year of a change (`Division.is_year_of_change`) the code
before it may still be right. Nothing here refuses a code: the truth may be newer than the data, and a record keeps
the code it was born with.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from sync.scope import Scope, is_pattern
from tiers.regions import XPCC

NATION_CODE = "100000"
"""Stands above the provinces in this program; GB/T 2260 itself has no code for the whole."""
CORPS_CITIES = "6590"
"""Codes of the cities of 新疆生产建设兵团: inside Xinjiang's prefix, administered by the corps (regions.XPCC)."""


class Kind(Enum):
    """What happened between two codes."""

    RENAMED = "renamed"
    """The same place under the same code, with another name (更名)."""
    RECODED = "recoded"
    """The same place and name under another code (同名改码)."""
    CONVERTED = "converted"
    """A county became a city or district, a prefecture a city (撤县设市 and the like)."""
    DISSOLVED = "dissolved"
    """Ended; its area, or most of it, belongs to the other now (撤销)."""
    PART = "part"
    """A part of it went to the other."""
    FOUNDED = "founded"
    """Began, and the data does not say out of what: `old` is ''."""
    ENDED = "ended"
    """Ended, and the data does not say what became of it: `new` is ''."""


@dataclass(frozen=True, slots=True)
class Division:
    """What a code stood for from `since` until before `until`: ISO dates, '' = before the data begins, or still."""

    code: str
    name: str
    since: str = ""
    until: str = ""

    @property
    def level(self) -> int:
        """0 the nation, 1 province level, 2 prefecture level, 3 county level."""
        return 0 if self.code == NATION_CODE else level_of(self.code)

    @property
    def is_of_corps(self) -> bool:
        """Whether it is a city of 新疆生产建设兵团, which its code does not say."""
        return self.code.startswith(CORPS_CITIES)

    def holds(self, date: str) -> bool:
        """Whether it was in force on `date`."""
        return self.since <= date and (not self.until or date < self.until)

    def is_year_of_change(self, date: str) -> bool:
        """Whether `date` lies in the year in which this began: the day within it is not known."""
        return bool(self.since) and self.since[:4] == date[:4]


@dataclass(frozen=True, slots=True)
class Change:
    """`old` became `new`, or a part of it did, in the year of `date`."""

    date: str
    kind: Kind
    old: str
    new: str


class Fate(Enum):
    """How a code that somebody typed stands on a date."""

    IN_FORCE = "in_force"
    ENDED = "ended"
    LATER = "later"
    UNKNOWN = "unknown"


def level_of(code: str) -> int:
    """By the digits: 1 province level, 2 prefecture level, 3 county level."""
    return 1 if code.endswith("0000") else 2 if code.endswith("00") else 3


class Divisions:
    """All codes with their spans, and what became of them."""

    def __init__(self, as_of: str, spans: Sequence[Division], changes: Sequence[Change]) -> None:
        self.as_of = as_of
        self._spans: dict[str, list[Division]] = defaultdict(list)
        self._from: dict[str, list[Change]] = defaultdict(list)
        self._to: dict[str, list[Change]] = defaultdict(list)
        for span in spans:
            self._spans[span.code].append(span)
        for change in changes:
            self._from[change.old].append(change)
            self._to[change.new].append(change)
        self._spans[NATION_CODE] = [Division(NATION_CODE, "中华人民共和国")]
        self._codes = sorted(self._spans)

    @classmethod
    def parse(cls, units: str, changes: str) -> Divisions:
        """From the texts of units.tsv and changes.tsv. Raises ValueError for what is not of that form."""
        about, *lines = units.splitlines()
        rows = (line.split("\t") for line in lines[1:])
        spans = [Division(r[0], r[1], *(_day(year) for year in r[2:])) for r in rows]
        cells = (line.split("\t") for line in changes.splitlines()[2:])
        made = [Change(_day(year), Kind(kind), old, new) for year, kind, old, new in cells]
        return cls(about.rpartition(" ")[2], spans, made)

    def codes(self) -> Sequence[str]:
        """Every code that ever stood for something, in order."""
        return tuple(self._codes)

    def spans(self, code: str) -> tuple[Division, ...]:
        """Everything that `code` has stood for, oldest first; empty for a code that never was."""
        return tuple(self._spans.get(code, ()))

    def at(self, code: str, date: str) -> Division | None:
        """What `code` stood for on `date`."""
        return next((span for span in self._spans.get(code, ()) if span.holds(date)), None)

    def in_force(self, date: str, prefix: str = "") -> Iterator[Division]:
        """Every division of `date` below the nation whose code begins with `prefix`, by code."""
        first, last = bisect_left(self._codes, prefix), bisect_left(self._codes, f"{prefix}:")  # ':' is next to '9'
        for code in self._codes[first:last]:
            found = self.at(code, date)
            if found is not None and found.level:
                yield found

    def parent(self, code: str, date: str) -> Division | None:
        """What stands above `code` on `date` by its digits: the prefecture, or the province where there is none.

        None: the data has nothing above it then. Of a city of the corps this is Xinjiang; see `keeper`.
        """
        level = level_of(code)
        above = {3: (f"{code[:4]}00", f"{code[:2]}0000"), 2: (f"{code[:2]}0000",), 1: (NATION_CODE,)}[level]
        if code == NATION_CODE:
            return None
        return next((found for c in above if (found := self.at(c, date)) is not None), None)

    def keeper(self, code: str, date: str) -> str:
        """The code of who administers `code` on `date`: its parent, but the corps for the corps' cities; '' unknown.

        The corps' own code is a proposal (tiers/regions.py).
        """
        found = self.at(code, date)
        if found is not None and found.is_of_corps:
            return XPCC
        parent = self.parent(code, date)
        return parent.code if parent is not None else ""

    def children(self, code: str, date: str) -> list[Division]:
        """What stands directly below `code` on `date` by its digits, so the corps' cities below Xinjiang.

        Of the corps itself (660000): its cities. Of a city without counties (东莞): nothing.
        """
        if code == XPCC:
            return list(self.in_force(date, CORPS_CITIES))
        prefix = "" if code == NATION_CODE else code[: 2 * level_of(code)]
        return [
            d
            for d in self.in_force(date, prefix)
            if d.code != code and (above := self.parent(d.code, date)) is not None and above.code == code
        ]

    def was(self, code: str, date: str) -> Division | None:
        """What `code` stood for just before `date`."""
        spans = self._spans.get(code, ())
        return next((s for s in spans if s.since < date and (not s.until or date <= s.until)), None)

    def changes(self, code: str) -> tuple[Change, ...]:
        """Every change that led to or away from `code`, and each beginning and end without one; oldest first."""
        found = {*self._from.get(code, ()), *self._to.get(code, ())}
        begun = {c.date for c in self._to.get(code, ())}
        gone = {c.date for c in self._from.get(code, ())}
        for span in self._spans.get(code, ()):
            if span.since and span.since not in begun:
                found.add(Change(span.since, Kind.FOUNDED, "", code))
            if span.until and span.until not in gone:
                found.add(Change(span.until, Kind.ENDED, code, ""))
        return tuple(sorted(found, key=lambda c: (c.date, c.old, c.new)))

    def became(self, code: str, date: str, by: str) -> tuple[Division, ...]:
        """What stands on `by` for the place that `code` named on `date`, `by` being the later date; sorted by code.

        It follows all changes: several for what was split, the same one for what was merged. Empty if nothing stood
        there on `date`, or if the data does not say what became of it.
        """
        first = self.at(code, date)
        found: dict[str, Division] = {}
        seen: set[Division] = set()
        todo = [first] if first is not None else []
        while todo:
            one = todo.pop()
            if one in seen:
                continue
            seen.add(one)
            if one.holds(by):
                found[one.code] = one
            todo += self._next(one, by)
        return tuple(found[c] for c in sorted(found))

    def _next(self, span: Division, by: str) -> Iterator[Division]:
        """The spans that took over from `span`, or a part of it while it lived, until `by`. Each begins no earlier."""
        for change in self._from.get(span.code, ()):
            ends = change.date == span.until
            parted = change.kind is Kind.PART and span.since < change.date and span.holds(change.date)
            if (ends or parted) and change.date <= by:
                taken = self.at(change.new, change.date)
                if taken is not None:
                    yield taken

    def fate(self, code: str, date: str) -> Fate:
        """How `code` stands on `date`. The nation and the corps are in force: this program has codes for them."""
        if code == XPCC or self.at(code, date) is not None:
            return Fate.IN_FORCE
        spans = self._spans.get(code, ())
        if not spans:
            return Fate.UNKNOWN
        return Fate.ENDED if any(s.until and s.until <= date for s in spans) else Fate.LATER

    def lies_in(self, scope: Scope, code: str, date: str) -> bool:
        """Whether `code` stood for something on `date` and `scope` covers it then.

        A prefix in a scope is a shorthand for digits, never a jurisdiction: what it leaves out, such as the cities of
        the corps in Xinjiang's, stays out.
        """
        return self.at(code, date) is not None and scope.covers(code, date)

    def codes_of(self, pattern: str, date: str) -> list[Division]:
        """What is in force on `date` of the codes that a pattern of a scope ('3301*', '330106') stands for."""
        assert is_pattern(pattern)
        if not pattern.endswith("*"):
            return [found] if (found := self.at(pattern, date)) is not None else []
        return list(self.in_force(date, pattern[:-1]))


def _day(year: str) -> str:
    """'2021' as the ISO date on which it is taken to begin; '' stays open."""
    if year and not (len(year) == 4 and year.isascii() and year.isdigit()):
        raise ValueError(f"'{year}' is not a year")
    return f"{year}-01-01" if year else ""
