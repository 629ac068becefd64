"""Files that rows refer to: attach, attachment list, show, fetch, remove."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.asking import ask, client, command, done
from node.cli.output import LIMIT_MAX, moment, pairs, remark, say, say_json, size, table
from node.cli.progress import moving
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault, translated
from node.texts import N_, _

if TYPE_CHECKING:
    from node.attachments.door import Examined

VERBS = Verbs()
ATTACHMENTS = Verbs("attachment", N_("Files that rows and moves of tasks refer to by their SHA-256."))

_Hash = Annotated[str, typer.Argument(metavar="HASH", help=_("SHA-256 of the file, 64 hexadecimal digits."))]
_OF_THE_FILE = (Code.ATTACHMENT_REFUSED, Code.ATTACHMENTS_FULL, Code.DISK_FULL)
_DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Change nothing; say what would be done."))]


@VERBS.verb(
    N_("Take files as attachments, pictures without their metadata; rows name them by the SHA-256 that is told.")
)
def attach(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=_("The files."))],
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Keep nothing; say what would be taken."))] = False,
) -> int:
    session = here(context)
    results: list[dict[str, Any]] = []
    with moving(_("Attaching")) as tell:
        for file in files:
            tell(file.name)
            results.append(_attached(session, file, dry_run))
    failed = [one for one in results if "error" in one]
    if session.as_json:
        say_json({"attachments": results, "taken": len(results) - len(failed), "refused": len(failed)})
    else:
        _show_attached(results, dry_run)
    return int(Code.ATTACHMENT_REFUSED.exit_code) if failed else 0


def _attached(session: Session, file: Path, dry_run: bool) -> dict[str, Any]:
    """What became of a file. A node that does not answer is no fault of the file: that is raised. One that has no room
    is told as the file's, so that those before it are told too."""
    try:
        found = _examined(session, file)
    except (UserFault, OSError) as error:
        fault = translated(error)
        assert fault is not None
        return {"file": str(file), **fault.as_json()}
    try:
        taken = done(_bring(session, found.data, dry_run))
    except UserFault as fault:
        if fault.code not in _OF_THE_FILE:
            raise
        return {"file": str(file), **fault.as_json()}
    return {"file": str(file), **taken, "removed": list(found.removed)}


def attach_all(session: Session, files: list[Path]) -> list[str]:
    """Takes files, all or none that is refused; the SHA-256 of each. Raises UserFault, OSError."""
    examined = [_examined(session, file) for file in files]
    return [str(done(_bring(session, one.data, dry_run=False))["hash"]) for one in examined]


def _examined(session: Session, file: Path) -> Examined:
    """What may be taken of a file: its metadata does not leave this process. Raises UserFault, OSError."""
    from node.attachments.door import examine
    from node.reading import bytes_of

    limits = session.config.attachments
    too_large = N_("Make the picture smaller, or raise `file_bytes_max` in node.toml under [attachments].")
    return examine(bytes_of(file, limits.file_bytes_max, too_large), limits.kinds, limits.file_bytes_max)


def _bring(session: Session, data: bytes, dry_run: bool) -> Coroutine[Any, Any, dict[str, Any]]:
    async def work() -> dict[str, Any]:
        async with client(session) as connected:
            return await connected.attach(data, dry_run=dry_run)

    return work()


def _show_attached(results: list[dict[str, Any]], dry_run: bool) -> None:
    heads = [_("file"), _("kind"), _("size"), _("taken out"), _("SHA-256")]
    rows = [
        (one["file"], one["kind"], size(one["size"]), ", ".join(map(_, one["removed"])), one["hash"])
        for one in results
        if "error" not in one
    ]
    table("", heads, rows)
    for one in results:
        if "error" in one:
            remark(f"{one['file']}: {one['error']['code']} {one['error']['message']} {one['error']['next']}")
    if dry_run:
        remark(_("Nothing was kept."))


