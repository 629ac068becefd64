"""One seed: a federation at work while everything breaks, then healed, then compared row by row.

report = simulate(seed=7)
report.failure            # "" or "digest at step 1234: ..."
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from node.sim.faults import Faults, Plan
from node.sim.federation import Federation
from node.sim.heal import check_shown, check_stores, frozen_feeds, settle
from node.sim.swallower import swallow
from node.sim.violation import Violation
from node.sim.workload import Workload

SHAPE = (1, 3, 9)
WORK_SECONDS = 60.0
WORKS_PER_SECOND = 2.0


@dataclass(slots=True)
class Report:
    """What one seed did and found. `trace` is the hash of every frame in order: equal for equal seeds."""

    seed: int
    shape: tuple[int, int, int]
    faults: tuple[str, ...]
    invariant: str = ""
    detail: str = ""
    steps: int = 0
    frames: int = 0
    commits: int = 0
    entries: int = 0
    transactions: int = 0
    virtual_seconds: float = 0.0
    settled_after: int = 0
    frozen: int = 0
    done: list[str] = field(default_factory=list)
    trace: str = ""

    @property
    def sound(self) -> bool:
        """Whether every promise held."""
        return not self.invariant

    @property
    def failure(self) -> str:
        """One line for a person; the seed repeats it."""
        if self.sound:
            return ""
        return f"seed {self.seed}, step {self.steps}: {self.invariant}: {self.detail} (faults: {', '.join(self.done)})"


def simulate(
    seed: int,
    shape: tuple[int, int, int] = SHAPE,
    seconds: float = WORK_SECONDS,
    faults: Faults | None = None,
    fsck_share: float = 1.0,
) -> Report:
    """Runs one seed. faults: which kinds may happen (None: the seed decides); fsck_share: part of the stores proved."""
    random = Random(f"plan/{seed}")  # noqa: S311 - a simulation must repeat
    chosen = faults if faults is not None else Faults.drawn(random)
    net = Federation(seed, shape)
    start = net.now
    plan = Plan(net, random, chosen, seconds)
    workload = Workload(net, random, hostile=plan.hostile)
    report = Report(seed, shape, chosen.names())
    try:
        _live(net, plan, workload, seconds)
        report.settled_after = _heal(net, plan, workload)
        if chosen.swallowing:
            plan.done.append(f"swallow {swallow(net, random)}")
            settle(net, [])
        check_shown(net)
        nodes = list(net.nodes.values())
        for node in nodes:
            net.watch.check_answers(node)
        sample = random.sample(nodes, max(1, round(len(nodes) * fsck_share)))
        check_stores(net, sample)
    except Violation as violation:
        report.invariant, report.detail = violation.name, violation.detail
    report.steps, report.frames = net.steps, net.frames
    report.commits, report.entries, report.transactions = net.watch.commits, net.watch.entries, workload.done
    report.virtual_seconds = (net.now - start) / 1_000_000
    report.frozen = len(frozen_feeds(net)) if report.sound else 0
    report.done = plan.done
    report.trace = net.trace.hexdigest()
    return report


def _live(net: Federation, plan: Plan, workload: Workload, seconds: float) -> None:
    """Enrolment, then work and faults at random times."""
    net.enrol_all(besides=plan.late)
    net.run(4)
    plan.arrange()
    time = 0.0
    while time < seconds:
        wait = plan.random.expovariate(WORKS_PER_SECOND)
        time += wait
        net.run(wait)
        workload.work()


def _heal(net: Federation, plan: Plan, workload: Workload) -> int:
    plan.end()
    workload.release_all_codes()
    net.run(10)
    workload.release_all_codes()
    if plan.faults.releases:
        # Whoever knows a release or not, everybody holds all that is for them or passes by them.
        settle(net, workload.tasks, waiting=True)
        plan.upgrade_all()
    return settle(net, workload.tasks)
