"""A release of indicators by which this node opened an evaluation (W6) is changed no more: its next version is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.store.store import Store
from sync.phrase import Phrase
from sync.rows import key_getter
from sync.schema import RowSchema
from sync.values import Key, Row
from tiers.flows import EVALUATION
from tiers.flows.steps import fields_of

INDICATORS = "eval_indicator"
"""The dataset whose releases are frozen."""


def unfrozen(
    store: Store, node: str, schema: RowSchema, puts: Sequence[Row], voids: Sequence[Key]
) -> tuple[list[Row], list[Key], list[tuple[Key, Phrase]]]:
    """What of these rows and voids may be, and what not. In the writer's thread."""
    key_of = key_getter(schema, schema.names)
    at = schema.key.index("system"), schema.key.index("version")
    found = _frozen(store, node, {(key[at[0]], key[at[1]]) for key in (*map(key_of, puts), *voids)})
    said = {
        key: Phrase("version {} of '{}' is frozen: an evaluation was opened by it", str(key[at[1]]), str(key[at[0]]))
        for key in (*map(key_of, puts), *voids)
        if (key[at[0]], key[at[1]]) in found
    }
    return [row for row in puts if key_of(row) not in said], [k for k in voids if k not in said], list(said.items())


def _frozen(store: Store, node: str, releases: Iterable[tuple[object, object]]) -> set[tuple[object, object]]:
    found = set()
    for system, version in releases:
        openings = (one for one in store.openings(str(system)) if (one.flow, one.issuer) == (EVALUATION, node))
        named = ((said.get("system"), said.get("version")) for said in map(fields_of, openings))
        if (str(system), str(version)) in named:
            found.add((system, version))
    return found
