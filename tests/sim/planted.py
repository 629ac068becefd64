"""Bugs to plant: each changes the real code in one way that a promise of the design forbids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

import node.sim.simnode
import sync.apply
import sync.chain
import sync.compare
import sync.core
import sync.forks
import sync.receive
import sync.session
import sync.statements
import sync.way
import sync.withheld
import tiers.judging
import tiers.publishing
import tiers.rules
from node.engine import Engine
from node.sim.faults import Faults
from node.store.store import Store
from sync.chain import BadRun, Opened, OpenedRun, open_content
from sync.core import Core
from sync.effects import Effect, FeedState, Reply, SaveFeed, Send, Write
from sync.events import Committed
from sync.link import Link
from sync.reasons import Reason
from sync.replica import Replica
from sync.values import Fate, FeedName, Kind, Lane
from sync.wire.v1.entry_pb2 import EntryHeader
from sync.wire.v1.frame_pb2 import Cursor

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """How to plant it, under which faults it must show, and as what (one of these invariants)."""

    plant: Callable[[Patch], None]
    faults: Faults
    shows_as: tuple[str, ...]
    seeds: int = 12


def ack_before_commit(patch: Patch) -> None:
    """Sends are done at once, not after the transaction is durable."""
    real = Engine._perform

    def perform(self: Engine, effects: Sequence[Effect], acts: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._do(effect)
        real(self, [e for e in effects if not isinstance(e, Send)], acts)

    patch.setattr(Engine, "_perform", perform)


def answer_before_commit(patch: Patch) -> None:
    """Local callers are answered at once, not after the transaction is durable."""
    real = Engine._perform

    def perform(self: Engine, effects: Sequence[Effect], acts: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Reply):
                self._do(effect)
        real(self, [e for e in effects if not isinstance(e, Reply)], acts)

    patch.setattr(Engine, "_perform", perform)


def pass_on_before_commit(patch: Patch) -> None:
    """What arrived goes on to the next node while it is not yet durable here."""
    real = Engine._perform

    def perform(self: Engine, effects: Sequence[Effect], acts: list[Any]) -> None:
        real(self, effects, acts)
        if self.store.in_transaction:
            for effect in self.replica.handle(Committed(), self.replica.core.now):
                if isinstance(effect, Send):
                    self._do(effect)

    patch.setattr(Engine, "_perform", perform)


def no_gap_check(patch: Patch) -> None:
    """A run is taken whatever its first seq is."""
    real = sync.receive._join

    def join(core: Core, link: Link, state: FeedState, run: OpenedRun) -> tuple[Opened, ...]:
        return run.entries if run.first_seq > state.head.seq + 1 else real(core, link, state, run)

    patch.setattr(sync.receive, "_join", join)


def prev_ignored(patch: Patch) -> None:
    """An entry is taken although it follows another one than is held: a fork goes unseen."""

    def join(core: Core, link: Link, state: FeedState, run: OpenedRun) -> tuple[Opened, ...]:
        return tuple(e for e in run.entries if e.entry.seq > state.head.seq)

    patch.setattr(sync.receive, "_join", join)


def payload_digest_unchecked(patch: Patch) -> None:
    """The digest is taken from the header instead of from the payload that came with it."""

    def opened(run: Any, registry: Any, suites: Any, schema_of: Any, *asked: Any) -> Any:
        class Blind:
            number = 1
            verify = staticmethod(suites[1].verify)
            claimed = iter([EntryHeader.FromString(e.header).payload_digest for e in run.entries])

            def hash(self, data: bytes) -> bytes:
                if data.startswith(b"tiersync.v1.payload\0"):
                    return next(self.claimed)
                digest: bytes = suites[1].hash(data)
                return digest

        return sync.chain.open_run(run, registry, {1: Blind()}, schema_of, *asked)

    patch.setattr(node.sim.simnode, "open_run", opened)


def seal_unchecked(patch: Patch) -> None:
    """A run needs a seal, but any will do."""
    patch.setattr(sync.chain, "verify_seal", lambda *_: None)


def reencoded(patch: Patch) -> None:
    """The header is read and written again before it is hashed, so what a relay dressed up passes as it was."""

    def opened(run: Any, registry: Any, suites: Any, schema_of: Any, *asked: Any) -> Any:
        class Again:
            number = 1
            verify = staticmethod(suites[1].verify)

            def hash(self, data: bytes) -> bytes:
                if data.startswith(b"tiersync.v1.header\0"):
                    header = EntryHeader.FromString(data[19:])
                    header.DiscardUnknownFields()  # type: ignore[attr-defined]
                    data = data[:19] + header.SerializeToString()
                digest: bytes = suites[1].hash(data)
                return digest

        return sync.chain.open_run(run, registry, {1: Again()}, schema_of, *asked)

    patch.setattr(node.sim.simnode, "open_run", opened)


def scope_unchecked(patch: Patch) -> None:
    """Whoever brings a row may say which place it is of."""
    patch.setattr(tiers.rules, "_place_flaw", lambda *_: None)


def way_unchecked(patch: Patch) -> None:
    """Runs are taken from every side."""
    patch.setattr(sync.receive, "check_way", lambda *_: None)
    patch.setattr(sync.way, "check_way", lambda *_: None)


def applied_again_after_restart(patch: Patch) -> None:
    """A start applies the first entry of each feed once more."""
    real = Replica._start

    def start(self: Replica) -> None:
        real(self)
        core = self.core
        for name, state in core.feeds.items():
            entry = core.log.entry(name, state.head.epoch, 1)
            if entry is not None and name.origin != core.me.node and core.applies(name, int(state.route)):
                header = EntryHeader.FromString(entry.header)
                content = open_content(header, entry.payload, core.seams.judge.schema)
                sync.apply.apply_entries(core, state, [Opened(header, entry, content)])
                core.save(state)

    patch.setattr(Replica, "_start", start)


def own_tail_forgotten(patch: Patch) -> None:
    """A neighbour that holds more of an own feed is taken to be level."""
    real = sync.compare.compare

    def compare(core: Core, link: Link, feed: Any, cursor: Cursor | None) -> None:
        state = core.feeds.get(feed)
        if feed.origin == core.me.node and cursor is not None and state is not None and cursor.seq > state.head.seq:
            return
        real(core, link, feed, cursor)

    patch.setattr(sync.compare, "compare", compare)


def sealing_while_recovering(patch: Patch) -> None:
    """An own feed is sealed as soon as a session works, whatever else comes to light."""

    def live(self: Core, feed: Any, route: Any) -> bool:
        audience = self.audience(feed, route)
        return bool(self.enrolment) and any(
            link.peer in audience and link.hello is not None for link in self.links.values()
        )

    patch.setattr(Core, "live", live)


def rows_not_compared_after_recovery(patch: Patch) -> None:
    """The own tail comes back, and nobody asks what the feeds now lack."""

    def settle(core: Core) -> None:
        core.settle_due = False

    patch.setattr(sync.session, "settle", settle)


def receipt_over_parked(patch: Patch) -> None:
    """A receipt says applied where something waits."""
    patch.setattr(sync.statements, "_applied", lambda _, state: (state.head.seq, state.head.hash))


def receipts_lost_with_the_link(patch: Patch) -> None:
    """A new session does not say again what the last one may have lost."""
    patch.setattr(sync.statements, "begin", lambda core, link: setattr(link, "statements_at", core.now))


def outbox_forgotten_at_start(patch: Patch) -> None:
    """A start does not look what waits in the outbox."""
    real = Store.load_state

    def load(self: Store) -> Any:
        rebuilt = real(self)
        rebuilt.outbox_feeds = {}
        return rebuilt

    patch.setattr(Store, "load_state", load)


def removal_skipped(patch: Patch) -> None:
    """A row that no longer matches a publication stays in it."""
    real = tiers.publishing._filtered

    def filtered(*args: Any) -> Any:
        puts, _, was = real(*args)
        return puts, [], was

    patch.setattr(tiers.publishing, "_filtered", filtered)


def clone_unnoticed(patch: Patch) -> None:
    """A second live session of a node is taken for a restart."""
    patch.setattr(sync.session, "pong_arrived", lambda _, link, __: setattr(link, "pings_missed", 0))
    patch.setattr(Core, "note_seen", lambda *_: True)


def parked_for_ever(patch: Patch) -> None:
    """Parked rows are not looked at again."""
    patch.setattr("sync.replica.rejudge", lambda core: setattr(core, "rejudge_wanted", False))


def overtaken_rows_come_back(patch: Patch) -> None:
    """A parked row is applied later although a newer version of it is there."""
    patch.setattr(sync.apply, "_supersede", lambda *_: None)


def evidence_kept_back(patch: Patch) -> None:
    """Whoever finds a fork tells nobody."""
    patch.setattr(sync.forks, "tell_evidence", lambda *_: None)
    patch.setattr(sync.session, "tell_evidence", lambda *_: None)
    patch.setattr(sync.compare, "tell_evidence", lambda *_: None)


def withheld_unnoticed(patch: Patch) -> None:
    """Nobody looks whether what was stated has come."""
    patch.setattr(sync.withheld, "check", lambda _: None)


def unacknowledged_stated(patch: Patch) -> None:
    """An origin states its head whether or not anybody else holds it."""
    patch.setattr(
        sync.statements,
        "_acknowledged",
        lambda core, link, state: state.head[1:] if state.name in link.out else (0, b""),
    )


def head_not_saved(patch: Patch) -> None:
    """A relay keeps the entries of a run and forgets where its feed stands."""
    real = Store.perform

    def perform(self: Store, write: Write) -> None:
        if not (isinstance(write, SaveFeed) and write.state.name.publication == "case.nation"):
            real(self, write)

    patch.setattr(Store, "perform", perform)


def refused_rows_applied(patch: Patch) -> None:
    """A row that broke a rule is recorded as refused and applied all the same."""
    real = sync.apply._judge_rows

    def judge(core: Core, header: Any, batch: Any, enrolment: Any, collected: Any, only: Any) -> None:
        real(core, header, batch, enrolment, collected, only)
        if any(f.fate is Fate.REFUSED and f.reason is Reason.OUT_OF_SCOPE for f in collected.fates) and batch.puts:
            change = sync.apply.Change(header.group, batch.columns, batch.puts, ())
            collected.changes.append((batch.dataset, change))
            collected.seqs.append(header.seq)

    patch.setattr(sync.apply, "_judge_rows", judge)


def newer_refused(patch: Patch) -> None:
    """Rows of a release that is not known yet are taken for wrong ones."""
    real = sync.chain.decode_records

    def decode(header: EntryHeader, plain: bytes, schema_of: Any) -> Any:
        known = EntryHeader()
        known.CopyFrom(header)
        known.schema_version = 0
        return real(known, plain, schema_of)

    patch.setattr(sync.chain, "decode_records", decode)


def newer_owner_refused(patch: Patch) -> None:
    """Who may write a dataset is taken to be the same in every release."""
    real = tiers.judging._owner_flaw
    patch.setattr(tiers.judging, "_owner_flaw", lambda dataset, signer, _: real(dataset, signer, newer=False))


def newer_columns_dropped(patch: Patch) -> None:
    """Of rows of a release that is not known yet, what is known is taken, and the rest is left out."""
    real = sync.chain.decode_records

    def decode(header: EntryHeader, plain: bytes, schema_of: Any) -> Any:
        dataset, columns, puts, ends = msgspec.msgpack.decode(plain)
        if (schema := schema_of(dataset)) is None:
            return real(header, plain, schema_of)
        at = [i for i, name in enumerate(columns) if name in schema.names]
        cut = [dataset, [columns[i] for i in at], [[put[i] for i in at] for put in puts], ends]
        return real(header, msgspec.msgpack.encode(cut), schema_of)

    patch.setattr(sync.chain, "decode_records", decode)


def newer_not_carried(patch: Patch) -> None:
    """A relay takes only what it can read."""
    real = node.sim.simnode.open_run

    def opened(run: Any, registry: Any, suites: Any, schema_of: Any, *asked: Any) -> Any:
        header = EntryHeader.FromString(run.entries[0].header)
        schema = schema_of(run.feed.publication, run.feed.publication.partition(".")[0])
        if int(header.kind) == Kind.RECORDS and (schema is None or header.schema_version > schema.version):
            feed = FeedName(run.feed.origin, run.feed.publication, run.feed.addressee)
            said = (int(header.route), Reason.MALFORMED, "of a release that is not known here")
            return BadRun(feed, run.epoch, header.seq, Lane(run.lane), sync.chain.run_size(run), run.answer, *said)
        return real(run, registry, suites, schema_of, *asked)

    patch.setattr(node.sim.simnode, "open_run", opened)


def upgrade_unnoticed(patch: Patch) -> None:
    """A start does not ask whether what waits can be read now."""
    real = Replica._start

    def start(self: Replica) -> None:
        real(self)
        self.core.rejudge_wanted = False

    patch.setattr(Replica, "_start", start)


def waiting_entries_overtake(patch: Patch) -> None:
    """What was parked a moment ago is not looked for when a newer version of its row is applied."""
    patch.setattr(sync.apply, "_keys_said", lambda *_: set())


BUGS: dict[str, Bug] = {
    "ack before commit": Bug(ack_before_commit, Faults(), ("ack_ahead",)),
    "the caller is answered before the commit": Bug(
        answer_before_commit, Faults(crashes=True), ("answer_not_durable",)
    ),
    "a run passed on before the own commit": Bug(pass_on_before_commit, Faults(), ("sent_before_commit",)),
    "no gap check": Bug(no_gap_check, Faults(forging=True), ("exception", "gap")),
    "prev ignored": Bug(prev_ignored, Faults(fork=True), ("gap",)),
    "payload digest unchecked": Bug(payload_digest_unchecked, Faults(forging=True), ("digest", "fsck", "exception")),
    "seal unchecked": Bug(seal_unchecked, Faults(forging=True), ("foreign_entry", "fsck")),
    "headers written again before they are hashed": Bug(reencoded, Faults(forging=True), ("fsck",)),
    "scope unchecked": Bug(scope_unchecked, Faults(hostile=True), ("out_of_scope_applied",)),
    "runs taken from every side": Bug(way_unchecked, Faults(forging=True), ("not_this_way", "digest")),
    "applied again after a restart": Bug(applied_again_after_restart, Faults(crashes=True), ("digest", "exception")),
    "own tail forgotten": Bug(own_tail_forgotten, Faults(rollback_leaf=True), ("origin_forked",)),
    "sealing while recovering": Bug(sealing_while_recovering, Faults(restore=True), ("origin_forked", "not_level")),
    "rows not compared after a recovery": Bug(
        rows_not_compared_after_recovery, Faults(restore=True), ("digest", "rows_diverge", "not_level", "fsck")
    ),
    "receipt over a parked row": Bug(receipt_over_parked, Faults(), ("receipt_over_parked",)),
    "receipts lost with the link": Bug(receipts_lost_with_the_link, Faults(partitions=True), ("not_level",)),
    "outbox forgotten at a start": Bug(
        outbox_forgotten_at_start,
        Faults(crashes=True, partitions=True),
        ("digest", "not_level", "fsck", "rows_diverge"),
    ),
    "removal skipped": Bug(removal_skipped, Faults(), ("digest", "rows_diverge")),
    "clone unnoticed": Bug(clone_unnoticed, Faults(clone=True), ("clone_unnoticed", "origin_forked")),
    "parked for ever": Bug(parked_for_ever, Faults(), ("not_level",)),
    "overtaken rows come back": Bug(overtaken_rows_come_back, Faults(), ("digest", "rows_diverge", "fsck")),
    "evidence kept back": Bug(evidence_kept_back, Faults(fork=True), ("not_level",)),
    "a relay keeps back unnoticed": Bug(withheld_unnoticed, Faults(swallowing=True), ("withheld_unseen",)),
    "heads stated that nobody holds": Bug(unacknowledged_stated, Faults(partitions=True), ("stated_unacknowledged",)),
    "head not saved": Bug(head_not_saved, Faults(crashes=True), ("head_not_durable", "gap")),
    "a newer release refused": Bug(newer_refused, Faults(releases=True), ("refused_for_good",)),
    "a new owner refused": Bug(newer_owner_refused, Faults(releases=True), ("refused_for_good",)),
    "newer columns dropped": Bug(newer_columns_dropped, Faults(releases=True), ("digest", "rows_diverge", "fsck")),
    "a relay carries what it knows": Bug(newer_not_carried, Faults(releases=True), ("not_level",)),
    "an upgrade unnoticed": Bug(upgrade_unnoticed, Faults(releases=True), ("not_level",)),
    "waiting entries overtake newer ones": Bug(
        waiting_entries_overtake, Faults(releases=True), ("digest", "rows_diverge", "fsck", "exception")
    ),
    "refused rows applied": Bug(refused_rows_applied, Faults(hostile=True), ("out_of_scope_applied",)),
}
