"""Tasks that cross tiers: task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.caller import account_of, caller
from node.cli.asking import ask, command
from node.cli.catalogues import catalogue_of
from node.cli.output import LIMIT_MAX, moment, remark, say_json, table
from node.cli.session import Session, here
from node.cli.tasks_shown import show_made, show_task, show_tasks
from node.cli.verbs import Verbs
from node.clock import SystemClock
from node.faults import Code, UserFault
from node.flows import flow_named
from node.texts import N_, _
from tiers.flows.fields import FILES

if TYPE_CHECKING:
    from tiers.flows.table import Flow

TASKS = Verbs("task", N_("Tasks that cross tiers: issue, sign, reply, check, close."))

_FilesOption = Annotated[
    list[Path],
    typer.Option("--file", metavar="PATH", help=_("A file that the move names, attached first; may stand often.")),
]


@TASKS.verb(N_("Register and issue a new task for another node."))
def new(
    context: typer.Context,
    holder: Annotated[str, typer.Argument(metavar="NODE", help=_("Node id of the platform that is to do it."))],
    title: Annotated[str, typer.Option(metavar="TEXT", help=_("What it is about."))],
    requirement: Annotated[str, typer.Option(metavar="TEXT", help=_("What is to be done."))] = "",
    due: Annotated[str, typer.Option(metavar="DATE", help=_("Until when, such as 2026-12-31."))] = "",
    task: Annotated[str, typer.Option(metavar="ID", help=_("Id of the task; made if not given."))] = "",
    flow: Annotated[str, typer.Option(metavar="FLOW", help=_("Id of the flow."))] = "W2",
    field: Annotated[list[str], typer.Option(metavar="NAME=TEXT", help=_("A further field; may stand often."))] = [],  # noqa: B006 - typer copies it
    file: _FilesOption = [],  # noqa: B006 - typer copies it
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation, while no people are declared here."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role, while no people are declared here."))] = "",
    register_only: Annotated[
        bool, typer.Option("--register-only", help=_("Register it without issuing it yet."))
    ] = False,
) -> None:
    session = here(context)
    found = flow_named(catalogue_of(session).flows, flow)
    opening = found.opening
    issuing = found.rule(found.state(opening.to).next) if found.state(opening.to).draft else None
    if "due" in (issuing or opening).fields and not (due or register_only):
        # Said before anything is written: the task would be registered, and not issued.
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{name}' is missing."),
            N_("Give a limit with --due, or only register the task with --register-only."),
            name="--due",
        )
    author: dict[str, Any] = {"org": org, "role": role}
    said = {"requirement": requirement or title, "due": due}
    said = {name: text for name, text in said.items() if text and found.field(name)}
    fields = {**fields_given(field), "title": title, **({} if issuing else said)}
    fields = _with_files(session, fields, file)
    # Issued with it or not at all: nothing is registered that was never issued because of a slip.
    then = [{"move": issuing.name, "fields": said}] if issuing and not register_only else []
    wish: dict[str, Any] = {"task": task, "flow": found.id, "holder": holder, "fields": fields, "then": then}
    show_made(session, command(session, "task.move", move=opening.name, **wish, **author))
    _remark_passed(session, due)
    _remark_unknown(found, fields)


@TASKS.verb(N_("List tasks, the most recently moved first."), "list")
def list_all(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help=_("Only those that are not ended."))] = False,
    mine: Annotated[bool, typer.Option("--mine", help=_("Only those that you handle."))] = False,
    person: Annotated[str, typer.Option(metavar="NAME", help=_("Only those that this person handles."))] = "",
    nobody: Annotated[bool, typer.Option("--unassigned", help=_("Only those that nobody handles."))] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help=_("Only those whose limit has passed."))] = False,
    due_before: Annotated[
        str, typer.Option(metavar="TIME", help=_("Only those whose limit ends before it, such as 2026-12-31."))
    ] = "",
    flow: Annotated[str, typer.Option(metavar="FLOW", help=_("Only those of this flow."))] = "",
    skip: Annotated[int, typer.Option(metavar="N", min=0, max=LIMIT_MAX, help=_("Not the first so many."))] = 0,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    whose = "-" if nobody else account_of(caller()) if mine else person
    about: dict[str, Any] = {"flow": flow, "due_before": due_before, "skip": skip, "limit": limit}
    found = ask(session, "task.list", open=open_only, person=whose, overdue=overdue, **about)
    if session.as_json:
        return say_json(found)
    return show_tasks(session, found["tasks"])


@TASKS.verb(N_("Show one task with all its moves."))
def show(context: typer.Context, task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))]) -> None:
    session = here(context)
    show_task(session, ask(session, "task.show", task=task))


@TASKS.verb(N_("Say who at this node handles a task."))
def assign(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    person: Annotated[str, typer.Argument(metavar="NAME", help=_("An officer or approver of this node."))],
) -> None:
    session = here(context)
    show_task(session, command(session, "task.assign", task=task, person=person))


@TASKS.verb(N_("Say which successor goes on with a task, where a node was divided among several."), "pass-over")
def pass_over(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    to: Annotated[str, typer.Argument(metavar="NODE", help=_("Node id of the successor."))],
) -> None:
    session = here(context)
    show_task(session, command(session, "task.pass_over", task=task, to=to))


@TASKS.verb(N_("Say who handles tasks that nobody was assigned to."))
def default(
    context: typer.Context,
    person: Annotated[str, typer.Argument(metavar="NAME", help=_("A person of this node; '-' for nobody."))],
    flow: Annotated[
        str, typer.Option(metavar="FLOW", help=_("Of this flow; else of every flow without its own."))
    ] = "",
) -> None:
    session = here(context)
    found = command(session, "task.default", flow=flow, person="" if person == "-" else person)
    if session.as_json:
        return say_json(found)
    table("", [_("flow"), _("handled by")], [(one or _("every other"), who) for one, who in found["flows"].items()])
    return None


@TASKS.verb(N_("Make any move of the task's flow."))
def move(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    name: Annotated[str, typer.Argument(metavar="MOVE", help=_("Name of the move; `tiersync flow show` lists them."))],
    field: Annotated[list[str], typer.Option(metavar="NAME=TEXT", help=_("A field; may stand often."))] = [],  # noqa: B006 - typer copies it
    file: _FilesOption = [],  # noqa: B006 - typer copies it
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation, while no people are declared here."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role, while no people are declared here."))] = "",
) -> None:
    _move(context, task, name, fields_given(field), org, role, file)


@TASKS.verb(N_("Ask the node above to coordinate a case that concerns another city."))
def coordinate(
    context: typer.Context,
    division: Annotated[str, typer.Argument(metavar="CODE", help=_("Division code of the place concerned."))],
    title: Annotated[str, typer.Option(metavar="TEXT", help=_("What it is about."))],
    request: Annotated[str, typer.Option(metavar="TEXT", help=_("What is asked for."))],
    to: Annotated[str, typer.Option(metavar="NODE", help=_("A node above; the parent if not given."))] = "",
    case: Annotated[str, typer.Option(metavar="ID", help=_("Id of the case."))] = "",
    urgent: Annotated[bool, typer.Option("--urgent", help=_("It is urgent."))] = False,
    file: _FilesOption = [],  # noqa: B006 - typer copies it
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation, while no people are declared here."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role, while no people are declared here."))] = "",
) -> None:
    session = here(context)
    said = {"title": title, "request": request, "other": division, "case": case}
    said["urgency"] = "urgent" if urgent else "normal"
    fields = _with_files(session, {name: text for name, text in said.items() if text}, file)
    wish: dict[str, Any] = {"flow": "W3U", "move": "ask", "holder": to, "fields": fields, "org": org, "role": role}
    show_made(session, command(session, "task.move", **wish))


@TASKS.verb(N_("Direct a case to a node below; what it then does is told back by itself."))
def direct(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    requirement: Annotated[str, typer.Option(metavar="TEXT", help=_("What is to be done; all that is passed on."))],
    to: Annotated[
        str, typer.Option(metavar="NODE", help=_("The node; if not given, who answers for the place concerned."))
    ] = "",
    title: Annotated[str, typer.Option(metavar="TEXT", help=_("Another title than that of the task."))] = "",
    due: Annotated[str, typer.Option(metavar="DATE", help=_("Until when, such as 2026-12-31."))] = "",
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation, while no people are declared here."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role, while no people are declared here."))] = "",
) -> None:
    said = {"to_node": to, "requirement": requirement, "title": title, "due": due}
    _move(context, task, "direct", said, org, role)


def fields_given(given: list[str]) -> dict[str, str]:
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


def _move(
    context: typer.Context,
    task: str,
    name: str,
    fields: dict[str, str],
    org: str,
    role: str,
    files: Sequence[Path] = (),
) -> None:
    session = here(context)
    given = _with_files(session, {field: said for field, said in fields.items() if said}, files)
    made = command(session, "task.move", task=task, move=name, fields=given, org=org, role=role)
    show_made(session, made)
    _remark_passed(session, given.get("due", ""))
    _remark_unknown(catalogue_of(session).flows.get(made.get("flow", "")), given)


def _remark_passed(session: Session, due: str) -> None:
    """A day in the past is let in, for work that is only registered now; it is mostly a slip."""
    if due and due < moment(SystemClock().now_us(), session.zone)[: len("2026-12-31")]:
        remark(_("The day {due} has passed already: the task is overdue as soon as that limit begins.").format(due=due))


def _remark_unknown(flow: Flow | None, given: Iterable[str]) -> None:
    """A field that the flow does not know is sent as it stands, for a site may agree on more; mostly it is a slip."""
    for name in given:
        if flow is not None and flow.field(name) is None:
            text = _(
                "The flow has no field '{name}': it was sent as it stands. `tiersync flow show {flow}` lists them."
            )
            remark(text.format(name=name, flow=flow.id))


def _with_files(session: Session, fields: dict[str, str], files: Sequence[Path]) -> dict[str, str]:
    """The fields of a move that names these files too; they are attached first, so that it names what is there."""
    if not files:
        return fields
    from node.cli.attachments import attach_all

    named = ",".join([*([fields[FILES]] if fields.get(FILES) else []), *attach_all(session, list(files))])
    return {**fields, FILES: named}


@TASKS.verb(N_("Issue a registered task."))
def issue(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    requirement: Annotated[str, typer.Option(metavar="TEXT", help=_("What is to be done."))],
    due: Annotated[str, typer.Option(metavar="DATE", help=_("Until when, such as 2026-12-31."))],
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation, while no people are declared here."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role, while no people are declared here."))] = "",
) -> None:
    _move(context, task, "issue", {"requirement": requirement, "due": due}, org, role)


@TASKS.verb(N_("Lengthen the limit of a task that this node issued, with the reason."))
def extend(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    due: Annotated[str, typer.Option(metavar="DATE", help=_("Until when, such as 2026-12-31."))],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; the other side reads it."))],
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation, while no people are declared here."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role, while no people are declared here."))] = "",
) -> None:
    _move(context, task, "extend", {"due": due, "reason": reason}, org, role)


def _shortcut(name: str, about: str) -> None:
    """A move as a command of its own; the one thing that it must say, if any, is an argument."""

    def run_move(
        context: typer.Context,
        task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
        said: Annotated[
            str, typer.Argument(metavar="TEXT", help=_("What the move must say: a result, a reason, a text."))
        ] = "",
        file: _FilesOption = [],  # noqa: B006 - typer copies it
        org: Annotated[
            str, typer.Option(metavar="TEXT", help=_("Organisation, while no people are declared here."))
        ] = "",
        role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role, while no people are declared here."))] = "",
    ) -> None:
        fields = {_sole_field(here(context), task, name): said} if said else {}
        _move(context, task, name, fields, org, role, file)

    TASKS.verb(about, name.replace("_", "-"))(run_move)


def _sole_field(session: Session, task: str, name: str) -> str:
    """The field that a text goes into: the one that the move must say in this task's flow; else what every flow has for
    words, so that nothing of what was typed is lost."""
    flow = catalogue_of(session).flows.get(ask(session, "task.show", task=task)["flow"])
    rule = flow.rule(name) if flow is not None else None
    return rule.fields[0] if rule is not None and len(rule.fields) == 1 else "text"


_shortcut("sign", N_("Sign for a task that was issued to this node."))
_shortcut("begin", N_("Begin to put right what a task is about."))
_shortcut("report", N_("Report progress on a task."))
_shortcut("reply", N_("Reply that a task is done, with its result."))
_shortcut("check", N_("Begin to check a reply."))
_shortcut("return", N_("Return a task to be done again, with the reason."))
_shortcut("close", N_("Close a task; only its issuer can."))
_shortcut("withdraw", N_("Withdraw a task, with the reason."))
_shortcut("remark", N_("Add a remark to a task."))
_shortcut("accept", N_("Accept a case, or a request to coordinate one."))
_shortcut("decline", N_("Decline a case, with the reason."))
_shortcut("advise", N_("Give the opinion that was asked for."))
_shortcut("bring_up", N_("Bring a case up to the node above, saying what is asked for."))
_shortcut("confirm", N_("Confirm that a case is closed."))
_shortcut("file", N_("File a case, with its result."))
_shortcut("comment", N_("Say something about a task to the other side, also after it has ended."))
