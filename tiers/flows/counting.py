"""What a task adds to the statistics of which period: told by its confirmed moves alone, the same at both of its ends.

One node counts a task: that of the side whose work it is (docs/adr/0022-task-statistics.md). What was in time goes by
the ends of limits that the issuer's node said with its moves, and by the time that counts for a move; so nobody's
calendar or clock changes it afterwards. How long the first reply took is counted on the kind of clock on which the
limit ran: in working hours, or, where it runs on through nights and holidays, in all hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import NamedTuple

from sync.reasons import Reason
from sync.schema import CellType, Column
from sync.values import Row
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.dataset import Dataset, Field
from tiers.flows.check import PASSED_OVER
from tiers.flows.clocks import Calendar, Clock, ClockFault, Span, elapsed
from tiers.flows.standing import clock_of
from tiers.flows.steps import counted_of, party_of
from tiers.flows.table import Flow, Party, State
from tiers.periods import Period
from tiers.profile import profile_of

COUNTS = (
    "issued",
    "replied",
    "replied_in_time",
    "replied_work",
    "reply_work_minutes",
    "replied_urgent",
    "reply_urgent_minutes",
    "returned",
    "corrected",
    "closed",
    "closed_in_time",
    "closed_returned",
    "withdrawn",
    "open",
    "overdue",
    "open_elsewhere",
    "overdue_elsewhere",
)
"""What is counted, each a column of TASKS; what they mean stands with the dataset `task_stat`."""
STOCKS = frozenset({"open", "overdue", "open_elsewhere", "overdue_elsewhere"})
"""Those that say how things stood at the end of a period: of several periods they have no sum."""

_NAMED = ("task", "period", "tier", "flow")
TASKS = Dataset(
    id="task",
    version=1,
    title_zh="任务",
    title_en="Tasks",
    definition="What each task adds to each period; made from its moves when it is counted, and kept nowhere.",
    definition_zh="每项任务在每个统计期的计数；统计时由其操作得出，不另存储。",
    fields=(
        *(Field(Column(name, CellType.TEXT, nullable=False, length=200), name, name) for name in _NAMED),
        *(Field(Column(name, CellType.INTEGER), name, name) for name in COUNTS),
    ),
    key=("task", "period"),
    owner=("city", "provincial", "national"),
    cadence=(),
    period="period",
)
"""The source of roll-ups that count tasks: one row for each task and period in which there is something to count. No
dataset of the catalogue: it has no table, and its rows go nowhere."""

_NEVER = 1 << 63


class _Step(NamedTuple):
    """A confirmed move from issuing on. at_us: from when it is in effect, which never runs back; said_us: the time that
    counts for it. due_us: the end of the limit from then on, 0 for none."""

    at_us: int
    said_us: int
    by: Party
    move: str
    state: State
    due_us: int


class _Stay(NamedTuple):
    """How long a task was in a state. left_us: the time that counts for the move that ended the stay."""

    state: State
    since_us: int
    until_us: int
    left_us: int
    due_us: int


def side_of(flow: Flow) -> Party:
    """The side whose work a task is: the holder, unless it never has to act."""
    acts = any(state.owner is Party.HOLDER for state in flow.states if not state.draft)
    return Party.HOLDER if acts else Party.ISSUER


def counted_by(flow: Flow, body: MoveBody) -> str:
    """The node that counts a task, by any of its moves; nobody else does."""
    return body.holder if side_of(flow) is Party.HOLDER else body.issuer


def moved_in(history: Iterable[MoveBody], periods: Sequence[Period], zone: tzinfo) -> frozenset[Period]:
    """The periods in which a task moved: all that can be said of one whose flow is not known."""
    times = [at_us for at_us, _ in _effective(history)]
    spans = ((period, *period.span_us(zone)) for period in periods)
    return frozenset(period for period, since, until in spans if any(since <= at < until for at in times))


def is_known(flow: Flow, history: Iterable[MoveBody]) -> bool:
    """Whether the flow's table has all states of a history: a version before it may not."""
    names = {state.name for state in flow.states}
    return all(body.state in names for _, body in _effective(history))


