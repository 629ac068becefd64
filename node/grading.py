"""Which grade the nodes right below have is told by the node itself, when one has held (tiers/damping.py): in its own
books, in the dataset `node_status`, as alarms, and as moves of their onboarding (W7), each with what shows it.

It asks nobody. The books are the store's own table, so that a start tells nothing twice; the moves follow from the
books and the task's history, so that what could not be made is made at the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from node.app import Node
from node.background import Background
from node.clock import iso
from node.jobs import MoveWish, StoreJob
from node.overview import children_seen
from node.store.readers import Reader
from node.store.store import Store
from sync.errors import InputFault, LocalFault
from sync.reasons import Reason
from sync.values import Cell
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.damping import DAY_US, FAULTS, LADDER, Told, Watch, step, watched
from tiers.flows import ONBOARDING
from tiers.flows.ids import derived_id
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow
from tiers.grades import Grade

STATUS: Final = "node_status"
MOVES_AT_ONCE_MAX: Final = 4
AS_STATUS: Final[Mapping[Grade, str]] = {
    Grade.UNCONNECTED: "none",
    Grade.NETWORK: "network",
    Grade.SERVICE: "service",
    Grade.DATA: "data",
    Grade.STEADY: "steady",
    Grade.LAGGING: "lagging",
    Grade.INTERRUPTED: "broken",
    Grade.QUALITY: "bad_quality",
    Grade.SUSPENDED: "suspended",
    Grade.LEFT: "left",
}
"""As the dataset writes them."""
_REACHED = {
    "connected": (Grade.NETWORK, "reach_network"),
    "serving": (Grade.SERVICE, "reach_services"),
    "delivering": (Grade.DATA, "reach_data"),
    "steady": (Grade.STEADY, "reach_steady"),
}
"""By states of the flow."""

Seen = Mapping[str, Any]


class Grading(Background):
    """The task that does it. Used in the loop."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._watches: dict[str, Watch] = {}
        self._began_us = 0
        self._settled: dict[str, tuple[object, ...]] = {}
        """What each onboarding was last brought in line with."""

    def start(self) -> None:
        """Begins after the first pause, so that a start is not slowed down; not at all where it is switched off."""
        if self._node.config.grades.every_s:
            self.begin(self._run(), "grading")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._node.config.grades.every_s)
            try:
                await self.look()
            except LocalFault as fault:
                self._node.log.warning("grading_failed", detail=str(fault))
                self._node.alarm("grading_failed", detail=str(fault))

    async def look(self) -> dict[str, Grade]:
        """Looks once: what is told now of which node, as far as it is another than before. Raises InputFault,
        StoreFault."""
        node, now = self._node, self._node.clock.now_us()
        asked = partial(children_seen, now_us=now, excused=node.excused)
        return await self.take(await node.writer.ask(asked), now)

    async def take(self, seen: Mapping[str, Seen], now: int) -> dict[str, Grade]:
        """What a look found, as node.overview.children_seen says it."""
        node = self._node
        if not self._began_us:
            await self._begin(now)
        changed: dict[str, Grade] = {}
        for child, one in seen.items():
            before = self._watches.get(child, Watch(self._began_us))
            after = step(before, Grade(one["grade"]), now, node.config.grades.steady_days * DAY_US)
            if after.told is not None and after.told != before.told and _is_news(before, after):
                await self._tell(child, after.told.grade, one, now)
                changed[child] = after.told.grade
            self._watches[child] = after if after.told is not None and _is_news(before, after) else before
        await self._escalate(now)
        await self._onboard(seen)
        return changed

    async def _begin(self, now: int) -> None:
        self._began_us = now
        known: dict[str, list[Told]] = {}
        for one in await self._node.read(lambda reader: reader.grades.since(now - DAY_US)):
            known.setdefault(one.node, []).append(Told(one.grade, one.since_us))
        self._watches = {child: watched(now, told) for child, told in known.items()}

    # --- the books, the dataset, the alarms

    async def _tell(self, child: str, grade: Grade, seen: Seen, now: int) -> None:
        node, said = self._node, evidence(seen)
        names = node.catalogue.datasets[STATUS].schema.names
        cells = self._cells(child, grade, seen, now)
        result = await node.put(STATUS, [tuple(cells.get(name) for name in names)])
        for reject in result.rejected:
            node.log.warning("grade_not_published", child=child, detail=str(reject.detail))
        await self._write(lambda store: store.grades.tell(child, grade, now, said))
        node.log.info("grade_told", child=child, grade=grade.value, evidence=said)
        if grade is Grade.INTERRUPTED:
            node.alarm("child_interrupted", peer=child, evidence=said)

    def _cells(self, child: str, grade: Grade, seen: Seen, now: int) -> dict[str, Cell]:
        here = self._node.standing
        return {
            "node": here.node,
            "peer": child,
            "division": here.region,
            "grade": AS_STATUS[grade],
            "since": now,
            "last_contact": seen["heard_us"] or None,
            "lag_entries": seen["missing"],
            "lag_seconds": seen["missing_us"] // 1_000_000,
            "waiting": seen["unconfirmed"],
        }

    async def _escalate(self, now: int) -> None:
        node, after_us = self._node, self._node.config.grades.escalate_after_s * 1_000_000
        late = [
            child
            for child, watch in self._watches.items()
            if watch.told is not None
            and watch.told.grade is Grade.INTERRUPTED
            and _counted(node, child, watch.told.since_us, now) >= after_us
            and node.excused.window_of(child, now) is None
        ]
        if not late:
            return
        open_now = {one.node: one for one in await node.read(lambda reader: reader.grades.since(now))}
        for child in late:
            one = open_now.get(child)
            if one is not None and not one.escalated:
                await self._write(partial(_escalated, child))
                node.alarm("child_escalated", peer=child, since=iso(one.since_us))

    async def _write(self, work: Any) -> None:
        await self._node.writer.call(lambda ticket: StoreJob(ticket, work))

    # --- onboarding

    async def _onboard(self, seen: Mapping[str, Seen]) -> None:
        """Moves on the onboarding of those of whom something else is told, or who were enrolled anew."""
        node = self._node
        flow = node.catalogue.flows.get(ONBOARDING)
        if flow is None or not node.config.grades.onboarding or node.standing.profile.id not in flow.issuers:
            return
        wanted = {
            child: (watch.told, one["version"])
            for child, one in seen.items()
            if (watch := self._watches.get(child)) is not None and watch.told is not None
        }
        fresh = [child for child, said in wanted.items() if self._settled.get(child) != said]
        if not fresh:
            return
        tasks = await node.read(partial(_onboardings, node.standing.node))
        for child in fresh:
            told = wanted[child][0]
            assert told is not None
            if await self._move_on(flow, child, told.grade, seen[child], tasks.get(child, [])):
                self._settled[child] = wanted[child]

    async def _move_on(self, flow: Flow, child: str, grade: Grade, seen: Seen, tasks: Sequence[str]) -> bool:
        """Whether nothing is left to be said."""
        for _ in range(MOVES_AT_ONCE_MAX):
            task = tasks[0] if tasks else ""
            history = await self._node.read(partial(Reader.moves, task=task)) if task else []
            wish = next_move(flow, self._node.standing.node, child, grade, seen, history, len(tasks))
            if wish is None:
                return True
            try:
                await self._node.move(wish)
            except InputFault as fault:
                if fault.reason is Reason.CROSSED:
                    return False
                self._node.log.warning("onboarding_not_moved", task=wish.task, move=wish.move, detail=str(fault))
                return True
            tasks = [wish.task, *(one for one in tasks if one != wish.task)]
        return False


