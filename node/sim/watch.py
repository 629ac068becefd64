"""The promises of design section 3, checked at every commit and at every frame that is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from node.sim.ledger import Ledger
from node.sim.model import FeedModel
from node.sim.places import Tree, newest_catalogue
from node.sim.violation import Violation
from sync.effects import Append, FeedState, SaveFates, SaveFeed, UpsertRows, Write
from sync.reasons import Reason
from sync.scope import Scope
from sync.values import REFUSALS, Fate, FeedName, Head, Route, dataset_of
from sync.wire.v1.entry_pb2 import EntryHeader
from sync.wire.v1.frame_pb2 import Cursor, Frame, HeadsBody, ReceiptBody, Statements

if TYPE_CHECKING:
    from node.sim.simnode import SimNode

_PARKED_BELOW = """SELECT count(*) FROM fate JOIN chain ON chain.id = fate.chain JOIN feed ON feed.id = chain.feed
    WHERE fate = 3 AND origin = ? AND publication = ? AND addressee = ? AND seq <= ?"""


class Watch:
    """Sees every committed write and every sent frame. Raises Violation."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.models: dict[tuple[FeedName, bytes], FeedModel] = {}
        self.may_fork: set[str] = set()
        """Origins that were rolled back unnoticed, or copied: they alone may say two things at one seq."""
        self.forging = False
        """Somebody forges: bad seals are to be expected."""
        self._held: dict[int, dict[FeedName, Head]] = {}
        self._shown: dict[tuple[str, FeedName], int] = {}
        """How far a node has ever acknowledged a feed or shown it in a cursor."""
        self._ledgers: dict[int, Ledger] = {}
        self._scopes: dict[str, Scope] = {p.node: tree.standing(p).scope for p in tree.places}
        self.commits = self.entries = 0

    def passes(self, old: str, new: str) -> None:
        """The regions of one origin are another's too from now on."""
        self._scopes[new] = Scope((*self._scopes[new].items, *self._scopes[old].items))

    # --- what is durable ----------------------------------------------------------------------------------------------

    def reopened(self, node: SimNode) -> None:
        """The node runs on another copy of its store: what it holds is what is in there."""
        self._ledgers.pop(id(node), None)
        held = self._held[id(node)] = {state.name: state.head for state in node.store.load_state().feeds}
        for (feed, epoch), model in self.models.items():
            head = held.get(feed)
            kept = head.seq if head is not None and head.epoch == epoch else 0
            for seq, elsewhere in model.elsewhere.items():
                for who in elsewhere.values() if seq > kept else ():
                    who.discard(id(node))

    def restarted(self, node: SimNode) -> None:
        """The process starts again: every head whose commit was seen must be in the store, and no other; and all that
        local callers were told is done."""
        self.check_answers(node)
        held = {feed: head for feed, head in self._held.get(id(node), {}).items() if head.seq}
        found = {state.name: state.head for state in node.store.load_state().feeds if state.head.seq}
        for feed in sorted(held.keys() | found.keys()):
            if held.get(feed) != found.get(feed):
                was, now = (heads[feed].seq if feed in heads else 0 for heads in (held, found))
                raise Violation(
                    "head_not_durable", f"{node.label}: {feed} was committed up to {was}, starts with {now}"
                )

    def answered(self, node: SimNode, what: object, value: object) -> None:
        """A local caller hears that it is done."""
        self._ledgers.setdefault(id(node), Ledger()).answered(what, value)

    def check_answers(self, node: SimNode) -> None:
        """What local callers of a node were told is done is in its store."""
        ledger = self._ledgers.get(id(node))
        for missing in ledger.missing(node.id, node.store) if ledger is not None else ():
            raise Violation(
                "answer_not_durable", f"{node.label}: {missing} is not there, though its caller was answered"
            )

    def committed(self, node: SimNode, written: Sequence[Write]) -> None:
        """A transaction is durable."""
        self.commits += 1
        if id(node) in self._ledgers:
            self._ledgers[id(node)].committed(node.id, written)
        for write in written:
            if isinstance(write, Append):
                self._appended(node, write)
            elif isinstance(write, UpsertRows) and write.feed is not None:
                self._applied(node, write)
            elif isinstance(write, SaveFates):
                self._judged(node, write)
        for write in written:
            if isinstance(write, SaveFeed):
                self._state(node, write.state)

    def _appended(self, node: SimNode, write: Append) -> None:
        held = self._held.setdefault(id(node), {})
        head = held.get(write.feed)
        if head is None:
            self._check_way(node, write)
        model = self.models.setdefault((write.feed, write.epoch), FeedModel())
        for entry in write.entries:
            where = f"{node.label}: {write.feed} seq {entry.seq}"
            self.entries += 1
            if entry.header_hash not in model.told:
                if write.feed.origin != node.id:
                    raise Violation("foreign_entry", f"{where} was never committed by its origin")
                model.add(entry)
            elsewhere = model.elsewhere.setdefault(entry.seq, {})
            if write.feed.origin != node.id:
                elsewhere.setdefault(entry.header_hash, set()).add(id(node))
            others = any(who for entry_hash, who in elsewhere.items() if entry_hash != entry.header_hash)
            if others and write.feed.origin not in self.may_fork:
                raise Violation("origin_forked", f"{where} is the second entry there")
            told = model.told[entry.header_hash]
            if head is not None and head.epoch == write.epoch and (entry.seq, told.prev) != (head.seq + 1, head.hash):
                raise Violation("gap", f"{where} after {head.seq}, or not joined to it")
            if (head is None or not head.seq) and entry.seq != 1:
                raise Violation("gap", f"{where} is the first one held")
            head = held[write.feed] = Head(write.epoch, entry.seq, entry.header_hash)

    def _check_way(self, node: SimNode, write: Append) -> None:
        """A node holds only feeds that end at it or pass through it."""
        if write.feed.origin != node.id:
            route = Route(int(EntryHeader.FromString(write.entries[0].header).route))
            if node.id not in self._tree.way(write.feed, route):
                raise Violation("not_this_way", f"{node.label}: {write.feed}")

    def _applied(self, node: SimNode, write: UpsertRows) -> None:
        """Rows of others: only of whom the feed is, inside its scope, without what must stay at home."""
        assert write.feed is not None
        if write.feed.origin != write.origin:
            raise Violation("owner_only", f"{node.label}: rows of {write.origin} from {write.feed}")
        dataset = newest_catalogue().datasets[write.dataset]
        leaked = [c for c in write.columns if c in dataset.held_back]
        if leaked:
            raise Violation("held_back_leaked", f"{node.label}: {leaked[0]} of {write.feed}")
        if dataset.region and dataset.region in write.columns:
            place, scope = write.columns.index(dataset.region), self._scopes[write.origin]
            for row in write.rows:
                if not scope.covers(str(row[place])):
                    raise Violation("out_of_scope_applied", f"{node.label}: {row[place]!s} of {write.feed}")

    def _judged(self, node: SimNode, write: SaveFates) -> None:
        """Nobody here says rows that no version would take, except of places that are not its own."""
        for fate in write.fates:
            if (
                fate.fate is Fate.REFUSED
                and fate.reason is not Reason.OUT_OF_SCOPE
                and dataset_of(write.feed.publication)
            ):
                raise Violation("refused_for_good", f"{node.label}: {write.feed} seq {fate.seq}: {fate.reason.name}")

    def _state(self, node: SimNode, state: FeedState) -> None:
        """A feed's kept digest against what the model says of its head."""
        model = self.models.get((state.name, state.head.epoch))
        held = self._held.get(id(node), {}).get(state.name)
        if held is not None and state.head != held:
            raise Violation("head_not_durable", f"{node.label}: {state.name} says {state.head.seq}, holds {held.seq}")
        if model is None or not state.head.seq or state.parked or state.refused:
            return
        if state.name.origin == node.id:
            core = node.core
            if (
                core.waiting.get(state.name)
                or core.recovering
                or core.settle_due
                or core.republishing
                or core.pending.get(state.name)
            ):
                return
        elif node.id not in self._tree.audience(state.name, state.route):
            return
        told = model.told[state.head.hash]
        if (int.from_bytes(state.digest, "big"), state.rows) != (told.digest, told.rows):
            raise Violation(
                "digest", f"{node.label}: {state.name} seq {told.seq} has {state.rows} rows, the feed says {told.rows}"
            )

    # --- what is said -------------------------------------------------------------------------------------------------

    def sent(self, node: SimNode, data: bytes, to: str) -> None:
        """A frame leaves for a neighbour: whatever it claims or passes on must be durable here."""
        frame = Frame.FromString(data)
        match frame.WhichOneof("kind"):
            case "run":
                self._check_passed_on(node, frame)
            case "ack":
                self._check_claims(node, "ack_ahead", frame.ack.committed)
            case "cursors":
                self._check_claims(node, "cursor_ahead", frame.cursors.cursors)
            case "hello":
                self._check_claims(node, "cursor_ahead", frame.hello.registry)
            case "statements":
                self._check_statements(node, frame.statements, to)
            case "notice" if frame.notice.reason == Reason.BAD_SEAL:
                if not self.forging:
                    raise Violation("good_seal_refused", f"{node.label}: {frame.notice.detail}")
            case _:
                pass

    def _head(self, node: SimNode, feed: FeedName) -> Head:
        return self._held.get(id(node), {}).get(feed) or Head(b"", 0, b"")

    def _check_passed_on(self, node: SimNode, frame: Frame) -> None:
        run = frame.run
        feed = FeedName(run.feed.origin, run.feed.publication, run.feed.addressee)
        last = EntryHeader.FromString(run.entries[-1].header)
        if last.seq > self._head(node, feed).seq:
            raise Violation("sent_before_commit", f"{node.label}: {feed} seq {last.seq}")

    def _check_claims(self, node: SimNode, name: str, cursors: Sequence[Cursor]) -> None:
        for cursor in cursors:
            feed = FeedName(cursor.feed.origin, cursor.feed.publication, cursor.feed.addressee)
            held = self._head(node, feed)
            if cursor.seq > held.seq or (cursor.seq == held.seq and cursor.seq and cursor.header_hash != held.hash):
                raise Violation(name, f"{node.label}: {feed} claims {cursor.seq}, holds {held.seq}")
            self._shown[node.id, feed] = max(cursor.seq, self._shown.get((node.id, feed), 0))

    def _check_statements(self, node: SimNode, statements: Statements, to: str) -> None:
        for receipt in statements.receipts:
            body = ReceiptBody.FromString(receipt.body)
            if body.receiver == node.id and body.instance == node.core.me.instance:
                self._check_receipt(node, body)
        for heads in statements.heads:
            said = HeadsBody.FromString(heads.body)
            if said.origin != node.id:
                continue
            for head in heads.heads:
                feed = FeedName(said.origin, head.publication, head.addressee)
                if head.seq > self._head(node, feed).seq:
                    raise Violation("statement_ahead", f"{node.label}: {feed} states {head.seq}")
                if to and head.seq > self._shown.get((to, feed), 0):
                    raise Violation("stated_unacknowledged", f"{node.label}: {feed} states {head.seq} to {to}")

    def _check_receipt(self, node: SimNode, body: ReceiptBody) -> None:
        for said in body.feeds:
            feed = FeedName(body.origin, said.publication, said.addressee)
            if max(said.received_seq, said.applied_seq) > self._head(node, feed).seq:
                raise Violation("receipt_ahead", f"{node.label}: {feed} received {said.received_seq}")
            found = node.store.session.first(_PARKED_BELOW, (*feed, said.applied_seq))
            if found[0]:
                raise Violation("receipt_over_parked", f"{node.label}: {feed} applied {said.applied_seq}")
        if any(f.publication == REFUSALS for f in body.feeds):
            raise Violation("receipt_of_refusals", f"{node.label}: to {body.origin}")
