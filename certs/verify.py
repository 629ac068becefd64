"""Our verifier beside TLS's: from the certificates a peer showed to the node it is. Pure.

TLS alone is not enough: it takes a leaf with a URI name only under a DNS constraint, knows no revocation, and asks
nothing once the stream is open (reliability section 3.2). This is the only module that uses the library's path
verification, whose interface is not settled yet.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.forms import (
    CERTIFICATE_BYTES_MAX,
    DAMAGED,
    PublicKey,
    fingerprint,
    is_p256,
    micros,
    moment_text,
    path_length,
    permitted_domain,
    public_key_hash,
    root_from_der,
    to_der,
    utc,
)
from sync.errors import RemoteFault
from sync.reasons import Reason
from sync.values import is_node_id

ISSUERS_MIN: Final = 1
ISSUERS_MAX: Final = 2
"""Between leaf and root: the nation's issuing CA, and perhaps a provincial CA."""
_PEM_BYTES_MAX: Final = (ISSUERS_MAX + 2) * CERTIFICATE_BYTES_MAX * 2
_Chain = tuple[x509.Certificate, ...]
_USAGES = frozenset((ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH))


class Link(NamedTuple):
    """One certificate of a verified chain, as revocation names it."""

    issuer_key_hash: bytes
    serial: int
    key_hash: bytes


@dataclass(frozen=True, slots=True)
class Revocations:
    """What no longer counts: keys (SHA-256 of their SubjectPublicKeyInfo), and (issuer key hash, serial)."""

    keys: Container[bytes] = frozenset()
    serials: Container[tuple[bytes, int]] = frozenset()

    def holds(self, link: Link) -> bool:
        """Whether this certificate is revoked, by its key or by its number."""
        return link.key_hash in self.keys or (link.issuer_key_hash, link.serial) in self.serials


NONE_REVOKED: Final = Revocations()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a verified peer is, and until when: a stream that outlives `not_after` has to end (`check_current`)."""

    node: str
    key_hash: bytes
    """SHA-256 of the transport key's SubjectPublicKeyInfo: the registry must hold the same."""
    not_before: int
    not_after: int
    """The narrowest of the whole chain; microseconds since 1970."""
    fingerprint: bytes
    """SHA-256 of the leaf."""
    path: tuple[Link, ...]
    """Leaf first, without the root."""


@dataclass(frozen=True, slots=True)
class Trust:
    """A federation's root, ready to verify with."""

    root: x509.Certificate
    _store: verification.Store = field(repr=False, compare=False)

    @classmethod
    def of(cls, root: x509.Certificate | bytes) -> Trust:
        """From the certificate or its DER. Raises InputFault if it is not a root."""
        checked = root_from_der(root if isinstance(root, bytes) else to_der(root))
        return cls(checked, verification.Store([checked]))

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over the root's DER: what an invite and the enrolment proof name."""
        return fingerprint(self.root)

    def builder(self, now: int) -> verification.PolicyBuilder:
        """The library's policy at a moment: our root, our depth."""
        return verification.PolicyBuilder().store(self._store).time(utc(now)).max_chain_depth(ISSUERS_MAX)


def verify_identity(
    chain: Sequence[bytes], trust: Trust, now: int, expected: str | None = None, revoked: Revocations = NONE_REVOKED
) -> Identity:
    """The node that shows `chain` (DER, leaf first, without the root), at `now`. Each step must pass:

    1. one leaf and one or two issuers, each within its size, each parseable
    2. every key on P-256, every signature ECDSA with SHA-256
    3. `now` within the validity of each                                 CERTIFICATE_EXPIRED
    4. the signatures lead to our root; CA flags, path lengths and name constraints hold      NOT_ENROLLED
    5. an issuer below the nation's is confined to one domain, critically
    6. the leaf is no CA, for digital signatures only, for TLS client and server, nothing else
    7. its alternative names are exactly one DNS name, and that is a node id (no wildcard)
    8. it is the expected node id, if one is expected                    NOT_ENROLLED
    9. nothing on the path is revoked                                    CERTIFICATE_REVOKED

    Raises RemoteFault with the reason named, MALFORMED (steps 1, 2, 5 to 7) or LIMIT_EXCEEDED (sizes).
    Whether the key is the registered one is asked next, with `check_registered`.
    """
    certificates = _parse(chain)
    try:
        return _verify(certificates, trust, now, expected, revoked)
    except DAMAGED as fault:
        raise RemoteFault(Reason.MALFORMED, "a certificate with a damaged or unknown part") from fault


