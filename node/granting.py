"""What is granted to subscribers follows the rows of `subscription` that this node wrote as their owner, in the very
transaction that writes them: begun, a grant's rows go out by a tracked job (node/revising.py); ended, they are taken
back by one. Killed in the middle, all of it goes on from the store.

Where something waits unsealed in a feed that ends, no job is needed, and none would do: what waits is dropped, and what
the feed has sealed is taken back at once, so that nothing leaves after the end whenever the link comes up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from node.engine import Job, Step
from node.publications import changed, settings_of
from node.republish import Own, replay
from node.revising import begin, has_room, strike
from node.store.state import PUBLICATIONS, REVISION
from node.store.store import Store
from sync.core import Core
from sync.effects import SaveMeta
from sync.errors import InputFault
from sync.events import LocalEnded, LocalPut
from sync.judge import Outgoing
from sync.limits import FEEDS_PER_ORIGIN_MAX
from sync.origin import check_living
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.rows import End, EndKind, digest_rows
from sync.values import FeedName, Key, Route, Row
from tiers.grants import GRANTS_MAX, Grant, grant_of
from tiers.publishing import Published, TierPublisher
from tiers.rules import business_day
from tiers.subscriptions import SUBSCRIPTION
from tiers.ways import Address, read_settings, settings_text

FEEDS_SPARE = 256
"""Own feeds that subscriptions leave for all else."""


class Source(Protocol):
    """Where the rows stand: the writer's store, or a reader of it."""

    def scan(self, dataset: str, origin: str | None) -> Iterator[tuple[Key, int, Row]]:
        """(key, version, cells in schema order) of every row of an origin, in order of key."""
        ...


def granted(source: Source, publisher: TierPublisher, now_us: int, puts: Sequence[Row] = ()) -> list[Grant]:
    """What this node grants today. puts: rows that are about to be written."""
    dataset = publisher.declared.get(SUBSCRIPTION)
    if dataset is None:
        return []
    names = dataset.schema.names
    at = [names.index(name) for name in dataset.key]
    rows = {key: row for key, _, row in source.scan(SUBSCRIPTION, publisher.node)}
    rows |= {tuple(row[i] for i in at): row for row in puts}
    today = business_day(now_us)
    found = (grant_of(dict(zip(names, row, strict=True)), publisher.node, today) for row in rows.values())
    return [grant for grant in found if grant is not None]


def take_granted(publisher: TierPublisher, source: Source, now_us: int) -> None:
    """Makes a publisher publish what is granted today, as the rows say."""
    publisher.take(publisher.with_grants(granted(source, publisher, now_us)))


def take_granted_before_compare(publisher: TierPublisher, now_us: Callable[[], int], store: Store) -> None:
    """Own rows may have come back with a node's own sealed tail: what they grant is what feeds are compared with."""
    before = settings_of(publisher)
    take_granted(publisher, store, now_us())
    if settings_of(publisher) != before:
        publisher.levelled()
        store.begin()
        store.perform(SaveMeta(PUBLICATIONS, settings_of(publisher)))
        store.commit()


