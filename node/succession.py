"""A parent says that one child is succeeded by another: both records in one entry (docs/adr/0015-succession.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.engine import Step
from node.store.store import Store
from node.writer import Ticket
from sync.core import Core
from sync.effects import FeedState, Reply
from sync.errors import InputFault
from sync.events import RegistryChange
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.registry import Enrolment, scope_to_wire
from sync.scope import Scope, ScopeItem
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import (
    ENROLMENT_STATUS_ENROLLED,
    ENROLMENT_STATUS_SUCCEEDED,
    Closing,
    EnrolmentRecord,
    Succession,
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a succession says. `closings`: up to which seq each feed of the old node counts."""

    old: str
    new: str
    regions: tuple[str, ...]
    closings: tuple[tuple[FeedName, int], ...]


@dataclass(slots=True)
class SucceedJob:
    """Says it, or with `dry_run` only what would be said. Answers with Said; raises InputFault where it cannot be."""

    token: Ticket[Said]
    core: Callable[[], Core]
    old: str
    new: str
    regions: tuple[str, ...]
    effective: str
    dry_run: bool = False

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run."""
        core = self.core()
        _check_level(core)
        old, new = own_child(core, self.old), own_child(core, self.new)
        _check_childless(core, old)
        regions = self.regions or _regions(core, old)
        records = (_ended(core, old, new, regions, self.effective), _grown(new, regions, self.effective))
        trial = core.registry.copy()
        for record in records:
            reason, detail = trial.admit(core.me.node, record)
            if reason is not Reason.NONE:
                raise InputFault(reason, detail)
        closings = tuple((FeedName(old.node, c.publication, c.addressee), c.seq) for c in records[0].closings)
        said = Said(old.node, new.node, regions, closings)
        if self.dry_run:
            return (Reply(self.token, said),)
        return (RegistryChange(_Saying(self.token, said), records),)


@dataclass(slots=True)
class _Saying:
    ticket: Ticket[Said]
    said: Said

    def resolve(self, value: object) -> None:
        self.ticket.resolve(value if isinstance(value, BaseException) else self.said)


def _check_level(core: Core) -> None:
    """Nobody may hold more of the old node's feeds than this node, which says where they end. Raises InputFault."""
    if core.restored or core.recovering or core.settle_due or core.republishing:
        raise InputFault(
            Reason.RECOVERING, Phrase("this node is not yet level with its neighbours; try again in a moment")
        )
    if core.me.parent and core.link_to(core.me.parent) is None:
        raise InputFault(
            Reason.RECOVERING,
            Phrase("there is no link to {}, which may hold more of the old node's feeds; try again", core.me.parent),
        )


def own_child(core: Core, node: str) -> Enrolment:
    found = core.registry.newest(node)
    if found is None or found.parent != core.me.node:
        raise InputFault(Reason.NOT_ENROLLED, Phrase("'{}' is no node that this one enrolled", node))
    return found


def _check_childless(core: Core, old: Enrolment) -> None:
    below = [c for c in core.registry.children(old.node) if (e := core.registry.newest(c)) is not None and e.is_living]
    if below:
        raise InputFault(
            Reason.RULE_BROKEN,
            Phrase("{} has nodes below it, which only it can succeed or enrol: {}", old.node, ", ".join(below)),
        )


def _regions(core: Core, old: Enrolment) -> tuple[str, ...]:
    """All that the old node could write at last, as patterns: the history of a place goes where the place goes."""
    versions = (core.registry.enrolment(old.node, number) for number in range(old.version, 0, -1))
    last = next((e for e in versions if e is not None and e.signing.items), old)
    return tuple(dict.fromkeys(item.region for item in last.signing.items))


def next_version(of: Enrolment, effective: str) -> EnrolmentRecord:
    return EnrolmentRecord(
        node=of.node,
        version=of.version + 1,
        profile=of.profile,
        suite=of.suite,
        log_public_key=of.public_key,
        transport_key_hash=of.transport_key_hash,
        effective=effective,
        parent=of.parent,
        title=of.title,
        region=of.region,
    )


def _ended(core: Core, old: Enrolment, new: Enrolment, regions: Sequence[str], effective: str) -> EnrolmentRecord:
    """The old node's last version. Where it was succeeded before, in other regions, that is said again."""
    record = next_version(old, effective)
    record.status, record.closes_older = ENROLMENT_STATUS_SUCCEEDED, True
    record.carrying_scope.extend(scope_to_wire(old.carrying))
    passed = {s.node: dict.fromkeys(s.regions) for s in old.successions}
    passed.setdefault(new.node, {}).update(dict.fromkeys(regions))
    record.successions.extend(Succession(successor=node, regions=list(said)) for node, said in passed.items())
    if old.successions:
        said = [((p, a), (e, s)) for (p, a), (e, s) in old.closings.items()]
    else:
        held = ((name, state) for name, state in core.feeds.items() if name.origin == old.node)
        ends = [(name, state.head.epoch, _last(state)) for name, state in held]
        said = [((name.publication, name.addressee), (epoch, seq)) for name, epoch, seq in ends if seq]
    record.closings.extend(Closing(publication=p, addressee=a, epoch=e, seq=s) for (p, a), (e, s) in sorted(said))
    return record


def _last(state: FeedState) -> int:
    """The last entry that counts: what is disputed after a fork does not."""
    return min(state.head.seq, state.disputed_from - 1) if state.disputed_from else state.head.seq


def _grown(new: Enrolment, regions: Sequence[str], effective: str) -> EnrolmentRecord:
    """The successor's next version: what passed is in both its scopes."""
    record = next_version(new, effective)
    record.status = ENROLMENT_STATUS_ENROLLED
    record.signing_scope.extend(scope_to_wire(_with(new.signing, regions)))
    record.carrying_scope.extend(scope_to_wire(_with(new.carrying, regions)))
    return record


def _with(scope: Scope, regions: Sequence[str]) -> Scope:
    gained = [ScopeItem(region) for region in regions]
    return Scope((*scope.items, *(item for item in gained if not scope.holds(Scope((item,))))))