def task_rows(
    flow: Flow, history: Iterable[MoveBody], calendar: Calendar, periods: Sequence[Period], zone: tzinfo
) -> Iterator[Row]:
    """The rows of TASKS for one task. history: moves that are known, in any order, however often; of those without a
    number, and of those that were refused, nothing is counted. calendar: the issuer's. periods: in order. The flow's
    table must have all states.
    """
    effective = _effective(history)
    if not periods or _is_long_over(flow, effective, periods[0].span_us(zone)[0]):
        return
    story = _story(flow, effective)
    if story is None:
        return
    tier = profile_of(counted_by(flow, story.opening))
    found = {period: Counter[str]() for period in periods}
    spans = [(period, *period.span_us(zone)) for period in periods]
    since_us = story.passed_us
    for at_us, name, much in story.events(calendar):
        for period, since, until in spans:
            if max(since, since_us) <= at_us < until:
                found[period][name] += much
    for period, _, until in spans:
        if until <= since_us:
            continue
        found[period].update(story.stands_at(until))
        counts = found[period]
        if any(counts.values()):
            named = (story.opening.task, str(period), tier.id if tier is not None else "", flow.id)
            yield (*named, *(counts[name] for name in COUNTS))


def _effective(history: Iterable[MoveBody]) -> list[tuple[int, MoveBody]]:
    """Confirmed moves in the order of their numbers, each with the time from which it is in effect: it may count
    earlier than one that was decided before it, and is in effect no earlier than that."""
    confirmed = {body.number: body for body in history if body.number and body.accepted}
    at_us, found = 0, []
    for number in sorted(confirmed):
        at_us = max(at_us, counted_of(confirmed[number]))
        found.append((at_us, confirmed[number]))
    return found


def _is_long_over(flow: Flow, effective: Sequence[tuple[int, MoveBody]], since_us: int) -> bool:
    """Whether nothing of a task can count from a moment on. Most tasks of a node are so, and quickly told."""
    return not effective or (effective[-1][0] < since_us and flow.has_ended(effective[-1][1].state))


def _story(flow: Flow, effective: Sequence[tuple[int, MoveBody]]) -> _Story | None:
    """A task from issuing on; None for one that never was more than a draft."""
    bodies = [body for _, body in effective]
    first = next((i for i, body in enumerate(bodies) if not flow.state(body.state).draft), None)
    if first is None or _is_withdrawn(flow.state(bodies[first].state)):
        return None
    steps = [
        _Step(at_us, counted_of(body), party_of(body), body.move, flow.state(body.state), body.due_at)
        for at_us, body in effective[first:]
    ]
    return _Story(flow, bodies[: first + 1], steps)


def _is_withdrawn(state: State) -> bool:
    return state.final and state.refusal is Reason.WITHDRAWN


