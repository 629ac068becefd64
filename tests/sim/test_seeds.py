"""Every promise of design section 3, at every commit and frame, while everything breaks; then all rows compared.

A failing seed repeats: `tiersync simulate --seed N`, or `pytest tests/sim --first-seed N --seeds 1`. What a seed has
found stays as a story in tests/scenarios, since a seed means something else once the simulator draws otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from node.sim import federation
from node.sim.faults import ALL, Faults
from node.sim.run import simulate
from tests.scenarios.test_district import with_a_district

GROUP = 10


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Seeds in groups, so that workers share them evenly and a test is not all overhead."""
    if "first_seed" in metafunc.fixturenames:
        first, count = metafunc.config.getoption("--first-seed"), metafunc.config.getoption("--seeds")
        groups = [(seed, min(GROUP, first + count - seed)) for seed in range(first, first + count, GROUP)]
        ids = [f"{seed}-{seed + size - 1}" for seed, size in groups]
        metafunc.parametrize(("first_seed", "size"), groups, ids=ids)


@pytest.mark.sim
def test_every_promise_holds_under_every_seed(first_seed: int, size: int) -> None:
    """A tree of 1 + 3 + 9 nodes works for a minute under the faults that its seed draws, heals, and is level."""
    failures = [report.failure for seed in range(first_seed, first_seed + size) if (report := simulate(seed)).failure]
    assert not failures, "\n".join(failures)


@pytest.mark.sim
@pytest.mark.parametrize("kind", list(ALL.names()))
def test_each_kind_of_fault_alone(kind: str) -> None:
    """So that a failure of a mixture can be told from one of a kind."""
    report = simulate(4_000, shape=(1, 2, 5), seconds=40, faults=Faults(**{kind: True}))
    assert not report.failure


@pytest.mark.sim
@pytest.mark.parametrize("seed", [6, 8, 105])
def test_every_promise_holds_over_four_tiers_too(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A district below a city that is restored, copied and cut off like any other: the simulator knows no tier more."""
    monkeypatch.setattr(federation, "make_tree", with_a_district)
    report = simulate(seed, shape=(1, 2, 4), seconds=40)
    assert not report.failure


@pytest.mark.sim
def test_the_work_is_real() -> None:
    """A seed without any failure still moves rows through three tiers and proves stores."""
    report = simulate(3, faults=Faults())
    assert report.sound
    assert report.entries > 500
    assert report.commits > 1_000
    assert report.transactions > 80


@pytest.mark.sim
def test_a_seed_repeats_whatever_the_hash_seed_of_the_process() -> None:
    """The same frames at the same times, twice here and once in a process that hashes strings otherwise."""
    code = "from node.sim.run import simulate; print(simulate(7, shape=(1, 2, 4), seconds=30).trace)"
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    first, again = (simulate(7, shape=(1, 2, 4), seconds=30).trace for _ in range(2))
    other = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert first == again == other.stdout.strip()
