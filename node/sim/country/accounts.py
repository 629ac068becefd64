"""What must be true of every task once all links are back. Told from the stored histories, by code of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from node.following_on import following
from node.sim.country.tasks import Task
from node.sim.federation import SECOND, Federation
from node.sim.violation import Violation
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows import keeping
from tiers.flows.check import OVERDUE, RESTATED, WARNED
from tiers.flows.clocks import Calendar
from tiers.flows.standing import overdue_max
from tiers.flows.table import Flow

LATE_US = 120 * SECOND
"""A timekeeper that looked this minute may not have done yet what was due in the last."""
EXPECTED_ALARMS = frozenset({"origin_silent"})
"""Whoever is cut off for days is missed by those to whom the way is open as far as to the cut."""


def check_tasks(net: Federation, tasks: Mapping[str, Task], calendar: Calendar) -> None:
    """Raises Violation for the first promise that does not hold."""
    for task in tasks.values():
        history = task.issuer.store.moves(task.id)
        flow = task.issuer.catalogue.flows[task.flow]
        for name, found in (
            ("task_lost", _lost(task, history)),
            ("ends_differ", _differing(task, history)),
            ("not_one_end", _endings(flow, history)),
            ("limit_told_wrongly", _limits(flow, history)),
            ("limit_untold", _untold(net, task, flow, history, calendar)),
        ):
            if (flaw := next(found, None)) is not None:
                raise Violation(name, f"{task.flow} {task.id}: {flaw}")
    _check_started(tasks)
    _check_alarms(net)


def _lost(task: Task, history: Sequence[MoveBody]) -> Iterator[str]:
    if not history:
        yield f"{task.issuer.label} does not hold it"
    if not task.holder.store.moves(task.id):
        yield f"{task.holder.label} does not hold it"


def _differing(task: Task, history: Sequence[MoveBody]) -> Iterator[str]:
    """Every word of every move, numbered without a gap, each once; nothing waits for an answer, or got none."""
    there = task.holder.store.moves(task.id)
    for ours, theirs in zip(history, there, strict=False):
        if ours != theirs:
            yield f"move {ours.number} is '{ours.move}' here and '{theirs.move}' there, or not the same words"
    if len(history) != len(there):
        yield f"{task.issuer.label} has {len(history)} moves, {task.holder.label} {len(there)}"
    if [move.number for move in history] != list(range(1, len(history) + 1)):
        yield "its numbers have a gap"
    if len({move.move_id for move in history}) != len(history):
        yield "a move stands in it twice"
    for node in (task.issuer, task.holder):
        if node.store.pending_moves(task.id):
            yield f"{node.label} waits for an answer"
        if node.store.pending_moves(task.id, refused=True):
            yield f"{node.label} holds a move that was refused without a number"


def _endings(flow: Flow, history: Sequence[MoveBody]) -> Iterator[str]:
    """A task ends once, and what has no effect changes no state."""
    states = ["", *(move.state for move in history)]
    for (before, after), move in zip(pairwise(states), history, strict=True):
        if flow.has_ended(before) and after != before:
            yield f"'{move.move}' leads out of its end"
        if not move.accepted and after != before:
            yield f"'{move.move}' was refused and changed the state"
    if sum(flow.has_ended(after) and after != before for before, after in pairwise(states)) > 1:
        yield "it ended more than once"


def _limits(flow: Flow, history: Sequence[MoveBody]) -> Iterator[str]:
    """Of each limit, by its end as the issuer said it: warned before it once at most, overdue after it, not too often.
    The calendar stays what it is, so nothing is said anew."""
    told: Counter[tuple[str, int, int]] = Counter()
    for began, (before, move) in zip(_stages(flow, history), pairwise(history), strict=False):
        limit = (move.move, before.due_at, began)
        told[limit] += 1
        number, is_late = told[limit], move.at > before.due_at
        if move.move == WARNED and (is_late or number > 1):
            yield f"warned at {move.at} of {before.due_at}, time {number}"
        if move.move == OVERDUE and (not is_late or number > overdue_max(flow)):
            yield f"overdue at {move.at} for {before.due_at}, time {number}"
        if move.move == RESTATED or (move.move in (WARNED, OVERDUE) and not before.due_at):
            yield f"'{move.move}' for no cause"


def _stages(flow: Flow, history: Sequence[MoveBody]) -> Iterator[int]:
    """After each move, the one that began the stage that the task is in; a state in which the clock stands still is one
    for itself and ends none."""
    stage, began, waits, last = "", 0, 0, ""
    for move in history:
        state = flow.state(move.state)
        own = state.stage or state.name
        if state.suspends:
            waits = waits if move.state == last else move.number
            yield waits
        else:
            stage, began = (stage, began) if own == stage else (own, move.number)
            yield began
        last = move.state


def _untold(net: Federation, task: Task, flow: Flow, history: Sequence[MoveBody], calendar: Calendar) -> Iterator[str]:
    """An open task whose limit is over has been told so."""
    last, now = history[-1], net.now + task.issuer.skew - LATE_US
    wanted = keeping.asked(flow, history, calendar, now)
    if wanted is not None and wanted.act.at_us <= now:
        yield f"'{wanted.act.move}' is not made"
    for node in (task.issuer, task.holder):
        for wish in following(node.store, node.catalogue.flows, node.standing, history):
            yield f"{node.label} has not made '{wish.move}' of {wish.task}"
    over = last.due_at and last.due_at < now and not flow.has_ended(last.state)
    if over and not any(m.move == OVERDUE and m.at > last.due_at for m in history):
        yield "its limit is over, and nobody said so"


def _check_started(tasks: Mapping[str, Task]) -> None:
    """What flows start by themselves is there, once for each cause, and nothing else that no person issued."""
    wanted: set[str] = set()
    for task in tasks.values():
        history = task.issuer.store.moves(task.id)
        for node in (task.issuer, task.holder):
            flows, above = node.catalogue.flows, node.standing.parent
            wanted |= {one.task for one in keeping.started(flows[task.flow], flows, history, node.id, above)}
    there = {task.id for task in tasks.values() if not (task.planned or task.part_of)}
    if there != wanted:
        raise Violation("started_wrongly", f"{len(there)} tasks for {len(wanted)} causes")


def _check_alarms(net: Federation) -> None:
    for node in net.nodes.values():
        if bad := set(node.alarms) - EXPECTED_ALARMS:
            raise Violation("alarm", f"{node.label}: {', '.join(sorted(bad))}")
