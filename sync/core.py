"""The state that all parts of the replica share, and the questions they ask of it. No decisions here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sync.chain import Author
from sync.effects import Alarm, Effect, FeedState, OutboxItem, Reread, SaveFeed, SaveHeirs, SaveMeta, Send, WakeAt
from sync.fetching import Attachments
from sync.judge import Judge, Known, Publisher
from sync.limits import CURSORS_PER_FRAME_MAX, GROUP_LEAP, MESSAGE_BYTES_MAX
from sync.link import Link, Phase
from sync.ports import Log, Rebuilt
from sync.reasons import Reason
from sync.registry import Registry
from sync.suites import Signer, Suite, Suites, genesis
from sync.values import REGISTRY, FeedName, Head, Key, Lane, Route
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody, MoveBody
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from sync.wire.v1.frame_pb2 import Frame, HeadsStatement, Notice, ReceiptStatement


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is. `parent` is '' for the nation; boot is new with each start; ids are 16 bytes."""

    federation: str
    node: str
    parent: str
    instance: bytes
    boot: bytes
    software: str


@dataclass(frozen=True, slots=True)
class Seams:
    """What is injected: the core decides with these and knows nothing of what is behind them."""

    suites: Suites
    signer: Signer
    judge: Judge
    publisher: Publisher
    known: Known
    log: Log
    verify_anchor: Callable[[Anchor], AnchorBody | None]
    old_signer: Signer | None = None
    """The log key before the newest, where it is still at hand: it signs adoptions."""


@dataclass(slots=True)
class Missing:
    """A stated head that is not held; `since` when, or since its feed last moved, in working time of the link."""

    epoch: bytes
    seq: int
    held: int
    since: int


class KnownNow:
    """What is held, with the moves of this very event on top: a run may bring several moves of one task."""

    def __init__(self, below: Known) -> None:
        self._below = below
        self._fresh: dict[str, list[MoveBody]] = {}

    def forget(self) -> None:
        """A new event begins; what was fresh is in the store now."""
        self._fresh.clear()

    def note(self, moves: Sequence[MoveBody]) -> None:
        """These moves are being written by the event at hand."""
        for move in moves:
            self._fresh.setdefault(move.task, []).append(move)

    def codes(self, table: str) -> frozenset[str]:
        return self._below.codes(table)

    def task(self, task: str) -> Sequence[MoveBody]:
        fresh = self._fresh.get(task, ())
        numbered = {m.number: m for m in self._below.task(task)}
        for move in fresh:
            if move.number:
                numbered[move.number] = move
        refused = {m.move_id for m in fresh if not m.number and m.verdict}
        return [numbered[n] for n in sorted(numbered) if numbered[n].move_id not in refused]

    def pending(self, task: str) -> Sequence[MoveBody]:
        fresh = self._fresh.get(task, ())
        answered = {m.move_id for m in fresh if m.verdict or m.number}
        held = [m for m in self._below.pending(task) if m.move_id not in answered]
        return [*held, *(m for m in fresh if not m.number and not m.verdict and m.move_id not in answered)]

    def succeeds(self, node: str, predecessor: str) -> bool:
        return self._below.succeeds(node, predecessor)


