"""How a certificate is asked for up the tree: who passes it on, who waits, who is told no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from certs.authority import Authority
from certs.certify import open_certificate
from certs.forms import public_key_hash
from certs.logkey import LogKey
from certs.requests import make_request
from certs.verify import verify_identity
from node.certifying import BURST, Certifier, NoCertificate
from node.clock import SystemRandomness
from node.identity import NodeIdentity
from node.link.v1.link_pb2 import CertifyReply, CertifyRequest
from sync.core import Core
from sync.reasons import Reason
from sync.registry import Registry, scope_to_wire
from sync.scope import Scope
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_ENROLLED, AnchorBody, EnrolmentRecord
from tests.unit.certs.country import CITY, COUNTY, FEDERATION, NATION, NOW, PROVINCE, country

KEY = country().leaf_key
KEY_HASH = public_key_hash(KEY.public_key())
LOWER = f"c330185.{CITY}"
"""A city below a city (伊犁州 and 塔城)."""
FAR = f"d330186.{LOWER}"
PARENTS = {PROVINCE: NATION, CITY: PROVINCE, COUNTY: CITY, LOWER: CITY, FAR: LOWER}


class Still:
    """A clock that goes on by itself only where it is told."""

    now = 0

    def now_us(self) -> int:
        return NOW

    def monotonic_us(self) -> int:
        return self.now


def known(*nodes: str) -> Registry:
    """What a node knows of the tree."""
    key = {"suite": 1, "log_public_key": bytes(32), "transport_key_hash": KEY_HASH}
    found = Registry(FEDERATION)
    found.set_anchor(AnchorBody(federation=FEDERATION, nation=NATION, enrolment=1, serial=1, region="100000", **key))  # type: ignore[arg-type] # by name
    for node in nodes:
        admit(found, node)
    return found


def admit(registry: Registry, node: str) -> None:
    record = EnrolmentRecord(
        node=node,
        version=1,
        parent=PARENTS[node],
        status=ENROLMENT_STATUS_ENROLLED,
        carrying_scope=scope_to_wire(Scope.of("33*")),
        suite=1,
        log_public_key=bytes(32),
        transport_key_hash=KEY_HASH,
    )
    assert registry.admit(PARENTS[node], record)[0] is Reason.NONE


class One:
    """One node of a chain; `above` is who it asks."""

    def __init__(self, node: str, registry: Registry, authority: Authority | None = None, above: Any = None) -> None:
        self.node = node
        self.registry = registry
        self.clock = Still()
        self.linked = True
        self.changed = asyncio.Event()
        self.audit: list[tuple[str, dict[str, object]]] = []
        self.asked = 0
        chain = country().leaf(node)
        identity = NodeIdentity(
            node=node,
            federation=FEDERATION,
            trust=country().trust,
            own=verify_identity(chain, country().trust, NOW, node),
            chain=chain,
            log_key=LogKey.from_seed(bytes(32)),
            authority=authority,
            anchor=b"",
            nation=NATION,
            chain_pem=b"",
            root_pem=b"",
            transport_key_pem=b"",
        )

        async def call(parent: Any, request: CertifyRequest) -> bytes:
            self.asked += 1
            return bytes(await above(node, request.SerializeToString()))

        self.certifier = Certifier(
            identity,
            lambda: cast("Core", SimpleNamespace(registry=registry)),
            lambda: cast("Any", SimpleNamespace(node=node.partition(".")[2])),
            lambda: self.linked,
            lambda: self.changed,
            self.clock,
            SystemRandomness(),
            lambda event, **fields: self.audit.append((event.value, fields)),
            lambda event, key, **fields: self.audit.append((event.value, fields)),
            call,
        )

    async def asks(self, node: str) -> NoCertificate:
        with pytest.raises(NoCertificate) as caught:
            await self.certifier.obtain(node, make_request(KEY, node))
        return caught.value


def province(registry: Registry | None = None) -> One:
    return One(PROVINCE, registry or known(*PARENTS), country().province)


async def answered(one: One, caller: str, data: bytes) -> CertifyReply:
    return CertifyReply.FromString(await one.certifier.answer(caller, data))


def wanted(node: str) -> bytes:
    return CertifyRequest(node=node, csr=make_request(KEY, node)).SerializeToString()


def test_a_city_below_a_city_is_served_too() -> None:
    """The request goes up to the first CA, and each node on the way audits what it had a part in."""

    async def work() -> None:
        top = province()
        upper = One(CITY, known(*PARENTS), above=top.certifier.answer)
        lower = One(LOWER, known(*PARENTS), above=upper.certifier.answer)
        chain = await lower.certifier.obtain(FAR, make_request(KEY, FAR))
        assert open_certificate(country().trust, NOW, FAR, KEY_HASH, chain).node == FAR
        assert [name for name, _ in (*top.audit, *upper.audit, *lower.audit)] == [
            "certificate_issued",
            "certificate_passed_on",
            "certificate_passed_on",
        ]
        assert [one.audit[0][1]["asked_by"] for one in (top, upper, lower)] == [CITY, LOWER, LOWER]

    asyncio.run(work())


def test_the_request_waits_for_the_record_that_travels_beside_it() -> None:
    """The record comes after the request did: it is answered as soon as it is there, and not before."""

    async def work() -> None:
        registry = known(PROVINCE, CITY)
        top = province(registry)
        answer = asyncio.create_task(answered(top, CITY, wanted(COUNTY)))
        await asyncio.sleep(0)
        top.changed.set()
        top.changed = asyncio.Event()
        await asyncio.sleep(0)
        assert not answer.done()
        admit(registry, COUNTY)
        top.changed.set()
        assert (await answer).chain

    asyncio.run(work())


def test_without_a_link_nobody_is_asked() -> None:
    """What waits says so at once, and whom it waits for."""

    async def work() -> None:
        city = One(CITY, known(*PARENTS), above=province().certifier.answer)
        city.linked = False
        none = await city.asks(COUNTY)
        assert (none.reason, none.by, city.asked) == (Reason.TIMEOUT, PROVINCE, 0)

    asyncio.run(work())


def test_a_false_certificate_from_above_goes_no_further() -> None:
    """Another node's certificate in the answer: refused here, and the child never sees it."""

    async def above(caller: str, data: bytes) -> bytes:
        return CertifyReply(chain=country().leaf(CITY)).SerializeToString()

    async def garbage(caller: str, data: bytes) -> bytes:
        return b"\xff"

    async def work() -> None:
        assert (await One(CITY, known(*PARENTS), above=above).asks(COUNTY)).reason is Reason.NOT_ENROLLED
        assert (await One(CITY, known(*PARENTS), above=garbage).asks(COUNTY)).reason is Reason.MALFORMED

    asyncio.run(work())


