"""Invites and submissions for the tests: made once, varied by `replace`."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from certs.enrol import Decision, InviteState, Keys, judge_submission
from certs.forms import PrivateKey, fingerprint, new_key, to_der
from certs.invite import INVITE_LIFE_US, Approval, Invite
from certs.logkey import LogKey
from certs.proof import Parent, Submission, make_submission
from sync.scope import Scope
from tests.unit.certs.country import CITY, FEDERATION, NATION, NOW, PROVINCE, country

NONCE = bytes(range(32))
SECRET = bytes(range(100, 132))
TOKEN = bytes(16).hex()


@lru_cache(maxsize=1)
def invite() -> Invite:
    """A province's invite for a city."""
    return Invite(
        federation=FEDERATION,
        parent=PROVINCE,
        address="10.33.0.1:7443",
        root=to_der(country().root.certificate),
        token=TOKEN,
        secret=SECRET,
        node=CITY,
        profile="city",
        region="330100",
        title="杭州市",
        signing=Scope.of("3301*", leaving_out=("330199",)),
        carrying=Scope.of("3301*"),
        expires=NOW + INVITE_LIFE_US,
        approval=Approval.PERSON,
    )


@lru_cache(maxsize=1)
def province_invite() -> Invite:
    """The nation's invite for a province, which has a CA of its own."""
    return replace(invite(), parent=NATION, node=PROVINCE, profile="provincial", region="330000")


@lru_cache(maxsize=1)
def parent_leaf() -> bytes:
    """The leaf that the parent shows, DER."""
    return country().leaf(PROVINCE, country().nation)[0]


def parent() -> Parent:
    """The parent as it sees itself."""
    return Parent(FEDERATION, country().trust.fingerprint, fingerprint(parent_leaf()))


class Child(NamedTuple):
    """One installation's keys."""

    transport: PrivateKey
    log: LogKey
    ca: PrivateKey

    def submit(self, by: Invite, nonce: bytes = NONCE, with_ca: bool = False) -> Submission:
        """A lawful submission."""
        leaf = fingerprint(parent_leaf())
        return make_submission(by, nonce, leaf, self.transport, self.ca if with_ca else None, self.log)


@lru_cache(maxsize=2)
def child(number: int = 1) -> Child:
    """An installation; another number, another one."""
    return Child(new_key(), LogKey.from_seed(bytes([number]) * 32), new_key())


def judged(
    state: InviteState | None, submission: Submission, now: int = NOW, nonce: bytes = NONCE, with_ca: bool = False
) -> Decision:
    """The parent's decision."""
    return judge_submission(state, submission, nonce, parent(), now, with_ca)


def keys_of(decision: Decision) -> Keys:
    """The keys of a decision that has some."""
    assert decision.keys is not None
    return decision.keys
