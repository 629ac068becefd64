"""Signature suites by their number on the wire (protocol section 1).

Suite 2 (SM2 with SM3) takes its place in `SUITES` beside suite 1; nothing else asks which suites exist.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sync.suites import Suites

ED25519_SHA256: Final = 1
PUBLIC_KEY_BYTES: Final = 32
PARSED_KEYS_MAX: Final = 8_192
"""More than the country has nodes, so that no key is parsed twice."""

# Points of small order, sign bit cleared, with the two encodings beyond the field: under such a key one signature
# fits many messages, so its holder could deny what it sealed.
_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


@lru_cache(maxsize=PARSED_KEYS_MAX)
def _parsed(public_key: bytes) -> Ed25519PublicKey:
    """Raises ValueError unless 32 bytes (failures are not cached)."""
    return Ed25519PublicKey.from_public_bytes(public_key)


class Ed25519Suite:
    """Suite 1: Ed25519 signatures, SHA-256 hashes. Implements `sync.suites.Suite`."""

    __slots__ = ()

    @property
    def number(self) -> int:
        return ED25519_SHA256

    def hash(self, data: bytes) -> bytes:
        """SHA-256, 32 bytes."""
        return sha256(data).digest()

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (64 bytes) over `message` is by `public_key` (32 bytes); False for any other shape."""
        try:
            _parsed(public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def __repr__(self) -> str:
        return "Ed25519Suite()"


SUITES: Final[Suites] = {ED25519_SHA256: Ed25519Suite()}


def is_sound_key(suite: int, public_key: bytes) -> bool:
    """Whether a log key may be enrolled: suite known, right length, not a point of small order."""
    if suite not in SUITES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    return public_key[:-1] + bytes([public_key[-1] & 0x7F]) not in _SMALL_ORDER