def test_what_is_said_from_above_is_told_with_who_said_it() -> None:
    """A reason that this version does not know is still told; control characters are not passed on."""

    async def above(caller: str, data: bytes) -> bytes:
        return CertifyReply(reason=65_000, detail="x\x1b[2J", by="nobody").SerializeToString()

    async def work() -> None:
        none = await One(CITY, known(*PARENTS), above=above).asks(COUNTY)
        assert (none.reason, none.detail, none.by) == (Reason.NONE, "x[2J", PROVINCE)

    asyncio.run(work())


STRANGE: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "no request": (lambda: b"\xff", Reason.MALFORMED),
    "a node of nobody's": (lambda: CertifyRequest(node="a\nb", csr=b"x").SerializeToString(), Reason.UNKNOWN_ENROLMENT),
    "a node beside the caller": (lambda: wanted(CITY), Reason.NOT_OWNER),
}


@pytest.mark.parametrize("case", STRANGE)
def test_who_asks_for_what_is_not_his_is_refused_and_audited(case: str) -> None:
    """And nothing of what it sent stands in the line of audit."""
    data, reason = STRANGE[case]

    async def work() -> None:
        top = province()
        asked = asyncio.create_task(answered(top, COUNTY, data()))
        await asyncio.sleep(0)
        top.clock.now = 10_000_000
        top.changed.set()
        reply = await asked
        assert (reply.reason, reply.by, list(reply.chain)) == (int(reason), PROVINCE, [])
        ((name, fields),) = top.audit
        assert (name, fields["reason"], fields["asked_by"]) == ("certificate_refused", reason.name, COUNTY)
        assert "\n" not in str(fields)

    asyncio.run(work())


def test_a_child_that_asks_without_end_is_not_served_without_end() -> None:
    """Past its rate it is told to come again later; others are served."""

    async def work() -> None:
        top = province()
        for _ in range(BURST):
            assert (await answered(top, CITY, b"\xff")).reason == int(Reason.MALFORMED)
        assert (await answered(top, CITY, wanted(COUNTY))).reason == int(Reason.LIMIT_EXCEEDED)
        assert (await answered(top, COUNTY, wanted(COUNTY))).chain

    asyncio.run(work())
