"""The harness finds bugs: each planted one shows within its number of seeds, and as what it is."""

from __future__ import annotations

import pytest

from node.sim.run import Report, simulate
from tests.sim.planted import BUGS, Bug

SHAPE = (1, 2, 5)
SECONDS = 30.0


def seen(bug: Bug, seed: int) -> Report:
    """One seed under the faults of a bug."""
    return simulate(seed, SHAPE, SECONDS, bug.faults)


@pytest.mark.sim
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found_and_nothing_without_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within its seeds, as one of the invariants that it breaks, in the same words each time the seed is run; and
    that very seed is sound when the bug is taken out."""
    bug = BUGS[name]
    with monkeypatch.context() as patch:
        bug.plant(patch)
        found = next((report for seed in range(bug.seeds) if not (report := seen(bug, seed)).sound), None)
        assert found is not None, f"{name}: not found in {bug.seeds} seeds"
        assert found.invariant in bug.shows_as, found.failure
        again = seen(bug, found.seed)
        assert (again.failure, again.trace) == (found.failure, found.trace)
    assert not seen(bug, found.seed).failure
