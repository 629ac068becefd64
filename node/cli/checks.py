"""Is everything sound: fsck, doctor, audit verify, audit show."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from node.cli.asking import command, is_running
from node.cli.output import LIMIT_MAX, moment, remark, say, say_json, table, worded
from node.cli.progress import counting
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code
from node.texts import N_, _
from sync.errors import LocalFault

VERBS = Verbs()
AUDIT = Verbs("audit", N_("The security audit: who was let in, what was refused, what changed."))
FINDINGS_SHOWN = 50


@VERBS.verb(N_("Prove the store from its bytes: chains, seals, payloads, rows, digests. Changes nothing."))
def fsck(context: typer.Context) -> int:
    session = here(context)
    found = _checked(session)
    if session.as_json:
        say_json(found)
    else:
        _show_findings(found)
    return int(Code.STORE_DAMAGED.exit_code) if found["found"] else 0


def _checked(session: Session) -> dict[str, Any]:
    with counting(_("Checking entries"), "entries") as progress:
        if is_running(session):
            return command(session, "fsck", progress)
        from node.audit import FOLDER, AuditLog
        from node.clock import SystemClock
        from node.commands.fsck import audited, check_stopped, progress_shown, report_shown

        def tell(done: int, of: int) -> None:
            progress(progress_shown(done, of))

        checked = check_stopped(session.home, session.config, session.catalogue, tell)
        event, fields = audited(checked)
        try:
            AuditLog(session.home / FOLDER, SystemClock()).append(event, **fields)
        except LocalFault as fault:  # the home may lie on read-only media
            remark(_("The audit has no line of this check: {why}").format(why=fault))
        return report_shown(checked)


def _show_findings(found: dict[str, Any]) -> None:
    words = _("{feeds} feeds, {entries} entries, {seals} seals, {rows} rows, {attachments} attachments were checked.")
    say(words.format(**found))
    for one in found["unchecked"]:
        remark(_("not checked: {what}").format(what=worded(one)))
    if found["sound"]:
        say(_("Everything is as it must be."))
        return
    say(_("{found} faults were found:").format(found=found["found"]))
    heads = [_("fault"), _("feed"), _("seq"), _("key"), _("detail")]
    shown = found["findings"][:FINDINGS_SHOWN]
    table("", heads, [_finding(f) for f in shown])
    for remedy, count in Counter(f["remedy"] for f in found["findings"]).most_common():
        say(_("What to do ({count}): {remedy}").format(count=count, remedy=_(remedy)))


def _finding(found: dict[str, Any]) -> tuple[object, ...]:
    """A line of the table. The node gives its words in English: they are said in the language of whoever asks."""
    words = found["words"]
    return _(words), found["feed"], found["seq"] or "", found["key"], found["detail"]


@VERBS.verb(N_("Check what a node needs: SQLite, protobuf, keys, certificates, clock, addresses, disk."))
def doctor(context: typer.Context) -> int:
    from node.cli.doctor import examine

    session = here(context)
    findings = examine(session)
    bad = [f for f in findings if f.verdict == "bad"]
    if session.as_json:
        say_json({"sound": not bad, "checks": [f.as_json() for f in findings]})
    else:
        marks = {"good": _("good"), "odd": _("look at it"), "bad": _("BAD")}
        heads = [_("check"), _("verdict"), _("found")]
        table("", heads, [(f.name.say(), marks[f.verdict], f.found.say()) for f in findings])
        for finding in findings:
            if finding.todo is not None:
                say(f"{finding.name.say()}: {finding.todo.say()}")
    return int(Code.PLATFORM_UNSAFE.exit_code) if bad else 0


@AUDIT.verb(N_("Check that no line of the audit was changed, removed or put in."))
def verify(context: typer.Context) -> int:
    from node.audit import FOLDER
    from node.audit import verify as verify_chain

    session = here(context)
    verdict = verify_chain(session.home / FOLDER)
    if session.as_json:
        say_json(
            {
                "sound": verdict.ok,
                "lines": verdict.lines,
                "first": verdict.first,
                "head": verdict.head,
                "broken_file": verdict.broken_file,
                "broken_line": verdict.broken_line,
                "why": verdict.why,
            }
        )
    elif verdict.ok:
        say(
            _("{lines} lines from number {first}, unbroken. Head: {head}").format(
                lines=verdict.lines, first=verdict.first, head=verdict.head
            )
        )
        say(_("Note the head somewhere else: only beside it would a cut at the very end show."))
    else:
        say(
            _("{lines} lines are good, then {file} line {line} is broken: {why}").format(
                lines=verdict.lines, file=verdict.broken_file, line=verdict.broken_line, why=verdict.why
            )
        )
    return 0 if verdict.ok else int(Code.AUDIT_BROKEN.exit_code)


@AUDIT.verb(N_("Show the newest audited events."))
def show(
    context: typer.Context,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 50,
    event: Annotated[str, typer.Option(metavar="EVENT", help=_("Only events of this name."))] = "",
) -> None:
    from collections import deque

    from node.audit import FOLDER, read

    session = here(context)
    found = deque((r for r in read(session.home / FOLDER) if event in ("", r.get("event"))), maxlen=limit)
    if session.as_json:
        return say_json({"events": list(found)})
    heads = [_("no."), _("at"), _("event"), _("about")]
    rows = [
        (
            one.get("n"),
            moment(one.get("at", ""), session.zone),
            one.get("event"),
            ", ".join(f"{name}={value}" for name, value in one.get("fields", {}).items()),
        )
        for one in found
    ]
    table("", heads, rows)
    return None
