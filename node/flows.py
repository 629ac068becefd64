"""A flow by the name that a person gave, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from node.faults import Code, UserFault
from node.texts import N_

if TYPE_CHECKING:
    from tiers.flows.clocks import Limit
    from tiers.flows.table import FieldRule, Flow, MoveRule, State, StateLimit

CLOCKS: Mapping[str, str] = {
    "urgent_hour": N_("urgent work hour(s)"),
    "work_hour": N_("work hour(s)"),
    "work_day": N_("work day(s)"),
    "day": N_("natural day(s)"),
}
PARTIES: Mapping[str, str] = {"issuer": N_("issuer"), "holder": N_("holder"), "either": N_("either")}
KINDS: Mapping[str, str] = {
    "text": N_("text"),
    "date": N_("a date such as 2026-12-31"),
    "integer": N_("a whole number"),
    "choice": N_("one of a list"),
    "node": N_("a node id"),
    "division": N_("a division code of 6 digits"),
    "position": N_("datasets, whose positions the node writes there"),
    "release": N_("written by the node"),
    "files": N_("SHA-256 of files, commas between them"),
}
STANDS: Mapping[str, str] = {
    "above": N_("above the holder"),
    "below": N_("below the holder"),
    "either": N_("above or below the holder"),
}


def flow_named(known: Mapping[str, Flow], name: str) -> Flow:
    """The flow of that id. Raises UserFault FLOW_UNKNOWN, which lists those that are known."""
    found = known.get(name)
    if found is None:
        raise UserFault(
            Code.FLOW_UNKNOWN,
            N_("There is no flow '{flow}'; known here: {known}."),
            N_("`tiersync flow list` lists them."),
            flow=name,
            known=", ".join(known),
        )
    return found


def flow_head(flow: Flow) -> dict[str, Any]:
    """A flow without its table."""
    return {
        "flow": flow.id,
        "zh": flow.title_zh,
        "en": flow.title_en,
        "definition": flow.definition,
        "definition_zh": flow.definition_zh,
        "proposal": flow.is_proposal,
        "issuers": sorted(flow.issuers),
        "issuer_stands": flow.stands.value,
    }


def flow_shown(flow: Flow) -> dict[str, Any]:
    """A whole flow."""
    return {
        **flow_head(flow),
        "states": [_state(state) for state in flow.states],
        "moves": [_move(rule) for rule in flow.moves],
        "fields": [_field(rule) for rule in flow.fields],
        "starts": [
            {
                "on": s.on,
                "after": s.after,
                "by": s.by.value,
                "flow": s.flow,
                "to": s.to,
                "fields": dict(s.fields),
            }
            for s in flow.starts
        ],
        "mirrors": [{"of": m.of, "on": list(m.on), "move": m.move, "fields": dict(m.fields)} for m in flow.mirrors],
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "state": state.name,
        "zh": state.title_zh,
        "en": state.title_en,
        "final": state.final,
        "draft": state.draft,
        "owner": state.owner.value if state.owner else "",
        "next": state.next,
        "limit": None if state.limit is None else _state_limit(state.limit),
        "stage": state.stage or state.name,
        "suspends": state.suspends,
    }


def _state_limit(limit: StateLimit) -> dict[str, Any]:
    return {
        "day": limit.day,
        "by": limit.by,
        "of": {value: _limit(one) for value, one in limit.of.items()},
        "otherwise": None if limit.otherwise is None else _limit(limit.otherwise),
    }


def _limit(limit: Limit) -> dict[str, Any]:
    return {"amount": float(limit.amount), "clock": limit.clock.value}


def _move(rule: MoveRule) -> dict[str, Any]:
    return {
        "move": rule.name,
        "zh": rule.title_zh,
        "en": rule.title_en,
        "by": rule.by.value,
        "from": list(rule.starts),
        "to": rule.to,
        "fields": list(rule.fields),
        "role": rule.role.value,
        "most": rule.most,
        "guards": [guard.value for guard in rule.guards],
        "quiet": rule.quiet,
        "automatic": rule.automatic,
        "returns": rule.returns,
    }


def _field(rule: FieldRule) -> dict[str, Any]:
    return {
        "field": rule.name,
        "zh": rule.title_zh,
        "en": rule.title_en,
        "kind": rule.kind.value,
        "values": [{"value": v.value, "zh": v.title_zh, "en": v.title_en} for v in rule.values],
        "least": rule.least,
        "most": rule.most,
        "within_days": rule.within_days,
        "masked": rule.masked,
    }
