"""What the fields of a move may say."""

from __future__ import annotations

import re
from datetime import date

from sync.phrase import Phrase
from sync.values import is_node_id
from tiers.flows.positions import positions_in, release_in
from tiers.flows.table import FieldRule, Kind

_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_INTEGER_CHARACTERS_MAX = 20
FILES = "files"
"""The field of every flow in which a move names files, by the SHA-256 of their bytes."""
FILES_MAX = 20
_DIVISION = re.compile(r"[0-9]{6}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BETWEEN = re.compile(r"[\s,;，、；]+")


def field_fault(rule: FieldRule, said: str, at: int) -> Phrase | None:
    """What is wrong with what a field says, in a move that counts at `at` (µs since 1970 UTC); None if nothing is."""
    if rule.kind is Kind.DATE:
        return _date_fault(rule, said, at)
    if rule.kind is Kind.CHOICE and said not in {v.value for v in rule.values}:
        return Phrase("'{}' must be one of {}", rule.name, ", ".join(v.value for v in rule.values))
    if rule.kind is Kind.INTEGER:
        return _integer_fault(rule, said)
    if rule.kind is Kind.NODE and not is_node_id(said):
        return Phrase("'{}' must be a node id such as c330100.p330000.cn-demo", rule.name)
    if rule.kind is Kind.DIVISION and not _DIVISION.fullmatch(said):
        return Phrase("'{}' must be a division code of 6 digits", rule.name)
    if rule.kind is Kind.POSITION and positions_in(said) is None:
        return Phrase("'{}' must name datasets, whose positions the node writes there, or '-' for none", rule.name)
    if rule.kind is Kind.RELEASE and release_in(said) is None:
        return Phrase("'{}' must be left out: the node writes which release it is", rule.name)
    return _files_fault(rule, said) if rule.kind is Kind.FILES else None


def files_in(said: str) -> list[str]:
    """The files that such a field names, each once, in order; what is no SHA-256 in hexadecimal names none."""
    return [name for name in dict.fromkeys(_BETWEEN.split(said)) if _SHA256.fullmatch(name)]


def _files_fault(rule: FieldRule, said: str) -> Phrase | None:
    names = [name for name in _BETWEEN.split(said) if name]
    if len(names) > FILES_MAX:
        return Phrase("'{}' names at most {} files", rule.name, FILES_MAX)
    if not all(map(_SHA256.fullmatch, names)):
        return Phrase("'{}' must be SHA-256 of files, each of 64 digits (0-9, a-f), between them commas", rule.name)
    return None


def _date_fault(rule: FieldRule, said: str, at: int) -> Phrase | None:
    day = read_day(said)
    if day is None:
        return Phrase("'{}' must be a date such as 2026-12-31", rule.name)
    # The day of the move is not the same everywhere: one day more is let through rather than one too few.
    if rule.within_days and day.toordinal() - _EPOCH > at // _DAY_US + rule.within_days + 1:
        return Phrase("'{}' may lie at most {} days ahead", rule.name, rule.within_days)
    return None


def _integer_fault(rule: FieldRule, said: str) -> Phrase | None:
    digits = said.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(said) > _INTEGER_CHARACTERS_MAX:
        return Phrase("'{}' must be a whole number", rule.name)
    if (rule.least or rule.most) and not rule.least <= int(said) <= rule.most:
        return Phrase("'{}' must be from {} to {}", rule.name, rule.least, rule.most)
    return None


def read_day(text: str) -> date | None:
    """A day written 2026-12-31 and no other way; None if it is not."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None
