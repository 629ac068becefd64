"""Later releases of the catalogue: what nodes of one federation speak that upgrade on other days.

Each only adds (tiers/evolution.py), and in every way in which a release may: columns, values, wider bounds,
publications, datasets, and a tier that owns one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sync.schema import CellType, Column
from sync.values import Lane, Route
from tiers.catalogue import Catalogue
from tiers.dataset import Cadence, CodeValue, Dataset, Field, Publication

FIRST, SECOND, THIRD = 1, 2, 3
NEWEST = THIRD

CASE_COLUMNS = {SECOND: "added_second", THIRD: "added_third"}
"""Published columns that releases add to `case`."""
NEW_STATE = "reopened"
"""A value that the second release adds to the states of a case."""
NAME_LENGTH = 200
"""Characters of a unit's name from the second release on."""
BRIEF = "case.brief"
"""A publication of the third release: of each case the mandatory columns only, to all tiers above."""
NEW_DATASET = "added_thing"
NEW_OWNER = "provincial"
"""From the third release on provinces write codes too."""


def released(built_in: Catalogue, release: int) -> Catalogue:
    """The catalogue of a release; of the first, as it is built in."""
    for number, step in _STEPS.items():
        if number <= release:
            built_in = step(built_in)
    return built_in


def _second(before: Catalogue) -> Catalogue:
    case, unit, code = (before.datasets[name] for name in ("case", "org_unit", "class_code"))
    case = _with_column(case, CASE_COLUMNS[SECOND])
    case = _with_field(case, "state", lambda f: replace(f, values=(*f.values, CodeValue(NEW_STATE, "-", "-"))))
    unit = _with_field(unit, "name", lambda f: replace(f, column=replace(f.column, length=NAME_LENGTH)))
    code = _with_column(code, "added_second")
    return _with(before, case, unit, code)


def _third(before: Catalogue) -> Catalogue:
    case, code = (before.datasets[name] for name in ("case", "class_code"))
    case = _with_column(case, CASE_COLUMNS[THIRD])
    code = replace(code, owner=(*code.owner, NEW_OWNER), version=code.version + 1)
    thing = Dataset(
        NEW_DATASET,
        1,
        "-",
        "-",
        "-",
        "-",
        (
            Field(Column("thing_id", CellType.TEXT, nullable=False, length=40), "-", "-"),
            Field(Column("division", CellType.TEXT, nullable=False, length=6), "-", "-"),
            Field(Column("kept", CellType.TEXT, length=40), "-", "-", held_back=True),
        ),
        key=("thing_id",),
        owner=("city",),
        cadence=(Cadence.DAILY,),
        region="division",
    )
    brief = tuple(c.name for c in case.schema.columns if not c.nullable)
    return _with(
        before,
        case,
        code,
        thing,
        publications=(
            Publication(BRIEF, "case", Route.ANCESTORS, Lane.BULK, brief),
            Publication(f"{NEW_DATASET}.up", NEW_DATASET, Route.ANCESTORS, Lane.BULK, ("thing_id", "division")),
        ),
    )


_STEPS: dict[int, Callable[[Catalogue], Catalogue]] = {SECOND: _second, THIRD: _third}


def _with(before: Catalogue, *datasets: Dataset, publications: tuple[Publication, ...] = ()) -> Catalogue:
    """The catalogue with these datasets instead of those of the same name; their publications carry every column that
    carried all there were."""
    held = {**before.datasets, **{d.id: d for d in datasets}}
    said = dict(before.publications)
    for name, publication in before.publications.items():
        old, new = before.datasets[publication.dataset], held[publication.dataset]
        if publication.columns == _open_columns(old):
            said[name] = replace(publication, columns=_open_columns(new))
    return Catalogue(held, {**said, **{p.id: p for p in publications}}, flows=before.flows)


def _open_columns(dataset: Dataset) -> tuple[str, ...]:
    return tuple(name for name in dataset.schema.names if name not in dataset.held_back)


def _with_column(dataset: Dataset, name: str) -> Dataset:
    """One version on, with one more text at the end."""
    fresh = Field(Column(name, CellType.TEXT, length=20), "-", "-")
    return replace(dataset, version=dataset.version + 1, fields=(*dataset.fields, fresh))


def _with_field(dataset: Dataset, name: str, change: Callable[[Field], Field]) -> Dataset:
    """One version on, with one field changed."""
    fields = tuple(change(f) if f.column.name == name else f for f in dataset.fields)
    return replace(dataset, version=dataset.version + 1, fields=fields)
