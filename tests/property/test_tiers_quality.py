"""A quality issue between two nodes: whatever comes late, twice or crosswise, both ends see the same in the end, and an
illegal move changes nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync.errors import InputFault
from tiers.quality import CLOSED, MOVES, Answer, Issue, Side, move_answer, move_issue, open_moves, standing

NAMES = sorted({move.name for move in MOVES})
STEP = st.tuples(st.sampled_from([*Side, "deliver"]), st.sampled_from(NAMES), st.integers(0, 5), st.booleans())


class _End:
    """What one node holds: both rows, as far as they have come."""

    def __init__(self, issue: Issue) -> None:
        self.issue = issue
        self.answer: Answer | None = None


@given(st.lists(STEP, max_size=40))
def test_both_ends_see_the_same_once_both_rows_are_there(story: list[tuple[Any, str, int, bool]]) -> None:
    """Each side writes its own row; a row of the other comes in its feed's order, some time, perhaps again."""
    finder, origin = _End(Issue("notified", 1)), _End(Issue("notified", 1))
    issues, answers = [finder.issue], list[Answer]()
    issues_come, answers_come = 0, -1
    for what, name, ahead, with_reason in story:
        reason = "why" if with_reason else ""
        if what is Side.FINDER:
            before = finder.issue, finder.answer
            legal = name in {m.name for m in open_moves(*before, Side.FINDER) if with_reason or not m.needs_reason}
            try:
                finder.issue = move_issue(finder.issue, finder.answer, name, reason)
                issues.append(finder.issue)
                assert legal
            except InputFault:
                assert not legal
                assert (finder.issue, finder.answer) == before
        elif what is Side.ORIGIN:
            before = origin.issue, origin.answer
            legal = name in {m.name for m in open_moves(*before, Side.ORIGIN) if with_reason or not m.needs_reason}
            try:
                origin.answer = move_answer(origin.issue, origin.answer, name, reason)
                answers.append(origin.answer)
                assert legal
            except InputFault:
                assert not legal
                assert (origin.issue, origin.answer) == before
        elif with_reason:
            issues_come = max(issues_come, min(issues_come + ahead, len(issues) - 1))
            origin.issue = issues[issues_come]
        elif answers:
            answers_come = max(answers_come, min(answers_come + ahead, len(answers) - 1))
            finder.answer = answers[answers_come] if answers_come >= 0 else None
    finder.answer, origin.issue = origin.answer, finder.issue
    assert standing(finder.issue, finder.answer) == standing(origin.issue, origin.answer)


@given(st.sampled_from(["notified", "disputed", CLOSED]), st.integers(2, 9), st.integers(1, 9), st.sampled_from(NAMES))
def test_an_answer_to_an_earlier_round_changes_nothing(state: str, rounds: int, back: int, name: str) -> None:
    issue, late = Issue(state, rounds), Answer("kept", max(1, rounds - back))
    assert standing(issue, late) == standing(issue, None) == state
    assert open_moves(issue, late, Side.ORIGIN) == open_moves(issue, None, Side.ORIGIN)


def test_every_state_has_a_way_on() -> None:
    """No issue can get stuck: wherever it stands, its finder can move it."""
    states = {"notified", "disputed", *(move.to for move in MOVES)}
    for state in states:
        assert any(state in move.states for move in MOVES if move.by is Side.FINDER), state
