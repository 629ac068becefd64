"""Where a task stands: who must act, with which move, until when; and what its issuer's node makes by itself, and when.

Of the history and the issuer's calendar alone, so it is the same whenever and however often it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.check import OVERDUE, WARNED
from tiers.flows.clocks import (
    WARN_AT,
    Calendar,
    Clock,
    ClockFault,
    Due,
    Limit,
    Span,
    day_end,
    due,
    elapsed,
    share_at,
)
from tiers.flows.steps import counted_of, fields_of, state_of
from tiers.flows.table import Flow, Party, State


class Act(NamedTuple):
    """An automatic move of the issuer's node, and from when on it is to be made."""

    move: str
    at_us: int


class TaskStanding(NamedTuple):
    """An open task. `since_us`: from when its limit counts; `due`: None where no limit could be reckoned.

    warn_us: when 80 % of it have passed; None where none is told. times: how often the limit has passed by now; 1 and
    more: overdue. act: what comes next by itself, if anything.
    """

    state: str
    owner: Party
    next: str
    since_us: int
    due: Due | None
    warn_us: int | None
    times: int
    act: Act | None


class _Visit(NamedTuple):
    """A stay in a state, and the number of the move that led into it."""

    state: str
    since_us: int
    number: int


class _Stage(NamedTuple):
    """From when a limit counts, by which move, and when its clock stood still."""

    since_us: int
    number: int
    suspended: tuple[Span, ...]


class _Said(NamedTuple):
    text: str
    at_us: int
    number: int


class _Term(NamedTuple):
    """A limit at work: the end of the n-th time that it passes. `number`: of the move that set it."""

    number: int
    ends: tuple[Due, ...]
    warn_us: int | None


def standing(flow: Flow, history: Sequence[MoveBody], calendar: Calendar, now: int) -> TaskStanding | None:
    """Where a task stands; None if it is over, or in a state of a newer version."""
    state = next((s for s in flow.states if s.name == state_of(history)), None)
    if state is None or state.owner is None:
        return None
    stage = _stage(flow, history, state)
    try:
        term = _term(flow, history, state, stage, calendar)
    except (ValueError, OverflowError):  # no such day, or a calendar without end: shown without, never in the way
        term = None
    if term is None:
        return TaskStanding(state.name, state.owner, state.next, stage.since_us, None, None, 0, None)
    times = sum(end.at_us < now for end in term.ends)
    act = _act(history, stage.number, term, now)
    return TaskStanding(state.name, state.owner, state.next, stage.since_us, term.ends[0], term.warn_us, times, act)


def say_due(flow: Flow, history: Sequence[MoveBody], body: MoveBody, calendar: Calendar) -> None:
    """Writes into the issuer's word on the next move when the limit ends then: the holder's calendar may be another."""
    found = standing(flow, (*history, body), calendar, 0)
    if found is not None and found.due is not None:
        body.due_at, body.due_provisional = found.due


def clock_of(flow: Flow, history: Sequence[MoveBody], state: State) -> Clock | None:
    """The clock on which the limit of a state runs, as it was said by then; up to a day that was said, in work days."""
    limit = state.limit
    if limit is not None and limit.day and _said(flow, history, limit.day) is not None:
        return Clock.WORK_DAY
    value = _said(flow, history, limit.by) if limit is not None and limit.by else None
    chosen = limit.of.get(value.text) if limit is not None and value is not None else None
    chosen = chosen or (limit.otherwise if limit is not None else None)
    return chosen.clock if chosen is not None else None


def overdue_max(flow: Flow) -> int:
    """How many times at most a task is told to be overdue in one stage: as often as a consequence counts."""
    return max((start.after for start in flow.starts if start.on == OVERDUE), default=1)


def _act(history: Sequence[MoveBody], stage: int, term: _Term, now: int) -> Act | None:
    """Each is made once for what set the limit, and once for one end of it in the stage that move `stage` began, though
    what sets it is said again, or the calendar moves it."""
    first = term.ends[0].at_us
    counts = (b for b in history if b.number > (stage if b.due_at == first else term.number))
    made = [body.move for body in counts if body.accepted]
    told = made.count(OVERDUE)
    if term.warn_us is not None and not told and WARNED not in made and now <= first:
        return Act(WARNED, term.warn_us)
    return Act(OVERDUE, term.ends[told].at_us + 1) if told < len(term.ends) else None


