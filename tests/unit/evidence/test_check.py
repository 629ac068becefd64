"""What a check of evidence finds: tampering by anybody, tampering by the maker, and what is honest but unproved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.authority import make_root
from certs.forms import fingerprint, new_key, to_der
from node.evidence.check import check_evidence
from node.evidence.file import FILE_BYTES_MAX, MAGIC, PARTS_MAX
from node.evidence.result import Result, Verdict
from node.evidence.sealed import MOVES_MAX
from node.evidence.words import as_json, lines
from node.texts import translator
from sync.values import NUMBER_MAX
from sync.wire.v1.entry_pb2 import Closing, EntryHeader
from sync.wire.v1.frame_pb2 import Entry, Evidence, EvidenceBranch
from sync.wire.v1.task_evidence_pb2 import FeedProof, MissingMove, Stretch, TaskEvidenceBody
from tests.unit.tiers.kit import CATALOGUE
from tests.vectors.dossier import (
    PROPOSED,
    TASK,
    TOLD,
    Feed,
    cities,
    evidence,
    move,
    nations,
    packed,
    proposed,
    registries,
    root,
    wire,
)
from tests.vectors.world import CITY, NATION, PROVINCE, key, record
from tiers.judging import TierJudge

TRUSTED = sha256(root()).digest()
JUDGE = TierJudge(CATALOGUE)
GOOD = packed(evidence())


def check(file: bytes | TaskEvidenceBody, trusted: bytes | None = TRUSTED) -> Result:
    return check_evidence(file if isinstance(file, bytes) else packed(file), JUDGE, trusted)


def codes(result: Result, *, wrong: bool) -> set[str]:
    return {found.code for found in result.findings if found.wrong is wrong}


# --- anybody ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_no_bit_of_a_file_can_be_changed(place: int, bit: int) -> None:
    """Whoever has no key of the federation changes nothing, wherever in the file."""
    changed = GOOD[:place] + bytes([GOOD[place] ^ 1 << bit]) + GOOD[place + 1 :]
    assert check(changed).verdict is Verdict.BAD


@given(st.integers(0, len(GOOD) - 1))
def test_no_part_of_a_file_proves_anything(length: int) -> None:
    """Cut off anywhere, it is not read as if it ended there; nor is anything behind its end."""
    assert check(GOOD[:length]).verdict is Verdict.BAD
    assert check(GOOD + GOOD[:length] + b"x").verdict is Verdict.BAD


@given(st.binary(max_size=300))
def test_any_bytes_end_in_words(data: bytes) -> None:
    """Neither bytes of no form nor bytes behind a good beginning raise anything."""
    for file in (data, MAGIC + data, MAGIC + len(data).to_bytes(4, "big") + data + bytes(4)):
        result = check(file)
        assert result.verdict is Verdict.BAD
        assert list(lines(result, CATALOGUE.flows, translator("en"), str))


def test_a_root_of_ones_own_has_another_fingerprint() -> None:
    """A whole federation can be made up, with its root; its root's fingerprint cannot."""
    own = make_root("cn-demo", new_key(), 1_795_276_800_000_000, bytes(16)).certificate
    assert codes(check(evidence(root=to_der(own))), wrong=True) >= {"root_differs", "anchor"}
    assert codes(check(evidence(root=to_der(own)), fingerprint(own)), wrong=True) == {"anchor"}
    assert codes(check(evidence(root=b"no certificate")), wrong=True) == {"root"}


def test_without_a_trusted_root_nothing_is_good() -> None:
    """All may be genuine, of a federation that somebody made up: it is said, and not good."""
    result = check(evidence(), None)
    assert (result.verdict, codes(result, wrong=False)) == (Verdict.INCOMPLETE, {"root_unconfirmed"})
    assert result.root == TRUSTED.hex()


