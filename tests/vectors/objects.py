"""Vectors of what is hashed and signed by itself: keys, headers, payloads, rows, statements, anchors, enrolment."""

from __future__ import annotations

import gzip
import hmac
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certs.authority import make_root
from certs.forms import to_der
from certs.logkey import LogKey
from sync.suites import genesis
from sync.values import FeedName, Lane, Route
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody
from sync.wire.v1.frame_pb2 import FeedHead, FeedReceipt, HeadsBody, ReceiptBody
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
    anchor_body,
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
    return {
        "about": "Header fields that matter, the payload, what it means; in 'refused' the whole entry is not valid, in "
        "'rows_refused' the first row alone. Compressed bytes need not come out alike when packed again.",
        "schema": {
            "dataset": DEMO.dataset,
            "key": list(DEMO.key),
            "columns": [[c.name, c.type.value, c.nullable, c.length] for c in DEMO.columns],
        },
        "good": good,
        "rows_refused": bad_rows,
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
        "a whole row": (["case-0001", 1], 7, whole),
        "nils at the end are cut off": (["case-0001", 1], 7, [*whole[:8], None, None]),
        "nils in the middle stay": (
            ["case-0001", 1],
            7,
            ["case-0001", 1, None, None, None, None, None, None, None, "x"],
        ),
        "the highest version": (["a", -1], 2**63 - 1, ["a", -1, "330106"]),
        "a float of whole value stays a float": (["a", 1], 1, ["a", 1, "330106", None, 1.0]),
        "an empty text is not nil": (["a", 1], 1, ["a", 1, "330106", None, None, False, b"", None, None, ""]),
    }
    total = 0
    for name, (row_key, version, cells) in told.items():
        trimmed = list(cells)
        while trimmed and trimmed[-1] is None:
            trimmed.pop()
        data = b"tiersync.v1.row\0" + pack([row_key, version, trimmed])
        number = int.from_bytes(sha256(data).digest(), "big")
        total = (total + number) % 2**256
        cases[name] = {
            "key": row_key,
            "version": version,
            "cells": [_cell(c) for c in cells],
            "hashed": data.hex(),
            "row_hash": f"{number:064x}",
        }
    about = "row_hash = SHA-256(ROW || msgpack [key, version, cells]); digest = sum mod 2^256 of all rows here."
    return {"about": about, "good": cases, "digest": f"{total:064x}", "empty_digest": "00" * 32}


def statements() -> Vectors:
    """Heads digest, heads statement, receipt."""
    heads = [
        _head("case.parent", "", Route.PARENT, 7),
        _head("case.nation", NATION, Route.NODE, 3),
        _head("case.nation", "", Route.NODE, 1),
    ]
    listed = sorted(heads, key=lambda h: (h.publication, h.addressee))
    joined = b"".join(_prefixed(h) for h in listed)
    digest = sha256(b"tiersync.v1.heads\0" + joined).digest()
    body = HeadsBody(
        federation=FEDERATION,
        origin=CITY,
        instance=sixteen("i"),
        boot=sixteen("b"),
        counter=5,
        hlc=9,
        digest=digest,
        enrolment=1,
    ).SerializeToString(deterministic=True)
    receipt = ReceiptBody(
        federation=FEDERATION,
        receiver=PROVINCE,
        origin=CITY,
        instance=sixteen("p"),
        counter=6,
        feeds=[
            FeedReceipt(
                publication="case.parent",
                received_epoch=sixteen("e"),
                received_seq=7,
                received_hash=b"\x07" * 32,
                applied_epoch=sixteen("e"),
                applied_seq=5,
                applied_hash=b"\x05" * 32,
            )
        ],
        refusals_epoch=sixteen("r"),
        refusals_seq=2,
        refusals_hash=b"\x02" * 32,
        hlc=10,
        enrolment=1,
    ).SerializeToString(deterministic=True)
    good: Cases = {
        "a heads statement": _signed(body, "heads", CITY),
        "a receipt": _signed(receipt, "receipt", PROVINCE),
    }
    order: Cases = {
        "heads in any order have one digest": {
            "heads": [h.SerializeToString(deterministic=True).hex() for h in heads],
            "hashed": (b"tiersync.v1.heads\0" + joined).hex(),
            "digest": digest.hex(),
        }
    }
    about = "signature = Sign(domain || H(body)); the digest is over the list, docs/wire.md 'Statements'."
    return {"about": about, "good": good, "digests": order}


def _head(publication: str, addressee: str, route: Route, seq: int) -> FeedHead:
    return FeedHead(
        publication=publication,
        addressee=addressee,
        route=int(route),  # type: ignore[arg-type]
        epoch=sixteen(publication + addressee),
        seq=seq,
        header_hash=bytes([seq]) * 32,
        row_digest=bytes([seq + 100]) * 32 if seq > 1 else b"",
    )


