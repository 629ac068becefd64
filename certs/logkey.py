"""The log key: what a node seals its feeds with. Long-lived, apart from the TLS key and its certificate."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.suites import ED25519_SHA256
from sync.errors import InputFault
from sync.reasons import Reason


@dataclass(frozen=True, slots=True)
class LogKey:
    """An Ed25519 key that can sign. Implements `sync.suites.Signer`; its text form never shows the private half."""

    _key: Ed25519PrivateKey = field(repr=False, compare=False)
    public_key: bytes
    """32 bytes, raw."""
    suite: int = ED25519_SHA256

    @classmethod
    def of(cls, key: Ed25519PrivateKey) -> LogKey:
        """Wraps a private key of the library."""
        return cls(key, key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> LogKey:
        """A new key from the operating system's randomness."""
        return cls.of(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> LogKey:
        """The key of a 32-byte seed: for the simulator and golden vectors, where runs repeat."""
        return cls.of(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> LogKey:
        """Reads PKCS #8 PEM. Raises InputFault if it is not an unencrypted Ed25519 private key."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise InputFault(Reason.MALFORMED, "the log key file does not hold an Ed25519 private key in PEM")
        return cls.of(key)

    def to_pem(self) -> bytes:
        """PKCS #8 PEM, not encrypted: the file's mode protects it (certs/files.py)."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)
