"""A small world for tests of the store: a dataset of every type, an origin that seals, a receiver that applies.

The entries are real (sync.chain) and so is the merge (sync.merge); only the judge and the link are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash

from node.store.fsck import Rules
from node.store.store import Store
from sync.chain import Author, Draft, adoption_message, make_entry, seal
from sync.effects import Append, FateRow, FeedState, LogEntry, SaveFeed, SaveMeta, UpsertRows
from sync.merge import Change, keys_of, merge
from sync.payload import CODEC_MESSAGE, encode_records
from sync.rows import End, row_hash, shift_digest, to_schema_order
from sync.schema import CellType, Column, RowSchema
from sync.suites import genesis
from sync.values import REFUSALS, FeedName, Head, Key, Kind, Lane, Route, Row
from sync.wire.v1.entry_pb2 import AdoptionPayload, Refusal, RefusalsPayload

ORIGIN = "hangzhou.zhejiang.cn"
NODE = "zhejiang.cn"
FEDERATION = "trial"
FEED = FeedName(ORIGIN, "demo.parent")
OTHER_FEED = FeedName(ORIGIN, "demo.nation")
EPOCH = b"e" * 16
INSTANCE = b"i" * 16

SCHEMA = RowSchema(
    dataset="demo",
    version=1,
    columns=(
        Column("id", CellType.TEXT, nullable=False, length=40),
        Column("part", CellType.INTEGER, nullable=False),
        Column("name", CellType.TEXT, length=40),
        Column("amount", CellType.DECIMAL),
        Column("ratio", CellType.FLOAT),
        Column("open", CellType.BOOLEAN),
        Column("photo", CellType.BYTES),
        Column("day", CellType.DATE),
        Column("at", CellType.TIMESTAMP),
    ),
    key=("id", "part"),
)
FEW = ("part", "id", "name", "open")
"""Columns of the second publication, in another order than the schema's."""


class Ed25519Sha256:
    """sync.suites.Suite by the library alone."""

    number = 1

    def hash(self, data: bytes) -> bytes:
        digest = Hash(SHA256())
        digest.update(data)
        return digest.finalize()

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Key1:
    """sync.suites.Signer with a fixed key."""

    suite = 1

    def __init__(self, seed: bytes = b"k" * 32) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


SUITE = Ed25519Sha256()
SIGNER = Key1()
NEW_SIGNER = Key1(b"n" * 32)


KEYS = {1: (1, SIGNER.public_key), 2: (1, NEW_SIGNER.public_key)}


def row(number: int, **cells: object) -> Row:
    """A full row of SCHEMA; `cells` overrides."""
    made = {
        "id": f"c{number // 10:06d}",
        "part": number % 10,
        "name": f"井盖{number}",
        "amount": f"{number}.50",
        "ratio": number / 8,
        "open": number % 2 == 0,
        "photo": sha256(bytes([number % 256])).digest(),
        "day": "2026-11-22",
        "at": 1_700_000_000_000_000 + number,
    } | cells
    return tuple(made[name] for name in SCHEMA.names)  # type: ignore[return-value]


def few(whole: Row) -> Row:
    """The cells of FEW."""
    return tuple(whole[SCHEMA.names.index(name)] for name in FEW)


def key(whole: Row) -> Key:
    """The key of a full row."""
    return whole[0], whole[1]


class Log:
    """The sealed log of one feed of ORIGIN."""

    def __init__(self, feed: FeedName = FEED, columns: tuple[str, ...] = SCHEMA.names, origin: str = ORIGIN) -> None:
        self.feed, self.columns, self.origin = feed, columns, origin
        self.head = Head(EPOCH, 0, genesis(SUITE, FEDERATION, *feed, EPOCH))
        self.entries: list[LogEntry] = []
        self.changes: list[Change] = []
        self.signer, self.enrolment = SIGNER, 1

    def add(self, group: int, puts: Sequence[Row] = (), ends: Sequence[End] = (), *, sealed: bool = True) -> LogEntry:
        """One entry; `puts` in this log's columns."""
        encoded = encode_records("demo", self.columns, puts, ends)
        draft = Draft(
            Kind.RECORDS, Lane.BULK, encoded.codec, encoded.payload, encoded.plain_size, encoded.rows, 1, group
        )
        self.changes.append(Change(group, self.columns, list(puts), list(ends)))
        return self.say(draft, sealed=sealed)

    def adopt(self, signer: Key1, by: Key1) -> LogEntry:
        """The feed passes to the next enrolment version, whose key is `signer`'s; `by` signs as the old one."""
        message = adoption_message(SUITE, self.head.hash, self.enrolment + 1, signer.public_key)
        payload = AdoptionPayload(old_signature=by.sign(message)).SerializeToString()
        self.signer, self.enrolment = signer, self.enrolment + 1
        return self.say(Draft(Kind.ADOPTION, Lane.BULK, CODEC_MESSAGE, payload, len(payload), 0, 1, 0))

    def say(self, draft: Draft, *, sealed: bool = True) -> LogEntry:
        """One entry of any kind."""
        author = Author(FEDERATION, self.origin, INSTANCE, self.enrolment)
        entry = make_entry(SUITE, author, self.feed, Route.PARENT, self.head, draft, 0)
        if sealed:
            entry = seal(self.signer, entry)
        self.head = Head(EPOCH, entry.seq, entry.header_hash)
        self.entries.append(entry)
        return entry


