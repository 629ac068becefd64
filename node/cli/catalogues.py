"""What the datasets mean: catalogue list, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.output import pairs, say, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.reading import text_of
from node.texts import N_, _, current

if TYPE_CHECKING:
    from tiers.catalogue import Catalogue
    from tiers.dataset import Dataset

VERBS = Verbs("catalogue", N_("What the datasets mean, and what of them goes to whom."))


def catalogue_of(session: Session) -> Catalogue:
    """That of the home; the built-in one where no home is named. Raises CatalogueFault."""
    if session.is_named:
        return session.catalogue
    from importlib import resources

    from tiers.catalogue import Catalogue

    folder = resources.files("tiers") / "catalogue"
    texts = [(f.name, f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".toml")]
    return Catalogue.build(sorted(texts))


@VERBS.verb(N_("List the datasets."), "list")
def list_all(context: typer.Context) -> None:
    session = here(context)
    found = catalogue_of(session)
    if session.as_json:
        return say_json({"datasets": [_brief(found, dataset) for dataset in found.datasets.values()]})
    zh = current().language == "zh"
    heads = [_("dataset"), _("title"), _("version"), _("owner"), _("key"), _("publications")]
    rows = [
        (
            dataset.id,
            dataset.title_zh if zh else dataset.title_en,
            dataset.version,
            ", ".join(dataset.owner),
            ", ".join(dataset.key),
            ", ".join(p.id for p in found.publications_of(dataset.id)),
        )
        for dataset in found.datasets.values()
    ]
    table("", heads, rows)
    return None


def _brief(found: Catalogue, dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.id,
        "version": dataset.version,
        "zh": dataset.title_zh,
        "en": dataset.title_en,
        "definition": dataset.definition,
        "owner": list(dataset.owner),
        "key": list(dataset.key),
        "region": dataset.region,
        "date": dataset.date,
        "classification": dataset.classification.value,
        "sharing": dataset.sharing.value,
        "source_unit": dataset.source_unit,
        "publications": [
            {
                "publication": p.id,
                "route": p.route.name.lower(),
                "lane": p.lane.name.lower(),
                "addressees": list(p.addressees),
                "columns": list(p.columns),
                "filtered": p.filter is not None,
            }
            for p in found.publications_of(dataset.id)
        ],
    }


@VERBS.verb(N_("Show a dataset's columns, and which of them never leave the node."))
def show(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset to show."))],
) -> None:
    session = here(context)
    found = catalogue_of(session)
    known = found.datasets.get(dataset)
    if known is None:
        raise UserFault(
            Code.UNKNOWN_DATASET,
            N_("There is no dataset '{dataset}'; known here: {known}."),
            N_("`tiersync catalogue list` lists them with their titles."),
            dataset=dataset,
            known=", ".join(sorted(found.datasets)),
        )
    if session.as_json:
        return say_json({**_brief(found, known), "columns": [_field(one) for one in known.fields]})
    zh = current().language == "zh"
    pairs(
        [
            (_("Dataset"), known.id),
            (_("Title"), known.title_zh if zh else known.title_en),
            (_("Definition"), known.definition),
            (_("Key"), ", ".join(known.key)),
            (_("Owner"), ", ".join(known.owner)),
        ]
    )
    say()
    heads = [_("column"), _("title"), _("type"), _("needed"), _("held back"), _("values")]
    rows = [
        (
            one.column.name,
            one.title_zh if zh else one.title_en,
            one.column.type.value,
            not one.column.nullable,
            one.held_back,
            ", ".join(value.value for value in one.values),
        )
        for one in known.fields
    ]
    table("", heads, rows)
    return None


def _field(field: Any) -> dict[str, Any]:
    column = field.column
    return {
        "column": column.name,
        "type": column.type.value,
        "length": column.length,
        "nullable": column.nullable,
        "held_back": field.held_back,
        "zh": field.title_zh,
        "en": field.title_en,
        "definition": field.definition,
        "unit": field.unit,
        "example": field.example,
        "values": [{"value": v.value, "zh": v.title_zh, "en": v.title_en} for v in field.values],
    }


@VERBS.verb(N_("Check dataset files before a node uses them."))
def check(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE.toml", help=_("Files as node.toml names them; those of the home if none.")),
    ] = [],  # noqa: B006 - typer copies it
) -> None:
    from importlib import resources

    from node.config import CATALOGUE_BYTES_MAX
    from tiers.catalogue import Catalogue

    session = here(context)
    if files:
        folder = resources.files("tiers") / "catalogue"
        builtin = [(f.name, f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".toml")]
        found = Catalogue.build(sorted(builtin), [(str(f), text_of(f, CATALOGUE_BYTES_MAX)) for f in files])
    else:
        found = catalogue_of(session)
    if session.as_json:
        return say_json({"datasets": sorted(found.datasets), "publications": sorted(found.publications)})
    words = _("Sound: {datasets} datasets, {publications} publications.")
    say(words.format(datasets=len(found.datasets), publications=len(found.publications)))
    return None
