"""A certificate is issued for what the registry says, whoever asks, and for nothing else."""

from __future__ import annotations

from functools import lru_cache

import pytest

from certs.certify import certify, check_wanted, open_certificate
from certs.forms import new_key, public_key_hash
from certs.requests import make_request
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason
from sync.registry import Registry, scope_to_wire
from sync.scope import Scope
from sync.wire.v1.entry_pb2 import (
    ENROLMENT_STATUS_ENROLLED,
    ENROLMENT_STATUS_RETIRED,
    ENROLMENT_STATUS_SUSPENDED,
    AnchorBody,
    EnrolmentRecord,
    EnrolmentStatus,
)
from tests.unit.certs.country import CITY, COUNTY, FEDERATION, NATION, NOW, OTHER_CITY, PROVINCE, SERIAL, country

KEY_HASH = public_key_hash(country().leaf_key.public_key())
UNKNOWN = "d330103.c330100.p330000.cn-demo"
WHERE = {PROVINCE: NATION, CITY: PROVINCE, COUNTY: CITY}


def registry(said: dict[str, EnrolmentStatus] | None = None) -> Registry:
    """Province, city and county, one below the other, all with the same TLS key."""
    found = Registry(FEDERATION)
    key = {"suite": 1, "log_public_key": bytes(32), "transport_key_hash": KEY_HASH}
    anchor = AnchorBody(federation=FEDERATION, nation=NATION, enrolment=1, serial=1, region="100000", **key)  # type: ignore[arg-type] # by name
    assert found.set_anchor(anchor) is Reason.NONE
    for node, parent in WHERE.items():
        record = EnrolmentRecord(
            node=node,
            version=1,
            parent=parent,
            status=(said or {}).get(node, ENROLMENT_STATUS_ENROLLED),
            carrying_scope=scope_to_wire(Scope.of("33*")),
            **key,  # type: ignore[arg-type] # by name
        )
        assert found.admit(parent, record) == (Reason.NONE, "")
    return found


@lru_cache(maxsize=1)
def csr() -> bytes:
    return make_request(country().leaf_key, COUNTY)


@pytest.mark.parametrize("caller", [COUNTY, CITY, PROVINCE])
def test_a_node_and_who_stands_above_it_may_ask(caller: str) -> None:
    """Each of them gets a certificate that the strict verifier takes as the county's."""
    key = check_wanted(registry(), caller, COUNTY, csr())
    chain = certify(country().province, COUNTY, key, NOW, SERIAL)
    identity = open_certificate(country().trust, NOW, COUNTY, KEY_HASH, chain)
    assert (identity.node, identity.key_hash) == (COUNTY, KEY_HASH)


REFUSED = {
    "a node that is not enrolled yet": (CITY, UNKNOWN, csr, Reason.UNKNOWN_ENROLMENT),
    "a node below somebody else": (OTHER_CITY, COUNTY, csr, Reason.NOT_OWNER),
    "a node above who asks": (COUNTY, CITY, lambda: make_request(country().leaf_key, CITY), Reason.NOT_OWNER),
    "another key than was registered": (
        CITY,
        COUNTY,
        lambda: make_request(new_key(), COUNTY),
        Reason.CERTIFICATE_NOT_REGISTERED,
    ),
    "a request in another name": (CITY, COUNTY, lambda: make_request(country().leaf_key, CITY), Reason.MALFORMED),
    "bytes that are no request": (CITY, COUNTY, lambda: b"x", Reason.MALFORMED),
    "a request that is too long": (CITY, COUNTY, lambda: bytes(4096), Reason.LIMIT_EXCEEDED),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_registry_does_not_say_is_not_certified(case: str) -> None:
    """Each with its reason, and nothing of what a stranger sent is quoted."""
    caller, node, request, reason = REFUSED[case]
    with pytest.raises(RemoteFault) as told:
        check_wanted(registry(), caller, node, request())
    assert told.value.reason is reason


@pytest.mark.parametrize("status", [ENROLMENT_STATUS_SUSPENDED, ENROLMENT_STATUS_RETIRED])
@pytest.mark.parametrize(
    ("which", "caller"), [(COUNTY, COUNTY), (COUNTY, CITY), (COUNTY, PROVINCE), (CITY, CITY), (CITY, PROVINCE)]
)
def test_neither_a_suspended_node_nor_one_below_it_is_certified(
    which: str, caller: str, status: EnrolmentStatus
) -> None:
    """Whoever of those above asks."""
    with pytest.raises(RemoteFault) as told:
        check_wanted(registry({which: status}), caller, COUNTY, csr())
    assert told.value.reason is Reason.SUSPENDED


def test_a_province_certifies_in_its_own_domain_alone() -> None:
    """Whatever a registry might say: the CA itself is confined."""
    with pytest.raises(InputFault):
        certify(country().other_province, COUNTY, country().leaf_key.public_key(), NOW, SERIAL)


def test_what_comes_from_above_is_checked_before_it_is_passed_on() -> None:
    """A certificate for another key, or for another node, goes no further."""
    chain = country().leaf(COUNTY)
    with pytest.raises(RemoteFault) as told:
        open_certificate(country().trust, NOW, COUNTY, bytes(32), chain)
    assert told.value.reason is Reason.CERTIFICATE_NOT_REGISTERED
    with pytest.raises(RemoteFault) as told:
        open_certificate(country().trust, NOW, CITY, KEY_HASH, chain)
    assert told.value.reason is Reason.NOT_ENROLLED
    with pytest.raises(RemoteFault):
        open_certificate(country().trust, NOW, COUNTY, KEY_HASH, ())
