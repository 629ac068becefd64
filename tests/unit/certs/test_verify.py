"""Our verifier: whom it takes, and every certificate it must not take, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from certs.authority import Authority, issue_leaf
from certs.forms import fingerprint, from_pem, new_key, public_key_hash, to_der, to_pem, utc
from certs.verify import (
    Revocations,
    Trust,
    check_current,
    check_registered,
    verify_authority,
    verify_identity,
    verify_pem,
)
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason
from tests.unit.certs.country import (
    CITY,
    COUNTY,
    DAY_US,
    MUNICIPALITY,
    NATION,
    NOW,
    OTHER_CITY,
    OTHER_PROVINCE,
    PROVINCE,
    SERIAL,
    Country,
    below,
    country,
    foreign_root,
    odd_leaf,
)

DNS = x509.DNSName


def reason_of(chain: Sequence[bytes], now: int = NOW, expected: str | None = CITY) -> Reason:
    """Why a chain is refused."""
    with pytest.raises(RemoteFault) as caught:
        verify_identity(chain, country().trust, now, expected)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(
    ("node", "by"),
    {
        "a city by its province": (CITY, "province"),
        "a county by the provincial CA above its city": (COUNTY, "province"),
        "a province by the nation": (PROVINCE, "nation"),
        "a municipality by the nation": (MUNICIPALITY, "nation"),
        "the nation by itself": (NATION, "nation"),
    }.values(),
)
def test_leaves_of_every_tier_are_taken(node: str, by: str) -> None:
    """A leaf from the CA that serves its tier verifies to its node id, key hash and last moment."""
    land = country()
    chain = land.leaf(node, getattr(land, by))
    found = verify_identity(chain, land.trust, NOW, node)
    assert found.node == node
    assert found.key_hash == public_key_hash(land.leaf_key.public_key())
    assert found.not_after == NOW + 365 * DAY_US
    assert found.fingerprint == fingerprint(chain[0])
    check_registered(found, {found.key_hash})


def test_without_an_expected_name_the_verified_name_is_told() -> None:
    """A parent that is called learns from the certificate who calls."""
    assert verify_identity(country().leaf(), country().trust, NOW).node == CITY


def test_pem_as_grpc_hands_it_over() -> None:
    """With the leaf at the front of the chain (client) or not (server), with the root at its end or not."""
    land = country()
    leaf, *issuers = (x509.load_der_x509_certificate(der) for der in land.leaf())
    for chain in (issuers, [leaf, *issuers], [*issuers, land.root.certificate]):
        assert verify_pem(to_pem([leaf]), to_pem(chain), land.trust, NOW, CITY).node == CITY
    root = to_pem([land.root.certificate])
    for bad in ((b"", b""), (b"nonsense", to_pem(issuers)), (to_pem([leaf]), b"nonsense"), (root, root)):
        with pytest.raises(RemoteFault, match="MALFORMED"):
            verify_pem(*bad, land.trust, NOW)
    with pytest.raises(RemoteFault, match="MALFORMED"):
        verify_pem(to_pem([leaf]), b"", land.trust, NOW)
    with pytest.raises(RemoteFault, match="LIMIT_EXCEEDED"):
        verify_pem(bytes(100_000), b"", land.trust, NOW)


def _unconstrained_province(land: Country) -> Sequence[bytes]:
    key = new_key()
    old = land.province.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(key.public_key())
        .serial_number(9)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    for extension in old.extensions:
        if not isinstance(extension.value, x509.NameConstraints | x509.SubjectKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    careless = Authority(key, (builder.sign(land.nation.key, hashes.SHA256()), *land.nation.chain))
    return odd_leaf(careless, [DNS(CITY)])


def _by_root(land: Country) -> Sequence[bytes]:
    return odd_leaf(land.root, [DNS(CITY)])


def _province_as_ca(land: Country) -> Sequence[bytes]:
    """A chain with one CA more than the path lengths allow."""
    below_it = odd_leaf(land.province, [DNS(CITY)], key=(key := new_key()), ca=True)
    city_ca = Authority(key, tuple(x509.load_der_x509_certificate(der) for der in below_it))
    return odd_leaf(city_ca, [DNS(COUNTY)])


def _sha384(land: Country) -> Sequence[bytes]:
    good = x509.load_der_x509_certificate(land.leaf()[0])
    builder = (
        x509.CertificateBuilder()
        .subject_name(good.subject)
        .issuer_name(good.issuer)
        .public_key(land.leaf_key.public_key())
        .serial_number(8)
        .not_valid_before(good.not_valid_before_utc)
        .not_valid_after(good.not_valid_after_utc)
    )
    for extension in good.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return land.province.chain_of(builder.sign(land.province.key, hashes.SHA384()))


def _foreign(land: Country) -> Sequence[bytes]:
    return below(below(foreign_root(), NATION), PROVINCE).chain_of(
        issue_leaf(below(below(foreign_root(), NATION), PROVINCE), CITY, land.leaf_key.public_key(), NOW, SERIAL)
    )


def _unknown_critical(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.156.9.9"), b"\x05\x00")
    return builder.add_extension(odd, critical=True)


EVIL: dict[str, tuple[Callable[[Country], Sequence[bytes]], Reason]] = {
    "a URI name only, which slips past a DNS constraint": (
        lambda c: odd_leaf(c.province, [x509.UniformResourceIdentifier(f"spiffe://{CITY}/node")]),
        Reason.MALFORMED,
    ),
    "two DNS names": (lambda c: odd_leaf(c.province, [DNS(CITY), DNS(COUNTY)]), Reason.MALFORMED),
    "the same DNS name twice": (lambda c: odd_leaf(c.province, [DNS(CITY), DNS(CITY)]), Reason.MALFORMED),
    "a DNS name and a URI": (
        lambda c: odd_leaf(c.province, [DNS(CITY), x509.UniformResourceIdentifier("https://elsewhere/")]),
        Reason.MALFORMED,
    ),
    "an e-mail address only": (lambda c: odd_leaf(c.province, [x509.RFC822Name(f"a@{CITY}")]), Reason.MALFORMED),
    "no alternative name, the node id as common name only": (
        lambda c: odd_leaf(c.province, None),
        Reason.NOT_ENROLLED,
    ),
    "a wildcard": (lambda c: odd_leaf(c.province, [DNS(f"*.{PROVINCE}")]), Reason.MALFORMED),
    "a name in capital letters": (lambda c: odd_leaf(c.province, [DNS(CITY.upper())]), Reason.MALFORMED),
    "a name with a dot at its end": (lambda c: odd_leaf(c.province, [DNS(CITY + ".")]), Reason.NOT_ENROLLED),
    "the wrong name": (lambda c: c.leaf(COUNTY), Reason.NOT_ENROLLED),
    "another root of the same name": (_foreign, Reason.NOT_ENROLLED),
    "issued by another province's CA": (
        lambda c: odd_leaf(c.other_province, [DNS(CITY)]),
        Reason.NOT_ENROLLED,
    ),
    "another province's CA below the right names": (
        lambda c: (odd_leaf(c.other_province, [DNS(CITY)])[0], *c.leaf()[1:]),
        Reason.NOT_ENROLLED,
    ),
    "issued by a provincial CA that is not confined to a domain": (_unconstrained_province, Reason.MALFORMED),
    "issued by the root itself": (_by_root, Reason.MALFORMED),
    "issued by the root, with a CA beside it for show": (
        lambda c: (*_by_root(c), *c.nation.chain_of(c.nation.certificate)[:1]),
        Reason.NOT_ENROLLED,
    ),
    "a CA of a city below that of its province": (_province_as_ca, Reason.MALFORMED),
    "an Ed25519 key": (
        lambda c: odd_leaf(c.province, [DNS(CITY)], key=Ed25519PrivateKey.generate()),
        Reason.MALFORMED,
    ),
    "a key on P-384": (
        lambda c: odd_leaf(c.province, [DNS(CITY)], key=ec.generate_private_key(ec.SECP384R1())),
        Reason.MALFORMED,
    ),
    "a signature with SHA-384": (_sha384, Reason.MALFORMED),
    "a CA certificate shown as a node's": (
        lambda c: odd_leaf(c.province, [DNS(CITY)], ca=True),
        Reason.NOT_ENROLLED,
    ),
    "the provincial CA's own certificate": (
        lambda c: c.province.chain_of(c.province.certificate)[:1] + c.nation.chain_of(c.nation.certificate)[:1],
        Reason.NOT_ENROLLED,
    ),
    "for TLS servers only": (
        lambda c: odd_leaf(c.province, [DNS(CITY)], usages=(ExtendedKeyUsageOID.SERVER_AUTH,)),
        Reason.NOT_ENROLLED,
    ),
    "for TLS clients only": (
        lambda c: odd_leaf(c.province, [DNS(CITY)], usages=(ExtendedKeyUsageOID.CLIENT_AUTH,)),
        Reason.MALFORMED,
    ),
    "for any use": (
        lambda c: odd_leaf(c.province, [DNS(CITY)], usages=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)),
        Reason.NOT_ENROLLED,
    ),
    "without a word on its use": (lambda c: odd_leaf(c.province, [DNS(CITY)], usages=()), Reason.MALFORMED),
    "not for digital signatures": (
        lambda c: odd_leaf(c.province, [DNS(CITY)], signature=False),
        Reason.MALFORMED,
    ),
    "an unknown critical extension": (
        lambda c: odd_leaf(c.province, [DNS(CITY)], more=_unknown_critical),
        Reason.NOT_ENROLLED,
    ),
    "no issuers": (lambda c: c.leaf()[:1], Reason.MALFORMED),
    "an issuer left out": (lambda c: (c.leaf()[0], c.leaf()[2]), Reason.NOT_ENROLLED),
    "nothing at all": (lambda _: (), Reason.MALFORMED),
    "five certificates": (lambda c: c.leaf() + c.leaf()[1:], Reason.MALFORMED),
    "a byte behind the certificate": (lambda c: (c.leaf()[0] + b"\0", *c.leaf()[1:]), Reason.MALFORMED),
    "a certificate of 9 KiB": (lambda c: (bytes(9 * 1024), *c.leaf()[1:]), Reason.LIMIT_EXCEEDED),
}


@pytest.mark.parametrize("case", EVIL)
def test_is_refused(case: str) -> None:
    """Each certificate that must not open anything is refused with its reason and words."""
    make, reason = EVIL[case]
    assert reason_of(make(country())) is reason


def test_validity_is_judged_at_the_given_moment() -> None:
    """Five minutes of back-dating are allowed for; before and after that it is a matter of clocks or renewal."""
    chain = country().leaf(days=90)
    for now in (NOW - 5 * 60_000_000, NOW, NOW + 90 * DAY_US):
        assert verify_identity(chain, country().trust, now, CITY).node == CITY
    for now in (NOW - 6 * 60_000_000, NOW + 90 * DAY_US + 1_000_000, NOW + 9_000 * DAY_US):
        assert reason_of(chain, now) is Reason.CERTIFICATE_EXPIRED


def test_an_issuer_that_ended_ends_what_it_issued() -> None:
    """A leaf never lives beyond its CA, and the identity says so."""
    land = country()
    late = NOW + 4 * 365 * DAY_US + 200 * DAY_US
    leaf = issue_leaf(land.province, CITY, land.leaf_key.public_key(), late, SERIAL)
    found = verify_identity(land.province.chain_of(leaf), land.trust, late, CITY)
    assert found.not_after == NOW + 5 * 365 * DAY_US


def test_an_open_stream_is_asked_again() -> None:
    """Expiry and revocation in mid-stream are found without the certificate being shown again."""
    found = verify_identity(country().leaf(), country().trust, NOW, CITY)
    check_current(found, NOW + DAY_US)
    for now in (found.not_after + 1, found.not_before - 1):
        with pytest.raises(RemoteFault) as caught:
            check_current(found, now)
        assert caught.value.reason is Reason.CERTIFICATE_EXPIRED
    with pytest.raises(RemoteFault) as caught:
        check_current(found, NOW, Revocations(keys={found.key_hash}))
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("by", ["key", "serial"])
def test_a_revoked_certificate_closes_the_whole_path(place: int, by: str) -> None:
    """Leaf, provincial CA or issuing CA: revoked by key or by number, nothing below it opens anything."""
    link = verify_identity(country().leaf(), country().trust, NOW).path[place]
    revoked = (
        Revocations(keys={link.key_hash}) if by == "key" else Revocations(serials={(link.issuer_key_hash, link.serial)})
    )
    with pytest.raises(RemoteFault) as caught:
        verify_identity(country().leaf(), country().trust, NOW, CITY, revoked)
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED


def test_the_right_name_with_a_key_nobody_registered() -> None:
    """A stolen CA can name any of its nodes, and yet opens nothing."""
    found = verify_identity(country().leaf(), country().trust, NOW, CITY)
    with pytest.raises(RemoteFault) as caught:
        check_registered(found, {bytes(32)})
    assert caught.value.reason is Reason.CERTIFICATE_NOT_REGISTERED


def test_only_a_root_can_be_trusted() -> None:
    """A leaf, a CA below the root or nonsense is not taken for a federation's root."""
    land = country()
    for der in (land.leaf()[0], to_der(land.nation.certificate), b"", bytes(9 * 1024)):
        with pytest.raises(InputFault):
            Trust.of(der)
    assert Trust.of(to_der(land.root.certificate)).fingerprint == land.trust.fingerprint


