"""Publications as this node's settings make them: what they were when own feeds were written, and what they are now.

A change is judged by what is published now, before and after: rows that were published otherwise would stay where they
are, never to be changed or taken out again. So after a change of settings every own feed is made to say what it should
(node/revising.py): one of a publication that is no longer declared, nothing. Rows of a dataset that is no longer
declared cannot be taken back any more, so it must stay until they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from node.engine import Engine
from node.republish import find_differences
from node.revising import begin, resume
from node.store.state import PUBLICATIONS, REVISION
from node.store.store import Store
from sync.core import Core
from sync.effects import FeedState, SaveMeta
from sync.phrase import Phrase
from sync.values import FeedName, dataset_of
from tiers.faults import CatalogueFault, Mistake
from tiers.publishing import TierPublisher
from tiers.ways import read_settings, settings_text


def settings_of(publisher: TierPublisher) -> str:
    """A line for each publication that this node writes, its id and its settings."""
    return settings_text(publisher.settings())


def check_declared(
    feeds: Mapping[FeedName, FeedState], waiting: Mapping[FeedName, int], node: str, declared: Collection[str]
) -> None:
    """Raises CatalogueFault if other nodes hold own rows of a dataset that is no longer declared, or did not hear yet
    that they are taken back. `waiting`: how much of each feed is not sealed yet."""
    missing: Counter[str] = Counter()
    for name, state in feeds.items():
        dataset = dataset_of(name.publication)
        if name.origin == node and dataset and dataset not in declared:
            missing[dataset] += state.rows + waiting.get(name, 0)
    mistakes = [
        Mistake(
            f"dataset.{dataset}",
            Phrase(
                "is no longer declared, and rows of it ({}) are published: declare it again, without publications; "
                "start the node, and remove it once the rows are taken back everywhere",
                count,
            ),
        )
        for dataset, count in sorted(missing.items())
        if count
    ]
    if mistakes:
        raise CatalogueFault(mistakes)


def follow(engine: Engine, publisher: TierPublisher, now: int) -> tuple[str, ...]:
    """Before anything is sealed: if the settings are not those that own feeds were written by, a job is begun that
    makes own feeds follow (node/revising.py), or one that was broken off goes on.

    The ids of the publications that changed; none at the first start, when there is nothing to tell. Raises
    CatalogueFault as `check_declared`.
    """
    store, core = engine.store, engine.replica.core
    check_declared(core.feeds, core.waiting, core.me.node, {schema.dataset for schema in store.schemas()})
    before, settings = store.meta(PUBLICATIONS), settings_of(publisher)
    known = resume(store, publisher)
    if before == settings and known:
        return ()
    differing = changed(before if isinstance(before, str) else "", settings)
    store.begin()
    store.perform(SaveMeta(PUBLICATIONS, settings))
    if core.settle_due:
        # Its own tail may have to come back first; nothing is sealed until then, and then it compares by itself.
        publisher.levelled()
        store.perform(SaveMeta(REVISION, b""))
        store.perform(SaveMeta("republish", 1))
        store.commit()
    elif (
        known and isinstance(before, str) and _is_told(core, differing) and _begun(store, publisher, core, before, now)
    ):
        store.commit()
    else:
        # In one transaction: either both are kept or the next start does it again.
        engine.step([find_differences(store, publisher, engine.replica)], now)
    return differing if isinstance(before, str) else ()


def _begun(store: Store, publisher: TierPublisher, core: Core, before: str, now: int) -> bool:
    differing = changed(before, settings_of(publisher))
    return begin(store, publisher, before, differing, core.group, core.me.node, now)


def _is_told(core: Core, differing: Collection[str]) -> bool:
    """Whether all that own feeds of these publications' datasets say is sealed. What waits was made by the settings of
    before, and some of it may no longer leave: only a comparison with what is sealed tells what to say instead."""
    datasets = {dataset_of(name) for name in differing}
    return not any(count and dataset_of(name.publication) in datasets for name, count in core.waiting.items())


def changed(before: str, settings: str) -> tuple[str, ...]:
    """The ids of the publications that two answers of `settings_of` do not say alike."""
    were, are = read_settings(before), read_settings(settings)
    return tuple(name for name in sorted({*were, *are}) if were.get(name) != are.get(name))
