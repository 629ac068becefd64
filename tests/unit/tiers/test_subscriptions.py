"""The life of a subscription: its table, what days bring about, and who checks."""

from __future__ import annotations

import pytest

from sync.errors import InputFault
from tiers.subscriptions import (
    APPLIED,
    CHECKED,
    DISPUTED,
    ENDED,
    EXPIRED,
    GRANTED,
    IN_USE,
    OVER,
    OVERRULED,
    REFUSED,
    UPHELD,
    WITHDRAWN,
    Owed,
    Said,
    Side,
    arbiter_of,
    checker_of,
    choose,
    due,
    open_moves,
    owed,
    standing,
)

STATES = (APPLIED, CHECKED, GRANTED, IN_USE, REFUSED, EXPIRED, WITHDRAWN, ENDED, DISPUTED, UPHELD, OVERRULED)
ALLOWED = {
    (APPLIED, Side.APPLICANT): {"withdraw": WITHDRAWN},
    (APPLIED, Side.CHECKER): {"check": CHECKED, "refuse": REFUSED},
    (CHECKED, Side.APPLICANT): {"withdraw": WITHDRAWN},
    (CHECKED, Side.OWNER): {"approve": GRANTED, "refuse": REFUSED},
    (GRANTED, Side.APPLICANT): {"withdraw": WITHDRAWN},
    (GRANTED, Side.OWNER): {"withdraw": WITHDRAWN},
    (IN_USE, Side.APPLICANT): {"withdraw": ENDED},
    (IN_USE, Side.OWNER): {"withdraw": WITHDRAWN},
    (REFUSED, Side.APPLICANT): {"dispute": DISPUTED},
    (DISPUTED, Side.APPLICANT): {"withdraw": WITHDRAWN},
    (DISPUTED, Side.ARBITER): {"uphold": UPHELD, "overrule": OVERRULED},
    (OVERRULED, Side.APPLICANT): {"withdraw": WITHDRAWN},
    (OVERRULED, Side.OWNER): {"approve": GRANTED},
}


def said_as(state: str) -> Said:
    """Rows by which a subscription stands in a state, the owner's row decisive where it may be."""
    if state in (DISPUTED, UPHELD, OVERRULED):
        return Said(DISPUTED, CHECKED, REFUSED, "" if state == DISPUTED else state)
    return Said(APPLIED) if state == APPLIED else Said(APPLIED, CHECKED, "" if state == CHECKED else state)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", STATES)
def test_each_side_may_make_its_own_moves_only(state: str, side: Side) -> None:
    assert standing(said_as(state)) == state
    allowed = {move.name: move.to for move in open_moves(said_as(state), {side})}
    assert allowed == ALLOWED.get((state, side), {})
    for name in ("check", "approve", "refuse", "withdraw", "dispute", "uphold", "overrule"):
        if name in allowed:
            assert choose(said_as(state), {side}, name, "why").to == allowed[name]
        else:
            with pytest.raises(InputFault, match=f"that is '{state}' allows here"):
                choose(said_as(state), {side}, name, "why")


@pytest.mark.parametrize(
    ("state", "side", "name", "needed"),
    [
        (APPLIED, Side.CHECKER, "refuse", True),
        (CHECKED, Side.OWNER, "refuse", True),
        (IN_USE, Side.OWNER, "withdraw", True),
        (IN_USE, Side.APPLICANT, "withdraw", False),
        (CHECKED, Side.OWNER, "approve", False),
    ],
)
def test_who_says_no_says_why(state: str, side: Side, name: str, needed: bool) -> None:
    if needed:
        with pytest.raises(InputFault, match="needs a reason"):
            choose(said_as(state), {side}, name, "")
    else:
        choose(said_as(state), {side}, name, "")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Said(APPLIED, REFUSED), REFUSED),
        (Said(WITHDRAWN, CHECKED), WITHDRAWN),
        (Said(WITHDRAWN, CHECKED, GRANTED), WITHDRAWN),
        (Said(ENDED, CHECKED, IN_USE), ENDED),
        (Said(ENDED, CHECKED, WITHDRAWN), WITHDRAWN),
        (Said(WITHDRAWN, CHECKED, REFUSED), REFUSED),
        (Said(APPLIED, "", CHECKED), CHECKED),
        (Said("", "", IN_USE), IN_USE),
        (Said("", CHECKED), CHECKED),
        (Said(DISPUTED, REFUSED), DISPUTED),
        (Said(DISPUTED, REFUSED, "", OVERRULED), OVERRULED),
        (Said(DISPUTED, REFUSED, IN_USE, OVERRULED), IN_USE),
        (Said(DISPUTED, CHECKED, REFUSED, UPHELD), UPHELD),
        (Said(WITHDRAWN, CHECKED, REFUSED, OVERRULED), REFUSED),
        (Said(DISPUTED, CHECKED, EXPIRED, OVERRULED), EXPIRED),
        (Said(ENDED, CHECKED, IN_USE, OVERRULED), ENDED),
    ],
)
def test_rows_that_crossed_say_one_thing_at_every_end(said: Said, state: str) -> None:
    assert standing(said) == state


