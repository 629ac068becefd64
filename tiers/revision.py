"""Between two settings: some own rows are said by own feeds as earlier settings had it, others as it is now.

A change of publications is followed row by row, in order of key and in small transactions, while other work goes on. So
at any moment each own row must be known to be on one side or the other: what a feed says of it decides what has to be
taken back. A row is on the newer side of a change if it was written since (its version is above the group that was
reached when the change came), or if the job has passed its key. That needs no mark in any row.

Settings may change again before all rows have followed: changes lie in layers, and the newest is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sync.judge import LocalRows, Outgoing
from sync.rows import End, EndKind
from sync.schema import RowSchema
from sync.values import Key, Row
from tiers.rules import cells_of
from tiers.ways import Address, Way, images

LAYERS_MAX = 8


@dataclass(slots=True)
class Layer:
    """One change of settings. ways: what was published before it, by dataset that it touches. passed: how far it has
    been followed in each of them, None where it has not begun. ended: those it has been followed in to the end."""

    settings: str
    group: int
    ways: Mapping[str, tuple[Way, ...]]
    passed: dict[str, Key | None]
    ended: set[str] = field(default_factory=set)

    def has_followed(self, dataset: str, key: Key, version: int) -> bool:
        """Whether a row is on the newer side of this change."""
        if version > self.group or dataset in self.ended:
            return True
        passed = self.passed[dataset]
        return passed is not None and key <= passed


class Followed(NamedTuple):
    """What has to be said of some rows. moved: those that feeds put again, under a new version."""

    moved: list[Row]
    outgoing: list[Outgoing]


class Revision:
    """Changes under way, oldest first, and what is published now (`ways` by dataset)."""

    def __init__(self, layers: list[Layer], ways: Mapping[str, tuple[Way, ...]], schemas: Mapping[str, RowSchema]):
        self.layers = layers
        self._ways = ways
        self._schemas = schemas

    @property
    def next(self) -> str | None:
        """The dataset that is to be followed next; None if all have been."""
        newest = self.layers[-1]
        return next((dataset for dataset in newest.passed if dataset not in newest.ended), None)

    def touches(self, dataset: str) -> bool:
        """Whether rows of a dataset may still be said otherwise than by the settings of now."""
        newest = self.layers[-1]
        return dataset in newest.passed and dataset not in newest.ended

    def advance(self, dataset: str, passed: Key | None) -> None:
        """The job has followed up to and with this key; None: to the end."""
        newest = self.layers[-1]
        if passed is None:
            newest.ended.add(dataset)
        else:
            newest.passed[dataset] = passed

    def publish(self, rows: LocalRows) -> list[Outgoing]:
        """As TierPublisher.publish, for rows of which feeds may say what earlier settings had."""
        schema, now = self._schemas[rows.dataset], self._ways.get(rows.dataset, ())
        return say(schema, now, rows, lambda key, version: self._said_by(rows.dataset, key, version))

    def follow(self, dataset: str, rows: Sequence[tuple[Key, int, Row]]) -> Followed:
        """What has to be said so that feeds say these rows (key, version, cells) as the settings of now have it.

        A row that some feed must put goes out in every feed that has it: its version moves everywhere.
        """
        said = _Said(self._schemas[dataset], now := self._ways.get(dataset, ()))
        moved: list[Row] = []
        for key, version, row in rows:
            ways = self._said_by(dataset, key, version)
            if ways is now:
                continue
            was, wanted = images(ways, row), images(now, row)
            if any(was.get(address) != image for address, image in wanted.items()):
                said.held(key, version, row, ways)
                said.put(row, wanted)
                moved.append(row)
            else:
                said.held(key, version, row, tuple(way for way in ways if way.address_of(row) not in wanted))
        return Followed(moved, said.outgoing({}))

    def _said_by(self, dataset: str, key: Key, version: int) -> tuple[Way, ...]:
        """By which ways feeds say a row."""
        after = self._ways.get(dataset, ())
        for layer in reversed(self.layers):
            if dataset not in layer.passed:
                continue
            if layer.has_followed(dataset, key, version):
                return after
            after = layer.ways[dataset]
        return after


def say(
    schema: RowSchema, now: tuple[Way, ...], rows: LocalRows, said_by: Callable[[Key, int], tuple[Way, ...]]
) -> list[Outgoing]:
    """What local rows mean for each feed. said_by: the ways by which feeds say a row of before (key, version)."""
    said = _Said(schema, now)
    for key, (version, row) in rows.before.items():
        said.held(key, version, row, said_by(key, version))
    for row in rows.puts:
        said.put(row, images(now, row))
    return said.outgoing(dict(rows.voids))


class _Said:
    """Gathers, feed by feed, what was said before and what is put now."""

    def __init__(self, schema: RowSchema, now: tuple[Way, ...]) -> None:
        self._schema = schema
        self._ways: dict[Address, Way] = {way.address: way for way in now}
        self._naming: dict[str, Way] = {way.publication.id: way for way in now if way.named_at is not None}
        self._was: dict[Address, dict[Key, tuple[int, Row]]] = {}
        self._puts: dict[Address, list[Row]] = {}
        self._put_keys: dict[Address, set[Key]] = {}
        self._orders: dict[tuple[str, ...], Callable[[Row], Row]] = {}
        self._at = [schema.names.index(name) for name in schema.key]

    def held(self, key: Key, version: int, row: Row, ways: tuple[Way, ...]) -> None:
        for way in ways:
            self._ways.setdefault(way.address, way)
            if way.named_at is not None:
                self._naming.setdefault(way.publication.id, way)
        for address, image in images(ways, row).items():
            self._was.setdefault(address, {})[key] = (version, image)

    def put(self, row: Row, wanted: Mapping[Address, Row]) -> None:
        key = tuple(row[i] for i in self._at)
        for address, image in wanted.items():
            columns = self._way(address).publication.columns
            self._puts.setdefault(address, []).append(self._in_order(columns)(image))
            self._put_keys.setdefault(address, set()).add(key)

    def _way(self, address: Address) -> Way:
        return self._ways.get(address) or self._naming[address[0]]

    def _in_order(self, columns: tuple[str, ...]) -> Callable[[Row], Row]:
        found = self._orders.get(columns)
        if found is None:
            found = self._orders[columns] = cells_of([self._schema.names.index(c) for c in columns])
        return found

    def outgoing(self, voids: Mapping[Key, str]) -> list[Outgoing]:
        """One per feed that has something to say."""
        found = []
        for address in dict.fromkeys((*self._ways, *self._was, *self._puts)):
            way = self._way(address)
            puts, was = self._puts.get(address, []), self._was.get(address, {})
            put_keys = self._put_keys.get(address, set())
            ends = [
                End(key, EndKind.VOID, voids[key]) if key in voids else End(key, EndKind.LEFT)
                for key in was
                if key not in put_keys
            ]
            if puts or ends:
                of, schema = way.publication, self._schema
                before = [(key, version, image) for key, (version, image) in was.items()]
                to = *address, of.route, of.lane, schema.dataset, schema.version
                found.append(Outgoing(*to, of.columns, puts, ends, before, schema.names))
        return found
