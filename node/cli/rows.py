"""Single rows in and out: put, void, query."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.asking import client, done, is_running, view
from node.cli.output import LIMIT_MAX, cell, clean, moment, remark, say, say_json, table, worded
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.datasets import dataset_named
from node.exporting.cells import is_formula
from node.faults import Code, Exit, UserFault
from node.jsoncells import cell_of
from node.reading import text_of
from node.texts import N_, _
from sync.phrase import Phrase
from sync.schema import CellType, RowSchema
from sync.values import Cell, Key, Row

if TYPE_CHECKING:
    from node.control.v1.control_pb2 import PutResult
    from tiers.dataset import Dataset

VERBS = Verbs()
INPUT_BYTES_MAX = 64 * 1024 * 1024
ROWS_AT_ONCE = 1_000
WARNED_SHOWN = 20
SHOWN = 100


@VERBS.verb(N_("Put rows, given as JSON: from a file, from stdin, or one by one with --row."))
def put(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset that the rows go into."))],
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help=_("JSON lines, or an array of objects; - is stdin."))
    ] = "",
    row: Annotated[list[str], typer.Option(metavar="JSON", help=_("A row as a JSON object; may stand often."))] = [],  # noqa: B006 - typer copies it
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be rejected."))] = False,
) -> int:
    session = here(context)
    return put_rows(session, dataset, _given(file, row), dry_run)


def put_rows(session: Session, dataset: str, given: Iterable[dict[str, Any]], dry_run: bool) -> int:
    """Puts rows that stand as objects, and tells what became of them; the exit code. Raises UserFault."""
    schema = _schema(session, dataset)
    rows = [_row(schema, one) for one in given]
    results = done(_put(session, schema, rows, dry_run))
    words = N_("{accepted} taken, {unchanged} unchanged, {rejected} rejected.")
    return _tell(session, results, dry_run, words)


async def _put(session: Session, schema: RowSchema, rows: Sequence[Row], dry_run: bool) -> list[PutResult]:
    from node.control.client import put_request

    async with client(session) as connected:
        requests = [
            put_request(
                schema.dataset,
                schema.names,
                rows[start : start + ROWS_AT_ONCE],
                dry_run=dry_run,
                lines=range(start + 1, min(start + ROWS_AT_ONCE, len(rows)) + 1),
            )
            for start in range(0, len(rows), ROWS_AT_ONCE)
        ]
        return [result async for result in connected.put_many(requests)]


def _tell(session: Session, results: Sequence[PutResult], dry_run: bool, words: str) -> int:
    """What became of rows, in `words`; the exit code says whether any were rejected."""
    from node.status import detail_shown, reason_name

    rejected = [
        {
            "row": r.line,
            "reason": r.reason,
            "name": reason_name(r.reason),
            **detail_shown(Phrase(*r.words)),
            "key": r.key,
        }
        for result in results
        for r in result.rejected
    ]
    warned = [
        {"row": w.line, **detail_shown(Phrase(*w.words)), "key": w.key} for result in results for w in result.warned
    ]
    warnings = sum(r.warnings for r in results)
    told = {
        "accepted": sum(r.accepted for r in results),
        "unchanged": sum(r.unchanged for r in results),
        "rejected": rejected,
        "warnings": warnings,
        "warned": warned,
        "groups": [r.group for r in results if r.group],
        "dry_run": dry_run,
    }
    if session.as_json:
        say_json(told)
    else:
        if dry_run:
            say(_("Dry run: nothing was written."))
        say(_(words).format(accepted=told["accepted"], unchanged=told["unchanged"], rejected=len(rejected)))
        for one in rejected:
            remark(_("  row {row}: {name} {detail}").format(**{**one, "detail": worded(one)}))
        if warnings:
            remark(
                _("Let in with {warnings} warning(s); correct the rows where they come from:").format(warnings=warnings)
            )
        for one in warned[:WARNED_SHOWN]:
            remark(_("  row {row}: {detail}").format(row=one["row"], detail=worded(one)))
    return int(Exit.INPUT) if rejected else int(Exit.OK)


@VERBS.verb(N_("Void rows: they end everywhere they went to, with a reason."))
def void(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset of the rows."))],
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY", help=_("Key, or JSON of all its columns; several may be given."))
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; it travels with the removal."))],
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be done."))] = False,
) -> int:
    session = here(context)
    schema = _schema(session, dataset)
    cells = [_key(schema, key) for key in keys]

    async def work() -> PutResult:
        async with client(session) as connected:
            return await connected.put(dataset, (), (), cells, reason, dry_run=dry_run)

    words = N_("{accepted} voided, {unchanged} not there (nothing to void), {rejected} rejected.")
    return _tell(session, [done(work())], dry_run, words)


@VERBS.verb(N_("Show rows of a dataset, also as JSON or CSV."))
def query(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset to show rows of."))],
    where: Annotated[
        str,
        typer.Option("--filter", metavar="JSON", help=_('Such as {"column": "state", "op": "=", "value": "closed"}.')),
    ] = "",
    columns: Annotated[str, typer.Option(metavar="A,B", help=_("Columns to show; all if not given."))] = "",
    origin: Annotated[str, typer.Option(metavar="NODE", help=_("Only rows of this origin."))] = "",
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, max=LIMIT_MAX, help=_("At most so many; 0 is all. A table shows 100 if not given.")
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help=_("Answer as CSV on stdout."))] = False,
) -> None:
    session = here(context)
    _schema(session, dataset)
    whole = session.as_json or as_csv
    most = limit if limit is not None else (0 if whole else SHOWN)
    chosen = tuple(name.strip() for name in columns.split(",") if name.strip())
    names, rows = _ask(session, dataset, where, chosen, most, origin)
    if session.as_json:
        return say_json({"dataset": dataset, "columns": names, "rows": [[_plain(c) for c in row] for row in rows]})
    if as_csv:
        return say_csv(names, rows)
    schema = session.catalogue.datasets[dataset].schema
    filled = [i for i, name in enumerate(names) if chosen or any(row[i] is not None for row in rows)]
    times = {i for i, name in enumerate(names) if schema.column(name).type is CellType.TIMESTAMP}
    shown = [[_shown(session, row[i], i in times) for i in filled] for row in rows]
    table("", [names[i] for i in filled], shown)
    remark(_("{count} rows.").format(count=len(rows)))
    return None


def _ask(
    session: Session, dataset: str, where: str, columns: tuple[str, ...], limit: int, origin: str
) -> tuple[list[str], list[Row]]:
    """Of the running node, or of its store."""
    if is_running(session):

        async def work() -> tuple[list[str], list[Row]]:
            async with client(session) as connected:
                return await connected.query(dataset, where, columns, limit, origin)

        return done(work())
    from node.queries import QueryWish
    from node.queries import query as ask_store

    with view(session) as stopped:
        names, rows = ask_store(stopped.catalogue, stopped.reader, QueryWish(dataset, where, columns, limit, origin))
        _note_read(session, stopped.catalogue.datasets[dataset], len(rows), ",".join(columns), where, origin)
        return list(names), rows


def _note_read(session: Session, dataset: Dataset, rows: int, *told: str) -> None:
    """As node.app.Node.note_read, of a node that is stopped. Raises LocalFault: what cannot be audited is not shown."""
    from node.audit import FOLDER, AuditLog, Event
    from node.caller import caller
    from node.clock import SystemClock
    from node.reads import Read, is_watched

    if is_watched(dataset):
        read = Read(caller(), dataset.id, rows, *told)
        said = {name: value for name, value in read._asdict().items() if value != ""}
        AuditLog(session.home / FOLDER, SystemClock()).append(Event.ROWS_READ, **said)


def _shown(session: Session, value: Cell, is_time: bool) -> str:
    return moment(value, session.zone) if is_time and isinstance(value, int) else cell(value)


def _plain(value: Cell) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def say_csv(names: Sequence[str], rows: Sequence[Row]) -> None:
    """CSV with a line of names. What a spreadsheet would take for a formula gets an apostrophe in front."""
    # Of both ends of lines: a carriage return inside a cell is only then put in quotes.
    line = io.StringIO(newline="")
    out = csv.writer(line, lineterminator="\r\n")
    for cells in (names, *(["" if c is None else harmless(_plain(c)) for c in row] for row in rows)):
        out.writerow(cells)
        sys.stdout.write(line.getvalue().removesuffix("\r\n") + "\n")
        line.seek(0)
        line.truncate()


def harmless(value: Any) -> Any:
    """What a spreadsheet would take for a formula, as a text that it takes for none."""
    if not isinstance(value, str) or not is_formula(value):
        return value
    return f"'{clean(value)}"


# --- rows as people write them --------------------------------------------------------------------------------------


def _schema(session: Session, dataset: str) -> RowSchema:
    """Raises UserFault UNKNOWN_DATASET."""
    return dataset_named(session.catalogue.datasets, dataset).schema


def _given(file: str, rows: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of the options, then those of the file. Raises UserFault BAD_ARGUMENT with the place."""
    if not file and not rows:
        raise _bad(_("nothing"), _("neither a file nor --row was given"))
    for place, text in enumerate(rows, start=1):
        yield _object(_json(text, f"--row {place}"), f"--row {place}")
    if file:
        yield from _from_text(
            text_of(file, INPUT_BYTES_MAX, N_("Split it; for large files of rows there is `tiersync load`.")), file
        )


