"""A small country of certificates, made once per test process: root, nation, two provinces, a city in each."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.authority import Authority, issue_ca, issue_leaf, make_root
from certs.forms import PrivateKey, new_key, utc
from certs.verify import Trust

FEDERATION = "cn-demo"
NATION = "n000000.cn-demo"
PROVINCE = "p330000.cn-demo"
OTHER_PROVINCE = "p440000.cn-demo"
CITY = "c330100.p330000.cn-demo"
OTHER_CITY = "c440100.p440000.cn-demo"
MUNICIPALITY = "c310000.cn-demo"
COUNTY = "d330102.c330100.p330000.cn-demo"

DAY_US = 86_400 * 1_000_000
NOW = 1_800_000_000_000_000
SERIAL = bytes(range(16))


class Country(NamedTuple):
    """Its authorities and keys; `leaf_key` is the transport key that all leaves of the tests are for."""

    root: Authority
    nation: Authority
    province: Authority
    other_province: Authority
    leaf_key: PrivateKey
    trust: Trust

    def leaf(self, node: str = CITY, by: Authority | None = None, days: int = 365) -> tuple[bytes, ...]:
        """A chain (DER, leaf first) issued at NOW."""
        by = by or self.province
        return by.chain_of(issue_leaf(by, node, self.leaf_key.public_key(), NOW, SERIAL, days))


def below(issuer: Authority, node: str) -> Authority:
    """A CA issued for `node`, with a new key."""
    key = new_key()
    return Authority(key, (issue_ca(issuer, node, key.public_key(), NOW, SERIAL), *issuer.issuers))


@lru_cache(maxsize=1)
def country() -> Country:
    """The country; nothing in it changes."""
    root = make_root(FEDERATION, new_key(), NOW, SERIAL)
    nation = below(root, NATION)
    trust = Trust.of(root.certificate)
    return Country(root, nation, below(nation, PROVINCE), below(nation, OTHER_PROVINCE), new_key(), trust)


@lru_cache(maxsize=1)
def foreign_root() -> Authority:
    """The root of another federation of the same name: a trial taken for the real one."""
    return make_root(FEDERATION, new_key(), NOW, SERIAL)


Builder = x509.CertificateBuilder


def odd_leaf(
    by: Authority,
    names: list[x509.GeneralName] | None,
    *,
    key: object = None,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
    ca: bool = False,
    signature: bool = True,
    more: Callable[[Builder], Builder] = lambda b: b,
) -> tuple[bytes, ...]:
    """A chain whose leaf `issue_leaf` would never make, with a good signature by `by`."""
    public = getattr(key, "public_key", country().leaf_key.public_key)()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CITY)]))
        .issuer_name(by.certificate.subject)
        .public_key(public)
        .serial_number(7)
        .not_valid_before(utc(NOW - DAY_US))
        .not_valid_after(utc(NOW + DAY_US))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
        .add_extension(_usage(signature, ca), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return by.chain_of(more(builder).sign(by.key, hashes.SHA256()))


def _usage(signature: bool, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signature,
        content_commitment=not signature,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
