"""Rows out into a file: export."""

from __future__ import annotations

import sys
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from node.cli.asking import ask, view
from node.cli.output import remark, say, say_json
from node.cli.progress import moving
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.datasets import dataset_named
from node.faults import Code, UserFault
from node.texts import LANGUAGES, N_, _
from node.trial import TRIAL_COLUMN

if TYPE_CHECKING:
    from node.exporting.cells import Head
    from node.exporting.formats import Format
    from node.exporting.pages import Source
    from tiers.dataset import Dataset

VERBS = Verbs()
FORMATS = ("csv", "jsonl", "xlsx", "parquet")
ON_STDOUT = ("csv", "jsonl")


@VERBS.verb(N_("Write rows of a dataset into a file for another program. Reads only; the node may run or be stopped."))
def export(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset to write rows of."))],
    form: Annotated[
        str,
        typer.Option("--format", metavar="csv|jsonl|xlsx|parquet", help=_("Format; else by the file's name, or CSV.")),
    ] = "",
    output: Annotated[Path | None, typer.Option(metavar="FILE", help=_("File to write; stdout if not given."))] = None,
    columns: Annotated[
        str,
        typer.Option(metavar="A,B", help=_("Columns, in this order, _origin and _version too; all if not given.")),
    ] = "",
    held_back: Annotated[
        bool, typer.Option("--held-back", help=_("Also the columns that never leave this node, which else stay out."))
    ] = False,
    where: Annotated[
        str,
        typer.Option("--filter", metavar="JSON", help=_('Such as {"column": "state", "op": "=", "value": "closed"}.')),
    ] = "",
    origin: Annotated[str, typer.Option(metavar="NODE", help=_("Only rows of this origin."))] = "",
    titles: Annotated[
        str, typer.Option(metavar="zh|en", help=_("Headings by title in this language; by id if not given."))
    ] = "",
    bom: Annotated[bool, typer.Option("--bom", help=_("CSV with a mark by which Excel knows UTF-8."))] = False,
    force: Annotated[bool, typer.Option("--force", help=_("Replace the file if it is there."))] = False,
) -> None:
    from node.exporting.cells import heads
    from node.exporting.files import check_free
    from node.exporting.pages import Source, Wish

    session = here(context)
    kind = _format(form, output, bom)
    _check(titles, output, session)
    known = _dataset(session, dataset)
    chosen, left_out = _columns(known, columns, held_back)
    with view(session) as opened:
        source = Source(opened.reader, Wish(known, chosen, where, origin))
        if output is not None:
            check_free(output, replaces=force)
        _check_fits(kind, source)
        _audit(session, dataset, chosen, where, origin, output)
        named = _marked(session, heads(known, chosen, titles))
        rows = _write(session, source, kind, named, output, bom=bom, force=force)
    if left_out:
        words = _("Left out, as they never leave this node: {columns}. With --held-back they are written too.")
        remark(words.format(columns=", ".join(left_out)))
    if output is None:
        return None
    told = {"dataset": dataset, "file": str(output), "format": kind, "columns": list(chosen), "rows": rows}
    if session.as_json:
        return say_json({**told, "left_out": list(left_out)})
    say(_("{rows} rows of {dataset} were written to {file}.").format(**told))
    return None


def _check_fits(kind: str, source: Source) -> None:
    """Whether the format can take it, before anything is written. Raises UserFault."""
    if kind == "xlsx":
        from node.exporting.workbook import check_rows

        check_rows(source.count())
    if kind == "parquet":
        from node.exporting.parquet import library

        library()


def _audit(
    session: Session, dataset: str, columns: tuple[str, ...], where: str, origin: str, output: Path | None
) -> None:
    """Before the first row: what cannot be audited does not happen. Raises LocalFault."""
    from node.audit import FOLDER, AuditLog, Event
    from node.caller import caller
    from node.clock import SystemClock

    said = {"by": caller(), "dataset": dataset, "columns": ",".join(columns), "filter": where, "origin": origin}
    AuditLog(session.home / FOLDER, SystemClock()).append(Event.ROWS_EXPORTED, **said, file=str(output or "-"))


@VERBS.verb(N_("Write an empty Excel workbook of a dataset for people to fill in; `load --map template` reads it."))
def template(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset to write a template of."))],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.xlsx", help=_("File to write."))],
    titles: Annotated[
        str, typer.Option("--titles", metavar="zh|en", help=_("Language of headings, notes and lists."))
    ] = "zh",
    force: Annotated[bool, typer.Option("--force", help=_("Replace the file if it is there."))] = False,
) -> None:
    from node.exporting.files import whole
    from node.exporting.template import write_template

    session = here(context)
    known = _dataset(session, dataset)
    language = next((one for one in LANGUAGES if one == titles), None)
    if language is None:
        raise _not_one_of(titles, "--titles", LANGUAGES)
    with whole(output, replaces=force) as out:
        write_template(out, known, language, _codes_of(session, known, language))
    if session.as_json:
        return say_json({"dataset": dataset, "file": str(output), "columns": list(known.schema.names)})
    words = _("{file} is the template of {dataset}. Filled in: `tiersync load {dataset} {file} --map template`")
    say(words.format(file=output, dataset=dataset))
    return None


