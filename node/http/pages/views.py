"""What stands on each page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from node.app import Node
from node.commands.dues import list_dues
from node.commands.lists import list_refused
from node.commands.sources import list_sources
from node.commands.statement import statement
from node.commands.trace import nothing_known, trace
from node.dues import datasets_of
from node.exporting import statement as sheet
from node.faults import Code, UserFault
from node.http.pages.asking import ask, tree_of
from node.http.pages.door import View, Visit
from node.http.pages.task_stats import task_stats_page
from node.http.pages.tasks import task_page, tasks_page
from node.overview import overview_of
from node.texts import N_, Translator
from node.texts.alarms import ALARMS
from node.texts.standing import FATES, GRADES, PHASES, REMINDERS, STANDINGS, STATES, WAYS, WHYS
from node.texts.steps import detail, next_step, reason, steps
from node.tree import in_order
from tiers.grades import Grade
from tiers.maintenance import Window

REFRESH_S: Final = 30
FRESH_US: Final = 1_000_000
"""An overview as old as this is shown to the next reader too: the writer is not asked once a reader."""
ALARMS_SHOWN: Final = 20
REFUSALS_SHOWN: Final = 50
WINDOWS_SHOWN: Final = 50
_TROUBLED: Final = frozenset({Grade.LAGGING, Grade.AWAY, Grade.INTERRUPTED, Grade.QUALITY})


def made(node: Node) -> dict[str, View]:
    """The pages of a node by their paths."""
    tree = _Tree(node)
    return {
        "/": View("overview", N_("Tree overview"), "watch", "overview.html", tree.overview, REFRESH_S),
        "/node": View("node", N_("Node"), "watch", "node.html", tree.one),
        "/statement": View("statement", N_("Daily statement"), "watch", "statement.html", statement_page),
        "/overdue": View("overdue", N_("Overdue"), "watch", "overdue.html", overdue_page),
        "/tasks": View("tasks", N_("Tasks"), "task", "tasks.html", tasks_page),
        "/task-stats": View("task_stats", N_("Task statistics"), "task", "task_stats.html", task_stats_page),
        "/task": View("task", N_("Task"), "task", "task.html", task_page),
        "/trace": View("trace", N_("Trace"), "read", "trace.html", trace_page),
        "/about": View("about", N_("About"), "", "about.html", about),
    }


class _Tree:
    """The overview, asked of the writer at most once a second."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._found: dict[str, Any] = {}
        self._at_us = -FRESH_US

    async def overview(self, visit: Visit) -> dict[str, Any]:
        """The tree, what needs attention, own sources, alarms."""
        found = await self._newest()
        told = await ask(visit, list_sources, {})
        members = [_member(found, depth, one) for depth, one in in_order(found["tree"])]
        return {
            "found": found,
            "members": members,
            "titles": {one["node"]: one["title"] for one in members},
            "troubled": [one for one in members if one["grade"] in _TROUBLED],
            "alarms": _alarms(self._node.alarms),
            "alarm_count": self._node.alarm_count,
            "sources": told["sources"],
            "silent": [one.shown() for one in self._node.silent],
            "windows": self._windows(),
            "states": STATES,
            "phases": PHASES,
            "own_waiting": sum(feed["waiting"] for feed in found["feeds"] if feed["own"]),
        }

    async def one(self, visit: Visit) -> dict[str, Any]:
        """One node: how it stands and why, its feeds, what it signed for, what was refused on either side."""
        found, named = await self._newest(), visit.asked("id")
        depth_and_member = next((pair for pair in in_order(found["tree"]) if pair[1]["node"] == named), None)
        if depth_and_member is None:
            raise UserFault(
                Code.BAD_ARGUMENT,
                N_("There is no node '{node}' in the tree."),
                N_("The overview shows all nodes of the tree."),
                node=named,
            )
        told = await ask(visit, list_refused, {"limit": 1_000})
        feeds = {feed["feed"] for feed in found["feeds"] if feed["origin"] == named}
        return {
            "found": found,
            "member": _member(found, *depth_and_member),
            "phases": PHASES,
            "ways": WAYS,
            "feeds": [feed for feed in found["feeds"] if feed["origin"] == named],
            "ours": [
                {**feed, **receipt, "behind": feed["seq"] + feed["waiting"] - receipt["received"]}
                for feed in found["feeds"]
                if feed["own"]
                for receipt in feed["receipts"]
                if receipt["by"] == named
            ],
            "heard": [_refusal(visit, one) for one in told["heard"] if one["by"] == named][:REFUSALS_SHOWN],
            "here": [_refusal(visit, one) for one in told["here"] if one["feed"] in feeds][:REFUSALS_SHOWN],
        }

    def _windows(self) -> list[Window]:
        """What is announced, counts and is not over, in order of time."""
        now = self._node.clock.now_us()
        windows = [one for one in self._node.excused.maintenance.windows if one.ends > now]
        return sorted(windows, key=lambda one: (one.starts, one.node))[:WINDOWS_SHOWN]

    async def _newest(self) -> dict[str, Any]:
        now = self._node.clock.monotonic_us()
        if now - self._at_us >= FRESH_US:
            wall, excused = self._node.clock.now_us(), self._node.excused
            self._found = await self._node.writer.ask(lambda replica, store: overview_of(replica, store, wall, excused))
            self._at_us = now
        return self._found


