"""Where a task stands: who must act and until when, by the hand-reckoned days of autumn 2026."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from sync.wire.v1.entry_pb2 import MoveBody, MoveField
from tests.unit.tiers.desks import FLOWS, W2
from tests.unit.tiers.kit import CITY, PROVINCE
from tests.unit.tiers.test_clocks import calendar, shown, us
from tiers.flows.clocks import read_limit
from tiers.flows.standing import Act, TaskStanding, overdue_max, say_due, standing
from tiers.flows.table import Flow, Party, Start, StateLimit

HOLDER = {"sign", "receive", "begin", "reply", "ask_extension", "ask_suspension", "resume", "report"}


class Story:
    """The moves of one task as both sides keep them."""

    def __init__(self, flow: Flow = W2) -> None:
        self.flow = flow
        self.history: list[MoveBody] = []

    def move(self, name: str, at: str, accepted: bool = True, **fields: str) -> Story:
        state = self.history[-1].state if self.history else ""
        rule = self.flow.rule(name)
        assert rule is not None
        body = MoveBody(
            flow=self.flow.id,
            task="t",
            move=name,
            number=len(self.history) + 1,
            issuer=PROVINCE,
            holder=CITY,
            by_node=CITY if name in HOLDER else PROVINCE,
            at=us(at),
            counted_at=us(at),
            accepted=accepted,
            state=rule.after(state) if accepted else state,
            fields=[MoveField(name=key, text=text) for key, text in fields.items()],
        )
        self.history.append(body)
        return self

    def at(self, now: str) -> TaskStanding:
        found = standing(self.flow, self.history, calendar(), us(now))
        assert found is not None
        return found


def issued(due: str = "2026-10-12") -> Story:
    """Registered and issued on Tuesday, 29 September; to be signed for within one working day."""
    return Story().move("register", "2026-09-29T15:00").move("issue", "2026-09-29T16:00", due=due)


def at_work(due: str = "2026-10-12") -> Story:
    return issued(due).move("sign", "2026-09-30T09:00")


def end(found: TaskStanding) -> str:
    assert found.due is not None
    return shown(found.due.at_us)


def act(found: TaskStanding) -> tuple[str, str] | None:
    return None if found.act is None else (found.act.move, shown(found.act.at_us))


def test_who_must_act_with_which_move_until_when() -> None:
    """Issued: the holder signs within a working day; then it replies by the day that the issuer said."""
    found = issued().at("2026-09-29T17:00")
    assert (found.state, found.owner, found.next, end(found)) == (
        "issued",
        Party.HOLDER,
        "sign",
        "2026-09-30 18:00:00",
    )
    found = at_work().at("2026-09-30T10:00")
    assert (found.owner, found.next, end(found)) == (Party.HOLDER, "reply", "2026-10-12 18:00:00")
    assert found.due is not None
    assert not found.due.is_provisional
    replied = at_work().move("reply", "2026-10-09T17:00").at("2026-10-09T17:30")
    assert (replied.owner, replied.next, end(replied)) == (Party.ISSUER, "check", "2026-10-13 18:00:00")


def test_states_of_one_stage_share_its_time() -> None:
    """Checking began with the reply, not when the issuer first looked at it."""
    replied = at_work().move("reply", "2026-10-09T17:00")
    before = replied.at("2026-10-10T09:00")
    after = replied.move("check", "2026-10-12T17:00").at("2026-10-12T17:00")
    assert (before.due, before.since_us) == (after.due, after.since_us)


def test_what_is_over_or_of_a_newer_version_stands_nowhere() -> None:
    over = at_work().move("withdraw", "2026-10-08T09:00")
    assert standing(W2, over.history, calendar(), us("2026-10-09T09:00")) is None
    over.history[-1].state = "of_a_newer_version"
    assert standing(W2, over.history, calendar(), us("2026-10-09T09:00")) is None
    assert standing(W2, [], calendar(), 0) is None


def test_an_extension_counts_from_when_it_is_said_and_a_refused_move_does_not() -> None:
    story = at_work().move("extend", "2026-10-09T10:00", due="2026-10-16")
    assert end(story.at("2026-10-09T11:00")) == "2026-10-16 18:00:00"
    story.move("extend", "2026-10-09T12:00", accepted=False, due="2026-12-01")
    assert end(story.at("2026-10-09T13:00")) == "2026-10-16 18:00:00"


def test_a_day_moves_on_by_the_working_days_in_which_the_clock_stood_still() -> None:
    """Asked on Friday the 9th, refused on Monday the 12th: Friday, the worked Saturday and Monday do not count."""
    story = at_work().move("ask_extension", "2026-10-09T10:00", due="2026-11-01")
    waiting = story.at("2026-10-09T11:00")
    assert (waiting.owner, waiting.next, end(waiting)) == (Party.ISSUER, "grant_extension", "2026-10-10 18:00:00")
    refused = story.move("refuse_extension", "2026-10-12T10:00").at("2026-10-12T11:00")
    assert (refused.owner, end(refused)) == (Party.HOLDER, "2026-10-15 18:00:00")


def test_what_the_issuer_says_after_the_standstill_holds_as_it_is_said() -> None:
    story = at_work().move("ask_extension", "2026-10-09T10:00", due="2026-11-01")
    granted = story.move("grant_extension", "2026-10-12T10:00", due="2026-10-20").at("2026-10-12T11:00")
    assert end(granted) == "2026-10-20 18:00:00"


def test_the_holder_s_wish_is_no_limit() -> None:
    """Only what the issuer says in the field counts."""
    story = at_work().move("ask_extension", "2026-10-09T10:00", due="2026-11-01")
    story.move("refuse_extension", "2026-10-09T10:30")
    assert end(story.at("2026-10-09T11:00")) == "2026-10-13 18:00:00"


def test_a_day_without_work_ends_at_its_last_second() -> None:
    assert end(at_work("2026-10-03").at("2026-09-30T10:00")) == "2026-10-03 23:59:59"


def test_it_is_overdue_after_its_end_and_not_at_it() -> None:
    assert issued().at("2026-09-30T18:00:00").times == 0
    assert issued().at("2026-09-30T18:00:01").times == 1


def test_the_issuer_s_node_warns_once_and_tells_once_that_it_is_overdue() -> None:
    """At 80 % of the working time, then the moment after the end; nothing after that."""
    story = issued()
    assert act(story.at("2026-09-29T17:00")) == ("warned", "2026-09-30 16:24:00")
    story.move("warned", "2026-09-30T16:24")
    assert act(story.at("2026-09-30T17:00")) == ("overdue", "2026-09-30 18:00:00")
    story.move("overdue", "2026-09-30T18:01")
    late = story.at("2026-10-20T17:00")
    assert (late.act, late.times) == (None, 1)


def test_who_slept_through_the_warning_does_not_warn_of_what_is_over() -> None:
    """Its last moment is in time; however often a consequence counts the limit, it is over after the first time."""
    assert act(issued().at("2026-09-30T18:00")) == ("warned", "2026-09-30 16:24:00")
    found = issued().at("2026-10-08T09:00").act
    assert found == Act("overdue", us("2026-09-30T18:00") + 1)
    counting = replace(W2, starts=(Start("overdue", "W2", MappingProxyType({}), after=3),))
    story = Story(counting).move("register", "2026-09-29T15:00").move("issue", "2026-09-29T16:00", due="2026-10-12")
    assert act(story.at("2026-10-01T09:00")) == ("overdue", "2026-09-30 18:00:00")


def test_what_was_told_to_be_over_is_not_warned_of_when_the_calendar_lets_it_end_later() -> None:
    story = issued().move("overdue", "2026-09-29T16:30")
    assert story.at("2026-09-30T17:00").act is None


def test_consequences_count_together_how_often_it_is_told() -> None:
    starts = tuple(Start(on, "W2", MappingProxyType({}), after=n) for on, n in (("overdue", 2), ("overdue", 3)))
    assert overdue_max(replace(W2, starts=(*starts, Start("return", "W2", MappingProxyType({}), after=9)))) == 3
    assert overdue_max(replace(W2, starts=())) == 1


def test_the_issuer_says_with_a_move_when_the_limit_ends_then() -> None:
    """With what the move leads to; a task that is over, or whose limit nobody can reckon, has none."""
    for history, says in ((at_work(), "2026-10-12 18:00:00"), (at_work("9999-12-31"), ""), (issued("soon"), "")):
        body = history.history.pop()
        say_due(W2, history.history, body, calendar())
        assert (shown(body.due_at) if body.due_at else "") == (says or "2026-09-30 18:00:00" * (body.move == "issue"))
    over = at_work().move("withdraw", "2026-10-08T09:00").history.pop()
    say_due(W2, at_work().history, over, calendar())
    assert (over.due_at, over.due_provisional) == (0, False)


def test_standstills_of_one_stage_add_up() -> None:
    """Two refused requests, of a working day each (the 9th, the worked Saturday): the limit ends two days later."""
    story = at_work().move("ask_extension", "2026-10-09T10:00", due="2026-11-01")
    story.move("refuse_extension", "2026-10-09T11:00").move("ask_extension", "2026-10-10T10:00", due="2026-11-01")
    found = story.move("refuse_extension", "2026-10-10T11:00").at("2026-10-10T12:00")
    assert (end(found), found.since_us) == ("2026-10-14 18:00:00", us("2026-09-30T09:00"))


def test_work_that_was_returned_has_its_time_anew() -> None:
    """What came between was the issuer's: the clock begins again, and does not go on from the first work."""
    story = at_work().move("reply", "2026-10-09T17:00").move("return", "2026-10-10T09:00")
    assert story.at("2026-10-10T10:00").since_us == us("2026-10-10T09:00")
    assert story.move("begin", "2026-10-10T15:00").at("2026-10-10T16:00").since_us == us("2026-10-10T15:00")


