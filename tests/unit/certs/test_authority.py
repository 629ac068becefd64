"""What is issued, and what is not."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import Authority, issue_ca, issue_leaf, make_root
from certs.forms import key_from_pem, key_to_pem, micros, new_key, path_length, permitted_domain
from certs.requests import make_request, open_request
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason
from tests.unit.certs.country import (
    CITY,
    COUNTY,
    DAY_US,
    FEDERATION,
    MUNICIPALITY,
    NATION,
    NOW,
    OTHER_CITY,
    PROVINCE,
    SERIAL,
    country,
)


def leaf(node: str = CITY, days: int = 365) -> x509.Certificate:
    """A leaf by the province's CA."""
    return issue_leaf(country().province, node, country().leaf_key.public_key(), NOW, SERIAL, days)


def test_each_authority_is_narrower_than_the_one_above() -> None:
    """Path lengths fall from 2 to 0, and only a CA below the issuing CA is confined to a domain."""
    land = country()
    assert [a.depth for a in (land.root, land.nation, land.province)] == [2, 1, 0]
    assert [a.domain for a in (land.root, land.nation, land.province)] == ["", "", PROVINCE]
    assert [a.federation for a in (land.root, land.nation, land.province)] == [FEDERATION] * 3
    assert (land.root.is_root, land.nation.is_root) == (True, False)
    names = land.province.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert names.critical


def test_a_leaf_holds_one_name_and_one_use() -> None:
    """Exactly one DNS name; TLS client and server; critical where it has to be; lifetimes as the issuer says."""
    made = leaf(days=90)
    found = made.extensions
    names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName(CITY)]
    usages = found.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert found.get_extension_for_class(x509.BasicConstraints).critical
    assert found.get_extension_for_class(x509.KeyUsage).critical
    assert path_length(made) is None
    assert permitted_domain(made) == ""
    assert micros(made.not_valid_before_utc) == NOW - 5 * 60_000_000
    assert micros(made.not_valid_after_utc) == NOW + 90 * DAY_US
    assert made.serial_number == int.from_bytes(b"\x01" + SERIAL, "big")


def test_a_leaf_does_not_outlive_its_issuer() -> None:
    """Lifetimes are cut at the CA's own end, and a CA at its end issues nothing."""
    land = country()
    end = micros(land.province.certificate.not_valid_after_utc)
    key = land.leaf_key.public_key()
    late = issue_leaf(land.province, CITY, key, end - 30 * DAY_US, SERIAL)
    assert micros(late.not_valid_after_utc) == end
    with pytest.raises(InputFault, match="renewed first"):
        issue_leaf(land.province, CITY, key, end - DAY_US // 2, SERIAL)


NOT_ISSUED = {
    "a leaf by the root": lambda c, k: issue_leaf(c.root, NATION, k, NOW, SERIAL),
    "a city of another province": lambda c, k: issue_leaf(c.province, OTHER_CITY, k, NOW, SERIAL),
    "a municipality by a province": lambda c, k: issue_leaf(c.province, MUNICIPALITY, k, NOW, SERIAL),
    "a name that only ends alike": lambda c, k: issue_leaf(c.province, "x" + PROVINCE, k, NOW, SERIAL),
    "a CA by a provincial CA": lambda c, k: issue_ca(c.province, CITY, k, NOW, SERIAL),
    "a wildcard": lambda c, k: issue_leaf(c.province, f"*.{PROVINCE}", k, NOW, SERIAL),
    "a name in capital letters": lambda c, k: issue_leaf(c.nation, "C310000.CN-DEMO", k, NOW, SERIAL),
    "a CA without a lawful name": lambda c, k: issue_ca(c.nation, "p330000", k, NOW, SERIAL),
}


@pytest.mark.parametrize("case", NOT_ISSUED)
def test_is_not_issued(case: str) -> None:
    """An authority issues inside its domain and depth; else it says why not."""
    with pytest.raises(InputFault):
        NOT_ISSUED[case](country(), country().leaf_key.public_key())


def test_a_county_lies_in_its_province() -> None:
    """The provincial CA serves every level below it."""
    assert leaf(COUNTY).subject != leaf(CITY).subject


def test_key_and_certificate_belong_together() -> None:
    """An authority with another key, without a certificate, or with a leaf is refused."""
    land = country()
    for key, chain in (
        (land.nation.key, land.province.chain),
        (land.province.key, ()),
        (land.leaf_key, (leaf(),)),
    ):
        with pytest.raises(InputFault):
            Authority(key, chain)


@pytest.mark.parametrize("name", ["", "x" * 65, "城" * 22, "a\nb"])
def test_a_federation_needs_a_fit_name(name: str) -> None:
    """Empty, longer than 64 bytes or unprintable names are refused; Chinese ones are not."""
    with pytest.raises(InputFault):
        make_root(name, new_key(), NOW, SERIAL)
    assert make_root("城市运行试点", new_key(), NOW, SERIAL).federation == "城市运行试点"


def test_a_request_gives_its_key_and_what_it_calls_itself() -> None:
    """The key is taken, the name is for comparing only."""
    key = new_key()
    request = open_request(make_request(key, CITY))
    assert request.public_key == key.public_key()
    assert request.said == CITY


def test_requests_that_are_refused() -> None:
    """Noise, oversize, a changed byte, another sort of key: each raises RemoteFault."""
    good = make_request(new_key(), CITY)
    changed = bytearray(good)
    changed[-1] ^= 1
    name = x509.Name([])
    odd = x509.CertificateSigningRequestBuilder().subject_name(name).sign(Ed25519PrivateKey.generate(), None)
    for der in (b"", b"noise", bytes(changed), good + b"\0", odd.public_bytes(Encoding.DER)):
        with pytest.raises(RemoteFault, match="MALFORMED"):
            open_request(der)
    with pytest.raises(RemoteFault) as caught:
        open_request(bytes(4_000))
    assert caught.value.reason is Reason.LIMIT_EXCEEDED


def test_keys_travel_through_pem() -> None:
    """With or without a passphrase; a wrong one, or another file, is named."""
    key = new_key()
    assert key_from_pem(key_to_pem(key)).public_key() == key.public_key()
    sealed = key_to_pem(key, b"under lock")
    assert key_from_pem(sealed, b"under lock").public_key() == key.public_key()
    for pem, passphrase in ((sealed, b""), (sealed, b"guess"), (b"noise", b""), (key_to_pem(key), b"needless")):
        with pytest.raises(InputFault):
            key_from_pem(pem, passphrase)