def verify_pem(
    leaf: bytes,
    chain: bytes,
    trust: Trust,
    now: int,
    expected: str | None = None,
    revoked: Revocations = NONE_REVOKED,
) -> Identity:
    """`verify_identity` for what grpc's auth context gives: `x509_pem_cert` and `x509_pem_cert_chain`.

    At a client that chain begins with the leaf, at a server it does not (measured, grpc 1.85); a root at its end is
    left out. Raises RemoteFault.
    """
    if len(leaf) + len(chain) > _PEM_BYTES_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"a certificate chain of {len(leaf) + len(chain)} bytes")
    try:
        first = x509.load_pem_x509_certificate(leaf)
        rest = x509.load_pem_x509_certificates(chain) if chain.strip() else []
    except DAMAGED as fault:
        raise RemoteFault(Reason.MALFORMED, "the peer's certificate chain is not PEM") from fault
    others = [to_der(c) for c in rest if c not in (first, trust.root)]
    return verify_identity([to_der(first), *others], trust, now, expected, revoked)


def verify_authority(
    chain: Sequence[bytes], trust: Trust, now: int, node: str, revoked: Revocations = NONE_REVOKED
) -> tuple[x509.Certificate, ...]:
    """The CA certificate that a parent issued for `node`, with its issuers: fit to be put to work at `node`.

    Steps 1 to 5 and 9 as above; the CA is confined to the domain of `node`, if it stands below another CA.
    Raises RemoteFault.
    """
    certificates = _parse(chain, issuers_min=0, issuers_max=1)
    try:
        _check_algorithms(certificates)
        _check_moment((*certificates, trust.root), now)
        _check_signatures(certificates, trust.root)
        _check_revoked(_links(certificates, trust.root), revoked)
        domain = permitted_domain(certificates[0])
    except DAMAGED as fault:
        raise RemoteFault(Reason.MALFORMED, "a CA certificate with a damaged or unknown part") from fault
    if len(certificates) > 1 and domain != node:
        raise RemoteFault(Reason.NOT_ENROLLED, f"the CA certificate is for '{domain}', not for {node}")
    return certificates


def check_current(identity: Identity, now: int, revoked: Revocations = NONE_REVOKED) -> None:
    """Steps 3 and 9 again, for a stream that is open. Raises RemoteFault CERTIFICATE_EXPIRED or CERTIFICATE_REVOKED."""
    if now > identity.not_after:
        raise _expired(identity.node, identity.not_after)
    if now < identity.not_before:
        raise _not_yet(identity.node, identity.not_before)
    _check_revoked(identity.path, revoked)


def check_registered(identity: Identity, registered: Container[bytes]) -> None:
    """The key must be one that the registry holds for this node: a stolen CA alone opens nothing.

    Raises RemoteFault CERTIFICATE_NOT_REGISTERED.
    """
    if identity.key_hash not in registered:
        raise RemoteFault(
            Reason.CERTIFICATE_NOT_REGISTERED,
            f"the TLS key of {identity.node} is not the one its parent registered; if it was made anew, it has to join "
            "again with a new invite; if not, somebody else holds a certificate of this name",
        )


def _parse(chain: Sequence[bytes], issuers_min: int = ISSUERS_MIN, issuers_max: int = ISSUERS_MAX) -> _Chain:
    if not 1 + issuers_min <= len(chain) <= 1 + issuers_max:
        raise RemoteFault(
            Reason.MALFORMED,
            f"a chain of {len(chain)} certificates; it has to be the certificate, then its issuers without the root",
        )
    if any(len(der) > CERTIFICATE_BYTES_MAX for der in chain):
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"a certificate of more than {CERTIFICATE_BYTES_MAX} bytes")
    try:
        return tuple(_certificate(der) for der in chain)
    except DAMAGED as fault:
        raise RemoteFault(Reason.MALFORMED, "not a certificate") from fault


def _certificate(der: bytes) -> x509.Certificate:
    """Stricter than the library: serial above 0, and no spare bits said of the signature, which is the last field.

    So one certificate has one spelling, and one fingerprint.
    """
    certificate = x509.load_der_x509_certificate(der)
    if certificate.serial_number <= 0 or der[-len(certificate.signature) - 1] != 0:
        raise ValueError
    return certificate


def _verify(chain: _Chain, trust: Trust, now: int, expected: str | None, revoked: Revocations) -> Identity:
    leaf = chain[0]
    _check_algorithms(chain)
    _check_moment((*chain, trust.root), now)
    verified = _check_path(chain, trust, now)
    _check_confined(verified)
    _check_leaf(leaf)
    node = _node_of(leaf)
    if expected is not None and node != expected:
        raise RemoteFault(Reason.NOT_ENROLLED, f"the certificate is for {node}, and {expected} is expected here")
    path = _links(verified[:-1], trust.root)
    _check_revoked(path, revoked)
    return Identity(
        node=node,
        key_hash=path[0].key_hash,
        not_before=max(micros(c.not_valid_before_utc) for c in verified),
        not_after=min(micros(c.not_valid_after_utc) for c in verified),
        fingerprint=fingerprint(leaf),
        path=path,
    )


