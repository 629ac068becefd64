"""Reads declared flows, and finds all their mistakes at once.

The shape of a declaration is shown by tiers/flows/declared/*.toml; what each key means is in tiers/flows/table.py.
Every flow has, without declaring them, the moves `comment` (both sides, also after the end), `warned`, `overdue`,
`restated` and `passed_over` (made by the issuer's node), the state that the last of them leads to, and the fields
`title`, `text`, `reason`, `successor` and `files`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType

from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import is_identifier
from tiers.dataset import SITE_PREFIX
from tiers.faults import Table
from tiers.flows.check import COMMENT, IMPLIED, OVERDUE, PASSED_OVER, RESTATED, WARNED, check_flow
from tiers.flows.clocks import Clock, ClockFault, Limit, read_limit
from tiers.flows.fields import FILES
from tiers.flows.guards import OVERRIDE
from tiers.flows.table import (
    BEFORE,
    STAY,
    Choice,
    FieldRule,
    Flow,
    Guard,
    Kind,
    Mirror,
    MoveRule,
    Party,
    Role,
    Stands,
    Start,
    State,
    StateLimit,
)
from tiers.profile import PROFILES

NAMES_MAX = 64
"""States, moves, fields, choices: of each."""
TITLE_MAX = 60
AMOUNT_MAX = 10_000
_BUILTIN_ID = re.compile(r"[A-Z][A-Z0-9]{1,7}")
_SITE_ID = re.compile(SITE_PREFIX + r"[a-z0-9_]{1,40}")
_BASES = {"proposal": True, "confirmed": False}
_SIDES = {p.value: p for p in (Party.ISSUER, Party.HOLDER)}
_STANDS = {s.value: s for s in Stands}
_REFUSALS = {"crossed": Reason.CROSSED, "withdrawn": Reason.WITHDRAWN}
_KINDS = {k.value: k for k in Kind if k is not Kind.FILES}
_CLOCKS = tuple(c.value for c in Clock)
_ROLES = {r.value: r for r in Role}
_GUARDS = {g.value: g for g in Guard}
_COMMON = (
    FieldRule("title", "标题", "title"),
    FieldRule("text", "内容", "text"),
    FieldRule("reason", "理由", "reason"),
    FieldRule("successor", "承继节点", "successor", Kind.NODE),
    FieldRule(FILES, "文件", "files", Kind.FILES),
)
_OVERRIDE = FieldRule(OVERRIDE, "未全部办结仍提交的理由", "why it goes on though not all parts are closed")


def read_flow(name: str, table: Table, of_site: bool) -> Flow | None:
    """The flow declared by `table`; None when it has mistakes (noted in the table's list)."""
    before = len(table.mistakes)
    if (_SITE_ID if of_site else _BUILTIN_ID).fullmatch(name) is None:
        table.wrong(
            "", Phrase("'{}' is no id of a flow: a site's begins with '{}', and only a site's does", name, SITE_PREFIX)
        )
    zh, en = _titles(table)
    definition, definition_zh = table.text("definition"), table.text("definition_zh")
    is_proposal = table.choice("basis", _BASES)
    issuers = table.texts("issuers")
    for unknown in sorted(set(issuers) - set(PROFILES)):
        table.wrong("issuers", Phrase("'{}' is none of {}", unknown, ", ".join(PROFILES)))
    stands = table.choice("issuer_stands", _STANDS, Stands.ABOVE)
    fields = [_field(n, t) for n, t in _named(table, "field")]
    states = tuple(_state(n, t) for n, t in _named(table, "state"))
    moves = [_move(n, t, of_site) for n, t in _named(table, "move")]
    starts = tuple(_start(t) for t in table.tables("starts"))
    mirrors = tuple(_mirror(t) for t in table.tables("mirrors"))
    hidden = table.texts("masked", ())
    phases = tuple(_value(one) for one in table.tables("phases"))
    passes = table.flag("passes", True)
    table.finish()
    if len(table.mistakes) > before or stands is None or is_proposal is None:
        return None
    common = [f for f in _COMMON if f.name not in {one.name for one in fields}]
    if any(Guard.PARTS_CLOSED in rule.guards for rule in moves):
        common.append(_OVERRIDE)
    said = [replace(f, masked=f.name in hidden) for f in (*fields, *common)]
    for unknown in sorted(set(hidden) - {f.name for f in said if f.kind is Kind.TEXT}):
        table.wrong("masked", Phrase("'{}' is no field of text", unknown))
    flow = Flow(
        name,
        zh,
        en,
        (*states, State(PASSED_OVER, "已移交承继节点", "passed over to a successor", final=True)),
        (*moves, *_implied(states)),
        frozenset(issuers),
        stands,
        tuple(said),
        starts,
        mirrors,
        definition,
        definition_zh,
        is_proposal,
        phases,
        passes,
    )
    for fault in check_flow(flow):
        table.wrong("", fault)
    return None if len(table.mistakes) > before else flow


def read_limits(table: Table, flow: Flow) -> Flow:
    """A flow with the limits that a site sets for some of its states; its mistakes are noted."""
    said, limits = table.raw("limit"), {}
    for name, limit in said.items() if isinstance(said, dict) else ():
        if not any(s.name == name and not s.final for s in flow.states):
            table.wrong("limit", Phrase("'{}' is no state of {} that has a limit", name, flow.id))
        limits[name] = _state_limit(limit, table, f"limit.{name}")
    table.finish()
    changed = replace(flow, states=tuple(replace(s, limit=limits.get(s.name, s.limit)) for s in flow.states))
    for fault in check_flow(changed):
        table.wrong("", fault)
    return changed


def _implied(states: tuple[State, ...]) -> tuple[MoveRule, ...]:
    everywhere = tuple(s.name for s in states)
    still_open = tuple(s.name for s in states if not s.final)
    return (
        MoveRule(COMMENT, "留言", "comment", Party.EITHER, everywhere, STAY, ("text",), quiet=True, stands=True),
        MoveRule(WARNED, "临期预警", "time is running out", Party.ISSUER, still_open, STAY, quiet=True, automatic=True),
        MoveRule(OVERDUE, "逾期", "overdue", Party.ISSUER, still_open, STAY, quiet=True, automatic=True),
        MoveRule(
            RESTATED, "时限重算", "limit reckoned anew", Party.ISSUER, still_open, STAY, quiet=True, automatic=True
        ),
        MoveRule(
            PASSED_OVER,
            "移交承继节点",
            "pass over to a successor",
            Party.ISSUER,
            still_open,
            PASSED_OVER,
            ("successor",),
            automatic=True,
        ),
    )


def _named(table: Table, key: str) -> list[tuple[str, Table]]:
    found = table.named(key)
    if len(found) > NAMES_MAX:
        table.wrong(key, Phrase("has more than {}", NAMES_MAX))
    for name, one in found[:NAMES_MAX]:
        if not is_identifier(name):
            one.wrong("", Phrase("'{}' is not an identifier (a-z, 0-9, _)", name))
    return found[:NAMES_MAX]


def _titles(table: Table) -> tuple[str, str]:
    zh, en = table.text("zh"), table.text("en")
    if max(len(zh), len(en)) > TITLE_MAX:
        table.wrong("", Phrase("zh and en have at most {} characters", TITLE_MAX))
    return zh, en


def _field(name: str, table: Table) -> FieldRule:
    if name == FILES:
        table.wrong("", Phrase("'{}' is a field that every flow has", name))
    zh, en = _titles(table)
    kind = table.choice("kind", _KINDS, Kind.TEXT) or Kind.TEXT
    values = tuple(_value(one) for one in table.tables("values"))
    if bool(values) is not (kind is Kind.CHOICE) or len({v.value for v in values}) != len(values):
        table.wrong("values", Phrase("are those of a choice, each once"))
    least, most = (table.whole(key, -(2**53), 2**53, 0) for key in ("least", "most"))
    if (least or most) and (kind is not Kind.INTEGER or most <= least):
        table.wrong("most", Phrase("is above least, of an integer"))
    within = table.whole("within_days", 0, AMOUNT_MAX, 0)
    if within and kind is not Kind.DATE:
        table.wrong("within_days", Phrase("is a bound of a date"))
    table.finish()
    return FieldRule(name, zh, en, kind, values, least, most, within)


def _value(table: Table) -> Choice:
    zh, en = _titles(table)
    value = table.text("value")
    table.finish()
    return Choice(value, zh, en)


def _state(name: str, table: Table) -> State:
    zh, en = _titles(table)
    final = table.flag("final", False)
    limit = table.raw("limit")
    owner = table.choice("owner", _SIDES) if not final else None
    state = State(
        name,
        zh,
        en,
        owner,
        None if limit is None else _state_limit(limit, table),
        table.text("next", ""),
        final,
        table.flag("draft", False),
        table.text("stage", ""),
        table.flag("suspends", False),
        table.choice("refusal", _REFUSALS, Reason.CROSSED) or Reason.CROSSED,
        table.text("phase", ""),
    )
    table.finish()
    return state


def _state_limit(said: object, table: Table, key: str = "limit") -> StateLimit:
    """A limit as text, or a table of the ways in which it may be said."""
    if isinstance(said, str):
        return StateLimit(otherwise=_limit(said, table, key))
    inner = Table(said, table.at(key), table.mistakes)
    of, otherwise = inner.raw("of"), inner.raw("otherwise")
    limits = {v: one for v, text in of.items() if (one := _limit(text, inner, "of"))} if isinstance(of, dict) else {}
    limit = StateLimit(
        inner.text("day", ""),
        inner.text("by", ""),
        MappingProxyType(limits),
        None if otherwise is None else _limit(otherwise, inner, "otherwise"),
    )
    inner.finish()
    return limit


def _limit(said: object, table: Table, key: str) -> Limit | None:
    try:
        return read_limit(str(said))
    except ClockFault:
        table.wrong(
            key, Phrase("'{}' is no limit such as '3 work_day' or '0:30 urgent_hour': {}", said, ", ".join(_CLOCKS))
        )
        return None


def _move(name: str, table: Table, of_site: bool) -> MoveRule:
    zh, en = _titles(table)
    by = table.choice("by", _SIDES) or Party.ISSUER
    opens = table.flag("opens", False)
    starts = (BEFORE,) if opens else table.texts("from")
    if name in IMPLIED:
        table.wrong("", Phrase("'{}' is a move that every flow has", name))
    guards = tuple(_GUARDS[g] for g in table.texts("guards", ()) if _known_guard(table, g))
    rule = MoveRule(
        name,
        zh,
        en,
        by,
        starts,
        table.text("to", STAY),
        table.texts("fields", ()),
        table.flag("quiet", False),
        table.flag("stands", False),
        table.whole("most", 0, AMOUNT_MAX, 0),
        guards,
        table.choice("role", _ROLES, Role.OFFICER) or Role.OFFICER,
        table.flag("automatic", False),
        table.flag("returns", False),
    )
    if rule.automatic and of_site:
        table.wrong("automatic", Phrase("is for moves that the program itself makes: nobody would make this one"))
    table.finish()
    return rule


def _known_guard(table: Table, name: str) -> bool:
    if name not in _GUARDS:
        table.wrong("guards", Phrase("'{}' is none of {}", name, ", ".join(_GUARDS)))
    return name in _GUARDS


def _start(table: Table) -> Start:
    said = table.raw("fields")
    fields = {str(n): str(v) for n, v in said.items()} if isinstance(said, dict) else {}
    if not fields:
        table.wrong("fields", Phrase("is missing: what the opening move of the flow says"))
    start = Start(
        table.text("on"),
        table.text("flow"),
        MappingProxyType(fields),
        table.whole("after", 1, 100, 1),
        table.choice("by", _SIDES, Party.ISSUER) or Party.ISSUER,
        table.text("to", ""),
    )
    table.finish()
    return start


def _mirror(table: Table) -> Mirror:
    said = table.raw("fields")
    fields = {str(n): str(v) for n, v in said.items()} if isinstance(said, dict) else {}
    mirror = Mirror(table.text("of"), table.texts("on"), table.text("move"), MappingProxyType(fields))
    table.finish()
    return mirror
