"""Comparing what two tiers hold of a feed, through the log that both have (ADR 0014).

Three things are compared at one position: what the origin has signed of its rows, what its sealed entries say, and what
the tables here hold. Where the first two differ, the origin's rows are not what it published; where the last two do,
the tables here are wrong, and are made again from the entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from node.republish import Own, compare, find_differences
from node.store.fsck_rows import RowChecks
from node.store.names import Names
from node.store.readers import Reader
from node.store.rebuild import Range, Told, make_again, ranges
from node.store.replay import SchemaOf
from node.store.store import Store
from node.writer import Ticket
from sync.effects import FeedState, Reply
from sync.errors import InputFault
from sync.events import LocalDifferences, RowsMadeAgain
from sync.judge import Publisher
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.replica import Replica
from sync.rows import key_getter, key_text
from sync.schema import RowSchema
from sync.statements import HEADS_SORT
from sync.values import WITHOUT_ROWS, Cell, FeedName, Key, Row, dataset_of
from sync.wire.v1.frame_pb2 import FeedHead, HeadsStatement

RANGES_SHOWN = 1_000


class Ground(NamedTuple):
    """What a comparison stands on. applies: whether a feed is judged at this node."""

    node: str
    schemas: Sequence[RowSchema]
    schema_of: SchemaOf
    applies: Callable[[FeedState], bool]


@dataclass(slots=True)
class Compared:
    """One feed. same_there: whether its origin's signed digest is that of its entries at `position`; None: it signed
    none. unread: entries that cannot be read here, so that nothing is compared. earlier: lives of the feed before this
    one: a new one says all rows again, so what the earlier said holds no more, and is not compared.
    """

    state: FeedState
    rows: int = 0
    position: int = 0
    same_there: bool | None = None
    same_here: bool | None = None
    unread: int = 0
    earlier: int = 0
    ranges: list[Range] = field(default_factory=list)
    keys: dict[str, list[Key]] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "feed": str(self.state.name),
            "seq": self.state.head.seq,
            "rows": self.rows,
            "position": self.position,
            "same_there": self.same_there,
            "same_here": self.same_here,
            "unread": self.unread,
            "earlier_epochs": self.earlier,
            "differing": sum(map(len, self.keys.values())),
            "ranges": [range_shown(one) for one in self.ranges],
        }


def range_shown(one: Range) -> dict[str, Any]:
    """As JSON."""
    return {**one._asdict(), "first": key_text(one.first), "last": key_text(one.last)}


def compare_received(reader: Reader, ground: Ground, origin: str, dataset: str) -> Iterator[Compared]:
    """Every feed of another node that is applied here, of one dataset or of all. Raises StoreFault."""
    for state in reader.feeds():
        name = state.name
        wanted = name.publication not in WITHOUT_ROWS and dataset in ("", dataset_of(name.publication))
        if name.origin == origin and wanted and ground.applies(state):
            with reader.snapshot():
                yield _compare(reader, ground, name)


def _compare(reader: Reader, ground: Ground, name: FeedName) -> Compared:
    state = next(one for one in reader.feeds() if one.name == name)
    found, told = Compared(state, earlier=max(0, len(reader.epochs(name)) - 1)), Told(state, ground.schema_of)
    stated = _stated(reader, state)
    if stated is not None:
        told.advance(reader, stated.seq)
        found.position = stated.seq
        found.same_there = told.sealed.digest == stated.row_digest
    told.advance(reader, state.head.seq)
    found.unread = told.unread + told.sealed.unread
    if found.unread:
        found.same_there = None
        return found
    names = Names(reader.session)
    number = names.find_feed(name)
    checks = RowChecks(reader.session, names, ground.node, ground.schemas)
    held = {(of, key): one for of, key, one in checks.carried(name, number or 0)}
    said = told.applied.rows
    found.rows = len(held)
    found.ranges = list(islice(ranges(said, held), RANGES_SHOWN))
    for of, key in sorted(said.keys() | held.keys()):
        if said.get((of, key)) != held.get((of, key)):
            found.keys.setdefault(of, []).append(key)
    kept = (state.digest, state.rows) == (told.applied.digest, len(said))
    found.same_here = kept and not found.keys
    return found


def _stated(reader: Reader, state: FeedState) -> FeedHead | None:
    """What the origin signed last of this feed with a digest of its rows, if that entry is held here."""
    for sort, by, _, _, _, detail in reader.statements():
        if sort != HEADS_SORT or by != state.name.origin:
            continue
        for head in HeadsStatement.FromString(detail).heads:
            same = (head.publication, head.addressee) == (state.name.publication, state.name.addressee)
            if same and head.row_digest and head.epoch == state.head.epoch and head.seq <= state.head.seq:
                return head
    return None


def stated_rows(found: Sequence[Compared], schema: RowSchema, holder: str, division: str, day: str) -> list[Row]:
    """What was found, as rows of the dataset `reconciliation`: so those above know of it too."""
    rows = []
    for one in found:
        if one.same_here is None:
            continue
        same = one.same_here and one.same_there is not False
        cells: dict[str, Cell] = {
            "holder": holder,
            "feed": str(one.state.name),
            "day": day,
            "division": division,
            "dataset": dataset_of(one.state.name.publication),
            "seq": one.state.head.seq,
            "rows": one.rows,
            "digest": one.state.digest.hex(),
            "result": "same" if same else "differs",
            "differing_rows": sum(map(len, one.keys.values())) if one.same_there is not False else None,
        }
        rows.append(tuple(cells.get(name) for name in schema.names))
    return rows


# --- made again here --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class MakeAgain:
    """Rows that differ, made again from the entries held: one transaction of the writer.

    told: all feeds of one origin that are applied here, as read beside the writer; what came since is read here.
    """

    token: Ticket[None]
    told: Sequence[Told]
    keys: Mapping[str, Sequence[Key]]
    replica: Callable[[], Replica]

    def run(self, store: Store) -> Sequence[RowsMadeAgain | Reply]:
        """As node.engine.Job.run."""
        feeds = self.replica().core.feeds
        for one in self.told:
            one.advance(store, feeds[one.name].head.seq)
        for schema in store.schemas():
            keys = self.keys.get(schema.dataset, ())
            of = [one for one in self.told if dataset_of(one.name.publication) == schema.dataset]
            if keys and of:
                make_again(store, schema, keys, of)
        now = {one.name: (one.applied.digest, len(one.applied.rows)) for one in self.told}
        return (RowsMadeAgain(now), Reply(self.token, None))


def to_make_again(reader: Reader, ground: Ground, found: Sequence[Compared]) -> tuple[list[Told], dict[str, list[Key]]]:
    """What `MakeAgain` needs: every feed that shares a dataset and origin with one that differs, and the keys."""
    wrong = [one for one in found if one.same_here is False]
    keys: dict[str, list[Key]] = {}
    for one in wrong:
        for dataset, some in one.keys.items():
            keys[dataset] = sorted({*keys.get(dataset, ()), *some})
    wanted = [(dataset, key) for dataset, some in keys.items() for key in some]
    places = {(one.state.name.origin, dataset_of(one.state.name.publication)) for one in wrong}
    told: list[Told] = []
    for state in reader.feeds():
        place = (state.name.origin, dataset_of(state.name.publication))
        if place in places and state.name.publication not in WITHOUT_ROWS and ground.applies(state):
            said = Told(state, ground.schema_of, wanted)
            said.advance(reader, state.head.seq)
            told.append(said)
    return told, keys


# --- published again by the origin ------------------------------------------------------------------------------------


def compare_own(reader: Reader, publisher: Publisher, ground: Ground, dataset: str) -> Iterator[dict[str, Any]]:
    """Own rows, as the publications make them, against own feeds."""
    for schema in ground.schemas:
        if dataset not in ("", schema.dataset):
            continue
        with reader.snapshot():
            feeds = {state.name: state for state in reader.feeds()}
            own = Own(reader, publisher, lambda of: ground.schema_of("", of), ground.node, feeds)
            ways = [way for way in compare(own, schema) if _name(ground, way.wanted) in feeds]
        for way in ways:
            name = _name(ground, way.wanted)
            key_of = key_getter(schema, way.wanted.columns)
            has = {(schema.dataset, key_of(put)): 0 for put in way.wanted.puts}
            has |= {(schema.dataset, key_of(put)): 1 for put in way.to_say.puts}
            said = {(schema.dataset, key): 0 for key in way.said}
            found = Compared(feeds[name], rows=len(has), position=feeds[name].head.seq)
            found.ranges = list(islice(ranges(said, has), RANGES_SHOWN))
            found.keys = {schema.dataset: [*map(key_of, way.to_say.puts), *(end.key for end in way.to_say.ends)]}
            found.same_here = not found.keys[schema.dataset]
            yield found.shown()


def _name(ground: Ground, out: Any) -> FeedName:
    return FeedName(ground.node, out.publication, out.addressee)


@dataclass(slots=True)
class SayAgain:
    """Own feeds made to say what the rows are, by ordinary signed changes: one transaction of the writer."""

    token: Ticket[None]
    publisher: Publisher
    replica: Callable[[], Replica]

    def run(self, store: Store) -> Sequence[LocalDifferences | Reply]:
        """As node.engine.Job.run. Raises InputFault RECOVERING while the node does so by itself."""
        core = self.replica().core
        if core.settle_due or core.recovering or core.republishing:
            raise InputFault(
                Reason.RECOVERING, Phrase("this node is not yet level with its neighbours; try again in a moment")
            )
        return (find_differences(store, self.publisher, self.replica()), Reply(self.token, None))
