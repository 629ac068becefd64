"""Vectors of the evidence of a task: a nation's task for a city, with a move that lost; and what proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from certs.logkey import LogKey
from sync.reasons import Reason
from sync.values import FeedName, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import EnrolmentRecord, MoveBody, MoveField, MovePayload
from sync.wire.v1.frame_pb2 import Entry, FeedReceipt, ReceiptBody, ReceiptStatement
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from sync.wire.v1.task_evidence_pb2 import FeedProof, Stretch, TaskEvidenceBody
from tests.vectors.objects import Vectors
from tests.vectors.world import (
    CITY,
    FEDERATION,
    NATION,
    OTHER_CITY,
    PROVINCE,
    Forge,
    header_hash,
    key,
    record,
    sixteen,
)

MAGIC = b"tiersync task evidence\n"
TASK = "0123456789abcdef"
AT = 1_795_276_800_000_000
HOUR = 3_600_000_000
CODEC_MESSAGE = 2


def roots() -> dict[str, Any]:
    """The root certificate and the anchor of the vectors' federation."""
    made: dict[str, Any] = json.loads((Path(__file__).parent / "anchors.json").read_text("utf-8"))
    return made


def root() -> bytes:
    """The root certificate, DER."""
    return bytes.fromhex(roots()["root"])


def anchor() -> bytes:
    """The nation's first anchor, as a message."""
    return bytes.fromhex(roots()["good"]["the nation's first anchor"]["anchor"])


def move(name: str, number: int, by: str = NATION, **fields: Any) -> MoveBody:
    """A move of the task; what it says is in `says`."""
    says = fields.pop("says", {})
    made: dict[str, Any] = {
        "flow": "W2",
        "task": TASK,
        "move": name,
        "move_id": f"{name}-id",
        "base": max(number - 1, 0),
        "number": number,
        "by_node": by,
        "by_org": "督查处" if by == NATION else "城管局",
        "by_role": "主办",
        "at": AT + number * HOUR,
        "issuer": NATION,
        "holder": CITY,
        "accepted": number > 0,
    } | fields
    return MoveBody(**made, fields=[MoveField(name=field, text=text) for field, text in says.items()])


def verdict(proposal: MoveBody, number: int, state: str, **fields: Any) -> MoveBody:
    """The issuer's word on a move of the holder."""
    said = MoveBody.FromString(proposal.SerializeToString())
    said.number, said.verdict, said.accepted, said.state = number, True, True, state
    for name, value in fields.items():
        setattr(said, name, value)
    return said


