"""A relay that lies: it changes, cuts, swaps and misdirects runs on their way. It can delay; it must not get more."""

from __future__ import annotations

from random import Random
from typing import Protocol

from certs.suites import ED25519_SHA256, SUITES
from node.sim.network import Connection
from node.sim.simnode import SimNode
from sync.suites import PAYLOAD
from sync.wire.v1.entry_pb2 import EntryHeader
from sync.wire.v1.frame_pb2 import Frame, Run

SHARE = 0.25
WAYS = ("payload", "payload", "dressed", "header", "seal", "first", "last", "swap", "astray")


class Liar(Protocol):
    """A relay that does not pass on what it should."""

    def pass_on(self, node: SimNode, wire: Connection, data: bytes) -> list[tuple[Connection, bytes]]:
        """What really goes out instead of a frame, and where."""
        ...


class Forger:
    """Stands in the way of one node's outgoing frames until it is stopped."""

    def __init__(self, label: str, random: Random) -> None:
        self.label = label
        self._random = random
        self._earlier: list[bytes] = []
        self.stopped = False
        self.forged = 0

    def pass_on(self, node: SimNode, wire: Connection, data: bytes) -> list[tuple[Connection, bytes]]:
        """What really goes out instead of a frame, and where."""
        if self.stopped or node.label != self.label or self._random.random() > SHARE:
            return [(wire, data)]
        frame = Frame.FromString(data)
        if frame.WhichOneof("kind") != "run":
            return [(wire, data)]
        way = self._random.choice(WAYS)
        self.forged += 1
        if way == "astray":
            others = [w for w in node.links.values() if w is not wire]
            return [(wire, data), *([(self._random.choice(others), data)] if others else [])]
        self._forge(frame.run, way)
        return [(wire, frame.SerializeToString())]

    def _forge(self, run: Run, way: str) -> None:
        entry = self._random.choice(run.entries)
        last = run.entries[-1]
        match way:
            case "payload":
                entry.payload = self._other_payload(entry.payload)
            case "dressed":
                # The header is made to fit: its hash is no longer the one that was sealed.
                header = EntryHeader.FromString(entry.header)
                entry.payload = self._other_payload(entry.payload)
                header.payload_digest = SUITES[ED25519_SHA256].hash(PAYLOAD + entry.payload)
                header.payload_size = len(entry.payload)
                entry.header = header.SerializeToString()
            case "header":
                entry.header = entry.header + b"\xfa\x06\x01x"  # an unknown field: the same meaning, other bytes
            case "seal":
                last.seal = bytes([last.seal[0] ^ 1]) + last.seal[1:]
            case "first" if len(run.entries) > 1:
                del run.entries[0]
            case "last" if len(run.entries) > 1:
                del run.entries[-1]
            case "swap" if len(run.entries) > 1:
                first, second = run.entries[0], run.entries[1]
                kept = first.SerializeToString()
                first.CopyFrom(second)
                second.ParseFromString(kept)
            case _:
                last.seal = b""

    def _other_payload(self, payload: bytes) -> bytes:
        """Another payload of the same size, so that nothing but its digest tells."""
        self._earlier.append(payload)
        alike = [p for p in self._earlier[-200:] if len(p) == len(payload) and p != payload]
        if alike:
            return self._random.choice(alike)
        # The last letter of a text: it decodes, and says something else.
        place = max(payload.rfind(b"unit "), payload.rfind(b"code "), payload.rfind(b"-0"))
        place = len(payload) - 1 if place < 0 else place + 2
        return payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1 :]
