"""Certificates are renewed under the same key, while links and joining go on: at every tier, without a new start."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from certs.authority import issue_leaf
from certs.files import HomeFiles, load_certificates
from certs.forms import fingerprint, key_to_pem, new_key, to_pem
from certs.requests import make_request
from node.app import Node
from node.certifying import NoCertificate
from node.clock import SystemClock
from node.faults import Code, UserFault
from node.identity import read_home
from node.link import options
from node.link.v1.link_pb2 import CertifyReply, CertifyRequest
from node.renewing import TOLD_US, Renewal, is_due, renew
from node.testing import FOUR, Member, Topology
from sync.reasons import Reason
from tests.integration.kit import cases, has_no_link, node_of, put, run
from tests.integration.test_audited import audited
from tests.integration.test_bad_papers import authority
from tests.integration.test_rollups import StoodClock

COUNTY = FOUR[3]
DAY_US = 86_400_000_000


async def shown_by(member: Member) -> bytes:
    """Fingerprint of what a child sees that looks at its parent."""
    return (await node_of(member)._whom_to_dial().meet()).identity.fingerprint


def test_every_tier_is_renewed_in_use(tmp_path: Path) -> None:
    """What a port shows is new from the next handshake on; a county that joins then, and one that is there, notice
    nothing of it. After a new start it is the same certificate."""

    async def work() -> None:
        async with Topology(tmp_path, FOUR, later={"county"}) as net:
            nation, province, city = (net[name] for name in ("nation", "province", "city"))
            _issues_at(nation, 2)
            _issues_at(province, 2)
            for member in (nation, province, city):
                before = node_of(member).identity
                said = await member.command("certificate.renew", dry_run=True)
                assert (said["due"], said["certificate"]) == (False, before.own.fingerprint.hex())
                said = await member.command("certificate.renew")
                now = node_of(member).identity
                assert said["certificate"] == now.own.fingerprint.hex() != before.own.fingerprint.hex()
                assert (now.own.key_hash, now.anchor) == (before.own.key_hash, before.anchor)
                assert now.own.not_after > before.own.not_after
                assert [line["certificate"] for line in audited(member, "certificate_renewed")] == [said["certificate"]]
                (kept, *_) = load_certificates(HomeFiles(member.home).leaf)
                assert fingerprint(kept).hex() == said["certificate"]
            for below, above in ((city, province), (province, nation)):
                assert await shown_by(below) == node_of(above).identity.own.fingerprint
            # The province's own certificate is the nation's to give, though the province is a CA itself.
            assert len(node_of(province).identity.chain) == 2
            county = await net.add(COUNTY)
            _issues_at(province, 4)
            await county.command("certificate.renew")
            assert await shown_by(county) == node_of(city).identity.own.fingerprint
            assert {line["node"] for line in audited(province, "certificate_issued")} == {city.node, county.node}
            await county.restart()
            await put(county, cases(1))
            await net.level()
            _, rows = await (await province.client()).query("case", columns=("case_id",))
            assert len(rows) == 1
            assert read_home(county.home, SystemClock().now_us())[1].own == node_of(county).identity.own

    run(work())


def test_a_node_renews_in_the_last_third_and_says_when_it_cannot(tmp_path: Path) -> None:
    """Not before; without a link it is told from 30 days on, once a day, and the command says for whom it waits."""

    async def work() -> None:
        async with Topology(tmp_path, FOUR[:2]) as net:
            nation, province = net["nation"], net["province"]
            await _asked_otherwise(nation, province)
            node = node_of(province)
            own, renewal = node.identity.own, Renewal(node)
            third = own.not_after - (own.not_after - own.not_before) // 3
            assert not is_due(own, third - 1_000_000)
            assert is_due(own, third + 1_000_000)
            assert not await renewal.look()
            await nation.stop()
            await province.until(has_no_link(nation))
            _stand(node, third + 1_000_000)
            assert not await renewal.look()
            assert not _told(node)
            _stand(node, own.not_after - TOLD_US + 1)
            for _ in range(2):
                assert not await renewal.look()
                (alarm,) = _told(node)
                assert (alarm["by"], alarm["reason"]) == (nation.node, "TIMEOUT")
            _stand(node, own.not_after - TOLD_US + 1 + DAY_US)
            assert not await renewal.look()
            assert len(_told(node)) == 2
            with pytest.raises(UserFault) as caught:
                await province.command("certificate.renew")
            assert caught.value.code is Code.NOT_RENEWED
            assert nation.node in str(caught.value.message)
            await nation.start()
            await net.settled()
            _issues_at(nation, 2)
            assert await renewal.look()
            assert node.identity.own.not_after > own.not_after
            node.clock = SystemClock()
            node.certifier.obtain = _the_same(node)  # type: ignore[method-assign] # as a CA answers that ends with it
            with pytest.raises(NoCertificate) as none:
                await renew(node)
            assert none.value.reason is Reason.CERTIFICATE_EXPIRED

    run(work())


async def _asked_otherwise(nation: Member, province: Member) -> None:
    """What is no request, or for somebody above, is answered with its reason; another key than the registered one
    does not come as far as that."""
    met = await node_of(province)._whom_to_dial().meet()
    above = CertifyRequest(node=nation.node, csr=make_request(new_key(), nation.node)).SerializeToString()
    for data, reason in ((b"\xff", Reason.MALFORMED), (above, Reason.NOT_OWNER)):
        reply = CertifyReply.FromString(await _call(nation, met.credentials, data))
        assert (reply.reason, reply.by, list(reply.chain)) == (reason, nation.node, [])
    assert [line["reason"] for line in audited(nation, "certificate_refused")] == ["MALFORMED", "NOT_OWNER"]
    key, issuer = new_key(), authority(nation)
    leaf = issue_leaf(issuer, province.node, key.public_key(), SystemClock().now_us(), bytes(16))
    root = node_of(nation).identity.root_pem
    stolen = grpc.ssl_channel_credentials(root, key_to_pem(key), to_pem([leaf, *issuer.issuers]))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _call(nation, stolen, b"")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "CERTIFICATE_NOT_REGISTERED" in str(caught.value.details())


async def _call(member: Member, credentials: grpc.ChannelCredentials, data: bytes) -> bytes:
    where = member.listen.exchange
    async with grpc.aio.secure_channel(where, credentials, options=options.client(member.node)) as channel:
        return bytes(await channel.unary_unary(options.CERTIFY)(data, timeout=10))


def _issues_at(member: Member, seconds: int) -> None:
    """Certificates count whole seconds: what is issued in the same one lasts no longer."""
    node_of(member).certifier._clock = StoodClock(SystemClock().now_us() + seconds * 1_000_000)


def _stand(node: Node, now: int) -> None:
    node.clock = StoodClock(now)


def _told(node: Node) -> list[dict[str, str]]:
    return [alarm for alarm in node.alarms if alarm["name"] == "certificate_ends"]


def _the_same(node: Node):  # type: ignore[no-untyped-def] # stands for a bound method
    async def obtain(_: str, __: bytes) -> tuple[bytes, ...]:
        return node.identity.chain

    return obtain
