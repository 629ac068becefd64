"""A dataset by the name that a person gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from node.faults import Code, UserFault
from node.texts import N_

if TYPE_CHECKING:
    from tiers.dataset import Dataset


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