def proposed(name: str, base: int, **fields: Any) -> MoveBody:
    """A move of the holder, not numbered."""
    return move(name, 0, CITY, base=base, at=AT + base * HOUR + HOUR // 2, **fields)


SIGN = proposed("sign", 2)
REPLY = proposed("reply", 3, says={"result": "已修复"})
LOST = verdict(
    REPLY, 5, "withdrawn", accepted=False, reason=int(Reason.WITHDRAWN), detail="'{}' crossed '{}' (move {})"
)
LOST.arguments.extend(("reply", "withdraw", "4"))
TOLD = (
    move("register", 1, state="registered", says={"title": "路面破损"}),
    move("issue", 2, state="issued", says={"requirement": "修复", "due": "2026-12-31"}),
    verdict(SIGN, 3, "signed"),
    move("withdraw", 4, state="withdrawn", says={"reason": "误报"}),
    LOST,
)
PROPOSED = (SIGN, REPLY)


class Feed:
    """One side's feed: moves of the task, and of another task, which goes in without its payload."""

    def __init__(self, origin: str, addressee: str, signer: LogKey | None = None, enrolment: int = 1) -> None:
        name = FeedName(origin, "moves", addressee)
        signer = signer or key(origin)
        self.forge = Forge(name, signer, route=Route.NODE, lane=Lane.URGENT, enrolment=enrolment)
        self.entries: list[Entry] = []

    def say(self, *bodies: MoveBody, sealed: bool = True, **fields: Any) -> Feed:
        """Each of these as an entry."""
        for body in bodies:
            payload = MovePayload(body=body).SerializeToString(deterministic=True)
            said: dict[str, Any] = {"kind": Kind.MOVE, "codec": CODEC_MESSAGE, "rows": 1} | fields
            self.entries.append(self.forge.entry(payload, sealed=sealed, **said))
        return self

    def of_another_task(self) -> Feed:
        """An entry whose payload is left out; the seal of the next one covers it."""
        self.say(move("register", 1, task="another", state="registered"), sealed=False)
        self.entries[-1].ClearField("payload")
        return self

    def proof(self, *stretches: Sequence[Entry]) -> FeedProof:
        """All of it as one stretch, or these."""
        made = [Stretch(entries=entries) for entries in stretches or (self.entries,)]
        return FeedProof(feed=wire(self.forge.feed), epoch=self.forge.epoch, stretches=made)

    def receipt(self, seq: int = 0, by: LogKey | None = None, **fields: Any) -> ReceiptStatement:
        """What the addressee signs of it: all up to `seq` (0: to its end)."""
        held = self.entries[(seq or len(self.entries)) - 1]
        origin, _, receiver = self.forge.feed
        said = FeedReceipt(
            publication="moves",
            addressee=receiver,
            received_epoch=self.forge.epoch,
            received_seq=seq or len(self.entries),
            received_hash=header_hash(held.header),
        )
        for name, value in fields.items():
            setattr(said, name, value)
        body = ReceiptBody(
            federation=FEDERATION,
            receiver=receiver,
            origin=origin,
            instance=sixteen("instance " + receiver),
            counter=9,
            feeds=[said],
            hlc=(1_800_000_100_000 << 16),
            enrolment=1,
        ).SerializeToString(deterministic=True)
        message = b"tiersync.v1.receipt\0" + sha256(body).digest()
        return ReceiptStatement(body=body, signature=(by or key(receiver)).sign(message))


def wire(feed: FeedName) -> WireFeed:
    """A feed's name as a message."""
    return WireFeed(origin=feed.origin, publication=feed.publication, addressee=feed.addressee)


def registry(origin: str, *records: EnrolmentRecord) -> FeedProof:
    """A parent's registry feed, whole."""
    forge = Forge(FeedName(origin, "registry", ""), key(origin), route=Route.EVERYWHERE, lane=Lane.URGENT)
    entries = [forge.registry(one) for one in records]
    return FeedProof(feed=wire(forge.feed), epoch=forge.epoch, stretches=[Stretch(entries=entries)])


def registries(*more: EnrolmentRecord) -> list[FeedProof]:
    """Of the nation and of the province; `more` are further records of the province."""
    cities = (record(CITY, PROVINCE, "330100", title="杭州市平台"), record(OTHER_CITY, PROVINCE, "330200"))
    return [
        registry(NATION, record(PROVINCE, NATION, "330000", title="浙江省平台")),
        registry(PROVINCE, *cities, *more),
    ]


def nations(told: Sequence[MoveBody] = TOLD) -> Feed:
    """The issuer's feed: an entry of another task stands between."""
    feed = Feed(NATION, CITY)
    return feed.say(*told[:2]).of_another_task().say(*told[2:])


def cities(said: Sequence[MoveBody] = PROPOSED) -> Feed:
    """The holder's feed."""
    return Feed(CITY, NATION).say(*said)


def evidence(**fields: Any) -> TaskEvidenceBody:
    """A good body, with some fields set otherwise."""
    issuer, holder = nations(), cities()
    made: dict[str, Any] = {
        "format": 1,
        "federation": FEDERATION,
        "task": TASK,
        "made_by": NATION,
        "enrolment": 1,
        "hlc": 1_800_000_200_000 << 16,
        "root": root(),
        "anchors": [anchor()],
        "registry": registries(),
        "moves": [issuer.proof(), holder.proof()],
        "receipts": [issuer.receipt(), holder.receipt()],
    } | fields
    return TaskEvidenceBody(**made)


def packed(body: TaskEvidenceBody, by: LogKey | None = None) -> bytes:
    """The file, signed by the maker whom it names, or by another hand."""
    data = body.SerializeToString(deterministic=True)
    signer = by or key(body.made_by)
    signature = signer.sign(b"tiersync.v1.task_evidence\0" + sha256(data).digest())
    return MAGIC + b"".join(len(part).to_bytes(4, "big") + part for part in (data, signature))


def _changed(change: Callable[[TaskEvidenceBody], object], by: LogKey | None = None) -> bytes:
    body = evidence()
    change(body)
    return packed(body, by)


def _seal_by(signer: LogKey) -> Callable[[TaskEvidenceBody], object]:
    def change(body: TaskEvidenceBody) -> None:
        feed = Feed(CITY, NATION, signer)
        body.moves[1].CopyFrom(feed.say(*PROPOSED).proof())

    return change


def _of_a_trial(body: TaskEvidenceBody) -> None:
    body.federation = "cn-trial"


def refused() -> dict[str, tuple[str, bytes]]:
    """Each sort of tampering: the code of what is found, and the file; all but two are signed anew by the maker."""
    without_one = nations().entries
    del without_one[3:4]
    return {
        "a byte of the body flipped, the signature left": ("maker", _flipped(packed(evidence()))),
        "signed by another node than the maker": ("maker", packed(evidence(), key(PROVINCE))),
        "a move taken out of the middle": ("chain", packed(evidence(moves=[_stretch(NATION, CITY, without_one)]))),
        "a move and what follows it in the chain taken out": (
            "gap",
            packed(evidence(moves=[nations(TOLD[:1] + TOLD[2:]).proof(), cities().proof()], receipts=[])),
        ),
        "a seal by another node's key": ("chain", _changed(_seal_by(key(OTHER_CITY)))),
        "a verdict that says another thing than the holder sealed": (
            "rule",
            packed(evidence(moves=[nations().proof(), cities((SIGN, _other_words(REPLY))).proof()], receipts=[])),
        ),
        "a move that the flow does not allow": (
            "rule",
            packed(evidence(moves=[Feed(NATION, CITY).say(TOLD[0], _early_close()).proof()], receipts=[])),
        ),
        "a refused move said to be accepted": (
            "rule",
            packed(evidence(moves=[nations((*TOLD[:4], _said_accepted())).proof(), cities().proof()], receipts=[])),
        ),
        "the name of another federation": ("anchor", _changed(_of_a_trial)),
        "a receipt for another chain": (
            "receipt",
            packed(evidence(receipts=[nations().receipt(received_hash=bytes(32))])),
        ),
        "a receipt by another key": ("receipt", packed(evidence(receipts=[nations().receipt(by=key(OTHER_CITY))]))),
        "a registry without its first entry": ("registry", _changed(_later_registry)),
        "a city that its parent does not enrol": ("registry", _changed(_of_a_stranger)),
    }


def _stretch(origin: str, addressee: str, entries: Sequence[Entry]) -> FeedProof:
    return Feed(origin, addressee).proof(entries)


def _flipped(file: bytes) -> bytes:
    place = file.index("误报".encode())
    return file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]


