"""What both sides share about moves: the state of a history, the check of one move, and making moves of one's own.

A task's history is the list of its numbered moves, 1, 2, 3 ... without a gap, each a MoveBody with `number`, `accepted`
and `state` (the state after it). The issuer's node is the arbiter and gives the numbers: to its own moves as it makes
them (verdict false), to the holder's as it judges them (verdict true). A refused move has a number too and changes
nothing: so both sides keep one and the same history, losers included, and know each move that was ever decided.
A holder's move that is not decided yet is pending: number 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sync.errors import InputFault
from sync.limits import ARGUMENT_CHARACTERS_MAX, ARGUMENTS_MAX, KIB
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import ID_TEXT_BYTES_MAX, is_identifier, is_node_id
from sync.wire.v1.entry_pb2 import MoveBody, MoveField
from tiers.flows.fields import field_fault
from tiers.flows.guards import NO_FACTS, Facts, Wish, guard_fault
from tiers.flows.ids import is_plain, may_open
from tiers.flows.table import BEFORE, Flow, MoveRule, Party, Stands
from tiers.personal import masked
from tiers.profile import Standing, TierProfile, profile_of, stands_below

WORD_CHARACTERS_MAX = 200
FIELDS_MAX = 64
FIELD_CHARACTERS_MAX = 8_000
FIELDS_BYTES_MAX = 256 * KIB
"""A move is one entry, and so is the verdict that repeats it: neither may ever be too large to be sent."""
HEARD_MAX = 1_000
"""So many moves of a task are decided; a holder's beyond them is refused without a number."""
MADE_MAX = {Party.HOLDER: HEARD_MAX - 100, Party.ISSUER: HEARD_MAX + 100}
"""So many moves a task may have when a side makes another: the holder stops before it is not heard, and the issuer can
still bring the task to its end. More are not heard of the issuer either."""
MOMENT_MAX = 253_402_214_400_000_000
"""The last day of the calendar, 9999-12-31, in µs since 1970: what cannot be shown as a time is none."""


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


def is_being_retold(history: Sequence[MoveBody]) -> bool:
    """Whether more moves of a task that passed to this node are on their way (tiers/flows/passing.py)."""
    return bool(history) and history[-1].retold.last > history[-1].number


def party_of(body: MoveBody) -> Party:
    """The side that made a move."""
    return Party.ISSUER if body.by_node == body.issuer else Party.HOLDER


class Place(NamedTuple):
    """Where a task is: its state, and how often each move was made in it and counted. due_at: when the limit of the
    state ends, as the issuer said; 0 where that is not known."""

    state: str
    made: Mapping[str, int]
    due_at: int = 0


def place_of(flow: Flow, history: Sequence[MoveBody], pending: Sequence[MoveBody] = ()) -> Place:
    """Where a task is, and would be if the arbiter accepted everything pending: what the next move builds on."""
    state = state_of(history)
    made = Counter(body.move for body in history if body.accepted)
    for body in pending:
        rule = flow.rule(body.move)
        if rule is not None and state in rule.starts:
            state = rule.after(state)
            made[body.move] += 1
    return Place(state, made, history[-1].due_at if history and history[-1].state == state else 0)


def legal_fault(
    flow: Flow,
    place: Place,
    move: str,
    party: Party,
    fields: Mapping[str, str],
    at: int,
    facts: Facts = NO_FACTS,
) -> Fault | None:
    """Why `party` may not make `move` at a place; None if it may. The move must be in the table.

    at: the time that counts for it, µs since 1970 UTC.
    """
    rule = flow.rule(move)
    assert rule is not None
    if not rule.is_of(party):
        of_issuer, of_holder = (
            Phrase("'{}' is a move of the issuer", move),
            Phrase("'{}' is a move of the holder", move),
        )
        return Fault(Reason.NOT_YOUR_MOVE, of_issuer if rule.by is Party.ISSUER else of_holder)
    missing = [name for name in rule.fields if not fields.get(name, "").strip()]
    if len(missing) == 1:
        return Fault(Reason.MISSING_FIELD, Phrase("'{}' must say '{}'", move, missing[0]))
    if missing:
        return Fault(Reason.MISSING_FIELD, Phrase("'{}' must say each of these: {}", move, ", ".join(missing)))
    wrong = (field_fault(known, said, at) for name, said in fields.items() if said and (known := flow.field(name)))
    if (said_wrong := next((fault for fault in wrong if fault), None)) is not None:
        return Fault(Reason.RULE_BROKEN, said_wrong)
    if place.state not in rule.starts:
        return Fault(Reason.WRONG_STATE, Phrase("'{}' cannot be made in state '{}'", move, place.state))
    if rule.most and place.made.get(move, 0) >= rule.most:
        return Fault(Reason.WRONG_STATE, Phrase("'{}' can be made {} time(s) in a task", move, rule.most))
    wish = Wish(move, fields, is_late=0 < place.due_at < at, is_early=at <= place.due_at)
    guarded = (guard_fault(guard, wish, facts) for guard in rule.guards)
    if (hindered := next((fault for fault in guarded if fault), None)) is not None:
        return Fault(Reason.WRONG_STATE, hindered)
    return None