def test_a_state_goes_on_after_a_standstill_without_a_stage_of_its_own() -> None:
    """W1: in progress, asked for more time, refused: in progress since the beginning."""
    story = Story(FLOWS["W1"]).move("draft", "2026-09-28T15:00").move("issue", "2026-09-28T16:00", due="2026-10-12")
    story.move("receive", "2026-09-29T09:00").move("begin", "2026-09-29T10:00")
    story.move("ask_extension", "2026-09-30T10:00", due="2026-11-01").move("refuse_extension", "2026-09-30T11:00")
    found = story.at("2026-09-30T12:00")
    assert (found.since_us, end(found)) == (us("2026-09-29T10:00"), "2026-10-13 18:00:00")


def test_a_state_of_a_newer_version_on_the_way_breaks_off_what_it_belongs_to() -> None:
    story = at_work().move("report", "2026-10-08T09:00").move("begin", "2026-10-08T10:00")
    story.history[-2].state = "of_a_newer_version"
    assert story.at("2026-10-09T10:00").since_us == us("2026-10-08T10:00")


def test_a_new_limit_is_warned_of_anew() -> None:
    story = at_work().move("warned", "2026-10-10T10:00").move("overdue", "2026-10-12T18:01")
    assert story.at("2026-10-12T18:02").act is None
    again = story.move("extend", "2026-10-13T09:00", due="2026-10-14").at("2026-10-13T09:00")
    assert (again.times, act(again)) == (0, ("warned", "2026-10-14 15:00:00"))