async def trace_page(visit: Visit) -> dict[str, Any]:
    """One row's way, by its key or its number in the source system; only of datasets that the token may read."""
    what, dataset, origin = visit.asked("what"), visit.asked("dataset"), visit.asked("origin")
    known = [one for one in visit.node.catalogue.datasets.values() if visit.grant.may("read", one.id)]
    context: dict[str, Any] = {
        "what": what,
        "dataset": dataset,
        "datasets": sorted(known, key=lambda one: one.id),
        "rows": None,
        "fault": None,
    }
    if not what:
        return context
    if dataset:
        visit.grant.need("read", dataset)
    try:
        found = await ask(visit, trace, {"what": what, "dataset": dataset, "origin": origin})
    except UserFault as fault:
        if fault.code not in (Code.ROW_UNKNOWN, Code.UNKNOWN_DATASET):
            raise
        return {**context, "fault": fault}
    rows = [_traced(visit, row) for row in found["rows"] if visit.grant.may("read", row["dataset"] or "-")]
    return {**context, "rows": rows, "fault": None if rows else nothing_known(what)}


async def statement_page(visit: Visit) -> dict[str, Any]:
    """A day's statement, of all children and datasets or of one: the same table as `tiersync statement` writes."""
    asked = {name: visit.asked(name) for name in ("day", "child", "dataset")}
    found = await ask(visit, statement, asked)
    to, speech = visit.speech.to, visit.speech
    return {
        **asked,
        "found": found,
        "heading": sheet.title(found, to),
        "heads": sheet.heads(to),
        "rows": sheet.rows(found, to),
        "remarks": sheet.remarks(found, to, speech.moment),
        "children": [(one["node"], one["title"]) for _, one in in_order(tree_of(visit.node))],
        "datasets": sorted(visit.node.catalogue.datasets.values(), key=lambda one: one.id),
    }


async def overdue_page(visit: Visit) -> dict[str, Any]:
    """What is overdue and why, of the newest periods or of a month; with `all`, what has come as well."""
    asked = {name: visit.asked(name) for name in ("dataset", "month")}
    everything = bool(visit.asked("all"))
    wish = {**asked, "overdue": not everything, "read_only": True}
    (found,) = [one async for one in list_dues(visit.node, wish)]
    return {
        **asked,
        "all": everything,
        "found": found,
        "datasets": datasets_of(visit.node),
        "titles": {one["node"]: one["title"] for one in tree_of(visit.node)},
        "standings": STANDINGS,
        "whys": WHYS,
        "reminders": REMINDERS,
    }


async def nowhere(visit: Visit) -> dict[str, Any]:
    """There is no such page."""
    raise UserFault(
        Code.PATH_UNKNOWN,
        N_("There is nothing at '{path}'."),
        N_("The menu shows all pages."),
        path=visit.request.url.path,
    )


async def about(visit: Visit) -> dict[str, Any]:
    """Who this node is, and what the grades mean."""
    own = visit.node.config.node
    return {
        "own": own,
        "parent": visit.node.parent,
        "instance": visit.node.core().me.instance.hex(),
        "zone": visit.node.config.run.time_zone,
        "grades": [(grade.value, words) for grade, words in GRADES.items()],
        "token": visit.grant.token,
    }


def _member(found: Mapping[str, Any], depth: int, member: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the tree."""
    seen = found["seen"].get(member["node"])
    grade = Grade(seen["grade"]) if seen and seen["grade"] else None
    return {
        **member,
        "depth": depth,
        "here": member["node"] == found["node"],
        "seen": seen,
        "grade": grade,
        "words": GRADES[grade] if grade else None,
    }


def _alarms(alarms: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The newest, each with what it means and what to do."""
    return [
        {
            "at": alarm["at"],
            "name": alarm["name"],
            "words": ALARMS.get(alarm["name"]),
            "about": [(name, value) for name, value in alarm.items() if name not in ("at", "name")],
        }
        for alarm in reversed(alarms[-ALARMS_SHOWN:])
    ]


def _refusal(visit: Visit, one: Mapping[str, Any]) -> dict[str, Any]:
    """A refusal: its key and detail only for who may read the dataset."""
    return {**one, "open": visit.grant.may("read", one["dataset"] or "-"), **_worded(visit.speech.to, one)}


def _traced(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "steps": list(steps(row, visit.speech.to, visit.speech.moment))}


def _worded(to: Translator, one: Mapping[str, Any]) -> dict[str, str]:
    """Fate, reason and detail in the reader's language."""
    return {
        "fate_said": to(FATES.get(one["fate"], one["fate"])),
        "reason_said": reason(one["reason"], to),
        "todo": next_step(one["reason"], to),
        "detail_said": detail(one, to),
    }


NOWHERE: Final = View("nowhere", N_("About"), "", "fault.html", nowhere)
