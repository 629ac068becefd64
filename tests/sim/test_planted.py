"""The harness finds bugs: each planted one shows within its number of seeds, and as what it is."""

from __future__ import annotations

import pytest

from node.sim.run import simulate
from tests.sim.planted import BUGS

SHAPE = (1, 2, 5)
SECONDS = 30.0


@pytest.mark.sim
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within its seeds, under its faults, as one of the invariants that it breaks."""
    bug = BUGS[name]
    bug.plant(monkeypatch)
    for seed in range(bug.seeds):
        report = simulate(seed, SHAPE, SECONDS, bug.faults, fsck_share=1.0)
        if not report.sound:
            assert report.invariant in bug.shows_as, report.failure
            return
    pytest.fail(f"{name}: not found in {bug.seeds} seeds")


@pytest.mark.sim
@pytest.mark.parametrize("name", BUGS)
def test_without_the_bug_nothing_is_found(name: str) -> None:
    """The same seed and faults are sound when nothing is planted."""
    report = simulate(1, SHAPE, SECONDS, BUGS[name].faults, fsck_share=1.0)
    assert not report.failure
