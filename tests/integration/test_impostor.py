"""Somebody else answers where a city's province should: he hears nothing that is meant for it; the city says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from certs import files
from certs.authority import issue_leaf
from certs.files import HomeFiles
from certs.forms import PrivateKey, key_to_pem, new_key, to_pem
from certs.verify import verify_identity
from node.identity import read_home
from node.link import options
from node.link.parent import Parent
from node.link.port import take_port
from node.testing import Member, Topology
from sync.wire.v1.frame_pb2 import Cursors, Frame, Hello
from tests.integration.kit import Status, cases, put, run, same_cases
from tests.integration.test_bad_papers import (
    CLOCK,
    DAY_US,
    RANDOM,
    TWO_NAMES,
    audited,
    authority,
    odd_leaf,
    refused_with,
)


class Impostor:
    """Answers at a stopped parent's address as a parent would, with papers of his own; keeps what he hears."""

    def __init__(self, parent: Member, key: PrivateKey, leaf: x509.Certificate) -> None:
        self._parent = parent
        self._papers = (key_to_pem(key), to_pem([leaf, *authority(parent).issuers]))
        self.heard: list[str | None] = []

    async def _exchange(self, _: Any, context: Any) -> None:
        async def say(**frame: Any) -> None:
            await context.write(Frame(**frame).SerializeToString())

        await context.send_initial_metadata((options.LET_IN,))
        while (data := await context.read()) is not grpc.aio.EOF:
            self.heard.append(Frame.FromString(data).WhichOneof("kind"))
            if self.heard[-1] == "hello":
                life = {"instance": RANDOM.bytes(16), "boot": RANDOM.bytes(16)}
                await say(hello=Hello(format=1, federation="cn-demo", node=self._parent.node, **life))  # type: ignore[arg-type]
                await say(cursors=Cursors(end=True))

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[Impostor]:
        """While the block lasts."""
        _, identity = read_home(self._parent.home, CLOCK.now_us())
        server = grpc.aio.server(options=options.SERVER)
        service, method = options.METHOD.strip("/").split("/")
        handler: Any = grpc.stream_stream_rpc_method_handler(self._exchange)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        credentials = grpc.ssl_server_credentials(
            [self._papers], root_certificates=identity.root_pem, require_client_auth=True
        )
        take_port(server, self._parent.listen.exchange, credentials)
        await server.start()
        try:
            yield self
        finally:
            await server.stop(0)


def closed_for(reason: str) -> Callable[[Status], bool]:
    """A condition for Member.until: an alarm says that a session ended for this reason."""
    wanted = {"name": "link_closed", "reason": reason}
    return lambda s: any(wanted.items() <= alarm.items() for alarm in s["alarms"])


def test_a_key_that_is_not_registered_hears_hello_and_nothing_else(tmp_path: Path) -> None:
    """The CA was stolen: name and signature are right, TLS and the strict verifier have nothing to say."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            by, key = authority(province), new_key()
            leaf = issue_leaf(by, province.node, key.public_key(), CLOCK.now_us(), RANDOM.bytes(16))
            await province.stop()
            await put(city, cases(5))
            async with Impostor(province, key, leaf).answering() as impostor:
                status = await city.until(closed_for("CERTIFICATE_NOT_REGISTERED"))
                assert set(impostor.heard) <= {"hello", "notice"}
                assert "hello" in impostor.heard
            assert status["parent_link"]["detail"].startswith("CERTIFICATE_NOT_REGISTERED: ")
            assert province.node in status["parent_link"]["detail"]
            assert audited(city, "link_closed")[-1]["fields"]["reason"] == "CERTIFICATE_NOT_REGISTERED"
            assert sum(feed["waiting"] for feed in status["feeds"])
            await province.start()
            await city.restart()
            await net.level()
            assert same_cases(net, "city", {"case.parent": "province"}) == 5

    run(work())


def test_papers_that_tls_lets_pass_and_we_do_not_hear_nothing_at_all(tmp_path: Path) -> None:
    """A certificate of two names, of which one is the parent's."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            by, key = authority(province), new_key()
            names = [x509.DNSName(province.node), *TWO_NAMES[1:]]
            await province.stop()
            async with Impostor(province, key, odd_leaf(by, key, names)).answering() as impostor:
                status = await city.until(refused_with("MALFORMED"))
                assert impostor.heard == []
            assert {"parent_refused"} <= {alarm["name"] for alarm in status["alarms"]}
            line = audited(city, "link_refused")[-1]["fields"]
            assert (line["named"], line["reason"]) == (province.node, "MALFORMED")

    run(work())


def test_a_parent_whose_certificate_has_run_out_is_told_by_name(tmp_path: Path) -> None:
    """The child says whose certificate it is and when it ended, and goes on when the parent has a new one."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await province.stop()
            paths, by = HomeFiles(province.home), authority(net["nation"])
            key, good = files.load_private_key(paths.transport_key), files.load_certificates(paths.leaf)
            then = CLOCK.now_us() - DAY_US - 60_000_000  # it ended a minute ago
            old = issue_leaf(by, province.node, key.public_key(), then, RANDOM.bytes(16), days=1)
            files.save_certificates(paths.leaf, old, *by.issuers)
            await province.start()
            status = await city.until(refused_with(f"CERTIFICATE_EXPIRED: {province.node}"))
            assert "ended on 20" in status["parent_link"]["detail"]
            assert audited(city, "link_refused")[-1]["fields"]["reason"] == "CERTIFICATE_EXPIRED"
            await province.stop()
            files.save_certificates(paths.leaf, *good)
            await province.start()
            await city.restart()
            await net.level()

    run(work())


def test_a_session_is_held_to_the_certificate_that_was_looked_at(tmp_path: Path) -> None:
    """Whoever shows the true parent's certificate first, and answers the dial himself, gets no session."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            config, own = read_home(city.home, CLOCK.now_us())
            assert config.parent is not None
            verify = partial(verify_identity, trust=own.trust, now=CLOCK.now_us(), expected=province.node)
            met = await Parent(province.node, config.parent.address, HomeFiles(city.home), lambda: own, verify).meet()
            assert met.identity == read_home(province.home, CLOCK.now_us())[1].own
            await city.stop()

            async def connect() -> None:
                client = options.client(province.node)
                async with grpc.aio.secure_channel(config.parent.address, met.credentials, options=client) as channel:
                    call: Any = channel.stream_stream(options.METHOD)()
                    await asyncio.wait_for(call.wait_for_connection(), 10)
                    call.cancel()

            await connect()
            by, key = authority(province), new_key()
            leaf = issue_leaf(by, province.node, key.public_key(), CLOCK.now_us(), RANDOM.bytes(16))
            await province.stop()
            async with Impostor(province, key, leaf).answering():
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await connect()
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

    run(work())
