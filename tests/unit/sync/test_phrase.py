"""What a refusal says in every language: a form and what it is about."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.cli.output import worded
from node.status import detail_shown
from node.texts import translator, use
from sync import limits
from sync.phrase import Phrase, as_phrase, unpacked
from sync.wire.v1.entry_pb2 import Refusal

TEXTS = st.text(max_size=40).filter(lambda text: "\x1f" not in text)


def test_a_phrase_is_its_english_sentence_and_can_be_said_in_chinese() -> None:
    said = Phrase("column '{}' is not part of '{}'", "pos_lat", "case.parent")
    assert said == "column 'pos_lat' is not part of 'case.parent'"
    assert said.spoken(translator("zh").gettext) == "列“pos_lat”不属于发布“case.parent”"


def test_a_form_of_a_newer_version_is_said_as_it_came() -> None:
    assert Phrase("column '{}' dances", "x").spoken(translator("zh").gettext) == "column 'x' dances"


@given(TEXTS, st.lists(TEXTS, max_size=limits.ARGUMENTS_MAX))
def test_what_was_packed_comes_back(form: str, arguments: list[str]) -> None:
    said = Phrase(form, *arguments)
    back = unpacked(said.packed())
    assert (back, back.form, back.arguments) == (said, said.form, said.arguments)


@given(st.text(), st.lists(st.text(), max_size=20))
def test_hostile_forms_and_arguments_stay_within_bounds(form: str, arguments: list[str]) -> None:
    """A peer's braces are no format specification: only {} has a meaning, and an argument is never read as a form."""
    said = Phrase(form, *arguments)
    assert len(said.form) <= limits.DETAIL_CHARACTERS_MAX
    assert len(said.arguments) <= limits.ARGUMENTS_MAX
    assert all(len(one) <= limits.ARGUMENT_CHARACTERS_MAX for one in said.arguments)
    assert unpacked(said.packed()).spoken(str) is not None


def test_braces_of_a_text_that_is_no_form_are_left_alone() -> None:
    assert as_phrase("a {} of {0.__class__}") == "a {} of {0.__class__}"
    assert Phrase("a {} of {0.__class__}", "b") == "a b of {0.__class__}"
    assert Phrase("a {} of {}", "{}") == "a {} of {}"


def test_the_command_line_says_what_another_node_refused_in_the_language_of_the_call() -> None:
    refusal = Refusal(detail="column '{}' is not {} (empty)", arguments=["division", "text"])
    told = detail_shown(Phrase(refusal.detail, *refusal.arguments))
    try:
        use("en")
        assert worded(told) == told["detail"] == "column 'division' is not text (empty)"
    finally:
        use("zh")
    assert worded(told) == "列“division”不是 text 类型（为空）"
