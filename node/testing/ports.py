"""Loopback ports that stay the same over restarts of a node."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

FIRST, LAST = 15_000, 32_000
"""Below the range from which systems take ports for outgoing connections: none of those sits on a node's port while
the node is down."""
TRIES_MAX = 1_000


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """`count` ports that were free together; they are given up at the end of the block, when the nodes take them."""
    held: list[socket.socket] = []
    try:
        for _ in range(TRIES_MAX):
            if len(held) == count:
                break
            one = socket.socket()
            try:
                one.bind(("127.0.0.1", FIRST + secrets.randbelow(LAST - FIRST)))
            except OSError:
                one.close()
                continue
            held.append(one)
        assert len(held) == count, "no free ports"
        yield [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
