"""Tasks counted for statistics, a page at a time beside the writer: each by the calendar of its issuer.

The calendar is that of the issuer's region as far as its table is held here, with the office hours of this node: it
tells only how long a first reply took. What was in time, the issuer has said with its moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from node.calendar import calendar_of
from node.config import Config
from node.store.readers import Reader
from sync.registry import Registry
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.calendar import WorkCalendar, regions_of
from tiers.catalogue import Catalogue
from tiers.flows.counting import counted_by, is_known, moved_in, task_rows
from tiers.periods import Period
from tiers.rolling import Counter
from tiers.rollup import RollUp

PAGE_TASKS = 50
"""Others that ask the store wait for no more than these."""


class CountedTasks:
    """The tasks that this node counts: those whose work is its own."""

    def __init__(
        self, rollup: RollUp, periods: Sequence[Period], registry: Registry, catalogue: Catalogue, config: Config
    ) -> None:
        self._zone = ZoneInfo(config.run.time_zone)
        self.counter = Counter(rollup, periods, self._zone)
        self._rollup, self._periods = rollup, periods
        self._registry, self._catalogue, self._config = registry, catalogue, config
        self._places = [rollup.source.schema.names.index(name) for name in self.counter.columns]
        self._calendars: dict[str, WorkCalendar] = {}
        self._unknown: set[Period] = set()

    def page(self, reader: Reader, after: str) -> str | None:
        """Counts a page of tasks in; the id of its last one, None at the end. In the reading thread."""
        tasks = reader.tasks_after(after, PAGE_TASKS)
        for task in tasks:
            self._add(reader, reader.moves(task))
        return tasks[-1] if len(tasks) == PAGE_TASKS else None

    def has_data(self, period: Period) -> bool:
        """A node knows all its tasks: where it has none, there are none. Before it was enrolled nobody asked."""
        here = self._registry.in_force(self._config.node.node_id, period.last.isoformat())
        total = self.counter.cells(period)[self._rollup.total]
        return here is not None or any(total.values)

    def partial(self, period: Period) -> frozenset[str]:
        """The measures that are not whole: all, where a task of its own moved whose flow this node does not know."""
        return frozenset(m.to for m in self._rollup.measures) if period in self._unknown else frozenset()

    def _add(self, reader: Reader, history: Sequence[MoveBody]) -> None:
        first, here = history[0], self._config.node.node_id
        flow = self._catalogue.flows.get(first.flow)
        if flow is None or not is_known(flow, history):
            if here in (first.issuer, first.holder):
                self._unknown |= moved_in(history, self._periods, self._zone)
            return
        if counted_by(flow, first) == here:
            calendar = self._calendar(reader, first.issuer)
            rows = task_rows(flow, history, calendar, self._periods, self._zone)
            self.counter.add(tuple(row[i] for i in self._places) for row in rows)

    def _calendar(self, reader: Reader, issuer: str) -> WorkCalendar:
        found = self._calendars.get(issuer)
        if found is None:
            enrolled = self._registry.newest(issuer)
            region = enrolled.region if enrolled is not None else ""
            found = self._calendars[issuer] = calendar_of(reader, self._config, regions_of(issuer, region))
        return found
