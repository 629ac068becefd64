"""Vectors of what is hashed and signed by itself: keys, headers, payloads, rows, statements, anchors, enrolment."""

from __future__ import annotations

import gzip
from hashlib import sha256
from typing import Any

from sync.suites import genesis
from sync.values import FeedName, Lane, Route
from tests.vectors.world import (
    CITY,
    DEMO,
    FEDERATION,
    NATION,
    OTHER_CITY,
    PROVINCE,
    SUITE,
    Forge,
    adoption_input,
    city_feed,
    demo_row,
    key,
    pack,
    seed,
    sixteen,
    zstd_frame,
)

Cases = dict[str, dict[str, Any]]
Vectors = dict[str, Any]

KIB = 1024
MIB = 1024 * KIB

ZSTD_LEVEL_1 = bytes.fromhex(
    "28b52ffd606301350600c40994a464656d6f9aa26964a470617274a86469766973696f6ea6616d6f756e74a5726174696fa46f70656e"
    "a570686f746fa3646179a26174a46e6f7465989aa9636173652d3030303101a6333330313036a531322e3530cb3fd000c3c40200ffaa"
    "323032362d31312d3232cf000660cb73f00001a6e4ba95e79b96320202330303340404350505360606370707380808919392390901a6"
    "e9878de5a48d1100d3ab0cc8eec04430b381d9c02c062682990dcc0666313011cc6c6036308bc1601401be260033"
)
"""Eight demo rows and one removal as libzstd 1.5.7 packed them at level 1; other versions may pack otherwise."""


def keys() -> Vectors:
    """Keys of suite 1 and their ids."""
    good: Cases = {}
    for name in (NATION, PROVINCE, CITY, f"{CITY}/2", OTHER_CITY):
        public = key(name).public_key
        key_id = sha256(b"tiersync.v1.key\0" + (1).to_bytes(4, "big") + public).digest()
        good[f"log key of {name}"] = {
            "suite": 1,
            "seed": seed(name).hex(),
            "public_key": public.hex(),
            "key_id": key_id.hex(),
        }
    return {"about": "Ed25519 keys from seeds (RFC 8032); key_id = H(KEY || suite || public key).", "good": good}


def headers() -> Vectors:
    """Header hash, genesis, seal, adoption message."""
    plain = city_feed().records([demo_row()])
    forge = city_feed()
    odd = forge.records([demo_row()], extra=b"\xa2\x06\x05later")
    moves = Forge(FeedName(CITY, "moves", NATION), key(CITY), Route.NODE, Lane.URGENT)
    addressed = moves.entry(b"", rows=0)
    good: Cases = {
        "a header with every field": _header(plain.header, plain.seal),
        "a header with a field that no version knows yet": _header(odd.header, odd.seal),
        "a header of a feed with an addressee": _header(addressed.header, addressed.seal),
    }
    feed, epoch = FeedName(CITY, "demo.parent"), sixteen("epoch x")
    named = {"federation": FEDERATION, "origin": CITY, "publication": "demo.parent", "addressee": ""}
    genesis_cases = {
        "genesis of a feed without addressee": named
        | {"epoch": epoch.hex(), "hash": genesis(SUITE, FEDERATION, *feed, epoch).hex()},
        "genesis of a feed with an addressee": named
        | {
            "addressee": NATION,
            "epoch": epoch.hex(),
            "hash": genesis(SUITE, FEDERATION, CITY, "demo.parent", NATION, epoch).hex(),
        },
    }
    new = key(f"{CITY}/2")
    message = adoption_input(b"\x11" * 32, 2, new)
    adoption = {
        "version 2 adopted after a header hash of 32 times 0x11": {
            "prev": (b"\x11" * 32).hex(),
            "version": 2,
            "new_public_key": new.public_key.hex(),
            "message": message.hex(),
            "old_public_key": key(CITY).public_key.hex(),
            "old_signature": key(CITY).sign(message).hex(),
        }
    }
    about = "header_hash = H(HEADER || header bytes); seal = Sign(SEAL || header_hash); see docs/wire.md 3."
    return {"about": about, "good": good, "genesis": genesis_cases, "adoption": adoption}


def _header(header: bytes, seal: bytes) -> dict[str, Any]:
    return {
        "header": header.hex(),
        "header_hash": sha256(b"tiersync.v1.header\0" + header).hexdigest(),
        "seal": seal.hex(),
        "public_key": key(CITY).public_key.hex(),
    }


