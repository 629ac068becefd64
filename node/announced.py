"""Announcements of maintenance as rows of `maintenance_window`, and what of them counts here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from node.clock import iso
from node.config import Config
from node.store.readers import Reader
from node.store.windows import Announced, Seen
from sync.days import DAY_MAX, day_begins_us
from tiers.maintenance import Bounds, Maintenance, Window, counted

DATASET: Final = "maintenance_window"
KEPT_US: Final = 400 * 86_400_000_000
"""What ended longer ago is not looked at any more."""
PER_ANNOUNCER_MAX: Final = 10_000
SHOWN_MAX: Final = 50
_LAST_US: Final = day_begins_us(DAY_MAX)
_NAMES: Final = ("node", "starts", "ends", "reason", "ended")


class Said(NamedTuple):
    """An announcement as its row says it. ended: when it was over before its end, else None."""

    which: Announced
    reason: str
    ended: int | None

    def window(self, seen: Seen) -> Window:
        """As the rules look at it."""
        which, ends = self.which, self.which.ends
        said = ends if self.ended is None else self.ended
        return Window(which.node, which.announcer, which.starts, min(ends, seen.over or said), seen.at, self.reason)


def said_by(reader: Reader, now: int) -> list[Said]:
    """All announcements that are held here and not long over. So many of each announcer at most."""
    where, cells = '"ends" > ?', (now - KEPT_US,)
    found = []
    for (origin,) in reader.groups(DATASET, ("_origin",), where, cells):
        of_one = '"_origin" = ? AND ' + where
        for node, starts, ends, reason, ended in reader.query(
            DATASET, of_one, (origin, *cells), _NAMES, PER_ANNOUNCER_MAX
        ):
            which = Announced(str(origin), str(node), int(starts or 0), int(ends or 0))
            if 0 < which.starts < which.ends < _LAST_US:
                found.append(Said(which, str(reason or ""), None if ended is None else int(ended)))
    return found


class News(NamedTuple):
    """What is to be remembered of announcements: those that are new, those that are over early and when, and those of
    which nothing needs to be known any more."""

    fresh: Sequence[Announced]
    over: Mapping[Announced, int]
    gone: Sequence[Announced]


def news(said: Sequence[Said], seen: Mapping[Announced, Seen], now: int) -> News:
    """Who ends a window, or takes it back once it has begun, gets back only what lies ahead, and says so once: else
    nobody would ever have used any up. Of each announcer so many are remembered at most; further ones do not count."""
    here = {one.which: one for one in said}
    of_each = Counter(which.announcer for which in seen)
    fresh, over, gone = list[Announced](), dict[Announced, int](), list[Announced]()
    for which in sorted(here.keys() - seen.keys()):
        of_each[which.announcer] += 1
        if of_each[which.announcer] <= PER_ANNOUNCER_MAX:
            fresh.append(which)
    for which, (_, ended) in {**dict.fromkeys(fresh, Seen(now)), **seen}.items():
        one = here.get(which)
        if one is None and (now <= which.starts or 0 < ended <= which.starts or which.ends <= now - KEPT_US):
            gone.append(which)
        elif one is None and now < min(which.ends, ended or which.ends):
            over[which] = now
        elif one is not None and one.ended is not None and not ended:
            over[which] = max(one.ended, now)
    return News(fresh, over, gone)


def that_counts(
    said: Sequence[Said], seen: Mapping[Announced, Seen], parent_of: Callable[[str], str], config: Config
) -> Maintenance:
    """What of announcements counts at this node: of those that were taken back too, as far as they had begun."""
    taken_back = (Said(which, "", None) for which in seen.keys() - {one.which for one in said})
    windows = [one.window(seen[one.which]) for one in (*said, *taken_back) if one.which in seen]
    return Maintenance(counted(windows, parent_of, bounds_of(config)))


def shown_now(maintenance: Maintenance, now: int) -> list[dict[str, Any]]:
    """What counts and is not over, in order of time, for a status."""
    coming = sorted((one for one in maintenance.windows if one.ends > now), key=lambda one: (one.starts, one.node))
    return [
        {"node": one.node, "from": iso(one.starts), "until": iso(one.ends), "reason": one.reason}
        for one in coming[:SHOWN_MAX]
    ]


def bounds_of(config: Config) -> Bounds:
    """As the settings say."""
    return Bounds(config.maintenance.hours, config.maintenance.hours_in_30_days)


def excused_below(reader: Reader, config: Config, parent: str, now: int) -> Callable[[str, int, int], int]:
    """How much of a time does not count for a node right below this one; also where the node does not run."""
    here = config.node.node_id
    said, seen = said_by(reader, now), reader.windows.all()
    found = that_counts(said, seen, lambda node: parent if node == here else here, config)
    return lambda node, since, until: found.covered_us((node, here), since, until)
