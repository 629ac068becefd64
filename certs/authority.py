"""Issuing: off-line root -> the nation's issuing CA -> a CA per province -> leaves (design section 7).

The issuer decides every name and lifetime. One rule covers all tiers: what the root issues is an issuing CA without
a name constraint; what that one issues as a CA is confined, critically, to the domain of the node it is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.forms import (
    FEDERATION_BYTES_MAX,
    PrivateKey,
    PublicKey,
    is_federation,
    lies_in,
    micros,
    moment_text,
    path_length,
    permitted_domain,
    public_key_hash,
    to_der,
    utc,
)
from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import is_node_id

ROOT_DAYS: Final = 20 * 365
CA_DAYS: Final = (10 * 365, 5 * 365)
"""Life of a CA by the number of CAs between it and the root."""
LEAF_DAYS: Final = 365
"""A year, renewed in its last third: whoever is suspended is kept out by the registry, not by waiting (ADR 0025)."""
BACKDATE_US: Final = 5 * 60 * 1_000_000
"""The clock of a server just set up may be behind that of its parent."""
LIFE_US_MIN: Final = 24 * 3600 * 1_000_000
ROOT_PATH_LENGTH: Final = 2
SERIAL_BYTES: Final = 16
_DAY_US = 86_400 * 1_000_000

_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_LEAF_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that can issue: its key, and its certificate followed by its issuers without the root.

    Of the root itself the chain is the root certificate alone. Raises InputFault if key and certificate differ.
    """

    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...]

    def __post_init__(self) -> None:
        if not self.chain:
            raise InputFault(Reason.MALFORMED, "a CA without a certificate")
        public = self.certificate.public_key()
        if not isinstance(public, PublicKey) or public_key_hash(public) != public_key_hash(self.key.public_key()):
            raise InputFault(Reason.MALFORMED, "the CA key is not the key of the CA certificate")
        if path_length(self.certificate) is None:
            raise InputFault(Reason.MALFORMED, "the certificate beside the CA key is not a CA certificate")

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def is_root(self) -> bool:
        return self.certificate.subject == self.certificate.issuer

    @property
    def issuers(self) -> tuple[x509.Certificate, ...]:
        """What follows an issued certificate in a chain that leaves the root out."""
        return () if self.is_root else self.chain

    @property
    def depth(self) -> int:
        """How many CAs may stand below this one."""
        return path_length(self.certificate) or 0

    @property
    def domain(self) -> str:
        """The domain it may issue in; '' for all."""
        return permitted_domain(self.certificate)

    @property
    def federation(self) -> str:
        """The federation's name, as every certificate under the root shows it to people."""
        names = self.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        return str(names[0].value) if names else ""

    def chain_of(self, certificate: x509.Certificate) -> tuple[bytes, ...]:
        """A certificate issued here and its issuers, DER, without the root: as the wire carries chains."""
        return tuple(to_der(c) for c in (certificate, *self.issuers))


def make_root(federation: str, key: PrivateKey, now: int, serial: bytes) -> Authority:
    """A federation's self-signed root. `serial`: 16 random bytes. Raises InputFault on an unfit federation name."""
    if not is_federation(federation):
        raise InputFault(Reason.MALFORMED, f"a federation name has 1 to {FEDERATION_BYTES_MAX} printable bytes")
    name = _name(federation, "root", "root")
    until = now + ROOT_DAYS * _DAY_US
    builder = _builder(name, name, key.public_key(), now, until, serial)
    builder = _as_ca(builder, ROOT_PATH_LENGTH)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    )
    return Authority(key, (builder.sign(key, hashes.SHA256()),))


def issue_ca(issuer: Authority, node: str, public_key: PublicKey, now: int, serial: bytes) -> x509.Certificate:
    """A CA certificate for node `node`: unconstrained if the root issues it, else confined to the node's own domain.

    Raises InputFault if this issuer may not make CAs, the node lies outside its domain, or its own life is over.
    """
    if issuer.depth < 1:
        raise InputFault(Reason.OUT_OF_SCOPE, "this CA may issue leaves only; ask the parent for a CA certificate")
    _check_node(issuer, node)
    days = CA_DAYS[min(ROOT_PATH_LENGTH - issuer.depth, len(CA_DAYS) - 1)]
    name = _name(issuer.federation, "issuing CA", node)
    builder = _issued(issuer, name, public_key, now, days, serial)
    builder = _as_ca(builder, issuer.depth - 1)
    if not issuer.is_root:
        confined = x509.NameConstraints(permitted_subtrees=[x509.DNSName(node)], excluded_subtrees=None)
        builder = builder.add_extension(confined, critical=True)
    return builder.sign(issuer.key, hashes.SHA256())


def issue_leaf(
    issuer: Authority, node: str, public_key: PublicKey, now: int, serial: bytes, days: int = LEAF_DAYS
) -> x509.Certificate:
    """A node's TLS certificate: one DNS name, its node id; at most as long as its issuer lives.

    Raises InputFault if the issuer is the root (which stays off-line), the node lies outside the issuer's domain,
    or the issuer has less than a day to live.
    """
    if issuer.is_root:
        raise InputFault(Reason.OUT_OF_SCOPE, "the root issues CA certificates only; use the issuing CA")
    _check_node(issuer, node)
    builder = _issued(issuer, _name(issuer.federation, "node", node), public_key, now, days, serial)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_LEAF_USAGE, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(node)]), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _check_node(issuer: Authority, node: str) -> None:
    if not is_node_id(node):
        raise InputFault(Reason.MALFORMED, f"'{node}' is not a node id such as c330100.p330000.cn-demo")
    if not lies_in(node, issuer.domain):
        raise InputFault(Reason.OUT_OF_SCOPE, f"{node} lies outside {issuer.domain}, where this CA may issue")


def _issued(
    issuer: Authority, subject: x509.Name, public_key: PublicKey, now: int, days: int, serial: bytes
) -> x509.CertificateBuilder:
    last = micros(issuer.certificate.not_valid_after_utc)
    if last - now < LIFE_US_MIN:
        raise InputFault(Reason.CERTIFICATE_EXPIRED, f"this CA ends on {moment_text(last)}; it has to be renewed first")
    until = min(now + days * _DAY_US, last)
    builder = _builder(subject, issuer.certificate.subject, public_key, now, until, serial)
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return builder.add_extension(own, critical=False)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, now: int, until: int, serial: bytes
) -> x509.CertificateBuilder:
    assert len(serial) == SERIAL_BYTES
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(int.from_bytes(b"\x01" + serial, "big"))
        .not_valid_before(utc(now - BACKDATE_US))
        .not_valid_after(utc(until))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _as_ca(builder: x509.CertificateBuilder, depth: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True)
    return builder.add_extension(_CA_USAGE, critical=True)


def _name(federation: str, sort: str, name: str) -> x509.Name:
    """For people and for telling CAs apart; no decision reads it."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, federation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, sort),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
