"""A neighbour played by hand: it dials a running node over real mTLS, as the node of a home, and says whatever it is
told to. With it a test, or the demo, shows what becomes of bytes that no honest node sends.

async with dial(city.home) as peer:
    answer = await peer.offer(peer.run(feed, [entry]))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from node.app import read_catalogue
from node.clock import SystemClock, SystemRandomness
from node.config import CONFIG_NAME, load_file
from node.identity import NodeIdentity, read_home
from node.link import options
from node.store.home import DATABASE_FILE, INSTANCE_FILE
from node.store.readers import Reader
from sync.core import feed_of, wire_feed
from sync.effects import FeedState, LogEntry
from sync.reasons import Reason
from sync.values import FeedName, Lane
from sync.wire.v1.frame_pb2 import Cursors, Entry, Frame, Hello, Ping, Run

ANSWER_S = 10.0


class SessionOver(Exception):
    """The node ended the session; the text is what its closing notice or the call said."""


class Credentials(NamedTuple):
    """What a peer shows in TLS."""

    root_pem: bytes
    key_pem: bytes
    chain_pem: bytes

    @classmethod
    def of(cls, identity: NodeIdentity) -> Credentials:
        """Those of a home."""
        return cls(identity.root_pem, identity.transport_key_pem, identity.chain_pem)


class Peer:
    """One session. `frames` keeps all that was heard, in order."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._nonce = 1 << 40
        self._closing = ""
        self.frames: list[Frame] = []

    async def let_in(self) -> None:
        """Returns when the node has let the call in. Raises SessionOver."""
        try:
            is_in = await options.let_in(self._call)
        except grpc.aio.AioRpcError as error:
            raise SessionOver(error.details() or "") from error
        if not is_in:
            raise SessionOver(await self._call.details() or "")

    async def open(self, hello: Hello) -> None:
        """Hello both ways, then cursors that claim nothing: the node pushes all it has, and takes runs."""
        await self.send(Frame(hello=hello))
        await self.until(lambda frame: frame.WhichOneof("kind") == "hello")
        await self.send(Frame(cursors=Cursors(end=True)))

    async def send(self, frame: Frame) -> None:
        """Says a frame."""
        await self.send_bytes(frame.SerializeToString())

    async def send_bytes(self, data: bytes) -> None:
        """Says any bytes as a frame. Raises SessionOver."""
        try:
            await self._call.write(data)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            # What writing raises tells nothing; the call's own end does.
            async with asyncio.timeout(ANSWER_S):
                raise SessionOver(self._closing or await self._call.details() or "") from error

    async def hear(self) -> Frame:
        """The next frame. Raises SessionOver."""
        try:
            data = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise SessionOver(self._closing or str(error.details())) from error
        if data is grpc.aio.EOF:
            raise SessionOver(self._closing)
        frame = Frame.FromString(data)
        self.frames.append(frame)
        if frame.WhichOneof("kind") == "notice" and frame.notice.closing:
            self._closing = f"{Reason(frame.notice.reason).name}: {frame.notice.detail}"
        return frame

    async def until(self, wanted: Callable[[Frame], bool]) -> Frame:
        """Hears until a frame is the wanted one. Raises SessionOver, TimeoutError."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                frame = await self.hear()
                if wanted(frame):
                    return frame

    async def offer(self, run: Run) -> Frame:
        """Sends a run; the Ack or Notice that answers it."""
        feed = feed_of(run.feed)
        await self.send(Frame(run=run))
        return await self.until(lambda frame: is_answer(frame, feed))

    async def settle(self) -> None:
        """Returns when the node has dealt with all that was said so far: it answers in order."""
        self._nonce += 1
        nonce = self._nonce
        await self.send(Frame(ping=Ping(nonce=nonce)))
        await self.until(lambda frame: frame.WhichOneof("kind") == "pong" and frame.pong.nonce == nonce)


def run_of(feed: FeedName, epoch: bytes, entries: Sequence[LogEntry], lane: Lane = Lane.NORMAL) -> Run:
    """Entries as a run."""
    wire = [Entry(header=e.header, payload=e.payload, seal=e.seal) for e in entries]
    return Run(feed=wire_feed(feed), epoch=epoch, entries=wire, lane=int(lane))  # type: ignore[arg-type]


def is_answer(frame: Frame, feed: FeedName) -> bool:
    """Whether a frame answers a run of this feed."""
    kind = frame.WhichOneof("kind")
    if kind == "notice":
        return frame.notice.HasField("feed") and feed_of(frame.notice.feed) == feed
    return kind == "ack" and any(feed_of(cursor.feed) == feed for cursor in frame.ack.committed)


@asynccontextmanager
async def dial(
    home: Path, *, boot: bytes = b"", credentials: Credentials | None = None, hello: bool = True
) -> AsyncIterator[Peer]:
    """Dials the parent of a stopped node's home in its name, with its own credentials or with others.

    Each dial is a new start of that node unless it has a `boot` of 16 bytes. Raises SessionOver, TimeoutError.
    """
    config, identity = read_home(home, SystemClock().now_us())
    assert config.parent is not None, "the topmost node dials nobody"
    shown = credentials or Credentials.of(identity)
    channel = grpc.aio.secure_channel(
        config.parent.address, grpc.ssl_channel_credentials(*shown), options=options.client(config.parent.node_id)
    )
    try:
        call: Any = channel.stream_stream(options.METHOD)()
        try:
            peer = Peer(call)
            async with asyncio.timeout(ANSWER_S):
                await peer.let_in()
            if hello:
                await peer.open(
                    Hello(
                        format=1,
                        software="played by hand",
                        federation=config.node.federation,
                        node=config.node.node_id,
                        instance=bytes.fromhex((home / INSTANCE_FILE).read_text("ascii").strip()),
                        boot=boot or SystemRandomness().bytes(16),
                    )
                )
            yield peer
        finally:
            call.cancel()
    finally:
        await channel.close()


def held(home: Path, feed: FeedName, from_seq: int = 0) -> tuple[FeedState, list[LogEntry]]:
    """What a store holds of a feed from an entry on (0 = the last one alone). The feed must be there."""
    catalogue = read_catalogue(home, load_file(home / CONFIG_NAME))
    with closing(Reader(home / DATABASE_FILE, [d.schema for d in catalogue.datasets.values()])) as reader:
        state = next(s for s in reader.feeds() if s.name == feed)
        return state, reader.entries(feed, state.head.epoch, from_seq or state.head.seq, 1 << 20, 4_096)
