"""Work that goes on in the background of a node: jobs."""

from __future__ import annotations

from typing import Any

import typer

from node.cli.output import say, say_json, table
from node.cli.session import here
from node.cli.state import status_now
from node.cli.verbs import Verbs
from node.texts import N_, _

VERBS = Verbs()
_JOBS = {"follow_publications": N_("make feeds follow changed publications")}


@VERBS.verb(N_("List work that goes on in the background, and how far it has come."))
def jobs(context: typer.Context) -> None:
    session = here(context)
    found = status_now(session)["jobs"]
    if session.as_json:
        return say_json({"jobs": found})
    if not found:
        return say(_("Nothing goes on in the background."))
    return show_jobs(found)


def show_jobs(found: list[dict[str, Any]]) -> None:
    """As a table."""
    heads = [_("job"), _("about"), _("began"), _("rows done"), _("rows")]
    lines = [
        (
            _(_JOBS.get(one["job"], one["job"])),
            ", ".join(one["publications"]),
            one["began"],
            one["rows_done"],
            one["rows"],
        )
        for one in found
    ]
    table(_("Jobs"), heads, lines)
