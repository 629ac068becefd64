"""Mappings, before they are used: map suggest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.catalogues import catalogue_of
from node.cli.output import remark, say, say_json
from node.cli.session import here
from node.cli.verbs import Verbs
from node.datasets import dataset_named
from node.texts import N_, _

if TYPE_CHECKING:
    from node.loading.mapping import FileMapping, Source
    from node.loading.suggest import Draft
    from tiers.dataset import Dataset

VERBS = Verbs("map", N_("Mappings from files of other systems to datasets."))


@VERBS.verb(N_("Draft a mapping for a file, by its columns and first rows; to be checked by a person."))
def suggest(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=_("CSV or JSON lines (also gzipped), Excel or Parquet."))
    ],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Dataset that the rows go into."))],
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help=_("csv, jsonl, xlsx or parquet; otherwise the name says it.")),
    ] = "",
    sheet: Annotated[str, typer.Option("--sheet", metavar="NAME", help=_("Sheet of a workbook."))] = "",
    header: Annotated[
        int, typer.Option("--header", metavar="LINE", min=1, max=1_000, help=_("Line that holds the column names."))
    ] = 1,
) -> None:
    from node.loading.formats import AUTO, checked
    from node.loading.mapping import Source

    session = here(context)
    described = dataset_named(catalogue_of(session).datasets, dataset)
    found = _draft(file, described, Source(checked(form) or AUTO, sheet, header))
    if session.as_json:
        return say_json(
            {
                "dataset": dataset,
                "mapping": found.text,
                "placed": [{"column": g.column, "from": g.heading, "why": g.why} for g in found.guesses],
                "missing": list(found.missing),
                "left": list(found.left),
            }
        )
    say(found.text)
    remark(
        _("{placed} columns placed, {missing} that are needed are missing, {left} of the file are left over.").format(
            placed=len(found.guesses), missing=len(found.missing), left=len(found.left)
        )
    )
    remark(
        _(
            "Save it to a file, check every line, and try it with "
            "`tiersync load DATASET FILE --map FILE.toml --dry-run`."
        )
    )
    return None


def _draft(file: Path, dataset: Dataset, source: Source) -> Draft:
    """The draft. Raises UserFault for a file that cannot be read, or has no rows to look at."""
    from node.loading.found import Found, bad_heading
    from node.loading.readers import records, survey
    from node.loading.suggest import draft
    from node.texts import Text

    at = survey(file, source)
    with records(at, source, None) as rows:
        early = (one.record for one in rows if isinstance(one, Found))
        found = draft(file.name, dataset, replace(source, format=at.format), early, _built_in())
    if not found.guesses and not found.left:
        raise bad_heading(file, Text(N_("it has no rows to look at")))
    return found


def _built_in() -> list[FileMapping]:
    from node import mappings
    from node.loading.mapping import parse

    return [parse(name, mappings.text(name), mappings.read_table) for name in mappings.names()]
