"""`tiersync run`: a home folder served until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from node.app import Node
from node.attachments.pushing import Pushed
from node.audit import FOLDER as AUDIT_FOLDER
from node.audit import AuditLog
from node.audit import Event as AuditEvent
from node.clock import Clock, Randomness, SystemClock, SystemRandomness
from node.commands import COMMANDS
from node.config import Config
from node.control.service import ControlServer
from node.enrol.home import is_whole
from node.enrol.invites import advertised
from node.enrol.service import EnrolmentServer, EnrolmentService, make_issuer
from node.faults import Code, Exit, translated
from node.grading import Grading
from node.identity import read_home
from node.link.papers import server_credentials
from node.maintenance import Windows
from node.renewing import Renewal
from node.rollups import RollUps
from node.stating import Days
from node.subscribing import Subscriptions
from node.telemetry import libraries_heard, make_logger, make_sink
from node.texts import _
from node.timekeeper import Timekeeper
from sync.errors import LocalFault

LOG_FOLDER = "logs"
READY_FD = "TIERSYNC_READY_FD"
LIFE_FD = "TIERSYNC_LIFE_FD"

SWITCH_S = 0.0005
"""How long a busy thread keeps the interpreter from another that waits: at the usual 5 ms the writer, while it applies,
would hold up the loop that brings it the next frame.
"""
GC_OBJECTS = 100_000
STOP_S = 30.0
_CUSTODY = frozenset({Code.KEY_CUSTODY, Code.HOME_PERMISSIONS, Code.CERTIFICATE_UNFIT})


@dataclass(frozen=True, slots=True)
class Serving:
    """A node that is up, with its faces."""

    node: Node
    enrolment_port: int


class Served:
    """A home brought up as an async context: store, links, enrolment, control socket; down again in reverse order.

    Raises what its parts raise: CustodyFault, HomeFault, StoreFault, UserFault, OSError.
    """

    def __init__(self, home: Path, clock: Clock | None = None, randomness: Randomness | None = None) -> None:
        self._home = home
        self._clock = clock or SystemClock()
        self._randomness = randomness or SystemRandomness()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Serving:
        try:
            return await self._up()
        except Exception as error:
            _audit_refusal(self._home, self._clock, error)
            raise

    async def _up(self) -> Serving:
        home, clock, randomness = self._home, self._clock, self._randomness
        async with AsyncExitStack() as stack:
            config, identity = read_home(home, clock.now_us())
            audit = AuditLog(home / AUDIT_FOLDER, clock)
            log = _logger(home, config, clock, stack)
            node = Node(home, config, identity, clock, randomness, audit, log)
            await node.start()  # stops by itself what it began, if it fails
            stack.push_async_callback(node.stop)
            port = await _enrolment(node, stack)
            control = ControlServer(node, COMMANDS)
            await control.start()
            stack.push_async_callback(control.stop)
            node.http_port = await _http(node, stack)
            _webhooks(node, stack)
            _notify(node, stack)
            windows = Windows(node)
            await windows.start()
            stack.push_async_callback(windows.stop)
            rollups = RollUps(node)
            rollups.start()
            stack.push_async_callback(rollups.stop)
            timekeeper = Timekeeper(node)
            timekeeper.start()
            stack.push_async_callback(timekeeper.stop)
            grading = Grading(node)
            grading.start()
            stack.push_async_callback(grading.stop)
            pushed = Pushed(node)
            pushed.start()
            stack.push_async_callback(pushed.stop)
            days = Days(node)
            days.start()
            stack.push_async_callback(days.stop)
            renewal = Renewal(node)
            renewal.start()
            stack.push_async_callback(renewal.stop)
            following = Subscriptions(node)
            following.start()
            stack.push_async_callback(following.stop)
            ports = {"exchange_port": node.exchange_port, "enrolment_port": port, "http_port": node.http_port}
            log.info("node_ready", **ports)
            self._stack = stack.pop_all()
            return Serving(node, port)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def _audit_refusal(home: Path, clock: Clock, error: Exception) -> None:
    """Says why the node did not start, if the folder is a node's: anything else is not written into."""
    if not is_whole(home):
        return
    fault = translated(error)
    event = AuditEvent.KEY_CUSTODY_REFUSED if fault and fault.code in _CUSTODY else AuditEvent.START_REFUSED
    fields = {"code": str(fault.code), "reason": fault.code.name} if fault else {"reason": type(error).__name__}
    # What the caller has to hear is why the start failed, also where that is why no line can be written.
    with suppress(LocalFault):
        AuditLog(home / AUDIT_FOLDER, clock).append(event, **fields, detail=str(fault.message if fault else error))


