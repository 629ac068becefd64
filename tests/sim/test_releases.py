"""The later releases that simulated nodes get only add, and in every way that the rule allows."""

from __future__ import annotations

from itertools import pairwise

from node.sim.places import catalogue
from node.sim.releases import FIRST, NEWEST
from tiers.evolution import compare, compare_chain


def test_the_simulated_releases_only_add() -> None:
    """Each step and all of them together: otherwise the sweep would prove nothing of real releases."""
    releases = [catalogue(release=number) for number in range(FIRST, NEWEST + 1)]
    found = compare_chain(releases)
    assert found
    assert all(change.allowed for change in (*found, *compare(releases[0], releases[-1])))
    said = {change.said.form for change in found}
    assert {
        "a new column",
        "new values: {}",
        "'{}' widens from {} to {}",
        "a new publication",
        "a new dataset",
        "new among its '{}': {}",
    } <= said


def test_every_step_raises_the_version_of_what_it_changes() -> None:
    """A receiver knows by the version alone that it is behind."""
    for before, after in pairwise(catalogue(release=number) for number in range(FIRST, NEWEST + 1)):
        for name, dataset in before.datasets.items():
            assert dataset == after.datasets[name] or dataset.version < after.datasets[name].version
