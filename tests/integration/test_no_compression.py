"""A message compressed by grpc is a bomb beside those we know of: no port and no dial takes one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from node.identity import read_home
from node.link import options
from node.link.v1.link_pb2 import BeginRequest
from node.link.v1.link_pb2_grpc import EnrolmentStub
from node.testing import Topology
from sync.wire.v1.frame_pb2 import Frame, Hello
from tests.integration.kit import cases, put, run
from tests.integration.test_bad_papers import CLOCK

REFUSED = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED)
BOMB = "x" * 16 * 1024 * 1024
"""Some kilobytes on the line."""


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_message_ends_the_call(tmp_path: Path, compression: grpc.Compression) -> None:
    """On the exchange port, from a child with good papers; it is not even looked at, and the same child goes on."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await city.stop()
            _, own = read_home(city.home, CLOCK.now_us())
            credentials = grpc.ssl_channel_credentials(own.root_pem, own.transport_key_pem, own.chain_pem)
            wanted = [o for o in options.client(province.node) if o != options.NO_COMPRESSION and "message" not in o[0]]
            endless = ("grpc.max_send_message_length", -1)
            async with grpc.aio.secure_channel(
                province.listen.exchange, credentials, options=[*wanted, endless], compression=compression
            ) as channel:
                for bomb in (BOMB, "small"):
                    call: Any = channel.stream_stream(options.METHOD)()
                    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # over before it was written
                        await call.write(Frame(hello=Hello(software=bomb)).SerializeToString())
                    assert await call.code() in REFUSED
            await city.start()
            await put(city, cases(3))
            await net.level()

    run(work())


def test_so_it_is_on_the_enrolment_port(tmp_path: Path) -> None:
    """Where anybody may knock."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            province = net["province"]
            _, own = read_home(province.home, CLOCK.now_us())
            name = (("grpc.ssl_target_name_override", province.node),)
            async with grpc.aio.secure_channel(
                province.listen.enrolment, grpc.ssl_channel_credentials(own.root_pem), options=name
            ) as channel:
                stub: Any = EnrolmentStub(channel)
                for compression, codes in (
                    (grpc.Compression.Gzip, REFUSED),
                    (grpc.Compression.NoCompression, (grpc.StatusCode.FAILED_PRECONDITION,)),
                ):
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await stub.Begin(BeginRequest(federation="x"), compression=compression)
                    assert caught.value.code() in codes

    run(work())


async def _answering(options_of_client: list[tuple[str, Any]]) -> grpc.StatusCode:
    """How a call ends in which the server answers with a compressed message, and then that all is well."""

    async def exchange(_: Any, context: Any) -> None:
        await context.write(bytes(100_000))

    server = grpc.aio.server(compression=grpc.Compression.Gzip)
    service, method = options.METHOD.strip("/").split("/")
    handler: Any = grpc.stream_stream_rpc_method_handler(exchange)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options_of_client) as channel:
            call: Any = channel.stream_stream(options.METHOD)()
            with suppress(grpc.aio.AioRpcError):
                while await call.read() is not grpc.aio.EOF:
                    pass
            code: grpc.StatusCode = await call.code()
            return code
    finally:
        await server.stop(0)


def test_a_child_takes_none_either() -> None:
    """From whoever answers its dial; without the option it would."""

    async def work() -> None:
        mine = list(options.client("p330000.cn-demo"))
        assert await _answering(mine) in REFUSED
        assert await _answering([o for o in mine if o != options.NO_COMPRESSION]) is grpc.StatusCode.OK

    run(work())
