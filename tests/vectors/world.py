"""A small federation with keys from seeds, and a forge that writes entries as an origin would, or as none should.

Vectors and the tests of the exchange are made with it. Everything here repeats: no clock, no randomness.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from certs.logkey import LogKey
from certs.suites import SUITES
from sync.payload import CODEC_MESSAGE, CODEC_ROWS
from sync.registry import Registry, scope_to_wire
from sync.schema import CellType, Column, RowSchema
from sync.scope import Scope
from sync.suites import HEADER, PAYLOAD, SEAL, genesis
from sync.values import FeedName, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import AdoptionPayload, AnchorBody, EnrolmentRecord, EntryHeader, RegistryPayload
from sync.wire.v1.frame_pb2 import Entry, Run
from sync.wire.v1.frame_pb2 import FeedName as WireFeed

FEDERATION = "cn-demo"
NATION = "n100000.cn-demo"
PROVINCE = "p330000.cn-demo"
CITY = "c330100.p330000.cn-demo"
OTHER_CITY = "c330200.p330000.cn-demo"
OTHER_PROVINCE = "p440000.cn-demo"
SUITE = SUITES[1]
TRANSPORT = sha256(b"transport").digest()

DEMO = RowSchema(
    dataset="demo",
    version=1,
    columns=(
        Column("id", CellType.TEXT, nullable=False, length=40),
        Column("part", CellType.INTEGER, nullable=False),
        Column("division", CellType.TEXT, nullable=False, length=6),
        Column("amount", CellType.DECIMAL),
        Column("ratio", CellType.FLOAT),
        Column("open", CellType.BOOLEAN),
        Column("photo", CellType.BYTES, length=64),
        Column("day", CellType.DATE),
        Column("at", CellType.TIMESTAMP),
        Column("note", CellType.TEXT, length=8),
    ),
    key=("id", "part"),
)
"""One column of every type; `note` holds at most eight characters."""


def sixteen(name: str) -> bytes:
    """Sixteen bytes that stand for an id that a node would draw at random."""
    return sha256(b"tiersync vectors id " + name.encode()).digest()[:16]


def seed(name: str) -> bytes:
    """Seed of a key of these tests, of nothing else."""
    return sha256(b"tiersync vectors key " + name.encode()).digest()


def key(name: str) -> LogKey:
    """The log key of a name: a node id, or a node id with '/2' for its second."""
    return LogKey.from_seed(seed(name))


@dataclass(slots=True)
class Forge:
    """Writes one feed of one origin. Header fields may be overridden per entry, whatever sense that makes."""

    feed: FeedName
    signer: LogKey
    route: Route = Route.PARENT
    lane: Lane = Lane.NORMAL
    enrolment: int = 1
    epoch: bytes = b""
    federation: str = FEDERATION
    schema_version: int = 1
    group: int = 0
    seq: int = 0
    head: bytes = b""

    def __post_init__(self) -> None:
        self.epoch = self.epoch or sixteen("epoch " + "/".join(self.feed))
        self.head = self.head or genesis(SUITE, self.federation, *self.feed, self.epoch)

    def entry(
        self,
        payload: bytes = b"",
        *,
        sealed: bool = True,
        plain_size: int | None = None,
        kind: Kind = Kind.RECORDS,
        codec: int = CODEC_ROWS,
        rows: int = 0,
        extra: bytes = b"",
        by: LogKey | None = None,
        **fields: Any,
    ) -> Entry:
        """The next entry. `extra` is put behind the header's fields; `by` seals in the origin's place."""
        self.seq, self.group = self.seq + 1, self.group + 1
        header = EntryHeader(
            format=1,
            federation=self.federation,
            suite=1,
            origin=self.feed.origin,
            instance=sixteen("instance " + self.feed.origin),
            enrolment=self.enrolment,
            publication=self.feed.publication,
            addressee=self.feed.addressee,
            route=int(self.route),  # type: ignore[arg-type]
            epoch=self.epoch,
            seq=self.seq,
            prev=self.head,
            payload_digest=SUITE.hash(PAYLOAD + payload),
            payload_size=len(payload),
            plain_size=len(payload) if plain_size is None else plain_size,
            rows=rows,
            codec=codec,
            kind=int(kind),  # type: ignore[arg-type]
            schema_version=self.schema_version,
            group=self.group,
            hlc=(1_800_000_000_000 << 16) + self.seq,
            lane=int(self.lane),  # type: ignore[arg-type]
        )
        for name, value in fields.items():
            setattr(header, name, value)
        self.seq, self.group = header.seq, header.group
        data = header.SerializeToString(deterministic=True) + extra
        self.head = header_hash(data)
        return Entry(header=data, payload=payload, seal=self.seal(by) if sealed else b"")

    def seal(self, by: LogKey | None = None) -> bytes:
        """A seal over the newest entry."""
        return (by or self.signer).sign(SEAL + self.head)

    def records(
        self,
        puts: Sequence[Sequence[Any]] = (),
        ends: Sequence[Sequence[Any]] = (),
        *,
        columns: Sequence[str] = DEMO.names,
        dataset: str = "demo",
        **fields: Any,
    ) -> Entry:
        """An entry of rows, not compressed; `ends` are [key, kind, reason]."""
        plain = pack([dataset, list(columns), list(puts), list(ends)])
        return self.entry(plain, **({"rows": len(puts) + len(ends)} | fields))

    def adoption(self, version: int, new: LogKey, old: LogKey | None, **fields: Any) -> Entry:
        """The entry by which the feed passes to `new` at `version`, with the old key's signature or without."""
        message = adoption_input(self.head, version, new)
        payload = AdoptionPayload(old_signature=old.sign(message) if old else b"").SerializeToString()
        self.enrolment, self.signer = version, new
        return self.entry(payload, kind=Kind.ADOPTION, codec=CODEC_MESSAGE, **fields)

    def registry(self, *records: EnrolmentRecord, **fields: Any) -> Entry:
        """An entry of enrolment records."""
        payload = RegistryPayload(records=records).SerializeToString(deterministic=True)
        return self.entry(payload, kind=Kind.REGISTRY, codec=CODEC_MESSAGE, **({"rows": len(records)} | fields))

    def run(self, entries: Iterable[Entry], *, answer: bool = False) -> Run:
        """Entries as a run of this feed."""
        wire = WireFeed(origin=self.feed.origin, publication=self.feed.publication, addressee=self.feed.addressee)
        return Run(feed=wire, epoch=self.epoch, entries=entries, lane=int(self.lane), answer=answer)  # type: ignore[arg-type]