def payloads() -> Vectors:
    """Codecs 1 and 3: what the bytes mean, and what is refused or told row by row."""
    rows = [demo_row(n) for n in range(1, 9)]
    ends = [[["case-0009", 9], 1, "重复"]]
    plain = pack(["demo", list(DEMO.names), rows, ends])
    empty = pack(["demo", list(DEMO.names), [], []])
    few = pack(["demo", ["part", "id"], [[1, "a"]], [[["b", 2], 2, ""]]])
    run = zstd_frame([(b"\xc0", 100)], 100)
    good: Cases = {
        "codec 3 holds rows as they are": _payload(plain, plain, 3, 9, rows, ends),
        "codec 1 holds the same rows under zstd": _payload(ZSTD_LEVEL_1, plain, 1, 9, rows, ends),
        "an entry without rows": _payload(empty, empty, 3, 0, [], []),
        "columns in another order, the rest left out": _payload(few, few, 3, 2, [[1, "a"]], [[["b", 2], 2, ""]]),
    }
    good["columns in another order, the rest left out"]["columns"] = ["part", "id"]
    bad_rows = {
        "a row beside a good one has text where a number belongs": _bad_row(part="1", reason="WRONG_TYPE"),
        "a text is longer than its column": _bad_row(note="123456789", reason="TOO_LONG"),
        "a key cell is nil": _bad_row(id=None, reason="WRONG_TYPE"),
        "a decimal has a line feed at its end": _bad_row(amount="1\n", reason="WRONG_TYPE"),
        "a decimal has a leading zero": _bad_row(amount="01", reason="WRONG_TYPE"),
        "a date is written in the digits of another script": _bad_row(day="２０２６-01-01", reason="WRONG_TYPE"),
        "a cell is an array": _bad_row(note=[1], reason="WRONG_TYPE"),
        "a cell is nested 101 deep": _bad_row(note=_nested(101), reason="WRONG_TYPE"),
        "an integer is beyond 64 bits with sign": _bad_row(part=2**63, reason="WRONG_TYPE"),
        "a float is not a number": _bad_row(ratio=float("nan"), reason="WRONG_TYPE"),
        "a row has a cell too few": {"row": demo_row()[:-1], "reason": "WRONG_TYPE"},
    }
    for case in bad_rows.values():
        payload = pack(["demo", list(DEMO.names), [case.pop("row"), demo_row(2)], []])
        case |= {"payload": payload.hex(), "plain_size": len(payload), "rows": 2, "codec": 3}
    wide = {
        "a row of 8 million cells": _wide(b"\x91", b"\x90"),
        "a removal of 8 million cells": _wide(b"\x90\x91", b""),
        "a removal whose key has 8 million cells": _wide(b"\x90\x91\x93", b"\x01\xa0"),
    }
    return {
        "about": "Header fields that matter, the payload, what it means; in 'refused' the whole entry is not valid, in "
        "'rows_refused' the first row alone, in 'wide' the only row, whose payload is parts, each so many times, and "
        "which costs no memory to refuse. Compressed bytes need not come out alike when packed again.",
        "schema": {
            "dataset": DEMO.dataset,
            "key": list(DEMO.key),
            "columns": [[c.name, c.type.value, c.nullable, c.length] for c in DEMO.columns],
        },
        "good": good,
        "rows_refused": bad_rows,
        "wide": wide,
        "refused": _payloads_refused(plain, run),
    }


def _payload(payload: bytes, plain: bytes, codec: int, count: int, puts: list[Any], ends: list[Any]) -> dict[str, Any]:
    return {
        "codec": codec,
        "rows": count,
        "plain_size": len(plain),
        "payload": payload.hex(),
        "payload_digest": sha256(b"tiersync.v1.payload\0" + payload).hexdigest(),
        "columns": list(DEMO.names),
        "puts": [[_cell(c) for c in row] for row in puts],
        "ends": ends,
    }


def _cell(cell: Any) -> Any:
    return {"bytes": cell.hex()} if isinstance(cell, bytes) else cell


def _nested(depth: int) -> Any:
    made: Any = 1
    for _ in range(depth):
        made = [made]
    return made


def _bad_row(*, reason: str, **cells: Any) -> dict[str, Any]:
    return {"row": demo_row(1, **cells), "reason": reason}


def _wide(before: bytes, after: bytes) -> dict[str, Any]:
    """A payload of nearly 8 MiB, one row's nils most of it, in blocks so small that the ratio of 64 holds."""
    blocks = 32_700
    start = b"\x94" + pack("demo") + pack(list(DEMO.names)) + before + b"\xdd" + (blocks * 256).to_bytes(4, "big")
    plain_size = len(start) + blocks * 256 + len(after)
    head = zstd_frame([(start, len(start)), (after, len(after))], plain_size)
    last = 3 + len(after)
    nils = (1 << 1 | 256 << 3).to_bytes(3, "little") + b"\xc0"
    parts = [[head[:-last].hex(), 1], [nils.hex(), blocks], [head[-last:].hex(), 1]]
    return {"parts": parts, "plain_size": plain_size, "rows": 1, "codec": 1, "reason": "WRONG_TYPE"}