def state_of(feed: FeedName = FEED, head: Head | None = None) -> FeedState:
    """A new feed's state."""
    return FeedState(feed, Route.PARENT, Lane.BULK, head or Head(EPOCH, 0, b"\0" * 32))


def receive(store: Store, log: Log, state: FeedState | None = None) -> FeedState:
    """Stores and applies a whole log, as a receiver does: entries, rows, state."""
    state = state or state_of(log.feed)
    keys = keys_of(SCHEMA, log.changes)
    merged = merge(SCHEMA, log.feed, log.changes, keys, store.held("demo", ORIGIN, keys))
    store.begin()
    store.perform(Append(log.feed, EPOCH, log.entries, [0] * len(log.entries)))
    for write in merged.writes:
        store.perform(write)
    state.head = log.head
    state.entries += len(log.entries)
    state.digest = shift_digest(state.digest, merged.added, merged.removed)
    state.rows += merged.rows
    store.perform(SaveFeed(state))
    store.commit()
    return state


def tell(store: Store, fates: Sequence[FateRow], *, not_listed: int = 0) -> None:
    """Tells ORIGIN, in a feed of NODE, what became of rows of FEED; the store is of the instance that does so."""
    told = [
        Refusal(
            publication=FEED.publication,
            epoch=EPOCH,
            seq=f.seq,
            dataset=f.dataset,
            key=f.key,
            fate=int(f.fate),  # type: ignore[arg-type]
        )
        for f in fates
    ]
    payload = RefusalsPayload(refusals=told, not_listed=not_listed).SerializeToString()
    log = Log(FeedName(NODE, REFUSALS, ORIGIN), origin=NODE)
    entry = log.say(Draft(Kind.REFUSALS, Lane.NORMAL, CODEC_MESSAGE, payload, len(payload), len(told), 1, 1))
    state = state_of(log.feed, log.head)
    state.entries = 1
    store.begin()
    store.perform(SaveMeta("instance", INSTANCE))
    store.perform(Append(log.feed, EPOCH, [entry], [0]))
    store.perform(SaveFeed(state))
    store.commit()


def publish(store: Store, log: Log, group: int, rows: Sequence[Row], state: FeedState) -> None:
    """Writes own rows at the origin and seals them into one feed that carries log.columns of each."""
    cells = [tuple(r[SCHEMA.names.index(c)] for c in log.columns) for r in rows]
    entry = log.add(group, cells)
    order = to_schema_order(SCHEMA, log.columns)
    added = sum(row_hash(group, c if order is None else order(c)) for c in cells)
    state.digest = shift_digest(state.digest, added, 0)
    state.rows += len(rows)
    state.head = log.head
    state.entries += 1
    store.begin()
    store.perform(UpsertRows("demo", log.origin, None, SCHEMA.names, rows, group))
    store.perform(Append(log.feed, EPOCH, [entry], [0]))
    store.perform(SaveFeed(state))
    store.commit()


def rules(node: str = NODE, **changed: object) -> Rules:
    """What fsck needs to know of this world."""
    given: dict[str, object] = {
        "node": node,
        "federation": FEDERATION,
        "suites": {1: SUITE},
        "key_of": lambda origin, enrolment: KEYS.get(enrolment),
        "schemas": [SCHEMA],
        "schema_of": lambda publication, dataset: SCHEMA if dataset == "demo" else None,
        "applies": lambda feed, route: True,
    }
    return Rules(**(given | changed))  # type: ignore[arg-type]