def _stage(flow: Flow, history: Sequence[MoveBody], state: State) -> _Stage:
    """What led to this state without a break: states of its stage, and those in which their clock stands still."""
    visits = list(_visits(history))
    began = visits.pop()
    until, waits, suspended = began.since_us, list[Span](), list[Span]()
    for visit in reversed(visits):
        known = next((s for s in flow.states if s.name == visit.state), None)
        if known is not None and known.suspends:
            waits.append((visit.since_us, until))
        elif known is not None and (known.stage or known.name) == (state.stage or state.name):
            began, suspended, waits = visit, [*suspended, *waits], []
        else:
            break
        until = visit.since_us
    return _Stage(began.since_us, began.number, tuple(suspended))


def _visits(history: Sequence[MoveBody]) -> Iterator[_Visit]:
    """A move may count earlier than one that was decided before it; what it ends did not begin after it. What was
    refused left the state as it was."""
    at, state = 0, ""
    for body in history:
        if body.state != state:
            at, state = max(at, counted_of(body)), body.state
            yield _Visit(state, at, body.number)


def _term(flow: Flow, history: Sequence[MoveBody], state: State, stage: _Stage, calendar: Calendar) -> _Term | None:
    """The limit of a state: a day that was said, else by a value that was said, else the one that holds otherwise."""
    limit = state.limit
    if limit is None:
        return None
    count = overdue_max(flow)
    day = _said(flow, history, limit.day) if limit.day else None
    if day is not None:
        return _until_day(day, stage, calendar, count)
    value = _said(flow, history, limit.by) if limit.by else None
    if value is not None and (chosen := limit.of.get(value.text)) is not None:
        return _for_so_long(chosen, max(stage.number, value.number), stage, calendar, count)
    return _for_so_long(limit.otherwise, stage.number, stage, calendar, count) if limit.otherwise else None


def _said(flow: Flow, history: Sequence[MoveBody], name: str) -> _Said | None:
    """What the issuer last said in a field; what its node tells by itself, and comments, set no limit."""
    for body in reversed(history):
        rule = flow.rule(body.move)
        sets = body.accepted and rule is not None and rule.by is Party.ISSUER and not rule.automatic
        if sets and (text := fields_of(body).get(name, "")):
            return _Said(text, counted_of(body), body.number)
    return None


def _for_so_long(limit: Limit, number: int, stage: _Stage, calendar: Calendar, count: int) -> _Term:
    begin, suspended = stage.since_us, stage.suspended
    ends = tuple(
        due(begin, Limit(limit.amount * times, limit.clock), calendar, suspended) for times in range(1, count + 1)
    )
    return _Term(number, ends, share_at(begin, limit, WARN_AT, calendar, suspended).at_us)


def _until_day(said: _Said, stage: _Stage, calendar: Calendar, count: int) -> _Term:
    """A day moves on by the working days in which the clock stood still after it was said."""
    end = Due(day_end(date.fromisoformat(said.text), calendar), False)
    suspended = stage.suspended  # what of it lay before the day was said counts for nothing from there on
    again: tuple[Due, ...] = ()
    if suspended or count > 1:
        days = elapsed(said.at_us, end.at_us, Clock.WORK_DAY, calendar)
        if days and suspended:
            end = max(end, due(said.at_us, Limit(days, Clock.WORK_DAY), calendar, suspended))
        once_more = [Limit(max(days, Fraction(1)) * times, Clock.WORK_DAY) for times in range(1, count)]
        again = tuple(due(end.at_us, limit, calendar) for limit in once_more)
    warned = _warning(max(stage.since_us, said.at_us), end.at_us, calendar, suspended)
    return _Term(max(stage.number, said.number), (end, *again), warned)


def _warning(begin: int, end: int, calendar: Calendar, suspended: Sequence[Span]) -> int | None:
    """When 80 % of the working time up to a day have passed; None where there is none, or the day is too far off."""
    try:
        total = elapsed(begin, end, Clock.WORK_HOUR, calendar, suspended)
    except ClockFault:
        return None
    return share_at(begin, Limit(total, Clock.WORK_HOUR), WARN_AT, calendar, suspended).at_us if total else None