def _prefixed(head: FeedHead) -> bytes:
    fields = (
        head.publication.encode(),
        head.addressee.encode(),
        int(head.route).to_bytes(4, "big"),
        head.epoch,
        head.seq.to_bytes(8, "big"),
        head.header_hash,
        head.row_digest,
    )
    return b"".join(len(f).to_bytes(4, "big") + f for f in fields)


def _signed(body: bytes, name: str, by: str) -> dict[str, Any]:
    message = f"tiersync.v1.{name}\0".encode() + sha256(body).digest()
    return {
        "body": body.hex(),
        "message": message.hex(),
        "signature": key(by).sign(message).hex(),
        "public_key": key(by).public_key.hex(),
    }


def _root_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(seed(name), "big") % 2**255 + 1, ec.SECP256R1())


def _anchor(body: AnchorBody, root: str) -> bytes:
    data = body.SerializeToString(deterministic=True)
    message = b"tiersync.v1.anchor\0" + sha256(data).digest()
    signature = _root_key(root).sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return Anchor(body=data, signature=signature).SerializeToString(deterministic=True)


def anchors(kept: Vectors | None) -> Vectors:
    """Anchors under a root. ECDSA signs differently each time, so the root certificate of `kept` stays."""
    root = (
        kept["root"]
        if kept
        else to_der(make_root(FEDERATION, _root_key("root"), 1_795_276_800_000_000, bytes(16)).certificate).hex()
    )
    good = _anchor(anchor_body(), "root")
    broken = Anchor.FromString(good)
    broken.body = broken.body.replace(b"100000", b"100001", 1)
    soft = anchor_body(log_public_key=b"\x01" + bytes(31))
    after = {
        "the same anchor again": ("NONE", _anchor(anchor_body(serial=2), "root")),
        "a newer one with the nation's next key": (
            "NONE",
            _anchor(anchor_body(serial=3, enrolment=2, log_public_key=key(f"{NATION}/2").public_key), "root"),
        ),
        "an older one": ("STALE_VERSION", good),
        "another one of the same serial": ("FORK", _anchor(anchor_body(serial=2, title="另一个"), "root")),
    }
    return {
        "about": "Anchor messages under a root certificate (DER). 'after' is read with the anchor 'held' at hand.",
        "root": root,
        "good": {"the nation's first anchor": {"anchor": good.hex(), "serial": 1}},
        "refused": {
            "an anchor by another root": {"anchor": _anchor(anchor_body(), "other root").hex(), "reason": "BAD_SEAL"},
            "a byte of the body flipped": {"anchor": broken.SerializeToString().hex(), "reason": "BAD_SEAL"},
            "an anchor of another federation": {
                "anchor": _anchor(anchor_body(federation="cn-trial"), "root").hex(),
                "reason": "FEDERATION_MISMATCH",
            },
            "an anchor whose log key is a point of small order": {
                "anchor": _anchor(soft, "root").hex(),
                "reason": "MALFORMED",
            },
            "serial 0": {"anchor": _anchor(anchor_body(serial=0), "root").hex(), "reason": "MALFORMED"},
        },
        "held": _anchor(anchor_body(serial=2), "root").hex(),
        "after": {name: {"anchor": data.hex(), "reason": reason} for name, (reason, data) in after.items()},
    }


def enrolment() -> Vectors:
    """The proof of an invite."""
    log_key: LogKey = key(CITY)
    fields: dict[str, Any] = {
        "federation": FEDERATION,
        "token": "00112233445566778899aabbccddeeff",
        "nonce": "4e" * 32,
        "csr": "30820101",
        "ca_csr": "",
        "suite": 1,
        "log_public_key": log_key.public_key.hex(),
        "root_fingerprint": "aa" * 32,
        "leaf_fingerprint": "bb" * 32,
    }
    parts = (
        fields["federation"].encode(),
        fields["token"].encode(),
        *(bytes.fromhex(fields[name]) for name in ("nonce", "csr", "ca_csr")),
        (1).to_bytes(4, "big"),
        *(bytes.fromhex(fields[name]) for name in ("log_public_key", "root_fingerprint", "leaf_fingerprint")),
    )
    about = b"tiersync.v1.invite\0" + b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    secret = b"\x5e" * 32
    case = fields | {
        "secret": secret.hex(),
        "input": about.hex(),
        "proof": hmac.digest(secret, about, "sha256").hex(),
        "possession": log_key.sign(b"tiersync.v1.enrol\0" + sha256(about).digest()).hex(),
    }
    return {"about": "certs/proof.py: input, HMAC-SHA-256, possession of the log key.", "good": {"a city's": case}}
