"""Files in, and back out: load, loads, unload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.asking import ask, command, is_running
from node.cli.output import LIMIT_MAX, cell, moment, remark, say, say_json, table
from node.cli.progress import counting, moving
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Exit
from node.texts import N_, _, current, reasons
from sync.schema import CellType

if TYPE_CHECKING:
    from node.loading.convert import Converter
    from node.loading.load import Batch, Counts, Loader, Outcome, Report, Shown
    from node.loading.mapping import Source
    from sync.schema import RowSchema
    from sync.values import Cell

VERBS = Verbs()
REJECTS_SHOWN = 20
PREVIEW_ROWS = 3
PREVIEW_LOOKED_AT = 500


@VERBS.verb(N_("Load a file of another system into a dataset, by a mapping."))
def load(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset that the rows go into."))],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=_("CSV or JSON lines (also gzipped), Excel or Parquet."))
    ],
    mapping: Annotated[
        str, typer.Option("--map", metavar="NAME|FILE.toml", help=_("A built-in mapping, or a mapping file."))
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=_("csv, jsonl, xlsx or parquet; otherwise the mapping or the name says it."),
        ),
    ] = "",
    sheet: Annotated[str, typer.Option("--sheet", metavar="NAME", help=_("Sheet of a workbook."))] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=_("Write nothing; show the first rows before and after."))
    ] = False,
    marked: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.xlsx", help=_("Give a workbook back under this name, with the reason beside rejected rows.")
        ),
    ] = None,
) -> int:
    session = here(context)
    converter = _converter(session, mapping, dataset)
    source = _source(converter, form, sheet)
    if marked is not None:
        _check_marked(file, marked)
    if dry_run and not is_running(session):
        report = _rehearse_alone(session, converter, file, source)
    else:
        report = _load(session, converter, file, source, dry_run)
    if marked is not None:
        _give_back(file, marked, source, report)
    return int(Exit.INPUT) if report.counts.rejected else int(Exit.OK)


def _check_marked(file: Path, marked: Path) -> None:
    """Before anything is loaded. Raises UserFault."""
    from node.exporting.files import check_free
    from node.exporting.marked import check_markable

    check_free(marked, replaces=False)
    check_markable(file)


def _give_back(file: Path, marked: Path, source: Source, report: Report) -> None:
    """The workbook with its marks; none where every row was let in."""
    from node.exporting.files import whole
    from node.exporting.marked import write_marked

    if not report.rejects:
        return
    said = {r.line: f"{reasons.title(r.reason, current())}: {r.detail.say()}" for r in report.rejects}
    with whole(marked, replaces=False) as out:
        write_marked(file, out, source.sheet, source.header, said)
    remark(_("{count} rows were marked in {file}.").format(count=len(said), file=marked))


def _source(converter: Converter, form: str, sheet: str) -> Source:
    """How the file is written: as the mapping says, but for what the caller says. Raises UserFault."""
    from node.loading.formats import checked

    found = converter.mapping.source
    return replace(found, format=checked(form) or found.format, sheet=sheet or found.sheet)


def _converter(session: Session, name: str, dataset: str) -> Converter:
    """The mapping, bound to its dataset. Raises UserFault that names all mistakes."""
    from node.loading.chosen import converter_named

    return converter_named(session.home, session.config, session.catalogue, name, dataset)


# --- loading into a running node ------------------------------------------------------------------------------------


def _load(session: Session, converter: Converter, file: Path, source: Source, dry_run: bool) -> Report:
    from node.loading.load import Loader
    from node.loading.sink import open_sink

    loader = Loader(file, converter, _own_regions(session), source, live=not session.is_trial)
    with open_sink(session.home, converter.dataset.id, file, loader, dry_run=dry_run) as sink:
        with moving(_("Loading")) as tell:
            report = loader.run(sink, dry_run, sink.keep, lambda counts: tell(counted(counts)))
        sink.finish(report.counts)
    _tell(session, report, sink.number, _preview(loader) if dry_run else [])
    return report


def _preview(loader: Loader) -> list[Shown]:
    """The first records that are this node's; if there are none early in the file, its first records."""
    early = loader.preview(PREVIEW_LOOKED_AT)
    return [shown for shown in early if shown.after is not None][:PREVIEW_ROWS] or early[:PREVIEW_ROWS]


