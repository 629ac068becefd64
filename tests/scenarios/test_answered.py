"""The simulator keeps what local callers were told is done, and finds each sort of it missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.sim.violation import Violation
from tests.scenarios.country import Country


def _put(country: Country) -> None:
    country.case("c1", 1, state="closed")


def _void(country: Country) -> None:
    country.void("c1", 1)


def _move(country: Country) -> None:
    country.move("c1", "sign")


@pytest.mark.parametrize(
    ("work", "lost"),
    [(_put, "case ('330100-001',)"), (_void, "the void of case ('330100-001',)"), (_move, "move-3 of T")],
)
def test_what_was_answered_and_is_gone_after_a_crash_is_a_violation(work: Callable[[Country], None], lost: str) -> None:
    """The store is an older one, and nobody said so."""
    country = Country()
    country.case("c1", 1)
    country.move("n", "register")
    country.move("n", "issue")
    country.run(3)
    node = country["c1"]
    older = country.copy("c1")
    work(country)
    country.net.watch.check_answers(node)
    country.net.crash(node)
    node.use(older)
    with pytest.raises(Violation) as found:
        country.net.restart(node)
    assert found.value.name == "answer_not_durable"
    assert lost in found.value.detail
