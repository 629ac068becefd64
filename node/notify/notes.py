"""What people are told of, in words without what a task says: a messenger's servers are not this federation's.

Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from node.texts import N_, Text, Translator
from node.texts.alarms import ALARMS
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.table import Flow

NOTES_TOLD_MAX: Final = 20
"""In one message; of the rest the number is told."""
FIELD_CHARACTERS_MAX: Final = 120
URGENT: Final = frozenset(
    {"fork", "clone", "disk_low", "store_failed", "writer_failed", "held_back_refused", "child_escalated"}
)
"""Alarms that do not wait for the end of quiet hours."""
_WHO: Final = ("peer", "origin", "by", "node", "parent")
"""Fields of an alarm that may name the node it is about, the nearest first."""


class Note(NamedTuple):
    """One thing to be told. about: the other node; place: of a move in the store, 0 for an alarm."""

    about: str
    urgent: bool
    text: Text
    place: int = 0


def of_alarm(alarm: Mapping[str, Any]) -> Note:
    """An alarm as the node keeps it: name, at, and what it is about."""
    name = str(alarm["name"])
    fields = {key: str(value)[:FIELD_CHARACTERS_MAX] for key, value in alarm.items() if key not in ("name", "at")}
    about = next((fields[key] for key in _WHO if key in fields), "")
    words = ALARMS.get(name)
    said = ", ".join(f"{key}={value}" for key, value in fields.items())
    what = Text(words.means) if words else Text("{name}", name=name)
    todo = Text(words.todo) if words else Text("")
    text = Text("{at} {name} {said}\n{what}\n{todo}", at=alarm["at"], name=name, said=said, what=what, todo=todo)
    return Note(about, name in URGENT, text)


def of_move(place: int, body: MoveBody, flows: Mapping[str, Flow], here: str, to: Translator) -> Note | None:
    """A numbered move; None for what this node's own people made and the issuer accepted, and for drafts. to: words of
    flows are data in both languages, so they are chosen here."""
    flow = flows.get(body.flow)
    rule = flow.rule(body.move) if flow else None
    own, zh = body.by_node == here, to.language == "zh"
    if own and body.accepted and not (rule is not None and rule.automatic):
        return None
    if flow is not None and any(s.draft for s in flow.states if s.name == body.state):
        return None
    fields: dict[str, object] = {
        "task": body.task,
        "flow": f"{flow.id} {flow.title_zh if zh else flow.title_en}" if flow else body.flow,
        "move": (rule.title_zh if zh else rule.title_en) if rule else body.move,
        "node": body.by_node,
    }
    if not body.accepted:
        known = body.reason in Reason._value2member_map_
        reason = Reason(body.reason).name if known else str(body.reason)
        text = Text(N_("Task {task} ({flow}): '{move}' by {node} was refused: {reason}."), **fields, reason=reason)
    else:
        text = Text(N_("Task {task} ({flow}): '{move}' by {node}."), **fields)
    return Note(body.holder if body.issuer == here else body.issuer, False, text, place)


def message(notes: Sequence[Note], lost: int, title: str, to: Translator) -> tuple[str, str]:
    """(subject, body) of what is told together. lost: how many could not be kept until now."""
    moves = sum(1 for note in notes if note.place)
    counts = Text(N_("{alarms} alarm(s), {moves} move(s) in tasks"), alarms=len(notes) - moves, moves=moves).say(to)
    told = [note.text.say(to) for note in notes[:NOTES_TOLD_MAX]]
    more = len(notes) - len(told) + lost
    if more:
        told.append(
            Text(N_("And {count} more: `tiersync status` and `tiersync task list` show them."), count=more).say(to)
        )
    return f"{title}: {counts}", "\n\n".join(told)