@dataclass(slots=True)
class GrantJob:
    """Rows of `subscription` that are put at this node, and what follows from them for own feeds, in one transaction.

    put: the job that lets the rows in; it also answers. at: now, in microseconds.
    """

    put: Job
    publisher: TierPublisher
    core: Callable[[], Core]
    at: int

    @property
    def token(self) -> object:
        """As node.engine.Job.token."""
        return self.put.token

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run. Raises InputFault where a bound is reached: more grants or feeds than may be, or more
        changes at a time than can be followed."""
        core = self.core()
        check_living(core)
        steps = self.put.run(store)
        put = [s.rows for s in steps if isinstance(s, LocalPut) and s.rows.dataset == SUBSCRIPTION]
        if not put:
            return steps
        grants = granted(store, self.publisher, self.at, [row for rows in put for row in rows.puts])
        return [*steps, *followed(store, core, self.publisher, grants, self.at)]


def followed(store: Store, core: Core, publisher: TierPublisher, grants: Collection[Grant], now: int) -> Sequence[Step]:
    """What has to be done so that own feeds follow these grants. Raises InputFault; nothing is done then."""
    published = publisher.with_grants(grants)
    before, after = settings_of(publisher), settings_text(publisher.settings(published))
    if before == after:
        return ()
    gone, come = _differing(before, after)
    if come:
        _check_room(core, grants, come)
    if core.settle_due or core.republishing:
        return (_Compared(publisher, published),)
    if core.recovering:
        raise InputFault(
            Reason.RECOVERING, Phrase("this node is not yet level with its neighbours; try again in a moment")
        )
    room = has_room(store)
    if come and not room:
        raise InputFault(
            Reason.LIMIT_EXCEEDED,
            Phrase("too many changes of what is published are being followed; `tiersync jobs` shows how far they are"),
        )
    me = core.me.node
    cut = [address for address in gone if not room or core.waiting.get(FeedName(me, *address))]
    left = _without(before, cut)
    following = _Following(publisher, published, cut, left, now)
    return (_ended(store, core, publisher, cut), following) if cut else (following,)


def _differing(before: str, after: str) -> tuple[list[Address], list[Address]]:
    """Addresses of feeds that do not go on as they were, and of those that begin, or begin anew."""
    were, are = _by_address(before), _by_address(after)
    gone = [address for address, text in were.items() if are.get(address) != text]
    return gone, [address for address, text in are.items() if were.get(address) != text]


def _by_address(settings: str) -> dict[Address, str]:
    found = {}
    for name, said in read_settings(settings).items():
        for text in json.loads(said):
            found[name, json.loads(text)[3]] = text
    return found


def _without(settings: str, cut: Collection[Address]) -> str:
    """Settings as if feeds had never been."""
    said: dict[str, list[str]] = {}
    for (name, addressee), text in _by_address(settings).items():
        if (name, addressee) not in cut:
            said.setdefault(name, []).append(text)
    return settings_text(said)


def _check_room(core: Core, grants: Collection[Grant], come: Iterable[Address]) -> None:
    if len(grants) > GRANTS_MAX:
        raise InputFault(Reason.LIMIT_EXCEEDED, Phrase("more than {} subscriptions in use at a time", GRANTS_MAX))
    own = {(name.publication, name.addressee) for name in core.feeds if name.origin == core.me.node}
    if len(own.union(come)) > FEEDS_PER_ORIGIN_MAX - FEEDS_SPARE:
        raise InputFault(Reason.LIMIT_EXCEEDED, Phrase("more than {} feeds of this node", FEEDS_PER_ORIGIN_MAX))


def _ended(store: Store, core: Core, publisher: TierPublisher, cut: Iterable[Address]) -> LocalEnded:
    """Removals of all that these feeds have sealed."""
    own = Own(store, publisher, lambda name: core.seams.judge.schema("", name), core.me.node, core.feeds)
    outgoing: list[Outgoing] = []
    feeds: dict[FeedName, tuple[bytes, int]] = {}
    for address in cut:
        state = core.feeds.get(FeedName(core.me.node, *address))
        if state is None:
            continue
        dataset = address[0].partition(".")[0]
        schema = publisher.declared[dataset].schema
        said, columns = replay(own, state, dataset)
        feeds[state.name] = (digest_rows((one.version, one.cells) for one in said.values()), len(said))
        if said:
            to = *address, Route.NODE, state.lane, dataset, schema.version, columns
            ends = [End(key, EndKind.LEFT) for key in said]
            was = [(key, one.version, one.cells) for key, one in said.items()]
            outgoing.append(Outgoing(*to, (), ends, was, schema.names))
    return LocalEnded(outgoing, feeds)


@dataclass(slots=True)
class _Compared:
    """All rows are about to be compared with all feeds: that makes feeds follow."""

    publisher: TierPublisher
    published: Published

    def __call__(self, store: Store) -> None:
        self.publisher.take(self.published)
        self.publisher.levelled()
        store.perform(SaveMeta(PUBLICATIONS, settings_of(self.publisher)))
        store.perform(SaveMeta(REVISION, b""))
        store.perform(SaveMeta("republish", 1))


@dataclass(slots=True)
class _Following:
    """A job makes feeds follow. cut: those that were ended at once; left: settings of before, without them."""

    publisher: TierPublisher
    published: Published
    cut: Collection[Address]
    left: str
    now: int

    def __call__(self, store: Store) -> None:
        publisher, group = self.publisher, store.meta("group")
        assert isinstance(group, int)
        publisher.take(self.published)
        settings = settings_of(publisher)
        strike(store, publisher, lambda text: _without(text, self.cut))
        store.perform(SaveMeta(PUBLICATIONS, settings))
        if differing := changed(self.left, settings):
            begun = begin(store, publisher, self.left, differing, group, publisher.node, self.now)
            assert begun, "there is room, and settings of this very program can be read"
