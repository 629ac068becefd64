"""Moves that persons make: at once or by way of a draft, and what becomes of drafts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import node
from node.commands import COMMANDS
from node.commands.acts import ACTS
from node.desk import Made
from node.faults import Code, UserFault
from node.hands import Hand, allows, hand_of
from node.store.people import DraftState
from sync.errors import InputFault
from tests.unit.node_base.desks import PaperDesk
from tiers.people import Act, Approval, Deputy, Person, Role, Roster, Wanted, roster_of

OFFICER, APPROVER = frozenset({Role.OFFICER}), frozenset({Role.APPROVER})
PEOPLE = (
    Person("li", "李秀英", "城管局督查处", OFFICER),
    Person("wang", "王建国", "城管局", APPROVER),
    Person("chen", "陈立", "城管局", APPROVER),
    Person("qian", "钱多", "城管局", frozenset({Role.VIEWER})),
)


@pytest.fixture
def desk() -> Iterator[PaperDesk]:
    """A province with people."""
    made = PaperDesk()
    made.change(lambda store: [store.people.put(person) for person in PEOPLE])
    yield made
    made.close()


def _code(answer: object) -> Code:
    assert isinstance(answer, UserFault), answer
    return answer.code


def test_while_no_people_are_declared_a_move_leaves_at_once() -> None:
    """As ever: whoever reaches the socket makes it."""
    bare = PaperDesk()
    made = bare.hand_in("root", "t", "register", "issue")
    assert [body.move for body in made.left] == ["register", "issue"]
    assert bare.drafts() == []
    bare.close()


def test_an_officer_s_move_waits_and_leaves_when_an_approver_approves(desk: PaperDesk) -> None:
    """Both moves in one act, with organisation and role, and who opened the task handles it."""
    handed = desk.hand_in("li", "t", "register", "issue")
    assert handed.left == []
    assert isinstance(handed.answer, Made)
    assert handed.answer.draft is not None
    approved = desk.decide("wang", handed.answer.draft.id)
    assert [(body.move, body.by_org, body.by_role) for body in approved.left] == [
        ("register", "城管局督查处", "approver"),
        ("issue", "城管局督查处", "approver"),
    ]
    assert desk.drafts() == []
    assert desk.store.people.assigned_to("t") == "li"
    assert _code(desk.decide("wang", handed.answer.draft.id).answer) is Code.DRAFT_ENDED


def test_notes_leave_at_once_as_the_person_s_role(desk: PaperDesk) -> None:
    """A remark is no decision."""
    desk.decide("wang", _drafted(desk, "li", "register", "issue"))
    assert desk.hand_in("li", "t", "remark", due="2027-12-31").left == [], "it says a day"
    (remark,) = desk.hand_in("li", "t", "remark").left
    assert (remark.by_org, remark.by_role) == ("城管局督查处", "officer")


def test_an_approver_s_own_move_needs_another_one(desk: PaperDesk) -> None:
    """Four eyes; neither the author nor a deputy of the author."""
    desk.change(lambda store: store.people.add_deputy(Deputy("wang", "qian", desk.day, desk.day)))
    draft = _drafted(desk, "wang", "register")
    assert _code(desk.decide("wang", draft).answer) is Code.FOUR_EYES
    assert _code(desk.decide("qian", draft).answer) is Code.FOUR_EYES
    assert _code(desk.decide("li", draft).answer) is Code.PERSON_FORBIDS
    assert desk.drafts() == [draft]
    assert desk.decide("chen", draft).left


def test_a_deputy_approves_on_the_days_that_were_said(desk: PaperDesk) -> None:
    """And not on the day after."""
    desk.change(lambda store: store.people.add_deputy(Deputy("wang", "qian", desk.day, desk.day)))
    first, second = _drafted(desk, "li", "register"), _drafted(desk, "li", "register", task="u")
    assert desk.decide("qian", first).left
    desk.day = date(2026, 10, 2)
    assert _code(desk.decide("qian", second).answer) is Code.PERSON_FORBIDS


def test_a_draft_whose_task_has_gone_on_is_kept_as_stale(desk: PaperDesk) -> None:
    """With the reason; it cannot be approved any more, and nothing left."""
    desk.decide("wang", _drafted(desk, "li", "register", "issue"))
    first, second = _drafted(desk, "li", "withdraw"), _drafted(desk, "li", "withdraw")
    assert desk.decide("wang", first).left
    late = desk.decide("wang", second)
    assert (_code(late.answer), late.left) == (Code.DRAFT_STALE, [])
    kept = desk.store.people.draft(second)
    assert kept is not None
    assert (kept.state, "withdrawn" in kept.reason) == (DraftState.STALE, True)
    assert _code(desk.decide("wang", second).answer) is Code.DRAFT_ENDED


def test_what_cannot_be_made_is_no_draft(desk: PaperDesk) -> None:
    """It is told at once, not when an approver comes to it; and one bad move takes the others with it."""
    told = desk.hand_in("li", "t", "register", "close")
    assert isinstance(told.answer, InputFault)
    assert (told.left, desk.drafts("")) == ([], [])


def test_a_draft_waits_on_while_the_node_cannot_move(desk: PaperDesk) -> None:
    """A node that is being restored takes no move; the approval is given again later."""
    draft = _drafted(desk, "li", "register", "issue")
    desk.recovering = True
    assert isinstance(desk.decide("wang", draft).answer, InputFault)
    assert desk.drafts() == [draft]
    desk.recovering = False
    assert len(desk.decide("wang", draft).left) == 2


def test_refused_and_dropped_drafts_never_leave(desk: PaperDesk) -> None:
    """An approver refuses with a reason, who answers for a draft drops it, nobody else does."""
    refused, dropped = _drafted(desk, "li", "register"), _drafted(desk, "li", "register", task="u")
    assert isinstance(desk.decide("wang", refused, DraftState.REFUSED, "依据不足").answer, Made)
    assert _code(desk.decide("chen", dropped, DraftState.DROPPED).answer) is Code.PERSON_FORBIDS
    assert isinstance(desk.decide("li", dropped, DraftState.DROPPED).answer, Made)
    for draft in (refused, dropped):
        late = desk.decide("wang", draft)
        assert (_code(late.answer), late.left) == (Code.DRAFT_ENDED, [])
    assert _code(desk.decide("wang", 99).answer) is Code.DRAFT_UNKNOWN


def test_who_may_not_move_hands_nothing_in(desk: PaperDesk) -> None:
    """A viewer, a stranger, and the account that runs the node in nobody's name."""
    for name in ("qian", "stranger", ""):
        told = desk.hand_in(name, "t", "register", owner=True)
        assert (_code(told.answer), told.left) == (Code.PERSON_FORBIDS, [])