def _codes_of(session: Session, dataset: Dataset, language: str) -> dict[str, list[str]]:
    """Column -> the codes in effect that it may have, with what they stand for; of several tables, with the table."""
    from node.loading.template import BEHIND_CODE

    found: dict[str, list[str]] = {}
    refs = {field.column.name: field.codes for field in dataset.fields if field.codes is not None}
    known = [one["table"] for one in ask(session, "codes.list")["tables"]] if refs else []
    for column, ref in refs.items():
        tables = [ref.table] if ref.table else sorted(set(known))
        listed: dict[str, None] = {}
        for table in tables:
            for one in ask(session, "codes.list", table=table)["codes"]:
                if one["status"] in ("", "effective"):
                    row = one["row"]
                    title = (row.get("name_en") if language == "en" else "") or row.get("name_zh") or ""
                    where = f" ({table})" if len(tables) > 1 else ""
                    listed[f"{one['code']}{BEHIND_CODE}{title}{where}"] = None
        found[column] = sorted(listed)
    return found


def _write(
    session: Session, source: Source, kind: str, columns: list[Head], output: Path | None, *, bom: bool, force: bool
) -> int:
    """How many rows were written."""
    from node.exporting.files import whole

    if output is None:
        return _fill(session, source, _started(session, kind, sys.stdout.buffer, columns, source.dataset, bom))
    with whole(output, replaces=force) as out:
        return _fill(session, source, _started(session, kind, out, columns, source.dataset, bom))


def _marked(session: Session, columns: list[Head]) -> list[Head]:
    """In a trial every row says so, in whatever file it lands."""
    from node.exporting.cells import Head
    from sync.schema import CellType

    return [*columns, Head(TRIAL_COLUMN, TRIAL_COLUMN, CellType.TEXT)] if session.is_trial else columns


def _started(session: Session, kind: str, out: BinaryIO, columns: list[Head], dataset: str, bom: bool) -> Format:
    """The file, begun."""
    zone = zoneinfo.ZoneInfo(session.zone)
    if kind == "xlsx":
        from node.exporting.workbook import WorkbookFormat

        return WorkbookFormat(out, columns, zone, f"TRIAL {dataset}" if session.is_trial else dataset)
    if kind == "parquet":
        from node.exporting.parquet import ParquetFormat

        return ParquetFormat(out, columns, session.zone)
    from node.exporting.formats import CsvFormat, JsonlFormat

    return JsonlFormat(out, columns, zone) if kind == "jsonl" else CsvFormat(out, columns, zone, bom)


def _fill(session: Session, source: Source, made: Format) -> int:
    """How many rows were written."""
    written = 0
    mark = (session.config.node.federation,) if session.is_trial else ()
    try:
        with moving(_("Exporting")) as tell:
            for page in source.pages():
                made.write([(*row, *mark) for row in page] if mark else page)
                written += len(page)
                tell(_("{count} rows").format(count=written))
            made.finish()
    except BaseException:
        made.abandon()
        raise
    return written


def _format(given: str, output: Path | None, bom: bool) -> str:
    """Raises UserFault BAD_ARGUMENT."""
    by_name = output.suffix.removeprefix(".").lower() if output is not None else ""
    kind = given or (by_name if by_name in FORMATS else "csv")
    if kind not in FORMATS:
        raise _not_one_of(kind, "--format", FORMATS)
    if output is None and kind not in ON_STDOUT:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("The format {kind} cannot go to stdout."),
            N_("Name a file with --output."),
            kind=kind,
        )
    if bom and kind != "csv":
        raise UserFault(
            Code.BAD_ARGUMENT, N_("Only CSV has a byte order mark."), N_("Leave --bom out, or give --format csv.")
        )
    return kind


def _check(titles: str, output: Path | None, session: Session) -> None:
    """Raises UserFault BAD_ARGUMENT."""
    if titles and titles not in LANGUAGES:
        raise _not_one_of(titles, "--titles", LANGUAGES)
    if output is None and session.as_json:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("Rows and the answer in JSON cannot both go to stdout."),
            N_("Name a file with --output, or leave --json out; --format jsonl writes rows as JSON."),
        )


def _not_one_of(value: str, option: str, words: tuple[str, ...]) -> UserFault:
    return UserFault(
        Code.BAD_ARGUMENT,
        N_("'{value}' is not one of: {words}"),
        N_("Give one of them with {option}."),
        value=value,
        words=", ".join(words),
        option=option,
    )


def _dataset(session: Session, name: str) -> Dataset:
    """Raises UserFault UNKNOWN_DATASET."""
    return dataset_named(session.catalogue.datasets, name)


def _columns(dataset: Dataset, given: str, held_back: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(columns to write, held-back columns that were not asked for). Raises UserFault for one given twice."""
    chosen = tuple(name.strip() for name in given.split(",") if name.strip())
    if len(set(chosen)) != len(chosen):
        raise UserFault(
            Code.BAD_ARGUMENT, N_("A column was given twice."), N_("Name each column once, divided by commas.")
        )
    if chosen:
        return chosen, ()
    names = dataset.schema.names
    if held_back:
        return names, ()
    return tuple(n for n in names if n not in dataset.held_back), tuple(n for n in names if n in dataset.held_back)
