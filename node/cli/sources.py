"""Other systems that are read again and again: source list, show, check, run, compare, reset."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.loading import counted
from node.cli.output import moment, pairs, remark, say, say_json, table
from node.cli.progress import moving
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, Exit, UserFault
from node.texts import N_, _

if TYPE_CHECKING:
    from node.loading.load import Counts, Report
    from node.sources.database.comparing import Comparison
    from node.sources.declared import Declared
    from node.sources.folder import Loaded
    from node.sources.running import Runner

SOURCES = Verbs(
    "source", N_("Other systems that are read by schedule: databases, and folders that files are put into.")
)
KEYS_SHOWN = 20

_Name = Annotated[str, typer.Argument(metavar="NAME", help=_("Name of the source."))]
_DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be done."))]


@SOURCES.verb(N_("List the sources that are declared, when each was heard last, and what came of it today."), "list")
def list_sources(context: typer.Context) -> None:
    from node.sources import declared

    session = here(context)
    found = ask(session, "sources")
    known = {one["source"]: one for one in found["sources"]}
    listed = [
        {"source": name, "declared": True, **_declared_json(session, name), **known.pop(name, {})}
        for name in declared.names(session.home)
    ]
    listed += [{**one, "declared": False} for one in known.values()]
    if session.as_json:
        return say_json({"sources": listed, "days": found["days"]})
    heads = [_("source"), _("dataset"), _("kind"), _("last answer"), _("last news"), _("fault")]
    rows = [
        (
            one["source"],
            one.get("dataset", ""),
            one.get("kind", ""),
            moment(one.get("contact", ""), session.zone) or _("never"),
            moment(one.get("news", ""), session.zone) or _("never"),
            one.get("fault") or ("" if one["declared"] else _("not declared any more")),
        )
        for one in listed
    ]
    table("", heads, rows)
    _show_days(found["days"])
    return None


def _declared_json(session: Session, name: str) -> dict[str, Any]:
    """What the declaration says; of one that is wrong, its fault."""
    from node.sources import declared

    try:
        found = declared.read(session.home, name)
    except UserFault as fault:
        return {"fault": fault.message.say()}
    return {
        "title": found.title,
        "dataset": found.dataset,
        "kind": found.kind,
        "every_s": found.every_s,
        "silent_after_s": found.silent_after_s,
    }


def _show_days(days: list[dict[str, Any]]) -> None:
    heads = [
        _("day"),
        _("source"),
        _("read"),
        _("taken"),
        _("unchanged"),
        _("rejected"),
        _("not ours"),
        _("voided"),
        _("in the source"),
    ]
    names = ("day", "source", "read", "taken", "unchanged", "rejected", "not_ours", "voided", "held")
    if days:
        say()
        table("", heads, [tuple(day[name] for name in names) for day in days])


@SOURCES.verb(N_("Show one source: its declaration, how far it was read, and its days."))
def show(context: typer.Context, name: _Name) -> None:
    from node.sources import declared

    session = here(context)
    found = declared.read(session.home, name)
    asked = ask(session, "sources")
    state: dict[str, Any] = next((one for one in asked["sources"] if one["source"] == name), {})
    days = [day for day in asked["days"] if day["source"] == name]
    if session.as_json:
        own = _declared_json(session, name)
        return say_json({"source": name, "file": str(found.file), **own, **state, "days": days})
    database = found.database
    pairs(
        [
            (_("source"), f"{name} ({found.title})"),
            (_("declared in"), found.file),
            (_("dataset"), found.dataset),
            (_("mapping"), found.mapping),
            (_("kind"), found.kind),
            (
                _("reads"),
                (database.table or _("a select")) if database else (found.folder.path if found.folder else ""),
            ),
            (_("last answer"), moment(state.get("contact", ""), session.zone) or _("never")),
            (_("last news"), moment(state.get("news", ""), session.zone) or _("never")),
            (_("read up to"), state.get("position", "") or "-"),
            (_("fault"), state.get("fault", "")),
        ]
    )
    _show_days(days)
    return None


@SOURCES.verb(N_("Check the declarations, and try whether each source answers with what its mapping needs."))
def check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help=_("Name of the source; all without one."))] = "",
) -> int:
    from node.sources import declared

    session = here(context)
    runner = _runner(session)
    found = [_checked(runner, one) for one in ([name] if name else declared.names(session.home))]
    bad = sum(1 for one in found if one["fault"])
    if session.as_json:
        say_json({"sources": found})
    else:
        for one in found:
            say(f"{one['source']}: {one['fault'] or one['said']}")
            if one["fault"]:
                remark("  " + _("What to do: {todo}").format(todo=one["next"]))
    return int(Exit.INPUT) if bad else 0


def _checked(runner: Runner, name: str) -> dict[str, Any]:
    from node.faults import translated
    from node.sources import declared

    try:
        said = _try(runner, declared.read(runner.home, name))
    except (UserFault, OSError) as error:
        fault = translated(error)
        assert fault is not None
        return {
            "source": name,
            "said": "",
            "code": str(fault.code),
            "fault": fault.message.say(),
            "next": fault.next_step.say(),
        }
    return {"source": name, "said": said, "code": "", "fault": "", "next": ""}


def _try(runner: Runner, found: Declared) -> str:
    """What a source that can be read says. Raises UserFault, OSError."""
    if found.folder is not None:
        runner.converter(found)
        files = sum(1 for path in found.folder.path.iterdir() if path.is_file())
        if not os.access(found.folder.path, os.W_OK):
            raise PermissionError(13, "not writable", str(found.folder.path))
        return _("sound; {count} files lie in the folder").format(count=files)
    from node.sources.database.trying import try_out

    skew_s = try_out(runner.job(found))
    return _("sound; its clock differs from ours by {seconds} s").format(seconds=round(skew_s))


@SOURCES.verb(N_("Read the sources into the running node: by schedule, or once."))
def run(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help=_("These sources; all without."))
    ] = None,
    once: Annotated[bool, typer.Option("--once", help=_("Read each once, and end."))] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=_("With --once, of a database: write nothing; say what would come."))
    ] = False,
) -> int:
    session = here(context)
    runner = _runner(session)
    if not once:
        if dry_run:
            raise UserFault(
                Code.BAD_ARGUMENT,
                N_("--dry-run goes with --once."),
                N_("`tiersync source run NAME --once --dry-run` tries one reading."),
            )
        return _serve(session, runner, names or [])
    return _once(session, runner, names or [], dry_run)


def _serve(session: Session, runner: Runner, names: list[str]) -> int:
    """Until it is told to stop; what came of each reading is said as a line."""
    from node.clock import SystemClock
    from node.serve import notify_systemd

    clock = SystemClock()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop.set())
    notify_systemd("READY=1", os.environ)

    def tell(name: str, came: Any) -> None:
        said = _line(came)
        if said and session.as_json:
            say_json({"source": name, **_came_json(came)})
        elif said:
            say(f"{moment(clock.now_us(), session.zone)} {name}: {said}")

    runner.serve(names, tell)
    return 0


def _once(session: Session, runner: Runner, names: list[str], dry_run: bool) -> int:
    from node.sources import declared

    found: list[dict[str, Any]] = []
    faults: list[UserFault] = []
    for name in names or declared.names(session.home):
        came: Any
        try:
            came = _read_once(runner, declared.read(session.home, name), dry_run)
        except UserFault as fault:
            faults.append(fault)
            came = fault
        found.append({"source": name, **_came_json(came)})
        if not session.as_json and not isinstance(came, UserFault):
            nothing = _("nothing new")
            say(f"{name}: {_line(came) or nothing}")
            _show_rejects(came)
        elif not session.as_json and len(names) != 1:
            remark(f"{name}: {_line(came)}")
    if faults and len(names) == 1:
        raise faults[0]
    if session.as_json:
        say_json({"sources": found, "dry_run": dry_run})
    if faults:
        return int(faults[0].code.exit_code)
    return int(Exit.INPUT) if any(one.get("rejected") for one in found) else 0


def _read_once(runner: Runner, found: Declared, dry_run: bool) -> Report | list[Loaded]:
    if found.folder is not None:
        if dry_run:
            raise UserFault(
                Code.BAD_ARGUMENT,
                N_("Source '{source}' is a folder, and --dry-run is for databases."),
                N_("`tiersync load DATASET FILE --map NAME --dry-run` tries one of its files."),
                source=found.name,
            )
        return runner.folder(found, wait=True)
    with moving(_("Reading {source}").format(source=found.name)) as tell:
        return runner.database(found, lambda counts: tell(counted(counts)), dry_run=dry_run)


def _line(came: Any) -> str:
    """What is worth a line; '' for a reading that brought nothing."""
    from node.loading.load import Report
    from node.sources.database.comparing import Comparison

    if isinstance(came, UserFault):
        return came.as_text()
    if isinstance(came, Report):
        counts = came.counts
        return counted(counts) if counts.taken or counts.rejected or came.dry_run else ""
    if isinstance(came, Comparison):
        return _compared_line(came)
    lines = [f"{one.file} → {one.moved_to}" + (f": {counted(one.counts)}" if one.counts.read else "") for one in came]
    return "; ".join(lines)


def _compared_line(came: Comparison) -> str:
    words = _("{held} rows in the source, {gone} gone, {voided} voided, {missing} in the source and not here")
    return words.format(held=came.held, gone=came.gone, voided=came.voided, missing=came.missing)


def _show_rejects(came: Any) -> None:
    for reject in getattr(came, "rejects", [])[:KEYS_SHOWN]:
        remark(f"  {reject.reason.name} {reject.detail.say()}")


def _came_json(came: Any) -> dict[str, Any]:
    from dataclasses import asdict

    from node.loading.load import Report
    from node.sources.database.comparing import Comparison

    if isinstance(came, UserFault):
        return dict(came.as_json())
    if isinstance(came, Report):
        reasons = {reason.name: count for reason, count in came.reasons.most_common()}
        return {**_counts_json(came.counts), "reasons": reasons, "dry_run": came.dry_run}
    if isinstance(came, Comparison):
        return asdict(came)
    files = [
        {
            "file": one.file,
            "moved_to": one.moved_to,
            "load": one.load or None,
            "known": one.known,
            "fault": one.fault.say() if one.fault else "",
            **_counts_json(one.counts),
        }
        for one in came
    ]
    return {"files": files, "rejected": sum(one.counts.rejected for one in came)}


def _counts_json(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("read", "taken", "unchanged", "not_ours", "rejected")}


@SOURCES.verb(N_("Compare the keys of a database with what came from it, and void the rows that are gone."))
def compare(
    context: typer.Context,
    name: _Name,
    dry_run: _DryRun = False,
    allow: Annotated[
        int, typer.Option("--allow", metavar="N", min=0, help=_("Let so many rows go, whatever share that is."))
    ] = 0,
) -> None:
    from node.sources import declared

    session = here(context)
    runner = _runner(session)
    found = declared.read(session.home, name)
    if found.database is None:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("Source '{source}' is a folder: there are no keys to compare."),
            N_("Void rows with `tiersync void`, or take a load back with `tiersync unload`."),
            source=name,
        )
    seen = 0
    with moving(_("Comparing {source}").format(source=name)) as tell:

        def more(keys: int) -> None:
            nonlocal seen
            seen += keys
            tell(str(seen))

        came = runner.compare(found, more, dry_run=dry_run, allow=allow)
    if session.as_json:
        return say_json(_came_json(came))
    say(_compared_line(came))
    for title, keys in (
        (_("gone from the source"), came.gone_keys),
        (_("in the source and not here: rejected, not read yet, or become visible too late"), came.missing_keys),
    ):
        if keys:
            remark(f"  {title}: " + ", ".join(keys[:KEYS_SHOWN]) + (" …" if len(keys) > KEYS_SHOWN else ""))
    for refused in came.refused[:KEYS_SHOWN]:
        remark("  " + refused)
    if came.missing:
        remark(_("`tiersync source reset {source}` has all of it read again; nothing is doubled.").format(source=name))
    return None


@SOURCES.verb(N_("Have a database read from its beginning next time; what is in stays, and nothing is doubled."))
def reset(context: typer.Context, name: _Name, dry_run: _DryRun = False) -> None:
    session = here(context)
    if dry_run:
        states = ask(session, "sources")["sources"]
        found = next((one for one in states if one["source"] == name), {"source": name, "position": ""})
    else:
        found = command(session, "source.reset", source=name)
    if session.as_json:
        return say_json({**found, "dry_run": dry_run})
    say(_("It was read up to: {position}").format(position=found["position"] or "-"))
    return None


def _runner(session: Session) -> Runner:
    from node.clock import SystemClock
    from node.sources.running import Runner

    return Runner(session.home, session.config, session.catalogue, SystemClock(), os.environ, threading.Event())