def test_moves_that_settings_free_leave_at_once(desk: PaperDesk) -> None:
    """By name, or none needs approval."""
    desk.approval = Approval(Wanted.ALL, ("W2.register",))
    assert desk.hand_in("li", "t", "register").left
    assert not desk.hand_in("li", "t", "issue").left
    desk.approval = Approval(Wanted.OFF)
    assert desk.hand_in("li", "t", "issue").left == [], "the flow gives it to approvers"
    assert desk.hand_in("wang", "t", "issue").left


def _drafted(desk: PaperDesk, name: str, *moves: str, task: str = "t") -> int:
    answer = desk.hand_in(name, task, *moves).answer
    assert isinstance(answer, Made), answer
    assert answer.draft is not None
    return answer.draft.id


def test_a_move_leaves_by_the_desk_or_from_the_node_itself() -> None:
    """Where a move is given to the core, and who makes moves for no person: a new place must ask for approval. What is
    told again to a successor was approved when it was made."""
    folder = Path(node.__file__).parent
    texts = {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.py")}
    given = {name for name, text in texts.items() if "LocalMove(" in text and not name.startswith("sim/")}
    by_itself = {name for name, text in texts.items() if "node.move(" in text}
    assert given == {"desk.py", "jobs.py", "passing_over.py"}
    assert by_itself == {"dues.py", "grading.py", "supervising.py", "timekeeper.py"}


# --- who is asking ----------------------------------------------------------------------------------------------------


def test_every_command_says_which_act_it_is() -> None:
    """What is not in the table runs for nobody."""
    assert set(ACTS) == set(COMMANDS)


@pytest.mark.parametrize(
    ("said", "person", "owner"),
    [
        ("tiersync (li)", "li", False),
        ("root (li)", "li", False),
        ("tiersync", "tiersync", True),
        ("root", "root", True),
        ("li", "li", False),
        ("", "", False),
    ],
)
def test_a_caller_is_the_account_before_sudo(said: str, person: str, owner: bool) -> None:
    """Only who calls as the account of the node, in nobody's name, is its owner."""
    assert hand_of(said, "tiersync") == Hand(said, person, owner)


def test_the_owner_administers_and_makes_no_moves() -> None:
    """So nobody is locked out, and no move is nobody's."""
    roster = roster_of(PEOPLE, ())
    owner, day = Hand("tiersync", "tiersync", True), date(2026, 10, 1)
    assert allows(roster, owner, Act.ADMINISTER, day)
    assert allows(roster, owner, Act.BRING, day)
    assert not allows(roster, owner, Act.WORK, day)
    assert not allows(roster, owner, Act.APPROVE, day)
    assert not allows(roster, Hand("x", "x"), Act.SEE, day)
    assert all(allows(Roster(), Hand("x", "x"), act, day) for act in Act)
