"""What commands of the running node ask with: work inside the writer's transaction, and views beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from node.app import Node
from node.commands.view import View
from node.jobs import StoreJob
from node.store.readers import Reader
from node.store.store import Store

T = TypeVar("T")


async def in_store(node: Node, work: Callable[[Store], T]) -> T:
    """Reads and writes the store in the writer's transaction. Raises what `work` raises, if that is a LocalFault."""
    done: T = await node.writer.call(lambda ticket: StoreJob(ticket, work))
    return done


def view_of(node: Node, reader: Reader) -> View:
    """The running node's store beside its writer."""
    return View(
        reader, node.catalogue, node.config.node.node_id, node.home, node.parent, node.clock.now_us(), node.config
    )
