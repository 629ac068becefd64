"""`reconcile`: rows held of another node, or own feeds, compared with what they should say, and mended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from node.app import Node
from node.audit import Event as AuditEvent
from node.commands.statement import STATED
from node.commands.view import Arguments, text
from node.datasets import dataset_named
from node.faults import Code, UserFault
from node.granting import take_granted
from node.reconciling import (
    Compared,
    Ground,
    MakeAgain,
    SayAgain,
    compare_own,
    compare_received,
    stated_rows,
    to_make_again,
)
from node.stating import ROWS_AT_ONCE
from node.store.home import DATABASE_FILE
from node.store.readers import Reader
from node.texts import N_
from sync.days import date_of, day_of_us
from sync.replica import Replica
from tiers.publishing import TierPublisher

T = TypeVar("T")


async def reconcile(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """reconcile {node, dataset?, dry_run?} -> {node, own, feeds, mended, dry_run}; mended: how many rows.

    Raises UserFault UNKNOWN_DATASET, BAD_ARGUMENT; InputFault RECOVERING.
    """
    name, named = text(arguments, "node"), text(arguments, "dataset")
    dry_run = arguments.get("dry_run") is True
    dataset = dataset_named(node.catalogue.datasets, named).id if named else ""
    own = name == node.config.node.node_id
    core = node.core()
    if not own and core.registry.newest(name) is None:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("No node '{node}' is known here."),
            N_("`tiersync peers` lists the nodes of the tree; names are written as there."),
            node=name,
        )
    schemas = [d.schema for d in node.catalogue.datasets.values()]
    ground = Ground(
        node.config.node.node_id,
        schemas,
        node.catalogue.schema,
        lambda state: core.applies(state.name, int(state.route)),
    )
    feeds, mended = await (_own if own else _received)(node, ground, name, dataset, dry_run)
    if mended:
        node.note(AuditEvent.ROWS_MENDED, node=name, dataset=dataset, rows=mended)
    yield {"node": name, "own": own, "feeds": feeds, "mended": mended, "dry_run": dry_run}


async def _received(
    node: Node, ground: Ground, origin: str, dataset: str, dry_run: bool
) -> tuple[list[dict[str, Any]], int]:
    def look(reader: Reader) -> Any:
        found = list(compare_received(reader, ground, origin, dataset))
        wrong = any(one.same_here is False for one in found)
        return found, to_make_again(reader, ground, found) if wrong and not dry_run else None

    found, again = await _beside(node, look)
    shown = [one.shown() for one in found]
    if not dry_run:
        await _state(node, found)
    if again is None:
        return shown, 0
    told, keys = again
    await node.writer.call(lambda ticket: MakeAgain(ticket, told, keys, lambda: _replica(node)))
    # What only the kept digest had wrong counts as one.
    return shown, sum(map(len, keys.values())) or 1


async def _state(node: Node, found: Sequence[Compared]) -> None:
    """What was found goes up, as the node's own statements of a day do."""
    schema = node.catalogue.datasets[STATED].schema
    here, day = node.config.node, date_of(day_of_us(node.clock.now_us()))
    rows = stated_rows(found, schema, here.node_id, here.region, day)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        result = await node.put(STATED, rows[start : start + ROWS_AT_ONCE])
        for reject in result.rejected:
            node.log.warning("comparison_not_stated", feed=reject.key, detail=str(reject.detail))


async def _own(
    node: Node, ground: Ground, origin: str, dataset: str, dry_run: bool
) -> tuple[list[dict[str, Any]], int]:
    publisher = TierPublisher(node.catalogue, replace(node.standing, nation=node.identity.nation))
    await node.read(lambda reader: take_granted(publisher, reader, node.clock.now_us()))
    shown = await _beside(node, lambda reader: list(compare_own(reader, publisher, ground, dataset)))
    wrong = sum(one["differing"] for one in shown)
    if dry_run or not wrong:
        return shown, 0
    await node.writer.call(lambda ticket: SayAgain(ticket, publisher, lambda: _replica(node)))
    return shown, wrong


async def _beside(node: Node, work: Callable[[Reader], T]) -> T:
    """Reads on a connection and in a thread of its own: the node works on."""
    over = threading.Event()

    def read() -> T:
        schemas = [d.schema for d in node.catalogue.datasets.values()]
        reader = Reader(node.home / DATABASE_FILE, schemas, over.is_set)
        try:
            return work(reader)
        finally:
            reader.close()

    reading = asyncio.create_task(asyncio.to_thread(read))
    try:
        return await asyncio.shield(reading)
    finally:
        # A caller that is gone, or a node that stops, needs no answer.
        over.set()
        await asyncio.gather(reading, return_exceptions=True)


def _replica(node: Node) -> Replica:
    """In the writer's thread."""
    engine = node.writer.engine
    assert engine is not None
    return engine.replica
