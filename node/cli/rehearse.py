"""Rehearsing without risk: simulate, demo."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from node.cli.output import remark, say, say_json
from node.cli.session import here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.texts import N_, _

VERBS = Verbs()


@VERBS.verb(N_("Simulate a federation with faults of every kind, from a seed."))
def simulate(
    context: typer.Context,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help=_("The seed decides everything; the same again, too."))],
    count: Annotated[int, typer.Option(metavar="N", min=1, help=_("So many seeds from this one on."))] = 1,
) -> int:
    from node.sim.run import simulate as run_seed

    session = here(context)
    reports = []
    for number in range(seed, seed + count):
        report = run_seed(number)
        reports.append(report)
        if not session.as_json:
            told = _(
                "seed {seed}: {steps} steps, {commits} commits, {entries} entries, {seconds} virtual seconds: {verdict}"
            )
            verdict = _("sound") if report.sound else report.failure
            say(
                told.format(
                    seed=report.seed,
                    steps=report.steps,
                    commits=report.commits,
                    entries=report.entries,
                    seconds=round(report.virtual_seconds),
                    verdict=verdict,
                )
            )
    bad = [report.seed for report in reports if not report.sound]
    if session.as_json:
        say_json({"seeds": [{**asdict(report), "sound": report.sound} for report in reports], "failed": bad})
    if bad:
        remark(_("Failed seeds: {seeds}").format(seeds=", ".join(map(str, bad))))
    return Code.SIMULATION_FAILED.exit_code if bad else 0


@VERBS.verb(N_("Show it all on this machine: five real nodes, real data, faults, and proof that the data agree."))
def demo(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help=_("Keep the folder with the five homes."))] = False,
    no_live: Annotated[bool, typer.Option("--no-live", help=_("No moving picture; lines only."))] = False,
) -> int:
    session = here(context)
    try:
        from node.demo.run import main
    except ModuleNotFoundError as error:
        raise UserFault(
            Code.DEMO_FAILED,
            N_("The demonstration is not part of this installation ({detail})."),
            N_("Install the complete wheel of tiersync."),
            detail=error,
        ) from error
    return main(as_json=session.as_json, keep=keep, live=not no_live)
