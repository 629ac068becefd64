"""What a declared restore writes into a database that was put back, and how an operator ends a clone alarm.

No command does either yet; the simulator does.

Outside a transaction, with the node stopped.
"""

from __future__ import annotations

from node.store.store import INSTANCE, Store
from sync.effects import SaveMeta
from sync.values import ID_BYTES


def declare_restored(store: Store, instance: bytes) -> None:
    """From now on this is another life of the node: it seals a feed only after every neighbour was compared.

    instance: 16 random bytes from the caller; the file beside the database is written by home.name_instance.
    """
    assert len(instance) == ID_BYTES
    store.begin()
    store.perform(SaveMeta(INSTANCE, instance))
    store.perform(SaveMeta("restored", 1))
    store.perform(SaveMeta("compared", ""))
    store.commit()


def clear_clone(store: Store, peer: str) -> None:
    """The operator has stopped the copy: sessions with this neighbour may begin again. An instance that was seen
    before another one stays refused, so the life that goes on does so under a new instance."""
    held = store.meta("suspended_clone")
    nodes = [node for node in (held.split() if isinstance(held, str) else []) if node != peer]
    store.begin()
    store.perform(SaveMeta("suspended_clone", " ".join(nodes)))
    store.commit()