def _own_regions(session: Session) -> Callable[[str], bool]:
    """Whether a region lies in this node's signing scope; rows of others are not taken."""
    from sync.scope import Scope, ScopeItem

    items = command(session, "standing")["scope"]
    scope = Scope(tuple(ScopeItem(i["region"], tuple(i["leaving_out"]), i["since"], i["until"]) for i in items))
    return scope.covers


def counted(counts: Counts) -> str:
    """Counts in words."""
    return _("{read} read, {taken} taken, {unchanged} unchanged, {not_ours} not ours, {rejected} rejected").format(
        read=counts.read,
        taken=counts.taken,
        unchanged=counts.unchanged,
        not_ours=counts.not_ours,
        rejected=counts.rejected,
    )


# --- rehearsing with the node stopped -------------------------------------------------------------------------------


class _NoDoor:
    """A sink for a dry run without the node: conversion only, its door is not asked."""

    def put(self, batch: Batch) -> Outcome:
        from node.loading.load import Outcome

        return Outcome(len(batch.rows), 0)


def _rehearse_alone(session: Session, converter: Converter, file: Path, source: Source) -> Report:
    from node.loading.load import Loader
    from tiers.profile import PROFILES, signing_scope

    own = session.config.node
    scope = signing_scope(PROFILES[own.tier], own.region)
    loader = Loader(file, converter, scope.covers, source, live=not session.is_trial)
    with moving(_("Loading")) as tell:
        report = loader.run(_NoDoor(), dry_run=True, on_progress=lambda counts: tell(counted(counts)))
    remark(_("The node is not running: only the conversion was tried, its own rules and code tables were not asked."))
    _tell(session, report, 0, _preview(loader))
    return report


# --- telling --------------------------------------------------------------------------------------------------------


def _tell(session: Session, report: Report, number: int, preview: Sequence[Shown]) -> None:
    if session.as_json:
        return say_json(_report_json(report, number, preview))
    for shown in preview:
        _show_record(session, shown, session.catalogue.datasets[report.dataset].schema)
    if report.dry_run:
        say(_("Dry run of {file} into '{dataset}': nothing was written.").format(**_names(report)))
    else:
        say(_("Load {load}: {file} into '{dataset}'.").format(load=number, **_names(report)))
    if report.encoding not in ("", "utf-8"):
        say(_("Read as {encoding}.").format(encoding=report.encoding.upper()))
    say(counted(report.counts))
    if report.counts.rejected:
        _show_rejects(report, number)
    if report.warnings:
        _show_warnings(report)
    return None


def _names(report: Report) -> dict[str, str]:
    return {"file": report.file, "dataset": report.dataset}


def _show_rejects(report: Report, number: int) -> None:
    for reason, count in report.reasons.most_common():
        remark(f"  {count} × {reasons.title(reason)}")
    for reject in report.rejects[:REJECTS_SHOWN]:
        remark(
            _("  line {line}: {reason} {detail}").format(
                line=reject.line, reason=reject.reason.name, detail=reject.detail.say()
            )
        )
    if report.counts.rejected > REJECTS_SHOWN and number:
        remark(_("All of them: `tiersync loads rejects {load}`.").format(load=number))


def _show_warnings(report: Report) -> None:
    remark(
        _("Let in with {warnings} warning(s); correct the rows where they come from:").format(warnings=report.warnings)
    )
    for one in report.warned[:REJECTS_SHOWN]:
        remark(_("  line {line}: {detail}").format(line=one.line, detail=one.detail.say()))


def _show_record(session: Session, shown: Shown, schema: RowSchema) -> None:
    after = shown.after
    if after is None:
        outcome = _("not ours")
    elif isinstance(after, dict):
        cells = {name: value for name, value in after.items() if value is not None}
        outcome = ", ".join(f"{name}={_shown_cell(session, schema, name, value)}" for name, value in cells.items())
    else:
        outcome = _("rejected: {detail}").format(detail=_reject_json(after)["detail"])
    say(_("line {line}").format(line=shown.line))
    say("  " + ", ".join(f"{name}={value}" for name, value in shown.before.items() if value))
    say("  → " + outcome)


def _shown_cell(session: Session, schema: RowSchema, name: str, value: Cell) -> str:
    """A cell as a person reads it: a moment as the clock on the wall says, as `query` shows it."""
    if isinstance(value, int) and schema.column(name).type is CellType.TIMESTAMP:
        return moment(value, session.zone)
    return cell(value)


