"""What a node knows beside a task's own history when a move of it is made at its desk (tiers/flows/guards.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from node.app import Node
from node.calendar import calendar_of
from node.config import Config
from node.jobs import MoveWish
from node.store.readers import Reader
from tiers.flows.standing import standing
from tiers.flows.table import Flow, Guard


async def timed(node: Node, wishes: Sequence[MoveWish]) -> list[MoveWish]:
    """Wishes of one task, with whether its limit has passed where one of them must be in time. Raises StoreFault."""
    flows = node.catalogue.flows
    if not any(_asks_time(flows, wish.move) for wish in wishes):
        return list(wishes)
    asked = partial(is_overdue, config=node.config, flows=flows, task=wishes[0].task, now=node.clock.now_us())
    overdue = await node.read(asked)
    return [wish._replace(facts=wish.facts._replace(overdue=overdue)) for wish in wishes]


def _asks_time(flows: Mapping[str, Flow], move: str) -> bool:
    return any(rule.name == move and Guard.IN_TIME in rule.guards for flow in flows.values() for rule in flow.moves)


def is_overdue(reader: Reader, config: Config, flows: Mapping[str, Flow], task: str, now: int) -> bool | None:
    """Whether the limit of a task's state has passed, by the calendar that is held here; None if that is not known."""
    history = reader.moves(task)
    flow = flows.get(history[0].flow) if history else None
    found = standing(flow, history, calendar_of(reader, config), now) if flow is not None else None
    return None if found is None or found.due is None else found.times > 0
