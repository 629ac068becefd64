"""Tasks whose side was divided among several nodes: a person says who goes on with each (docs/adr/0027-passing.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.commands.tasks import show_task, unknown_task
from node.commands.view import Arguments, text
from node.commands.work import view_of
from node.faults import Code, UserFault
from node.hands import Hand
from node.passing_over import Passing, PassJob, living_heirs
from node.store.readers import Reader
from node.texts import N_
from sync.registry import Registry
from sync.wire.v1.entry_pb2 import MoveBody


async def pass_over(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """task.pass_over {task, to} -> the task as it ended here. Raises UserFault TASK_UNKNOWN, WRONG_STATE,
    BAD_ARGUMENT."""
    task, to, here = text(arguments, "task"), text(arguments, "to"), node.config.node.node_id
    history = await node.read(partial(Reader.moves, task=task))
    if not history:
        raise unknown_task(task)
    wish = _wish(node.core().registry, history[0], here, to)
    flows, now = node.catalogue.flows, node.clock.now_us()
    passed: bool = await node.writer.call(lambda ticket: PassJob(ticket, wish, here, flows, now))
    if not passed:
        raise UserFault(
            Code.WRONG_STATE,
            N_("Task '{task}' has ended: nothing of it passes over."),
            N_("`tiersync task show {task}` shows how it ended, and with which task it goes on."),
            task=task,
        )
    node.note(AuditEvent.TASK_PASSED_OVER, by=hand.said, task=task, node=to)
    yield await node.read(lambda reader: show_task(view_of(node, reader), {"task": task}))


def _wish(registry: Registry, first: MoveBody, here: str, to: str) -> Passing:
    other = first.holder if first.issuer == here else first.issuer
    found = living_heirs(registry, other)
    if here not in (first.issuer, first.holder) or not found:
        raise UserFault(
            Code.WRONG_STATE,
            N_("The other side of task '{task}' was not succeeded by anybody."),
            N_("A task passes over only with a node: `tiersync child succeed`."),
            task=first.task,
        )
    if to not in found:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{node}' does not succeed {other}; these do: {known}."),
            N_("Name one of them."),
            node=to,
            other=other,
            known=", ".join(found),
        )
    return Passing(first.task, other, to)
