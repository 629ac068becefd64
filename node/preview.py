"""What a changed configuration or catalogue would take out of this node, and take back, before anything is changed.

The same comparison that the next start makes (node/publications.py, node/republish.py), through a read-only connection:
one snapshot per dataset, so that the WAL of a working node is not held for longer than one dataset takes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from node.commands.stopped import publisher_of, reader_of
from node.config import Config
from node.kept import refusal
from node.publications import changed, check_declared, settings_of
from node.republish import Own, Way, compare
from node.store.readers import Reader
from node.store.state import PUBLICATIONS
from sync.rows import EndKind, key_getter, key_text, to_schema_order
from sync.schema import RowSchema
from sync.scope import Scope
from sync.values import FeedName, Key, dataset_of
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset, Personal
from tiers.personal import Guard
from tiers.profile import PROFILES
from tiers.publishing import TierPublisher
from tiers.rules import RowRules

SAMPLE_MAX = 1_000
OnProgress = Callable[[int, int], None]
Held = Mapping[str, Collection[str]]
"""Columns by dataset."""


def held_back(catalogue: Catalogue) -> Held:
    """The columns that never leave, by a catalogue."""
    return {dataset.id: dataset.held_back for dataset in catalogue.datasets.values()}


def preview(
    home: Path, config: Config, catalogue: Catalogue, held_now: Held, sample: int, on_progress: OnProgress
) -> dict[str, Any]:
    """{changed, refused, feeds}: the publications whose settings differ from those that own feeds were written by, and
    each own feed of their datasets that would have to say something.

    held_now: columns that were held back until now. sample: keys told of each kind. on_progress: entries read, of how
    many. `refused`: in what datasets did more than add, so that the start would refuse them (E1014). Raises
    CatalogueFault as the start would, StoreFault.
    """
    reader = reader_of(home, catalogue)
    try:
        refused = refusal(reader, catalogue)
        publisher = publisher_of(home, config, catalogue, reader)
        node = config.node.node_id
        feeds = {state.name: state for state in reader.feeds()}
        waiting = {name: found.items for name, found in reader.outbox().items()}
        check_declared(feeds, waiting, node, catalogue.datasets)
        before, settings = reader.meta(PUBLICATIONS), settings_of(publisher)
        differing = changed(before if isinstance(before, str) else "", settings)
        datasets = {dataset_of(name) for name in differing}
        own = [s for s in feeds.values() if s.name.origin == node and dataset_of(s.name.publication) in datasets]
        tell = _counter(on_progress, sum(state.head.seq for state in own))
        schemas = [d.schema for d in catalogue.datasets.values() if d.id in datasets]
        shown: list[dict[str, Any]] = []
        for schema in schemas:
            masked = _masked(reader, catalogue.datasets[schema.dataset], node)
            for way in _ways(reader, publisher, catalogue, node, schema, tell):
                one = _shown(schema, way, sample, held_now.get(schema.dataset, ()), masked)
                name = FeedName(node, way.wanted.publication, way.wanted.addressee)
                one["is_changed"] = way.wanted.publication in differing
                one["waiting"] = waiting.get(name, 0)
                shown.append(one)
        return {
            "node": node,
            "changed": list(differing),
            "refused": [line.say() for line in refused.details] if refused is not None else [],
            "feeds": [one for one in shown if _says(one)],
        }
    finally:
        reader.close()


def outside(home: Path, config: Config, catalogue: Catalogue, scope: Scope, sample: int) -> list[dict[str, Any]]:
    """Own rows that lie outside a signing scope, by dataset: with it the door would reject them and every tier above
    refuse them at their next change. Raises StoreFault."""
    reader = reader_of(home, catalogue)
    try:
        profile, parent = PROFILES[config.node.tier], config.parent.node_id if config.parent else ""
        found = []
        for dataset in catalogue.datasets.values():
            if dataset.region and set(profile.tiers(parent)) & set(dataset.owner):
                rules = RowRules(dataset, dataset.schema.names)
                rows = reader.scan(dataset.id, config.node.node_id)
                counted = _counted((key for key, _, row in rows if rules.lies_outside(row, scope)), sample)
                if counted["rows"]:
                    found.append({"dataset": dataset.id, **counted})
        return found
    finally:
        reader.close()


def _counter(on_progress: OnProgress, of: int) -> Callable[[int], None]:
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        # A working node goes on writing while it is read.
        on_progress(min(done, of), of)

    return tell


def _ways(
    reader: Reader,
    publisher: TierPublisher,
    catalogue: Catalogue,
    node: str,
    schema: RowSchema,
    tell: Callable[[int], None],
) -> list[Way]:
    with reader.snapshot():
        feeds = {state.name: state for state in reader.feeds()}
        return compare(Own(reader, publisher, lambda dataset: catalogue.schema("", dataset), node, feeds, tell), schema)


def _masked(reader: Reader, dataset: Dataset, node: str) -> dict[Key, list[str]]:
    """Own rows of a dataset with a number of a person in a column that masks it, and which columns."""
    guard = Guard(dataset, dataset.schema.names)
    found: dict[Key, list[str]] = {}
    for key, _, row in reader.scan(dataset.id, node) if guard.masked_columns else ():
        columns = [name for rule, name in guard.found(row) if rule is Personal.MASK]
        if columns:
            found[key] = columns
    return found


def _says(one: Mapping[str, Any]) -> bool:
    return any(one[kind]["rows"] for kind in ("arrive", "change", "again", "leave", "void"))


def _shown(
    schema: RowSchema, way: Way, sample: int, held_now: Collection[str], masked: Mapping[Key, Collection[str]]
) -> dict[str, Any]:
    """What one feed would have to say."""
    wanted, said = way.wanted, way.said
    puts = dict(_puts(schema, way))
    fresh = [c for c in wanted.columns if c not in way.columns] if wanted.puts else []
    ends = way.to_say.ends
    return {
        "publication": wanted.publication,
        "addressee": wanted.addressee,
        "route": wanted.route.name.lower(),
        "dataset": wanted.dataset,
        "columns_new": fresh,
        "columns_gone": [c for c in way.columns if c not in wanted.columns],
        "columns_freed": [c for c in fresh if c in held_now],
        "arrive": _counted((key for key in puts if key not in said), sample),
        "change": _counted((key for key, same in puts.items() if key in said and not same), sample),
        "again": _counted((key for key, same in puts.items() if same), sample),
        "leave": _counted((end.key for end in ends if end.kind is EndKind.LEFT), sample),
        "void": _counted((end.key for end in ends if end.kind is EndKind.VOID), sample),
        "masked": _counted((key for key in puts if set(masked.get(key, ())) & set(wanted.columns)), sample),
    }


def _puts(schema: RowSchema, way: Way) -> Iterator[tuple[Key, bool]]:
    """Keys of the rows that would be put, and whether the feed says them by the same cells already."""
    key_of, order = key_getter(schema, way.wanted.columns), to_schema_order(schema, way.wanted.columns)
    for put in way.to_say.puts:
        key = key_of(put)
        said = way.said.get(key)
        yield key, said is not None and said.cells == (put if order is None else order(put))


def _counted(keys: Iterator[Key], sample: int) -> dict[str, Any]:
    shown: list[str] = []
    rows = 0
    for rows, key in enumerate(keys, start=1):  # noqa: B007 - the last number is the count
        if len(shown) < sample:
            shown.append(key_text(key))
    return {"rows": rows, "keys": shown}