def _report_json(report: Report, number: int, preview: Sequence[Shown]) -> dict[str, Any]:
    counts = report.counts
    found: dict[str, Any] = {
        "load": number or None,
        "file": report.file,
        "digest": report.digest,
        "dataset": report.dataset,
        "format": report.format,
        "encoding": report.encoding or None,
        "dry_run": report.dry_run,
        "read": counts.read,
        "taken": counts.taken,
        "unchanged": counts.unchanged,
        "not_ours": counts.not_ours,
        "rejected": counts.rejected,
        "reasons": {reason.name: count for reason, count in report.reasons.most_common()},
        "rejects": [_reject_json(reject) for reject in report.rejects],
        "warnings": report.warnings,
        "warned": [{"line": w.line, "detail": w.detail.say(), "key": w.key} for w in report.warned],
    }
    if report.dry_run:
        found["preview"] = [_shown_json(shown) for shown in preview]
    return found


def _reject_json(reject: Any) -> dict[str, Any]:
    return {
        "line": reject.line,
        "reason": int(reject.reason),
        "name": reject.reason.name,
        "detail": reject.detail.say(),
        "key": reject.key,
    }


def _shown_json(shown: Shown) -> dict[str, Any]:
    after: Any = shown.after
    if after is not None:
        after = (
            {n: cell(v) if isinstance(v, bytes) else v for n, v in after.items()} if isinstance(after, dict) else None
        )
    rejected = _reject_json(shown.after) if shown.after is not None and not isinstance(shown.after, dict) else None
    return {"line": shown.line, "before": dict(shown.before), "after": after, "rejected": rejected}


# --- what was loaded ------------------------------------------------------------------------------------------------

LOADS = Verbs("loads", N_("What was loaded, and what was rejected of it."))


@LOADS.verb(N_("List the loads, the newest first."), "list")
def list_loads(
    context: typer.Context,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 50,
) -> None:
    session = here(context)
    found = ask(session, "loads", limit=limit)
    if session.as_json:
        return say_json(found)
    heads = [
        _("load"),
        _("dataset"),
        _("file"),
        _("begun"),
        _("ended"),
        _("lines"),
        _("taken"),
        _("unchanged"),
        _("rejected"),
    ]
    states = {"running": _("running"), "broken_off": _("broken off")}
    rows = [
        (
            one["load"],
            one["dataset"],
            one["file"],
            moment(one["started"], session.zone),
            moment(one["ended"], session.zone) or states[one["state"]],
            one["lines"],
            one["written"],
            one["unchanged"],
            one["rejected"],
        )
        for one in found["loads"]
    ]
    table("", heads, rows)
    if any(one["state"] == "broken_off" for one in found["loads"]):
        remark(
            _(
                "Broken off: the process that loaded, or the node, ended before the file did. What was taken is in. "
                "Load the file again, nothing is doubled; or take it back with `tiersync unload LOAD`."
            )
        )
    return None


@LOADS.verb(N_("List the lines of a load that were rejected, each with its reason."))
def rejects(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="LOAD", min=1, help=_("Number of the load."))],
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 1_000,
) -> None:
    session = here(context)
    found = ask(session, "rejects", load=number, limit=limit)
    if session.as_json:
        return say_json(found)
    heads = [_("line"), _("reason"), _("what it means"), _("detail")]
    rows = [(r["line"], r["name"], reasons.title(r["reason"], current()), r["detail"]) for r in found["rejects"]]
    table(found["load"]["file"], heads, rows)
    return None


@VERBS.verb(N_("Take a load back: void the rows that it made and nobody has changed since."))
def unload(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="LOAD", min=1, help=_("Number of the load."))],
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be done."))] = False,
) -> None:
    session = here(context)
    if dry_run:
        found = ask(session, "unload.plan", load=number)
    else:
        with counting(_("Unloading"), "rows") as progress:
            found = command(session, "unload", progress, load=number)
    found = {**found, "dry_run": dry_run}
    if session.as_json:
        return say_json(found)
    words = _("{rows} rows of load {load} would be voided.") if dry_run else _("{rows} rows of load {load} are voided.")
    say(words.format(rows=found["rows"], load=number))
    left = {
        "changed_since": _("left alone, somebody changed them since: {count}"),
        "not_created": _("left alone, they were there before this load: {count}"),
        "gone": _("gone already: {count}"),
    }
    for why, text in left.items():
        if found["left"][why]:
            say("  " + text.format(count=found["left"][why]))
            remark("    " + ", ".join(found["examples"].get(why, [])))
    return None
