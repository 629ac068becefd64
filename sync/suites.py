"""Signature suites as the core sees them, and what is bound into each hash and signature (protocol section 1).

Implementations (keys, libraries, hardware) live in certs/; the core gets them as a table by number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

HEADER = b"tiersync.v1.header\0"
PAYLOAD = b"tiersync.v1.payload\0"
SEAL = b"tiersync.v1.seal\0"
HEADS = b"tiersync.v1.heads\0"
RECEIPT = b"tiersync.v1.receipt\0"
CUT_OFF = b"tiersync.v1.cut_off\0"
TASK_EVIDENCE = b"tiersync.v1.task_evidence\0"
ANCHOR = b"tiersync.v1.anchor\0"
INVITE = b"tiersync.v1.invite\0"
GENESIS = b"tiersync.v1.genesis\0"
ADOPT = b"tiersync.v1.adopt\0"
ROW = b"tiersync.v1.row\0"
ENROL = b"tiersync.v1.enrol\0"
KEY_ID = b"tiersync.v1.key\0"


class Suite(Protocol):
    """One signature suite: number on the wire, 32-byte hash, verification."""

    @property
    def number(self) -> int: ...

    def hash(self, data: bytes) -> bytes:
        """32 bytes."""
        ...

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether `signature` over `message` is by `public_key`; never raises on hostile input."""
        ...


class Signer(Protocol):
    """A log key that can sign; the key itself may live in hardware."""

    @property
    def suite(self) -> int: ...

    @property
    def public_key(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


Suites = Mapping[int, Suite]


def key_id(suite: Suite, public_key: bytes) -> bytes:
    """Key id = hash of suite number and public key (design section 3.11)."""
    return suite.hash(KEY_ID + suite.number.to_bytes(4, "big") + public_key)


def genesis(suite: Suite, federation: str, origin: str, publication: str, addressee: str, epoch: bytes) -> bytes:
    """`prev` of the first entry of a feed's epoch; each field is length-prefixed (uint32, big-endian)."""
    fields = (federation.encode(), origin.encode(), publication.encode(), addressee.encode(), epoch)
    return suite.hash(GENESIS + b"".join(len(f).to_bytes(4, "big") + f for f in fields))


def anchor_message(suite_hash: bytes) -> bytes:
    """What the root signs for an anchor whose body hashes to `suite_hash`."""
    return ANCHOR + suite_hash
