"""Invites are burnt once; loads keep their books; both live in the runner's transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from certs.enrol import InviteState, Status
from node.store.faults import InviteSpent, StoreFault, StoreTrouble
from node.store.invites import KeptInvite
from node.store.loads import _REJECTS_OF, Load, LoadCounts, Reject
from node.store.store import Store
from sync.effects import BurnInvite
from sync.reasons import Reason
from tests.unit.certs.country import OTHER_CITY
from tests.unit.certs.letters import invite
from tests.unit.store.world import SCHEMA

STATE = InviteState(invite())
OTHER = InviteState(replace(invite(), token="f" * 32, node=OTHER_CITY))
TOKEN, NODE = STATE.invite.token, STATE.invite.node
PENDING = replace(STATE, status=Status.PENDING, keys=b"k" * 32, fingerprint="01234 56789", changed=7)
USED = replace(PENDING, invite=replace(STATE.invite, secret=b""), status=Status.USED, changed=9)
WITHDRAWN = replace(USED, status=Status.WITHDRAWN)


def invited(store: Store) -> None:
    store.begin()
    store.invites.add(STATE, 1_000)
    store.invites.add(OTHER, 500)
    store.commit()


def burn(store: Store) -> None:
    store.invites.prepare(USED, b"reply")
    store.perform(BurnInvite(TOKEN, NODE))


def test_an_invite_is_kept_until_it_is_used(store: Store) -> None:
    """Open, pending, approved, used with what was issued and without its secret; listed oldest first."""
    invited(store)
    assert [kept.state for kept in store.invites.all()] == [OTHER, STATE]
    assert store.invites.get(TOKEN) == KeptInvite(STATE, b"", 1_000)
    assert store.invites.get("none") is None
    for state in (PENDING, replace(PENDING, status=Status.APPROVED, changed=8)):
        store.begin()
        store.invites.change(state)
        store.commit()
        assert store.invites.get(TOKEN) == KeptInvite(state, b"", 1_000)
    store.begin()
    burn(store)
    store.commit()
    assert store.invites.get(TOKEN) == KeptInvite(USED, b"reply", 1_000)


SPENT: dict[str, Callable[[Store], None]] = {
    "used twice": burn,
    "burnt twice": lambda s: s.perform(BurnInvite(TOKEN, NODE)),
    "unknown": lambda s: s.perform(BurnInvite("none", NODE)),
    "another node's": lambda s: s.perform(BurnInvite(OTHER.invite.token, NODE)),
    "with nothing prepared": lambda s: s.perform(BurnInvite(OTHER.invite.token, OTHER_CITY)),
    "withdrawn after use": lambda s: s.invites.change(WITHDRAWN),
    "submitted after use": lambda s: s.invites.change(PENDING),
}


@pytest.mark.parametrize("case", SPENT)
def test_a_token_is_burnt_exactly_once(store: Store, case: str) -> None:
    """A second use fails and the store goes on: the runner rolls back and refuses the request."""
    invited(store)
    store.begin()
    burn(store)
    store.commit()
    store.begin()
    with pytest.raises(InviteSpent):
        SPENT[case](store)
    store.rollback()
    assert len(store.invites.all()) == 2


def test_a_withdrawn_invite_enrols_nobody(store: Store) -> None:
    """Withdrawing ends it for good."""
    invited(store)
    store.begin()
    store.invites.change(WITHDRAWN)
    with pytest.raises(InviteSpent):
        burn(store)
    with pytest.raises(InviteSpent):
        store.invites.change(PENDING)
    store.commit()


def test_a_burn_that_is_rolled_back_leaves_the_token_good(store: Store) -> None:
    """The token goes in the transaction that enrols, or not at all."""
    invited(store)
    store.begin()
    burn(store)
    store.rollback()
    assert store.invites.get(TOKEN) == KeptInvite(STATE, b"", 1_000)


def test_what_was_prepared_and_not_burnt_changes_nothing(store: Store) -> None:
    """The registry may refuse the record after the reply was prepared: the invite is as good as before."""
    invited(store)
    store.begin()
    store.invites.prepare(USED, b"reply")
    store.commit()
    kept = store.invites.get(TOKEN)
    assert kept is not None
    assert kept.state == STATE


def test_a_damaged_invite_is_named_and_its_secret_is_not(store: Store) -> None:
    """Whoever reads the fault learns which invite, and nothing that stands in it."""
    invited(store)
    store.begin()
    store.session.run("UPDATE invite SET state = substr(state, 1, 300) WHERE token_id = ?", (TOKEN,))
    with pytest.raises(StoreFault, match=TOKEN) as caught:
        store.invites.get(TOKEN)
    assert caught.value.trouble is StoreTrouble.CORRUPT
    assert caught.value.__cause__ is None
    store.rollback()


def test_a_load_keeps_its_books(path: Path) -> None:
    """Counts, batches and rejects are there after a restart; a load that broke off has no end."""
    digest = b"d" * 32
    store = Store.open(path, [SCHEMA])
    store.begin()
    first = store.loads.start("demo", "案件.csv", digest, 10)
    store.loads.batch(first, 1 << 33, b"keys")
    store.loads.reject(first, digest, [Reject(7, Reason.UNKNOWN_CODE, "列 class_big", "raw,7")])
    store.commit()
    store.begin()
    store.loads.finish(first, LoadCounts(100, 90, 9, 1), 20)
    second = store.loads.start("demo", "b.csv", b"e" * 32, 30)
    store.commit()
    store.close()
    store = Store.open(path, [SCHEMA])
    loads = store.loads.newest(10)
    detail = store.loads.batches(first), store.loads.rejects(first, 10), store.loads.get(second), store.loads.get(99)
    store.close()
    assert loads[1] == Load(first, "demo", "案件.csv", digest, LoadCounts(100, 90, 9, 1), 10, 20)
    assert loads[0].ended == 0
    assert detail == ([(1 << 33, b"keys")], [Reject(7, Reason.UNKNOWN_CODE, "列 class_big", "raw,7")], loads[0], None)


def test_loading_a_file_twice_doubles_no_reject(store: Store) -> None:
    """The same line of the same file is the same reject; of another file it is another."""
    store.begin()
    for name, digest in (("a.csv", b"a" * 32), ("a again.csv", b"a" * 32), ("b.csv", b"b" * 32)):
        load = store.loads.start("demo", name, digest, 1)
        store.loads.reject(
            load, digest, [Reject(1, Reason.WRONG_TYPE, name, "x"), Reject(2, Reason.WRONG_TYPE, "", "y")]
        )
    store.commit()
    assert [len(store.loads.rejects(load, 10)) for load in (1, 2, 3)] == [0, 2, 2]
    assert store.loads.rejects(2, 1) == [Reject(1, Reason.WRONG_TYPE, "a again.csv", "x")]


def test_a_row_without_a_number_in_its_source_has_no_rejects_of_others(store: Store) -> None:
    """Lines whose key or number nobody could tell are of no row; those of a row are found by either, by an index."""
    of_row, by_number = Reject(1, Reason.WRONG_TYPE, "", "", "k", ""), Reject(2, Reason.WRONG_TYPE, "", "", "", "n")
    store.begin()
    load = store.loads.start("demo", "a.csv", b"a" * 32, 1)
    store.loads.reject(load, b"a" * 32, [of_row, by_number, Reject(3, Reason.WRONG_TYPE, "", "", "", "")])
    store.commit()
    found = store.loads.rejects_of
    assert found("demo", "k", "", 9) == [(load, of_row)]
    assert found("demo", "k", "n", 9) == [(load, of_row), (load, by_number)]
    assert found("demo", "", "", 9) == []
    plan = [line for *_, line in store.session.rows(f"EXPLAIN QUERY PLAN {_REJECTS_OF}", ("demo", "k", "n", 9))]
    assert not [line for line in plan if line.startswith("SCAN load_reject")]
