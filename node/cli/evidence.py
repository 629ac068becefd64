"""Evidence of a task: `task evidence` writes it, `verify` checks it with no node and no home, anywhere."""

from __future__ import annotations

from base64 import b64decode
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from node.cli.asking import command, is_running, view
from node.cli.catalogues import catalogue_of
from node.cli.output import moment, remark, say, say_json, size
from node.cli.session import Session, here
from node.cli.tasks import TASKS
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.texts import N_, _, current
from node.trial import is_trial

VERBS = Verbs()
_ROOT_BYTES_MAX = 64 * 1024
_FINGERPRINT_DIGITS = 64


@TASKS.verb(N_("Write one file that proves every move of a task to whoever holds the root's fingerprint."))
def evidence(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help=_("The file; TASK.evidence here if not given.")),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=_("Replace the file if it is there."))] = False,
) -> None:
    from node.exporting.files import check_free, whole

    session = here(context)
    path = output or Path(f"{_plain(task)}.evidence")
    check_free(path, replaces=force)
    made = _made(session, task)
    file = b64decode(made["file"])
    with whole(path, replaces=force) as out:
        out.write(file)
    if session.as_json:
        return say_json({"task": made["task"], "file": str(path), "bytes": len(file)})
    say(_("Written to {file}: {size}.").format(file=path, size=size(len(file))))
    say(_("`tiersync verify {file}` checks it, on any computer and without a node.").format(file=path))
    return None


def _plain(task: str) -> str:
    """A task's id as a file may be called."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in task) or "task"


def _made(session: Session, task: str) -> dict[str, Any]:
    if is_running(session):
        return command(session, "task.evidence", task=task)
    from node.audit import FOLDER, AuditLog, Event
    from node.clock import SystemClock
    from node.commands.evidence import evidence_of
    from node.storable import check_storable

    arguments = {"task": task}
    check_storable(arguments)
    with view(session) as stopped:
        made = evidence_of(stopped, arguments)
    AuditLog(session.home / FOLDER, SystemClock()).append(Event.EVIDENCE_MADE, task=task, bytes=made["bytes"])
    return made


@VERBS.verb(N_("Check a file of evidence of a task: who did what when, what proves it, and what it does not prove."))
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("A file that `tiersync task evidence` wrote."))],
    root: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=_("The federation's root certificate, if this node's is not the one.")),
    ] = None,
    fingerprint: Annotated[
        str, typer.Option(metavar="HEX", help=_("Or its SHA-256 fingerprint, as `tiersync init` showed it."))
    ] = "",
) -> int:
    from node.evidence.check import check_evidence
    from node.evidence.file import FILE_BYTES_MAX
    from node.evidence.words import as_json, lines
    from tiers.judging import TierJudge

    session = here(context)
    trusted = _trusted(session, root, fingerprint)
    catalogue = catalogue_of(session)
    result = check_evidence(_read(file, FILE_BYTES_MAX + 1), TierJudge(catalogue), trusted)
    if session.as_json:
        say_json(as_json(result, current()))
    else:
        for line in lines(result, catalogue.flows, current(), partial(moment, zone=session.zone)):
            say(line)
        if is_trial(result.federation):
            remark(_("TRIAL federation '{name}': nothing of it counts.").format(name=result.federation))
    return int(result.verdict.value)


def _read(path: Path, most: int) -> bytes:
    """As much of a file as is looked at. Raises OSError, which is said in words."""
    with path.open("rb") as source:
        return source.read(most)


def _trusted(session: Session, root: Path | None, fingerprint: str) -> bytes | None:
    """The fingerprint of the root that whoever asks trusts: given, or of this node's home; None if there is neither."""
    if root is not None and fingerprint:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{name}' cannot be given together with '{other}'."),
            N_("Give the one that you have from a hand that you trust."),
            name="--root",
            other="--fingerprint",
        )
    if fingerprint:
        return _hex(fingerprint)
    if root is None and session.is_named:
        from certs.files import HomeFiles

        root = HomeFiles(session.home).root
    return None if root is None else _of_certificate(root)


def _hex(said: str) -> bytes:
    """Digits as people write them: in groups, with colons. Raises UserFault BAD_ARGUMENT."""
    digits = "".join(said.replace(":", " ").split())
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        found = b""
    if len(digits) == _FINGERPRINT_DIGITS and found:
        return found
    raise UserFault(
        Code.BAD_ARGUMENT,
        N_("'{value}' is not the fingerprint of a root certificate."),
        N_("It has {digits} hexadecimal digits; spaces and colons between them do not matter."),
        value=said,
        digits=_FINGERPRINT_DIGITS,
    )


def _of_certificate(path: Path) -> bytes:
    """Raises UserFault BAD_ARGUMENT unless the file holds one root certificate, in PEM or DER."""
    from certs.forms import fingerprint, from_pem, root_from_der, to_der
    from sync.errors import InputFault

    data = _read(path, _ROOT_BYTES_MAX)
    try:
        found = root_from_der(to_der(from_pem(data)[0]) if b"-----BEGIN" in data else data)
    except InputFault as fault:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("{file} is not the root certificate of a federation: {detail}"),
            N_("It is root.pem of the folder that `tiersync init` wrote, or certs/root.pem of any node's home."),
            file=path,
            detail=fault.detail,
        ) from fault
    return fingerprint(found)