def test_files_have_bounds() -> None:
    """Too large, too many parts, too new: refused before anything is built of it."""
    assert "at most" in str(check(MAGIC + bytes(FILE_BYTES_MAX)).findings[0].text)
    empty = FeedProof(stretches=[Stretch(entries=[Entry()] * (PARTS_MAX // 2))])
    assert "parts" in str(check(evidence(moves=[empty] * 3)).findings[0].text)
    assert "format 2" in str(check(evidence(format=2)).findings[0].text)
    assert "more than 64" in str(check(evidence(anchors=[b"x"] * 65)).findings[0].text)


# --- the maker itself -------------------------------------------------------------------------------------------------


def _entries(body: TaskEvidenceBody) -> list[Entry]:
    return [entry for proof in (*body.registry, *body.moves) for s in proof.stretches for entry in s.entries]


@given(st.data())
def test_its_maker_can_change_no_entry_either(data: st.DataObject) -> None:
    """Header, payload and seal of any entry, in the feeds of the task and in the registry."""
    body = evidence()
    entry = data.draw(st.sampled_from(_entries(body)))
    part = data.draw(st.sampled_from([name for name in ("header", "payload", "seal") if getattr(entry, name)]))
    said = getattr(entry, part)
    place = data.draw(st.integers(0, len(said) - 1))
    setattr(entry, part, said[:place] + bytes([said[place] ^ 1]) + said[place + 1 :])
    assert check(body).verdict is Verdict.BAD


@given(st.data())
def test_its_maker_can_take_out_or_move_no_entry(data: st.DataObject) -> None:
    """But for the last of all, which nobody could tell from a file made earlier: its maker signs for that."""
    body = evidence(receipts=[])
    stretch = body.moves[0].stretches[0]
    entries = list(stretch.entries)
    first = data.draw(st.integers(0, len(entries) - 2))
    other = data.draw(st.none() | st.integers(first + 1, len(entries) - 1))
    if other is None:
        del entries[first]
    else:
        entries[first], entries[other] = entries[other], entries[first]
    del stretch.entries[:]
    stretch.entries.extend(entries)
    result = check(body)
    if other is None and first == 0:
        assert "gap" in codes(result, wrong=True)
    assert result.verdict is Verdict.BAD


def test_a_move_that_is_left_out_is_missed() -> None:
    """The numbers of the issuer have no gap; the holder's own seal is missed where it is not there."""
    apart = nations().entries
    body = evidence(moves=[Feed(NATION, CITY).proof(apart[:1], apart[3:]), cities().proof()])
    assert codes(check(body), wrong=True) == {"gap"}
    alone = check(evidence(moves=[nations().proof()], receipts=[nations().receipt()]))
    assert (alone.verdict, codes(alone, wrong=False)) == (Verdict.INCOMPLETE, {"unseen"})


def test_what_was_erased_is_said() -> None:
    """Where the maker says itself that it no longer holds a move, the rest is genuine and the file incomplete."""
    apart = nations().entries
    told = [Feed(NATION, CITY).proof(apart[:1], apart[3:]), cities().proof()]
    result = check(evidence(moves=told, missing=[MissingMove(number=2, move_id="issue-id")]))
    assert result.verdict is Verdict.INCOMPLETE
    assert codes(result, wrong=False) == {"erased", "not_checked"}


def test_numbers_that_leap_are_a_gap() -> None:
    """However far: nothing is counted up to there."""
    body = evidence(moves=[Feed(NATION, CITY).say(TOLD[0], move("remark", NUMBER_MAX, at=0)).proof()], receipts=[])
    assert codes(check(body), wrong=True) == {"gap"}


def test_a_number_is_given_once() -> None:
    """Another move under a number that was given is wrong; the same one said again is nothing new."""
    again = check(evidence(moves=[nations((*TOLD, TOLD[-1])).proof(), cities().proof()], receipts=[]))
    assert codes(again, wrong=True) == set()
    other = move("remark", 4, state="signed", move_id="another", says={"text": "x"})
    twice = check(evidence(moves=[nations((*TOLD, other)).proof(), cities().proof()], receipts=[]))
    assert codes(twice, wrong=True) == {"twice"}


def test_moves_of_others_are_foreign() -> None:
    """Another task's move, a feed of other nodes, entries that carry no moves."""
    other = nations((*TOLD, move("register", 6, task="another"))).proof()
    assert codes(check(evidence(moves=[other, cities().proof()])), wrong=True) == {"foreign"}
    stranger = Feed(PROVINCE, CITY).say(move("remark", 6))
    assert "foreign" in codes(check(evidence(moves=[nations().proof(), stranger.proof()])), wrong=True)
    twisted = nations().proof()
    twisted.feed.publication = "case.parent"
    assert codes(check(evidence(moves=[twisted])), wrong=True) >= {"chain", "foreign"}


# --- whose key, and until when ----------------------------------------------------------------------------------------


def _rotated(change: Callable[[Feed], object], **fields: object) -> Result:
    """The holder took its second key into use between its two moves."""
    feed = Feed(CITY, NATION).say(PROPOSED[0])
    change(feed)
    feed.say(PROPOSED[1])
    second = record(CITY, PROVINCE, "330100", version=2, title="杭州市平台", **fields)
    body = evidence(registry=registries(second), moves=[nations().proof(), feed.proof()])
    del body.receipts[1:]
    return check(body)


def _adopt(feed: Feed, old: str = CITY) -> None:
    feed.entries.append(feed.forge.adoption(2, key(f"{CITY}/2"), key(old)))


def test_a_key_that_was_changed_in_mid_task() -> None:
    """Each key counts where its holder took it into use; without its predecessor's word nowhere."""
    result = _rotated(_adopt)
    assert (result.verdict, result.findings) == (Verdict.GOOD, [])
    sealed = [told.by_holder.enrolment for told in result.moves if told.by_holder is not None]
    assert sealed == [1, 2]

    def silently(feed: Feed) -> None:
        feed.forge.enrolment, feed.forge.signer = 2, key(f"{CITY}/2")

    assert codes(_rotated(silently), wrong=True) == {"chain"}
    assert codes(_rotated(lambda feed: _adopt(feed, PROVINCE)), wrong=True) == {"chain"}


def test_what_a_closed_key_sealed_beyond_its_end() -> None:
    """The record that closes a key stands in its parent's registry, which is whole in the file."""
    epoch = Feed(CITY, NATION).forge.epoch
    closing = Closing(publication="moves", addressee=NATION, epoch=epoch, seq=1)
    closed = _rotated(lambda _: None, closes_older=True, closings=[closing], key_lost=True)
    assert "counts up to entry 1" in " ".join(str(found.text) for found in closed.findings)
    assert codes(closed, wrong=True) == {"chain"}


def test_receipts_are_of_the_two_sides_and_of_this_chain() -> None:
    """One that names entries which the file does not show still says how far its signer had it."""
    beyond = nations().receipt(received_seq=9, received_hash=bytes(32))
    assert check(evidence(receipts=[beyond, cities().receipt()])).verdict is Verdict.GOOD
    other = check(evidence(receipts=[nations().receipt(received_hash=bytes(32))]))
    assert codes(other, wrong=True) == {"receipt"}
    swapped = [nations().receipt(), cities().receipt()]
    swapped[0].signature, swapped[1].signature = swapped[1].signature, swapped[0].signature
    assert codes(check(evidence(receipts=swapped)), wrong=True) == {"receipt"}


def test_a_fork_disputes_what_follows_it() -> None:
    """The proof of two histories of a feed goes into the file; moves before the fork are not touched."""

    def forked(bodies: Sequence[object], seq: int) -> Evidence:
        branches = [nations().entries, Feed(NATION, CITY).say(*TOLD[:2], move("remark", 3), move("remark", 4)).entries]
        shown = [[Entry(header=e.header, seal=e.seal) for e in branch[seq - 1 :][: 4 - seq + 1]] for branch in branches]
        one, other = (EvidenceBranch(entries=entries) for entries in shown)
        return Evidence(feed=wire(nations().forge.feed), epoch=nations().forge.epoch, seq=seq, one=one, other=other)

    disputed = check(evidence(forks=[forked(TOLD, 4)]))
    assert codes(disputed, wrong=True) == {"fork"}
    early = evidence(
        moves=[Feed(NATION, CITY).proof(nations().entries[:2]), cities(()).proof()][:1], forks=[forked(TOLD, 4)]
    )
    assert codes(check(early), wrong=True) == set()
    nothing = Evidence(feed=wire(nations().forge.feed))
    assert codes(check(evidence(forks=[nothing])), wrong=True) == {"fork"}


# --- honest, and not proved -------------------------------------------------------------------------------------------


def test_what_nobody_has_answered_is_pending() -> None:
    """A move of the holder without a verdict: sealed, received perhaps, and not in effect."""
    later = proposed("report", 5, says={"text": "x"})
    result = check(
        evidence(moves=[nations().proof(), cities((*PROPOSED, later)).proof()], receipts=[nations().receipt()])
    )
    assert (result.verdict, codes(result, wrong=False)) == (Verdict.INCOMPLETE, {"pending"})
    assert result.state == "withdrawn"


def test_a_flow_of_a_later_version_keeps_its_seals() -> None:
    """Its rules are not known here; that is said, and nothing is called wrong."""
    told = [move("open", 1, flow="W77", state="opened"), move("end", 2, flow="W77", state="ended")]
    issuer = Feed(NATION, CITY).say(*told)
    result = check(evidence(moves=[issuer.proof()], receipts=[issuer.receipt()]))
    assert (result.verdict, codes(result, wrong=False)) == (Verdict.INCOMPLETE, {"unknown_flow"})
    assert [told.step.outcome.value for told in result.moves] == ["accepted", "accepted"]


def test_what_nobody_signed_for_is_said() -> None:
    """The issuer's last move, without a receipt of the holder."""
    result = check(evidence(receipts=[]))
    assert (result.verdict, codes(result, wrong=False)) == (Verdict.INCOMPLETE, {"not_witnessed"})
    assert next(f.numbers for f in result.findings) == (4,)


def test_what_waits_for_a_link_is_said() -> None:
    """The maker knows of a move that it has not sealed."""
    result = check(evidence(missing=[MissingMove(move_id="x", unsealed=True)]))
    assert (result.verdict, codes(result, wrong=False)) == (Verdict.INCOMPLETE, {"unsealed"})


def test_a_task_without_moves() -> None:
    """Nothing is proved, and nothing is wrong."""
    result = check(evidence(moves=[], receipts=[]))
    assert (result.verdict, codes(result, wrong=False)) == (Verdict.INCOMPLETE, {"no_moves"})


def test_other_tasks_stand_there_without_their_payloads() -> None:
    """Only headers join the chain."""
    other = EntryHeader.FromString(nations().entries[2].header)
    assert other.payload_size > 0
    assert not nations().entries[2].payload
    assert b"another" not in GOOD


# --- in words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_who_did_what_when(language: str) -> None:
    """Node, organisation and role of each move, what was said, what became of it, who had seen it."""
    to = translator("zh" if language == "zh" else "en")
    text = "\n".join(lines(check(evidence()), CATALOGUE.flows, to, str))
    for said in (TASK, "杭州市平台", "督查处", "主办", "路面破损", "WITHDRAWN", TRUSTED.hex(), "2026-11-21T17:00:00"):
        assert said in text
    assert ("签收" if language == "zh" else "sign for") in text
    told = as_json(check(evidence()), to)
    assert (told["verdict"], told["state"], told["root"]["confirmed"]) == ("good", "withdrawn", True)
    assert [m["outcome"] for m in told["moves"]] == ["accepted"] * 4 + ["refused"]
    assert told["moves"][4]["reason"] == "WITHDRAWN"
    assert {w["node"] for m in told["moves"] for w in m["witnesses"]} == {NATION, CITY}


def test_moments_that_no_calendar_has() -> None:
    """Whatever a file says of its times, it is shown."""
    body = evidence(hlc=2**64 - 1, moves=[Feed(NATION, CITY).say(move("register", 1, at=2**62)).proof()])
    assert list(lines(check(body), CATALOGUE.flows, translator("en"), str))
    assert as_json(check(body), translator("en"))["made_at"] == "9999-12-31T23:59:59.999999Z"


def test_a_file_of_many_moves_is_checked_in_one_go() -> None:
    """As many as one may hold; one more is refused before anything is judged."""
    remark = {"state": "issued", "says": {"text": "x"}, "at": TOLD[1].at}
    more = [move("remark", n, move_id=f"r{n}", **remark) for n in range(3, MOVES_MAX + 2)]
    feed = Feed(NATION, CITY).say(*TOLD[:2], *more)
    result = check(evidence(moves=[feed.proof()], receipts=[feed.receipt()]))
    assert "file" in codes(result, wrong=True)
    assert not result.moves
