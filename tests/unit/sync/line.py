"""Three real nodes in a line, nation - province - city, whose frames a test carries by hand: late, cut off, or changed.

What they ask of their disks is done by the test too: the city has one file, the nation keeps what comes.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from sync import limits
from sync.effects import Act, Fetched, KeepAttachment, ReadAttachment
from sync.events import AttachmentRead, FetchAttachment, LinkClosed
from sync.reasons import Reason
from sync.wire.v1.frame_pb2 import AttachmentChunk, Frame
from tests.unit.sync.stage import Played, Stage
from tests.vectors.world import CITY, NATION, PROVINCE

CHUNK = limits.ATTACHMENT_CHUNK_BYTES
DATA = bytes((i * 7 + i // 251) % 256 for i in range(int(5.4 * CHUNK)))
HASH = sha256(DATA).digest()


class Node(Stage):
    """A stage that also keeps what it asks of its disk."""

    def __init__(self, node: str) -> None:
        self.reads: list[ReadAttachment] = []
        self.kept: list[KeepAttachment] = []
        super().__init__(node)

    def _do(self, act: Act) -> None:
        if isinstance(act, ReadAttachment):
            self.reads.append(act)
        elif isinstance(act, KeepAttachment):
            self.kept.append(act)
        else:
            super()._do(act)


class Wire:
    """One link with its two ends, and what is under way on it both ways."""

    def __init__(self, above: Node, below: Node) -> None:
        self.above, self.below = above, below
        self.ends: tuple[Played, Played] | None = None

    def connect(self) -> None:
        """The child dials."""
        if self.ends is None:
            self.ends = (self.above.dial(self.below.node), self.below.dial(self.above.node))

    def cut(self) -> None:
        """Whatever was under way is lost."""
        if self.ends is not None:
            for stage, end in zip((self.above, self.below), self.ends, strict=True):
                if stage.played.pop(end.link, None) is not None:
                    stage.step(LinkClosed(end.link))
            self.ends = None

    def carry(self, upward: bool, change: Callable[[Frame], list[Frame]]) -> bool:
        """One frame arrives at the other end; False if none was under way. A side that closed is closed at both."""
        if self.ends is None:
            return False
        of_above, of_below = self.ends
        source, target = (of_below, of_above) if upward else (of_above, of_below)
        if not source.frames:
            if source.closed is not None:
                self.cut()
            return False
        for frame in change(source.frames.pop(0)):
            if target.closed is None:
                target.raw(frame.SerializeToString())
        return True


def plain(frame: Frame) -> list[Frame]:
    """As it is."""
    return [frame]


class Line:
    """The line, and the city's one file. shared: whether the city lets the nation have it."""

    def __init__(self, *, shared: bool = True) -> None:
        self.nation, self.province, self.city = Node(NATION), Node(PROVINCE), Node(CITY)
        self.upper, self.lower = Wire(self.nation, self.province), Wire(self.province, self.city)
        self.shared = shared
        self.change: Callable[[Frame], list[Frame]] = plain
        self.connect()
        self.settle()

    def connect(self) -> None:
        self.upper.connect()
        self.lower.connect()

    def fetch(self, have: int = 0, most: int = 1 << 20) -> None:
        """The nation wants the file."""
        self.nation.step(FetchAttachment("file", CITY, HASH, have, most))

    def read(self) -> bool:
        """The city's disk answers one question."""
        if not self.city.reads:
            return False
        act = self.city.reads.pop(0)
        held = self.shared and act.hash == HASH
        reason = Reason.NONE if held else Reason.ATTACHMENT_NOT_SHARED
        data = DATA[act.offset : act.offset + CHUNK] if held else b""
        self.city.step(AttachmentRead(act.asker, act.hash, act.offset, data, len(DATA) if held else 0, reason))
        return True

    def once(self) -> bool:
        """Everything that is under way moves by one; False if nothing was."""
        wires = (self.upper, self.lower)
        moved = [wire.carry(upward, self.change) for wire in wires for upward in (True, False)]
        return any([*moved, self.read()])

    def settle(self) -> None:
        """Until nothing is under way."""
        for _ in range(5_000):
            if not self.once():
                return
        raise AssertionError("the line does not come to rest")

    def live(self, seconds: int) -> None:
        """Time passes at every node."""
        for _ in range(seconds):
            for node in (self.nation, self.province, self.city):
                node.wait(1)
            self.settle()

    @property
    def ended(self) -> list[Fetched]:
        """How fetching ended, each time."""
        return [reply for reply in self.nation.replies if isinstance(reply, Fetched)]

    @property
    def kept(self) -> bytes:
        """What the nation's store holds of it: parts that join, from the last one that began anew."""
        held = bytearray()
        for part in self.nation.kept:
            assert part.offset == len(held) or part.offset == 0, "a part that does not join was handed on"
            if part.offset == 0:
                held.clear()
            held += part.data
        return bytes(held)


def chunk_of(frame: Frame) -> AttachmentChunk | None:
    """The chunk that a frame holds."""
    return frame.attachment_chunk if frame.WhichOneof("kind") == "attachment_chunk" else None
