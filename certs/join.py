"""The child's side of enrolment: whom it speaks with, and whether the reply is what the invite promised. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from certs.anchor import open_anchor
from certs.forms import PrivateKey, PublicKey, public_key_hash
from certs.invite import Invite
from certs.verify import Identity, Trust, verify_authority, verify_identity
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason
from sync.registry import scope_from_wire
from sync.scope import Scope
from sync.suites import Signer
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody, EnrolmentRecord, EnrolmentStatus


@dataclass(frozen=True, slots=True)
class Reply:
    """What the parent answers, as in `SubmitReply` on the wire: chains are DER without the root, nothing checked."""

    chain: Sequence[bytes]
    ca_chain: Sequence[bytes]
    anchor: Anchor
    record: EnrolmentRecord


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a checked reply gives the child: who it is, the nation's anchor, its CA certificates (empty without CA)."""

    identity: Identity
    anchor: AnchorBody
    authority: tuple[x509.Certificate, ...]
    record: EnrolmentRecord


def open_parent(invite: Invite, chain: Sequence[bytes], now: int) -> Identity:
    """The parent of the invite, from the chain it shows (DER); its fingerprint goes into the proof.

    Raises RemoteFault as `verify_identity` does.
    """
    return verify_identity(chain, Trust.of(invite.root), now, invite.parent)


def open_reply(
    invite: Invite, reply: Reply, transport_key: PrivateKey, ca_key: PrivateKey | None, log_key: Signer, now: int
) -> Enrolled:
    """Checks the reply before anything of it is kept. Each step must pass:

    1. the leaf is ours: verified under the invite's root, our node id, our TLS key
    2. the CA certificate is there if we asked for one, for our domain and our key
    3. the anchor is signed by the invite's root
    4. the record says of us what the invite says, with our keys: the whole country will read it

    Raises RemoteFault.
    """
    trust = Trust.of(invite.root)
    identity = verify_identity(reply.chain, trust, now, invite.node)
    if identity.key_hash != public_key_hash(transport_key.public_key()):
        raise RemoteFault(Reason.CERTIFICATE_NOT_REGISTERED, "the parent's reply certifies a TLS key that is not ours")
    authority = _open_authority(invite, reply.ca_chain, ca_key, trust, now)
    anchor = open_anchor(reply.anchor, trust.root, invite.federation)
    _check_record(invite, reply.record, identity, log_key)
    return Enrolled(identity, anchor, authority, reply.record)


def _open_authority(
    invite: Invite, chain: Sequence[bytes], ca_key: PrivateKey | None, trust: Trust, now: int
) -> tuple[x509.Certificate, ...]:
    if ca_key is None:
        if chain:
            raise RemoteFault(Reason.MALFORMED, "the parent's reply holds a CA certificate that nobody asked for")
        return ()
    authority = verify_authority(chain, trust, now, invite.node)
    key = authority[0].public_key()
    if not isinstance(key, PublicKey) or public_key_hash(key) != public_key_hash(ca_key.public_key()):
        raise RemoteFault(Reason.CERTIFICATE_NOT_REGISTERED, "the parent's reply certifies a CA key that is not ours")
    return authority


def _check_record(invite: Invite, record: EnrolmentRecord, identity: Identity, log_key: Signer) -> None:
    said = (record.node, record.parent, record.profile, record.region)
    if said != (invite.node, invite.parent, invite.profile, invite.region):
        raise RemoteFault(Reason.NOT_ENROLLED, "the record names another node, parent, profile or region")
    keys = (record.suite, record.log_public_key, record.transport_key_hash)
    if keys != (log_key.suite, log_key.public_key, identity.key_hash):
        raise RemoteFault(Reason.NOT_ENROLLED, "the record holds keys that are not ours")
    if record.status != EnrolmentStatus.ENROLMENT_STATUS_ENROLLED or record.version < 1:
        raise RemoteFault(Reason.NOT_ENROLLED, "the record does not say that we are enrolled")
    if (_scope(record.signing_scope), _scope(record.carrying_scope)) != (invite.signing, invite.carrying):
        raise RemoteFault(Reason.OUT_OF_SCOPE, "the record gives us other scopes than the invite did: ask the parent")


def _scope(items: object) -> Scope:
    try:
        return scope_from_wire(items)
    except InputFault as fault:
        raise RemoteFault(fault.reason, fault.detail) from fault
