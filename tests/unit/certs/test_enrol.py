"""The parent's decisions: who is let in with an invite, who waits, who is refused and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.enrol import (
    PENDING_LIFE_US,
    InviteState,
    Outcome,
    Status,
    approved,
    burnt,
    make_record,
    read_state,
    submitted,
    withdrawn,
    write_state,
)
from certs.forms import public_key_hash
from certs.invite import INVITE_LIFE_US, Approval
from certs.logkey import LogKey
from certs.proof import Parent, Submission, make_submission, proof_input, short_fingerprint
from certs.requests import make_request
from sync.errors import InputFault
from sync.reasons import Reason
from sync.registry import enrolment_from_record
from sync.wire.v1.entry_pb2 import Closing, EnrolmentStatus
from tests.unit.certs.country import CITY, COUNTY, DAY_US, FEDERATION, NOW, PROVINCE, foreign_root
from tests.unit.certs.letters import NONCE, SECRET, child, invite, judged, keys_of, parent, parent_leaf, province_invite

OPEN = InviteState(invite())
AUTOMATIC = InviteState(replace(invite(), approval=Approval.AUTOMATIC))


def test_a_person_compares_the_fingerprint_and_the_child_is_in() -> None:
    """Open, pending, approved, used: the normal way, with the child asking again in between."""
    first = judged(OPEN, child().submit(invite()))
    assert first.outcome is Outcome.PENDING
    pending = submitted(OPEN, keys_of(first), NOW)
    assert (pending.status, pending.fingerprint) == (Status.PENDING, keys_of(first).fingerprint)

    other_nonce = bytes(32)
    asked = judged(pending, child().submit(invite(), other_nonce), NOW + 1, other_nonce)
    assert asked.outcome is Outcome.PENDING
    assert submitted(pending, keys_of(asked), NOW + 1) == pending

    said = approved(pending, pending.fingerprint.replace(" ", ""), NOW + 2)
    done = judged(said, child().submit(invite()))
    assert done.outcome is Outcome.ENROL
    assert burnt(said, keys_of(done), NOW + 3).status is Status.USED


def test_an_automatic_invite_lets_in_at_once() -> None:
    """Where the parent said so, the proof is enough."""
    assert judged(AUTOMATIC, child().submit(invite())).outcome is Outcome.ENROL


def test_a_province_brings_the_request_of_its_ca() -> None:
    """A profile with a CA submits two requests with two keys."""
    state = InviteState(replace(province_invite(), approval=Approval.AUTOMATIC))
    done = judged(state, child().submit(province_invite(), with_ca=True), with_ca=True)
    assert done.outcome is Outcome.ENROL
    assert keys_of(done).authority == child().ca.public_key()


def test_a_lost_reply_is_sent_again_to_the_same_keys_only() -> None:
    """The invite is burnt, its secret gone; the enrolled keys themselves prove who asks."""
    used = burnt(AUTOMATIC, keys_of(judged(AUTOMATIC, child().submit(invite()))), NOW)
    assert used.invite.secret == b""
    assert judged(used, child().submit(invite()), NOW + 30 * DAY_US).outcome is Outcome.AGAIN
    again = judged(used, child(2).submit(invite()))
    assert (again.outcome, again.reason) == (Outcome.REFUSE, Reason.NOT_ENROLLED)
    assert "used" in again.detail


def test_an_approval_that_took_its_time_still_counts() -> None:
    """What came in time may be approved after the invite's end, for two weeks; new keys may not come then."""
    late = NOW + INVITE_LIFE_US
    pending = submitted(OPEN, keys_of(judged(OPEN, child().submit(invite()))), late - 1)
    said = approved(pending, pending.fingerprint, late + DAY_US)
    assert judged(said, child().submit(invite()), late + DAY_US).outcome is Outcome.ENROL
    assert judged(pending, child().submit(invite()), late - 1 + PENDING_LIFE_US).reason is Reason.TIMEOUT
    assert judged(pending, child(2).submit(invite()), late).reason is Reason.TIMEOUT


def lawful() -> Submission:
    """A submission that would be taken."""
    return child().submit(invite())


def signed_by(log: LogKey, said: str = CITY, ca_key: bool = False) -> Submission:
    """A submission whose CSR names `said`, with good proof and possession."""
    return make_submission(
        replace(invite(), node=said),
        NONCE,
        parent().leaf_fingerprint,
        child().transport,
        child().transport if ca_key else None,
        log,
    )


