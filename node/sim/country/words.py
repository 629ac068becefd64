"""What simulated officers write into the fields of a move: something proper, drawn from the seed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random

from tiers.flows.clocks import Calendar
from tiers.flows.positions import NOTHING, Release
from tiers.flows.table import FieldRule, Flow, Kind, MoveRule
from tiers.periods import day_of

DUE_DAYS_MAX = 12


def fields_of(
    flow: Flow, rule: MoveRule, random: Random, now: int, calendar: Calendar, nodes: Sequence[str]
) -> dict[str, str]:
    """All that a move must say, and now and then when the task is due. nodes: that it may name."""
    known = {field.name: field for field in flow.fields}
    said = {name: _text(known.get(name), random, now, calendar, nodes) for name in rule.fields}
    if "due" in known and "due" not in said and random.random() < 0.3:
        said["due"] = _text(known["due"], random, now, calendar, nodes)
    return said


def _text(field: FieldRule | None, random: Random, now: int, calendar: Calendar, nodes: Sequence[str]) -> str:
    match field.kind if field is not None else Kind.TEXT:
        case Kind.DATE:
            assert field is not None
            days = random.randint(1, min(DUE_DAYS_MAX, field.within_days or DUE_DAYS_MAX))
            return (day_of(now, calendar.zone) + timedelta(days=days)).isoformat()
        case Kind.CHOICE:
            assert field is not None
            return random.choice(field.values).value
        case Kind.INTEGER:
            assert field is not None
            return str(random.randint(field.least, max(field.least, min(field.most, field.least + 9))))
        case Kind.NODE:
            return random.choice(nodes)
        case Kind.DIVISION:
            return random.choice(("330100", "320200", "310000"))
        case Kind.POSITION:
            return NOTHING
        case Kind.RELEASE:
            return str(Release(random.randbytes(32).hex(), random.randint(1, 99)))
        case _:
            return random.choice(("已核实", "done", "请尽快办理", "see the annex"))
