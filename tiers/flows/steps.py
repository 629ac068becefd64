"""What both sides share about moves: the state of a history, the check of one move, and making moves of one's own.

A task's history is the list of its numbered moves, 1, 2, 3 ... without a gap, each a MoveBody with `number`, `accepted`
and `state` (the state after it). The issuer's node is the arbiter and gives the numbers: to its own moves as it makes
them (verdict false), to the holder's as it judges them (verdict true). A refused move has a number too and changes
nothing: so both sides keep one and the same history, losers included, and know each move that was ever decided.
A holder's move that is not decided yet is pending: number 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sync.errors import InputFault
from sync.limits import ARGUMENT_CHARACTERS_MAX, ARGUMENTS_MAX
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import ID_TEXT_BYTES_MAX, is_identifier, is_node_id
from sync.wire.v1.entry_pb2 import MoveBody, MoveField
from tiers.flows.table import BEFORE, Flow, Party
from tiers.profile import Standing, stands_below

WORD_CHARACTERS_MAX = 200
FIELDS_MAX = 64
FIELD_CHARACTERS_MAX = 8_000


class Author(NamedTuple):
    """On whose behalf a move is made. A person's name stays at its node."""

    node: str
    org: str = ""
    role: str = ""


class Fault(NamedTuple):
    """Why a move may not be made."""

    reason: Reason
    detail: str


def state_of(history: Sequence[MoveBody]) -> str:
    """The state after the numbered moves of a task; '' if there are none."""
    return history[-1].state if history else BEFORE


def last_number(history: Sequence[MoveBody]) -> int:
    """The number of the last decided move; 0 if there is none."""
    return history[-1].number if history else 0


def party_of(body: MoveBody) -> Party:
    """The side that made a move."""
    return Party.ISSUER if body.by_node == body.issuer else Party.HOLDER


def legal_fault(flow: Flow, state: str, move: str, party: Party, fields: Mapping[str, str]) -> Fault | None:
    """Why `party` may not make `move` in `state`; None if it may. The move must be in the table."""
    rule = flow.rule(move)
    assert rule is not None
    if rule.by is not party:
        of_issuer, of_holder = (
            Phrase("'{}' is a move of the issuer", move),
            Phrase("'{}' is a move of the holder", move),
        )
        return Fault(Reason.NOT_YOUR_MOVE, of_issuer if rule.by is Party.ISSUER else of_holder)
    missing = [name for name in rule.fields if not fields.get(name, "").strip()]
    if missing:
        return Fault(Reason.MISSING_FIELD, Phrase("'{}' must say '{}'", move, missing[0]))
    wrong = [name for name in flow.dates if fields.get(name) and not _is_day(fields[name])]
    if wrong:
        return Fault(Reason.RULE_BROKEN, Phrase("'{}' must be a date such as 2026-12-31", wrong[0]))
    if state not in rule.starts:
        return Fault(Reason.WRONG_STATE, Phrase("'{}' cannot be made in state '{}'", move, state))
    return None


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("2026-12-31") and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def size_fault(body: MoveBody) -> Fault | None:
    """Why a body is not within bounds, or not well formed."""
    for said in (body.task, body.move_id):
        if not 0 < len(said.encode()) <= ID_TEXT_BYTES_MAX:
            return Fault(Reason.TOO_LONG, Phrase("task and move ids have 1 to {} bytes", ID_TEXT_BYTES_MAX))
    if max(map(len, (body.flow, body.move, body.state, body.by_org, body.by_role, body.detail))) > WORD_CHARACTERS_MAX:
        return Fault(Reason.TOO_LONG, Phrase("a name or detail has more than {} characters", WORD_CHARACTERS_MAX))
    if not (is_node_id(body.issuer) and is_node_id(body.holder)) or body.issuer == body.holder:
        return Fault(Reason.NOT_YOUR_MOVE, Phrase("issuer and holder must be two nodes"))
    if len(body.arguments) > ARGUMENTS_MAX or any(len(said) > ARGUMENT_CHARACTERS_MAX for said in body.arguments):
        return Fault(
            Reason.TOO_LONG,
            Phrase("more than {} arguments, or {} characters in one", ARGUMENTS_MAX, ARGUMENT_CHARACTERS_MAX),
        )
    if len(body.fields) > FIELDS_MAX or any(len(f.text) > FIELD_CHARACTERS_MAX for f in body.fields):
        return Fault(
            Reason.TOO_LONG, Phrase("more than {} fields, or {} characters in one", FIELDS_MAX, FIELD_CHARACTERS_MAX)
        )
    names = [f.name for f in body.fields]
    if len(set(names)) != len(names) or not all(map(is_identifier, names)):
        return Fault(Reason.RULE_BROKEN, Phrase("a field stands twice or has no proper name"))
    return None