def test_a_ca_certificate_for_this_node_is_taken() -> None:
    """A province checks what the nation issued to it before it puts it to work; the nation checks the root's."""
    land = country()
    chain = [to_der(c) for c in land.province.chain]
    assert verify_authority(chain, land.trust, NOW, PROVINCE)[0] == land.province.certificate
    assert verify_authority(chain[1:], land.trust, NOW, NATION)[0] == land.nation.certificate


CA_EVIL: dict[str, tuple[Callable[[Country], Sequence[bytes]], Reason]] = {
    "the CA of another province": (lambda c: [to_der(x) for x in c.other_province.chain], Reason.NOT_ENROLLED),
    "a leaf": (lambda c: c.leaf(PROVINCE, c.nation), Reason.NOT_ENROLLED),
    "a CA under another root": (
        lambda _: [to_der(x) for x in below(below(foreign_root(), NATION), PROVINCE).chain],
        Reason.NOT_ENROLLED,
    ),
    "a CA that is not confined": (lambda c: _unconstrained_province(c)[1:], Reason.MALFORMED),
    "nothing": (lambda _: [], Reason.MALFORMED),
    "nonsense": (lambda _: [b"\x30\x00"], Reason.MALFORMED),
}


@pytest.mark.parametrize("case", CA_EVIL)
def test_a_ca_certificate_is_refused(case: str) -> None:
    """A CA certificate that would not serve, or would serve somebody else, is not put to work."""
    make, reason = CA_EVIL[case]
    with pytest.raises(RemoteFault) as caught:
        verify_authority(make(country()), country().trust, NOW, PROVINCE)
    assert caught.value.reason is reason


