"""Quality issues: what is wrong with a record of another node, and what its owner says to it."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.output import LIMIT_MAX, pairs, remark, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.cli.wording import word_of
from node.faults import Code, UserFault
from node.texts import N_, _

QUALITY = Verbs("quality", N_("Quality issues: mark a record of another node, answer for an own one, close."))


class Kind(StrEnum):
    """What may be wrong."""

    MISSING = "missing"
    LATE = "late"
    CODE_UNKNOWN = "code_unknown"
    OUT_OF_RANGE = "out_of_range"
    CONTRADICTS = "contradicts"
    DUPLICATE = "duplicate"


class Said(StrEnum):
    """What an origin may answer."""

    VERIFY = "verify"
    CORRECT = "correct"
    KEEP = "keep"


DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be written."))]
Id = Annotated[str, typer.Argument(metavar="ISSUE", help=_("Id of the issue."))]


@QUALITY.verb(N_("List quality issues, the newest first."), "list")
def list_all(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help=_("Only those that are not closed."))] = False,
    to_answer: Annotated[bool, typer.Option("--to-answer", help=_("Only those that wait for this node."))] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    found = ask(session, "quality.list", open=open_only, to_answer=to_answer, limit=limit)
    if session.as_json:
        return say_json(found)
    heads = [_("issue"), _("finder"), _("origin"), _("dataset"), _("record"), _("kind"), _("state"), _("changed since")]
    rows = [
        (
            one["issue"],
            one["finder"],
            one["origin"],
            one["dataset"],
            one["record"] or one["period"],
            word_of(session, "quality_issue", "kind", one["kind"]),
            word_of(session, "quality_issue", "state", one["state"]),
            _changed(one),
        )
        for one in found["issues"]
    ]
    return table("", heads, rows)


@QUALITY.verb(N_("Mark a record of another node: it is told, and only it can correct the record."))
def mark(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Id of the dataset."))],
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help=_("What is wrong: missing, late, code_unknown, out_of_range, contradicts or duplicate."),
        ),
    ],
    key: Annotated[str, typer.Option(metavar="KEY", help=_("Key of the record; JSON for several columns."))] = "",
    origin: Annotated[str, typer.Option(metavar="NODE", help=_("Node whose record it is or would be."))] = "",
    column: Annotated[str, typer.Option(metavar="COLUMN", help=_("Column that it is about."))] = "",
    period: Annotated[str, typer.Option(metavar="PERIOD", help=_("Period that is missing or late."))] = "",
    problem: Annotated[str, typer.Option(metavar="TEXT", help=_("What is wrong, in words that name no person."))] = "",
    exclude: Annotated[
        bool,
        typer.Option("--exclude", help=_("Leave the record out of this node's statistics until the issue is closed.")),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    session = here(context)
    cells = _cells(key)
    about: dict[str, Any] = {"column": column, "period": period, "problem": problem, "exclude": exclude}
    about["dry_run"] = dry_run
    found = command(session, "quality.mark", dataset=dataset, kind=kind.value, key=cells, origin=origin, **about)
    _show(session, found, dry_run)


@QUALITY.verb(N_("Answer an issue about an own record: looked into, corrected (put the row first), or kept, and why."))
def answer(
    context: typer.Context,
    issue: Id,
    move: Annotated[Said, typer.Argument(metavar="MOVE", help=_("verify, correct or keep."))],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; keep needs it."))] = "",
    dry_run: DryRun = False,
) -> None:
    session = here(context)
    found = command(session, "quality.answer", issue=issue, move=move.value, reason=reason, dry_run=dry_run)
    _show(session, found, dry_run)


@QUALITY.verb(N_("Close an issue that this node found."))
def close(context: typer.Context, issue: Id, dry_run: DryRun = False) -> None:
    session = here(context)
    _show(session, command(session, "quality.close", issue=issue, dry_run=dry_run), dry_run)


@QUALITY.verb(N_("Reopen an issue that this node found: the answer does not settle it."))
def reopen(
    context: typer.Context,
    issue: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("What is still wrong."))],
    dry_run: DryRun = False,
) -> None:
    session = here(context)
    _show(session, command(session, "quality.reopen", issue=issue, reason=reason, dry_run=dry_run), dry_run)


def _cells(key: str) -> list[Any]:
    """A key as a person writes it. Raises UserFault BAD_ARGUMENT."""
    if not key.startswith("["):
        return [key] if key else []
    try:
        cells = json.loads(key)
    except ValueError:
        cells = None
    if not isinstance(cells, list):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' cannot be read as a key."),
            N_("Write a key of several columns as JSON, such as '[\"a\", 1]'."),
            value=key,
        )
    return cells


def _show(session: Session, one: dict[str, Any], dry_run: bool) -> None:
    if session.as_json:
        return say_json(one)
    pairs(
        [
            (_("Issue"), one["issue"]),
            (_("Found by"), one["finder"]),
            (_("Record"), f"{one['origin']} {one['dataset']} {one['record'] or one['period']}"),
            (_("Kind"), word_of(session, "quality_issue", "kind", one["kind"])),
            (_("Problem"), one["problem"]),
            (_("State"), word_of(session, "quality_issue", "state", one["state"])),
            (_("Reason"), one["reason"]),
            (_("Changed since"), _changed(one)),
        ]
    )
    if dry_run:
        remark(_("Nothing was written."))
    return None


def _changed(one: dict[str, Any]) -> str:
    return {True: _("yes"), False: _("no"), None: ""}[one["record_changed"]]
