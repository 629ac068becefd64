"""Certificate requests: a public key with proof that its private half is there. Nothing else in one is believed."""

from __future__ import annotations

from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from certs.forms import DAMAGED, PrivateKey, PublicKey, is_p256
from sync.errors import RemoteFault
from sync.reasons import Reason

REQUEST_BYTES_MAX: Final = 2 * 1024


class Request(NamedTuple):
    """A checked request. `said` is the common name: what the maker believes to be called, only ever compared."""

    public_key: PublicKey
    said: str


def make_request(key: PrivateKey, node: str) -> bytes:
    """A request (DER) for node id `node`, for the transport key and for the key of a CA alike."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def open_request(der: bytes) -> Request:
    """Parses and checks a request: size, P-256, signed by its own key with SHA-256. Raises RemoteFault."""
    if len(der) > REQUEST_BYTES_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"a certificate request of {len(der)} bytes")
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        signed = request.is_signature_valid and isinstance(request.signature_hash_algorithm, hashes.SHA256)
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except DAMAGED as fault:
        raise RemoteFault(Reason.MALFORMED, "not a certificate request") from fault
    if not isinstance(key, PublicKey) or not is_p256(key):
        raise RemoteFault(Reason.MALFORMED, "the certificate request is not for a P-256 key")
    if not signed:
        raise RemoteFault(Reason.MALFORMED, "the certificate request is not signed by its own key")
    said = names[0].value if len(names) == 1 else ""
    return Request(key, said if isinstance(said, str) else "")
