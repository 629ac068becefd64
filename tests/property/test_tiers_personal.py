"""Numbers of persons are found however they are written, and nothing else of a text is touched."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiers.personal import masked, spans

WORDS = st.text("路面积水请联系王先生，。、：abcXYZ\n/", max_size=12)
WIDE = str.maketrans("0123456789X()-", "０１２３４５６７８９Ｘ（）－")
GAPS = st.sampled_from(["", " ", "-", "　", "－", " -", "—", "\u00a0"])


def _check_digit(seventeen: str) -> str:
    weights = [2**place % 11 for place in range(17, 0, -1)]
    return "10X98765432"[sum(w * int(d) for w, d in zip(weights, seventeen, strict=True)) % 11]


def _luhn(body: str) -> str:
    doubled = [int(d) * (2 - place % 2) for place, d in enumerate(reversed(body))]
    return str(-sum(n - 9 * (n > 9) for n in doubled) % 10)


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


MOBILES = st.builds("1{}{}".format, st.sampled_from("3456789"), digits(9))
LANDLINES = st.builds(
    "{}{}{}".format, st.sampled_from(["010", "021", "0571", "0991"]), st.sampled_from("2345678"), digits(7)
)
DATES = st.dates().filter(lambda d: 1900 <= d.year < 2100).map(lambda d: f"{d:%Y%m%d}".zfill(8))
IDENTITIES = st.builds("{}{}{}".format, st.sampled_from(["330106", "110105", "650102"]), DATES, digits(3)).map(
    lambda body: body + _check_digit(body)
)
CARDS = digits(13).map(lambda rest: "622202" + rest[1:]).map(lambda body: body + _luhn(body))
NUMBERS = MOBILES | LANDLINES | IDENTITIES | CARDS.filter(lambda n: n[6:8] not in ("19", "20"))


@st.composite
def written(draw: st.DrawFn, numbers: st.SearchStrategy[str] = NUMBERS) -> str:
    """A number as people write it: in groups, with gaps of one sort, perhaps full-width."""
    number = draw(numbers)
    cuts = sorted(draw(st.sets(st.integers(1, len(number) - 1), max_size=4)))
    parts = [number[a:b] for a, b in zip([0, *cuts], [*cuts, len(number)], strict=True)]
    gap = draw(GAPS)
    if gap in ("-", "－", "—") and len(parts[0]) == 6:
        gap = ""  # so begin file numbers
    text = gap.join(parts)
    return text.translate(WIDE) if draw(st.booleans()) else text


@given(before=WORDS, number=written(), after=WORDS)
def test_a_number_is_masked_and_the_words_around_it_stay(before: str, number: str, after: str) -> None:
    """Length and place of everything else stay, no digit of it is left, and masking again changes nothing."""
    # What stands beside a number without anything between is part of it.
    before, after = before.rstrip("abcXYZ") + "：", "，" + after
    hidden = masked(before + number + after)
    assert hidden.startswith(before)
    assert hidden.endswith(after)
    inside = hidden[len(before) : len(hidden) - len(after)]
    assert len(inside) == len(number)
    assert not any(c.isalnum() for c in inside)
    assert masked(hidden) == hidden


@given(text=st.text("0123456789０１３８Xx +-()（）－.,护照ABE\0\n", max_size=60))
def test_nothing_but_what_is_found_is_changed(text: str) -> None:
    """For any text: spans do not lie over each other, characters outside them stay, and what is masked is not found
    again."""
    found = spans(text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    inside = {i for span in found for i in range(span.start, span.end)}
    hidden = masked(text)
    assert len(hidden) == len(text)
    assert all(hidden[i] == c or (i in inside and hidden[i] == "*") for i, c in enumerate(text))
    assert not spans(hidden)


@given(text=st.text(max_size=80))
def test_any_text_is_taken(text: str) -> None:
    """Half characters, controls, other scripts: never an exception."""
    assert len(masked(text)) == len(text)


FOUND = [
    "13800138000",
    "138 0013 8000",
    "１３８００１３８０００",
    "+86 138-0013-8000",
    "(010)88001234",
    "（０５７１）8800 1234",
    "11010519491231002X",
    "护照E12345678",
    "6286 19406812415 8",  # a card, and a mobile number lies in it
]
NOT_FOUND = {
    "a file number": "3301062026030200001",
    "a file number with hyphens": "130100-2026-000123",
    "a file number of Gansu": "6201022026030200001",
    "coordinates": "120.153217 30.287451",
    "more coordinates": "130.123456 45.123456",
    "a time": "2026-03-02 09:15:30",
    "a unit's code": "113301000024902190",
    "a grid of 15 characters": "330106001001001",
    "an identity number with a wrong check digit": "110105194912310021",
    "a service line": "12345",
    "a landline without its area": "88001234",
    "other digits": "一三八零零一三八零零零",
}


@pytest.mark.parametrize("text", FOUND)
def test_numbers_that_are_found(text: str) -> None:
    """One by one, for people to read."""
    assert not any(c.isdigit() for c in masked(text))


@pytest.mark.parametrize("text", NOT_FOUND.values(), ids=NOT_FOUND)
def test_what_is_no_number_of_a_person_stays(text: str) -> None:
    """And what the guard cannot know to be one."""
    assert masked(text) == text
