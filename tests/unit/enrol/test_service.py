"""What strangers can do to the enrolment port: little, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from certs.forms import new_key
from certs.invite import Approval, read_invite
from certs.join import open_parent
from certs.logkey import LogKey
from certs.proof import make_submission
from node import audit
from node.enrol.bounds import NONCE_LIFE_US, Nonces, Rates
from node.enrol.service import (
    REQUEST_BYTES_MAX,
    STRANGERS_BURST,
    EnrolmentServer,
    Limits,
)
from node.faults import Code, UserFault
from node.link.papers import server_credentials
from node.link.v1.link_pb2 import BeginRequest, SubmitReply, SubmitRequest, SubmitState
from node.link.v1.link_pb2_grpc import EnrolmentStub
from sync.reasons import Reason
from tests.unit.enrol.world import (
    CLOCK,
    FEDERATION,
    LISTEN,
    MUNICIPALITY,
    NATION,
    PROVINCIAL,
    RANDOM,
    Parent,
    joined,
    municipal,
    running,
    until,
)


@asynccontextmanager
async def stub_of(parent: Parent) -> AsyncIterator[Any]:
    """A bare stub: the parent's root is trusted, nothing else is done."""
    credentials = grpc.ssl_channel_credentials(parent.identity.root_pem)
    options = (("grpc.ssl_target_name_override", NATION), ("grpc.use_local_subchannel_pool", 1))
    channel = grpc.aio.secure_channel(parent.address, credentials, options=options)
    try:
        yield EnrolmentStub(channel)
    finally:
        await channel.close()


async def begun(stub: Any, token: str, federation: str = FEDERATION) -> bytes:
    reply = await stub.Begin(BeginRequest(federation=federation, token_id=token), timeout=10)
    return bytes(reply.nonce)


async def status_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def request(parent: Parent, line: str, nonce: bytes) -> SubmitRequest:
    """A lawful request by new keys."""
    made = make_submission(
        read_invite(line, 0), nonce, parent.identity.own.fingerprint, new_key(), None, LogKey.generate()
    )
    return SubmitRequest(
        token_id=made.token,
        nonce=made.nonce,
        csr=made.csr,
        suite=made.suite,
        log_public_key=made.log_public_key,
        log_possession=made.possession,
        proof=made.proof,
    )


async def test_a_nonce_is_good_once_and_for_its_token_only(country: Path) -> None:
    """Sent twice, made up, or given out for another invite: begin again. None of it touches the invite."""
    async with running(country / "nation") as nation, stub_of(nation) as stub:
        made = await nation.invited(municipal(approval=Approval.PERSON))
        other = await nation.invited(municipal(region="120000"))
        nonce = await begun(stub, made.token)
        first = await request(nation, made.line, nonce)
        reply: SubmitReply = await stub.Submit(first, timeout=10)
        assert reply.state == SubmitState.SUBMIT_STATE_PENDING
        for unfit in (nonce, bytes(32), b"", await begun(stub, other.token)):
            reply = await stub.Submit(await request(nation, made.line, unfit), timeout=10)
            assert (reply.state, reply.reason) == (SubmitState.SUBMIT_STATE_REFUSED, Reason.NOT_ENROLLED)
        view = (await nation.invitations.all())[0]
        assert (view.status, view.fingerprint != "") == ("pending", True)


async def test_a_proof_for_another_parent_is_refused(country: Path) -> None:
    """Whoever stands between cannot pass on what was made for himself."""
    async with running(country / "nation") as nation, stub_of(nation) as stub:
        made = await nation.invited()
        invite = read_invite(made.line, 0)
        nonce = await begun(stub, made.token)
        bad = make_submission(invite, nonce, bytes(32), new_key(), None, LogKey.generate())
        sent = SubmitRequest(
            token_id=bad.token,
            nonce=nonce,
            csr=bad.csr,
            suite=1,
            log_public_key=bad.log_public_key,
            log_possession=bad.possession,
            proof=bad.proof,
        )
        reply: SubmitReply = await stub.Submit(sent, timeout=10)
        assert reply.state == SubmitState.SUBMIT_STATE_REFUSED
        assert await nation.version_of(MUNICIPALITY) == 0


async def test_the_parent_shows_its_chain(country: Path) -> None:
    """What Begin answers is the parent of the invite, under its root."""
    async with running(country / "nation") as nation, stub_of(nation) as stub:
        made = await nation.invited()
        reply = await stub.Begin(BeginRequest(federation=FEDERATION, token_id=made.token), timeout=10)
        assert len(reply.nonce) == 32
        parent = open_parent(read_invite(made.line, 0), reply.parent_chain, CLOCK.now_us())
        assert parent.fingerprint == nation.identity.own.fingerprint