def fields_of(body: MoveBody) -> dict[str, str]:
    """The fields of a move by name."""
    return {f.name: f.text for f in body.fields}


def start(
    flow: Flow,
    standing: Standing,
    holder: str,
    task: str,
    move_id: str,
    author: Author,
    at: int,
    fields: Mapping[str, str],
) -> MoveBody:
    """The first move of a new task, issued by the node at `standing`: numbered 1, to be recorded and told.

    at: µs since 1970 UTC. Raises InputFault NOT_YOUR_MOVE if this tier does not issue the flow or the holder does not
    stand below it, MISSING_FIELD, TOO_LONG.
    """
    if flow.id not in standing.profile.issues:
        raise InputFault(
            Reason.NOT_YOUR_MOVE, Phrase("a {} node does not issue {}", standing.profile.title_en, flow.id)
        )
    if flow.above and not stands_below(holder, standing.node, standing.profile):
        raise InputFault(Reason.NOT_YOUR_MOVE, Phrase("'{}' does not stand below '{}'", holder, standing.node))
    (opening,) = flow.open_moves(BEFORE, Party.ISSUER)
    body = MoveBody(flow=flow.id, task=task, issuer=standing.node, holder=holder)
    return _made(flow, body, (), (), opening.name, move_id, author, at, fields)


def propose(
    flow: Flow,
    history: Sequence[MoveBody],
    pending: Sequence[MoveBody],
    move: str,
    move_id: str,
    author: Author,
    at: int,
    fields: Mapping[str, str],
) -> MoveBody:
    """The next move of a task by one of its two nodes (author.node), to be recorded here and told to the other side.

    The issuer's is numbered and holds at once; the holder's has number 0 and is pending, after its own `pending` ones.
    Raises InputFault WRONG_STATE (or the state's own reason), NOT_YOUR_MOVE, MISSING_FIELD, TOO_LONG, UNKNOWN_FLOW.
    """
    if not history:
        raise InputFault(Reason.WRONG_STATE, Phrase("the task is not known here"))
    first = history[0]
    body = MoveBody(flow=first.flow, task=first.task, issuer=first.issuer, holder=first.holder)
    return _made(flow, body, history, pending, move, move_id, author, at, fields)


def _made(
    flow: Flow,
    body: MoveBody,
    history: Sequence[MoveBody],
    pending: Sequence[MoveBody],
    move: str,
    move_id: str,
    author: Author,
    at: int,
    fields: Mapping[str, str],
) -> MoveBody:
    rule = flow.rule(move)
    if rule is None or body.flow != flow.id:
        raise InputFault(Reason.UNKNOWN_FLOW, Phrase("move '{}' of flow '{}'", move, body.flow))
    if author.node not in (body.issuer, body.holder):
        raise InputFault(Reason.NOT_YOUR_MOVE, Phrase("'{}' is no side of this task", author.node))
    try:
        body.move, body.move_id, body.base, body.at = move, move_id, last_number(history), at
        body.by_node, body.by_org, body.by_role = author
        body.fields.extend(MoveField(name=name, text=text) for name, text in fields.items())
    except UnicodeError as error:
        raise InputFault(Reason.WRONG_TYPE, Phrase("a text holds half a character (a lone surrogate)")) from error
    party = party_of(body)
    state = shown_state(flow, history, pending)
    fault = size_fault(body) or legal_fault(flow, state, move, party, fields)
    if fault is None and any(m.move_id == move_id for m in (*history, *pending)):
        fault = Fault(Reason.RULE_BROKEN, Phrase("the move id is taken"))
    if fault is not None:
        raise InputFault(fault.reason, fault.detail)
    if party is Party.ISSUER:
        body.number, body.accepted, body.state = body.base + 1, True, rule.after(state)
    return body


def shown_state(flow: Flow, history: Sequence[MoveBody], pending: Sequence[MoveBody]) -> str:
    """The state as it would be if the arbiter accepted everything pending: what the holder's next move builds on."""
    state = state_of(history)
    for body in pending:
        rule = flow.rule(body.move)
        if rule is not None and state in rule.starts:
            state = rule.after(state)
    return state
