"""Rehearsing by the command line."""

from __future__ import annotations

from tests.unit.cli.conftest import Call


def test_a_seed_is_simulated_and_repeats(call: Call) -> None:
    """The same seed gives the same report; a person gets one line for each."""
    one, two = (call("simulate", "--seed", "7", "--json").json for _ in range(2))
    assert one == two
    assert (one["failed"], one["seeds"][0]["sound"]) == ([], True)
