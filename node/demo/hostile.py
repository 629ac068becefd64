"""A province gone bad: with the province's own certificate and keys it offers the nation a tampered copy of a city's
entries. It speaks the real protocol over real mTLS; only the entries are false.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from node.clock import SystemClock
from node.identity import NodeIdentity, read_home
from node.link import options
from node.store.home import DATABASE_FILE, INSTANCE_FILE
from node.store.readers import Reader
from sync.core import feed_of, wire_feed
from sync.effects import LogEntry
from sync.reasons import Reason
from sync.suites import HEADER, PAYLOAD, SEAL, Suite
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import LANE_NORMAL, EntryHeader
from sync.wire.v1.frame_pb2 import Cursors, Entry, Frame, Hello, Run

ANSWER_S = 10.0


class Answer(NamedTuple):
    """What the nation answered to one false offer."""

    trick: str
    reason: Reason
    detail: str


def payload_changed(entry: LogEntry, _: Suite, __: NodeIdentity) -> Entry:
    """One bit of a row is another; header and seal are the city's."""
    payload = bytearray(entry.payload)
    payload[len(payload) // 2] ^= 1
    return Entry(header=entry.header, payload=bytes(payload), seal=entry.seal)


def header_made_anew(entry: LogEntry, suite: Suite, _: NodeIdentity) -> Entry:
    """The header names the changed payload; the seal is still the city's."""
    changed = payload_changed(entry, suite, _)
    header = EntryHeader.FromString(entry.header)
    header.payload_digest = suite.hash(PAYLOAD + changed.payload)
    return Entry(header=header.SerializeToString(), payload=changed.payload, seal=entry.seal)


def next_entry_forged(entry: LogEntry, suite: Suite, province: NodeIdentity) -> Entry:
    """A new entry in the city's name that joins the chain without fault, sealed with the province's own log key."""
    header = EntryHeader.FromString(entry.header)
    header.seq += 1
    header.prev = entry.header_hash
    header.group += 1
    data = header.SerializeToString()
    return Entry(header=data, payload=entry.payload, seal=province.log_key.sign(SEAL + suite.hash(HEADER + data)))


TRICKS: dict[str, Callable[[LogEntry, Suite, NodeIdentity], Entry]] = {
    "payload changed": payload_changed,
    "payload and header changed": header_made_anew,
    "next entry forged": next_entry_forged,
}


async def offer_tampered(home: Path, feed: FeedName, schemas: Any, suite: Suite, boot: bytes) -> list[Answer]:
    """Dials the parent of a stopped node's home in its name and offers each trick; what the parent answered.

    Raises AssertionError when the parent does not answer as the protocol says.
    """
    config, identity = read_home(home, SystemClock().now_us())
    assert config.parent is not None
    with closing(Reader(home / DATABASE_FILE, schemas)) as reader:
        state = next(s for s in reader.feeds() if s.name == feed)
        last = reader.entry(feed, state.head.epoch, state.head.seq)
    assert last is not None
    assert last.seal, "the last entry of a feed is sealed"
    credentials = grpc.ssl_channel_credentials(identity.root_pem, identity.transport_key_pem, identity.chain_pem)
    channel = grpc.aio.secure_channel(config.parent.address, credentials, options=options.client(config.parent.node_id))
    try:
        call: Any = channel.stream_stream(options.METHOD)()
        try:
            session = _Session(call)
            instance = bytes.fromhex((home / INSTANCE_FILE).read_text("ascii").strip())
            await session.open(config.node.federation, config.node.node_id, instance, boot)
            answers = []
            for name, trick in TRICKS.items():
                false = trick(last, suite, identity)
                answers.append(await session.offer(name, feed, state.head.epoch, false))
            return answers
        finally:
            call.cancel()
    finally:
        await channel.close()


class _Session:
    """Just enough of the protocol to be listened to."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def open(self, federation: str, node: str, instance: bytes, boot: bytes) -> None:
        """Hello both ways, then cursors that claim nothing."""
        hello = Hello(format=1, software="hostile", federation=federation, node=node, instance=instance, boot=boot)
        await self._send(Frame(hello=hello))
        await self._until(lambda frame: frame.WhichOneof("kind") == "hello")
        await self._send(Frame(cursors=Cursors(end=True)))

    async def offer(self, trick: str, feed: FeedName, epoch: bytes, entry: Entry) -> Answer:
        """Offers one false entry; the Notice it meets."""
        run = Run(feed=wire_feed(feed), epoch=epoch, entries=[entry], lane=LANE_NORMAL)
        await self._send(Frame(run=run))
        frame = await self._until(lambda f: _is_answer(f, feed))
        assert frame.WhichOneof("kind") == "notice", f"{trick}: the parent took it"
        return Answer(trick, Reason(frame.notice.reason), frame.notice.detail)

    async def _send(self, frame: Frame) -> None:
        await self._call.write(frame.SerializeToString())

    async def _until(self, wanted: Callable[[Frame], bool]) -> Frame:
        async with asyncio.timeout(ANSWER_S):
            while True:
                got = await self._call.read()
                assert got is not grpc.aio.EOF, "the parent ended the session"
                frame = Frame.FromString(got)
                if wanted(frame):
                    return frame


def _is_answer(frame: Frame, feed: FeedName) -> bool:
    kind = frame.WhichOneof("kind")
    if kind == "notice":
        return frame.notice.HasField("feed") and feed_of(frame.notice.feed) == feed
    return kind == "ack" and any(feed_of(c.feed) == feed for c in frame.ack.committed)