def _from_text(text: str, file: str) -> Iterator[dict[str, Any]]:
    if text.lstrip().startswith("["):
        for place, one in enumerate(_json(text, file), start=1):
            yield _object(one, f"{file}, {place}")
        return
    # At line feeds alone: the other ends of lines that Python knows are lawful inside a JSON text.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{file}:{number}"
            yield _object(_json(line, where), where)


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(where, str(error)) from error


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(where, _("a row is a JSON object of columns and values"))
    return value


def _bad(where: str, detail: str) -> UserFault:
    return UserFault(
        Code.BAD_ARGUMENT,
        N_("No row can be read ({where}): {detail}"),
        N_('Write rows as JSON objects, such as {{"case_id": "1", "state": "closed"}}.'),
        where=where,
        detail=detail,
    )


def _row(schema: RowSchema, given: dict[str, Any]) -> Row:
    """Cells in schema order; absent columns are empty. Raises UserFault UNKNOWN_COLUMN."""
    for name in given:
        if name not in schema.names:
            raise UserFault(
                Code.UNKNOWN_COLUMN,
                N_("The dataset '{dataset}' has no column '{column}'; it has: {known}."),
                N_("`tiersync catalogue show {dataset}` explains each column."),
                dataset=schema.dataset,
                column=name,
                known=", ".join(schema.names),
            )
    return tuple(cell_of(column.type, given.get(column.name)) for column in schema.columns)


def _key(schema: RowSchema, text: str) -> Key:
    """One text, or JSON of all key columns."""
    cells = _json(text, text) if text.startswith("[") else [text]
    kinds = [schema.column(name).type for name in schema.key]
    if not isinstance(cells, list) or len(cells) != len(kinds):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{key}' is not a key of '{dataset}': {columns}."),
            N_("Write a key of several columns as JSON, such as '[\"a\", 1]'."),
            key=text,
            dataset=schema.dataset,
            columns=", ".join(schema.key),
        )
    whole = (CellType.INTEGER, CellType.TIMESTAMP)
    try:
        return tuple(int(c) if k in whole and isinstance(c, str) else c for c, k in zip(cells, kinds, strict=True))
    except ValueError as error:
        raise _bad(text, str(error)) from error
