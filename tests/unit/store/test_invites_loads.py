"""Invites are burnt once; loads keep their books; both live in the runner's transaction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from node.store.faults import InviteSpent
from node.store.invites import Invite, InviteStatus
from node.store.loads import Load, LoadCounts, Reject
from node.store.store import Store
from sync.effects import BurnInvite
from sync.reasons import Reason
from tests.unit.store.world import SCHEMA

INVITE = Invite("t1", "a.cn", b"secret", 2_000, InviteStatus.OPEN, b"", 1_000)


def invited(store: Store) -> None:
    store.begin()
    store.invites.add(INVITE)
    store.invites.add(INVITE._replace(token_id="t0", node="b.cn", created=500))
    store.commit()


def test_an_invite_is_kept_until_it_is_used(store: Store) -> None:
    """Open, pending with what the node sent, used; listed oldest first."""
    invited(store)
    assert [i.token_id for i in store.invites.all()] == ["t0", "t1"]
    assert store.invites.get("t1") == INVITE
    assert store.invites.get("none") is None
    store.begin()
    store.invites.submit("t1", b"request")
    store.invites.submit("t1", b"request again")
    store.commit()
    assert store.invites.get("t1") == INVITE._replace(status=InviteStatus.PENDING, submission=b"request again")
    store.begin()
    store.perform(BurnInvite("t1", "a.cn"))
    store.commit()
    used = store.invites.get("t1")
    assert used is not None
    assert used.status is InviteStatus.USED


SPENT: dict[str, Callable[[Store], None]] = {
    "used twice": lambda s: s.perform(BurnInvite("t1", "a.cn")),
    "unknown": lambda s: s.perform(BurnInvite("none", "a.cn")),
    "another node's": lambda s: s.perform(BurnInvite("t0", "a.cn")),
    "withdrawn after use": lambda s: s.invites.withdraw("t1"),
    "submitted after use": lambda s: s.invites.submit("t1", b""),
}


@pytest.mark.parametrize("case", SPENT)
def test_a_token_is_burnt_exactly_once(store: Store, case: str) -> None:
    """A second use fails and the store goes on: the runner rolls back and refuses the request."""
    invited(store)
    store.begin()
    store.perform(BurnInvite("t1", "a.cn"))
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
    store.invites.withdraw("t1")
    with pytest.raises(InviteSpent):
        store.perform(BurnInvite("t1", "a.cn"))
    store.commit()


def test_a_burn_that_is_rolled_back_leaves_the_token_good(store: Store) -> None:
    """The token goes in the transaction that enrols, or not at all."""
    invited(store)
    store.begin()
    store.perform(BurnInvite("t1", "a.cn"))
    store.rollback()
    assert store.invites.get("t1") == INVITE


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