@ATTACHMENTS.verb(N_("List the attachments that are here; or those that rows or tasks name and that are not."), "list")
def list_all(
    context: typer.Context,
    missing: Annotated[
        bool, typer.Option("--missing", help=_("Those that rows or tasks name and that are not here."))
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    found = ask(session, "attachment.list", limit=limit, missing=missing)
    if session.as_json:
        return say_json(found)
    if missing:
        table(
            "",
            [_("SHA-256"), _("rows"), _("tasks")],
            [(one["hash"], one["rows"], one["tasks"]) for one in found["missing"]],
        )
        return None
    heads = [_("SHA-256"), _("kind"), _("size"), _("from"), _("came"), _("rows"), _("tasks")]
    rows = [
        (
            one["hash"],
            one["kind"] or "?",
            size(one["size"]),
            _("this node") if one["own"] else _("fetched"),
            moment(one["at"], session.zone),
            one["rows"],
            one["tasks"],
        )
        for one in found["attachments"]
    ]
    table("", heads, rows)
    words = _("{count} attachments, {bytes}; {missing} that rows or tasks name are not here.")
    said = {"count": found["count"], "bytes": size(found["bytes"]), "missing": found["missing_count"]}
    say(words.format(**said))
    return None


@ATTACHMENTS.verb(N_("Show one attachment: whether it is here, and which rows and tasks name it."))
def show(context: typer.Context, name: _Hash) -> None:
    session = here(context)
    found = ask(session, "attachment.show", hash=name)
    if session.as_json:
        return say_json(found)
    _show(session, found)
    return None


def _show(session: Session, found: dict[str, Any]) -> None:
    pairs(
        [
            (_("SHA-256"), found["hash"]),
            (_("here"), found["here"]),
            (_("kind"), found["kind"]),
            (_("size"), size(found["size"]) if found["here"] else ""),
            (_("from"), (_("this node") if found["own"] else _("fetched")) if found["here"] else ""),
            (_("came"), moment(found["at"], session.zone)),
        ]
    )
    say()
    heads = [_("dataset"), _("origin"), _("key"), _("columns"), _("task")]
    rows = [
        (one["dataset"], one["origin"], one["key"], ", ".join(one["columns"]), one["task"])
        for one in found["references"]
    ]
    table("", heads, rows)


@ATTACHMENTS.verb(
    N_("Fetch an attachment from the node whose row or move names it, unless it is here; and write it into a file.")
)
def fetch(
    context: typer.Context,
    name: _Hash,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Write it into this file, which must not be there yet."))
    ] = None,
) -> None:
    session = here(context)
    with moving(_("Fetching")) as tell:

        def told(said: dict[str, Any]) -> None:
            tell(f"{size(said['received'])} / {size(said['total'])}" if said["total"] >= 0 else "")

        found = command(session, "attachment.fetch", told, hash=name)
    if to is not None:
        done(_write(session, found["hash"], to))
    if session.as_json:
        return say_json({**found, "file": str(to) if to is not None else ""})
    say(_("{hash} is here: {kind}, {size}.").format(**{**found, "size": size(found["size"])}))
    return None


def _write(session: Session, name: str, to: Path) -> Coroutine[Any, Any, None]:
    async def work() -> None:
        async with client(session) as connected:
            with to.open("xb") as file:
                async for part in connected.read_attachment(name):
                    file.write(part)

    return work()


@ATTACHMENTS.verb(
    N_("Take an attachment away for good, here. Rows and moves go on naming it; nodes that fetched it still have it.")
)
def remove(
    context: typer.Context,
    name: _Hash,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; the audit keeps it."))],
    dry_run: _DryRun = False,
) -> None:
    session = here(context)
    found = command(session, "attachment.remove", hash=name, reason=reason, dry_run=dry_run)
    if session.as_json:
        return say_json(found)
    if dry_run:
        _show(session, {**found, "here": True})
        remark(_("Nothing was removed."))
        return None
    say(
        _("{hash} is removed; {rows} rows and tasks here name it.").format(
            hash=found["hash"], rows=len(found["references"])
        )
    )
    return None
