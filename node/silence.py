"""Sources of this node and datasets of other nodes of which nothing has come for longer than their cadence allows.

Silence is told of what was heard before: a source that was never read, and a dataset that a node never sent, are not
late but not there. At the door rows count that were there already; of another node only what it sent is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from node.clock import iso
from node.faults import UserFault
from node.sources import declared
from node.store.readers import Reader
from sync.values import WITHOUT_ROWS, dataset_of
from tiers.catalogue import Catalogue
from tiers.silence import allowed_us

LOOKED_EVERY_S = 900


class Silent(NamedTuple):
    """Who is silent about what. source: of this node, by name; '' for its door, and for other nodes. Microseconds."""

    origin: str
    dataset: str
    source: str
    since: int
    allowed: int

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        hours = self.allowed // 3_600_000_000
        return {
            "origin": self.origin,
            "dataset": self.dataset,
            "source": self.source,
            "since": iso(self.since),
            "allowed_hours": hours,
        }


def find_silent(
    reader: Reader,
    catalogue: Catalogue,
    node: str,
    factor: int,
    now_us: int,
    spans: Mapping[str, int],
    excused: Callable[[str, int, int], int],
) -> list[Silent]:
    """In order of origin and dataset. Reads a line for each source, dataset and feed. Raises StoreFault.

    spans: microseconds for the sources that say themselves how long they may bring nothing new. excused: how much of a
    time does not count for a node, because of announced maintenance.
    """
    allowed = {name: span for name, d in catalogue.datasets.items() if (span := allowed_us(d.cadence, factor))}
    found = []
    for origin, dataset, source, heard in _heard(reader, node, spans):
        span = spans[source] if source in spans else allowed.get(dataset, 0)
        if span and now_us - heard - excused(origin, heard, now_us) > span:
            found.append(Silent(origin, dataset, source, heard, span))
    return sorted(found)


def spans_declared(home: Path) -> dict[str, int]:
    """Source -> microseconds that it may bring nothing new; those that do not say are left out."""
    found = {}
    for name in declared.names(home):
        # Who reads a source says what is wrong with its declaration.
        with suppress(UserFault, OSError):
            if seconds := declared.read(home, name).silent_after_s:
                found[name] = seconds * 1_000_000
    return found


def _heard(reader: Reader, node: str, spans: Mapping[str, int]) -> Iterator[tuple[str, str, str, int]]:
    """(origin, dataset, source, when it was heard last) of all that was ever heard."""
    door = reader.daily.newest_at_door()
    for source in reader.sources():
        # One that answers and has nothing new is not silent, unless it says for how long.
        if source.contact:
            is_told = source.name in spans and source.news
            yield node, source.dataset, source.name, source.news if is_told else source.contact
        door.pop(source.dataset, None)
    for dataset, at in door.items():
        yield node, dataset, "", at
    newest: dict[tuple[str, str], int] = {}
    for state in reader.feeds():
        name = state.name
        if name.origin == node or name.publication in WITHOUT_ROWS:
            continue
        of = reader.daily.newest(name, state.head.epoch)
        if of is not None:
            place = (name.origin, dataset_of(name.publication))
            newest[place] = max(newest.get(place, 0), of.at)
    for (origin, dataset), at in newest.items():
        yield origin, dataset, "", at
