"""Numbers of persons in free text that leaves: found by their form, and masked.

Found are mobile numbers, landlines with their area code, identity cards and bank cards of UnionPay whose check digit is
right, and passport numbers after the word 护照; digits may be full-width and parted by blanks, hyphens and brackets. A
number of another form is not found, and a number of the same form that means something else is: so what is found is
masked in what leaves, told, or refused, as a column declares, and never deleted here.

A whole batch is asked first, each column in one search, for nearly no row holds any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sync.phrase import Phrase
from sync.values import Row
from tiers.dataset import Dataset, Personal

RULES = 1
"""Rises when other numbers are found than before: then what was published is published anew."""
MASK = "*"

_BLANKS = " \t\r\n\u00a0\u3000"
_HYPHENS = "－﹣‐‑‒–—―"
_WIDE = "０１２３４５６７８９（）＋Ｘｘ"
_PLAIN = str.maketrans(_WIDE + _BLANKS + _HYPHENS, "0123456789()+Xx" + " " * len(_BLANKS) + "-" * len(_HYPHENS))
"""One character for one, so that places stay."""

_S = r"[ ()-]{0,2}"
_APART = r"(?<!\d)(?<!\d\.)"
_END = r"(?!\d)(?!\.\d)"
_FILE_NUMBER = r"(?!\d{6}-)"
"""Six digits and a hyphen begin a file number: a division code, then a year or a running number."""
_MOBILE = rf"{_APART}(?:(?:\+|00)?86{_S}|0)?{_FILE_NUMBER}1{_S}[3-9](?:{_S}\d){{9}}{_END}"
_THIRD = ("3[1-57-9]", "4[1-79]", "5[1-79]", "6[369]", "7[0-79]", "8[1-8]", "9[0-79]")
_AREAS = ("1_0", "2_[0-57-9]", *(f"{start[0]}_{start[1:]}_[0-9]" for start in _THIRD))
_AREA = f"0_(?:{'|'.join(_AREAS)})".replace("_", _S)
_LANDLINE = rf"{_APART}{_AREA}{_S}[2-8](?:{_S}\d){{6,7}}{_END}"
_PHONE = re.compile(f"{_MOBILE}|{_LANDLINE}")
_IDENTITY = re.compile(rf"{_APART}[1-8](?:{_S}\d){{16}}{_S}[\dXx](?![0-9A-Za-z])")
_CARD = re.compile(rf"{_APART}6{_S}2(?:{_S}\d){{14,17}}{_END}")
_PASSPORT = re.compile(r"护照[^0-9A-Za-z]{0,6}([A-Za-z]{1,2}[0-9]{7,8})(?![0-9A-Za-z])")

_MANY_DIGITS = b"0000000"
"""Every number that is looked for has so many digits."""
_WIDE_DIGITS = range(0x90, 0x9A)
"""Last bytes of full-width digits in UTF-8; of other characters too, of which each has a first byte that stays."""
_AS_DIGITS = bytes(ord("0") if chr(b) in "0123456789" or b in _WIDE_DIGITS else ord("x") for b in range(256))
_BETWEEN_DIGITS = bytes(
    b for b in range(256) if chr(b) in " \t\r\n()-\xc2\xe2\xe3\xef" or (0x80 <= b < 0xC0 and b not in _WIDE_DIGITS)
)
"""Bytes that may stand between digits, and those of characters that may."""
_APART_IN_A_BATCH = "\0"

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"


class Span(NamedTuple):
    """Where a number stands in a text."""

    start: int
    end: int


def spans(text: str) -> list[Span]:
    """Where the numbers of persons stand, in order; none lies over another."""
    if not _has_many_digits(text):
        return []
    plain = text.translate(_PLAIN)
    found = [Span(*m.span()) for m in _PHONE.finditer(plain)]
    found += [Span(*m.span()) for m in _IDENTITY.finditer(plain) if _is_identity(m[0])]
    found += [Span(*m.span()) for m in _CARD.finditer(plain) if _is_card(m[0])]
    found += [Span(*m.span(1)) for m in _PASSPORT.finditer(plain)]
    return _joined(sorted(found))


def _joined(found: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in found:
        if joined and span.start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def masked(text: str) -> str:
    """The text with every digit and letter of such numbers as an asterisk; its length stays."""
    for start, end in spans(text):
        hidden = "".join(MASK if c.isalnum() else c for c in text[start:end])
        text = text[:start] + hidden + text[end:]
    return text


def _is_identity(said: str) -> bool:
    """Whether the date can be one and the check digit is right (GB 11643)."""
    digits = [c for c in said.upper() if c.isalnum()]
    year, month, day = (int("".join(digits[a:b])) for a, b in ((6, 10), (10, 12), (12, 14)))
    if not (1900 <= year < 2100 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits[:-1], strict=True))
    return _CHECK_DIGITS[total % 11] == digits[-1]


def _is_card(said: str) -> bool:
    """Whether the check digit is right (Luhn), and it is no file number of Gansu: a division code, then a date."""
    digits = [int(c) for c in said if c.isdigit()]
    century, month, day = (10 * digits[at] + digits[at + 1] for at in (6, 10, 12))
    if century in (19, 20) and 1 <= month <= 12 and 1 <= day <= 31:
        return False
    doubled = [d * 2 - 9 * (d > 4) for d in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


class Guard:
    """The rules of a dataset's columns, for rows whose cells stand in the order of `columns`."""

    def __init__(self, dataset: Dataset, columns: Sequence[str]) -> None:
        at = {name: i for i, name in enumerate(columns)}
        self._watched = tuple(
            (at[f.column.name], f.column.name, f.personal)
            for f in dataset.fields
            if f.personal is not None and f.column.name in at
        )
        self._masked = tuple(place for place, _, rule in self._watched if rule is Personal.MASK)
        self.masked_columns = tuple(name for _, name, rule in self._watched if rule is Personal.MASK)

    def suspects(self, rows: Sequence[Row]) -> bool:
        """Whether any watched cell may hold such a number: nearly always not, and then no row need be asked."""
        return any(_may_hold(rows, place) for place, _, _ in self._watched)

    def found(self, row: Row) -> Iterator[tuple[Personal, str]]:
        """The columns of a row that hold such numbers, each with its rule."""
        for place, name, rule in self._watched:
            cell = row[place]
            if isinstance(cell, str) and spans(cell):
                yield rule, name

    def mask(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as they leave."""
        if not any(_may_hold(rows, place) for place in self._masked):
            return rows
        return [self._mask_row(row) for row in rows]

    def _mask_row(self, row: Row) -> Row:
        cells = list(row)
        for place in self._masked:
            cell = cells[place]
            if isinstance(cell, str):
                cells[place] = masked(cell)
        return tuple(cells)


def _may_hold(rows: Sequence[Row], place: int) -> bool:
    texts = [row[place] for row in rows]
    return _has_many_digits(_APART_IN_A_BATCH.join(filter(None, texts)))  # type: ignore[arg-type]


def _has_many_digits(text: str) -> bool:
    """Whether so many digits may follow each other: a first look, without a regular expression, that sees too many."""
    return _MANY_DIGITS in text.encode("utf-8", "replace").translate(_AS_DIGITS, _BETWEEN_DIGITS)


def words(rule: Personal, column: str) -> Phrase:
    """What a person is told of a cell that holds such a number; never the number itself."""
    match rule:
        case Personal.REFUSE:
            return Phrase("column '{}' holds what looks like a phone, identity, passport or card number", column)
        case Personal.MASK:
            return Phrase(
                "column '{}' holds what looks like a phone, identity, passport or card number: masked in what leaves",
                column,
            )
        case Personal.WARN:
            return Phrase(
                "column '{}' holds what looks like a phone, identity, passport or card number, and leaves as it is",
                column,
            )
