"""Several tasks as one: the targets of a key task, and the parts that a province handed on to its cities."""

from __future__ import annotations

import pytest

from sync.errors import InputFault
from tests.unit.tiers.desks import FLOWS, Desk, desks_of, settle
from tests.unit.tiers.kit import CITY_STANDS, PROVINCE_STANDS
from tiers.flows.bundle import BUNDLE, PART_OF, Bundle, Part, Whole, bundle_of, part, said_in
from tiers.flows.guards import Facts
from tiers.flows.steps import Author, propose

W1 = FLOWS["W1"]
TO_CLOSE = ("issue", "receive", "begin", "submit", "approve", "close")


def one(*moves: str) -> Part:
    """A part whose task went through these moves."""
    return part(W1, desks_of(W1, *moves)[0].history())


WHOLES = {
    "drafts alone": ([(), ()], Whole.DRAFT),
    "one of them issued": ([(), ("issue",)], Whole.ISSUED),
    "one received": ([("issue",), ("issue", "receive")], Whole.IN_PROGRESS),
    "one closed, one not begun": ([TO_CLOSE, ("issue",)], Whole.IN_PROGRESS),
    "one closed, one withdrawn": ([TO_CLOSE, ("issue", "withdraw")], Whole.COMPLETED),
    "all withdrawn": ([("issue", "withdraw"), ("withdraw",)], Whole.WITHDRAWN),
    "all closed": ([TO_CLOSE, TO_CLOSE], Whole.COMPLETED),
}


@pytest.mark.parametrize("case", WHOLES)
def test_the_master_s_state_follows_from_its_parts(case: str) -> None:
    """Draft, issued, in progress, completed, withdrawn."""
    moves, whole = WHOLES[case]
    assert bundle_of(one(*made) for made in moves).whole is whole


def test_an_order_of_parts_does_not_matter() -> None:
    """It is a view, not a state."""
    parts = [one("issue"), one(*TO_CLOSE), one("issue", "withdraw")]
    assert bundle_of(parts).whole is bundle_of(reversed(parts)).whole
    assert bundle_of(parts).states == {"issued": 1, "closed": 1, "withdrawn": 1}


def fifteen(*, late: tuple[str, ...]) -> Bundle:
    """A task handed on to fifteen cities: one was withdrawn, one is overdue and went so far, the others are closed."""
    overdue = ("issue", "receive", "begin", "overdue", *late)
    return bundle_of([one("issue", "receive", "withdraw"), one(*overdue), *[one(*TO_CLOSE)] * 13])


def submit(desk: Desk, parts: Bundle, **more: str) -> str:
    """What becomes of the submission at the province's desk."""
    try:
        author, fields = Author(desk.node), {"result": "done", **more}
        propose(desk.flow, desk.history(), (), "submit", "m", author, desk.now, fields, Facts(parts_open=parts.open))
    except InputFault as fault:
        return f"{fault.reason.name} {fault}"
    return ""


def test_trap_10_sub_assigned_to_fifteen_cities_one_withdrawn_one_overdue() -> None:
    """The province's own task is not submitted while a part is open, unless it says why; what was withdrawn is over."""
    _, province = desks_of(W1, "issue", "receive", "split")
    still = fifteen(late=())
    assert (still.whole, still.open, still.states["closed"]) == (Whole.IN_PROGRESS, 1, 13)
    assert submit(province, still).startswith("WRONG_STATE")
    assert "1 part(s) of the task are open" in submit(province, still)
    assert submit(province, still, override_reason="the last one follows") == ""
    done = fifteen(late=("submit", "approve", "close"))
    assert (done.whole, done.open) == (Whole.COMPLETED, 0)
    assert submit(province, done) == ""


def test_a_part_says_what_it_is_a_part_of() -> None:
    """In its opening move, so that it is signed and known at both ends."""
    province, city = Desk(PROVINCE_STANDS, W1), Desk(CITY_STANDS, W1)
    province.begin(city.node, {"title": "x", "bundle": "flood-2026", "part_of": "n-17"})
    settle(province, city)
    assert (said_in(city.history(), BUNDLE), said_in(city.history(), PART_OF)) == ("flood-2026", "n-17")
    assert said_in((), BUNDLE) == ""


def test_a_cycle_is_in_the_phase_of_its_last_city() -> None:
    """Of those that were not called off; a flow without phases is in none."""
    flow = FLOWS["W6"]
    names = [one.value for one in flow.phases]

    def at(*states: str) -> str:
        parts = [
            Part(str(n), "W6", "c", state, False, True, flow.has_ended(state), state == "withdrawn", _phase(state))
            for n, state in enumerate(states)
        ]
        place = bundle_of(parts).phase
        return names[place] if place >= 0 else ""

    def _phase(state: str) -> int:
        said = flow.state(state).phase
        return names.index(said) if said else -1

    assert at("to_fill", "archived", "settled") == "filling"
    assert at("appealed", "accepted") == "feedback"
    assert at("archived", "archived") == "archived"
    assert at("archived", "withdrawn") == "archived"
    assert at("withdrawn") == ""
    assert FLOWS["W1"].phases == ()
    assert {state.phase for state in flow.states} == {*names, ""}
