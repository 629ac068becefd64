"""What the store's tables were made by: the shape of each dataset is kept beside its rows, so that a catalogue that
does more than add is refused before it touches them.

A dataset that the catalogue no longer has keeps its table, its rows and its shape: it is compared when it comes back.
"""

from __future__ import annotations

from typing import Protocol

from node.faults import Code, UserFault
from node.store.store import Store
from node.texts import N_, Text
from sync.effects import SaveMeta
from tiers.catalogue import Catalogue
from tiers.evolution import Change, compare_shapes, pack_shape, shape_of, unpack_shape

_KEPT = "shape."
"""Before a dataset's id: the name under which its shape is kept among the store's own facts."""


class _Meta(Protocol):
    def meta(self, name: str) -> int | str | bytes | None: ...


def take_catalogue(store: Store, catalogue: Catalogue) -> None:
    """Gives the store its tables. Raises UserFault CATALOGUE_CHANGED with all that is not only added, StoreFault."""
    fresh, refused = _compared(store, catalogue)
    if refused:
        raise _not_only_added(refused)
    store.add_schemas([d.schema for d in catalogue.datasets.values()])
    if fresh:
        store.begin()
        for write in fresh:
            store.perform(write)
        store.commit()


def refusal(store: _Meta, catalogue: Catalogue) -> UserFault | None:
    """With what `take_catalogue` would refuse this catalogue; nothing is written."""
    _, refused = _compared(store, catalogue)
    return _not_only_added(refused) if refused else None


def _compared(store: _Meta, catalogue: Catalogue) -> tuple[list[SaveMeta], list[Change]]:
    """Shapes that are to be kept from now on, and what of them did more than add."""
    fresh: list[SaveMeta] = []
    refused: list[Change] = []
    for dataset in catalogue.datasets.values():
        shape, name = shape_of(dataset), _KEPT + dataset.id
        packed, kept = pack_shape(shape), store.meta(name)
        if packed == kept:
            continue
        fresh.append(SaveMeta(name, packed))
        before = unpack_shape(kept) if isinstance(kept, bytes) else None
        if before is not None:
            refused += [change for change in compare_shapes(before, shape) if not change.allowed]
    return fresh, refused


def _not_only_added(refused: list[Change]) -> UserFault:
    lines = tuple(Text("{path}: {said}", path=c.path, said=c.said) for c in refused)
    fault = UserFault(
        Code.CATALOGUE_CHANGED,
        N_("The datasets of this node's store changed by more than additions ({count}):\n{changes}"),
        N_(
            "Put the declarations back as they were, or declare what is new beside them; "
            "`tiersync catalogue diff OLD NEW` shows the same before a start."
        ),
        count=len(lines),
        changes=lines,
    )
    fault.details = lines
    return fault
