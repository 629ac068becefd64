"""What follows from the moves of a task by itself: tasks that are started, and what a holder tells of the parts that it
handed on. All of it of histories alone, under ids that follow from their cause: asked again, it is not done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.check import HOLDER, PARENT, STATE, STATE_TITLE, TASK
from tiers.flows.ids import derived_id
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow, Mirror, Party, Start

ID_CHARACTERS = 32


class Opening(NamedTuple):
    """A task that is to be started."""

    flow: str
    task: str
    holder: str
    fields: Mapping[str, str]


class Echo(NamedTuple):
    """A move by which a holder tells of one of its parts."""

    move_id: str
    move: str
    fields: Mapping[str, str]


def openings(flow: Flow, history: Sequence[MoveBody], here: str, parent: str) -> Iterator[Opening]:
    """What the node `here`, below `parent`, is to have started for a task."""
    party = Party.ISSUER if history[0].issuer == here else Party.HOLDER
    for start in flow.starts:
        causes = [body for body in history if body.accepted and body.move == start.on]
        if start.by is not party:
            continue
        # What a move started before the task passed over was started then.
        if start.to:
            fresh = (cause for cause in causes if not cause.HasField("retold"))
            yield from (_opening(start, history, cause, here, parent) for cause in fresh)
        elif len(causes) >= start.after and not causes[start.after - 1].HasField("retold"):
            yield _opening(start, history, None, here, parent)


def openings_by(flow: Flow, history: Sequence[MoveBody], body: MoveBody, here: str, parent: str) -> list[Opening]:
    """The tasks for others that a move would start if it counts."""
    return [_opening(s, (*history, body), body, here, parent) for s in flow.starts if s.on == body.move and s.to]


def _opening(start: Start, history: Sequence[MoveBody], cause: MoveBody | None, here: str, parent: str) -> Opening:
    """cause: the move that alone is meant, and behind which nothing is looked at; None for the whole history."""
    first = history[0]
    known = said(history if cause is None else history[: history.index(cause)])
    known |= {} if cause is None else {f"@{name}": text for name, text in fields_of(cause).items() if text}
    known |= {TASK: first.task, STATE: history[-1].state if cause is None else cause.state, PARENT: parent}
    fields = {name: known.get(text, "") if text.startswith("@") else text for name, text in start.fields.items()}
    fields = {name: text for name, text in fields.items() if text}
    task = started_id(here, first.task, start, *(() if cause is None else (first.issuer, cause.move_id)))
    return Opening(start.flow, task, known.get(start.to, "") if start.to else first.holder, fields)


def said(history: Sequence[MoveBody]) -> dict[str, str]:
    """What was last said in each field of a task, by '@' and its name."""
    counted = (body for body in history if body.accepted)
    return {f"@{name}": text for body in counted for name, text in fields_of(body).items() if text}


def started_id(issuer: str, task: str, start: Start, *more: str) -> str:
    """The id of the task that `issuer` starts for a task; more: for one move of it, of that task's issuer."""
    return derived_id(start.flow, issuer, task, start.on, str(start.after), start.flow, *more)


def echoes(flow: Flow, part: Flow, history: Sequence[MoveBody], known: Sequence[MoveBody]) -> Iterator[Echo]:
    """What the holder of a task of `flow` has not yet told of a part with this history. known: all moves of the task
    that are held at the holder's node."""
    told = {body.move_id for body in known}
    for place, body in enumerate(history):
        mirror = _mirror_of(flow, part, body)
        # Of the move alone: it stays the same when one of the two tasks passes over to a successor.
        move_id = _digest("echo", body.move_id)
        if mirror is not None and move_id not in told:
            yield Echo(move_id, mirror.move, _echoed(mirror, part, history[: place + 1]))


def _mirror_of(flow: Flow, part: Flow, body: MoveBody) -> Mirror | None:
    if not body.accepted:
        return None
    return next((m for m in flow.mirrors if m.of == part.id and body.move in m.on), None)


def _echoed(mirror: Mirror, part: Flow, history: Sequence[MoveBody]) -> dict[str, str]:
    last = history[-1]
    state = next((s for s in part.states if s.name == last.state), None)
    title = last.state if state is None else f"{state.title_zh} {state.title_en}"
    known = {**said(history), HOLDER: last.holder, STATE: last.state, STATE_TITLE: title}
    fields = {name: known.get(text, "") if text.startswith("@") else text for name, text in mirror.fields.items()}
    return {name: text for name, text in fields.items() if text}


def _digest(*cause: str) -> str:
    return sha256("\0".join(cause).encode()).hexdigest()[:ID_CHARACTERS]