def test_a_revoked_ca_certificate_is_not_put_to_work() -> None:
    """Revocation holds for a node's own CA too."""
    land = country()
    revoked = Revocations(keys={public_key_hash(land.province.key.public_key())})
    with pytest.raises(RemoteFault, match="CERTIFICATE_REVOKED"):
        verify_authority([to_der(c) for c in land.province.chain], land.trust, NOW, PROVINCE, revoked)
    with pytest.raises(RemoteFault, match="CERTIFICATE_EXPIRED"):
        verify_authority([to_der(c) for c in land.province.chain], land.trust, NOW + 9_999 * DAY_US, PROVINCE)


@given(st.integers(0, 2), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_of_a_chain_is_refused(which: int, place: int, change: int) -> None:
    """Whatever one byte of a chain becomes, the verifier refuses in its own words."""
    chain = list(country().leaf())
    changed = bytearray(chain[which])
    changed[place % len(changed)] ^= change
    chain[which] = bytes(changed)
    with pytest.raises(RemoteFault):
        verify_identity(chain, country().trust, NOW, CITY)


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_noise_is_refused(chain: list[bytes]) -> None:
    """Bytes that are no certificates raise a RemoteFault and nothing else."""
    with pytest.raises(RemoteFault):
        verify_identity(chain, country().trust, NOW)


def test_other_provinces_stay_other_provinces() -> None:
    """Each province's CA serves its own cities, and only them."""
    land = country()
    assert verify_identity(land.leaf(OTHER_CITY, land.other_province), land.trust, NOW, OTHER_CITY)
    assert verify_identity(land.leaf(OTHER_PROVINCE, land.nation), land.trust, NOW).node == OTHER_PROVINCE
    assert utc(NOW).tzinfo is not None
    assert from_pem(to_pem(land.province.chain)) == land.province.chain
