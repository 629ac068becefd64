"""How tasks move: flow list, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.catalogues import catalogue_of, checked
from node.cli.output import pairs, say, say_json, table
from node.cli.session import here
from node.cli.verbs import Verbs
from node.cli.wording import tiers_in_words
from node.flows import CLOCKS, KINDS, PARTIES, STANDS, flow_head, flow_named, flow_shown
from node.texts import N_, _, current

if TYPE_CHECKING:
    from tiers.flows.clocks import Limit
    from tiers.flows.table import FieldRule, Flow, MoveRule, State

FLOWS_GROUP = Verbs("flow", N_("How tasks move: states, who must act until when, moves, who may make them."))


@FLOWS_GROUP.verb(N_("List the flows that are known here."), "list")
def list_flows(context: typer.Context) -> None:
    session = here(context)
    found = [
        {**flow_head(f), "states": len(f.states), "moves": len(f.moves)} for f in catalogue_of(session).flows.values()
    ]
    if session.as_json:
        return say_json({"flows": found})
    title = "zh" if _is_chinese() else "en"
    heads = [_("flow"), _("title"), _("states"), _("moves")]
    table("", heads, [(one["flow"], one[title], one["states"], one["moves"]) for one in found])
    return None


@FLOWS_GROUP.verb(N_("Show a flow: who must act in each state until when, and who may make which move."), "show")
def show_flow(
    context: typer.Context, flow: Annotated[str, typer.Argument(metavar="FLOW", help=_("Id of the flow."))]
) -> None:
    session = here(context)
    found = flow_named(catalogue_of(session).flows, flow)
    if session.as_json:
        return say_json(flow_shown(found))
    zh = _is_chinese()
    pairs(
        [
            (_("Flow"), f"{found.id} {found.title_zh if zh else found.title_en}"),
            (_("Meaning"), found.definition_zh if zh else found.definition),
            (_("Basis"), _("a proposal") if found.is_proposal else _("confirmed")),
            (_("Issued by"), f"{tiers_in_words(found.issuers)}; {_(STANDS[found.stands.value])}"),
        ]
    )
    say()
    heads = [_("state"), _("title"), _("must act"), _("limit"), _("usual next move")]
    table(_("States"), heads, [_state_row(found, state, zh) for state in found.states])
    say()
    heads = [_("move"), _("title"), _("by"), _("from"), _("to"), _("must say")]
    table(_("Moves that there are"), heads, [_move_row(rule, zh) for rule in found.moves])
    say()
    heads = [_("field"), _("title"), _("what it may say")]
    table(_("Fields"), heads, [_field_row(rule, zh) for rule in found.fields])
    return None


def _field_row(rule: FieldRule, zh: bool) -> tuple[str, ...]:
    return rule.name, rule.title_zh if zh else rule.title_en, _what_may_stand(rule, zh)


def _what_may_stand(rule: FieldRule, zh: bool) -> str:
    """The kind of a field, in words."""
    if rule.values:
        return ", ".join(_titled(one.value, one.title_zh if zh else one.title_en) for one in rule.values)
    said = _(KINDS[rule.kind.value])
    if rule.least or rule.most:
        return _("{kind} from {least} to {most}").format(kind=said, least=rule.least, most=rule.most)
    if rule.within_days:
        return _("{kind}, at most {days} days ahead").format(kind=said, days=rule.within_days)
    return said


def _titled(name: str, title: str) -> str:
    return name if title in ("", name) else f"{name} ({title})"


def _state_row(flow: Flow, state: State, zh: bool) -> tuple[str, ...]:
    owner = _(PARTIES[state.owner.value]) if state.owner else _("ended")
    return state.name, state.title_zh if zh else state.title_en, owner, _limit_words(state), state.next


def _limit_words(state: State) -> str:
    """Every way in which a state's limit may be said, the first that applies first."""
    limit = state.limit
    if limit is None:
        return ""
    said = [_("the day in '{field}'").format(field=limit.day)] if limit.day else []
    said += [f"{limit.by}={value}: {_amount(one)}" for value, one in limit.of.items()]
    said += [_amount(limit.otherwise)] if limit.otherwise else []
    return "; ".join(said)


def _amount(limit: Limit) -> str:
    return f"{float(limit.amount):g} {_(CLOCKS[limit.clock.value])}"


def _move_row(rule: MoveRule, zh: bool) -> tuple[str, ...]:
    return (
        rule.name,
        rule.title_zh if zh else rule.title_en,
        _("the node itself") if rule.automatic else _(PARTIES[rule.by.value]),
        ", ".join(start or "-" for start in rule.starts),
        _("(stays)") if rule.to == "=" else rule.to,
        ", ".join(rule.fields),
    )


@FLOWS_GROUP.verb(
    N_("Check flows: names, dead ends, states that nobody answers for, limits. All mistakes at once."), "check"
)
def check_flows(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE.toml", help=_("Files as node.toml names them; those of the home if none.")),
    ] = [],  # noqa: B006 - typer copies it
) -> None:
    session = here(context)
    found = checked(session, files).flows
    if session.as_json:
        return say_json({"flows": list(found)})
    say(_("Sound: {flows} flows.").format(flows=len(found)))
    return None


def _is_chinese() -> bool:
    return current().language == "zh"
