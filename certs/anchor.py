"""The anchor: the off-line root says which log key is the nation's. Whoever holds the root can check every origin."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import DecodeError

from certs.forms import PrivateKey, PublicKey, is_p256
from certs.suites import is_sound_key
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason
from sync.suites import anchor_message
from sync.values import DIGEST_BYTES, is_node_id
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody

ANCHOR_BYTES_MAX: Final = 256 * 1024
_SIGNATURE = ec.ECDSA(hashes.SHA256())


def sign_anchor(body: AnchorBody, root_key: PrivateKey) -> Anchor:
    """Serialises the body once and signs it. Raises InputFault if nobody could take such an anchor."""
    why = _wrong_in(body)
    if why:
        raise InputFault(Reason.MALFORMED, why)
    data = body.SerializeToString(deterministic=True)
    return Anchor(body=data, signature=root_key.sign(_message(data), _SIGNATURE))


def open_anchor(anchor: Anchor | bytes, root: x509.Certificate, federation: str) -> AnchorBody:
    """The anchor's body, if (1) it has a lawful size, (2) the root signed it, (3) it is well formed and (4) it is of
    this federation. Raises RemoteFault LIMIT_EXCEEDED, BAD_SEAL, MALFORMED or FEDERATION_MISMATCH.

    Whether it is the newest is asked next, with `newer`.
    """
    if isinstance(anchor, bytes):
        anchor = _parsed(anchor)
    if len(anchor.body) > ANCHOR_BYTES_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"an anchor of {len(anchor.body)} bytes")
    if not _signed(anchor, root):
        raise RemoteFault(Reason.BAD_SEAL, "the anchor is not signed by this federation's root")
    body = AnchorBody()
    try:
        body.ParseFromString(anchor.body)
    except DecodeError as fault:
        raise RemoteFault(Reason.MALFORMED, "an anchor that cannot be read") from fault
    why = _wrong_in(body)
    if why:
        raise RemoteFault(Reason.MALFORMED, why)
    if body.federation != federation:
        raise RemoteFault(Reason.FEDERATION_MISMATCH, f"the anchor is of '{body.federation}', this is '{federation}'")
    return body


def newer(offered: AnchorBody, held: AnchorBody | None) -> bool:
    """Whether `offered` takes the place of `held`; both opened. False if they are the same.

    Raises RemoteFault STALE_VERSION for an older one (whose key may be a lost one), FORK for another one of the same
    serial, ENROLMENT_FELL if the nation's enrolment version goes back.
    """
    if held is None:
        return True
    if offered.serial < held.serial:
        raise RemoteFault(
            Reason.STALE_VERSION, f"anchor {offered.serial} is older than anchor {held.serial}, which is held here"
        )
    if offered.serial == held.serial:
        if offered != held:
            raise RemoteFault(Reason.FORK, f"two different anchors of serial {held.serial}: ask the root's keeper")
        return False
    if offered.nation == held.nation and offered.enrolment < held.enrolment:
        raise RemoteFault(Reason.ENROLMENT_FELL, f"anchor {offered.serial} names an older enrolment of {held.nation}")
    return True


def _message(body: bytes) -> bytes:
    # SHA-256 whatever the suite of the log key: the root's own signature is ECDSA with SHA-256.
    return anchor_message(sha256(body).digest())


def _parsed(data: bytes) -> Anchor:
    if len(data) > ANCHOR_BYTES_MAX + 1024:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"an anchor of {len(data)} bytes")
    anchor = Anchor()
    try:
        anchor.ParseFromString(data)
    except DecodeError as fault:
        raise RemoteFault(Reason.MALFORMED, "an anchor that cannot be read") from fault
    return anchor


def _signed(anchor: Anchor, root: x509.Certificate) -> bool:
    key = root.public_key()
    if not isinstance(key, PublicKey) or not is_p256(key):
        return False
    try:
        key.verify(anchor.signature, _message(anchor.body), _SIGNATURE)
    except InvalidSignature:
        return False
    return True


def _wrong_in(body: AnchorBody) -> str:
    """What is wrong with an anchor's words; '' if nothing is."""
    if not body.federation:
        return "an anchor without a federation"
    if not is_node_id(body.nation):
        return "an anchor whose nation is not a node id"
    if body.enrolment < 1 or body.serial < 1:
        return "an anchor whose serial or enrolment version is 0"
    if not is_sound_key(body.suite, body.log_public_key):
        return "an anchor whose log key is not a sound key of a known suite"
    if len(body.transport_key_hash) != DIGEST_BYTES:
        return "an anchor without the hash of the nation's TLS key"
    return ""