Case = tuple[InviteState | None, Callable[[], Submission], Reason]
REFUSED: dict[str, Case] = {
    "an invite nobody knows": (None, lawful, Reason.NOT_ENROLLED),
    "an invite that was withdrawn": (withdrawn(OPEN, NOW), lawful, Reason.NOT_ENROLLED),
    "the token of another invite": (
        InviteState(replace(invite(), token="ff" * 16)),
        lawful,
        Reason.NOT_ENROLLED,
    ),
    "another secret": (
        OPEN,
        lambda: child().submit(replace(invite(), secret=bytes(32))),
        Reason.NOT_ENROLLED,
    ),
    "a proof left out": (OPEN, lambda: replace(lawful(), proof=b""), Reason.NOT_ENROLLED),
    "an old nonce": (OPEN, lambda: child().submit(invite(), bytes(32)), Reason.NOT_ENROLLED),
    "an invite for another node id": (OPEN, lambda: signed_by(child().log, COUNTY), Reason.NOT_ENROLLED),
    "an invite made under another root": (
        InviteState(replace(invite(), root=foreign_root().chain_of(foreign_root().certificate)[0])),
        lawful,
        Reason.FEDERATION_MISMATCH,
    ),
    "an invite of another federation": (
        InviteState(replace(invite(), federation="cn-trial")),
        lawful,
        Reason.FEDERATION_MISMATCH,
    ),
    "a child that saw another root": (
        OPEN,
        lambda: child().submit(replace(invite(), root=foreign_root().chain_of(foreign_root().certificate)[0])),
        Reason.BAD_SEAL,
    ),
    "a child that spoke with another parent": (
        OPEN,
        lambda: make_submission(invite(), NONCE, bytes(32), child().transport, None, child().log),
        Reason.BAD_SEAL,
    ),
    "a log key of somebody else": (
        OPEN,
        lambda: replace(lawful(), log_public_key=child(2).log.public_key),
        Reason.BAD_SEAL,
    ),
    "a log key under which anything verifies": (
        OPEN,
        lambda: replace(lawful(), log_public_key=b"\x01" + bytes(31)),
        Reason.MALFORMED,
    ),
    "a suite that is not known": (OPEN, lambda: replace(lawful(), suite=2), Reason.MALFORMED),
    "a suite beyond all numbers": (OPEN, lambda: replace(lawful(), suite=2**32 - 1), Reason.MALFORMED),
    "a CSR that is none": (OPEN, lambda: replace(lawful(), csr=b"csr"), Reason.MALFORMED),
    "another CSR under the same proof": (
        OPEN,
        lambda: replace(lawful(), csr=make_request(child(2).transport, CITY)),
        Reason.BAD_SEAL,
    ),
    "a CA request against the profile": (
        OPEN,
        lambda: child().submit(invite(), with_ca=True),
        Reason.MALFORMED,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused(case: str) -> None:
    """Each submission that must not enrol is refused with its reason and words, and without the secret."""
    state, make, reason = REFUSED[case]
    decision = judged(state, make())
    assert (decision.outcome, decision.reason, decision.keys) == (Outcome.REFUSE, reason, None)
    assert decision.detail
    assert SECRET.hex() not in decision.detail


def test_a_ca_needs_a_key_of_its_own() -> None:
    """One key for TLS and CA, or no CA request where there should be one, is refused."""
    shared = judged(OPEN, signed_by(child().log, ca_key=True), with_ca=True)
    assert (shared.outcome, shared.reason) == (Outcome.REFUSE, Reason.MALFORMED)
    assert judged(OPEN, lawful(), with_ca=True).reason is Reason.MALFORMED


def test_no_submission_counts_without_a_nonce_given_out() -> None:
    """An empty nonce is none, on both sides."""
    assert judged(OPEN, child().submit(invite(), b""), nonce=b"").reason is Reason.NOT_ENROLLED


def test_expired_to_the_microsecond() -> None:
    """The last microsecond counts, the next does not."""
    assert judged(OPEN, lawful(), NOW + INVITE_LIFE_US - 1).outcome is Outcome.PENDING
    assert judged(OPEN, lawful(), NOW + INVITE_LIFE_US).reason is Reason.TIMEOUT


def test_other_keys_cannot_push_in_before_the_approval() -> None:
    """Whoever copied the letter cannot have his keys approved in the place of those that were compared."""
    pending = submitted(OPEN, keys_of(judged(OPEN, lawful())), NOW)
    for state in (pending, approved(pending, pending.fingerprint, NOW)):
        decision = judged(state, child(2).submit(invite()))
        assert (decision.outcome, decision.reason) == (Outcome.REFUSE, Reason.NOT_ENROLLED)
    with pytest.raises(InputFault, match="differs"):
        approved(pending, "00000 00000 00000 00000", NOW)
    with pytest.raises(InputFault, match="none waits"):
        approved(OPEN, pending.fingerprint, NOW)


def test_a_used_invite_is_not_withdrawn() -> None:
    """What is enrolled can be replaced, not taken back."""
    used = burnt(AUTOMATIC, keys_of(judged(AUTOMATIC, lawful())), NOW)
    with pytest.raises(InputFault, match="made with --again"):
        withdrawn(used, NOW)
    assert withdrawn(OPEN, NOW).invite.secret == b""


@given(
    st.sampled_from(["nonce", "csr", "log_public_key", "possession", "proof"]),
    st.integers(0, 10_000),
    st.integers(1, 255),
)
def test_no_byte_of_a_submission_is_free(part: str, place: int, change: int) -> None:
    """Whatever one byte becomes, the submission is refused."""
    submission = child().submit(AUTOMATIC.invite)
    changed = bytearray(getattr(submission, part))
    changed[place % len(changed)] ^= change
    forged = replace(submission, **{part: bytes(changed)})  # type: ignore[arg-type]  # the five parts are bytes
    assert judged(AUTOMATIC, forged).outcome is Outcome.REFUSE


@given(st.lists(st.binary(max_size=300), min_size=6, max_size=6), st.integers(0, 2**32 - 1), st.text(max_size=40))
def test_noise_is_a_decision_and_never_an_exception(parts: list[bytes], suite: int, token: str) -> None:
    """What strangers send to the enrolment door is refused in words."""
    nonce, csr, ca_csr, log, possession, proof = parts
    submission = Submission(
        token=token,
        nonce=nonce,
        csr=csr,
        ca_csr=ca_csr,
        suite=suite,
        log_public_key=log,
        possession=possession,
        proof=proof,
    )
    for state in (None, OPEN):
        assert judged(state, submission, nonce=nonce).outcome is Outcome.REFUSE
    assert judged(OPEN, replace(submission, token=invite().token), nonce=nonce).outcome is Outcome.REFUSE


def test_the_proof_is_about_every_field_with_its_length() -> None:
    """Golden bytes: no field can lend letters to its neighbour."""
    submission = Submission(
        token="ab", nonce=b"n", csr=b"c", ca_csr=b"", suite=1, log_public_key=b"k", possession=b"", proof=b""
    )
    assert proof_input(submission, Parent("f", b"r", b"l")) == (
        b"tiersync.v1.invite\0\0\0\0\1f\0\0\0\2ab\0\0\0\1n\0\0\0\1c\0\0\0\0\0\0\0\4\0\0\0\1\0\0\0\1k\0\0\0\1r\0\0\0\1l"
    )


def test_short_fingerprint() -> None:
    """Four groups of five digits of both keys; a golden value that other programs can check."""
    assert short_fingerprint(bytes(32), bytes(32)) == "04891 09702 71508 15034"
    assert short_fingerprint(bytes(31), bytes(33)) != short_fingerprint(bytes(32), bytes(32))


def test_the_record_says_what_the_invite_and_the_keys_say() -> None:
    """What the registry publishes is the parent's word on place and scope, and the child's keys."""
    keys = keys_of(judged(AUTOMATIC, lawful()))
    record = make_record(AUTOMATIC.invite, keys, 3, "2026-11-22")
    found = enrolment_from_record(record)
    assert (found.node, found.version, found.parent, found.profile) == (CITY, 3, PROVINCE, "city")
    assert (found.signing, found.carrying) == (invite().signing, invite().carrying)
    assert record.status == EnrolmentStatus.ENROLMENT_STATUS_ENROLLED
    assert record.transport_key_hash == public_key_hash(child().transport.public_key())
    assert record.log_public_key == child().log.public_key
    assert (record.region, record.title, record.effective) == ("330100", "杭州市", "2026-11-22")
    assert record.request_signature == keys.possession
    assert not record.closes_older
    assert not record.key_lost


def test_the_record_of_a_node_that_joins_again_closes_what_was() -> None:
    """Closings may be empty: then the older versions count nowhere any more."""
    keys = keys_of(judged(AUTOMATIC, lawful()))
    record = make_record(invite(), keys, 4, "2026-11-22", key_lost=True, closings=[Closing(seq=9)])
    assert (record.closes_older, record.key_lost, record.closings[0].seq) == (True, True, 9)
    assert make_record(invite(), keys, 4, "2026-11-22", closings=[]).closes_older


@pytest.mark.parametrize("step", ["open", "pending", "approved", "used", "withdrawn"])
def test_a_state_is_stored_and_comes_back(step: str) -> None:
    """The store's form of every state reads back; the secret is in it only while it is needed, and never in a text."""
    keys = keys_of(judged(OPEN, lawful()))
    pending = submitted(OPEN, keys, NOW)
    state = {
        "open": OPEN,
        "pending": pending,
        "approved": approved(pending, pending.fingerprint, NOW),
        "used": burnt(pending, keys, NOW),
        "withdrawn": withdrawn(pending, NOW),
    }[step]
    data = write_state(state)
    assert read_state(data) == state
    assert state.status.value == step
    assert (SECRET.hex().encode() in data) is (step not in ("used", "withdrawn"))
    assert SECRET.hex() not in repr(state)
    assert repr(SECRET) not in repr(state)


def test_texts_of_submissions_and_keys_show_no_proofs() -> None:
    """What is logged of an enrolment is not enough to repeat it."""
    submission = lawful()
    keys = keys_of(judged(OPEN, submission))
    for text in (repr(submission), repr(keys)):
        assert submission.proof.hex() not in text
        assert repr(submission.proof) not in text
        assert repr(submission.possession) not in text
    assert FEDERATION in repr(parent())
    assert parent_leaf()