def _check_algorithms(chain: _Chain) -> None:
    for certificate in chain:
        if not is_p256(certificate.public_key()):
            raise RemoteFault(Reason.MALFORMED, "a certificate whose key is not on P-256; its key has to be made anew")
        if not isinstance(certificate.signature_hash_algorithm, hashes.SHA256):
            raise RemoteFault(Reason.MALFORMED, "a certificate that is not signed with ECDSA and SHA-256")


def _check_moment(chain: _Chain, now: int) -> None:
    moment = utc(now)
    for place, certificate in enumerate(chain):
        whose = "the certificate" if place == 0 else "a CA certificate above it"
        if moment > certificate.not_valid_after_utc:
            raise _expired(whose, micros(certificate.not_valid_after_utc))
        if moment < certificate.not_valid_before_utc:
            raise _not_yet(whose, micros(certificate.not_valid_before_utc))


def _check_path(chain: _Chain, trust: Trust, now: int) -> _Chain:
    try:
        verified = trust.builder(now).build_client_verifier().verify(chain[0], list(chain[1:]))
    except verification.VerificationError as fault:
        said = str(fault).partition(" (encountered processing")[0]
        why = "".join(c for c in said if c.isascii() and c.isprintable())[:160]
        raise RemoteFault(
            Reason.NOT_ENROLLED, f"the certificate does not lead to this federation's root certificate ({why})"
        ) from fault
    path = tuple(verified.chain)
    if not ISSUERS_MIN <= len(path) - 2 <= ISSUERS_MAX:
        raise RemoteFault(Reason.NOT_ENROLLED, "the root itself issued this certificate, which it never does")
    return path


def _check_confined(path: _Chain) -> None:
    """`path` ends in the root. Without this, a province's CA issued carelessly could speak for the country."""
    for certificate in path[1:-2]:
        if not permitted_domain(certificate):
            raise RemoteFault(Reason.MALFORMED, "a CA below the issuing CA that is not confined to one domain")


def _check_signatures(chain: _Chain, root: x509.Certificate) -> None:
    """For a chain of CAs, which the library's verifier does not take. Name constraints on CAs bind leaves only."""
    for certificate, issuer in zip(chain, (*chain[1:], root), strict=True):
        depth, above = path_length(certificate), path_length(issuer)
        if depth is None or above is None or depth >= above:
            raise RemoteFault(Reason.NOT_ENROLLED, "the certificate is not that of a CA which its issuer may make")
        try:
            certificate.verify_directly_issued_by(issuer)
        except DAMAGED as fault:
            raise RemoteFault(
                Reason.NOT_ENROLLED, "the CA certificate does not lead to this federation's root certificate"
            ) from fault
    _check_confined((*chain[:1], *chain, root))


def _check_leaf(leaf: x509.Certificate) -> None:
    found = leaf.extensions
    try:
        basic = found.get_extension_for_class(x509.BasicConstraints)
        usage = found.get_extension_for_class(x509.KeyUsage)
        extended = found.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound as fault:
        raise RemoteFault(Reason.MALFORMED, "a node's certificate that does not say what it is for") from fault
    if basic.value.ca or not basic.critical or usage.value.key_cert_sign:
        raise RemoteFault(Reason.MALFORMED, "a CA certificate; a node shows its own")
    if not usage.value.digital_signature or frozenset(extended.value) != _USAGES:
        raise RemoteFault(Reason.MALFORMED, "a certificate that is not for TLS client and server")


def _node_of(leaf: x509.Certificate) -> str:
    try:
        names = list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        names = []
    if len(names) != 1 or not isinstance(names[0], x509.DNSName):
        raise RemoteFault(
            Reason.MALFORMED, "a certificate that does not name exactly one DNS name, its node id, and nothing else"
        )
    if not is_node_id(names[0].value):
        raise RemoteFault(Reason.MALFORMED, "a certificate whose name is not a node id")
    return names[0].value


def _links(chain: _Chain, root: x509.Certificate) -> tuple[Link, ...]:
    keys = [public_key_hash(key) for c in (*chain, root) if isinstance(key := c.public_key(), PublicKey)]
    return tuple(Link(keys[i + 1], c.serial_number, keys[i]) for i, c in enumerate(chain))


def _check_revoked(path: Sequence[Link], revoked: Revocations) -> None:
    for place, link in enumerate(path):
        if revoked.holds(link):
            whose = "the certificate" if place == 0 else "a CA certificate above it"
            raise RemoteFault(Reason.CERTIFICATE_REVOKED, f"{whose} was revoked; the node has to join again")


def _expired(whose: str, until: int) -> RemoteFault:
    return RemoteFault(
        Reason.CERTIFICATE_EXPIRED, f"{whose} ended on {moment_text(until)}; renew it, and check the clock here"
    )


def _not_yet(whose: str, since: int) -> RemoteFault:
    return RemoteFault(
        Reason.CERTIFICATE_EXPIRED, f"{whose} begins on {moment_text(since)}; check the clocks of both nodes"
    )
