"""The parent's side of enrolment: what becomes of a submission, and what the registry then says. Pure.

The node keeps one `InviteState` per invite (`write_state`, `read_state`) and makes each step in one transaction with
what follows from it: the token is burnt in the transaction that enrols.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import sha256
from typing import Final

from certs.forms import PublicKey, moment_text, public_key_hash
from certs.invite import Approval, Invite, invite_fields, invite_from_fields
from certs.proof import Parent, Submission, proves_log_key, proves_secret, short_fingerprint
from certs.requests import open_request
from certs.suites import SUITES, is_sound_key
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason
from sync.registry import scope_to_wire
from sync.wire.v1.entry_pb2 import Closing, EnrolmentRecord, EnrolmentStatus

PENDING_LIFE_US: Final = 14 * 86_400 * 1_000_000
"""What was submitted in time may still be approved so long: official letters and holidays."""


class Status(Enum):
    """The life of an invite at the parent: open -> pending -> approved -> used; withdrawn from all but used."""

    OPEN = "open"
    PENDING = "pending"
    APPROVED = "approved"
    USED = "used"
    WITHDRAWN = "withdrawn"


class Outcome(Enum):
    """What becomes of a submission. AGAIN: enrolled before, the reply was lost; send the same one once more."""

    PENDING = "pending"
    ENROL = "enrol"
    AGAIN = "again"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class InviteState:
    """An invite as its parent keeps it. `keys` is set from pending on; a used invite has no secret any more."""

    invite: Invite
    status: Status = Status.OPEN
    keys: bytes = b""
    """Digest of the submitted keys (`Keys.digest`), 32 bytes: from the first submission on, no others will do."""
    fingerprint: str = ""
    """Of the same keys, for the person who compares."""
    changed: int = 0
    """When it came to this status; microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The public keys of a checked submission."""

    transport: PublicKey = field(repr=False)
    authority: PublicKey | None = field(repr=False)
    suite: int
    log_public_key: bytes
    possession: bytes = field(repr=False)

    @property
    def transport_hash(self) -> bytes:
        """SHA-256 over the SubjectPublicKeyInfo."""
        return public_key_hash(self.transport)

    @property
    def digest(self) -> bytes:
        """32 bytes that differ as soon as one of the keys does."""
        authority = public_key_hash(self.authority) if self.authority else bytes(32)
        return sha256(self.transport_hash + authority + self.suite.to_bytes(4, "big") + self.log_public_key).digest()

    @property
    def fingerprint(self) -> str:
        """Short, for the phone."""
        return short_fingerprint(self.transport_hash, self.log_public_key)


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome; keys unless refused, reason and detail if refused."""

    outcome: Outcome
    keys: Keys | None = None
    reason: Reason = Reason.NONE
    detail: str = ""


def judge_submission(
    state: InviteState | None, submission: Submission, nonce: bytes, parent: Parent, now: int, with_ca: bool
) -> Decision:
    """What becomes of a submission; nothing is changed yet (see `submitted`, `burnt`). Each step must pass:

    1. the invite is known, and not withdrawn
    2. the nonce is the one this parent gave out for this invite and has not seen since (`nonce`; empty if none)
    3. the keys are well formed; a CA request is there if the profile has a CA (`with_ca`) and only then
    4. the log key signed this submission
    5. if the invite was used: the same keys get the same reply again (to lose a reply is common), others nothing
    6. the invite was not expired when these keys first came
    7. the invite was made under this root and federation
    8. the proof was made with the invite's secret, for this parent
    9. the child believes to be the node that the invite is for
    10. no other keys came before
    11. a person approved these keys, or the invite needs none: ENROL; else PENDING

    Before step 8 a refusal says nothing of the invite that a stranger would not know.
    """
    try:
        keys = _judge(state, submission, nonce, parent, now, with_ca)
    except RemoteFault as fault:
        return Decision(Outcome.REFUSE, None, fault.reason, fault.detail)
    assert state is not None
    if state.status is Status.USED:
        return Decision(Outcome.AGAIN, keys)
    if state.status is Status.APPROVED or state.invite.approval is Approval.AUTOMATIC:
        return Decision(Outcome.ENROL, keys)
    return Decision(Outcome.PENDING, keys)


def submitted(state: InviteState, keys: Keys, now: int) -> InviteState:
    """The state after PENDING was decided. Unchanged if these keys were there before."""
    if state.status is not Status.OPEN:
        return state
    return replace(state, status=Status.PENDING, keys=keys.digest, fingerprint=keys.fingerprint, changed=now)


def approved(state: InviteState, fingerprint: str, now: int) -> InviteState:
    """The state after a person compared `fingerprint` and said yes. Spaces do not matter.

    Raises InputFault NOT_ENROLLED if nothing waits, or what waits has another fingerprint.
    """
    if state.status is not Status.PENDING:
        raise InputFault(Reason.NOT_ENROLLED, f"the invite for {state.invite.node} is {state.status.value}: none waits")
    if "".join(fingerprint.split()) != "".join(state.fingerprint.split()):
        raise InputFault(
            Reason.NOT_ENROLLED, "the fingerprint differs from the one that waits: do not approve, ask by phone"
        )
    return replace(state, status=Status.APPROVED, changed=now)


