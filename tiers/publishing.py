"""Implements sync.judge.Publisher: what of a local change goes to whom, with held-back columns taken out and numbers of
persons masked where a column says so.

A row that changed goes out again in every publication it matches, even if its published image is the same: the version
must move everywhere. A row that no longer matches a filter leaves that audience by an explicit removal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sync.judge import LocalRows, Outgoing
from sync.rows import End, EndKind
from sync.schema import RowSchema
from sync.values import Key, Route, Row
from tiers.catalogue import Catalogue
from tiers.dataset import NATION, Dataset, Publication
from tiers.grants import Grant, publication_of
from tiers.personal import MASK, Guard
from tiers.profile import Standing, profile_of
from tiers.revision import Revision, say
from tiers.rules import cells_of
from tiers.ways import Way, make_way, text_of


class _Ready(NamedTuple):
    schema: RowSchema
    key_of: Callable[[Row], Key]
    ways: tuple[Way, ...]
    masked: frozenset[str]
    rows_name_addressees: bool


class Published(NamedTuple):
    """What a node publishes, by dataset, with what it grants to subscribers now."""

    by_dataset: Mapping[str, _Ready]


class TierPublisher:
    """Publishes for the node that stands at `standing` the datasets that its tier owns, and of them what is granted."""

    def __init__(self, catalogue: Catalogue, standing: Standing) -> None:
        self._ready: dict[str, _Ready] = {}
        self.revision: Revision | None = None
        """While own feeds do not yet say all rows as the settings of now have it."""
        self.declared = catalogue.datasets
        self.node, self._parent = standing.node, standing.parent
        tiers = standing.profile.tiers(standing.parent)
        for dataset in catalogue.datasets.values():
            if not any(tier in dataset.owner for tier in tiers):
                continue
            at = {name: i for i, name in enumerate(dataset.schema.names)}
            ways = [w for p in catalogue.publications_of(dataset.id) for w in _ways(p, standing, dataset)]
            masked = frozenset(Guard(dataset, dataset.schema.names).masked_columns)
            key_of = cells_of([at[k] for k in dataset.key])
            naming = any(way.named_at is not None for way in ways)
            self._ready[dataset.id] = _Ready(dataset.schema, key_of, tuple(ways), masked, naming)
        self._declared_ready = dict(self._ready)

    def with_grants(self, grants: Iterable[Grant]) -> Published:
        """What would be published with these grants and no others; nothing for those that this node cannot keep: of a
        dataset that is not its own any more, or by a filter that cannot be read."""
        ready = dict(self._declared_ready)
        addresses: set[tuple[str, str]] = set()
        for grant in sorted(grants):
            base = ready.get(grant.dataset)
            publication = publication_of(grant, self.declared[grant.dataset]) if base is not None else None
            address = grant.dataset, grant.subscriber
            if base is None or publication is None or address in addresses or grant.subscriber == self.node:
                continue
            addresses.add(address)
            way = make_way(publication, grant.subscriber, self.declared[grant.dataset])
            ready[grant.dataset] = base._replace(ways=(*base.ways, way))
        return Published(ready)

    def take(self, ways: Published) -> None:
        """This is published from now on. What feeds say otherwise follows by a revision (node/granting.py)."""
        self._ready = dict(ways.by_dataset)

    def publish(self, rows: LocalRows) -> Sequence[Outgoing]:
        """As sync.judge.Publisher.publish. Each key stands once in puts and voids; `before` has no other keys.

        Nothing for a dataset this node's tier does not own: it is kept here and goes nowhere.
        """
        if self.revision is not None and self.revision.touches(rows.dataset):
            return self.revision.publish(rows)
        ready = self._ready.get(rows.dataset)
        if ready is None:
            return []
        if ready.rows_name_addressees:
            return say(ready.schema, ready.ways, rows, lambda key, version: ready.ways)
        outgoing = []
        for way in ready.ways:
            puts, ends, was = _filtered(rows, way, ready.key_of) if way.matches else _whole(rows, way)
            if puts or ends:
                outgoing.append(_outgoing(way, ready.schema, puts, ends, was))
        return outgoing

    def lacks(self, dataset: str, columns: Sequence[str], row: Row) -> bool:
        """As sync.judge.Publisher.lacks: whether a cell that is masked in what leaves holds a mask."""
        ready = self._ready.get(dataset)
        masked = ready.masked if ready is not None else frozenset()
        return any(
            name in masked and isinstance(cell, str) and MASK in cell for name, cell in zip(columns, row, strict=True)
        )

    def levelled(self) -> None:
        """As sync.judge.Publisher.levelled."""
        self.revision = None

    def ways(self) -> Mapping[str, tuple[Way, ...]]:
        """What is published, by dataset."""
        return {dataset: ready.ways for dataset, ready in self._ready.items()}

    def settings(self, ways: Published | None = None) -> Mapping[str, list[str]]:
        """What decides who gets what, by publication: while it stays the same, `publish` may be given rows that were
        published by an earlier life. `ways`: as if these were taken."""
        said: dict[str, list[str]] = {}
        for ready in (self._ready if ways is None else ways.by_dataset).values():
            for way in ready.ways:
                said.setdefault(way.publication.id, []).append(text_of(way, self._parent))
        return {name: sorted(ways) for name, ways in said.items()}


_Parts = tuple[Sequence[Row], list[End], list[tuple[Key, int, Row]]]


def _outgoing(
    way: Way, schema: RowSchema, puts: Sequence[Row], ends: list[End], was: list[tuple[Key, int, Row]]
) -> Outgoing:
    publication = way.publication
    return Outgoing(
        publication.id,
        way.addressee,
        publication.route,
        publication.lane,
        schema.dataset,
        schema.version,
        publication.columns,
        puts,
        ends,
        was,
    )


def _ways(publication: Publication, standing: Standing, dataset: Dataset) -> list[Way]:
    """One per addressee, and what goes beyond the parent; none where there is nobody above, and never to oneself."""
    if publication.route in (Route.PARENT, Route.ANCESTORS) and not standing.parent:
        return []
    named = [standing.nation if a == NATION else a for a in publication.addressees]
    addressees = [a for a in dict.fromkeys(named) if a != standing.node] if publication.route is Route.NODE else [""]
    beyond = _beyond(standing, dataset) if publication.route is Route.PARENT else []
    addressed = replace(publication, route=Route.NODE, addressees=tuple(beyond))
    return [
        *(make_way(publication, addressee, dataset, standing.node) for addressee in addressees),
        *(make_way(addressed, addressee, dataset, standing.node) for addressee in beyond),
    ]


def _beyond(standing: Standing, dataset: Dataset) -> list[str]:
    """Who else has what is for the parent: it is for the tier above that of its owners. Above a district stands its
    city, which owns such rows itself; so they go on, addressed to the province, and are carried by the city."""
    found: list[str] = []
    node = standing.parent
    while node and node != standing.nation:
        profile, rest = profile_of(node), node.partition(".")[2]
        above = rest if profile_of(rest) is not None else standing.nation
        if profile is None or set(dataset.owner).isdisjoint(profile.tiers(above)):
            break
        found.append(above)
        node = above
    return found


def _whole(rows: LocalRows, way: Way) -> _Parts:
    """A publication of all rows."""
    before = rows.before
    ends = [End(key, EndKind.VOID, reason) for key, reason in rows.voids if key in before]
    return way.images(rows.puts), ends, _held(way, before)


def _filtered(rows: LocalRows, way: Way, key_of: Callable[[Row], Key]) -> _Parts:
    """A publication of the rows that match: before and after decide between put, removal and nothing."""
    assert way.matches is not None
    after = list(filter(way.matches, rows.puts))
    held = {key: image for key, image in rows.before.items() if way.matches(image[1])}
    ends: list[End] = []
    if held:
        ends = [End(key, EndKind.VOID, reason) for key, reason in rows.voids if key in held]
        still = {key_of(row) for row in after}
        still.update(end.key for end in ends)
        ends += [End(key, EndKind.LEFT) for key in held if key not in still]
    return way.images(after), ends, _held(way, held)


def _held(way: Way, held: Mapping[Key, tuple[int, Row]]) -> list[tuple[Key, int, Row]]:
    images = way.images([row for _, row in held.values()])
    return [(key, version, image) for (key, (version, _)), image in zip(held.items(), images, strict=True)]
