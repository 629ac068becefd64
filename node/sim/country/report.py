"""What a simulated country did, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from node.sim.country.tasks import Task, crossings


@dataclass(slots=True)
class CountryReport:
    """What one seed did and found, the same whenever it is run again.

    planned: tasks that people issued; parts: those that they handed on; started: those that flows start by themselves.
    refused_moves: moves that lost, by name; hindered: those that the own node did not take. crossing_forced: planned
    tasks in which both sides were made to act at one moment, and did not know of each other; crossing: all tasks in
    which that came about. outcome: digest of every task's history; trace: of every frame.
    """

    seed: int
    shape: tuple[int, int, int]
    days: float
    invariant: str = ""
    detail: str = ""
    planned: int = 0
    parts: int = 0
    started: int = 0
    flows: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    moves_made: dict[str, int] = field(default_factory=dict)
    refused_moves: dict[str, int] = field(default_factory=dict)
    hindered: int = 0
    crossing_forced: int = 0
    crossing: int = 0
    crossing_moves: int = 0
    cuts: int = 0
    longest_cut_days: float = 0.0
    cut_days: float = 0.0
    stops: int = 0
    resets: int = 0
    virtual_days: float = 0.0
    level_after_hours: float = 0.0
    steps: int = 0
    frames: int = 0
    commits: int = 0
    outcome: str = ""
    trace: str = ""

    @property
    def sound(self) -> bool:
        """Whether every promise held."""
        return not self.invariant

    @property
    def failure(self) -> str:
        """One line for a person; the seed repeats it."""
        return "" if self.sound else f"seed {self.seed}: {self.invariant}: {self.detail}"

    @property
    def crossing_share(self) -> float:
        """Of the planned tasks: where it was forced."""
        return self.crossing_forced / self.planned if self.planned else 0.0


def tell_tasks(report: CountryReport, tasks: Mapping[str, Task]) -> None:
    """What became of the tasks."""
    report.parts = sum(bool(task.part_of) for task in tasks.values())
    report.started = sum(not (task.planned or task.part_of) for task in tasks.values())
    report.flows = dict(sorted(Counter(task.flow for task in tasks.values()).items()))
    outcome = sha256()
    for name in sorted(tasks):
        _tell_task(report, tasks[name], outcome.update)
    report.outcome = outcome.hexdigest()


def _tell_task(report: CountryReport, task: Task, outcome: Callable[[bytes], None]) -> None:
    history = task.issuer.store.moves(task.id)
    flow = task.issuer.catalogue.flows[task.flow]
    outcome(task.id.encode())
    for move in history:
        outcome(move.SerializeToString(deterministic=True))
        made = report.moves_made if move.accepted else report.refused_moves
        made[move.move] = made.get(move.move, 0) + 1
    report.ended += bool(history) and flow.has_ended(history[-1].state)
    crossed = crossings(flow, history)
    report.crossing += bool(crossed)
    report.crossing_moves += len(crossed)
    report.crossing_forced += task.is_crossed(history)
