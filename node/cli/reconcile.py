"""What this node holds of another's feeds, or its own feeds, compared with what they should say, and mended."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import command
from node.cli.output import remark, say, say_json, table
from node.cli.session import here
from node.cli.verbs import Verbs
from node.faults import Code
from node.texts import N_, _

VERBS = Verbs()


@VERBS.verb(
    N_("Compare the rows held of another node with its sealed entries and its signed digest; mend what differs.")
)
def reconcile(
    context: typer.Context,
    node: Annotated[
        str,
        typer.Argument(
            metavar="NODE",
            help=_("Whose feeds; this node's own id: whether its feeds say what its rows are."),
        ),
    ],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Only this dataset."))] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Mend nothing; say what differs."))] = False,
) -> int:
    session = here(context)
    found = command(session, "reconcile", node=node, dataset=dataset, dry_run=dry_run)
    if session.as_json:
        say_json(found)
    else:
        _show(found)
    differs = any(f["same_here"] is False or f["same_there"] is False for f in found["feeds"])
    there = any(f["same_there"] is False for f in found["feeds"])
    return int(Code.STORE_DAMAGED.exit_code) if there or (differs and not found["mended"]) else 0


def _show(found: dict[str, Any]) -> None:
    heads = [_("feed"), _("entry"), _("rows"), _("as the entries say"), _("as the origin signed"), _("differing")]
    rows = [
        (f["feed"], f["seq"], f["rows"], _word(f["same_here"]), _signed(found, f), f["differing"] or "")
        for f in found["feeds"]
    ]
    table("", heads, rows)
    for one in found["feeds"]:
        for r in one["ranges"]:
            words = _("{dataset} {first} to {last}: {missing} missing, {extra} too many, {differing} otherwise")
            say("  " + words.format(**r))
        if one["unread"]:
            remark(_("{feed}: {unread} entries cannot be read here; it is not compared.").format(**one))
        if one["earlier_epochs"]:
            words = _("{feed}: what it said in {earlier_epochs} earlier epoch(s) holds no more and is not compared.")
            remark(words.format(**one))
    _conclude(found)


def _word(same: bool | None) -> str:
    return _("not compared") if same is None else _("the same") if same else _("differs")


def _signed(found: dict[str, Any], one: dict[str, Any]) -> str:
    if found["own"]:
        return ""
    return _("{word} (entry {position})").format(word=_word(one["same_there"]), position=one["position"])


def _conclude(found: dict[str, Any]) -> None:
    if found["mended"] and found["own"]:
        say(_("{mended} rows were published again.").format(**found))
    elif found["mended"]:
        say(_("{mended} rows were made again from the sealed entries.").format(**found))
    elif any(f["same_here"] is False for f in found["feeds"]):
        say(_("Nothing was mended; without --dry-run it is."))
    if any(f["same_there"] is False for f in found["feeds"]):
        words = _(
            "What {node} signed of its rows is not what its entries say: only it can mend that. "
            "There: `tiersync reconcile {node}`."
        )
        remark(words.format(**found))