def test_who_says_the_same_limit_again_has_nothing_told_again() -> None:
    """As an issuer that confirms the level or the day of what is overdue; another end is another limit."""
    story = at_work()
    until = story.at("2026-10-09T09:00").due
    assert until is not None
    for name, at in (("warned", "2026-10-10T10:00"), ("overdue", "2026-10-12T18:01")):
        story.move(name, at).history[-1].due_at = until.at_us
    story.move("extend", "2026-10-13T09:00", due="2026-10-12")
    assert (story.at("2026-10-13T09:01").times, story.at("2026-10-13T09:01").act) == (1, None)
    assert story.move("extend", "2026-10-13T09:30", due="2026-10-14").at("2026-10-13T09:31").act is not None


def test_a_consequence_after_several_times_the_limit_is_told_so_often() -> None:
    """Overdue by once more its limit: the second telling, at twice the limit; bounded by what consequences count."""
    flow = replace(W2, starts=(Start("overdue", "W2", MappingProxyType({}), after=3),))
    story = Story(flow).move("register", "2026-09-29T15:00").move("issue", "2026-09-29T16:00", due="2026-10-12")
    story.move("overdue", "2026-09-30T18:01")
    assert act(story.at("2026-09-30T18:02")) == ("overdue", "2026-10-08 18:00:00")
    late = story.at("2026-12-01T09:00")
    assert (late.times, act(late)) == (3, ("overdue", "2026-10-08 18:00:00"))
    story.move("overdue", "2026-12-01T09:00").move("overdue", "2026-12-01T09:00")
    assert story.at("2026-12-02T09:00").act is None
    working = Story(flow).move("register", "2026-09-29T15:00").move("issue", "2026-09-29T16:00", due="2026-10-09")
    working.move("sign", "2026-09-30T09:00").move("overdue", "2026-10-09T18:01")
    # three working days until the 9th (30, 8, 9); three more are the 10th, 12th and 13th
    assert act(working.at("2026-10-09T18:02")) == ("overdue", "2026-10-13 18:00:00")
    working.move("overdue", "2026-10-13T18:01")
    # and three more the 14th, 15th and 16th
    assert act(working.at("2026-10-13T18:02")) == ("overdue", "2026-10-16 18:00:00")


