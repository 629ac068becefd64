"""A country at work on tasks for weeks, then healed, then every task compared at both its ends.

report = run_country(seed=7)
report.failure            # "" or "seed 7: ends_differ: W2 t-31: ..."
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from zoneinfo import ZoneInfo

from node.calendar import published
from node.sim.country.accounts import check_tasks
from node.sim.country.keeper import Keeper
from node.sim.country.officers import Officers
from node.sim.country.pace import signs_of_life_are_rare
from node.sim.country.report import CountryReport, tell_tasks
from node.sim.country.weather import DAY_S, Weather
from node.sim.federation import SECOND, Federation
from node.sim.heal import behind, check_stores
from node.sim.simnode import SimNode
from node.sim.violation import Violation
from sync.effects import Write
from tiers.calendar import Offices, WorkCalendar, read_hours

FULL = (1, 32, 333)
SMALL = (1, 3, 9)
TASKS, DAYS = 1_000, 30.0
ISSUED_SHARE = 2 / 3
"""Of the time, in which tasks are issued: the last ones have the rest to go on."""
START_US = 1_789_948_800 * SECOND
"""2026-09-21: holidays of two weeks with shifted weekends lie ahead."""
ENROLLED_S = 600.0
SETTLE_STEP_S = 4 * 3_600
SETTLE_S = 6 * 86_400
CROSSED_MIN = 0.10
OFFICE_HOURS = ("08:30-12:00", "13:30-17:30")


def run_country(seed: int, shape: tuple[int, int, int] = FULL, tasks: int = TASKS, days: float = DAYS) -> CountryReport:
    """Runs one seed."""
    report = CountryReport(seed, shape, days, planned=tasks)
    with signs_of_life_are_rare():
        country = Country(seed, shape)
        try:
            country.live(tasks, days * DAY_S)
            report.level_after_hours = country.heal() / 3_600
            country.check()
        except Violation as violation:
            report.invariant, report.detail = violation.name, violation.detail
        country.tell(report)
    if report.sound and report.crossing_share < CROSSED_MIN:
        report.invariant, report.detail = "too_few_crossings", f"{report.crossing_share:.1%} of the tasks"
    return report


class Country:
    """The federation and all that happens in it."""

    def __init__(self, seed: int, shape: tuple[int, int, int]) -> None:
        offices = Offices(ZoneInfo("Asia/Shanghai"), read_hours(OFFICE_HOURS))
        self._calendar = WorkCalendar(offices, published(), (), ())
        self.net = Federation(seed, shape, START_US, self._calendar)
        self.officers = Officers(self.net, self._calendar, _random("officers", seed))
        self._keeper = Keeper(self.net, self._calendar, _random("keeper", seed))
        self._weather = Weather(self.net, _random("weather", seed))
        self.net.on_commit = self._committed
        self.net.on_start = self._keeper.started

    def _committed(self, node: SimNode, written: Sequence[Write]) -> None:
        self._keeper.moved(node, written)
        self.officers.moved(node, written)

    def live(self, tasks: int, seconds: float) -> None:
        """Everybody is enrolled; then work and trouble. Raises Violation."""
        self.net.enrol_all()
        self.net.run(ENROLLED_S)
        self.officers.issue_all(tasks, seconds * ISSUED_SHARE)
        self._weather.arrange(seconds)
        self.net.run(seconds)

    def heal(self) -> float:
        """People rest, every link is back; how many virtual seconds it takes until all is level. Raises Violation."""
        self.officers.over = True
        self._weather.end()
        found: list[str] = []
        for waited in range(0, SETTLE_S, SETTLE_STEP_S):
            self.net.run(SETTLE_STEP_S)
            found = list(behind(self.net))
            if not found:
                return waited + SETTLE_STEP_S
        raise Violation("not_level", f"after {SETTLE_S} s: {'; '.join(found[:6])}")

    def check(self) -> None:
        """Raises Violation."""
        check_tasks(self.net, self.officers.tasks, self._calendar)
        nodes = list(self.net.nodes.values())
        for node in nodes:
            self.net.watch.check_answers(node)
        check_stores(self.net, nodes)

    def tell(self, report: CountryReport) -> None:
        """What happened, for the report."""
        tell_tasks(report, self.officers.tasks)
        report.trace, weather = self.net.trace.hexdigest(), self._weather
        report.hindered, report.virtual_days = self.officers.hindered, (self.net.now - START_US) / SECOND / DAY_S
        report.cuts, report.stops, report.resets = len(weather.cuts), weather.stops, weather.resets
        report.longest_cut_days, report.cut_days = max(weather.cuts, default=0.0) / DAY_S, sum(weather.cuts) / DAY_S
        report.steps, report.frames, report.commits = self.net.steps, self.net.frames, self.net.watch.commits


def _random(name: str, seed: int) -> Random:
    return Random(f"{name}/{seed}")  # noqa: S311 - a simulation must repeat
