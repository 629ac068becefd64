"""Supervisions (W2) that the node begins by itself: of what nodes right below it do not bring for whole cycles, and, if
that is switched on, of their cases whose limit has passed twice over. When they come, it says so by itself too.

It registers; a person issues, unless the settings leave that to the node as well. Nothing is kept beside the moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from node.app import Node
from node.calendar import calendar_of
from node.dues import Item, is_supervision
from node.jobs import MoveWish
from node.store.readers import Reader
from sync.errors import InputFault
from sync.reasons import Reason
from sync.registry import Registry
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.dues import Standing
from tiers.flows import SUPERVISION
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow
from tiers.parts import children_of
from tiers.periods import day_of, midnight_us
from tiers.supervision import Patience, Supervised, case_task, data_task, is_wanted, overdue_by, twice_over

CASE = "case"
CASES_READ_MAX = 10_000
_OVER = ("closed", "cancelled", "suspended", "transferred")
"""States of a case in which nobody works on its limit."""
_CELLS = ("_origin", "case_id", "deadline", "dispatched_at", "reported_at", "limit_value", "limit_unit")
_REQUIREMENT = "查明原因，尽快补报或办结，并回复 / find out why, bring or settle it soon, and reply"
_DATA = "逾期 {cycles} 个周期未报：{why} / overdue by {cycles} cycles: {why}"
_WHYS = {
    "link_down": "链路中断 (no link)",
    "held_up": "数据被拒收或待处理 (rows were refused or wait)",
    "source_silent": "来源无数据 (its source brought nothing)",
    "not_filled": "未填报 (nothing was brought)",
}
_CASE = "超期一倍时限仍未办结 / overdue by once its limit, and not settled"
_HERE = "所缺数据已到 / what was missing has come"
_SETTLED = "案件已办结 / the case is settled"


class Task(NamedTuple):
    """A supervision that this node issued: its opening move and its last one."""

    first: MoveBody
    last: MoveBody

    @property
    def said(self) -> Mapping[str, str]:
        """What the opening move says."""
        return fields_of(self.first)


class Supervising:
    """Looks when deadlines were looked at. Used in the loop."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._patience = Patience()

    async def look(self, owed: Sequence[Item]) -> list[str]:
        """Begins what is to be begun, and says what has come; the tasks that moved. Raises InputFault, StoreFault."""
        node = self._node
        flow = node.catalogue.flows.get(SUPERVISION)
        if flow is None or node.standing.profile.id not in flow.issuers:
            return []
        begun = await node.read(partial(_begun, node.config.node.node_id))
        wishes = await self._come(flow, begun)
        wishes += self._of_data(flow, owed, begun)
        wishes += await self._of_cases(begun)
        return [wish.task for wish in wishes if await self._make(wish)]

    async def _make(self, wish: MoveWish) -> bool:
        try:
            await self._node.move(wish)
        except InputFault as fault:
            if fault.reason is not Reason.CROSSED:
                self._node.log.warning("supervision_not_made", task=wish.task, move=wish.move, detail=str(fault))
            return False
        return True

    def _begin(self, task: str, holder: str, fields: Mapping[str, str]) -> list[MoveWish]:
        wishes = [MoveWish(SUPERVISION, task, "register", holder, "", "", fields, automatic=True, after=0)]
        if self._node.config.tasks.supervision_issued:
            said = {"requirement": _REQUIREMENT}
            wishes.append(MoveWish("", task, "issue", "", "", "", said, automatic=True, after=1))
        return wishes

    # --- data

    def _of_data(self, flow: Flow, owed: Sequence[Item], begun: Sequence[Task]) -> list[MoveWish]:
        node = self._node
        cycles, here = node.config.tasks.supervise_after_cycles, node.config.node.node_id
        if not cycles:
            return []
        zone, now, registry = ZoneInfo(node.config.run.time_zone), node.clock.now_us(), node.core().registry
        asked = {(name, str(period)) for name in {one.dataset for one in owed} for period in self._periods(name, zone)}
        missing = {
            (one.dataset, one.period, one.node): one
            for one in owed
            if one.standing is Standing.OVERDUE
            and not one.own
            and (one.dataset, one.period) in asked
            and registry.parent(one.node) == here
        }
        lasting = self._patience.lasting(missing, now)
        before = [_supervised(flow, task) for task in begun if is_supervision(task.first)]
        found: list[MoveWish] = []
        for key, item in missing.items():
            newest = registry.newest(item.node)
            # Whoever was suspended since owes it still, and is given no task.
            if key in lasting and newest is not None and newest.is_living and is_wanted(*key, item.due, before):
                task = data_task(here, *key)
                found += self._begin(task, item.node, self._about(item, cycles))
        return found

    def _periods(self, name: str, zone: ZoneInfo) -> list[Any]:
        node = self._node
        dataset = node.catalogue.datasets[name]
        return overdue_by(dataset, node.config.tasks.supervise_after_cycles, node.clock.now_us(), zone)

    def _about(self, item: Item, cycles: int) -> dict[str, str]:
        dataset = self._node.catalogue.datasets[item.dataset]
        return {
            "title": f"{dataset.title_zh} {item.period}",
            "kind": "data_quality",
            "level": "3",
            "dataset": item.dataset,
            "period": item.period,
            "problem": _DATA.format(cycles=cycles, why=_WHYS.get(item.why.value, item.why.value)),
        }

    # --- cases

    async def _of_cases(self, begun: Sequence[Task]) -> list[MoveWish]:
        node = self._node
        zone, now = ZoneInfo(node.config.run.time_zone), node.clock.now_us()
        today = midnight_us(day_of(now, zone), zone)
        room = node.config.tasks.supervise_cases_per_day - sum(
            _is_of_case(one) and one.first.at >= today for one in begun
        )
        if room <= 0:
            return []
        known = {one.first.task for one in begun}
        late = await node.read(partial(_late_cases, node, node.core().registry))
        found: list[MoveWish] = []
        for _, origin, case, deadline in late:
            task = case_task(node.config.node.node_id, origin, case, deadline)
            if task not in known and room:
                fields = {"title": f"案件 {case}", "kind": "overdue", "level": "3", "about": case, "problem": _CASE}
                found += self._begin(task, origin, fields)
                room -= 1
        return found

    # --- what has come

    async def _come(self, flow: Flow, begun: Iterable[Task]) -> list[MoveWish]:
        found = []
        for task in begun:
            if flow.has_ended(task.last.state):
                continue
            text = await self._node.read(partial(_has_come, task))
            if text:
                move = "lapse" if task.last.state == "registered" else "remedied"
                wish = MoveWish("", task.first.task, move, "", "", "", {"text": text}, automatic=True)
                found.append(wish._replace(after=task.last.number))
        return found