def test_a_day_that_is_over_when_it_is_said_is_over_at_once() -> None:
    """Nothing is warned of, a standstill moves nothing, and each time more is a working day."""
    flow = replace(W2, starts=(Start("overdue", "W2", MappingProxyType({}), after=3),))
    story = Story(flow).move("register", "2026-09-29T15:00").move("issue", "2026-09-29T16:00", due="2026-09-29")
    story.move("sign", "2026-09-30T09:00")
    found = story.at("2026-09-30T10:00")
    assert (end(found), found.warn_us, found.times) == ("2026-09-29 18:00:00", None, 1)
    assert act(found) == ("overdue", "2026-09-29 18:00:00")
    for at, then in (("2026-09-30T10:01", "2026-09-30 18:00:00"), ("2026-09-30T18:01", "2026-10-08 18:00:00")):
        story.move("overdue", at)
        assert act(story.at(at)) == ("overdue", then)
    story.move("ask_extension", "2026-10-08T10:00", due="2026-11-01").move("refuse_extension", "2026-10-09T10:00")
    assert end(story.at("2026-10-09T11:00")) == "2026-09-29 18:00:00"


def test_a_limit_by_the_value_of_a_field() -> None:
    by = StateLimit(by="level", of=MappingProxyType({"1": read_limit("2 urgent_hour"), "2": read_limit("4 work_hour")}))
    states = tuple(replace(s, limit=by) if s.name == "issued" else s for s in W2.states)
    flow = replace(W2, states=states)
    for level, until in (("1", "2026-09-29 18:00:00"), ("2", "2026-09-30 10:00:00")):
        story = Story(flow).move("register", "2026-09-29T15:00", level=level)
        assert end(story.move("issue", "2026-09-29T16:00", due="2026-10-12").at("2026-09-29T16:30")) == until


def test_a_value_without_a_limit_of_its_own_has_the_one_that_holds_otherwise() -> None:
    by = StateLimit(
        by="level", of=MappingProxyType({"1": read_limit("2 urgent_hour")}), otherwise=read_limit("1 work_day")
    )
    states = tuple(replace(s, limit=by) if s.name == "issued" else s for s in W2.states)
    story = Story(replace(W2, states=states)).move("register", "2026-09-29T15:00", level="3")
    assert end(story.move("issue", "2026-09-29T16:00").at("2026-09-29T16:30")) == "2026-09-30 18:00:00"


def test_another_level_is_another_limit_and_warned_of_anew() -> None:
    """W10: with a higher level less time is given, from the alarm on."""
    story = Story(FLOWS["W10"]).move("raise", "2026-09-29T15:00", level="3")
    first = story.at("2026-09-29T15:00")
    assert first.act is not None
    story.move("warned", shown(first.act.at_us).replace(" ", "T"))
    assert story.at("2026-09-29T15:00").act == Act("overdue", first.due.at_us + 1 if first.due else 0)
    changed = story.move("change_level", "2026-09-29T15:10", level="1").at("2026-09-29T15:10")
    assert changed.due is not None
    assert first.due is not None
    assert changed.due.at_us < first.due.at_us
    assert act(changed) == ("warned", shown(us("2026-09-29T15:00") + (changed.due.at_us - changed.since_us) * 4 // 5))


def test_moves_that_count_earlier_than_those_before_them_turn_no_time_round() -> None:
    """A reply of the holder, made before the issuer lengthened the limit and heard of after it."""
    story = at_work().move("extend", "2026-10-09T16:00", due="2026-10-16").move("reply", "2026-10-09T15:00")
    assert end(story.at("2026-10-09T17:00")) == "2026-10-13 18:00:00"


def test_a_task_whose_limit_cannot_be_reckoned_stands_without_one() -> None:
    """Nothing about a date may stand in the way of a task."""
    for day in ("9999-12-31", "soon"):
        found = at_work(day).at("2026-10-09T17:00")
        assert (found.owner, found.next, found.due, found.times, found.act) == (Party.HOLDER, "reply", None, 0, None)


def test_a_day_far_off_is_shown_and_not_warned_of() -> None:
    """No calendar is walked through for it."""
    found = at_work("2099-12-31").at("2026-10-09T17:00")
    assert (end(found), found.warn_us, found.times) == ("2099-12-31 18:00:00", None, 0)
    assert found.act is not None
    assert found.act.move == "overdue"


def test_it_says_when_days_count_of_which_the_calendar_is_not_sure() -> None:
    found = Story().move("register", "2026-12-30T10:00").at("2026-12-30T11:00")
    assert found.due is not None
    assert found.due.is_provisional
