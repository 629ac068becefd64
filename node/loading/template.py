"""Templates that people fill in: which texts stand for which values, and the mapping that reads a filled one back.

The sheet has headings for people in its first row and the columns' own names in its second, which is hidden.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from sync.schema import CellType
from tiers.dataset import Dataset, Field

NAME: Final = "template"
"""What the mapping is called where one is named."""
HEADER: Final = 2
YES_AND_NO: Final = ("是", "否")
_DATES: Final = ("iso", "%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日")
_TIMES: Final = ("iso", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M")


def choices(field: Field) -> Mapping[str, str]:
    """What people choose from -> value; a title that stands twice has the value behind it."""
    titles = [value.title_zh for value in field.values]
    return {
        f"{one.title_zh} ({one.value})" if titles.count(one.title_zh) > 1 else one.title_zh: one.value
        for one in field.values
    }


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
            pairs = ", ".join(f"{_text(title)} = {_text(value)}" for title, value in choices(field).items())
            lines += [f"[tables.{field.column.name}]", f"values = {{ {pairs} }}"]
    lines.append("[columns]")
    lines += [f"{field.column.name} = {{ {', '.join(_rule(field))} }}" for field in dataset.fields]
    return "\n".join(lines) + "\n"


def _rule(field: Field) -> list[str]:
    name, kind = field.column.name, field.column.type
    parts = [f"from = {_text(name)}"]
    if field.values:
        parts += [f"table = {_text(name)}", 'unknown = "keep"']
    if field.decimals is not None:
        parts.append(f"round = {field.decimals}")
    if kind in (CellType.DATE, CellType.TIMESTAMP):
        forms = _DATES if kind is CellType.DATE else _TIMES
        parts.append(f"dates = [{', '.join(map(_text, forms))}]")
    return parts


def _text(text: str) -> str:
    """A text as TOML has it: what JSON escapes, TOML escapes alike."""
    return json.dumps(text, ensure_ascii=False)
