"""The child's checks: the parent it speaks with is the invited one, and the reply is what was promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from certs.anchor import sign_anchor
from certs.authority import Authority, issue_ca, issue_leaf
from certs.enrol import InviteState, make_record
from certs.forms import fingerprint, to_der
from certs.invite import Approval, Invite
from certs.join import Enrolled, Reply, open_parent, open_reply
from certs.logkey import LogKey
from sync.errors import RemoteFault
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import AnchorBody, EnrolmentRecord, EnrolmentStatus, ScopeItem
from tests.unit.certs.country import (
    CITY,
    DAY_US,
    FEDERATION,
    NATION,
    NOW,
    OTHER_PROVINCE,
    PROVINCE,
    SERIAL,
    country,
    foreign_root,
)
from tests.unit.certs.letters import child, invite, judged, keys_of, province_invite

ANCHOR = AnchorBody(
    federation=FEDERATION,
    nation=NATION,
    enrolment=1,
    suite=1,
    log_public_key=LogKey.from_seed(bytes(32)).public_key,
    serial=1,
    transport_key_hash=bytes(32),
)


def reply(by: Invite | None = None, issuer: Authority | None = None, with_ca: bool = False) -> Reply:
    """What an honest parent answers."""
    by, issuer = by or invite(), issuer or country().province
    state = InviteState(replace(by, approval=Approval.AUTOMATIC))
    keys = keys_of(judged(state, child().submit(by, with_ca=with_ca), with_ca=with_ca))
    chain = issuer.chain_of(issue_leaf(issuer, by.node, keys.transport, NOW, SERIAL))
    ca_chain: tuple[bytes, ...] = ()
    if keys.authority:
        ca_chain = issuer.chain_of(issue_ca(issuer, by.node, keys.authority, NOW, SERIAL))
    anchor = sign_anchor(ANCHOR, country().root.key)
    return Reply(chain, ca_chain, anchor, make_record(by, keys, 1, "2026-11-22"))


def opened(answer: Reply, by: Invite | None = None, with_ca: bool = False) -> Enrolled:
    """The child's check of an answer."""
    return open_reply(by or invite(), answer, child().transport, child().ca if with_ca else None, child().log, NOW)


def test_a_city_joins() -> None:
    """Its leaf, the anchor and the record are what the invite promised."""
    found = opened(reply())
    assert found.identity.node == CITY
    assert found.anchor == ANCHOR
    assert found.authority == ()
    assert found.record.node == CITY


def test_a_province_joins_and_can_issue() -> None:
    """Its CA certificate and its key make an authority at once."""
    found = opened(reply(province_invite(), country().nation, True), province_invite(), True)
    assert found.identity.node == PROVINCE
    made = Authority(child().ca, found.authority)
    assert (made.domain, made.depth) == (PROVINCE, 0)


def test_the_parent_is_known_before_anything_is_sent() -> None:
    """Its chain leads to the invite's root, and its name is the invite's; else nothing is proved to it."""
    chain = country().leaf(PROVINCE, country().nation)
    assert open_parent(invite(), chain, NOW).fingerprint == fingerprint(chain[0])
    foreign = replace(invite(), root=to_der(foreign_root().certificate))
    for by, shown, now, reason in (
        (invite(), country().leaf(OTHER_PROVINCE, country().nation), NOW, Reason.NOT_ENROLLED),
        (foreign, chain, NOW, Reason.NOT_ENROLLED),
        (invite(), chain, NOW + 400 * DAY_US, Reason.CERTIFICATE_EXPIRED),
    ):
        with pytest.raises(RemoteFault) as caught:
            open_parent(by, shown, now)
        assert caught.value.reason is reason


def record_with(change: Callable[[EnrolmentRecord], object]) -> Reply:
    """An answer whose record was changed."""
    answer = reply()
    change(answer.record)
    return answer


EVIL: dict[str, tuple[Callable[[], Reply], Reason]] = {
    "a leaf for another TLS key": (
        lambda: replace(reply(), chain=country().leaf()),
        Reason.CERTIFICATE_NOT_REGISTERED,
    ),
    "a leaf for another node": (
        lambda: replace(reply(), chain=country().leaf("c330200." + PROVINCE)),
        Reason.NOT_ENROLLED,
    ),
    "no leaf": (lambda: replace(reply(), chain=()), Reason.MALFORMED),
    "a CA certificate nobody asked for": (
        lambda: replace(reply(), ca_chain=[to_der(c) for c in country().province.chain]),
        Reason.MALFORMED,
    ),
    "an anchor by another root": (
        lambda: replace(reply(), anchor=sign_anchor(ANCHOR, foreign_root().key)),
        Reason.BAD_SEAL,
    ),
    "a record of another node": (
        lambda: record_with(lambda r: setattr(r, "node", "c330200." + PROVINCE)),
        Reason.NOT_ENROLLED,
    ),
    "a record under another parent": (
        lambda: record_with(lambda r: setattr(r, "parent", OTHER_PROVINCE)),
        Reason.NOT_ENROLLED,
    ),
    "a record with another log key": (
        lambda: record_with(lambda r: setattr(r, "log_public_key", child(2).log.public_key)),
        Reason.NOT_ENROLLED,
    ),
    "a record that suspends": (
        lambda: record_with(lambda r: setattr(r, "status", EnrolmentStatus.ENROLMENT_STATUS_SUSPENDED)),
        Reason.NOT_ENROLLED,
    ),
    "a record of version 0": (lambda: record_with(lambda r: setattr(r, "version", 0)), Reason.NOT_ENROLLED),
    "a wider scope": (
        lambda: record_with(lambda r: r.signing_scope.append(ScopeItem(region="33*"))),
        Reason.OUT_OF_SCOPE,
    ),
    "a scope that is none": (
        lambda: record_with(lambda r: r.carrying_scope.append(ScopeItem(region="*33"))),
        Reason.OUT_OF_SCOPE,
    ),
}


@pytest.mark.parametrize("case", EVIL)
def test_a_reply_is_refused(case: str) -> None:
    """Nothing is kept of a reply that differs from the invite or from the own keys."""
    make, reason = EVIL[case]
    with pytest.raises(RemoteFault) as caught:
        opened(make())
    assert caught.value.reason is reason
    assert caught.value.detail


def test_a_ca_certificate_for_another_key_or_none_is_refused() -> None:
    """What was asked for has to come, for the key that asked."""
    good = reply(province_invite(), country().nation, True)
    stranger = [to_der(c) for c in country().province.chain]
    for ca_chain, reason in (((), Reason.MALFORMED), (stranger, Reason.CERTIFICATE_NOT_REGISTERED)):
        with pytest.raises(RemoteFault) as caught:
            opened(replace(good, ca_chain=ca_chain), province_invite(), True)
        assert caught.value.reason is reason
