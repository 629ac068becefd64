"""`tiersync run`: a home folder served until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from node.app import Node
from node.audit import AuditLog
from node.clock import Clock, Randomness, SystemClock, SystemRandomness
from node.commands import COMMANDS
from node.config import CONFIG_NAME, Config, load_file
from node.control.service import ControlServer
from node.enrol.service import EnrolmentServer
from node.founding import load_identity
from node.telemetry import make_logger, make_sink

AUDIT_FOLDER = "audit"
LOG_FOLDER = "logs"
Ready = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Serving:
    """A node that is up, with its faces."""

    node: Node
    enrolment_port: int


class Served:
    """A home brought up as an async context: store, links, enrolment, control socket; down again in reverse order.

    Raises what its parts raise: CustodyFault, HomeFault, StoreFault, UserFault, OSError (an address that is taken).
    """

    def __init__(self, home: Path, clock: Clock | None = None, randomness: Randomness | None = None) -> None:
        self._home = home
        self._clock = clock or SystemClock()
        self._randomness = randomness or SystemRandomness()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Serving:
        home, clock, randomness = self._home, self._clock, self._randomness
        async with AsyncExitStack() as stack:
            config = load_file(home / CONFIG_NAME)
            audit = AuditLog(home / AUDIT_FOLDER, clock)
            log = _logger(home, config, clock, stack)
            identity = load_identity(home, clock.now_us())
            node = Node(home, config, identity, clock, randomness, audit, log)
            stack.push_async_callback(node.stop)
            await node.start()
            enrolment = EnrolmentServer(node)
            stack.push_async_callback(enrolment.stop)
            port = await enrolment.start()
            control = ControlServer(node, COMMANDS)
            await control.start()
            stack.push_async_callback(control.stop)
            log.info("node_ready", exchange_port=node.exchange_port, enrolment_port=port)
            self._stack = stack.pop_all()
            return Serving(node, port)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def _logger(home: Path, config: Config, clock: Clock, stack: AsyncExitStack) -> FilteringBoundLogger:
    sink = make_sink(home / LOG_FOLDER, config.log.target, config.log.file_bytes_max, config.log.files_kept)
    close = getattr(sink, "close", None)
    if close is not None:
        stack.callback(close)
    return make_logger(sink, clock, config.log.level, node=config.node.node_id)


async def serve(home: Path, ready: Ready | None = None) -> None:
    """Serves until SIGTERM, SIGINT, or a store that failed (then it raises StoreFault, and systemd starts it again)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Served(home) as serving:
        node = serving.node
        tell_ready(
            {
                "node": node.config.node.node_id,
                "exchange_port": node.exchange_port,
                "enrolment_port": serving.enrolment_port,
                "pid": os.getpid(),
            },
            ready,
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, node.writer.stopped], return_when=asyncio.FIRST_COMPLETED)
        notify_systemd("STOPPING=1")
        stopping.cancel()
        if node.writer.stopped.done():
            node.writer.stopped.result()


def tell_ready(facts: Mapping[str, Any], ready: Ready | None) -> None:
    """Says that the node is up: to systemd, and to whoever started it."""
    notify_systemd("READY=1")
    if ready is not None:
        ready(facts)


def ready_to_descriptor(descriptor: int) -> Ready:
    """Writes one JSON line to an inherited file descriptor and closes it: the starter waits without sleeping."""

    def ready(facts: Mapping[str, Any]) -> None:
        with os.fdopen(descriptor, "w") as pipe:
            pipe.write(json.dumps(facts) + "\n")

    return ready


def notify_systemd(state: str) -> None:
    """sd_notify: one datagram to $NOTIFY_SOCKET, if systemd (or anything like it) is waiting."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())
