"""What is wrong with a flow's table: a task must never hang, and never be in a place that nobody answers for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from sync.phrase import Phrase
from sync.reasons import Reason
from tiers.flows.fields import field_fault
from tiers.flows.table import (
    BEFORE,
    STAY,
    FieldRule,
    Flow,
    Guard,
    Kind,
    Mirror,
    MoveRule,
    Party,
    Stands,
    Start,
    State,
)

OVERDUE = "overdue"
WARNED = "warned"
RESTATED = "restated"
COMMENT = "comment"
PASSED_OVER = "passed_over"
"""The move, and the state that it leads to, by which a task ends whose one side was succeeded by another node."""
IMPLIED = (COMMENT, WARNED, OVERDUE, RESTATED, PASSED_OVER)
"""The moves that every flow has without declaring them."""
TASK = "@task"
STATE = "@state"
STATE_TITLE = "@state_title"
HOLDER = "@holder"
PARENT = "@parent"


def check_flow(flow: Flow) -> list[Phrase]:
    """Every mistake of one table; empty if there is none."""
    faults = [Phrase("state '{}' stands twice", name) for name in _twice(s.name for s in flow.states)]
    faults += [Phrase("move '{}' stands twice", name) for name in _twice(m.name for m in flow.moves)]
    faults += [Phrase("field '{}' stands twice", name) for name in _twice(f.name for f in flow.fields)]
    for check in (_moves, _graph, _owners, _stages, _phases, _limits, _consequences):
        faults += check(flow)
    return faults


def check_starts(flow: Flow, flows: Mapping[str, Flow]) -> list[Phrase]:
    """What is wrong with the consequences of a flow beside all others."""
    faults = [fault for start in flow.starts for fault in _start(flow, start, flows.get(start.flow))]
    started = {(name, start.flow) for name, one in flows.items() for start in one.starts if not start.to}
    if any((name, flow.id) in started for name in _closure({flow.id}, started)):
        faults.append(Phrase("starts a flow by which in the end it is started again: there would be no end of tasks"))
    return faults + [fault for one in flow.mirrors for fault in _mirror(flow, one, flows.get(one.of))]


def _twice(names: Iterable[str]) -> list[str]:
    listed = list(names)
    return sorted({name for name in listed if listed.count(name) > 1})


def _moves(flow: Flow) -> Iterator[Phrase]:
    known = {*(s.name for s in flow.states), BEFORE}
    fields = {f.name for f in flow.fields}
    for rule in flow.moves:
        for name in sorted({*rule.starts, rule.after(BEFORE)} - known):
            yield Phrase("move '{}' names no state: '{}'", rule.name, name)
        for name in sorted(set(rule.fields) - fields):
            yield Phrase("move '{}' must say '{}', which is no field of the flow", rule.name, name)
        if BEFORE in rule.starts and (rule.by is not Party.ISSUER or len(rule.starts) > 1 or rule.to == STAY):
            yield Phrase("move '{}' opens a task: it is the issuer's, and opens only", rule.name)
        if rule.automatic and rule.by is not Party.ISSUER:
            yield Phrase("move '{}' is automatic: it is the issuer's", rule.name)
        if rule.returns and (rule.automatic or rule.quiet or rule.to == STAY or BEFORE in rule.starts):
            yield Phrase("move '{}' returns: a person makes it, and it leads to another state", rule.name)
        timed = not {Guard.IN_TIME, Guard.PAST_LIMIT}.isdisjoint(rule.guards)
        if timed and any(s.limit is None for s in flow.states if s.name in rule.starts):
            yield Phrase("move '{}' must be in time, from a state without a limit", rule.name)
    if sum(BEFORE in rule.starts for rule in flow.moves) != 1:
        yield Phrase("one move, and one only, must open a task")


def _graph(flow: Flow) -> Iterator[Phrase]:
    # That a task may pass to a successor is no way to its end.
    steps = _steps(flow, lambda rule: rule.name != PASSED_OVER)
    states = [s for s in flow.states if s.name != PASSED_OVER]
    reached = _closure({BEFORE}, steps)
    ending = _closure({s.name for s in states if s.final}, {(b, a) for a, b in steps})
    for state in states:
        if state.name not in reached:
            yield Phrase("state '{}' cannot be reached", state.name)
        if state.final and any(start == state.name != end for start, end in steps):
            yield Phrase("state '{}' is final, and a move leads out", state.name)
        if state.name not in ending:
            yield Phrase("state '{}' is a dead end: no final state can be reached from it", state.name)


def _owners(flow: Flow) -> Iterator[Phrase]:
    for state in flow.states:
        if state.final:
            if state.owner or state.limit or state.next:
                yield Phrase("state '{}' is final: it has no owner, limit or next move", state.name)
            continue
        if state.owner is None or state.limit is None or not state.next:
            yield Phrase("state '{}' needs an owner, a limit and a next move: nothing may hang", state.name)
            continue
        rule = flow.rule(state.next)
        if rule is None:
            yield Phrase("state '{}' names no move: '{}'", state.name, state.next)
        elif state.name not in rule.starts or not rule.is_of(state.owner) or rule.after(state.name) == state.name:
            yield Phrase("state '{}': '{}' is no move by which its owner leads it on", state.name, state.next)
        elif rule.automatic:
            yield Phrase("state '{}': '{}' is made by no person, who could be asked for it", state.name, state.next)
        elif rule.most or not {Guard.IN_TIME, Guard.PAST_LIMIT}.isdisjoint(rule.guards):
            yield Phrase(
                "state '{}': '{}' may be used up or too late, so that nothing leads on", state.name, state.next
            )


def _stages(flow: Flow) -> Iterator[Phrase]:
    """A limit that runs on through several states is one limit of one side."""
    first: dict[str, State] = {}
    for state in flow.states:
        if state.stage and state.suspends:
            yield Phrase("state '{}' stops the clock of a stage, and shares one", state.name)
        one = first.setdefault(state.stage or state.name, state)
        if (one.owner, one.limit) != (state.owner, state.limit):
            yield Phrase("states '{}' and '{}' share a stage, and not its owner and limit", one.name, state.name)
        theirs = any(state.name in rule.starts and rule.by is Party.HOLDER for rule in flow.moves)
        if state.draft and (theirs or state.owner is Party.HOLDER):
            yield Phrase("state '{}' is a draft: the holder has nothing to do with it yet", state.name)


def _phases(flow: Flow) -> Iterator[Phrase]:
    """A flow with phases says of every state in which it is, but of what was called off; one without says none."""
    known = {one.value for one in flow.phases}
    for state in (one for one in flow.states if one.name != PASSED_OVER):
        if state.phase and state.phase not in known:
            yield Phrase("state '{}': '{}' is no phase of the flow", state.name, state.phase)
        if known and not state.phase and not (state.final and state.refusal is Reason.WITHDRAWN):
            yield Phrase("state '{}' says not in which phase of the flow it is", state.name)


def _limits(flow: Flow) -> Iterator[Phrase]:
    for state in flow.states:
        limit = state.limit
        if limit is None:
            continue
        if limit.day and not _is_kind(flow, limit.day, Kind.DATE):
            yield Phrase("state '{}': '{}' is no field that says a date", state.name, limit.day)
        chosen = flow.field(limit.by) if limit.by else None
        values = {v.value for v in chosen.values} if chosen else set()
        if bool(limit.by) != bool(limit.of) or (limit.by and not _is_kind(flow, limit.by, Kind.CHOICE)):
            yield Phrase("state '{}': a limit by the values of a choice needs both, 'by' and 'of'", state.name)
        for value in sorted(set(limit.of) - values):
            yield Phrase("state '{}': '{}' is no value of '{}'", state.name, value, limit.by)
        by_value = bool(limit.by) and set(limit.of) == values and _always_said(flow, state, limit.by)
        if not (limit.otherwise or by_value or (limit.day and _always_said(flow, state, limit.day))):
            yield Phrase(
                "state '{}' may be reached without its limit being said: it needs one that holds otherwise", state.name
            )


def _is_kind(flow: Flow, name: str, kind: Kind) -> bool:
    found = flow.field(name)
    return found is not None and found.kind is kind


def _always_said(flow: Flow, state: State, name: str) -> bool:
    """Whether every way to a state has a move by which the issuer must say a field."""
    return state.name not in _reached_without(flow, lambda rule: rule.by is Party.ISSUER and name in rule.fields)


def _reached_without(flow: Flow, asks: Callable[[MoveRule], bool]) -> set[str]:
    """The states to which there is a way without any such move."""
    return _closure({BEFORE}, _steps(flow, lambda rule: not asks(rule)))


def _consequences(flow: Flow) -> Iterator[Phrase]:
    fields = {f.name for f in flow.fields}
    for start in flow.starts:
        if flow.rule(start.on) is None:
            yield Phrase("a consequence of '{}', which is no move", start.on)
        if start.after > 1 and start.on != OVERDUE:
            yield Phrase("a consequence of '{}' after {}: only of '{}' is counted", start.on, start.after, OVERDUE)
        if start.to not in ("", PARENT) and not _must_name_node(flow, start):
            yield Phrase("a consequence of '{}' is for '{}', which that move need not say", start.on, start.to)
        if start.by is Party.HOLDER and not start.to:
            yield Phrase("a consequence of '{}' at the holder's node must say for whom it is", start.on)
        for name, said in start.fields.items():
            if said.startswith("@") and said not in (TASK, STATE) and said[1:] not in fields:
                yield Phrase("a consequence says '{}' by '{}', which is no field of the flow", name, said)


def _must_name_node(flow: Flow, start: Start) -> bool:
    rule, name = flow.rule(start.on), start.to.removeprefix("@")
    return rule is not None and start.to != name and name in rule.fields and _is_kind(flow, name, Kind.NODE)


def _start(flow: Flow, start: Start, other: Flow | None) -> Iterator[Phrase]:
    name = start.flow
    if other is None:
        yield Phrase("starts '{}', which is no flow", name)
        return
    if not start.to and (not flow.issuers <= other.issuers or flow.stands is not other.stands):
        yield Phrase("starts '{}', which not all issuers of this flow may issue to its holders", name)
    if start.to == PARENT and other.stands is Stands.ABOVE:
        yield Phrase("starts '{}', which is not issued to a node above", name)
    for field in sorted(set(other.opening.fields) - set(start.fields)):
        yield Phrase("starts '{}' without saying '{}'", name, field)
    for field, text in start.fields.items():
        rule = other.field(field)
        if rule is None:
            yield Phrase("starts '{}' with '{}', which is no field of it", name, field)
        elif not _fits(flow, rule, text):
            yield Phrase("starts '{}' with '{}', which is no value of '{}'", name, text, field)
        elif field in other.opening.fields and not _is_said_by_then(flow, start, text):
            yield Phrase("starts '{}' with '{}', which may not have been said by then", name, text)


def _fits(flow: Flow, rule: FieldRule, text: str) -> bool:
    """Whether what a consequence says in a field of another flow can be such a thing."""
    if not text.startswith("@"):
        return field_fault(replace(rule, within_days=0), text, 0) is None
    source = flow.field(text[1:])
    if rule.kind is Kind.TEXT or source is None:  # what is no field at all is told by itself
        return rule.kind is Kind.TEXT or text not in (TASK, STATE)
    return source.kind is rule.kind and {v.value for v in source.values} <= {v.value for v in rule.values}


def _is_said_by_then(flow: Flow, start: Start, text: str) -> bool:
    """Whether a field must have been said whenever the consequence comes about."""
    rule, name = flow.rule(start.on), text[1:]
    if rule is None or not text.startswith("@") or text in (TASK, STATE) or name in rule.fields:
        return True
    return not _reached_without(flow, lambda one: name in one.fields).intersection(rule.starts)


def _mirror(flow: Flow, mirror: Mirror, other: Flow | None) -> Iterator[Phrase]:
    if other is None:
        yield Phrase("tells of '{}', which is no flow", mirror.of)
        return
    for on in mirror.on:
        if other.rule(on) is None:
            yield Phrase("tells of '{}', which is no move of '{}'", on, mirror.of)
    rule = flow.rule(mirror.move)
    still_open = {s.name for s in flow.states if not s.final}
    if rule is None or not (rule.is_of(Party.HOLDER) and rule.to == STAY and rule.stands) or rule.most:
        yield Phrase(
            "tells by '{}', which is no move of the holder that always counts and changes no state", mirror.move
        )
        return
    if lacking := sorted(still_open - set(rule.starts)):
        yield Phrase("tells by '{}', which cannot be made in state '{}'", mirror.move, lacking[0])
    for missing in sorted(set(rule.fields) - set(mirror.fields)):
        yield Phrase("tells by '{}' without saying '{}'", mirror.move, missing)
    for field, text in mirror.fields.items():
        if flow.field(field) is None:
            yield Phrase("tells by '{}' with '{}', which is no field of the flow", mirror.move, field)
        if text.startswith("@") and text not in (STATE, STATE_TITLE, HOLDER) and other.field(text[1:]) is None:
            yield Phrase("tells by '{}' with '{}', which is no field of '{}'", mirror.move, text, mirror.of)


def _steps(flow: Flow, wanted: Callable[[MoveRule], bool] = lambda rule: True) -> set[tuple[str, str]]:
    return {(start, rule.after(start)) for rule in flow.moves if wanted(rule) for start in rule.starts}


def _closure(start: set[str], steps: set[tuple[str, str]]) -> set[str]:
    reached = set(start)
    while True:
        more = {b for a, b in steps if a in reached} - reached
        if not more:
            return reached
        reached |= more
