"""An operator ends a clone alarm (protocol 7): one copy goes on under a new instance, the other is refused for ever.

Both acts are of a stopped node: what they change is read at its start.
"""

from __future__ import annotations

from pathlib import Path

from node.clock import Clock, Randomness, new_id
from node.enrol.home import locked_home
from node.faults import Code, UserFault
from node.store.home import DATABASE_FILE, name_instance
from node.store.restored import clear_clone, declare_restored
from node.store.store import Store
from node.texts import N_


def clear(home: Path, clock: Clock, peer: str, *, dry_run: bool) -> None:
    """At a neighbour: sessions with this node may begin again. An instance that was seen before another one stays
    refused. Raises UserFault PEER_UNKNOWN, HOME_IN_USE; StoreFault.
    """
    with locked_home(home, clock):
        store = Store.open(home / DATABASE_FILE, ())
        try:
            suspended = store.load_state().suspended_clone
            if peer not in suspended:
                raise UserFault(
                    Code.PEER_UNKNOWN,
                    N_("Of '{node}' no copy was seen here; of these one was: {known}."),
                    N_("`tiersync status --json` lists them under `clones`; a node id is written as there."),
                    node=peer,
                    known=", ".join(sorted(suspended)) or "-",
                )
            if not dry_run:
                clear_clone(store, peer)
        finally:
            store.close()


def go_on(home: Path, clock: Clock, randomness: Randomness, *, dry_run: bool) -> tuple[bytes, bytes]:
    """At the copy that goes on: it does so under a new instance, as restored. (instance before, instance now).

    After a crash in between the node does not start; the same command, given again, mends it. Raises UserFault
    HOME_IN_USE; HomeFault, StoreFault.
    """
    instance = new_id(randomness)
    with locked_home(home, clock):
        store = Store.open(home / DATABASE_FILE, ())
        try:
            before = store.load_state().instance
            if not dry_run:
                name_instance(home, instance)
                declare_restored(store, instance)
        finally:
            store.close()
    return before, instance