def _payloads_refused(plain: bytes, run: bytes) -> Cases:
    mib8 = [(b"\xc0", 128 * KIB)] * 64

    def case(payload: bytes, plain_size: int, reason: str, rows: int = 9, codec: int = 1) -> dict[str, Any]:
        return {
            "payload": payload.hex(),
            "plain_size": plain_size,
            "rows": rows,
            "codec": codec,
            "reason": reason,
        }

    many = b"\x94\xa4demo\x90\xdd\xff\xff\xff\xff\x90"
    return {
        "a zstd bomb that says its size": case(zstd_frame(mib8, 8 * MIB), 8 * MIB, "LIMIT_EXCEEDED"),
        "a zstd bomb that says a small size in the header": case(zstd_frame(mib8, 8 * MIB), 60 * KIB, "MALFORMED"),
        "a zstd bomb that says a small size twice": case(zstd_frame(mib8, 60 * KIB), 60 * KIB, "MALFORMED"),
        "a zstd frame that says no size": case(zstd_frame([(b"\xc0", 100)], None), 100, "MALFORMED"),
        "more than 8 MiB": case(zstd_frame(mib8, 8 * MIB), 8 * MIB + 1, "LIMIT_EXCEEDED"),
        "a gzip bomb": case(gzip.compress(bytes(60 * KIB), mtime=0), 60 * KIB, "MALFORMED"),
        "a zstd frame with bytes after it": case(run + b"x", 100, "MALFORMED"),
        "two zstd frames": case(run + run, 200, "MALFORMED"),
        "a zstd frame cut off": case(ZSTD_LEVEL_1[:-1], len(plain), "MALFORMED"),
        "plain_size that lies, compressed": case(ZSTD_LEVEL_1, len(plain) + 1, "MALFORMED"),
        "plain_size that lies, not compressed": case(plain, len(plain) - 1, "MALFORMED", codec=3),
        "rows count that lies": case(plain, len(plain), "MALFORMED", rows=8, codec=3),
        "10,001 rows": case(plain, len(plain), "LIMIT_EXCEEDED", rows=10_001, codec=3),
        "an array that claims 2^32 - 1 rows": case(many, len(many), "MALFORMED", codec=3),
        "rows that are no array": case(pack(["demo", [], 9, []]), 9, "MALFORMED", codec=3),
        "an outer array of five": case(pack(["demo", [], [], [], []]), 10, "MALFORMED", rows=0, codec=3),
        "bytes after the outer array": case(plain + b"\xc0", len(plain) + 1, "MALFORMED", codec=3),
        "nesting 101 deep instead of the outer array": case(pack(_nested(101)), 102, "MALFORMED", rows=0, codec=3),
        "an unknown codec": case(plain, len(plain), "MALFORMED", codec=9),
    }


def rows() -> Vectors:
    """Row hash and digest."""
    cases: Cases = {}
    whole = demo_row()
    told = {
        "a whole row": (7, whole),
        "nils at the end are cut off": (7, [*whole[:8], None, None]),
        "nils in the middle stay": (
            7,
            ["case-0001", 1, None, None, None, None, None, None, None, "x"],
        ),
        "the highest version": (2**63 - 1, ["a", -1, "330106"]),
        "a float of whole value stays a float": (1, ["a", 1, "330106", None, 1.0]),
        "an empty text is not nil": (1, ["a", 1, "330106", None, None, False, b"", None, None, ""]),
    }
    total = 0
    for name, (version, cells) in told.items():
        trimmed = list(cells)
        while trimmed and trimmed[-1] is None:
            trimmed.pop()
        data = b"tiersync.v1.row\0" + pack([version, trimmed])
        number = int.from_bytes(sha256(data).digest(), "big")
        total = (total + number) % 2**256
        cases[name] = {
            "version": version,
            "cells": [_cell(c) for c in cells],
            "hashed": data.hex(),
            "row_hash": f"{number:064x}",
        }
    about = "row_hash = SHA-256(ROW || msgpack [version, cells]); digest = sum mod 2^256 of all rows here."
    return {"about": about, "good": cases, "digest": f"{total:064x}", "empty_digest": "00" * 32}
