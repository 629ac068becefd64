"""A province gone bad: with the province's own certificate and keys it offers the nation a tampered copy of a city's
entries. It speaks the real protocol over real mTLS; only the entries are false.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from node.clock import SystemClock
from node.identity import NodeIdentity, read_home
from node.testing.peer import dial, held, run_of
from node.texts import N_
from sync.effects import LogEntry
from sync.reasons import Reason
from sync.suites import HEADER, PAYLOAD, SEAL, Suite
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import EntryHeader


class Answer(NamedTuple):
    """What the nation answered to one false offer."""

    trick: str
    reason: Reason
    detail: str


def payload_changed(entry: LogEntry, _: Suite, __: NodeIdentity) -> LogEntry:
    """One bit of a row is another; header and seal are the city's."""
    payload = bytearray(entry.payload)
    payload[len(payload) // 2] ^= 1
    return entry._replace(payload=bytes(payload))


def header_made_anew(entry: LogEntry, suite: Suite, _: NodeIdentity) -> LogEntry:
    """The header names the changed payload; the seal is still the city's."""
    changed = payload_changed(entry, suite, _)
    header = EntryHeader.FromString(entry.header)
    header.payload_digest = suite.hash(PAYLOAD + changed.payload)
    return changed._replace(header=header.SerializeToString())


def next_entry_forged(entry: LogEntry, suite: Suite, province: NodeIdentity) -> LogEntry:
    """A new entry in the city's name that joins the chain without fault, sealed with the province's own log key."""
    header = EntryHeader.FromString(entry.header)
    header.seq += 1
    header.prev = entry.header_hash
    header.group += 1
    data = header.SerializeToString()
    return entry._replace(header=data, seal=province.log_key.sign(SEAL + suite.hash(HEADER + data)))


TRICKS: dict[str, Callable[[LogEntry, Suite, NodeIdentity], LogEntry]] = {
    "payload changed": payload_changed,
    "payload and header changed": header_made_anew,
    "next entry forged": next_entry_forged,
}

TRICK_WORDS: Final[dict[str, str]] = {
    "payload changed": N_("payload changed"),
    "payload and header changed": N_("payload and header changed"),
    "next entry forged": N_("next entry forged"),
}


async def offer_tampered(home: Path, feed: FeedName, suite: Suite) -> list[Answer]:
    """Dials the parent of a stopped node's home in its name and offers each trick; what the parent answered.

    Raises AssertionError, SessionOver or TimeoutError when the parent does not answer as the protocol says.
    """
    _, identity = read_home(home, SystemClock().now_us())
    state, entries = held(home, feed)
    last = entries[-1]
    assert last.seal, "the last entry of a feed is sealed"
    answers = []
    async with dial(home) as peer:
        for name, trick in TRICKS.items():
            frame = await peer.offer(run_of(feed, state.head.epoch, [trick(last, suite, identity)]))
            assert frame.WhichOneof("kind") == "notice", f"{name}: the parent took it"
            answers.append(Answer(name, Reason(frame.notice.reason), frame.notice.detail))
    return answers
