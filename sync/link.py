"""What is remembered of one session: its phase, what was sent and not yet answered, and how much may be under way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from sync import limits
from sync.values import REGISTRY, FeedName, Lane
from sync.wire.v1.frame_pb2 import AttachmentChunk, Cursor, Hello

ACK_AIM_US = 300_000
"""The window is steered so that a run is answered about this soon: urgent work then never waits long behind bulk."""


CHUNKS = FeedName("", "attachments")
"""Stands for parts of attachments where feeds of the bulk lane take turns."""


class Phase(Enum):
    """dialled -> hello -> compare -> exchange -> draining -> closed (protocol section 4)."""

    HELLO = "hello"
    CONTESTED = "contested"  # an older session of the same node is being asked whether it lives
    COMPARE = "compare"
    EXCHANGE = "exchange"
    DRAINING = "draining"
    CLOSED = "closed"


class Sent(NamedTuple):
    """A run that was sent and is neither acknowledged nor dropped yet."""

    feed: FeedName
    last_seq: int
    size: int
    lane: Lane
    at: int
    answer: bool


@dataclass(slots=True)
class OutFeed:
    """How far a feed has been sent on this link. paused: a run of it was dropped, and it rests until a Cursor comes."""

    next_seq: int
    paused: bool = False


@dataclass(slots=True)
class InFeed:
    """Trouble with a feed that comes from this link: runs dropped in a row, and when to ask again."""

    bad: int = 0
    retry_at: int = 0
    waits_for_registry: bool = False


@dataclass(slots=True)
class Wanted:
    """A Want this side sent: until its head is `until_seq` (or, with `one`, the one answer came)."""

    epoch: bytes
    from_seq: int
    until_seq: int
    progress_at: int
    one: bool = False


@dataclass(slots=True)
class Answering:
    """A Want of the peer that is being answered."""

    feed: FeedName
    epoch: bytes
    next_seq: int
    one: bool


@dataclass(slots=True)
class Window:
    """Bytes under way in one lane: never above the peer's credit, steered by how soon runs are answered."""

    credit: int
    size: int
    outstanding: int = 0
    runs: int = 0
    changed_at: int = 0

    def room(self) -> int:
        """Bytes that may still be sent; a first run may always go."""
        if self.runs == 0:
            return max(self.size, limits.OUTSTANDING_BYTES_MIN)
        return min(self.size, self.credit) - self.outstanding

    def fits(self, size: int) -> bool:
        """Whether a run of this size may go now: within the credit, or alone (a sealed stretch is not cut)."""
        return self.runs == 0 or self.outstanding + size <= self.credit

    def run_bytes(self) -> int:
        """How large a run should be: at most a quarter of what may be under way."""
        return min(limits.RUN_BYTES_MAX, max(limits.SEAL_EVERY_BYTES, self.size // 4))

    def sent(self, size: int) -> None:
        self.outstanding += size
        self.runs += 1

    def answered(self, size: int, sent_at: int, now: int) -> None:
        """A run that was sent at `sent_at` (microseconds) is answered.

        Only a run sent after the last change tells how the window does as it is: runs that stood in one queue would
        else each halve it, down to nothing, for one and the same wait.
        """
        self.outstanding = max(0, self.outstanding - size)
        self.runs = max(0, self.runs - 1)
        if sent_at < self.changed_at:
            return
        self.changed_at = now
        factor = min(2.0, max(0.5, ACK_AIM_US / max(1, now - sent_at)))
        self.size = int(min(self.credit, max(limits.OUTSTANDING_BYTES_MIN, self.size * factor)))


@dataclass(slots=True)
class Link:
    """One session with one neighbour. Nothing of it survives the session."""

    id: int
    peer: str
    dialled: bool
    to_parent: bool
    opened_at: int
    transport_key_hash: bytes
    phase: Phase = Phase.HELLO
    hello: Hello | None = None
    format: int = 0
    capabilities: frozenset[str] = frozenset()
    """What both sides know: the lower format, the capabilities of both."""
    progress_at: int = 0
    heard_at: int = 0
    unproved: bool = False
    """The registry here does not show this parent, or another key of it: it may bring its registry, and no more."""
    cursors_sent: bool = False
    cursors_ended: bool = False
    peer_cursors: list[Cursor] = field(default_factory=list)
    registry_goal: dict[FeedName, int] = field(default_factory=dict)
    """Registry heads the peer named and this side has yet to reach before it sends its other cursors."""
    goal_at: int = 0
    """When the registry here last grew, or the goal was set."""
    wants: dict[FeedName, Wanted] = field(default_factory=dict)
    answering: deque[Answering] = field(default_factory=deque)
    out: dict[FeedName, OutFeed] = field(default_factory=dict)
    inn: dict[FeedName, InFeed] = field(default_factory=dict)
    registry_turn: deque[FeedName] = field(default_factory=deque)
    turn: dict[Lane, deque[FeedName]] = field(default_factory=lambda: {lane: deque() for lane in Lane})
    sent: deque[Sent] = field(default_factory=deque)
    urgent: Window = field(default_factory=lambda: Window(limits.URGENT_CREDIT_BYTES, 4 * limits.OUTSTANDING_BYTES_MIN))
    bulk: Window = field(default_factory=lambda: Window(limits.BULK_CREDIT_BYTES, 4 * limits.OUTSTANDING_BYTES_MIN))
    taken: dict[Lane, int] = field(default_factory=dict)
    """Bytes of the peer's runs whose answer waits for the commit, per lane: what came beyond its credit shows there."""
    ping_nonce: int = 0
    pings_missed: int = 0
    ping_at: int = 0
    contested_by: int = 0
    unknown_frames: int = 0
    counted_at: int = 0
    """Up to when this session is counted as working time; 0 until compare is over."""
    statements_at: int = 0
    statements_told: bytes = b""
    heads_told: dict[tuple[str, str], bytes] = field(default_factory=dict)
    acked: dict[FeedName, tuple[int, bytes]] = field(default_factory=dict)
    """(seq, header hash) of own and relayed feeds that the peer has acknowledged or shown in a cursor."""
    chunks: deque[AttachmentChunk] = field(default_factory=deque)
    """Parts of attachments that wait for bulk credit, in the turn of CHUNKS."""
    told_not_level: bool = False
    """This side's Hello said that it was restored and not yet level with its parent."""

    def window(self, lane: Lane) -> Window:
        """Urgent has its own credit; normal and bulk share one."""
        return self.urgent if lane is Lane.URGENT else self.bulk

    def queue(self, feed: FeedName, lane: Lane) -> None:
        """Puts a feed in its lane's turn, once. What says who is who goes before all else."""
        turn = self.registry_turn if feed.publication == REGISTRY else self.turn[lane]
        if feed not in turn:
            turn.append(feed)

    def takes_beyond_credit(self, lane: Lane, size: int) -> bool:
        """Notes what came and waits for its answer; whether it is a second one without credit, which is a fault of the
        peer."""
        lanes = (Lane.URGENT,) if lane is Lane.URGENT else (Lane.NORMAL, Lane.BULK)
        under_way = sum(self.taken.get(one, 0) for one in lanes)
        credit = limits.URGENT_CREDIT_BYTES if lane is Lane.URGENT else limits.BULK_CREDIT_BYTES
        self.taken[lane] = self.taken.get(lane, 0) + size
        return bool(under_way) and under_way + size > credit

    @property
    def working(self) -> bool:
        """Past compare and not closing: own feeds may be sealed for it."""
        return self.phase is Phase.EXCHANGE
