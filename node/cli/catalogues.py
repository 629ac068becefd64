"""What the datasets mean, and what changed of it: catalogue list, show, check, diff."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.builtin import builtin_texts
from node.cli.output import pairs, say, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.cli.wording import tiers_in_words
from node.datasets import check_shown, dataset_named, dataset_shown, field_shown, rollup_shown
from node.faults import Code, Exit, UserFault
from node.reading import text_of
from node.texts import N_, _, current
from sync.schema import CellType

if TYPE_CHECKING:
    from tiers.catalogue import Catalogue
    from tiers.dataset import Dataset, Field

VERBS = Verbs("catalogue", N_("What the datasets mean, and what of them goes to whom."))


_CADENCES = {
    "on_change": N_("on change"),
    "real_time": N_("at once"),
    "daily": N_("daily"),
    "weekly": N_("weekly"),
    "monthly": N_("monthly"),
    "quarterly": N_("quarterly"),
    "yearly": N_("yearly"),
    "event": N_("when it happens"),
}


def catalogue_of(session: Session) -> Catalogue:
    """That of the home; the built-in one where no home is named. Raises CatalogueFault."""
    if session.is_named:
        return session.catalogue
    from tiers.catalogue import Catalogue

    return Catalogue.build(builtin_texts())


def checked(session: Session, files: list[Path]) -> Catalogue:
    """The built-in catalogue with these files of a site; without any that of the home. Raises CatalogueFault."""
    if not files:
        return catalogue_of(session)
    from tiers.catalogue import Catalogue

    return Catalogue.build(builtin_texts(), [_text(f) for f in files])


def _text(file: Path) -> tuple[str, str]:
    from node.config import CATALOGUE_BYTES_MAX

    return str(file), text_of(file, CATALOGUE_BYTES_MAX)


@VERBS.verb(N_("List the datasets."), "list")
def list_all(context: typer.Context) -> None:
    session = here(context)
    found = catalogue_of(session)
    if session.as_json:
        return say_json({"datasets": [dataset_shown(found, dataset) for dataset in found.datasets.values()]})
    zh = current().language == "zh"
    heads = [_("dataset"), _("title"), _("version"), _("owner"), _("key"), _("cadence"), _("publications")]
    rows = [
        (
            dataset.id,
            dataset.title_zh if zh else dataset.title_en,
            dataset.version,
            tiers_in_words(dataset.owner),
            ", ".join(dataset.key),
            _cadence(dataset),
            ", ".join(p.id for p in found.publications_of(dataset.id)),
        )
        for dataset in found.datasets.values()
    ]
    table("", heads, rows)
    return None


def _cadence(dataset: Dataset) -> str:
    return ", ".join(_(_CADENCES[one.value]) for one in dataset.cadence)


@VERBS.verb(N_("Show a dataset's columns, and which of them never leave the node."))
def show(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset to show."))],
) -> None:
    session = here(context)
    found = catalogue_of(session)
    known = dataset_named(found.datasets, dataset)
    if session.as_json:
        columns, checks = [field_shown(one) for one in known.fields], [check_shown(one) for one in known.checks]
        rollup = found.rollups.get(known.id)
        worked_out = rollup_shown(rollup) if rollup is not None else None
        return say_json({**dataset_shown(found, known), "columns": columns, "checks": checks, "rollup": worked_out})
    zh = current().language == "zh"
    pairs(
        [
            (_("Dataset"), known.id),
            (_("Title"), known.title_zh if zh else known.title_en),
            (_("Definition"), known.definition_zh if zh else known.definition),
            (_("Version"), known.version),
            (_("Key"), ", ".join(known.key)),
            (_("Owner"), tiers_in_words(known.owner)),
            (_("Cadence"), _cadence(known)),
        ]
    )
    say()
    heads = [_("column"), _("title"), _("type"), _("needed"), _("held back"), _("values"), _("example")]
    rows = [
        (
            one.column.name,
            one.title_zh if zh else one.title_en,
            one.column.type.value,
            not one.column.nullable,
            one.held_back,
            _values(one),
            one.example,
        )
        for one in known.fields
    ]
    table("", heads, rows)
    if known.checks:
        say()
        heads = [_("check"), _("when broken"), _("said then")]
        severities = {"reject": _("rejected"), "warn": _("let in with a warning")}
        asked = [(c.name, severities[c.severity.value], c.title_zh if zh else c.title_en) for c in known.checks]
        table("", heads, asked)
    if known.id in found.rollups:
        _show_rollup(rollup_shown(found.rollups[known.id]))
    return None


_HOW = {
    "rows": N_("number of rows"),
    "sum": N_("sum"),
    "most": N_("greatest"),
    "least": N_("smallest"),
    "time": N_("time between"),
    "ratio": N_("ratio"),
}


def _show_rollup(told: dict[str, Any]) -> None:
    """From what a node works the dataset's rows out."""
    say()
    groups = "; ".join(" + ".join(columns) for columns in told["groups"].values())
    said = _("Worked out of {source}, by {groups}, and the total.")
    say(said.format(source=told["source"], groups=groups))
    if told["held_back_below"]:
        say(_("Cells of fewer than {below} are held back.").format(below=told["held_back_below"]))
    heads = [_("column"), _("is"), _("of"), _("by date"), _("under a condition"), _("in the total")]
    how = {name: _(words) for name, words in _HOW.items()}
    rows = [
        (one["to"], how[one["how"]], ", ".join(one["of"]), one["date"], one["filtered"], one["total"])
        for one in told["measures"]
    ]
    table("", heads, rows)


