"""The dates of a default scope: which codes that ended were of a unit, and which of its digits were another's.

A prefix says what a unit's codes are today. Records keep the code they were born with, so a unit also writes records of
the codes that its places had before, born before the change; and it leaves out codes inside its prefix whose places
have gone elsewhere. What follows is a proposal that an administrator sees, and may change, before it is signed.

Only the year of a change is known: the old code counts until the end of that year, the new one from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from sync.scope import Scope, ScopeItem
from tiers.divisions import Division, Divisions

SINCE = "2005-01-01"
"""Codes that ended earlier are in no record: the first platforms of this kind ran in 2004."""


def dated_scope(known: Divisions, scope: Scope, today: str) -> Scope:
    """`scope` (of a unit as it is today, undated) with the codes that its places had since `SINCE`."""
    if scope.covers("100000"):
        return scope  # everything
    gone: dict[str, list[Division]] = {}
    come: list[ScopeItem] = []
    for span, became in _ended(known, today):
        inside = [scope.covers(division.code) for division in became]
        covered = scope.covers(span.code)
        if covered and became and not any(inside):
            gone.setdefault(span.code, []).append(span)
        elif not covered and became and all(inside):
            come.append(ScopeItem(span.code, until=_after_year(span.until)))
    items = [
        ScopeItem(i.region, (*i.leaving_out, *(c for c in gone if i.covers(c, ""))), i.since, i.until)
        for i in scope.items
        if i.region not in gone
    ]
    return Scope((*items, *come, *_again(known, gone)))


@lru_cache(maxsize=2)
def _ended(known: Divisions, today: str) -> tuple[tuple[Division, tuple[Division, ...]], ...]:
    """Every code below a province that ended since `SINCE`, and what stands for its place today."""
    return tuple(
        (span, known.became(span.code, _last_day(span), today))
        for code in known.codes()
        for span in known.spans(code)
        if span.level >= 2 and SINCE <= span.until <= today
    )


def _again(known: Divisions, gone: dict[str, list[Division]]) -> Iterator[ScopeItem]:
    """Codes that name another place since: theirs from then on."""
    for code, spans in gone.items():
        last = max(span.until for span in spans)
        if any(span.since >= last for span in known.spans(code)):
            yield ScopeItem(code, since=last)


def _last_day(span: Division) -> str:
    return f"{int(span.until[:4]) - 1}-12-31"


def _after_year(date: str) -> str:
    return f"{int(date[:4]) + 1}-01-01"