def pack(value: object) -> bytes:
    """MessagePack, as any library writes it."""
    return msgspec.msgpack.encode(value)


def header_hash(header: bytes) -> bytes:
    """As docs/wire.md says, without the code under test."""
    return sha256(HEADER + header).digest()


def adoption_input(prev: bytes, version: int, new: LogKey) -> bytes:
    """What the old key signs, written out."""
    new_key_id = sha256(b"tiersync.v1.key\0" + (1).to_bytes(4, "big") + new.public_key).digest()
    return b"tiersync.v1.adopt\0" + prev + version.to_bytes(8, "big") + new_key_id


def demo_row(number: int = 1, **cells: Any) -> list[Any]:
    """A good row of DEMO."""
    made: dict[str, Any] = {
        "id": f"case-{number:04d}",
        "part": number,
        "division": "330106",
        "amount": "12.50",
        "ratio": 0.25,
        "open": True,
        "photo": b"\x00\xff",
        "day": "2026-11-22",
        "at": 1_795_276_800_000_000 + number,
        "note": "井盖",
    } | cells
    return [made[name] for name in DEMO.names]


def record(node: str, parent: str, region: str, version: int = 1, **fields: Any) -> EnrolmentRecord:
    """A good enrolment record about a node, with some fields set otherwise."""
    profile = {"n": "national", "p": "provincial", "c": "city", "d": "district"}[node[0]]
    unit = f"{region[:2]}*" if profile == "provincial" else f"{region[:4]}*"
    made: dict[str, Any] = {
        "node": node,
        "version": version,
        "profile": profile,
        "suite": 1,
        "log_public_key": key(node if version == 1 else f"{node}/{version}").public_key,
        "signing_scope": scope_to_wire(Scope.of(region if profile == "provincial" else unit)),
        "carrying_scope": scope_to_wire(Scope.of(unit)),
        "transport_key_hash": TRANSPORT,
        "status": 1,
        "effective": "2026-01-01",
        "parent": parent,
        "region": region,
    } | fields
    return EnrolmentRecord(**made)


def anchor_body(**fields: Any) -> AnchorBody:
    """A good anchor's body."""
    made: dict[str, Any] = {
        "federation": FEDERATION,
        "nation": NATION,
        "enrolment": 1,
        "suite": 1,
        "log_public_key": key(NATION).public_key,
        "serial": 1,
        "profile": "national",
        "region": "100000",
        "title": "国家",
        "transport_key_hash": TRANSPORT,
    } | fields
    return AnchorBody(**made)


def known_records() -> list[tuple[str, EnrolmentRecord]]:
    """(sealer, record) of everybody that the vectors take as enrolled; the city has a second version."""
    return [
        (NATION, record(PROVINCE, NATION, "330000")),
        (PROVINCE, record(CITY, PROVINCE, "330100")),
        (PROVINCE, record(OTHER_CITY, PROVINCE, "330200")),
        (PROVINCE, record(CITY, PROVINCE, "330100", version=2)),
    ]


def registry() -> Registry:
    """The registry that the vectors are read with."""
    made = Registry(FEDERATION)
    made.set_anchor(anchor_body())
    for sealer, said in known_records():
        made.admit(sealer, said)
    return made


def schema_of(publication: str, dataset: str) -> RowSchema | None:
    """The one dataset of the vectors, in any publication."""
    return DEMO if dataset == DEMO.dataset else None


def city_feed(**fields: Any) -> Forge:
    """The city's feed to its parent."""
    return Forge(FeedName(CITY, "demo.parent"), key(CITY), **fields)


def zstd_frame(blocks: Sequence[tuple[bytes, int]], said: int | None) -> bytes:
    """A zstd frame (RFC 8878) of bytes repeated so many times, made by hand so that no library's version changes it.

    Several bytes stand as they are, once.
    """
    # without a content size: a window of 2 MiB
    made = [b"\x28\xb5\x2f\xfd" + (b"\x00\x58" if said is None else b"\xa0" + said.to_bytes(4, "little"))]
    for place, (data, size) in enumerate(blocks):
        last = int(place == len(blocks) - 1)
        kind = 1 if len(data) == 1 else 0
        made.append((last | kind << 1 | size << 3).to_bytes(3, "little") + data)
    return b"".join(made)