class _Story:
    """What is counted of one task."""

    def __init__(self, flow: Flow, said: Sequence[MoveBody], steps: Sequence[_Step]) -> None:
        """said: its moves up to that by which it was issued; steps: from that one on."""
        self.opening = said[0]
        self._flow = flow
        self._said = said
        self._steps = steps
        self._side = side_of(flow)
        self._stays = list(self._to_stays())

    @property
    def passed_us(self) -> int:
        """When the task passed over to this side; what was before that was counted by its predecessor. 0: never."""
        return self.opening.retold.at

    def events(self, calendar: Calendar) -> Iterator[tuple[int, str, int]]:
        """(when, what, how much)."""
        yield self._steps[0].at_us, "issued", 1
        yield from self._reply(calendar)
        returned = list(self._returns())
        yield from returned
        yield from self._end(any(name == "returned" for _, name, _ in returned))

    def stands_at(self, at_us: int) -> Counter[str]:
        """Where the task stands just before a moment. What was done in time counts as done from the moment that counts
        for it: the node that decides may have heard of it later."""
        stay = next((s for s in self._stays if s.since_us < at_us <= s.until_us and not s.state.final), None)
        found = Counter[str]()
        if stay is None:
            return found
        due_us = [step.due_us for step in self._steps if step.at_us < at_us][-1]
        is_overdue = 0 < due_us < at_us and stay.left_us > due_us
        elsewhere = "" if stay.state.owner is self._side else "_elsewhere"
        found["open"] += 1
        found["open_elsewhere"] += bool(elsewhere)
        found["overdue" + elsewhere] += is_overdue
        return found

    def _reply(self, calendar: Calendar) -> Iterator[tuple[int, str, int]]:
        """The first move of that side after the task was issued; a quiet one, such as a comment, is none."""
        for i, step in enumerate(self._steps[1:], start=1):
            if step.by is not self._side or self._is_quiet(step.move):
                continue
            before = self._steps[i - 1]
            is_late = before.state.owner is self._side and 0 < before.due_us < step.said_us
            yield step.at_us, "replied", 1
            yield step.at_us, "replied_in_time", int(not is_late)
            minutes, clock = self._minutes(step.said_us, calendar)
            if minutes is not None:
                yield step.at_us, f"replied_{clock}", 1
                yield step.at_us, f"reply_{clock}_minutes", minutes
            return

    def _minutes(self, until_us: int, calendar: Calendar) -> tuple[int | None, str]:
        """From issuing to a moment, on the kind of clock on which the first limit runs; None for a walk without end."""
        clock = clock_of(self._flow, self._said, self._steps[0].state)
        runs_on = clock is not None and not clock.asks_calendar
        suspended: list[Span] = [(s.since_us, s.until_us) for s in self._stays if s.state.suspends]
        start_us, hours = self._steps[0].at_us, Clock.URGENT_HOUR if runs_on else Clock.WORK_HOUR
        try:
            passed = elapsed(start_us, until_us, hours, calendar, suspended)
        except ClockFault:
            return None, ""
        return int(passed * 60), "urgent" if runs_on else "work"

    def _returns(self) -> Iterator[tuple[int, str, int]]:
        """What was sent back; and that it was handed in again to who sent it."""
        returner: Party | None = None
        for step in self._steps[1:]:
            rule = self._flow.rule(step.move)
            if rule is not None and rule.returns:
                returner = step.by
                yield step.at_us, "returned", 1
            elif returner not in (None, step.by) and step.state.owner is returner and not step.state.suspends:
                returner = None
                yield step.at_us, "corrected", 1

    def _end(self, was_returned: bool) -> Iterator[tuple[int, str, int]]:
        last = self._stays[-1]
        if not last.state.final or last.state.name == PASSED_OVER:
            return
        if _is_withdrawn(last.state):
            yield last.since_us, "withdrawn", 1
            return
        yield last.since_us, "closed", 1
        yield last.since_us, "closed_in_time", int(not any(map(self._was_late, self._stays)))
        yield last.since_us, "closed_returned", int(was_returned)

    def _was_late(self, stay: _Stay) -> bool:
        """Whether the side whose work it is let a limit of its own pass, as it was at last."""
        return stay.state.owner is self._side and 0 < stay.due_us < stay.left_us < _NEVER

    def _to_stays(self) -> Iterator[_Stay]:
        began = self._steps[0]
        due_us = began.due_us
        for step in self._steps[1:]:
            if step.state.name != began.state.name:
                yield _Stay(began.state, began.at_us, step.at_us, step.said_us, due_us)
                began = step
            due_us = step.due_us
        yield _Stay(began.state, began.at_us, _NEVER, _NEVER, due_us)

    def _is_quiet(self, move: str) -> bool:
        rule = self._flow.rule(move)
        return rule is not None and rule.quiet
