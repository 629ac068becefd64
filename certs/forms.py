"""What certificates and P-256 keys look like as bytes, and the moments in them. Pure.

Times of this package are microseconds since 1970 UTC, as everywhere; only X.509 itself wants datetimes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning

from sync.errors import InputFault
from sync.reasons import Reason

CERTIFICATE_BYTES_MAX: Final = 8 * 1024
FEDERATION_BYTES_MAX: Final = 64
MOMENT_US_MAX: Final = 253_402_300_799_000_000
"""The last second of the year 9999: beyond it there are no dates."""

DAMAGED: Final = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,  # where warnings are errors: what the library will refuse in a later release
)
"""All that the library raises for certificates that are damaged or of another sort."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


def utc(us: int) -> datetime:
    """Microseconds since 1970 as an aware datetime."""
    return _EPOCH + timedelta(microseconds=us)


def micros(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_text(us: int) -> str:
    """'2026-11-22 08:00:00 UTC', as details quote a moment."""
    return f"{utc(us):%Y-%m-%d %H:%M:%S} UTC"


def is_federation(text: str) -> bool:
    """Whether `text` may name a federation: 1 to 64 bytes of printable letters."""
    return text.isprintable() and 0 < len(text.encode()) <= FEDERATION_BYTES_MAX


def is_p256(key: object) -> bool:
    """Whether a public or private key of the library is on P-256."""
    return isinstance(key, PrivateKey | PublicKey) and isinstance(key.curve, ec.SECP256R1)


def new_key() -> PrivateKey:
    """A new P-256 key (transport, CA or root) from the operating system's randomness."""
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: PrivateKey, passphrase: bytes = b"") -> bytes:
    """PKCS #8 PEM; encrypted if there is a passphrase (the off-line root may have one)."""
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)


def key_from_pem(pem: bytes, passphrase: bytes = b"") -> PrivateKey:
    """Reads a P-256 private key. Raises InputFault on another sort of key, other bytes or a wrong passphrase."""
    try:
        key = serialization.load_pem_private_key(pem, password=passphrase or None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, PrivateKey) or not is_p256(key):
        raise InputFault(Reason.MALFORMED, "the file does not hold a P-256 private key, or the passphrase is wrong")
    return key


def public_key_hash(key: PublicKey) -> bytes:
    """SHA-256 over the SubjectPublicKeyInfo, 32 bytes: `transport_key_hash` of an enrolment record."""
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).digest()


def to_der(certificate: x509.Certificate) -> bytes:
    """The certificate's bytes as issued."""
    return certificate.public_bytes(serialization.Encoding.DER)


def fingerprint(certificate: x509.Certificate | bytes) -> bytes:
    """SHA-256 over a certificate's DER, 32 bytes."""
    return sha256(certificate if isinstance(certificate, bytes) else to_der(certificate)).digest()


def to_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """Certificates one after the other, as TLS libraries read a chain."""
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def from_pem(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Certificates of a PEM file, in order. Raises InputFault if there is none or one is damaged."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as fault:
        raise InputFault(Reason.MALFORMED, "the file does not hold certificates in PEM") from fault


def root_from_der(der: bytes) -> x509.Certificate:
    """The root certificate of a federation: self-signed, P-256, a CA. Raises InputFault otherwise."""
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise InputFault(Reason.LIMIT_EXCEEDED, "the root certificate is larger than any that tiersync makes")
    try:
        root = x509.load_der_x509_certificate(der)
        root.verify_directly_issued_by(root)
        sound = is_p256(root.public_key()) and path_length(root) is not None
    except DAMAGED:
        sound = False
    if not sound:
        raise InputFault(Reason.MALFORMED, "the root certificate is not a self-signed P-256 CA certificate")
    return root


def path_length(certificate: x509.Certificate) -> int | None:
    """How many CAs may stand below this one; None if it is no CA or says no number.

    Raises what the library raises for damaged extensions.
    """
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return None
    return basic.value.path_length if basic.critical and basic.value.ca else None


def permitted_domain(certificate: x509.Certificate) -> str:
    """The one DNS domain that a CA may issue in, if it is so constrained critically; '' otherwise.

    Raises what the library raises for damaged extensions.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return ""
    permitted = names.value.permitted_subtrees or []
    if not names.critical or names.value.excluded_subtrees or len(permitted) != 1:
        return ""
    return permitted[0].value if isinstance(permitted[0], x509.DNSName) else ""


def lies_in(node: str, domain: str) -> bool:
    """Whether a node id is the domain or stands below it; every node id lies in ''."""
    return not domain or node == domain or node.endswith("." + domain)
