"""Templates that people fill in: which texts stand for which values, and the mapping that reads a filled one back.

The sheet has headings for people in its first row and the columns' own names in its second, which is hidden.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from node.texts import LANGUAGES, Language
from sync.schema import CellType
from tiers.dataset import Dataset, Field

NAME: Final = "template"
"""What the mapping is called where one is named."""
HEADER: Final = 2
YES_AND_NO: Final[Mapping[Language, tuple[str, str]]] = {"zh": ("是", "否"), "en": ("Yes", "No")}
BEHIND_CODE: Final = " | "
"""Between a code of a table and what it stands for; who types a code leaves it and the rest out."""
_DATES: Final = ("iso", "%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日")
_TIMES: Final = ("iso", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M")


def choices(field: Field, language: Language) -> Mapping[str, str]:
    """What people choose from -> value; a title that stands twice has the value behind it."""
    titled = [(one.title_zh if language == "zh" else one.title_en, one.value) for one in field.values]
    titles = [title for title, _ in titled]
    return {f"{title} ({value})" if titles.count(title) > 1 else title: value for title, value in titled}


def _any_choice(field: Field) -> Mapping[str, str]:
    """The choices of every language: nobody has to say in which one a template was made."""
    found: dict[str, str] = {}
    for language in LANGUAGES:
        for title, value in choices(field, language).items():
            found.setdefault(title, value)
    return found


def mapping_text(dataset: Dataset, zone: str) -> str:
    """The mapping, as TOML. Values may be given by their codes too."""
    lines = [
        f"name = {_text(NAME)}",
        f"dataset = {_text(dataset.id)}",
        "[source]",
        f"header = {HEADER}",
        f"time_zone = {_text(zone)}",
    ]
    for field in dataset.fields:
        if field.values:
            pairs = ", ".join(f"{_text(title)} = {_text(value)}" for title, value in _any_choice(field).items())
            lines += [f"[tables.{field.column.name}]", f"values = {{ {pairs} }}"]
    lines.append("[columns]")
    lines += [f"{field.column.name} = {{ {', '.join(_rule(field))} }}" for field in dataset.fields]
    return "\n".join(lines) + "\n"


def _rule(field: Field) -> list[str]:
    name, kind = field.column.name, field.column.type
    parts = [f"from = {_text(name)}"]
    if field.values:
        parts += [f"table = {_text(name)}", 'unknown = "keep"']
    if field.codes is not None:
        parts.append(f"split = {{ at = {_text(BEHIND_CODE)} }}")
    if field.decimals is not None:
        parts.append(f"round = {field.decimals}")
    if kind in (CellType.DATE, CellType.TIMESTAMP):
        forms = _DATES if kind is CellType.DATE else _TIMES
        parts.append(f"dates = [{', '.join(map(_text, forms))}]")
    return parts


def _text(text: str) -> str:
    """A text as TOML has it: what JSON escapes, TOML escapes alike."""
    return json.dumps(text, ensure_ascii=False)
