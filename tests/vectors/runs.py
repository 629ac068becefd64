"""Vectors of runs, registry records and evidence: what is taken, and what is refused with which reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sync.values import FeedName, Kind, Route
from sync.wire.v1.entry_pb2 import EntryHeader, EpochStartPayload
from sync.wire.v1.frame_pb2 import Entry, Frame, Run
from tests.vectors.objects import Cases, Vectors
from tests.vectors.world import (
    CITY,
    NATION,
    OTHER_CITY,
    OTHER_PROVINCE,
    PROVINCE,
    Forge,
    anchor_body,
    city_feed,
    demo_row,
    header_hash,
    key,
    known_records,
    pack,
    record,
    sixteen,
)


def as_hex(message: Any) -> str:
    data: bytes = message.SerializeToString(deterministic=True)
    return data.hex()


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


# --- runs ---


def runs() -> Vectors:
    """Run messages as they stand in a frame, read with the registry of `registry.json`."""
    return {
        "about": "Run messages. 'kept_seals': seqs whose seal a receiver keeps. 'rows': [puts, removals, bad rows] per "
        "entry, or the reason for which the whole entry is parked or refused. 'crowded': payloads in which a part "
        "stands so many times. 'measured': runs of entries made by their measures (payload and an unknown "
        "header field of so many zeros, what the header says of plain_size and rows, so many times; 'sealed' is the "
        "last of each group), opened by a relay: 'kept_seals', or the reason.",
        "anchor_body": as_hex(anchor_body()),
        "records": [{"sealer": sealer, "record": as_hex(said)} for sealer, said in known_records()],
        "good": _good(),
        "refused": {name: {"run": as_hex(run), "reason": reason} for name, (reason, run) in _refused().items()},
        "crowded": _crowded(),
        "measured": _measured(),
        "frames": _frames(),
    }


def _taken(run: Run, rows: list[Any], kept: list[int] | None = None) -> dict[str, Any]:
    first = EntryHeader.FromString(run.entries[0].header).seq
    last = first + len(run.entries) - 1
    return {
        "run": as_hex(run),
        "first_seq": first,
        "last_seq": last,
        "head": header_hash(run.entries[-1].header).hex(),
        "kept_seals": kept or [last],
        "rows": rows,
    }


def _good() -> Cases:
    one = city_feed()
    many = city_feed()
    sparse = [many.records([demo_row(n)], sealed=n == 256) for n in range(1, 257)]
    odd = city_feed()
    ended = city_feed()
    dense, dense_rows = city_feed(), [demo_row(n, note=None) for n in range(100)]
    often = [dense.records(dense_rows) for _ in range(12)]
    near = city_feed()
    each = [near.records([demo_row(n)]) for n in range(1, 4)]
    adopted = city_feed()
    before = [adopted.records([demo_row(1)], sealed=False)]
    before += [adopted.adoption(2, key(f"{CITY}/2"), key(CITY), sealed=False), adopted.records([demo_row(2)])]
    later = city_feed(seq=40, head=b"\x2a" * 32, group=2**32)
    newer = city_feed(schema_version=2)
    format2, kind9 = city_feed(), city_feed()
    relayed = Forge(FeedName(CITY, "x_unknown.thing", NATION), key(CITY), Route.NODE)
    wrong_feed = city_feed()
    said = record(OTHER_CITY, CITY, "330106")
    return {
        "one entry, one seal": _taken(one.run([one.records([demo_row()])]), [[1, 0, 0]]),
        "256 entries, one seal": _taken(many.run(sparse), [[1, 0, 0]] * 256),
        "an unknown header field is hashed with the rest": _taken(
            odd.run([odd.records([demo_row()], extra=b"\xa2\x06\x05later")]), [[1, 0, 0]]
        ),
        "a row voided that was never seen": _taken(
            ended.run([ended.records([], [[["gone", 1], 1, "no such case"]])]), [[0, 1, 0]]
        ),
        "seals in between are verified and kept at the sealing distance": _taken(
            dense.run(often), [[100, 0, 0]] * 12, _due_seals(often)
        ),
        "seals nearer than the sealing distance are left out": _taken(near.run(each), [[1, 0, 0]] * 3),
        "a new enrolment version adopted in mid-feed": _taken(adopted.run(before), [[1, 0, 0], None, [1, 0, 0]]),
        "a run from the middle of a feed": _taken(later.run([later.records([demo_row()])]), [[1, 0, 0]]),
        "a higher schema version that this receiver can read": _taken(
            newer.run([newer.records([demo_row()])]), [[1, 0, 0]]
        ),
        "a higher schema version with a column not known yet": _taken(
            newer.run([newer.records([["a", 1]], columns=["id", "colour"])]), ["UNKNOWN_SCHEMA_VERSION"]
        ),
        "a dataset not known here": _taken(
            relayed.run([relayed.records([[1]], columns=["a"], dataset="x_thing")]), ["UNKNOWN_DATASET"]
        ),
        "a column not known in a schema version that is": _taken(
            one.run([one.records([["a", 1]], columns=["id", "colour"])]), ["UNKNOWN_COLUMN"]
        ),
        "a payload without a key column": _taken(
            one.run([one.records([["330106"]], columns=["division"])]), ["KEY_MISSING"]
        ),
        "a header of a later format": _taken(
            format2.run([format2.records([demo_row()], format=2)]), ["UNKNOWN_SCHEMA_VERSION"]
        ),
        "a kind not known here": _taken(kind9.run([kind9.entry(b"x", kind=9)]), ["UNKNOWN_SCHEMA_VERSION"]),  # type: ignore[arg-type]
        "registry records outside the registry feed count nowhere": _taken(
            wrong_feed.run([wrong_feed.registry(said)]), ["RULE_BROKEN"]
        ),
    }


def _due_seals(entries: list[Entry]) -> list[int]:
    """Seqs at which 32 KiB of headers and payloads have gathered since the last such seal; and the last."""
    kept, since = [], 0
    for seq, entry in enumerate(entries, start=1):
        since += len(entry.header) + len(entry.payload)
        if since >= 32 * 1024 or seq == len(entries):
            kept.append(seq)
            since = 0
    return kept


def _measured() -> Cases:
    """What a run may hold in all, and how far it may go from seal to seal."""

    def group(times: int, *, sealed: bool = True, **measures: int) -> dict[str, Any]:
        return {
            "times": times,
            "payload": 0,
            "plain_size": 0,
            "rows": 0,
            "header_field": 0,
            "sealed": sealed,
        } | measures

    def case(kept: list[int] | str, *groups: dict[str, Any]) -> dict[str, Any]:
        result = {"reason": kept} if isinstance(kept, str) else {"kept_seals": kept}
        return {"groups": groups} | result

    kib = 1024
    return {
        "an entry at all its bounds": case(
            [1], group(1, payload=1020 * kib, plain_size=8 * kib * kib, rows=10_000, header_field=2 * kib)
        ),
        "128 entries of 64 KiB plain": case([128], group(128, plain_size=64 * kib)),
        "129 entries of 64 KiB plain": case("LIMIT_EXCEEDED", group(129, plain_size=64 * kib)),
        "two entries of 10,000 rows": case([2], group(2, rows=10_000)),
        "two entries of 10,000 rows and one of one": case("LIMIT_EXCEEDED", group(2, rows=10_000), group(1, rows=1)),
        "256 entries up to each seal": case([256, 512], group(256), group(256)),
        "257 entries up to a seal": case("NO_SEAL", group(257)),
        "a seal is kept before one that lies too far from the last": case([40, 280], group(40), group(240)),
        "1.5 MiB up to a seal": case([2], group(1, payload=1020 * kib, sealed=False), group(1, payload=512 * kib)),
        "more than 1.5 MiB up to a seal": case(
            "NO_SEAL", group(1, payload=1020 * kib, sealed=False), group(1, payload=516 * kib)
        ),
    }


def _frames() -> Cases:
    forge = city_feed()
    run = Frame(run=forge.run([forge.records([demo_row()])])).SerializeToString(deterministic=True)
    return {
        "a frame of a kind not known yet has no kind and is counted": {"frame": "a206020801", "kind": None},
        "a known frame with an unknown field beside it": {"frame": (run + b"\xa2\x06\x01x").hex(), "kind": "run"},
    }


Made = tuple[str, Run]


def _one(change: Callable[[Forge], Entry], forge: Forge | None = None) -> Run:
    forge = forge or city_feed()
    return forge.run([change(forge)])


def _changed(**parts: Callable[[Entry], bytes]) -> Run:
    forge = city_feed()
    entry = forge.records([demo_row()])
    for name, make in parts.items():
        setattr(entry, name, make(entry))
    return forge.run([entry])


def _refused() -> dict[str, Made]:
    return _refusedas_hex() | _refused_keys() | _refused_links() | _refused_shapes()


def _refusedas_hex() -> dict[str, Made]:
    def again(entry: Entry) -> bytes:
        """The same fields, written in another order: the same meaning, other bytes."""
        header = EntryHeader.FromString(entry.header)
        lane = b"\xb0\x01" + bytes([header.lane])
        header.ClearField("lane")
        return lane + header.SerializeToString(deterministic=True)

    odd = city_feed()
    entry = odd.records([demo_row()], extra=b"\xa2\x06\x05later")
    entry.header = entry.header.removesuffix(b"\xa2\x06\x05later")
    return {
        "a byte of the header flipped": ("BAD_SEAL", _changed(header=lambda e: flip(e.header, len(e.header) - 5))),
        "a byte of the payload flipped": ("BAD_PAYLOAD_DIGEST", _changed(payload=lambda e: flip(e.payload, 20))),
        "a byte of the seal flipped": ("BAD_SEAL", _changed(seal=lambda e: flip(e.seal, 3))),
        "a seal cut short": ("BAD_SEAL", _changed(seal=lambda e: e.seal[:-1])),
        "an entry re-encoded with the same meaning": ("BAD_SEAL", _changed(header=again)),
        "an unknown field stripped": ("BAD_SEAL", odd.run([entry])),
        "a run without a seal": ("NO_SEAL", _changed(seal=lambda e: b"")),
        "a run truncated in the middle of a header": ("MALFORMED", _changed(header=lambda e: e.header[:-4])),
        "a header that says another payload size": (
            "MALFORMED",
            _one(lambda f: f.records([demo_row()], payload_size=1)),
        ),
    }


def _refused_keys() -> dict[str, Made]:
    trial = city_feed(federation="cn-trial")
    other_feed = Forge(FeedName(CITY, "demo.other"), key(CITY))
    other_epoch = city_feed(epoch=sixteen("another epoch"))
    return {
        "the seal of another feed": ("BAD_SEAL", _with_seal(other_feed.records([demo_row()]).seal)),
        "the seal of another epoch": ("BAD_SEAL", _with_seal(other_epoch.records([demo_row()]).seal)),
        "the seal of another federation": ("BAD_SEAL", _with_seal(trial.records([demo_row()]).seal)),
        "a run of another federation": ("FEDERATION_MISMATCH", trial.run([trial.records([demo_row()])])),
        "a seal by another node's key": ("BAD_SEAL", _one(lambda f: f.records([demo_row()], by=key(OTHER_CITY)))),
        "a seal by the parent in the child's name": (
            "BAD_SEAL",
            _one(lambda f: f.records([demo_row()], by=key(PROVINCE))),
        ),
        "a seal by a key never enrolled": ("BAD_SEAL", _one(lambda f: f.records([demo_row()], by=key("nobody")))),
        "an enrolment version not known": ("UNKNOWN_ENROLMENT", _one(lambda f: f.records([demo_row()], enrolment=9))),
        "an origin not known": (
            "UNKNOWN_ENROLMENT",
            _one(lambda f: f.records([demo_row()]), Forge(FeedName(OTHER_PROVINCE, "demo.parent"), key("x"))),
        ),
        "an old key under the new version": ("BAD_SEAL", _one(lambda f: f.records([demo_row()], enrolment=2))),
        "a suite not known": ("MALFORMED", _one(lambda f: f.records([demo_row()], suite=7))),
    }


def _with_seal(seal: bytes) -> Run:
    return _changed(seal=lambda e: seal)


def _refused_links() -> dict[str, Made]:
    skipped = city_feed()
    first = skipped.records([demo_row(1)], sealed=False)
    skipped.seq += 1
    gap = skipped.run([first, skipped.records([demo_row(2)])])
    swapped = city_feed()
    three = [swapped.records([demo_row(n)]) for n in range(3)]
    foreign, beside = city_feed(), Forge(FeedName(CITY, "demo.other"), key(CITY))
    one = foreign.records([demo_row(1)], sealed=False)
    foreign.head = header_hash(beside.records([demo_row(1)]).header)
    two_feeds, other = city_feed(), Forge(FeedName(CITY, "demo.other"), key(CITY))
    mixed = two_feeds.run([two_feeds.records([demo_row(1)]), other.records([demo_row(1)])])
    last = city_feed()
    tail = [last.records([demo_row(1)]), last.records([demo_row(2)], sealed=False)]
    moved = city_feed()
    replayed = moved.run([moved.records([demo_row()])])
    replayed.epoch = sixteen("another epoch")
    changed = city_feed()
    middle = [changed.records([demo_row(n)], sealed=n == 3) for n in range(1, 4)]
    middle[1].header = flip(middle[1].header, len(middle[1].header) - 5)
    addressed = city_feed()
    addressee = [addressed.records([demo_row(1)], sealed=False), addressed.records([demo_row(2)], addressee=NATION)]
    return {
        "a seq skipped": ("GAP", gap),
        "two entries swapped": ("GAP", swapped.run([three[0], three[2], three[1]])),
        "the same entry twice": ("GAP", swapped.run([three[0], three[0]])),
        "prev of another feed": ("BAD_PREV", foreign.run([one, foreign.records([demo_row(2)])])),
        "a byte of a header in the middle flipped": ("BAD_PREV", changed.run(middle)),
        "a run of entries from two feeds": ("MALFORMED", mixed),
        "a seal that is not on the run's last entry": ("NO_SEAL", last.run(tail)),
        "a run replayed under a new epoch": ("MALFORMED", replayed),
        "the addressee changed within a run": ("MALFORMED", addressed.run(addressee)),
    }


def _refused_shapes() -> dict[str, Made]:
    empty = city_feed()
    padded = b"\xa2\x06\x81\x20" + bytes(4097)  # field 100, 4,097 bytes
    many, few = pack(["demo", ["id", "part"], [], []]), EpochStartPayload()
    short = city_feed()
    lying = city_feed()
    return {
        "a run without entries": ("MALFORMED", empty.run([])),
        "a header above 4 KiB": ("LIMIT_EXCEEDED", _one(lambda f: f.records([demo_row()], extra=padded))),
        "a route that does not exist": ("MALFORMED", _one(lambda f: f.records([demo_row()], route=6))),
        "no route": ("MALFORMED", _one(lambda f: f.records([demo_row()], route=0))),
        "format 0": ("MALFORMED", _one(lambda f: f.records([demo_row()], format=0))),
        "seq 0": ("MALFORMED", _one(lambda f: f.records([demo_row()], seq=0))),
        "an epoch of 15 bytes": ("MALFORMED", _one(lambda f: f.records([demo_row()]), city_feed(epoch=b"e" * 15))),
        "a prev of 31 bytes": ("MALFORMED", _one(lambda f: f.records([demo_row()], prev=b"p" * 31))),
        "a group beyond 63 bits": ("MALFORMED", _one(lambda f: f.records([demo_row()], group=2**63))),
        "a publication that is no name": (
            "MALFORMED",
            _one(lambda f: f.records([demo_row()]), Forge(FeedName(CITY, "demo'--"), key(CITY))),
        ),
        "an addressee that is no node id": (
            "MALFORMED",
            _one(lambda f: f.records([demo_row()]), Forge(FeedName(CITY, "demo.node", "../x"), key(CITY))),
        ),
        "10,001 rows": ("LIMIT_EXCEEDED", short.run([short.entry(many, rows=10_001)])),
        "rows count that lies": ("MALFORMED", lying.run([lying.entry(many, rows=1)])),
        "a registry payload that holds more records than it says": (
            "MALFORMED",
            _one(
                lambda f: f.registry(record(CITY, PROVINCE, "330100"), rows=0),
                Forge(FeedName(PROVINCE, "registry"), key(PROVINCE), Route.EVERYWHERE),
            ),
        ),
        "a message kind in a codec of rows": (
            "MALFORMED",
            _one(lambda f: f.entry(few.SerializeToString(), kind=Kind.EPOCH_START)),
        ),
        "a message that does not parse": (
            "MALFORMED",
            _one(lambda f: f.entry(b"\x0a\xff", kind=Kind.EPOCH_START, codec=2)),
        ),
    }


def _crowded() -> Cases:
    """Messages of far more parts than they may hold: refused before any of them is built."""

    def case(kind: Kind, reason: str, part: str, times: int, *, start: str = "", rows: int = 0) -> dict[str, Any]:
        return {"kind": int(kind), "rows": rows, "start": start, "part": part, "times": times, "reason": reason}

    half = 512 * 1024 - 4_096
    size = half * 2
    length = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14])
    return {
        "half a million empty records where rows says one": case(Kind.REGISTRY, "MALFORMED", "0a00", half, rows=1),
        "half a million empty refusals where rows says one": case(Kind.REFUSALS, "MALFORMED", "0a00", half, rows=1),
        "half a million empty bodies of a move": case(Kind.MOVE, "MALFORMED", "0a00", half),
        "half a million empty fields in a move": case(
            Kind.MOVE, "LIMIT_EXCEEDED", "5a00", half, start=(b"\x0a" + length).hex()
        ),
        "half a million empty scopes in a record": case(
            Kind.REGISTRY, "LIMIT_EXCEEDED", "3200", half, start=(b"\x0a" + length).hex(), rows=1
        ),
        "half a million empty signatures of an adoption": case(Kind.ADOPTION, "MALFORMED", "0a00", half),
        "half a million empty hashes of a checkpoint": case(Kind.CHECKPOINT, "MALFORMED", "1200", half),
        "half a million empty epochs of an epoch start": case(Kind.EPOCH_START, "MALFORMED", "0a00", half),
    }