async def test_a_large_message_is_not_read(country: Path) -> None:
    """Beyond 64 KiB grpc refuses it; a field too long in a smaller one is refused by the service."""
    async with running(country / "nation") as nation, stub_of(nation) as stub:
        made = await nation.invited()
        nonce = await begun(stub, made.token)
        code, _ = await status_of(stub.Submit(SubmitRequest(csr=bytes(REQUEST_BYTES_MAX)), timeout=10))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        good = await request(nation, made.line, nonce)
        good.csr = bytes(20_000)
        reply: SubmitReply = await stub.Submit(good, timeout=10)
        assert reply.reason == Reason.LIMIT_EXCEEDED
        assert "enrolment_asked" not in nation.events()


async def test_strangers_fill_neither_memory_nor_audit(country: Path) -> None:
    """Unknown tokens and federations are refused by number; after some, they get no more lines of audit."""
    async with running(country / "nation") as nation, stub_of(nation) as stub:
        for number in range(2 * STRANGERS_BURST):
            code, said = await status_of(stub.Begin(BeginRequest(federation=FEDERATION, token_id=f"{number:032x}")))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert said.startswith(f"{int(Reason.NOT_ENROLLED)} ")
        code, said = await status_of(stub.Begin(BeginRequest(federation="cn-other", token_id="")))
        assert said.startswith(f"{int(Reason.FEDERATION_MISMATCH)} ")
        assert STRANGERS_BURST <= nation.events().count("invite_refused") <= STRANGERS_BURST + 2


async def test_one_token_asks_only_so_often(country: Path) -> None:
    """And another one is not held up by it."""
    async with running(country / "nation", limits=Limits(3, 0.001)) as nation, stub_of(nation) as stub:
        made = await nation.invited()
        other = await nation.invited(municipal(region="120000"))
        for _ in range(3):
            await begun(stub, made.token)
        code, _ = await status_of(stub.Begin(BeginRequest(federation=FEDERATION, token_id=made.token)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(await begun(stub, other.token)) == 32


async def test_a_caller_that_goes_away_leaves_no_gap_in_the_audit(country: Path) -> None:
    """The submission was taken: what it led to is committed and written down, and the same keys get it again."""
    async with running(country / "nation") as nation, stub_of(nation) as stub:
        made = await nation.invited()
        call = stub.Submit(await request(nation, made.line, await begun(stub, made.token)), timeout=10)
        asked = asyncio.ensure_future(call)
        await until(lambda: "enrolment_asked" in nation.events() or asked.done())
        call.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await nation.service.settle()
        assert await nation.version_of(MUNICIPALITY) == 1
        assert nation.events()[-2:] == ["invite_used", "certificate_issued"]


async def test_a_port_that_is_taken_is_named(country: Path) -> None:
    """Two nodes on one port do not share it silently."""
    async with running(country / "nation") as nation:
        second = EnrolmentServer(nation.service)
        with pytest.raises(UserFault) as caught:
            await second.start(nation.address, server_credentials(lambda: nation.identity, for_children=False))
        assert caught.value.code is Code.PORT_TAKEN


async def test_the_audit_names_what_was_refused_and_no_secret(country: Path, tmp_path: Path) -> None:
    """Whole chain, both outcomes, the invite by its id."""
    async with running(country / "nation") as nation:
        made = await nation.invited(PROVINCIAL)
        await joined(made.line, tmp_path / "p", listen=LISTEN)
        with pytest.raises(UserFault):
            await joined(made.line, tmp_path / "thief")
        records = list(audit.read(nation.audit_folder))
    assert [r["event"] for r in records][-2:] == ["enrolment_asked", "invite_refused"]
    assert all(r["fields"].get("invite_id", made.token) == made.token for r in records)
    assert all("***" not in str(r["fields"]) for r in records)


def test_nonces_expire_and_are_bounded() -> None:
    """After two minutes, and never more than so many."""
    nonces = Nonces(RANDOM, most=2)
    first, second = nonces.give("a", 0), nonces.give("a", 1)
    assert nonces.give("a", 2) == b""
    assert nonces.take("b", second, 3) == b""
    assert nonces.take("a", second, 4) == b""
    assert nonces.take("a", first, NONCE_LIFE_US) == b""
    assert len(nonces.give("a", NONCE_LIFE_US)) == 32


def test_rates_refill_and_are_bounded() -> None:
    """A burst, then one each second; a table full of others lets no new key in until they have rested."""
    rates = Rates(2, 1.0, most=2)
    assert [rates.allows("a", 0) for _ in range(3)] == [True, True, False]
    assert rates.allows("a", 1_000_000)
    assert not rates.allows("a", 1_000_001)
    assert rates.allows("b", 1_000_001)
    assert not rates.allows("c", 1_000_002)
    assert rates.allows("c", 9_000_000)
