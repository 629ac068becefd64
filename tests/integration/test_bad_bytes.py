"""Frames with a byte that is another: not stored, counted, asked for again, the link goes on (fate a)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from google.protobuf.message import DecodeError

from node import audit
from node.link import dialler
from node.serve import AUDIT_FOLDER
from node.testing import Member, Topology
from node.testing.peer import Peer, SessionOver, dial, held, run_of
from sync import limits
from sync.core import feed_of
from sync.values import FeedName
from sync.wire.v1.frame_pb2 import Frame, Notice
from tests.integration.kit import THREE_UP, cases, node_of, put, run, same_cases, seq

ENDED_SHARE_MAX = 0.04


def flipped(data: bytes, place: int, bit: int) -> bytes:
    """The bytes with one bit of one of them another."""
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def says_the_same(clean: bytes, data: bytes) -> bool:
    """Whether all that is sealed is as it was: another lane, or an earlier seal of the run, is no damage."""

    def sealed(frame: bytes) -> Any:
        run_ = Frame.FromString(frame).run
        name = (run_.feed.origin, run_.feed.publication, run_.feed.addressee, run_.epoch)
        return name, [(e.header, e.payload) for e in run_.entries], [e.seal for e in run_.entries[-1:]]

    try:
        return bool(sealed(data) == sealed(clean))
    except DecodeError:
        return False


async def cut_off(net: Topology) -> FeedName:
    """The province holds two entries of the city's feed to the nation that the nation has not seen; it is stopped."""
    city, province, nation = net["city"], net["province"], net["nation"]
    feed = FeedName(city.node, "case.nation", nation.node)
    await put(city, cases(10, supervised=True))
    await net.level()
    await nation.stop()
    await put(city, cases(3, first=100, supervised=True))
    await put(city, cases(3, first=200, supervised=True))
    await province.until(lambda s: seq(s, str(feed)) == 3)
    await province.stop()
    await nation.start()
    return feed


async def offered(peer: Peer, data: bytes) -> str:
    """What became of a frame: 'refused' by a notice, or it 'ended' the session with words; else 'not heard of'."""
    before = len(peer.frames)
    try:
        await peer.send_bytes(data)
        await peer.settle()
    except SessionOver as over:
        return "ended" if str(over) else "ended without a word"
    answers = [frame.WhichOneof("kind") for frame in peer.frames[before:]]
    assert "ack" not in answers, "it was taken"
    return "refused" if "notice" in answers else "not heard of"


def audited(member: Member, event: str) -> int:
    """How often a stopped node's audit log says that something happened; one line may stand for many."""
    lines = [line["fields"] for line in audit.read(member.home / AUDIT_FOLDER) if line["event"] == event]
    return sum(int(fields.get("not_told_before", 0)) + ("about" not in fields) for fields in lines)


def test_a_frame_with_any_byte_flipped_is_not_stored(tmp_path: Path) -> None:
    """A relay flips one bit in every byte of a run: the nation's head does not move; each is refused or ends
    the session, with words at both ends. Left out is what damages nothing. The clean run is then taken.
    """

    async def work() -> None:
        async with Topology(tmp_path) as net:
            province, nation = net["province"], net["nation"]
            feed = await cut_off(net)
            state, entries = held(province.home, feed, 2)
            clean = Frame(run=run_of(feed, state.head.epoch, entries)).SerializeToString()
            chance = Random(20261122)  # the same bits each time
            left = [(place, chance.randrange(8)) for place in range(len(clean))]
            left = [(place, bit) for place, bit in left if not says_the_same(clean, flipped(clean, place, bit))]
            assert len(left) > len(clean) * 9 // 10
            fates: Counter[str] = Counter()
            while left:
                async with dial(province.home) as peer:
                    fate = ""
                    while left and fate != "ended":
                        fate = await offered(peer, flipped(clean, *left.pop()))
                        fates[fate] += 1
                    assert seq(await nation.status(), str(feed)) == 1
            assert set(fates) == {"refused", "ended"}
            # Where the frame itself does not parse any more, nothing names a feed to ask for again.
            assert fates["ended"] <= fates.total() * ENDED_SHARE_MAX
            # No alarm for a feed whose name became that of a node not enrolled yet: its record may be on its way.
            assert (await nation.status())["alarm_count"] >= fates.total() * 98 // 100
            async with dial(province.home) as peer:
                assert (await peer.offer(Frame.FromString(clean).run)).WhichOneof("kind") == "ack"
            assert seq(await nation.status(), str(feed)) == 3
            await province.start()
            await net.level()
            same_cases(net, "city", THREE_UP)
            await net.stop()
            assert audited(nation, "link_closed") >= fates["ended"]
            # A notice on a frame that had become something else than a run is no run refused.
            assert audited(nation, "run_refused") >= fates["refused"] * 9 // 10

    run(work())


def a_message_of(size: int) -> bytes:
    """A frame of exactly this size: words without an end, which read as nothing else."""
    about = Frame(notice=Notice(detail="~" * (size - 100)))
    about.notice.detail += "~" * (size - about.ByteSize())
    return about.SerializeToString()


