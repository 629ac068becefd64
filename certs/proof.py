"""The enrolment proof: the child shows that it holds the invite's secret and its log key, and says neither. Pure.

    input      = "tiersync.v1.invite\\0" || fields, each with its length before it (uint32, big-endian):
                 federation, token (text), nonce, CSR, CA CSR (or empty), suite (uint32, big-endian), log public key,
                 SHA-256 of the root certificate, SHA-256 of the parent's leaf
    proof      = HMAC-SHA-256(secret, input)
    possession = log key's signature over "tiersync.v1.enrol\\0" || SHA-256(input)

The parent's leaf is inside so that a proof made for one parent is of no use at another.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from certs.forms import PrivateKey
from certs.invite import Invite
from certs.requests import make_request
from sync.suites import ENROL, INVITE, Signer, Suites

NONCE_BYTES: Final = 32
_FINGERPRINT = b"tiersync.v1.fingerprint\0"
_GROUPS = 4
_GROUP_DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a child submits, as it came: fields as in `SubmitRequest` on the wire, nothing checked."""

    token: str
    nonce: bytes
    csr: bytes = field(repr=False)
    ca_csr: bytes = field(repr=False)
    suite: int
    log_public_key: bytes
    possession: bytes = field(repr=False)
    proof: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent as both sides of the proof see it: federation, SHA-256 of root certificate and of its leaf (DER)."""

    federation: str
    root_fingerprint: bytes
    leaf_fingerprint: bytes


def proof_input(submission: Submission, parent: Parent) -> bytes:
    """The bytes that proof and possession are about."""
    fields = (
        parent.federation.encode(),
        submission.token.encode(),
        submission.nonce,
        submission.csr,
        submission.ca_csr,
        submission.suite.to_bytes(4, "big"),
        submission.log_public_key,
        parent.root_fingerprint,
        parent.leaf_fingerprint,
    )
    return INVITE + b"".join(len(f).to_bytes(4, "big") + f for f in fields)


def make_submission(
    invite: Invite,
    nonce: bytes,
    parent_leaf_fingerprint: bytes,
    transport_key: PrivateKey,
    ca_key: PrivateKey | None,
    log_key: Signer,
) -> Submission:
    """The child's submission. The leaf is the one of `BeginReply.parent_chain`, verified before as `invite.parent`."""
    parent = Parent(invite.federation, invite.root_fingerprint, parent_leaf_fingerprint)
    bare = Submission(
        token=invite.token,
        nonce=nonce,
        csr=make_request(transport_key, invite.node),
        ca_csr=make_request(ca_key, invite.node) if ca_key else b"",
        suite=log_key.suite,
        log_public_key=log_key.public_key,
        possession=b"",
        proof=b"",
    )
    about = proof_input(bare, parent)
    return Submission(
        token=bare.token,
        nonce=bare.nonce,
        csr=bare.csr,
        ca_csr=bare.ca_csr,
        suite=bare.suite,
        log_public_key=bare.log_public_key,
        possession=log_key.sign(_possession_message(about)),
        proof=_hmac(invite.secret, about),
    )


def proves_secret(secret: bytes, submission: Submission, parent: Parent) -> bool:
    """Whether the proof was made with this secret, for this parent. False for a burnt (empty) secret."""
    if not secret:
        return False
    return hmac.compare_digest(_hmac(secret, proof_input(submission, parent)), submission.proof)


def proves_log_key(submission: Submission, parent: Parent, suites: Suites) -> bool:
    """Whether the log key signed this very submission."""
    suite = suites.get(submission.suite)
    if suite is None:
        return False
    message = _possession_message(proof_input(submission, parent))
    return suite.verify(submission.log_public_key, submission.possession, message)


def short_fingerprint(transport_key_hash: bytes, log_public_key: bytes) -> str:
    """'01234 56789 01234 56789': 66 bits of both keys of a node, for two people to compare over the phone."""
    fields = (transport_key_hash, log_public_key)
    data = _FINGERPRINT + b"".join(len(f).to_bytes(4, "big") + f for f in fields)
    digits = _GROUPS * _GROUP_DIGITS
    number = f"{int.from_bytes(sha256(data).digest(), 'big') % 10**digits:0{digits}}"
    return " ".join(number[i : i + _GROUP_DIGITS] for i in range(0, digits, _GROUP_DIGITS))


def _hmac(secret: bytes, about: bytes) -> bytes:
    return hmac.digest(secret, about, "sha256")


def _possession_message(about: bytes) -> bytes:
    return ENROL + sha256(about).digest()
