"""The list of quality issues, of a running node or a stopped one."""

from __future__ import annotations

from typing import Any

from node.commands.view import Arguments, View, limit
from node.quality import issues, shown
from tiers.quality import CLOSED


def list_issues(view: View, arguments: Arguments) -> dict[str, Any]:
    """quality.list {open?, to_answer?, limit} -> {issues: newest first}."""
    found = issues(view.reader, '"state" <> ?', (CLOSED,)) if arguments.get("open") else issues(view.reader)
    if arguments.get("to_answer"):
        found = [one for one in found if one.row["origin"] == view.node and one.finder != view.node]
    told = (shown(view.reader, view.catalogue, view.node, one) for one in found)
    wanted = [one for one in told if one["next"] or not arguments.get("to_answer")]
    return {"issues": wanted[: limit(arguments)]}
