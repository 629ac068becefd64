"""Values of datasets in the words that their declaration has for them, and roles of people in ours."""

from __future__ import annotations

from collections.abc import Collection

from node.cli.session import Session
from node.texts import _, current
from node.texts.standing import ROLES
from tiers.profile import PROFILES


def role_word(role: str) -> str:
    """A role in the language of this moment; what other nodes say as they say it."""
    return _(ROLES[role]) if role in ROLES else role


def tiers_in_words(tiers: Collection[str]) -> str:
    """Tiers from the top down, in the language of this moment."""
    found = [profile for profile in PROFILES.values() if profile.id in tiers]
    return ", ".join(one.title_zh if current().language == "zh" else one.title_en for one in found)


def word_of(session: Session, dataset: str, column: str, value: str) -> str:
    """A value of a column in the language of this moment; the value itself where it has no words."""
    field = next(f for f in session.catalogue.datasets[dataset].fields if f.column.name == column)
    found = next((v for v in field.values if v.value == value), None)
    return value if found is None else found.title_zh if current().language == "zh" else found.title_en