class Core:
    """Everything a replica remembers between two events; all of it can be rebuilt from the store."""

    def __init__(self, me: Identity, seams: Seams, rebuilt: Rebuilt) -> None:
        self.me = me
        self.seams = seams
        self.log = seams.log
        self.registry = Registry(me.federation)
        self.anchor = rebuilt.anchor
        self.feeds: dict[FeedName, FeedState] = {state.name: state for state in rebuilt.feeds}
        self.waiting: dict[FeedName, int] = dict(rebuilt.outbox_feeds)
        self.pending: dict[FeedName, list[OutboxItem]] = {}
        self.links: dict[int, Link] = {}
        self.attachments = Attachments()
        self.effects: list[Effect] = []
        self.now = 0
        self.group = rebuilt.group
        self.group_floor = 0
        """Outbox items of a group up to this one get a new number when they are sealed: a recovery found it in use."""
        self.outbox_id = rebuilt.outbox_id
        self.outbox_id_at_start = rebuilt.outbox_id
        self.counter = rebuilt.counter
        self._counting = False
        self.hlc = 0
        self.seen: dict[str, tuple[list[bytes], list[bytes]]] = {}
        for node, instance, boot, _ in rebuilt.seen:
            self.note_seen(node, instance, boot)
        self.seen_order = max((order for *_, order in rebuilt.seen), default=0)
        self.evidence: dict[FeedName, bytes] = dict(rebuilt.evidence)
        self.statements: dict[tuple[str, str, str], tuple[bytes, bytes, bytes]] = {
            (sort, by, about): (body, signature, detail)
            for sort, by, about, body, signature, detail in rebuilt.statements
        }
        self.restored = rebuilt.restored
        self.compared = set(rebuilt.compared)
        self.clones = set(rebuilt.suspended_clone)
        self.settle_due = rebuilt.restored or rebuilt.republish or bool(rebuilt.recovering)
        """An earlier life was restored, or ended while its tail came back: after the next compare, rows are compared
        with feeds before anything is sealed."""
        self.recovering: dict[FeedName, dict[str, int]] = {
            FeedName(me.node, *feed): dict(claims) for feed, claims in rebuilt.recovering.items()
        }
        """Own feeds of which neighbours are known to hold more: who, and up to which seq. First that comes back."""
        self.found_group = 0
        self.local_keys: dict[str, set[Key]] = {}
        self.to_reread: Counter[Reread] = Counter()
        """How many rows this recovery has listed to be read again from their source."""
        self.voided: dict[str, dict[Key, int]] = {}
        """While a tail comes back: versions at which own rows were voided, by dataset."""
        self.returned: set[bytes] = set()
        """Payload digests of own entries that came back: what waits in the outbox with such a payload was said."""
        self.registry_grew = False
        self.heirs: list[tuple[str, str, str]] = []
        self.republishing = False
        self.rejudge_wanted = False
        self.rejudge_left: dict[FeedName, int] = {}
        """Parked rows still to be judged again since that was last wished for; and where the last round stopped."""
        self.rejudged_up_to: dict[FeedName, tuple[int, int]] = {}
        self.touched: set[tuple[str, str, str]] = set()
        """Rows written in this round of judging again: (dataset, origin, key)."""
        self.parked = {name for name, state in self.feeds.items() if state.parked}
        """Feeds with rows that wait. Asked only whether there are any, and whether one is among them."""
        self.known = KnownNow(seams.known)
        self.receipts_due: set[str] = set()
        self.dirty_out: dict[FeedName, None] = {}
        """Feeds that moved in this transaction, in order (a set's order would differ from run to run)."""
        self.early: dict[tuple[str, str, str], tuple[int, ReceiptStatement | HeadsStatement]] = {}
        """Statements that came before the registry record of who made them: (link, statement) by sort, by, about."""
        self.early_sizes: dict[tuple[str, str, str], int] = {}
        """Their bytes."""
        self.withheld: dict[FeedName, Missing] = {}
        """Heads that were stated and are not held."""
        self.worked: dict[str, int] = {}
        """For how long links to each neighbour have worked since this start."""
        self.looked_at = 0
        """When it was last looked whether something is missing."""
        self.heard_from: dict[str, int] = {}
        """Origins whose rows are kept here: working time of the link towards them when they last stated heads."""
        self.alarmed: set[tuple[str, str]] = set()

    # --- saying ---------------------------------------------------------------------------------------------------

    def do(self, effect: Effect) -> None:
        """Adds an effect to the answer."""
        self.effects.append(effect)

    def send(self, link: Link, frame: Frame) -> None:
        """Sends a frame once what was written so far is durable. Its maker keeps it to what a neighbour reads."""
        data = frame.SerializeToString()
        assert len(data) <= MESSAGE_BYTES_MAX, f"a frame of {len(data)} bytes: {frame.WhichOneof('kind')}"
        self.do(Send(link.id, data))

    def notice(
        self, link: Link, reason: Reason, feed: FeedName | None = None, detail: str = "", **fields: object
    ) -> None:
        """Tells the peer that something was dropped or is wrong."""
        notice = Notice(reason=int(reason), detail=detail[:300], **fields)  # type: ignore[arg-type]
        if feed is not None:
            notice.feed.CopyFrom(wire_feed(feed))
        self.send(link, Frame(notice=notice))

    def alarm(self, name: str, **fields: str | int) -> None:
        """Tells a person."""
        self.do(Alarm(name, fields))

    def alarm_once(self, name: str, key: str, **fields: str | int) -> None:
        """Tells a person, once in the life of this process, per key."""
        if (name, key) not in self.alarmed:
            self.alarmed.add((name, key))
            self.alarm(name, **fields)

    def wake(self, at: int) -> None:
        """Asks for a Tick."""
        self.do(WakeAt(at))

    def save(self, state: FeedState) -> None:
        """Keeps a feed's state."""
        self.do(SaveFeed(state))

    def count_parked(self, state: FeedState, by: int) -> None:
        """So many more or fewer rows of a feed wait."""
        state.parked = max(0, state.parked + by)
        if state.parked:
            self.parked.add(state.name)
        else:
            self.parked.discard(state.name)

    # --- counting -------------------------------------------------------------------------------------------------

    def next_group(self) -> int:
        """The number of the next local transaction; kept with it."""
        self.group += 1
        self.do(SaveMeta("group", self.group))
        return self.group

    def leap_group(self, highest: int) -> None:
        """After a restore or recovery versions go on above all that was found anywhere (protocol section 1)."""
        self.group = (max(self.group, highest) // GROUP_LEAP + 1) * GROUP_LEAP
        self.do(SaveMeta("group", self.group))

    def next_counter(self) -> int:
        """Counter of statements. It rises over the life of the store, and from each start on over what an unnoticed
        roll-back may have forgotten: the milliseconds since 1970 run ahead of it."""
        if not self._counting:
            self._counting = True
            self.counter = max(self.counter, self.now // 1000)
        self.counter += 1
        self.do(SaveMeta("counter", self.counter))
        return self.counter

    def tick_hlc(self, seen: int = 0) -> int:
        """Hybrid logical clock: milliseconds << 16 | counter. Said, never decisive."""
        wall = (self.now // 1000) << 16
        # A peer's clock may run fast, but not drag ours by more than a day.
        if seen and seen - wall < (86_400_000 << 16):
            self.hlc = max(self.hlc, seen)
        self.hlc = max(self.hlc + 1, wall)
        return self.hlc

    # --- asking ---------------------------------------------------------------------------------------------------

    @property
    def suite(self) -> Suite:
        """The suite of this node's own log key."""
        return self.seams.suites[self.seams.signer.suite]

    @property
    def enrolment(self) -> int:
        """This node's newest enrolment version whose key it holds; 0 before it is enrolled."""
        mine = self.registry.newest(self.me.node)
        return mine.version if mine and mine.public_key == self.seams.signer.public_key else 0

    @property
    def author(self) -> Author:
        """The constant fields of own headers."""
        return Author(self.me.federation, self.me.node, self.me.instance, self.enrolment)

    @property
    def pulling(self) -> bool:
        """Whether an own sealed tail is being pulled back right now: nothing at all is sealed meanwhile."""
        return bool(self.recovering) and any(f in self.recovering for link in self.links.values() for f in link.wants)

    def rows_changed(self, dataset: str) -> None:
        """Rows came or went: parked rows are looked at again if they may wait for such rows, and only then. A node that
        holds many parked rows would else judge all of them with every run.
        """
        if self.parked and self.seams.judge.is_awaited(dataset):
            self.rejudge_wanted = True

    def save_recovering(self) -> None:
        """Keeps which own feeds are behind a neighbour, across restarts: whoever forgets it may fork."""
        lines = [
            f"{feed.publication} {feed.addressee or '-'} {until} {peer}"
            for feed, claims in self.recovering.items()
            for peer, until in claims.items()
        ]
        self.do(SaveMeta("recovering", "\n".join(lines)))

    def own_feed(self, feed: FeedName, route: Route, lane: Lane) -> FeedState:
        """The state of an own feed, begun now if it is new. Its epoch is derived from the instance, which is random."""
        state = self.feeds.get(feed)
        if state is None:
            seed = b"\0".join((self.me.instance, feed.publication.encode(), feed.addressee.encode()))
            epoch = self.suite.hash(b"tiersync.v1.epoch\0" + seed)[:16]
            state = FeedState(feed, route, lane, self.genesis(feed, epoch), suite=self.suite.number)
            self.feeds[feed] = state
        return state

    def genesis(self, feed: FeedName, epoch: bytes, suite: Suite | None = None) -> Head:
        """The head of a feed's epoch before its first entry."""
        return Head(epoch, 0, genesis(suite or self.suite, self.me.federation, *feed, epoch))

    def next_hop(self, target: str) -> str:
        """The neighbour on the way to a node; '' when it is this one or not known. A node that has just been enrolled
        knows its parent before the registry has told it."""
        if target == self.me.node or self.registry.newest(target) is None:
            return ""
        return self.registry.next_hop(self.me.node, target) or self.me.parent

    def source(self, feed: FeedName) -> str:
        """The one neighbour a feed comes from; '' for own feeds and unknown origins."""
        return self.next_hop(feed.origin)

    def goes_to(self, feed: FeedName, route: Route, peer: str) -> bool:
        """Whether a feed is passed to this neighbour (protocol section 2)."""
        mine = feed.origin == self.me.node
        if not mine and self.source(feed) in ("", peer):
            return False
        match route:
            case Route.PARENT:
                return mine and peer == self.me.parent
            case Route.ANCESTORS:
                return peer == self.me.parent
            case Route.DESCENDANTS:
                # Down from the origin, never up to a node above it and down again on the other side.
                return peer != self.me.parent and (mine or self.registry.is_below(self.me.node, feed.origin))
            case Route.NODE:
                return self.next_hop(feed.addressee) == peer
            case Route.EVERYWHERE:
                return True

    def applies(self, feed: FeedName, route: int) -> bool:
        """Whether this node is in the feed's audience and judges its rows, rather than only carrying it."""
        here, origin = self.me.node, feed.origin
        if origin == here:
            return True
        match route:
            case Route.PARENT:
                return self.registry.parent(origin) == here
            case Route.ANCESTORS:
                return self.registry.is_below(origin, here)
            case Route.DESCENDANTS:
                return self.registry.is_below(here, origin)
            case Route.NODE:
                return feed.addressee == here
            case Route.EVERYWHERE:
                return feed.publication == REGISTRY
        return False

    def neighbours(self) -> list[str]:
        """Node ids of the parent and the enrolled children."""
        children = [c for c in self.registry.children(self.me.node) if (e := self.registry.newest(c)) and e.enrolled]
        return ([self.me.parent] if self.me.parent else []) + children

    def keep_heirs(self) -> None:
        """Keeps what passed to whom, where it changed: what a successor has taken over is found by it."""
        registry = self.registry
        found = [(s.node, heir, r) for heir in registry.heirs() for s in registry.inherited(heir) for r in s.regions]
        if found != self.heirs:
            self.heirs = found
            self.do(SaveHeirs(found))

    def is_awaited(self, neighbour: str) -> bool:
        """Whether a restored node must be compared with this neighbour first: one that was succeeded may never come."""
        found = self.registry.newest(neighbour)
        return found is None or not found.successions

    @property
    def succeeded_by(self) -> tuple[str, ...]:
        """Who this node was succeeded by: then it seals nothing more."""
        mine = self.registry.newest(self.me.node)
        return tuple(s.node for s in mine.successions) if mine is not None else ()

    def audience(self, feed: FeedName, route: Route) -> list[str]:
        """The neighbours a feed goes to."""
        return [n for n in self.neighbours() if self.goes_to(feed, route, n)]

    def live(self, feed: FeedName, route: Route) -> bool:
        """Whether an own feed may be sealed now: some neighbour it goes to is past compare, and nothing forbids it."""
        if self.pulling or self.settle_due or self.republishing or feed in self.recovering or not self.enrolment:
            return False
        if self.succeeded_by:
            return False
        state = self.feeds.get(feed)
        if state is not None and state.frozen:
            return False
        audience = self.audience(feed, route)
        if self.restored and not all(n in self.compared for n in audience if self.is_awaited(n)):
            return False
        return any(link.working and link.peer in audience for link in self.links.values())

    def open_links(self) -> Iterator[Link]:
        """Links in compare or exchange."""
        for link in self.links.values():
            if link.phase in (Phase.COMPARE, Phase.EXCHANGE, Phase.DRAINING):
                yield link

    def link_to(self, peer: str) -> Link | None:
        """The working link to a neighbour."""
        for link in self.links.values():
            if link.peer == peer and link.phase in (Phase.EXCHANGE, Phase.DRAINING):
                return link
        return None

    # --- remembering neighbours -------------------------------------------------------------------------------------

    def note_seen(self, node: str, instance: bytes, boot: bytes) -> bool:
        """Remembers; False if this instance or boot returns after another was seen: a clone (protocol section 7)."""
        instances, boots = self.seen.setdefault(node, ([], []))
        if (instance in instances and instances[-1] != instance) or (boot in boots and boots[-1] != boot):
            return False
        if instance not in instances:
            instances.append(instance)
        if boot not in boots:
            boots.append(boot)
        return True


def named_feeds(frame: Frame, kind: str) -> Iterator[WireFeed]:
    """The feeds that a frame names, other than in a run (whose headers are checked) and in statements."""
    match kind:
        case "hello":
            yield from (cursor.feed for cursor in frame.hello.registry)
        case "cursors" if len(frame.cursors.cursors) <= CURSORS_PER_FRAME_MAX:  # more of them end the session as such
            yield from (cursor.feed for cursor in frame.cursors.cursors)
        case "ack":
            yield from (cursor.feed for cursor in frame.ack.committed)
        case "want":
            yield frame.want.feed
        case "evidence":
            yield frame.evidence.feed
        case "notice" if frame.notice.HasField("feed"):
            yield frame.notice.feed


def wire_feed(feed: FeedName) -> WireFeed:
    """A feed's name as a message."""
    return WireFeed(origin=feed.origin, publication=feed.publication, addressee=feed.addressee)


def feed_of(wire: WireFeed) -> FeedName:
    """The same, back."""
    return FeedName(wire.origin, wire.publication, wire.addressee)
