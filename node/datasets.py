"""A dataset by the name that a person gave, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from node.faults import Code, UserFault
from node.texts import N_

if TYPE_CHECKING:
    from tiers.catalogue import Catalogue
    from tiers.dataset import Bound, Check, Dataset, Field


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


def _bound(bound: Bound | None) -> int | float | str | None:
    """As the cells of its column are told: decimals as text."""
    return bound if bound is None or isinstance(bound, int | float) else str(bound)