def counted_of(body: MoveBody) -> int:
    """The time that counts for a decided move, µs since 1970 UTC; as said where a node of an older version decided."""
    return body.counted_at or body.at


def counted_at(history: Sequence[MoveBody], body: MoveBody, now: int) -> int:
    """The time that counts for a move that the arbiter decides `now`: as its author said, but not after now, nor before
    what its author knew. So a clock that is fast gains nothing, and days without a link cost nothing."""
    return max(_known_until(history, body), min(body.at, now))


def counted_fault(history: Sequence[MoveBody], body: MoveBody) -> Fault | None:
    """Why the arbiter cannot have counted a move as it says; the other side checks it with this."""
    earliest = _known_until(history, body)
    latest = max(earliest, body.at)
    if not body.counted_at or (earliest if body.verdict else latest) <= body.counted_at <= latest:
        return None
    return Fault(Reason.RULE_BROKEN, Phrase("'{}' cannot be counted at the time that the issuer says", body.move))


def _known_until(history: Sequence[MoveBody], body: MoveBody) -> int:
    """When the newest move counted that the author of this one had seen, its own among them."""
    return max((counted_of(m) for m in history if m.number <= body.base or m.by_node == body.by_node), default=0)


def size_fault(body: MoveBody) -> Fault | None:
    """Why a body is not within bounds, or not well formed."""
    for said in (body.task, body.move_id):
        if not 0 < len(said.encode()) <= ID_TEXT_BYTES_MAX:
            return Fault(Reason.TOO_LONG, Phrase("task and move ids have 1 to {} bytes", ID_TEXT_BYTES_MAX))
    if body.HasField("retold") and not (
        0 < len(body.retold.task.encode()) <= ID_TEXT_BYTES_MAX and is_node_id(body.retold.by_node)
    ):
        return Fault(Reason.RULE_BROKEN, Phrase("a move that is told again names its task and its maker"))
    if max(map(len, (body.flow, body.move, body.state, body.by_org, body.by_role, body.detail))) > WORD_CHARACTERS_MAX:
        return Fault(Reason.TOO_LONG, Phrase("a name or detail has more than {} characters", WORD_CHARACTERS_MAX))
    if not all(0 <= said <= MOMENT_MAX for said in (body.at, body.counted_at, body.due_at, body.retold.at)):
        return Fault(Reason.RULE_BROKEN, Phrase("a time lies outside the years 1970 to 9999"))
    if len(body.arguments) > ARGUMENTS_MAX or any(len(said) > ARGUMENT_CHARACTERS_MAX for said in body.arguments):
        return Fault(
            Reason.TOO_LONG,
            Phrase("more than {} arguments, or {} characters in one", ARGUMENTS_MAX, ARGUMENT_CHARACTERS_MAX),
        )
    if len(body.fields) > FIELDS_MAX or any(len(f.text) > FIELD_CHARACTERS_MAX for f in body.fields):
        return Fault(
            Reason.TOO_LONG, Phrase("more than {} fields, or {} characters in one", FIELDS_MAX, FIELD_CHARACTERS_MAX)
        )
    if sum(len(f.text.encode()) for f in body.fields) > FIELDS_BYTES_MAX:
        return Fault(Reason.TOO_LONG, Phrase("the fields together have more than {} bytes", FIELDS_BYTES_MAX))
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
    stand where the flow says, MISSING_FIELD, TOO_LONG.
    """
    fault = opening_fault(flow, standing.node, standing.profile, holder, task)
    if fault is not None:
        raise InputFault(fault.reason, fault.detail)
    body = MoveBody(flow=flow.id, task=task, issuer=standing.node, holder=holder)
    return _made(flow, body, (), (), flow.opening.name, move_id, author, at, fields, NO_FACTS)


def opening_fault(flow: Flow, issuer: str, profile: TierProfile, holder: str, task: str) -> Fault | None:
    """Why a node of that profile may not issue this task of a flow to a holder, as their ids tell; None if it may."""
    if profile.id not in flow.issuers:
        return Fault(Reason.NOT_YOUR_MOVE, Phrase("a {} node does not issue {}", profile.title_en, flow.id))
    if not is_plain(task):
        return Fault(Reason.RULE_BROKEN, Phrase("the id of a task has no blanks and no slashes: '{}'", task))
    if not may_open(issuer, task):
        return Fault(Reason.NOT_YOUR_MOVE, Phrase("the id '{}' is one that another node gives its tasks", task))
    return _stands_fault(flow, issuer, profile, holder)


def _stands_fault(flow: Flow, issuer: str, profile: TierProfile, holder: str) -> Fault | None:
    of_holder = profile_of(holder)
    above = stands_below(holder, issuer, profile)
    below = of_holder is not None and stands_below(issuer, holder, of_holder)
    if flow.stands is Stands.ABOVE and not above:
        return Fault(Reason.NOT_YOUR_MOVE, Phrase("'{}' does not stand below '{}'", holder, issuer))
    if flow.stands is Stands.BELOW and not below:
        return Fault(Reason.NOT_YOUR_MOVE, Phrase("'{}' does not stand above '{}'", holder, issuer))
    if not (above or below):
        return Fault(Reason.NOT_YOUR_MOVE, Phrase("'{}' stands neither above nor below '{}'", holder, issuer))
    return None


def propose(
    flow: Flow,
    history: Sequence[MoveBody],
    pending: Sequence[MoveBody],
    move: str,
    move_id: str,
    author: Author,
    at: int,
    fields: Mapping[str, str],
    facts: Facts = NO_FACTS,
) -> MoveBody:
    """The next move of a task by one of its two nodes (author.node), to be recorded here and told to the other side.

    The issuer's is numbered and holds at once; the holder's has number 0 and is pending, after its own `pending` ones.
    Raises InputFault WRONG_STATE (or the state's own reason), NOT_YOUR_MOVE, MISSING_FIELD, TOO_LONG, UNKNOWN_FLOW.
    """
    if not history:
        raise InputFault(Reason.WRONG_STATE, Phrase("the task is not known here"))
    first = history[0]
    body = MoveBody(flow=first.flow, task=first.task, issuer=first.issuer, holder=first.holder)
    return _made(flow, body, history, pending, move, move_id, author, at, fields, facts)


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
    facts: Facts,
) -> MoveBody:
    rule = flow.rule(move)
    if rule is None or body.flow != flow.id:
        raise InputFault(Reason.UNKNOWN_FLOW, Phrase("move '{}' of flow '{}'", move, body.flow))
    if author.node not in (body.issuer, body.holder):
        raise InputFault(Reason.NOT_YOUR_MOVE, Phrase("'{}' is no side of this task", author.node))
    try:
        body.move, body.move_id, body.base, body.at = move, move_id, last_number(history), at
        body.by_node, body.by_org, body.by_role = author
        fields = {name: _as_it_leaves(flow, name, text) for name, text in fields.items()}
        body.fields.extend(MoveField(name=name, text=text) for name, text in fields.items())
    except UnicodeError as error:
        raise InputFault(Reason.WRONG_TYPE, Phrase("a text holds half a character (a lone surrogate)")) from error
    party = party_of(body)
    place = place_of(flow, history, pending)
    counted = counted_at(history, body, at)
    fault = size_fault(body) or legal_fault(flow, place, move, party, fields, counted, facts)
    if is_being_retold(history):
        fault = Fault(Reason.RECOVERING, Phrase("the task is still being told again: {} moves are here", len(history)))
    if len(history) + len(pending) >= MADE_MAX[party]:
        fault = Fault(Reason.LIMIT_EXCEEDED, Phrase("a task has at most {} moves", MADE_MAX[party]))
    if fault is None and any(m.move_id == move_id for m in (*history, *pending)):
        fault = Fault(Reason.RULE_BROKEN, Phrase("the move id is taken"))
    if fault is not None:
        raise InputFault(fault.reason, fault.detail)
    if party is Party.ISSUER:
        body.number, body.accepted, body.state = body.base + 1, True, rule.after(place.state)
        body.counted_at = counted
    return body


def _as_it_leaves(flow: Flow, name: str, text: str) -> str:
    rule = flow.field(name)
    return masked(text) if rule is not None and rule.masked else text


def shown_state(flow: Flow, history: Sequence[MoveBody], pending: Sequence[MoveBody]) -> str:
    """The state as it would be if the arbiter accepted everything pending."""
    return place_of(flow, history, pending).state


def moves_open(
    flow: Flow, history: Sequence[MoveBody], pending: Sequence[MoveBody], party: Party
) -> tuple[MoveRule, ...]:
    """What a person on that side may do next: the holder's next move builds on its own pending ones."""
    place = place_of(flow, history, pending if party is Party.HOLDER else ())
    return tuple(
        rule
        for rule in flow.open_moves(place.state, party)
        if not (rule.automatic or (rule.most and place.made.get(rule.name, 0) >= rule.most))
    )
