"""Enrolment's work in the writer's transaction: each step of an invite with all that follows from it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Generic, TypeVar

from certs.authority import Authority, issue_ca, issue_leaf
from certs.enrol import (
    Decision,
    InviteState,
    Keys,
    Outcome,
    Status,
    burnt,
    judge_submission,
    make_record,
    submitted,
    withdrawn,
)
from certs.forms import fingerprint, moment_text, utc
from certs.invite import Invite
from certs.proof import Parent, Submission
from node.clock import Randomness
from node.link.v1.link_pb2 import SubmitReply, SubmitState
from node.store.store import Store
from node.writer import Ticket
from sync.core import Core
from sync.effects import Reply
from sync.errors import InputFault
from sync.events import Event, RegistryChange
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import Closing, EnrolmentRecord
from tiers.profile import PROFILES

T = TypeVar("T")
SERIAL_BYTES: Final = 16
LIVING: Final = frozenset({Status.OPEN, Status.PENDING, Status.APPROVED})


@dataclass(frozen=True, slots=True)
class Issuer:
    """What a parent issues with. `core` is asked in the writer's thread alone."""

    node: str
    authority: Authority | None
    """None where certificates have to come from above (node/certifying.py)."""
    parent: Parent
    zone: tzinfo
    """Whose calendar says on which date an enrolment takes effect."""
    randomness: Randomness
    core: Callable[[], Core]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a submission, committed. `issued`: once enrolled, the serialised SubmitReply to send; without a
    chain as long as none has come from above."""

    decision: Decision
    invite: Invite | None = None
    was_used: bool = False
    issued: bytes = b""
    leaf_fingerprint: bytes = b""


@dataclass(slots=True)
class _Answering(Generic[T]):
    """The token of an event: gives the caller `answer` when the event was done, or the fault it met."""

    ticket: Ticket[T]
    answer: T

    def resolve(self, value: object) -> None:
        """Called in the loop, after the commit."""
        self.ticket.resolve(value if isinstance(value, BaseException) else self.answer)


@dataclass(slots=True)
class SubmitJob:
    """Judges a submission and does what follows, in one transaction. Answers with an Answer.

    The token is answered with an InputFault if nothing could be issued, or if the record could not count anywhere
    (this node is not enrolled itself yet, scopes beyond its own): then nothing was burnt.
    """

    token: Ticket[Answer]
    issuer: Issuer
    submission: Submission
    nonce: bytes
    now: int

    def run(self, store: Store) -> Sequence[Event | Reply]:
        """As node.engine.Job.run."""
        kept = store.invites.get(self.submission.token)
        state = kept.state if kept else None
        profile = PROFILES.get(state.invite.profile) if state else None
        with_ca = profile is not None and profile.has_own_ca
        decision = judge_submission(state, self.submission, self.nonce, self.issuer.parent, self.now, with_ca)
        if kept is None or decision.keys is None:
            used = kept is not None and kept.state.status is Status.USED
            return (Reply(self.token, Answer(decision, kept.state.invite if kept else None, was_used=used)),)
        invite = kept.state.invite
        if decision.outcome is Outcome.ENROL:
            return self._enrol(store, kept.state, decision, decision.keys)
        if decision.outcome is Outcome.AGAIN:
            return (Reply(self.token, Answer(decision, invite, was_used=True, issued=kept.reply)),)
        after = submitted(kept.state, decision.keys, self.now)
        if after is not kept.state:
            store.invites.change(after)
        return (Reply(self.token, Answer(decision, invite)),)

    def _enrol(self, store: Store, state: InviteState, decision: Decision, keys: Keys) -> Sequence[Event | Reply]:
        invite = state.invite
        record = self._record(invite, keys)
        issued = self._issue(invite, keys, record)
        data = issued.SerializeToString()
        store.invites.prepare(burnt(state, keys, self.now), data)
        leaf = fingerprint(issued.chain[0]) if issued.chain else b""
        answer = Answer(decision, invite, issued=data, leaf_fingerprint=leaf)
        # The core asks for the token to be burnt only if the record can count.
        return (RegistryChange(_Answering(self.token, answer), (record,), burn=invite.token),)

    def _issue(self, invite: Invite, keys: Keys, record: EnrolmentRecord) -> SubmitReply:
        authority, serial = self.issuer.authority, self.issuer.randomness.bytes
        reply = SubmitReply(
            state=SubmitState.SUBMIT_STATE_ENROLLED,
            parent=self.issuer.node,
            fingerprint=keys.fingerprint,
            record=record,
        )
        if authority is None:
            return reply
        leaf = issue_leaf(authority, invite.node, keys.transport, self.now, serial(SERIAL_BYTES))
        reply.chain.extend(authority.chain_of(leaf))
        if keys.authority is not None:
            below = issue_ca(authority, invite.node, keys.authority, self.now, serial(SERIAL_BYTES))
            reply.ca_chain.extend(authority.chain_of(below))
        return reply

    def _record(self, invite: Invite, keys: Keys) -> EnrolmentRecord:
        """A node that joins again gets its next version; under another log key, its older chain ends where we hold it.

        Its old key is gone or not to be trusted, so nobody but its parent can say where the old life ended.
        """
        core = self.issuer.core()
        effective = utc(self.now).astimezone(self.issuer.zone).date().isoformat()
        before = core.registry.newest(invite.node)
        if before is None:
            return make_record(invite, keys, 1, effective)
        if (before.suite, before.public_key) == (keys.suite, keys.log_public_key):
            return make_record(invite, keys, before.version + 1, effective)
        ends = [
            Closing(publication=name.publication, addressee=name.addressee, epoch=s.head.epoch, seq=s.head.seq)
            for name, s in core.feeds.items()
            if name.origin == invite.node and s.head.seq
        ]
        return make_record(invite, keys, before.version + 1, effective, key_lost=True, closings=ends)


@dataclass(slots=True)
class CertifiedJob:
    """Keeps what came from above for a node that was enrolled: the whole reply, to be sent again if it is lost."""

    token: Ticket[None]
    invite: str
    reply: bytes

    def run(self, store: Store) -> Sequence[Event | Reply]:
        """As node.engine.Job.run."""
        store.invites.certified(self.invite, self.reply)
        return (Reply(self.token, None),)


@dataclass(slots=True)
class AddJob:
    """Keeps new invites, all or none. An invite that ran out unanswered makes room; any other living one does not."""

    token: Ticket[None]
    invites: Sequence[Invite]
    core: Callable[[], Core]
    again: bool
    now: int

    def run(self, store: Store) -> Sequence[Event | Reply]:
        """As node.engine.Job.run. Raises InputFault NOT_ENROLLED or OUT_OF_SCOPE that names the node."""
        for state in make_room(store, self.core(), self.invites, self.again, self.now):
            store.invites.change(withdrawn(state, self.now))
        for invite in self.invites:
            store.invites.add(InviteState(invite, changed=self.now), self.now)
        return (Reply(self.token, None),)


def make_room(store: Store, core: Core, invites: Sequence[Invite], again: bool, now: int) -> list[InviteState]:
    """The invites that ran out unanswered, where these may be made. Raises InputFault as AddJob, if one may not."""
    kept = [k.state for k in store.invites.all() if k.state.status in LIVING]
    over = []
    for invite in invites:
        for state in (s for s in kept if s.invite.node == invite.node):
            if state.status is not Status.OPEN or state.invite.expires > now:
                raise InputFault(
                    Reason.NOT_ENROLLED,
                    f"{invite.node} has an invite already ({state.status.value}, until "
                    f"{moment_text(state.invite.expires)}): withdraw it first, so that only one letter counts",
                )
            over.append(state)
        check_admissible(core, invite, again)
    return over


class UnknownInvite(InputFault):
    """There is no invite of this token, or for this node."""


@dataclass(slots=True)
class ChangeJob:
    """Takes one invite a step on. Answers with the new state.

    `which`: the token, or the node id, of an invite that is still living.
    """

    token: Ticket[InviteState]
    which: str
    step: Callable[[InviteState], InviteState]

    def run(self, store: Store) -> Sequence[Event | Reply]:
        """As node.engine.Job.run. Raises UnknownInvite, and what `step` raises."""
        kept = store.invites.get(self.which)
        found = [kept.state] if kept else [k.state for k in store.invites.all() if k.state.invite.node == self.which]
        living = [s for s in found if s.status in LIVING]
        if not found:
            raise UnknownInvite(Reason.NOT_ENROLLED, self.which)
        after = self.step((living or found)[-1])
        store.invites.change(after)
        return (Reply(self.token, after),)


def check_admissible(core: Core, invite: Invite, again: bool) -> None:
    """Whether a record from this invite could count: asked when the letter is written, not when it comes back.

    Raises InputFault.
    """
    me = core.registry.newest(core.me.node)
    if me is None:
        raise InputFault(
            Reason.UNKNOWN_ENROLMENT,
            f"the enrolment of {core.me.node} itself has not come from its parent yet: wait for the first link",
        )
    for sort, scope in (("signing", invite.signing), ("carrying", invite.carrying)):
        if not me.carrying.holds(scope):
            raise InputFault(
                Reason.OUT_OF_SCOPE, f"the {sort} scope {scope} of {invite.node} is not inside {me.carrying}"
            )
    if not core.registry.may_enrol(core.me.node, invite.node):
        raise InputFault(Reason.NOT_OWNER, f"{invite.node} is not the name of a node straight below {core.me.node}")
    before = core.registry.newest(invite.node)
    if before is not None and before.successions:
        heirs = ", ".join(one.node for one in before.successions)
        raise InputFault(Reason.RULE_BROKEN, f"{invite.node} was succeeded by {heirs}: it never lives again")
    if before is not None and before.enrolled and not again:
        raise InputFault(
            Reason.NOT_ENROLLED,
            f"{invite.node} is enrolled already; if it is to be installed anew, say so when making the invite",
        )