async def _enrolment(node: Node, stack: AsyncExitStack) -> int:
    """Opens the enrolment port where this node has children to come; 0 where it has none."""
    listen = node.config.listen
    if not listen.enrolment or not node.profile.below:
        return 0
    issuer = make_issuer(node.identity, node.config, node.randomness, node.core)
    exchange = advertised(node.config, "exchange", node.exchange_port)
    service = EnrolmentService(
        node.writer, issuer, lambda: node.identity, exchange, node.clock, node.audit, node.certifier, log=node.log
    )
    server = EnrolmentServer(service)
    stack.push_async_callback(server.stop)
    return await server.start(listen.enrolment, server_credentials(lambda: node.identity, for_children=False))


async def _http(node: Node, stack: AsyncExitStack) -> int:
    """Opens the HTTP API where it is configured; else 0, and nothing of it is imported."""
    if not node.config.http.listen:
        return 0
    from node.http.listen import HttpServer

    server = HttpServer(node)
    stack.push_async_callback(server.stop)
    return await server.start()


def _webhooks(node: Node, stack: AsyncExitStack) -> None:
    """Tells other systems of changes, where any are configured."""
    if not node.config.webhooks:
        return
    from node.http.webhooks import Webhooks

    webhooks = Webhooks(node)
    webhooks.start()
    stack.push_async_callback(webhooks.stop)


def _notify(node: Node, stack: AsyncExitStack) -> None:
    """Tells people of alarms and tasks, where that is configured."""
    if not node.config.notify:
        return
    from node.notify.following import Notifiers

    notifiers = Notifiers(node)
    notifiers.start()
    stack.push_async_callback(notifiers.stop)


def _logger(home: Path, config: Config, clock: Clock, stack: AsyncExitStack) -> FilteringBoundLogger:
    sink = make_sink(home / LOG_FOLDER, config.log.target, config.log.file_bytes_max, config.log.files_kept)
    close = getattr(sink, "close", None)
    if close is not None:
        stack.callback(close)
    return make_logger(sink, clock, config.log.level, node=config.node.node_id)


async def serve(home: Path, environment: Mapping[str, str]) -> None:
    """Serves until SIGTERM, SIGINT, or a store that failed (then it raises StoreFault, and systemd starts it again).

    A starter that is no systemd may hand down two file descriptors by number: READY_FD gets one line of JSON when the
    node is up; when LIFE_FD comes to its end (the starter is gone, however it went) the node stops.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if life := environment.get(LIFE_FD):

        def starter_gone() -> None:
            loop.remove_reader(int(life))  # an end of file stays readable for ever
            stop.set()

        loop.add_reader(int(life), starter_gone)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # The bound begins when the stop does, and ends after all that stands below has stopped.
    with ExitStack() as bound:
        await _serve(home, environment, stop, bound)


async def _serve(home: Path, environment: Mapping[str, str], stop: asyncio.Event, bound: ExitStack) -> None:
    async with Served(home) as serving:
        node = serving.node
        _settle_memory()
        tell_ready(
            {
                "node": node.config.node.node_id,
                "exchange_port": node.exchange_port,
                "enrolment_port": serving.enrolment_port,
                "http_port": node.http_port,
                "pid": os.getpid(),
            },
            environment,
        )
        stopping = asyncio.ensure_future(stop.wait())
        waiting: list[asyncio.Future[Any]] = [stopping, node.writer.stopped]
        with libraries_heard(node.log):
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        notify_systemd("STOPPING=1", environment)
        stopping.cancel()
        # If it is the writer that failed, stopping raises why.
        bound.enter_context(bounded_stop(STOP_S))


@contextmanager
def bounded_stop(seconds: float) -> Iterator[None]:
    """What runs inside has so long; then the process ends, in the middle of whatever it does. What was acknowledged is
    durable by then. A thread keeps the time, because the loop may be what hangs.
    """
    said = _("The node did not stop within {seconds} s: the process ends now; what was committed stays.")

    def end() -> None:
        with suppress(OSError):
            os.write(sys.stderr.fileno(), (said.format(seconds=seconds) + "\n").encode())
        os._exit(Exit.FAILED)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _settle_memory() -> None:
    """What stands at the start stays, so the garbage collector need not walk it again and again with every thread held
    up; and the rows of one transaction alone should not set it off.
    """
    gc.collect()
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 20, 20)


def tell_ready(facts: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Says that the node is up: to systemd, and to whoever started it."""
    notify_systemd("READY=1", environment)
    if descriptor := environment.get(READY_FD):
        with os.fdopen(int(descriptor), "w") as pipe:
            pipe.write(json.dumps(facts) + "\n")


def notify_systemd(state: str, environment: Mapping[str, str]) -> None:
    """sd_notify: one datagram to $NOTIFY_SOCKET, if systemd (or anything like it) is waiting."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())
