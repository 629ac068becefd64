"""Talking to the node of a home: over its control socket while it runs, else by reading its store."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from node.cli.session import Session
from node.control.place import socket_path
from node.faults import Code, UserFault
from node.storable import check_storable
from node.texts import N_

if TYPE_CHECKING:
    from node.commands.view import View
    from node.control.client import ControlClient

T = TypeVar("T")


def is_running(session: Session) -> bool:
    """Whether something listens at the home's control socket."""
    path = socket_path(session.home)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def done(work: Coroutine[Any, Any, T]) -> T:
    """Runs asynchronous work to its end."""
    return asyncio.run(work)


@asynccontextmanager
async def client(session: Session) -> AsyncIterator[ControlClient]:
    """A connection to the running node. Raises UserFault NODE_NOT_RUNNING."""
    from node.control.client import ControlClient

    if not is_running(session):
        raise not_running(session)
    async with ControlClient(session.home) as connected:
        yield connected


def command(
    session: Session, name: str, progress: Callable[[dict[str, Any]], None] | None = None, **arguments: Any
) -> dict[str, Any]:
    """Runs a command in the node, which must be running. Raises UserFault."""

    async def work() -> dict[str, Any]:
        async with client(session) as connected:
            return await connected.command(name, progress, **arguments)

    return done(work())


def ask(session: Session, name: str, **arguments: Any) -> dict[str, Any]:
    """A question of node.commands.questions: asked of the node, or of its store when it is stopped."""
    if is_running(session):
        return command(session, name, **arguments)
    from node.commands.questions import QUESTIONS

    check_storable(arguments)
    with view(session) as stopped:
        return QUESTIONS[name](stopped, arguments)


@contextmanager
def view(session: Session) -> Iterator[View]:
    """The store of a stopped node, read-only. Raises UserFault, StoreFault, UnsafeSqlite."""
    from node.clock import SystemClock
    from node.commands.view import View
    from node.store.home import DATABASE_FILE
    from node.store.readers import Reader

    config, catalogue = session.config, session.catalogue
    reader = Reader(session.home / DATABASE_FILE, [d.schema for d in catalogue.datasets.values()])
    try:
        parent = config.parent.node_id if config.parent else ""
        yield View(reader, catalogue, config.node.node_id, session.home, parent, SystemClock().now_us(), config)
    finally:
        reader.close()


def not_running(session: Session) -> UserFault:
    """The node of this home must run for what was asked."""
    return UserFault(
        Code.NODE_NOT_RUNNING,
        N_("The node of {home} is not running, and this command needs it."),
        N_("Start it with `tiersync run` (or systemctl start tiersync), or name another node with --home."),
        home=session.home,
    )
