"""What follows from moves by itself: tasks for others, what is told back of them; each once, however often one asks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.wire.v1.entry_pb2 import MoveBody
from tests.unit.tiers.desks import FLOWS, Desk, desks_of, settle
from tests.unit.tiers.kit import CITY, CITY_STANDS, NATION, PROVINCE, PROVINCE_STANDS
from tests.unit.tiers.test_flows_declared import SITE, mistakes
from tiers.flows.consequences import echoes, openings, openings_by
from tiers.flows.steps import fields_of

OTHER = "c330200.p330000.cn-demo"
W3U, W3D = FLOWS["W3U"], FLOWS["W3D"]


def asked() -> tuple[Desk, Desk]:
    """A city's case at its province, which has accepted it."""
    return desks_of(W3U, "accept")


def test_a_direction_starts_a_task_once_the_asking_city_has_confirmed_it() -> None:
    """Pending it starts nothing; refused, since the city withdrew, it never does."""
    city, province = asked()
    province.make("direct", {"to_node": OTHER, "requirement": "x"})
    assert not list(openings(W3U, province.history(), PROVINCE, NATION))
    settle(city, province)
    (one,) = openings(W3U, province.history(), PROVINCE, NATION)
    assert (one.flow, one.holder, one.fields["part_of"]) == ("W3D", OTHER, city.history()[0].task)
    assert not list(openings(W3U, province.history(), CITY, PROVINCE)), "only the holder's node does it"
    late, above = asked()
    late.make("withdraw", {"reason": "x"})
    above.make("direct", {"to_node": OTHER, "requirement": "x"})
    settle(late, above)
    assert not list(openings(W3U, above.history(), PROVINCE, NATION))


def test_each_direction_is_a_task_of_its_own_in_its_own_words() -> None:
    """To two cities, or to one again: what a later move says does not change what an earlier one started."""
    city, province = asked()
    for words, node in (("first", OTHER), ("second", "c330300.p330000.cn-demo"), ("third", OTHER)):
        province.make("direct", {"to_node": node, "requirement": words})
        settle(city, province)
    found = list(openings(W3U, province.history(), PROVINCE, NATION))
    assert [one.fields["requirement"] for one in found] == ["first", "second", "third"]
    assert len({one.task for one in found}) == 3
    assert found == list(openings(W3U, province.history(), PROVINCE, NATION))
    body = province.make("bring_up", {"request": "fourth"})
    (up,) = openings_by(W3U, province.history(), body, PROVINCE, NATION)
    assert (up.flow, up.holder, up.fields["request"]) == ("W3U", NATION, "fourth")


STEPS = st.lists(st.integers(0, 40), max_size=25)


@settings(max_examples=60)
@given(steps=STEPS, again=st.booleans())
def test_of_a_part_all_is_told_once_in_order_and_no_result_before_it_is_confirmed(
    steps: list[int], again: bool
) -> None:
    """Whatever the two sides of the part do, and whenever the holder of the whole looks."""
    city, province = asked()
    issuer, holder = Desk(PROVINCE_STANDS, W3D), Desk(CITY_STANDS, W3D)
    issuer.begin(holder.node)
    settle(issuer, holder)
    for step in steps:
        (issuer if step % 2 else holder).goes_on(step)
        settle(issuer, holder)
        if again:
            tell(province, issuer.history())
            settle(city, province)
    tell(province, issuer.history())
    tell(province, issuer.history())
    settle(city, province)
    told = [one for one in city.history() if one.move == "mirror"]
    on = {move for mirror in W3U.mirrors if mirror.of == "W3D" for move in mirror.on}
    assert all(one.accepted for one in told)
    assert len(told) == sum(one.move in on for one in issuer.history() if one.accepted)
    confirmed = issuer.state() == "closed"
    assert [bool(fields_of(one).get("result")) for one in told] == [False] * (len(told) - confirmed) + [
        True
    ] * confirmed
    assert {fields_of(one)["about"] for one in told} <= {holder.node}


def tell(desk: Desk, part: list[MoveBody]) -> None:
    """As the node of the holder of the whole does it."""
    for echo in echoes(W3U, W3D, part, [*desk.history(), *desk.pending()]):
        desk.make(echo.move, echo.fields)
        desk.pending()[-1].move_id = echo.move_id


NUMBERS = ("13812345678", "0571-88887777", "11010519491231002X")


@pytest.mark.parametrize("name", ["W3D", "W3U"])
@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_persons_do_not_enter_a_case_that_crosses(name: str, number: str) -> None:
    """In no text of any move of either side; what names other things keeps its digits."""
    flow = FLOWS[name]
    issuer, holder = desks_of(flow)
    masked = {f.name for f in flow.fields if f.masked}
    texts = {f.name for f in flow.fields if f.kind.value == "text"}
    ids = {"case", "part_of", "contact", "about", "override_reason"}
    assert masked == texts - ids
    for desk in (issuer, holder):
        fields = {**desk.fields, **dict.fromkeys(masked, f"举报人 {number}"), "case": number}
        body = desk.make("comment", fields)
        said = fields_of(body)
        assert not any(number in said[field] for field in masked)
        assert said["case"] == number
        settle(issuer, holder)


MIRROR = """
[[flow.x_visit.mirrors]]
of = "W2"
on = ["sign"]
move = "comment"
fields = { text = "@state_title" }
"""
WRONG = {
    'of = "W2"': ('of = "W99"', "tells of 'W99', which is no flow"),
    '["sign"]': ('["sing"]', "tells of 'sing', which is no move of 'W2'"),
    '"comment"': ('"agree"', "tells by 'agree', which is no move of the holder that always counts"),
    "text =": ("kind =", "tells by 'comment' without saying 'text'"),
    '"@state_title"': ('"@gone"', "with '@gone', which is no field of 'W2'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_told_back_must_fit_both_flows(case: str) -> None:
    """Found when it is declared, not when it is to be told."""
    other, words = WRONG[case]
    assert words in mistakes(SITE + MIRROR.replace(case, other))


def test_a_task_for_another_must_say_for_whom() -> None:
    """By a field that the move must say, or the parent; and a holder's node starts none for its own holder."""
    assert "must say for whom" in mistakes(SITE.replace("after = 2\n", 'by = "holder"\n'))
    assert "which that move need not say" in mistakes(SITE.replace("after = 2\n", 'to = "@heads"\n'))
    assert "which is not issued to a node above" in mistakes(
        SITE.replace("after = 2\n", 'to = "@parent"\n').replace('flow = "W3U"', 'flow = "W2"')
    )
    assert "masked: 'kind' is no field of text" in mistakes(SITE.replace("issuers =", 'masked = ["kind"]\nissuers ='))
