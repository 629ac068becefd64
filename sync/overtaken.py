"""Moves that an earlier life of this node overtakes (protocol 8.2): put back unnoticed it numbered moves of a task, and
its own sealed tail then brings others of these numbers. What was sealed holds; the others are kept as refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.core import Core
from sync.effects import DropMoves, SaveMoves
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody, MovePayload


def take_move_back(core: Core, body: MoveBody) -> None:
    """A move of an own sealed entry into the history of its task."""
    history = core.known.task(body.task)
    if body.number:
        _refuse(core, body, _overtaken(history, body))
    elif any(move.move_id == body.move_id for move in history):
        return  # it was decided
    _record(core, body.task, [body])


def still_stands(core: Core, payload: bytes) -> bool:
    """Whether a move that waits for its seal has the number it was given; a proposal has none and always stands."""
    body = MovePayload.FromString(payload).body
    held = next((m for m in core.known.task(body.task) if m.number == body.number), None)
    return not body.number or (held is not None and held.move_id == body.move_id)


def _overtaken(history: Sequence[MoveBody], body: MoveBody) -> list[MoveBody]:
    """The move whose number it is, and those that were built on it."""
    if any(move.number == body.number and move.move_id != body.move_id for move in history):
        return [move for move in history if move.number >= body.number]
    return []


def _refuse(core: Core, body: MoveBody, overtaken: Sequence[MoveBody]) -> None:
    if not overtaken:
        return
    core.do(DropMoves(body.task, body.number))
    detail = f"'{body.move}' was move {body.number} before this node was put back"
    refused = []
    for move in overtaken:
        word = MoveBody()
        word.CopyFrom(move)
        word.number, word.verdict, word.accepted, word.state = 0, True, False, body.state
        word.reason, word.detail = int(Reason.CROSSED), detail
        refused.append(word)
        core.alarm("move_overtaken", task=move.task, move=move.move, number=move.number, by=body.move)
    _record(core, body.task, refused)


def _record(core: Core, task: str, moves: list[MoveBody]) -> None:
    core.do(SaveMoves(task, moves))
    core.known.note(moves)
