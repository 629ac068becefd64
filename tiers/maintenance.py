"""Announced maintenance: which windows count, what they cover, and until when they put something off.

A window counts if it was known here before it began, so that nobody excuses what has happened; if the node announced it
for itself or its parent did; and only so much of a month, so that nobody is excused for good. What it excuses is
silence and lost links. Limits of tasks run on. All of it is a proposal.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Final, NamedTuple

_HOUR_US: Final = 3_600_000_000
MONTH_US: Final = 30 * 24 * _HOUR_US
PER_NODE_MAX: Final = 1_000
"""Windows of one node that are looked at, the oldest: whoever announces more pushes none aside that has begun."""

Span = tuple[int, int]


class Window(NamedTuple):
    """A time in which a node may be out of reach, in µs: from `starts` up to, not including, `ends`. seen: when it was
    first here, as it is."""

    node: str
    announcer: str
    starts: int
    ends: int
    seen: int
    reason: str = ""


class Bounds(NamedTuple):
    """Hours that one window may have, and all of a node in any 30 days."""

    hours: int = 72
    hours_in_30_days: int = 120


class Flaw(Enum):
    """Why a window does not count."""

    NOT_ENTITLED = "not_entitled"
    LATE = "late"
    TOO_LONG = "too_long"
    TOO_MUCH = "too_much"  # with those before it of 30 days


def counted(windows: Iterable[Window], parent_of: Callable[[str], str], bounds: Bounds) -> tuple[Window, ...]:
    """Those that count, in order of node and start. parent_of: '' where a node has none, or none is known."""
    good = (one for one in windows if flaw_of(one, parent_of, bounds) is None)
    found: list[Window] = []
    for _, group in groupby(sorted(good, key=lambda one: (one.node, one.starts, one)), attrgetter("node")):
        found += _within(list(group)[:PER_NODE_MAX], bounds.hours_in_30_days * _HOUR_US)
    return tuple(found)


def flaw_of(one: Window, parent_of: Callable[[str], str], bounds: Bounds) -> Flaw | None:
    """What is wrong with a window, as far as the others have nothing to do with it."""
    if one.announcer != one.node and one.announcer != (parent_of(one.node) or None):
        return Flaw.NOT_ENTITLED
    if one.seen >= one.starts:
        return Flaw.LATE
    return None if one.starts < one.ends <= one.starts + bounds.hours * _HOUR_US else Flaw.TOO_LONG


def _within(windows: Sequence[Window], most: int) -> list[Window]:
    """In order of start, each only if the 30 days up to its end have room for it. Whoever announces another one can so
    lose a later one, never gain back one that has begun."""
    found: list[Window] = []
    laid = _Laid()
    for one in windows:
        if laid.up_to_end_of(one, MONTH_US) <= most:
            laid.add(one)
            found.append(one)
    return found


class _Laid:
    """Windows laid over one another in order of start, as spans that are apart; `before`: how long all spans before
    each are together. A node may announce thousands, and each is looked at once."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = []

    def up_to_end_of(self, one: Window, long: int) -> int:
        """How much of the time up to the end of one more window, and so long before, they cover with it."""
        since, last = one.ends - long, self._last
        longer = max(0, one.ends - max(one.starts, last, since))
        return self._behind(since) - max(0, last - one.ends) + longer

    def add(self, one: Window) -> None:
        """It begins no earlier than those before."""
        if self._ends and one.starts <= self._last:
            self._ends[-1] = max(self._last, one.ends)
            return
        self._before.append(self._before[-1] + self._last - self._starts[-1] if self._ends else 0)
        self._starts.append(one.starts)
        self._ends.append(one.ends)

    @property
    def _last(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _behind(self, since: int) -> int:
        first = bisect_right(self._ends, since)
        if first == len(self._ends):
            return 0
        whole = self._before[-1] + self._last - self._starts[-1] - self._before[first]
        return whole - max(0, since - self._starts[first])


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time as spans that are apart, in order."""
    found: list[Span] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return tuple(found)


def _length(spans: Iterable[Span], since: int, until: int) -> int:
    return sum(max(0, min(end, until) - max(start, since)) for start, end in spans)


class Maintenance:
    """The windows that count. Of several nodes: those on the way to a node excuse it too."""

    __slots__ = ("_by_node", "_known", "windows")

    def __init__(self, windows: Sequence[Window] = ()) -> None:
        self.windows = tuple(windows)
        by_node: dict[str, list[Window]] = {}
        for one in windows:
            by_node.setdefault(one.node, []).append(one)
        self._by_node: Mapping[str, Sequence[Window]] = MappingProxyType(by_node)
        self._known: dict[tuple[str, ...], tuple[Span, ...]] = {}
        """What was asked of the same nodes before: thousands of items are, of each way in the tree."""

    def __bool__(self) -> bool:
        return bool(self.windows)

    def in_force(self, nodes: Iterable[str], at: int) -> Window | None:
        """The window of the first of these nodes that has one at a moment."""
        found = (one for node in nodes for one in self._by_node.get(node, ()) if one.starts <= at < one.ends)
        return next(found, None)

    def covered_us(self, nodes: Iterable[str], since: int, until: int) -> int:
        """How much of a time windows of these nodes cover."""
        return _length(self._spans(nodes), since, until)

    def put_off(self, nodes: Iterable[str], at: int) -> int:
        """A moment as it is, or the end of the windows it lies in."""
        return next((end for start, end in self._spans(nodes) if start <= at < end), at)

    def _spans(self, nodes: Iterable[str]) -> tuple[Span, ...]:
        way = tuple(sorted(self._by_node.keys() & set(nodes)))
        if way not in self._known:
            self._known[way] = _merged((one.starts, one.ends) for node in way for one in self._by_node[node])
        return self._known[way]


def between(parent_of: Callable[[str], str], here: str, node: str) -> tuple[str, ...]:
    """The nodes on the way from `node` to `here`, both with it; only those two where none is known."""
    ours, theirs = _line(parent_of, here), _line(parent_of, node)
    shared = next((one for one in theirs if one in ours), "")
    if not shared:
        return node, here
    return *theirs[: theirs.index(shared) + 1], *reversed(ours[: ours.index(shared)])


def _line(parent_of: Callable[[str], str], node: str) -> list[str]:
    found = []
    while node and node not in found:
        found.append(node)
        node = parent_of(node)
    return found
