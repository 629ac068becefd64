"""A dataset by the name that a person gave, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from node.faults import Code, UserFault
from node.texts import N_

if TYPE_CHECKING:
    from tiers.catalogue import Catalogue
    from tiers.dataset import Bound, Check, Dataset, Field
    from tiers.rollup import Measure, RollUp


def dataset_named(known: Mapping[str, Dataset], name: str) -> Dataset:
    """The dataset of that id. Raises UserFault UNKNOWN_DATASET, which lists those that are known."""
    found = known.get(name)
    if found is None:
        raise UserFault(
            Code.UNKNOWN_DATASET,
            N_("There is no dataset '{dataset}'; known here: {known}."),
            N_("`tiersync catalogue list` lists them with their titles."),
            dataset=name,
            known=", ".join(sorted(known)),
        )
    return found


def dataset_shown(found: Catalogue, dataset: Dataset) -> dict[str, Any]:
    """A dataset without its columns."""
    return {
        "dataset": dataset.id,
        "version": dataset.version,
        "zh": dataset.title_zh,
        "en": dataset.title_en,
        "definition": dataset.definition,
        "definition_zh": dataset.definition_zh,
        "cadence": [one.value for one in dataset.cadence],
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


def field_shown(field: Field) -> dict[str, Any]:
    """One of its columns."""
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
        "definition_zh": field.definition_zh,
        "unit": field.unit,
        "example": field.example,
        "minimum": _bound(field.minimum),
        "maximum": _bound(field.maximum),
        "decimals": field.decimals,
        "personal": field.personal.value if field.personal else "",
        "values": [{"value": v.value, "zh": v.title_zh, "en": v.title_en} for v in field.values],
    }


def check_shown(check: Check) -> dict[str, Any]:
    """One of its checks."""
    return {"check": check.name, "severity": check.severity.value, "zh": check.title_zh, "en": check.title_en}


def rollup_shown(rollup: RollUp) -> dict[str, Any]:
    """From what a dataset's rows are worked out, and how. `how` of a measure: rows, sum, most, least, time or ratio."""
    small = rollup.small_cells
    return {
        "source": rollup.source.id,
        "date": rollup.date,
        "own_place": rollup.own_place,
        "groups": {group.name: dict(group.columns) for group in rollup.groups},
        "held_back_below": small.below if small is not None else 0,
        "measures": [
            *(_measure_shown(one) for one in rollup.measures),
            *(
                {
                    "to": one.to,
                    "how": "ratio",
                    "of": [one.over, one.under],
                    "date": "",
                    "filtered": False,
                    "total": True,
                }
                for one in rollup.ratios
            ),
        ],
    }


def _measure_shown(one: Measure) -> dict[str, Any]:
    how = "time" if one.since else one.fold.value if one.of else "rows"
    of = [name for name in (one.of, one.since, one.until) if name]
    filtered = one.where is not None
    return {"to": one.to, "how": how, "of": of, "date": one.date, "filtered": filtered, "total": one.in_total}


def _bound(bound: Bound | None) -> int | float | str | None:
    """As the cells of its column are told: decimals as text."""
    return bound if bound is None or isinstance(bound, int | float) else str(bound)
