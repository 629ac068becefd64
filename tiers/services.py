"""What a node offers to others (服务目录): which datasets may be offered, and how an offer changes.

An offer is a row of `service_catalogue` per service and version: published, changed when a newer version takes its
place, stopped when it is withdrawn (reference/domain.md 10 W8: a proposal). What the directory says is not to be shared
is never offered, nor is a column that stays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset, Sharing

PUBLISHED, CHANGED, STOPPED = "published", "changed", "stopped"


class Offer(NamedTuple):
    """One version of a service."""

    version: int
    state: str


def offerable(catalogue: Catalogue, tiers: Collection[str]) -> list[Dataset]:
    """The datasets that a node of these tiers owns and may offer."""
    owned = (d for d in catalogue.datasets.values() if set(tiers) & set(d.owner))
    return [dataset for dataset in owned if dataset.sharing is not Sharing.WITHHELD]


def check_offer(dataset: Dataset, columns: Sequence[str], tiers: Collection[str]) -> None:
    """Raises InputFault if a node of these tiers may not offer these columns (none: all that may leave)."""
    if not set(tiers) & set(dataset.owner):
        raise InputFault(Reason.NOT_OWNER, Phrase("dataset '{}' is not this tier's to offer", dataset.id))
    if dataset.sharing is Sharing.WITHHELD:
        raise InputFault(Reason.NOT_OWNER, Phrase("dataset '{}' is not to be shared (不予共享)", dataset.id))
    for name in columns:
        if name not in dataset.schema.names:
            raise InputFault(Reason.UNKNOWN_COLUMN, Phrase("column '{}' of dataset '{}'", name, dataset.id))
        if name in dataset.held_back:
            raise InputFault(Reason.HELD_BACK_PRESENT, Phrase("column '{}' stays at the node that owns it", name))


def publish(offers: Sequence[Offer]) -> tuple[list[Offer], Offer]:
    """(versions that change, the new one) when a service is published, or published anew."""
    replaced = [offer._replace(state=CHANGED) for offer in offers if offer.state == PUBLISHED]
    return replaced, Offer(max((offer.version for offer in offers), default=0) + 1, PUBLISHED)


def withdraw(offers: Sequence[Offer]) -> list[Offer]:
    """The versions that change when a service is withdrawn. Raises InputFault where none is offered."""
    stopped = [offer._replace(state=STOPPED) for offer in offers if offer.state == PUBLISHED]
    if not stopped:
        raise InputFault(Reason.WRONG_STATE, Phrase("no version of it is offered"))
    return stopped
