"""Regions and dated sets of them: who may write rows of which place, and whose nodes may stand below whom.

A prefix is only a shorthand: XPCC cities lie inside Xinjiang's prefix, so an item can leave codes out (design 2).
Dates are ISO text ('2026-11-22'), which orders as the calendar does; '' means open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason

_PATTERN = re.compile(r"[0-9]{6}|[0-9]{0,5}\*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_pattern(text: str) -> bool:
    """Whether `text` is a six-digit division code, or a prefix of digits followed by '*'."""
    return _PATTERN.fullmatch(text) is not None


def _matches(pattern: str, region: str) -> bool:
    return region.startswith(pattern[:-1]) if pattern.endswith("*") else region == pattern


def _inside(inner: str, outer: str) -> bool:
    """Whether every code that `inner` matches is matched by `outer`."""
    if outer.endswith("*"):
        return inner.rstrip("*").startswith(outer[:-1])
    return inner == outer


def common_pattern(a: str, b: str) -> str:
    """The pattern of the codes that two patterns both match; '' if there are none. Two prefixes never cross."""
    return a if _inside(a, b) else b if _inside(b, a) else ""


def _overlap(a: str, b: str) -> bool:
    return _inside(a, b) or _inside(b, a)


@dataclass(frozen=True, slots=True)
class ScopeItem:
    """One dated part of a scope: a code or prefix, less what is left out. `until` is exclusive."""

    region: str
    leaving_out: tuple[str, ...] = ()
    since: str = ""
    until: str = ""

    def __post_init__(self) -> None:
        for pattern in (self.region, *self.leaving_out):
            if not is_pattern(pattern):
                raise InputFault(
                    Reason.OUT_OF_SCOPE, Phrase("'{}' is not a division code or prefix such as 33*", pattern)
                )
        for date in (self.since, self.until):
            if date and not _DATE.fullmatch(date):
                raise InputFault(Reason.OUT_OF_SCOPE, Phrase("'{}' is not a date such as 2026-01-31", date))

    def covers(self, region: str, date: str) -> bool:
        """Whether `region` lies in this item on `date` (ISO; '' asks without regard to dates)."""
        if date and ((self.since and date < self.since) or (self.until and date >= self.until)):
            return False
        return _matches(self.region, region) and not any(_matches(p, region) for p in self.leaving_out)

    def holds(self, other: ScopeItem) -> bool:
        """Whether everything `other` covers is covered by this item, dates included."""
        if not _inside(other.region, self.region):
            return False
        if self.since and (not other.since or other.since < self.since):
            return False
        if self.until and (not other.until or other.until > self.until):
            return False
        for gap in self.leaving_out:
            if _overlap(gap, other.region) and not any(_inside(gap, p) for p in other.leaving_out):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Scope:
    """A set of regions with dates, as an enrolment record states it."""

    items: tuple[ScopeItem, ...] = ()

    @classmethod
    def of(cls, *patterns: str, leaving_out: Iterable[str] = ()) -> Scope:
        """An undated scope from patterns such as '330100' or '33*'."""
        gaps = tuple(leaving_out)
        return cls(tuple(ScopeItem(p, tuple(g for g in gaps if _inside(g, p))) for p in patterns))

    def covers(self, region: str, date: str = "") -> bool:
        """Whether `region` lies in the scope on `date`."""
        return any(item.covers(region, date) for item in self.items)

    def holds(self, other: Scope) -> bool:
        """Whether each item of `other` lies inside one item of this scope."""
        return all(any(mine.holds(item) for mine in self.items) for item in other.items)

    def __str__(self) -> str:
        return ", ".join(
            i.region
            + (f" less {'/'.join(i.leaving_out)}" if i.leaving_out else "")
            + (f" from {i.since}" if i.since else "")
            + (f" until {i.until}" if i.until else "")
            for i in self.items
        )
