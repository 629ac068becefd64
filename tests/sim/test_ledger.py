"""What the simulator holds a node to: what its local callers were told is done, and no more."""

from __future__ import annotations

import pytest

from node.sim.ledger import Ledger
from node.sim.places import catalogue
from node.sim.work import Put, case_row
from node.store.store import Store
from sync.effects import UpsertRows
from sync.events import LocalPut

NODE, REGION = "c320100.p320000.cn-sim", "320100"
HELD, UNKNOWN = (f"{REGION}-001",), (f"{REGION}-002",)


@pytest.fixture
def store() -> Store:
    """Holds one case."""
    schema = catalogue().datasets["case"].schema
    store = Store.in_memory([schema], instance=bytes(16))
    store.begin()
    row = case_row(1, REGION, supervised=False, at=1)
    store.perform(UpsertRows("case", NODE, None, tuple(schema.names), [row], 1))
    store.commit()
    return store


def done(put: Put, store: Store) -> Put:
    """What of it its caller is told."""
    (event,) = put.run(store)
    assert isinstance(event, LocalPut)
    assert isinstance(event.token, Put)
    return event.token


def test_nothing_is_promised_of_a_void_that_found_no_row(store: Store) -> None:
    """A node that was put back to before a row came voids it in vain; the row may come back with the lost tail."""
    put = Put(NODE, "case", [], [HELD, UNKNOWN])
    assert done(put, store).voids == (HELD,)


def test_a_void_that_was_done_is_held_against_the_store(store: Store) -> None:
    """The row is still there, so what was promised of it is missing."""
    ledger = Ledger()
    ledger.answered(done(Put(NODE, "case", [], [HELD]), store), 2)
    assert list(ledger.missing(NODE, store)) == [f"the void of case {HELD} in transaction 2"]
