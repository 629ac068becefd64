"""Nodes that this one enrolled: child suspend, resume, succeed, grades."""

from __future__ import annotations

from typing import Annotated

import typer

from node.cli.asking import ask, command
from node.cli.output import moment, remark, say, say_json, table
from node.cli.session import here
from node.cli.verbs import Verbs
from node.texts import N_, _
from node.texts.standing import GRADES
from tiers.grades import Grade

VERBS = Verbs("child", N_("Nodes that this one enrolled."))


@VERBS.verb(N_("Suspend a node: its link ends, and nobody takes it in until it is resumed."))
def suspend(
    context: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", help=_("Node id of a node that this one enrolled."))],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; it stands in the audit of this node."))] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Say nothing; see whether it could be said."))] = False,
) -> None:
    done = _("{node} is suspended. `tiersync child resume {node}` takes it back.")
    _say_of(context, "child.suspend", node, reason, dry_run, done)


@VERBS.verb(N_("Take back a node that was suspended: it goes on with the keys it has."))
def resume(
    context: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", help=_("Node id of a node that this one enrolled."))],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; it stands in the audit of this node."))] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Say nothing; see whether it could be said."))] = False,
) -> None:
    done = _("{node} is enrolled again; it comes back by itself.")
    _say_of(context, "child.resume", node, reason, dry_run, done)


def _say_of(context: typer.Context, name: str, node: str, reason: str, dry_run: bool, done: str) -> None:
    session = here(context)
    said = command(session, name, node=node, reason=reason, dry_run=dry_run)
    if session.as_json:
        return say_json(said)
    say(_("Dry run: nothing was said.") if dry_run else done.format(node=said["node"]))
    return None


@VERBS.verb(
    N_("Say that a node was merged into another: its feeds end, and its regions pass. It cannot be taken back.")
)
def succeed(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help=_("Node id of the node that ends."))],
    new: Annotated[str, typer.Argument(metavar="NEW", help=_("Node id of its successor, enrolled here too."))],
    regions: Annotated[
        str,
        typer.Option(metavar="A,B*", help=_("Only these pass, where it is divided among several; else all it has.")),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Say nothing; show what would be said."))] = False,
) -> None:
    session = here(context)
    said = command(session, "child.succeed", old=old, new=new, regions=regions, dry_run=dry_run)
    if session.as_json:
        return say_json(said)
    if dry_run:
        say(_("Dry run: nothing was said."))
    words = _("{old} is succeeded by {new} in: {regions}.")
    say(words.format(old=said["old"], new=said["new"], regions=", ".join(said["regions"])))
    table("", [_("feed"), _("ends at")], [(one["feed"], one["seq"]) for one in said["closings"]])
    if not dry_run:
        remark(_("What {old} has not sent stays there: export its rows, and load them at {new}.").format(**said))
    return None


@VERBS.verb(N_("Show which grade each has, since when and by what evidence, and how often it was at fault in a month."))
def grades(
    context: typer.Context,
    month: Annotated[str, typer.Option(metavar="MONTH", help=_("Such as 2026-03; else this one."))] = "",
    node: Annotated[str, typer.Option(metavar="NODE", help=_("Only this node."))] = "",
) -> None:
    session = here(context)
    found = ask(session, "child.grades", month=month, node=node)
    if session.as_json:
        return say_json(found)
    rows = [(o["node"], word(o["grade"]), moment(o["since"], session.zone), o["evidence"]) for o in found["children"]]
    table("", [_("node"), _("grade (proposal)"), _("since"), _("evidence")], rows)
    faults = [(o["node"], word(o["grade"]), o["times"], o["lasted_s"] // 60) for o in found["faults"]]
    if faults:
        heads = [_("node"), _("fault"), _("times"), _("minutes")]
        table(_("Faults in {month}:").format(month=found["month"]), heads, faults)
    return None


def word(grade: str) -> str:
    """A grade as people read it."""
    return _(GRADES[Grade(grade)].word)
