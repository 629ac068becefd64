"""Tasks that cross tiers, and the tables that say how they move: task, flow."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.output import LIMIT_MAX, moment, pairs, say, say_json, table, worded
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.texts import N_, _, current

TASKS = Verbs("task", N_("Tasks that cross tiers: issue, sign, reply, check, close."))
FLOWS_GROUP = Verbs("flow", N_("How tasks move: states, moves, who may make them."))


@TASKS.verb(N_("Register and issue a new task for a node below."))
def new(
    context: typer.Context,
    holder: Annotated[str, typer.Argument(metavar="NODE", help=_("Node id of the platform that is to do it."))],
    title: Annotated[str, typer.Option(metavar="TEXT", help=_("What it is about."))],
    requirement: Annotated[str, typer.Option(metavar="TEXT", help=_("What is to be done."))] = "",
    due: Annotated[str, typer.Option(metavar="DATE", help=_("Until when, such as 2026-12-31."))] = "",
    task: Annotated[str, typer.Option(metavar="ID", help=_("Id of the task; made if not given."))] = "",
    flow: Annotated[str, typer.Option(metavar="FLOW", help=_("Id of the flow."))] = "W2",
    field: Annotated[list[str], typer.Option(metavar="NAME=TEXT", help=_("A further field; may stand often."))] = [],  # noqa: B006 - typer copies it
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation on whose behalf."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role of the officer; a name stays at this node."))] = "",
    register_only: Annotated[
        bool, typer.Option("--register-only", help=_("Register it without issuing it yet."))
    ] = False,
) -> None:
    session, flow = here(context), _flow(flow).id
    if not (due or register_only):
        # Said before anything is written: the task would be registered, and not issued.
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{name}' is missing."),
            N_("Give a limit with --due, or only register the task with --register-only."),
            name="--due",
        )
    author: dict[str, Any] = {"org": org, "role": role}
    fields = {**_fields(field), "title": title}
    given = command(session, "task.move", task=task, move="register", flow=flow, holder=holder, fields=fields, **author)
    if not register_only:
        wanted = {"requirement": requirement or title, "due": due}
        given = command(session, "task.move", task=given["task"], move="issue", fields=wanted, **author)
    _show_task(session, given)


@TASKS.verb(N_("List tasks, the most recently moved first."), "list")
def list_all(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help=_("Only those that are not ended."))] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    found = ask(session, "task.list", limit=limit, open=open_only)
    if session.as_json:
        return say_json(found)
    heads = [_("task"), _("title"), _("state"), _("pending"), _("issuer"), _("holder"), _("due"), _("moved")]
    rows = [
        (
            one["task"],
            one["title"],
            _state_word(one["flow"], one["state"]),
            ", ".join(one["pending_moves"]),
            one["issuer"],
            one["holder"],
            one["due"],
            moment(one["at"], session.zone),
        )
        for one in found["tasks"]
    ]
    table("", heads, rows)
    return None


@TASKS.verb(N_("Show one task with all its moves."))
def show(context: typer.Context, task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))]) -> None:
    session = here(context)
    _show_task(session, ask(session, "task.show", task=task))


@TASKS.verb(N_("Make any move of the task's flow."))
def move(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    name: Annotated[str, typer.Argument(metavar="MOVE", help=_("Name of the move; `tiersync flow show` lists them."))],
    field: Annotated[list[str], typer.Option(metavar="NAME=TEXT", help=_("A field; may stand often."))] = [],  # noqa: B006 - typer copies it
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation on whose behalf."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role of the officer; a name stays at this node."))] = "",
) -> None:
    _move(context, task, name, _fields(field), org, role)


def _fields(given: list[str]) -> dict[str, str]:
    """'name=text' as a table. Raises UserFault BAD_ARGUMENT."""
    found = {}
    for part in given:
        name, equals, said = part.partition("=")
        if not equals or not name:
            raise UserFault(
                Code.BAD_ARGUMENT,
                N_("'{value}' is not a field of the form name=text."),
                N_("Write for example --field result='pavement repaired'."),
                value=part,
            )
        found[name] = said
    return found


def _move(context: typer.Context, task: str, name: str, fields: dict[str, str], org: str, role: str) -> None:
    session = here(context)
    given = {field: said for field, said in fields.items() if said}
    _show_task(session, command(session, "task.move", task=task, move=name, fields=given, org=org, role=role))


@TASKS.verb(N_("Issue a registered task."))
def issue(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    requirement: Annotated[str, typer.Option(metavar="TEXT", help=_("What is to be done."))],
    due: Annotated[str, typer.Option(metavar="DATE", help=_("Until when, such as 2026-12-31."))],
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation on whose behalf."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role of the officer; a name stays at this node."))] = "",
) -> None:
    _move(context, task, "issue", {"requirement": requirement, "due": due}, org, role)


def _shortcut(name: str, about: str) -> None:
    """A move as a command of its own; the one thing that it must say, if any, is an argument."""

    def run_move(
        context: typer.Context,
        task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
        said: Annotated[
            str, typer.Argument(metavar="TEXT", help=_("What the move must say: a result, a reason, a text."))
        ] = "",
        org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation on whose behalf."))] = "",
        role: Annotated[
            str, typer.Option(metavar="TEXT", help=_("Role of the officer; a name stays at this node."))
        ] = "",
    ) -> None:
        _move(context, task, name, {_FIELD_OF[name]: said} if name in _FIELD_OF else {}, org, role)

    TASKS.verb(about, name)(run_move)


_FIELD_OF = {"reply": "result", "return": "reason", "withdraw": "reason", "report": "text", "remark": "text"}
"""Moves that must say one thing, and the field it goes into."""

_shortcut("sign", N_("Sign for a task that was issued to this node."))
_shortcut("begin", N_("Begin to put right what a task is about."))
_shortcut("report", N_("Report progress on a task."))
_shortcut("reply", N_("Reply that a task is done, with its result."))
_shortcut("check", N_("Begin to check a reply."))
_shortcut("return", N_("Return a task to be done again, with the reason."))
_shortcut("close", N_("Close a task; only its issuer can."))
_shortcut("withdraw", N_("Withdraw a task, with the reason."))
_shortcut("remark", N_("Add a remark to a task."))


def _state_word(flow: str, state: str) -> str:
    """A state as people read it; the bare word of a flow that this version does not know."""
    from tiers.flows import FLOWS

    known = FLOWS.get(flow)
    found = next((s for s in known.states if s.name == state), None) if known else None
    if found is None:
        return state
    return found.title_zh if current().language == "zh" else found.title_en


def _show_task(session: Session, task: dict[str, Any]) -> None:
    if session.as_json:
        return say_json(task)
    pairs(
        [
            (_("Task"), task["task"]),
            (_("Title"), task["title"]),
            (_("State"), _state_word(task["flow"], task["state"])),
            (_("Issuer"), task["issuer"]),
            (_("Holder"), task["holder"]),
            (_("Due"), task["due"]),
        ]
    )
    say()
    heads = [_("no."), _("move"), _("by"), _("on behalf of"), _("at"), _("says"), _("outcome")]
    table(_("Moves"), heads, [_move_row(session, one) for one in [*task["moves"], *task["pending"], *task["refused"]]])
    ways = ", ".join(_way(one) for one in task["next"])
    say(_("What this node may do next: {moves}").format(moves=ways or _("nothing")))
    return None


def _move_row(session: Session, one: dict[str, Any]) -> tuple[object, ...]:
    if one["reason"]:
        outcome = _("refused: {reason} {detail}").format(reason=one["reason"], detail=worded(one))
    elif one["accepted"]:
        outcome = _("accepted")
    else:
        outcome = _("pending: the issuer has not confirmed it")
    says = "; ".join(f"{name}: {said}" for name, said in one["fields"].items())
    behalf = " ".join(part for part in (one["org"], one["role"]) if part)
    return one["number"] or "", one["move"], one["by"], behalf, moment(one["at"], session.zone), says, outcome


def _way(one: dict[str, Any]) -> str:
    return f"{one['move']} ({', '.join(one['fields'])})" if one["fields"] else str(one["move"])


@FLOWS_GROUP.verb(N_("List the flows that this version knows."), "list")
def list_flows(context: typer.Context) -> None:
    from tiers.flows import FLOWS

    session = here(context)
    found = [
        {"flow": f.id, "zh": f.title_zh, "en": f.title_en, "states": len(f.states), "moves": len(f.moves)}
        for f in FLOWS.values()
    ]
    if session.as_json:
        return say_json({"flows": found})
    title = "zh" if current().language == "zh" else "en"
    heads = [_("flow"), _("title"), _("states"), _("moves")]
    table("", heads, [(one["flow"], one[title], one["states"], one["moves"]) for one in found])
    return None


@FLOWS_GROUP.verb(N_("Show a flow's moves: who may make which, from where to where."), "show")
def show_flow(
    context: typer.Context, flow: Annotated[str, typer.Argument(metavar="FLOW", help=_("Id of the flow."))]
) -> None:
    session, found = here(context), _flow(flow)
    zh = current().language == "zh"
    if session.as_json:
        return say_json(_flow_json(found))
    say(f"{found.id} {found.title_zh if zh else found.title_en}")
    heads = [_("move"), _("title"), _("by"), _("from"), _("to"), _("must say")]
    rows = [
        (
            rule.name,
            rule.title_zh if zh else rule.title_en,
            _("issuer") if rule.by.value == "issuer" else _("holder"),
            ", ".join(start or "-" for start in rule.starts),
            _("(stays)") if rule.to == "=" else rule.to,
            ", ".join(rule.fields),
        )
        for rule in found.moves
    ]
    table("", heads, rows)
    return None


@FLOWS_GROUP.verb(N_("Check a flow's table: unreachable states, dead ends, exits from the end."), "check")
def check_flows(
    context: typer.Context,
    flow: Annotated[str, typer.Argument(metavar="FLOW", help=_("Id of the flow; all if not given."))] = "",
) -> int:
    from tiers.flows import FLOWS
    from tiers.flows.table import check_flow

    session = here(context)
    chosen = [_flow(flow)] if flow else list(FLOWS.values())
    found = {one.id: check_flow(one) for one in chosen}
    if session.as_json:
        say_json({"flows": found})
    else:
        for name, faults in found.items():
            said = "; ".join(faults) if faults else _("sound")
            say(f"{name}: {said}")
    return 1 if any(found.values()) else 0


def _flow(name: str) -> Any:
    from tiers.flows import FLOWS

    if name not in FLOWS:
        raise UserFault(
            Code.FLOW_UNKNOWN,
            N_("There is no flow '{flow}'; known here: {known}."),
            N_("`tiersync flow list` lists them."),
            flow=name,
            known=", ".join(FLOWS),
        )
    return FLOWS[name]


def _flow_json(flow: Any) -> dict[str, Any]:
    return {
        "flow": flow.id,
        "zh": flow.title_zh,
        "en": flow.title_en,
        "states": [{"state": s.name, "zh": s.title_zh, "en": s.title_en, "final": s.final} for s in flow.states],
        "moves": [
            {
                "move": rule.name,
                "zh": rule.title_zh,
                "en": rule.title_en,
                "by": rule.by.value,
                "from": list(rule.starts),
                "to": rule.to,
                "fields": list(rule.fields),
            }
            for rule in flow.moves
        ],
    }