def _values(field: Field) -> str:
    """What a cell may hold: the values of a closed list, or the bounds of a number, with its unit."""
    if field.values:
        return ", ".join(value.value for value in field.values)
    least, most = ("" if bound is None else str(bound) for bound in (field.minimum, field.maximum))
    bounds = f"{least} … {most}".strip() if least or most else ""
    # The unit of a time is how it is stored: people write and read it as the example shows.
    unit = "" if field.column.type is CellType.TIMESTAMP else field.unit
    return f"{bounds} {unit}".strip()


@VERBS.verb(N_("Check dataset files before a node uses them."))
def check(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE.toml", help=_("Files as node.toml names them; those of the home if none.")),
    ] = [],  # noqa: B006 - typer copies it
) -> None:
    session = here(context)
    found = checked(session, files)
    if session.as_json:
        return say_json({"datasets": sorted(found.datasets), "publications": sorted(found.publications)})
    words = _("Sound: {datasets} datasets, {publications} publications.")
    say(words.format(datasets=len(found.datasets), publications=len(found.publications)))
    return None


@VERBS.verb(N_("Say what changed between versions of dataset files; the exit code is 3 if anything is not only added."))
def diff(
    context: typer.Context,
    old: Annotated[
        Path,
        typer.Argument(metavar="OLD", help=_("A site's file, or a folder with the built-in files of another release.")),
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help=_("The same, as it is to be."))],
    later: Annotated[
        list[Path],
        typer.Argument(metavar="[LATER]...", help=_("Further versions, oldest first: each step is looked at.")),
    ] = [],  # noqa: B006 - typer copies it
) -> int:
    from tiers.evolution import compare_chain

    session = here(context)
    changes = compare_chain([_version(path) for path in (old, new, *later)])
    refused = sum(not change.allowed for change in changes)
    if session.as_json:
        told = [{"path": c.path, "allowed": c.allowed, "said": c.said, "phrase": list(c.said.words)} for c in changes]
        say_json({"only_added": not refused, "changes": told})
    else:
        heads = ["", _("place"), _("change")]
        rows = [("" if c.allowed else _("refused"), c.path, c.said.spoken(_)) for c in changes]
        if rows:
            table("", heads, rows)
        words = N_("{changes} change(s), {refused} of them not only added.") if changes else N_("Nothing changed.")
        say(_(words).format(changes=len(changes), refused=refused))
    return int(Exit.INPUT if refused else Exit.OK)


def _version(path: Path) -> Catalogue:
    """A folder is a whole built-in catalogue; a file is a site's, beside this program's. Raises as Catalogue.build."""
    from tiers.catalogue import Catalogue

    if path.is_dir():
        texts = [_text(file) for file in sorted(path.glob("*.toml"))]
        if not texts:
            raise UserFault(
                Code.FILE_MISSING,
                N_("There is no dataset file (*.toml) in '{folder}'."),
                N_("Name the folder that holds the files themselves."),
                folder=path,
            )
        return Catalogue.build(texts)
    return Catalogue.build(builtin_texts(), [_text(path)])
