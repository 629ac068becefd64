"""gRPC settings of both ends, each with its reason (reference/reliability.md, "gRPC Python operational pitfalls")."""

from __future__ import annotations

from typing import Any

from sync import limits

METHOD = "/tiersync.v1.Link/Exchange"
CERTIFY = "/tiersync.v1.Link/Certify"
RETRY_AFTER = "retry-after"
"""Trailing metadata of a refusal that will pass: seconds, as decimal digits."""
LET_IN = ("tiersync", "open")
"""Initial metadata of a call that was let in. Before it the dialling side writes nothing: where a write fails after the
call's end has come, grpc puts INTERNAL in place of the status that says why (grpc/grpc#36066)."""
FRAME_BYTES_MAX = limits.MESSAGE_BYTES_MAX + limits.KIB

NO_COMPRESSION: tuple[str, int] = ("grpc.compression_enabled_algorithms_bitset", 1)
"""Of either end of every call. A message in a compression that is switched off ends the call before it is inflated."""

_BOTH: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    # Payloads are compressed already, and bounded when they are inflated; a compressed message is one more bomb.
    NO_COMPRESSION,
    # Our heartbeat is data; HTTP/2 pings only find dead sockets, slowly, and must not count as abuse on either side.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)

SERVER: tuple[tuple[str, int], ...] = (
    *_BOTH,
    # An idle or trickling socket may not hold a place for long; the default is two minutes.
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.max_concurrent_streams", 4),
    ("grpc.so_reuseport", 0),
)


def client(peer: str) -> tuple[tuple[str, int | str], ...]:
    """Options of a dialling channel. The certificate must name the peer's node id, whatever address it answers on."""
    return (
        *_BOTH,
        ("grpc.ssl_target_name_override", peer),
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
    )


async def let_in(call: Any) -> bool:
    """Whether the other side let this dialled call in; if not, its status has come and says why. Raises AioRpcError."""
    await call.wait_for_connection()
    if LET_IN in tuple(await call.initial_metadata()):
        return True
    await call.code()
    return False
