"""The nodes that moves name: known, living, and found by the division that the task is about where none is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from node.app import Node
from node.faults import Code, UserFault
from node.jobs import MoveWish
from node.store.readers import Reader
from node.texts import N_
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.consequences import said
from tiers.flows.table import Flow, Kind


def check_node(node: Node, named: str) -> None:
    """A task for a node that is not enrolled, or no more, would wait for ever. Raises UserFault PEER_UNKNOWN."""
    newest = node.core().registry.newest(named) if named else None
    if named and (newest is None or not newest.is_living):
        raise UserFault(
            Code.PEER_UNKNOWN,
            N_("No node '{node}' is enrolled in this federation, as far as is known here."),
            N_("`tiersync peers` lists the nodes; a node id is written as there."),
            node=named,
        )


async def addressed(node: Node, wishes: Sequence[MoveWish]) -> list[MoveWish]:
    """The wishes of one task, each with the node that its move must name. Raises UserFault PEER_UNKNOWN."""
    flows = node.catalogue.flows
    if not any(_node_fields(flow, wish.move) for flow in flows.values() for wish in wishes):
        return list(wishes)
    history = await node.read(partial(Reader.moves, task=wishes[0].task))
    flow = flows.get(history[0].flow if history else wishes[0].flow)
    return [wish if flow is None else _addressed(node, flow, history, wish) for wish in wishes]


def _node_fields(flow: Flow, move: str) -> list[str]:
    rule = flow.rule(move)
    known = [flow.field(name) for name in rule.fields] if rule is not None else []
    return [field.name for field in known if field is not None and field.kind is Kind.NODE]


def _addressed(node: Node, flow: Flow, history: Sequence[MoveBody], wish: MoveWish) -> MoveWish:
    fields = dict(wish.fields)
    for name in _node_fields(flow, wish.move):
        if not fields.get(name):
            fields[name] = _answering_for(node, _division(flow, said(history)))
        check_node(node, fields[name])
    return wish._replace(fields={name: text for name, text in fields.items() if text})


def _division(flow: Flow, known: Mapping[str, str]) -> str:
    named = (known.get(f"@{field.name}", "") for field in flow.fields if field.kind is Kind.DIVISION)
    return next((code for code in named if code), "")


def _answering_for(node: Node, division: str) -> str:
    """The node straight below this one that carries a division; '' where the task names none. Raises UserFault."""
    registry, here = node.core().registry, node.config.node.node_id
    living = (found for child in registry.children(here) if (found := registry.newest(child)) and found.is_living)
    below = [found.node for found in living if division and found.carrying.covers(division)]
    if division and not below:
        raise UserFault(
            Code.PEER_UNKNOWN,
            N_("No node below this one answers for {division}."),
            N_("Name the node, or bring the case up further: `tiersync task bring-up`."),
            division=division,
        )
    return below[0] if below else ""
