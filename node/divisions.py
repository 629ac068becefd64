"""The division codes that come with this program, and what to tell a person who types one. Read when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import resources

from node.texts import N_, Text
from sync.scope import is_pattern
from tiers.divisions import Division, Divisions, Fate
from tiers.regions import XPCC


@lru_cache(maxsize=1)
def divisions() -> Divisions:
    """The built-in data, read once."""
    folder = resources.files("tiers") / "divisions"
    return Divisions.parse(*((folder / name).read_text("utf-8") for name in ("units.tsv", "changes.tsv")))


def named(found: Iterable[Division]) -> str:
    """'330102 上城区, 330114 钱塘区'"""
    return ", ".join(f"{d.code} {d.name}" for d in found)


def remarks_on(patterns: Iterable[str], date: str) -> Iterator[Text]:
    """What to think about before these codes or prefixes are signed into a record. Never a refusal.

    The data may be older than the truth. What is no pattern is refused elsewhere.
    """
    for pattern in dict.fromkeys(patterns):
        if pattern in ("*", XPCC) or not is_pattern(pattern) or divisions().codes_of(pattern, date):
            continue
        yield _absent(pattern, date)


def _absent(pattern: str, date: str) -> Text:
    known = divisions()
    spans = [s for s in known.spans(pattern) if s.until and s.until <= date]
    if known.fate(pattern, date) is not Fate.ENDED or not spans:
        return Text(
            N_("{code} is not among the division codes of {as_of}: look at its digits. It may be newer than they."),
            code=pattern,
            as_of=known.as_of,
        )
    last = spans[-1]
    became = named(known.became(last.code, last_day(last), date))
    words = {"code": pattern, "name": last.name, "year": last.until[:4]}
    if not became:
        return Text(N_("{code} {name} ended in {year}; what became of it is not known here."), **words)
    return Text(N_("{code} {name} ended in {year}; now: {became}."), **words, became=became)


def last_day(span: Division) -> str:
    """A date on which an ended span surely still held: the end of the year before the change."""
    return f"{int(span.until[:4]) - 1}-12-31"
