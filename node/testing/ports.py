"""Loopback ports that stay the same over restarts of a node."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """`count` ports that were free together; they are given up at the end of the block, when the nodes take them."""
    held: list[socket.socket] = []
    try:
        for _ in range(count):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", 0))
            held.append(one)
        yield [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
