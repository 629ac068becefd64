"""Vectors of statements, anchors and the proof of an invite."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certs.authority import make_root
from certs.forms import to_der
from certs.logkey import LogKey
from sync.values import Route
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody
from sync.wire.v1.frame_pb2 import CutOffBody, FeedHead, FeedPosition, FeedReceipt, HeadsBody, ReceiptBody
from tests.vectors.objects import Cases, Vectors
from tests.vectors.world import (
    CITY,
    FEDERATION,
    NATION,
    PROVINCE,
    anchor_body,
    key,
    seed,
    sixteen,
)


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
    level = ReceiptBody.FromString(receipt)
    level.feeds[0].CopyFrom(
        FeedReceipt(
            publication="case.parent",
            received_epoch=sixteen("e"),
            received_seq=7,
            received_hash=b"\x07" * 32,
            applied_epoch=sixteen("e"),
            applied_seq=7,
            applied_hash=b"\x07" * 32,
            row_digest=b"\x6b" * 32,
        )
    )
    good: Cases = {
        "a heads statement": _signed(body, "heads", CITY),
        "a receipt": _signed(receipt, "receipt", PROVINCE),
        "a receipt with a digest of rows": _signed(level.SerializeToString(deterministic=True), "receipt", PROVINCE),
        "a closed period": _signed(_cut_off(), "cut_off", PROVINCE),
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


def _cut_off() -> bytes:
    """What a province held of a dataset when it closed a day."""
    return CutOffBody(
        federation=FEDERATION,
        node=PROVINCE,
        instance=sixteen("p"),
        enrolment=1,
        dataset="case_stat",
        period="2026-03-02",
        at=1_772_985_600_000_000,
        feeds=[FeedPosition(origin=CITY, head=_head("case_stat.ancestors", "", Route.ANCESTORS, 7))],
    ).SerializeToString(deterministic=True)


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