def test_a_message_of_2_mib_is_read_and_one_byte_more_ends_the_session(tmp_path: Path) -> None:
    """With words; and the node works on: with whoever dials next, and with its other neighbours."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            province, nation = net["province"], net["nation"]
            feed = await cut_off(net)
            async with dial(province.home) as peer:
                most = a_message_of(limits.MESSAGE_BYTES_MAX)
                assert len(most) == limits.MESSAGE_BYTES_MAX
                await peer.send_bytes(most)
                await peer.settle()
                with pytest.raises(SessionOver, match="LIMIT_EXCEEDED: a frame of 2097153 bytes"):
                    await peer.send_bytes(a_message_of(limits.MESSAGE_BYTES_MAX + 1))
                    await peer.settle()
            assert seq(await nation.status(), str(feed)) == 1
            await province.start()
            await net.level()
            same_cases(net, "city", THREE_UP)

    run(work())


def test_what_was_dropped_is_asked_for_again_on_the_same_link(tmp_path: Path) -> None:
    """A notice with its reason and the credit, then, after a pause, "go on from here"; the clean run is then taken."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            province, nation = net["province"], net["nation"]
            feed = await cut_off(net)
            state, entries = held(province.home, feed, 2)
            good = run_of(feed, state.head.epoch, entries)
            bad = run_of(feed, state.head.epoch, entries)
            bad.entries[0].payload = flipped(bad.entries[0].payload, 40, 3)
            async with dial(province.home) as peer:
                notice = (await peer.offer(bad)).notice
                size = sum(len(e.header) + len(e.payload) + len(e.seal) for e in bad.entries)
                assert (notice.credit.bytes, notice.closing) == (size, False)
                link = (await nation.status())["links"][0]
                assert link["failing"] == {str(feed): 1}
                asked = await peer.until(
                    lambda f: (
                        f.WhichOneof("kind") == "cursors" and any(feed_of(c.feed) == feed for c in f.cursors.cursors)
                    )
                )
                assert [c.seq for c in asked.cursors.cursors] == [1]
                assert (await peer.offer(good)).WhichOneof("kind") == "ack"
                assert (await nation.status())["links"][0]["failing"] == {}

    run(work())


def test_a_live_link_whose_runs_are_damaged_again_and_again_ends_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real nodes; every second run that goes up has a bit flipped. Nothing false is stored, and all arrives."""
    chance = Random(42)
    runs = damaged = 0
    plain = dialler._ClientStream.write

    async def damaging(self: Any, frame: bytes) -> None:
        nonlocal runs, damaged
        runs += Frame.FromString(frame).WhichOneof("kind") == "run"
        if runs > 2 * damaged:
            damaged += 1
            # Behind the names, so that the receiver knows which feed it was: header, payload or seal.
            frame = flipped(frame, chance.randrange(120, len(frame)), chance.randrange(8))
        await plain(self, frame)

    async def work() -> None:
        async with Topology(tmp_path) as net:
            monkeypatch.setattr(dialler._ClientStream, "write", damaging)
            for n in range(40):
                await put(net["city"], cases(2, first=1 + 2 * n, supervised=n % 2 == 0))
                # Each is asked for again after a pause, and that answer may be damaged too.
                if n % 10 == 9:
                    await net.level()
            assert damaged >= 5
            monkeypatch.setattr(dialler._ClientStream, "write", plain)
            await put(net["city"], cases(1, first=1_000, supervised=True))
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 81 + 41
            assert sum(node_of(net[name]).alarm_count for name in ("province", "nation")) >= 5

    run(work())


def test_a_link_whose_frame_did_not_parse_is_dialled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, and what was in the frame arrives with the next session."""
    broken = 0
    plain = dialler._ClientStream.write

    async def breaking(self: Any, frame: bytes) -> None:
        nonlocal broken
        if not broken and Frame.FromString(frame).WhichOneof("kind") == "run":
            broken += 1
            frame = b"\xff" * len(frame)
        await plain(self, frame)

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await net.level()
            before = audited(province, "link_accepted")
            monkeypatch.setattr(dialler._ClientStream, "write", breaking)
            await put(city, cases(3))
            feed = FeedName(city.node, "case.parent")
            await province.until(lambda s: seq(s, str(feed)) == 1)
            assert broken == 1
            assert audited(province, "link_accepted") == before + 1
            assert [a["reason"] for a in (await province.status())["alarms"]] == ["MALFORMED"]
            assert same_cases(net, "city", {"case.parent": "province"}) == 3

    run(work())


def test_bytes_that_are_no_frame_end_the_session_with_words_at_both_ends(tmp_path: Path) -> None:
    """The sender gets a closing notice with the reason; the receiver's alarm and audit log name peer and reason."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            province, nation = net["province"], net["nation"]
            await province.stop()
            async with dial(province.home) as peer:
                await peer.send_bytes(b"\xff\xff\xff\xff")
                notice = (await peer.until(lambda f: f.WhichOneof("kind") == "notice")).notice
                assert (notice.detail, notice.closing) == ("a frame does not parse", True)
                with pytest.raises(SessionOver):
                    await peer.settle()
            status = await nation.until(lambda s: not s["links"])
            assert [(a["name"], a["reason"], a["peer"]) for a in status["alarms"]] == [
                ("link_closed", "MALFORMED", province.node)
            ]
            last = [line for line in audit.read(nation.home / AUDIT_FOLDER) if line["event"] == "link_closed"][-1]
            assert last["fields"]["reason"] == "MALFORMED"
            await province.start()
            await net.level()

    run(work())