def _begun(here: str, reader: Reader) -> list[Task]:
    """The supervisions that this node issued about data and cases."""
    tasks = [Task(first, last) for first, last in reader.tasks_of(SUPERVISION, here)]
    return [one for one in tasks if is_supervision(one.first) or _is_of_case(one)]


def _is_of_case(task: Task) -> bool:
    return task.first.task.startswith("w2c-")


def _supervised(flow: Flow, task: Task) -> Supervised:
    said = task.said
    ended = task.last.at if flow.has_ended(task.last.state) else 0
    return Supervised(said["dataset"], said["period"], task.first.holder, ended)


def _has_come(task: Task, reader: Reader) -> str:
    """What is to be said of it; '' while it is missing, or once that was said."""
    if any(body.move == "remedied" and body.accepted for body in reader.moves(task.first.task)):
        return ""
    said = task.said
    if not _is_of_case(task):
        marks = reader.dues.marks(said["dataset"], [said["period"]])
        return _HERE if (task.first.holder, said["period"]) in marks else ""
    key = (said.get("about", ""),)
    held = reader.read_rows(CASE, task.first.holder, [key]).get(key)
    state = dict(zip(reader.schema(CASE).names, held[1], strict=True))["state"] if held is not None else "closed"
    return _SETTLED if state in _OVER else ""


def _late_cases(node: Node, registry: Registry, reader: Reader) -> list[tuple[int, str, str, int]]:
    """(when twice over, origin, case, deadline) of cases of the nodes right below, the longest overdue first."""
    now = node.clock.now_us()
    day = day_of(now, ZoneInfo(node.config.run.time_zone)).isoformat()
    children = [child.node for child in children_of(registry, node.config.node.node_id, day)]
    if not children:
        return []
    calendar, places = calendar_of(reader, node.config), ", ".join("?" * len(children))
    where = f'"_origin" IN ({places}) AND "state" NOT IN (?, ?, ?, ?) AND "deadline" < ?'
    rows = reader.query(CASE, where, (*children, *_OVER, now), _CELLS, CASES_READ_MAX)
    found = []
    for row in rows:
        cells = dict(zip(_CELLS, row, strict=True))
        ends = twice_over(cells, calendar)
        if ends is not None and ends < now:
            found.append((ends, str(cells["_origin"]), str(cells["case_id"]), int(cells["deadline"] or 0)))
    return sorted(found)
