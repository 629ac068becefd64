"""The statement of a day: on the terminal, as JSON, as a page to print or as a workbook."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from node.cli.asking import ask
from node.cli.output import moment, remark, say, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.texts import N_, _, current

VERBS = Verbs()


@VERBS.verb(
    N_("Show the statement of a day: what came to the door, was sent, and was received, applied or refused by whom.")
)
def statement(
    context: typer.Context,
    day: Annotated[
        str, typer.Option(metavar="DATE", help=_("Day in Beijing time, such as 2026-11-23; today unless given."))
    ] = "",
    child: Annotated[str, typer.Option(metavar="NODE", help=_("Only what comes from this node."))] = "",
    dataset: Annotated[str, typer.Option(metavar="DATASET", help=_("Only this dataset."))] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help=_("Write a page to print (.html) or a workbook (.xlsx) instead.")
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=_("Replace the file if it is there."))] = False,
) -> None:
    session = here(context)
    write = None if output is None else _writer(output, force)
    found = ask(session, "statement", day=day, child=child, dataset=dataset)
    if output is not None and write is not None:
        _write(session, found, output, write, force)
    if session.as_json:
        say_json(found)
    elif output is None:
        _show(session, found)


def _show(session: Session, found: dict[str, Any]) -> None:
    from node.exporting import statement as page

    to = current()
    table(page.title(found, to), page.heads(to), page.rows(found, to))
    for one in page.remarks(found, to, partial(moment, zone=session.zone)):
        remark(one)


def _writer(output: Path, force: bool) -> Any:
    """What writes a file of that name, before anything is asked. Raises UserFault."""
    from node.exporting.files import check_free
    from node.exporting.statement import write_html, write_workbook

    writers = {".html": write_html, ".htm": write_html, ".xlsx": write_workbook}
    found = writers.get(output.suffix.lower())
    if found is None:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("A statement is written as a page (.html) or a workbook (.xlsx), not as '{file}'."),
            N_("Give the file one of these endings."),
            file=output.name,
        )
    check_free(output, replaces=force)
    return found


def _write(session: Session, found: dict[str, Any], output: Path, write: Any, force: bool) -> None:
    from node.exporting.files import whole

    with whole(output, replaces=force) as out:
        write(out, found, current(), partial(moment, zone=session.zone))
    if not session.as_json:
        say(_("Written to {file}.").format(file=output))
