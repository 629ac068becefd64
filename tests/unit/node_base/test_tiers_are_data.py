"""A tier is a value: what is different for one stands in its profile, and no code asks which tier it is at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiers.profile import PROFILES

ROOT = Path(__file__).resolve().parents[3]
TIERS = frozenset(PROFILES) | {tier for profile in PROFILES.values() for tier in profile.acts_as}
NOT_LOOKED_AT = ("tiers/profile.py", "node/sim/")
"""Where tiers are declared; and the simulator, which makes a country of chosen places and breaks some of them."""


def asked(tree: ast.AST) -> Iterator[int]:
    """Lines where something is compared with, matched against, or looked up by the name of a tier."""
    for one in ast.walk(tree):
        match one:
            case ast.Compare():
                said: list[ast.AST] = [one.left, *one.comparators]
            case ast.MatchValue(value=value):
                said = [value]
            case ast.Subscript(value=ast.Name(id="PROFILES"), slice=index):
                said = [index]
            case ast.Call(func=ast.Attribute(attr="get" | "startswith" | "endswith"), args=args):
                said = list(args[:1])
            case _:
                continue
        parts = (part for found in said for part in ast.walk(found))
        if any(isinstance(part, ast.Constant) and part.value in TIERS for part in parts):
            yield getattr(one, "lineno", 0)


@pytest.mark.parametrize("folder", ["sync", "certs", "tiers", "node"])
def test_no_code_asks_for_a_tier_by_name(folder: str) -> None:
    """So a county's platform, or a tier that is yet to come, is a profile and nothing else."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(NOT_LOOKED_AT)
        for line in asked(ast.parse(path.read_text("utf-8")))
    ]
    assert not found


@pytest.mark.parametrize(
    "code",
    [
        "if tier == 'district': pass",
        "x = profile.id in ('city', 'district')",
        "match tier:\n    case 'city': pass",
        "PROFILES['provincial']",
        "{'city': 1}.get('city')",
    ],
)
def test_what_asks_is_found(code: str) -> None:
    """The look itself is tried."""
    assert list(asked(ast.parse(code)))