def withdrawn(state: InviteState, now: int) -> InviteState:
    """The state after an operator took the invite back. Raises InputFault if it was used already."""
    if state.status is Status.USED:
        detail = f"the invite for {state.invite.node} was used: only one made with --again replaces the node's keys"
        raise InputFault(Reason.NOT_ENROLLED, detail)
    return replace(state, invite=replace(state.invite, secret=b""), status=Status.WITHDRAWN, changed=now)


def burnt(state: InviteState, keys: Keys, now: int) -> InviteState:
    """The state after ENROL, to be kept in the transaction that enrols. The secret is gone from it."""
    return InviteState(replace(state.invite, secret=b""), Status.USED, keys.digest, keys.fingerprint, now)


def make_record(
    invite: Invite,
    keys: Keys,
    version: int,
    effective: str,
    key_lost: bool = False,
    closings: Sequence[Closing] | None = None,
) -> EnrolmentRecord:
    """What the parent's registry feed will say of the child. `effective`: ISO date; `version` rises per node.

    `key_lost` and `closings` are for a node that joins again: where the chain of its older versions ends (None: they
    stay open).
    """
    return EnrolmentRecord(
        node=invite.node,
        version=version,
        profile=invite.profile,
        suite=keys.suite,
        log_public_key=keys.log_public_key,
        signing_scope=scope_to_wire(invite.signing),
        carrying_scope=scope_to_wire(invite.carrying),
        transport_key_hash=keys.transport_hash,
        status=EnrolmentStatus.ENROLMENT_STATUS_ENROLLED,
        effective=effective,
        parent=invite.parent,
        key_lost=key_lost,
        closes_older=closings is not None,
        closings=closings or (),
        request_signature=keys.possession,
        title=invite.title,
        region=invite.region,
    )


def write_state(state: InviteState) -> bytes:
    """For the parent's store: JSON, with the secret until the invite is used or withdrawn."""
    fields = {
        "invite": invite_fields(state.invite),
        "status": state.status.value,
        "keys": state.keys.hex(),
        "fingerprint": state.fingerprint,
        "changed": state.changed,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def read_state(data: bytes) -> InviteState:
    """The same, back, from the own store: raises InputFault, or ValueError and KeyError if the store is damaged."""
    fields = json.loads(data)
    return InviteState(
        invite_from_fields(fields["invite"]),
        Status(fields["status"]),
        bytes.fromhex(fields["keys"]),
        fields["fingerprint"],
        fields["changed"],
    )


def _judge(
    state: InviteState | None, submission: Submission, nonce: bytes, parent: Parent, now: int, with_ca: bool
) -> Keys:
    if state is None or state.status is Status.WITHDRAWN or state.invite.token != submission.token:
        raise RemoteFault(Reason.NOT_ENROLLED, "this parent has no such invite (any more): ask it for a new one")
    if not nonce or submission.nonce != nonce:
        raise RemoteFault(Reason.NOT_ENROLLED, "the nonce is not the one given out last: begin again")
    keys, said = _open_keys(submission, with_ca)
    if not proves_log_key(submission, parent, SUITES):
        raise RemoteFault(Reason.BAD_SEAL, "the log key did not sign this submission: it is not the sender's own")
    if state.status is Status.USED:
        _check_same(state, keys, "the invite was used by another installation; if it was not yours, tell the parent")
        return keys
    _check_moment(state, keys, now)
    invite = state.invite
    if (invite.federation, invite.root_fingerprint) != (parent.federation, parent.root_fingerprint):
        raise RemoteFault(Reason.FEDERATION_MISMATCH, "the invite was made under another root: ask for a new one")
    if not proves_secret(invite.secret, submission, parent):
        raise RemoteFault(Reason.NOT_ENROLLED, "the proof does not fit: another invite, root or parent than this one")
    if said != invite.node:
        raise RemoteFault(Reason.NOT_ENROLLED, f"the invite is for {invite.node}, the request for another node id")
    _check_same(state, keys, "other keys came with this invite before; if they were not yours, tell the parent")
    return keys


def _open_keys(submission: Submission, with_ca: bool) -> tuple[Keys, str]:
    if not is_sound_key(submission.suite, submission.log_public_key):
        raise RemoteFault(Reason.MALFORMED, "the log key is not a sound key of a suite that is known here")
    if bool(submission.ca_csr) is not with_ca:
        word = "lacks" if with_ca else "has"
        raise RemoteFault(Reason.MALFORMED, f"the submission {word} a CA request, against the invite's profile")
    transport = open_request(submission.csr)
    authority = open_request(submission.ca_csr) if with_ca else None
    if authority and public_key_hash(authority.public_key) == public_key_hash(transport.public_key):
        raise RemoteFault(Reason.MALFORMED, "the CA request is for the TLS key; a CA needs a key of its own")
    keys = Keys(
        transport.public_key,
        authority.public_key if authority else None,
        submission.suite,
        submission.log_public_key,
        submission.possession,
    )
    same = authority is None or authority.said == transport.said
    return keys, transport.said if same else ""


def _check_moment(state: InviteState, keys: Keys, now: int) -> None:
    until = state.invite.expires
    if state.keys == keys.digest:
        until = max(until, state.changed + PENDING_LIFE_US)
    if now >= until:
        raise RemoteFault(Reason.TIMEOUT, f"the invite ended on {moment_text(until)}: ask the parent for a new one")


def _check_same(state: InviteState, keys: Keys, why: str) -> None:
    if state.keys and state.keys != keys.digest:
        raise RemoteFault(Reason.NOT_ENROLLED, why)