def _counted(node: Node, child: str, since_us: int, now: int) -> int:
    """A time until now, less what announced maintenance excuses of it."""
    return now - since_us - node.excused.covered_us(child, since_us, now)


def _is_news(before: Watch, after: Watch) -> bool:
    """That somebody left is no news of whom nothing was ever told."""
    return before.told is not None or after.told is None or after.told.grade is not Grade.LEFT


def _escalated(child: str, store: Store) -> None:
    store.grades.escalate(child)


def _onboardings(here: str, reader: Reader) -> dict[str, list[str]]:
    """The onboarding tasks of this node by whom they are about, the newest first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for first, last in reader.tasks_of(ONBOARDING, here):
        found.setdefault(last.holder, []).append((first.at, last.task))
    return {child: [task for _, task in sorted(tasks, reverse=True)] for child, tasks in found.items()}


def next_move(
    flow: Flow, here: str, child: str, grade: Grade, seen: Seen, history: Sequence[MoveBody], known: int
) -> MoveWish | None:
    """What is to be said next in a node's newest onboarding (`known`: how many there were); None where it says it all.

    One is opened where there is none, and anew for who has left and comes again.
    """
    last = history[-1] if history else None
    if last is None or (last.state == "left" and grade not in _OUT):
        if grade in _OUT:
            return None
        said = {"title": f"{seen['title'] or child} 联网接入", "enrolment": str(seen["version"])}
        task = onboarding_task(here, child, known)
        return MoveWish(flow.id, task, flow.opening.name, child, "", "", said, automatic=True, after=0)
    named = _named(flow, grade, seen, history)
    if named is None:
        return None
    return MoveWish("", last.task, named[0], "", "", "", named[1], automatic=True, after=last.number)


def _named(flow: Flow, grade: Grade, seen: Seen, history: Sequence[MoveBody]) -> tuple[str, dict[str, str]] | None:
    state, shows = history[-1].state, {"evidence": evidence(seen)}
    counted = [body for body in history if body.accepted]
    version = max(int(fields_of(body).get("enrolment") or 0) for body in counted)
    if grade in _OUT:
        found = ("gone" if grade is Grade.LEFT else "held", shows)
    elif state == "suspended" and _by_registry(counted):
        found = ("freed", shows)
    elif seen["version"] > version:
        found = ("renewed", {"enrolment": str(seen["version"])})
    elif _is_to_be_observed(grade, counted):
        found = ("observe", {"grade": grade.value, **shows})
    else:
        found = (_step_up(grade, counted), shows)
    rule = flow.rule(found[0])
    return found if rule is not None and state in rule.starts else None


def _by_registry(counted: Sequence[MoveBody]) -> bool:
    """Whether what suspended it was the registry; what a person suspends, a person resumes."""
    return next((body.move for body in reversed(counted) if body.move in ("suspend", "held")), "") == "held"


def _is_to_be_observed(grade: Grade, counted: Sequence[MoveBody]) -> bool:
    """A fault, and what holds after one."""
    told = next((fields_of(body)["grade"] for body in reversed(counted) if body.move == "observe"), "")
    return told != grade.value and (grade in FAULTS or told in _FAULTS)


_OUT = (Grade.LEFT, Grade.SUSPENDED)
_FAULTS = {grade.value for grade in FAULTS}


def _step_up(grade: Grade, counted: Iterable[MoveBody]) -> str:
    """The move that leads higher than the task has come since it began, or began again; '' where there is none."""
    rungs = list[int]()
    for body in counted:
        if body.state == "enrolled":
            rungs.clear()
        elif body.state in _REACHED:
            rungs.append(LADDER.index(_REACHED[body.state][0]))
    if grade in LADDER and LADDER.index(grade) > max(rungs, default=0):
        return next((move for rung, move in _REACHED.values() if rung is grade), "")
    return ""


def evidence(seen: Seen) -> str:
    """What of the exchange shows a grade, for whoever reads it in any language: names and figures."""
    said = {
        "enrolment": seen["version"],
        "last_heard": iso(seen["heard_us"]) if seen["heard_us"] else "",
        "missing": seen["missing"],
        "missing_s": seen["missing_us"] // 1_000_000,
        "unconfirmed": seen["unconfirmed"],
        "parked": seen["parked"],
        "disputed": int(seen["disputed"]),
        "data": seen["batch"],
    }
    return " ".join(f"{name}={value}" for name, value in said.items() if value != "")


def onboarding_task(issuer: str, child: str, known: int) -> str:
    """The id of a node's onboarding, the first, second ... of its issuer."""
    return derived_id("w7", issuer, child, str(known))
