"""What roles may do, who stands in for whom, and which moves need a second pair of eyes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from tests.unit.tiers.kit import CATALOGUE
from tiers.flows.table import Role as Least
from tiers.people import BY_DEPUTY, MAY, Act, Approval, Deputy, Person, Role, Roster, Wanted, is_note, roster_of

W2, W9D = CATALOGUE.flows["W2"], CATALOGUE.flows["W9D"]
DAY = date(2026, 10, 1)
ORG = "督查处"


def person(name: str, *roles: Role, active: bool = True) -> Person:
    return Person(name, name.title(), ORG, frozenset(roles), active)


def roster(*deputies: Deputy) -> Roster:
    return roster_of(
        [
            person("li", Role.OFFICER),
            person("wang", Role.APPROVER),
            person("zhao", Role.ADMINISTRATOR),
            person("qian", Role.VIEWER),
            person("gone", Role.APPROVER, active=False),
        ],
        deputies,
    )


def test_every_role_has_its_acts_and_nothing_else_is_allowed() -> None:
    """Each act is somebody's; a viewer only sees; who runs the node does not speak for it."""
    assert set(MAY) == set(Role)
    assert set().union(*MAY.values()) == set(Act)
    assert MAY[Role.VIEWER] == {Act.SEE}
    assert not {Act.WORK, Act.APPROVE} & MAY[Role.ADMINISTRATOR]
    assert Act.APPROVE not in MAY[Role.OFFICER]
    assert not {Act.ADMINISTER, Act.OPERATE} & BY_DEPUTY


@pytest.mark.parametrize(
    ("name", "act", "may"),
    [
        ("li", Act.WORK, True),
        ("li", Act.APPROVE, False),
        ("wang", Act.APPROVE, True),
        ("zhao", Act.ADMINISTER, True),
        ("zhao", Act.WORK, False),
        ("qian", Act.SEE, True),
        ("qian", Act.WORK, False),
        ("gone", Act.SEE, False),
        ("nobody", Act.SEE, False),
    ],
)
def test_who_may_what(name: str, act: Act, may: bool) -> None:
    """By role; nobody who left, nobody who was never declared."""
    assert (roster().right(name, act, DAY) is not None) is may


def test_a_deputy_acts_on_those_days_and_no_further() -> None:
    """From the first day to the last; not in the right of one who has left, not for a deputy's deputy, not to
    administer."""
    stands_in = roster(
        Deputy("wang", "qian", date(2026, 10, 1), date(2026, 10, 7)),
        Deputy("qian", "li", date(2026, 10, 1), date(2026, 10, 7)),
        Deputy("zhao", "qian", date(2026, 10, 1), date(2026, 10, 7)),
        Deputy("gone", "li", date(2026, 10, 1), date(2026, 10, 7)),
    )
    for day, may in ((30, False), (1, True), (7, True), (8, False)):
        at = date(2026, 9 if day == 30 else 10, day)
        assert (stands_in.right("qian", Act.APPROVE, at) is not None) is may, at
    right = stands_in.right("qian", Act.WORK, DAY)
    assert right is not None
    assert right.name == "wang"
    assert stands_in.right("li", Act.APPROVE, DAY) is None
    assert stands_in.right("qian", Act.ADMINISTER, DAY) is None


def test_nobody_approves_what_they_wrote() -> None:
    """Neither the author nor a deputy in the author's right; a deputy who is an approver does it in an own right."""
    stands_in = roster(Deputy("wang", "qian", DAY, DAY), Deputy("wang", "li", DAY, DAY))
    assert stands_in.approver("wang", "wang", DAY) is None
    assert stands_in.approver("qian", "wang", DAY) is None
    assert stands_in.approver("li", "li", DAY) is None
    assert stands_in.approver("qian", "li", DAY) is not None
    assert stands_in.approver("wang", "li", DAY) is not None


def test_notes_need_no_approval_and_what_changes_a_task_does() -> None:
    """A remark and a progress report say something; a longer limit is more than that, though it is quiet."""
    notes = {rule.name for rule in W2.moves if is_note(W2, rule, rule.fields)}
    assert notes == {"remark", "report", "remedied", "comment", "warned", "overdue", "restated"}
    approval, people = Approval(Wanted.ALL, ("W2.sign", "W9D.*")), roster()
    needing = {rule.name for rule in W2.moves if approval.needed(people, W2, rule, rule.fields, Role.OFFICER)}
    assert needing == {rule.name for rule in W2.moves} - notes - {"sign"}
    assert not any(approval.needed(people, W9D, rule, rule.fields, Role.OFFICER) for rule in W9D.moves)


def test_a_remark_that_says_a_day_is_more_than_a_note() -> None:
    """The newest day that the issuer said is the limit, whatever move says it."""
    remark = W2.rule("remark")
    assert remark is not None
    assert is_note(W2, remark, ("text", "anything"))
    assert not is_note(W2, remark, ("text", "due"))


def test_what_the_flow_gives_to_approvers_is_no_officer_s() -> None:
    """Whatever the settings free; an approver makes it, by the same settings as any move."""
    issue = W2.rule("issue")
    assert issue is not None
    reserved, people = replace(issue, role=Least.APPROVER), roster()
    for approval in (Approval(Wanted.OFF), Approval(without=("W2.issue",))):
        assert approval.needed(people, W2, reserved, (), Role.OFFICER)
        assert not approval.needed(people, W2, reserved, (), Role.APPROVER)
    assert Approval().needed(people, W2, reserved, (), Role.APPROVER), "four eyes"
    assert not Approval().needed(Roster(), W2, reserved, (), Role.OFFICER)


def test_by_itself_a_node_asks_for_what_its_flows_give_to_approvers() -> None:
    """An officer signs for a task alone; a reply waits."""
    people = roster()
    needing = {rule.name for rule in W2.moves if Approval().needed(people, W2, rule, rule.fields, Role.OFFICER)}
    assert needing == {rule.name for rule in W2.moves if rule.role is Least.APPROVER}
    assert "reply" in needing
    assert "sign" not in needing


def test_approval_begins_with_the_first_approver_and_does_not_end_with_the_last() -> None:
    """No approver ever: nothing to wait for. All of them left: drafts wait, the door does not open."""
    sign = W2.rule("sign")
    assert sign is not None
    only_officers = roster_of([person("li", Role.OFFICER)], ())
    left = roster_of([person("li", Role.OFFICER), person("gone", Role.APPROVER, active=False)], ())
    assert not Approval(Wanted.ALL).needed(only_officers, W2, sign, (), Role.OFFICER)
    assert Approval(Wanted.ALL).needed(left, W2, sign, (), Role.OFFICER)
    assert not Approval(Wanted.OFF).needed(left, W2, sign, (), Role.OFFICER)


def test_a_move_records_the_role_in_which_it_was_made() -> None:
    """An approver's own note is an approver's."""
    assert person("wang", Role.OFFICER, Role.APPROVER).speaks_as is Role.APPROVER
    assert person("li", Role.OFFICER, Role.VIEWER).speaks_as is Role.OFFICER