DAYS = ("2026-04-01", "2026-04-30")


@pytest.mark.parametrize(
    ("said", "today", "state"),
    [
        (Said(APPLIED, CHECKED, GRANTED), "2026-03-31", ""),
        (Said(APPLIED, CHECKED, GRANTED), "2026-04-01", IN_USE),
        (Said(APPLIED, CHECKED, GRANTED), "2026-05-01", EXPIRED),
        (Said(APPLIED, CHECKED, IN_USE), "2026-04-30", ""),
        (Said(APPLIED, CHECKED, IN_USE), "2026-05-01", EXPIRED),
        (Said(ENDED, CHECKED, IN_USE), "2026-04-10", ENDED),
        (Said(WITHDRAWN, CHECKED, GRANTED), "2026-03-31", WITHDRAWN),
        (Said(ENDED, CHECKED, IN_USE), "2026-05-01", ENDED),
        (Said(APPLIED, CHECKED), "2026-05-01", ""),
        *((Said(APPLIED, CHECKED, over), "2026-05-01", "") for over in OVER),
    ],
)
def test_what_days_and_the_applicant_bring_about(said: Said, today: str, state: str) -> None:
    assert due(said, *DAYS, today) == state


@pytest.mark.parametrize(
    ("said", "side", "days"),
    [
        (Said(APPLIED), Side.CHECKER, 2),
        (Said(APPLIED, CHECKED), Side.OWNER, 10),
        (Said(DISPUTED, CHECKED, REFUSED), Side.ARBITER, 10),
        (Said(DISPUTED, CHECKED, REFUSED, OVERRULED), Side.OWNER, 10),
    ],
)
def test_somebody_answers_until_a_day_while_it_waits(said: Said, side: Side, days: int) -> None:
    """And nobody once it is in use or over."""
    assert owed(said, 10) == Owed(side, days)
    assert (owed(said) or Owed(side, 0)).days == (5 if side is Side.OWNER else days)
    assert [owed(said_as(state)) for state in (*OVER, GRANTED, IN_USE)] == [None] * (len(OVER) + 2)


@pytest.mark.parametrize(
    ("said", "applicant", "provider", "arbiter"),
    [
        (Said(APPLIED, CHECKED, REFUSED), "c1", "c2", "p1"),
        (Said(APPLIED, REFUSED), "c1", "c2", "n"),
        (Said(APPLIED, CHECKED, REFUSED), "c1", "c3", "n"),
        (Said(APPLIED, REFUSED), "c1", "c3", ""),
        (Said(APPLIED, "", REFUSED), "c1", "p1", "n"),
        (Said(APPLIED, "", REFUSED), "p1", "c1", "n"),
        (Said(APPLIED, "", REFUSED), "c1", "n", ""),
        (Said(APPLIED, "", REFUSED), "n", "c1", "p1"),
    ],
)
def test_who_rules_on_a_refusal_is_no_side_of_it(said: Said, applicant: str, provider: str, arbiter: str) -> None:
    def parent_of(node: str) -> str:
        return PARENTS.get(node, "")

    checker = checker_of(applicant, provider, parent_of)
    assert arbiter_of(said, applicant, provider, checker, parent_of) == arbiter


PARENTS = {"p1": "n", "p2": "n", "c1": "p1", "c2": "p1", "c3": "p2", "d1": "c1"}


@pytest.mark.parametrize(
    ("applicant", "provider", "checker"),
    [
        ("c1", "c2", "p1"),
        ("c1", "c3", "n"),
        ("d1", "c2", "p1"),
        ("c1", "p1", "p1"),
        ("p1", "c1", "c1"),
        ("n", "c1", "c1"),
        ("d1", "n", "n"),
        ("c1", "p2", "n"),
        ("stranger", "c1", "c1"),
    ],
)
def test_the_nearest_node_above_both_checks_or_the_provider(applicant: str, provider: str, checker: str) -> None:
    """Never the applicant, and never a node that one of the two could name freely."""
    assert checker_of(applicant, provider, lambda node: PARENTS.get(node, "")) == checker