def _other_words(body: MoveBody) -> MoveBody:
    said = MoveBody.FromString(body.SerializeToString())
    said.fields[0].text = "未修复"
    return said


def _early_close() -> MoveBody:
    return move("close", 2, state="closed")


def _said_accepted() -> MoveBody:
    said = MoveBody.FromString(LOST.SerializeToString())
    said.accepted, said.reason, said.detail, said.state = True, 0, "", "replied"
    del said.arguments[:]
    return said


def _later_registry(body: TaskEvidenceBody) -> None:
    del body.registry[1].stretches[0].entries[0]


def _of_a_stranger(body: TaskEvidenceBody) -> None:
    body.registry[1].CopyFrom(registry(OTHER_CITY, record(CITY, PROVINCE, "330100")))


def task_evidence() -> Vectors:
    """The stored vectors."""
    return {
        "about": "Files of docs/wire.md 'Evidence of a task'. root: SHA-256 of the root certificate of anchors.json. "
        "found: code of what a check finds in what must not be taken.",
        "root": sha256(root()).hexdigest(),
        "good": {
            "a task withdrawn while the holder replied": {
                "file": packed(evidence()).hex(),
                "moves": [[m.number, m.move, m.by_node, m.accepted, m.state] for m in TOLD],
            },
        },
        "refused": {name: {"file": file.hex(), "found": code} for name, (code, file) in refused().items()},
    }
