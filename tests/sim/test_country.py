"""A small country works on tasks for a month: `make country` runs one of full size.

A failing seed repeats: `python -m tests.tools.country --seed N --shape 1,3,9 --tasks 60`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

import tiers.flows.arbiter
import tiers.flows.standing
from node.sim.country.report import CountryReport
from node.sim.country.run import CROSSED_MIN, SMALL, run_country
from sync.judge import MoveJudgement
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.standing import Act
from tiers.flows.steps import Fault
from tiers.flows.table import Flow

Patch = pytest.MonkeyPatch
TASKS = 60


@pytest.mark.sim
def test_every_task_of_a_small_country_is_the_same_at_both_ends_and_a_seed_repeats() -> None:
    """None is lost, none ends twice, every limit is told once, whatever crossed; twice the same, frame by frame."""
    report, again = (run_country(1, SMALL, TASKS) for _ in range(2))
    assert report.sound, report.failure
    assert report == again
    assert report.crossing_share >= CROSSED_MIN
    assert (report.planned, report.longest_cut_days) == (TASKS, 7.0)
    assert report.parts
    assert report.started
    assert {"warned", "overdue", "comment"} <= report.moves_made.keys()
    assert report.refused_moves


# --- bugs that must be found -----------------------------------------------------------------------------------------


def what_crossed_counts(patch: Patch) -> None:
    """A move of the holder has its effect in whatever state it finds the task, and both ends think so."""
    real = tiers.flows.arbiter.legal_fault

    def legal(*said: object) -> Fault | None:
        fault = real(*said)  # type: ignore[arg-type]
        return None if fault is None or fault.reason is Reason.WRONG_STATE else fault

    patch.setattr(tiers.flows.arbiter, "legal_fault", legal)
    patch.setattr(tiers.flows.arbiter, "_conflict", lambda *_: None)


def losers_are_not_told(patch: Patch) -> None:
    """The issuer keeps a refused move as such, and its holder never hears of it."""
    real = tiers.flows.arbiter._as_arbiter

    def judged(flow: Flow, body: MoveBody, history: Sequence[MoveBody], now: int) -> MoveJudgement:
        found = real(flow, body, history, now)
        return found._replace(answers=()) if found.answers and not found.answers[0].accepted else found

    patch.setattr(tiers.flows.arbiter, "_as_arbiter", judged)


def overdue_again_after_every_move(patch: Patch) -> None:
    """Whatever somebody does, what was told of the limit is told once more."""
    real = tiers.flows.standing._act

    def act(history: Sequence[MoveBody], stage: int, term: object, now: int) -> Act | None:
        told = next((n for n, body in enumerate(reversed(history)) if body.move not in ("warned", "overdue")), 0)
        return real(history[len(history) - told :], stage, term, now)  # type: ignore[arg-type]

    patch.setattr(tiers.flows.standing, "_act", act)


@dataclass(frozen=True)
class Bug:
    """How to plant it, and as what it shows."""

    plant: Callable[[Patch], None]
    shows_as: tuple[str, ...]


BUGS = {
    "what crossed counts": Bug(what_crossed_counts, ("not_one_end",)),
    "losers are not told": Bug(losers_are_not_told, ("not_level", "ends_differ")),
    "overdue again after every move": Bug(overdue_again_after_every_move, ("limit_told_wrongly",)),
}
SEEDS = 2


def seen(seed: int) -> CountryReport:
    """One seed of a hamlet."""
    return run_country(seed, (1, 2, 4), 30)


@pytest.mark.sim
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found_and_nothing_without_it(name: str, monkeypatch: Patch) -> None:
    """As what it breaks, and that very seed is sound when the bug is taken out."""
    bug = BUGS[name]
    with monkeypatch.context() as patch:
        bug.plant(patch)
        found = next((report for seed in range(SEEDS) if not (report := seen(seed)).sound), None)
    assert found is not None, f"{name}: not found in {SEEDS} seeds"
    assert found.invariant in bug.shows_as, found.failure
    assert not seen(found.seed).failure
