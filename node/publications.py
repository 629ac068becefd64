"""Publications as this node's settings make them: what they were when own feeds were written, and what they are now.

A change is judged by what is published now, before and after: rows that were published otherwise would stay where they
are, never to be changed or taken out again. So after a change of settings every own feed is made to say what it should.
"""

from __future__ import annotations

from node.engine import Engine
from node.republish import find_differences
from sync.effects import SaveMeta
from tiers.publishing import TierPublisher

SETTINGS = "publications"
"""Meta: a line for each publication that this node writes, its id and the digest of its settings."""


def follow(engine: Engine, publisher: TierPublisher, now: int) -> tuple[str, ...]:
    """Before anything is sealed: own feeds compared with the rows if the settings are not those they were written by.

    The ids of the publications that changed; none at the first start, when there is nothing to tell.
    """
    store = engine.store
    settings = publisher.settings()
    before, now_set = store.meta(SETTINGS), "\n".join(f"{name} {said}" for name, said in sorted(settings.items()))
    if before == now_set:
        return ()
    store.begin()
    store.perform(SaveMeta(SETTINGS, now_set))
    if engine.replica.core.settle_due:
        # Its own tail may have to come back first; nothing is sealed until then, and then it compares by itself.
        store.perform(SaveMeta("republish", 1))
        store.commit()
    else:
        # In one transaction: either both are kept or the next start does it again.
        engine.step([find_differences(store, publisher, engine.replica)], now)
    if not isinstance(before, str):
        return ()
    were = dict(line.split(" ") for line in before.splitlines())
    return tuple(name for name in sorted({*were, *settings}) if were.get(name) != settings.get(name))
