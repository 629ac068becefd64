"""Before publications are changed: preview."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.output import remark, say, say_json, table, way
from node.cli.progress import counting
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.texts import N_, _
from sync.errors import InputFault

if TYPE_CHECKING:
    from node.config import Config
    from sync.scope import Scope
    from tiers.catalogue import Catalogue

VERBS = Verbs()
SAMPLE = 5
SAMPLE_MAX = 1_000
_KINDS = (
    ("arrive", N_("go out newly")),
    ("change", N_("go out otherwise than before")),
    ("leave", N_("are taken back, and stay here")),
    ("void", N_("are taken back, and are no longer here")),
    ("again", N_("go out again as they are")),
)


@VERBS.verb(N_("Say which rows and columns would go out or be taken back by changed settings. Changes nothing."))
def preview(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help=_("A changed node.toml; that of the home if not given.")),
    ] = None,
    catalogue: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE.toml",
            help=_("A changed dataset file: instead of the home's of that name, or beside them. May stand often."),
        ),
    ] = [],  # noqa: B006 - typer copies it
    scope: Annotated[
        str,
        typer.Option(
            metavar=_("REGIONS"),
            help=_("A changed signing scope, as in an invite list: rows of this node that would lie outside it."),
        ),
    ] = "",
    sample: Annotated[
        int, typer.Option(metavar="N", min=0, max=SAMPLE_MAX, help=_("Keys to show of each kind."))
    ] = SAMPLE,
) -> None:
    from node.preview import held_back, outside
    from node.preview import preview as compare

    session = here(context)
    wished = _scope(scope)
    wanted = _config(session, config)
    changed = _catalogue(session, wanted, catalogue)
    # Of what has been edited in place nobody knows any more how it was.
    held_now = held_back(session.catalogue) if config or catalogue else {}
    with counting(_("Comparing entries"), "entries") as progress:
        found = compare(
            session.home, wanted, changed, held_now, sample, lambda done, of: progress({"entries": done, "of": of})
        )
    if wished is not None:
        found["outside"] = outside(session.home, wanted, changed, wished, sample)
    if session.as_json:
        return say_json(found)
    _tell(found)
    if wished is not None:
        _tell_outside(found["outside"])
    return None


def _config(session: Session, path: Path | None) -> Config:
    """The configuration to look at. Raises UserFault."""
    if path is None:
        return session.config
    from node.config import load_file

    config = load_file(path)
    if config.node != session.config.node:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("{file} is not a configuration of this node: its section [node] differs."),
            N_("Copy the home's node.toml, and change its publications and dataset files only."),
            file=path,
        )
    return config


def _scope(text: str) -> Scope | None:
    """A signing scope as a person writes it. Raises UserFault."""
    from node.enrol.lists import scope_from_text

    try:
        return scope_from_text(text)
    except InputFault as fault:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' cannot be read as a scope: {detail}"),
            N_("Write division codes or prefixes with spaces between, such as 330100 or 65*-6590*."),
            value=text,
            detail=fault.detail,
        ) from fault


def _tell_outside(found: list[dict[str, Any]]) -> None:
    if not found:
        return say(_("No row of this node lies outside that scope."))
    say(_("Rows of this node outside that scope: their next change would be rejected here and refused above."))
    return table(
        "", [_("dataset"), _("rows"), _("keys")], [(o["dataset"], o["rows"], " ".join(o["keys"])) for o in found]
    )


def _catalogue(session: Session, config: Config, files: Sequence[Path]) -> Catalogue:
    """The catalogue to look at. Raises CatalogueFault, UserFault, OSError."""
    from node.app import read_catalogue

    return read_catalogue(session.home, config, [path.absolute() for path in files])


def _tell(found: dict[str, Any]) -> None:
    if found["refused"]:
        say(_("The node would refuse to start with these datasets (E1014): they did more than add."))
        for line in found["refused"]:
            say(f"  {line}")
    if not found["changed"]:
        say(_("Nothing changes: the publications are those that this node's feeds were written by."))
        return
    say(_("Changed publications: {names}").format(names=", ".join(found["changed"])))
    if not found["feeds"]:
        say(_("No row would go out or be taken back."))
        return
    heads = [_("publication"), _("to"), _("new"), _("otherwise"), _("taken back"), _("void"), _("again"), _("waiting")]
    table("", heads, [_line(one) for one in found["feeds"]])
    for one in found["feeds"]:
        _tell_feed(one)
    remark(_("Nothing was written. The next start of the node with these settings does it."))


def _line(one: dict[str, Any]) -> tuple[object, ...]:
    counts = [one[kind]["rows"] for kind in ("arrive", "change", "leave", "void", "again")]
    return (one["publication"], _to(one), *counts, one["waiting"])


def _to(one: dict[str, Any]) -> str:
    return str(one["addressee"] or way(one["route"]))


def _tell_feed(one: dict[str, Any]) -> None:
    say("{publication} → {to}".format(publication=one["publication"], to=_to(one)))
    if one["columns_new"]:
        say("  " + _("columns that would newly leave: {columns}").format(columns=", ".join(one["columns_new"])))
    if one["columns_freed"]:
        words = _("TAKE CARE: held back until now, and no longer: {columns}")
        say("  " + words.format(columns=", ".join(one["columns_freed"])))
    if one["columns_gone"]:
        say("  " + _("columns that no longer leave: {columns}").format(columns=", ".join(one["columns_gone"])))
    for kind, words in (*_KINDS, ("masked", N_("leave with phone, identity, passport or card numbers masked"))):
        if one[kind]["rows"]:
            keys = " ".join(one[kind]["keys"]) + (" …" if one[kind]["rows"] > len(one[kind]["keys"]) else "")
            say(f"  {_(words)} ({one[kind]['rows']}): {keys}")
