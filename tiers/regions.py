"""Division codes (GB/T 2260) as scopes need them: what a code stands for, and the places where a prefix lies.

Sources: reference/domain.md section 5. A prefix is never a jurisdiction by itself; what is made here is only the
default that an administrator sees and may change before it is signed into an enrolment record.
"""

from __future__ import annotations

from enum import Enum

from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.scope import Scope

XINJIANG = "650000"
XPCC = "660000"
"""新疆生产建设兵团 has no code of its own in GB/T 2260. 66 is another ministry's practice and not confirmed for this
platform: a proposal, which a federation may replace."""

XPCC_CITIES = tuple(str(code) for code in range(659001, 659014))
"""石河子 659001 to 草湖 659013 (2026). A later city joins by a new enrolment record."""

XPCC_PREFIX = "6590*"
"""Left out of Xinjiang's default as a whole, so that a city the corps gains is never in two hands at once."""


class ScopeRule(Enum):
    """How a default scope follows from a node's region."""

    CODE = "code"
    UNIT = "unit"
    EVERYTHING = "everything"


def is_division(text: str) -> bool:
    """Whether `text` is written as a division code: six ASCII digits."""
    return len(text) == 6 and text.isascii() and text.isdigit()


def unit_pattern(region: str) -> str:
    """The codes of a unit and all below it: '330000' -> '33*', '330100' -> '3301*', '330106' and '419001' themselves.

    A county-level city straight under a province (419001) has nothing below it, so its pattern is its code.
    """
    if region.endswith("0000"):
        return f"{region[:2]}*"
    if region.endswith("00"):
        return f"{region[:4]}*"
    return region


def default_scope(rule: ScopeRule, region: str) -> Scope:
    """The undated default scope of `region` under `rule`. Raises InputFault OUT_OF_SCOPE if it is no division code."""
    if not is_division(region):
        raise InputFault(Reason.OUT_OF_SCOPE, Phrase("'{}' is not a division code of six digits", region))
    if rule is ScopeRule.EVERYTHING:
        return Scope.of("*")
    if rule is ScopeRule.CODE:
        return Scope.of(region)
    if region == XPCC:
        return Scope.of(XPCC, *XPCC_CITIES)
    if region == XINJIANG:
        return Scope.of(unit_pattern(region), leaving_out=(XPCC_PREFIX,))
    return Scope.of(unit_pattern(region))
