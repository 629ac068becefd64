"""Writes the evidence of a task from the store of one of its two nodes: the sealed bytes as they are held, nothing made
anew. Of entries of other tasks only the headers go in, where the chain to the next seal needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from certs.anchor import open_anchor
from certs.forms import root_from_der
from certs.suites import SUITES
from node.evidence.file import FILE_BYTES_MAX, FORMAT, pack
from node.evidence.sealed import MOVES_MAX
from node.faults import Code, UserFault
from node.store.readers import Reader
from node.store.records import ANCHOR
from node.texts import N_
from sync.core import wire_feed
from sync.effects import LogEntry
from sync.errors import RemoteFault
from sync.phrase import as_phrase
from sync.registry import Registry
from sync.statements import RECEIPT_SORT
from sync.stretches import learn_registry
from sync.suites import TASK_EVIDENCE, Signer
from sync.values import MOVES, REGISTRY, FeedName, Kind
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody, EntryHeader, MoveBody, MovePayload
from sync.wire.v1.frame_pb2 import Entry, Evidence, ReceiptBody, ReceiptStatement
from sync.wire.v1.task_evidence_pb2 import FeedProof, MissingMove, Stretch, TaskEvidenceBody
from tiers.flows.check import PASSED_OVER

JOINED_ENTRIES_MAX: Final = 1_024
"""So many headers join two moves, or a move and what was signed for; across more of them the stretches stand apart."""
_PAGE_ENTRIES: Final = 512


def gather(reader: Reader, node: str, task: str, root: bytes, anchor: bytes, signer: Signer, hlc: int) -> bytes:
    """The bytes of the file. root: DER; anchor: the home's, where the store holds none; signer: this node's log key.

    Raises UserFault TASK_UNKNOWN, WRONG_STATE (not enrolled, or the task is too large), StoreFault.
    """
    history = reader.moves(task)
    if not history:
        raise UserFault(
            Code.TASK_UNKNOWN,
            N_("Task '{task}' is not known at this node."),
            N_("`tiersync task list` shows the tasks that are; one issued a moment ago may still be on its way."),
            task=task,
        )
    issuer, holder = history[0].issuer, history[0].holder
    held = reader.meta(ANCHOR)
    body = TaskEvidenceBody(format=FORMAT, task=task, made_by=node, hlc=hlc, root=root)
    body.anchors.append(held if isinstance(held, bytes) and held else anchor)
    registry = _registry(reader, body, (issuer, holder, node))
    body.federation = registry.federation
    body.enrolment = _version(registry, node, signer)
    receipts = _receipts(reader, issuer, holder)
    body.receipts.extend(receipts)
    seen = _Seen()
    for feed in (FeedName(issuer, MOVES, holder), FeedName(holder, MOVES, issuer)):
        body.moves.extend(_proofs(reader, feed, task, _signed_for(receipts, feed), seen))
        body.forks.extend(Evidence.FromString(fork) for name, fork in reader.evidence() if name == feed)
    body.missing.extend(_missing(reader, node, [*_told(history), *reader.pending_moves(task)], seen))
    suite = SUITES[signer.suite]
    data = body.SerializeToString(deterministic=True)
    file = pack(data, signer.sign(TASK_EVIDENCE + suite.hash(data)))
    if len(file) > FILE_BYTES_MAX or len(seen.numbers) + len(seen.proposed) > MOVES_MAX:
        raise UserFault(
            Code.WRONG_STATE,
            N_("The evidence of task '{task}' would be larger than anybody reads: {bytes} bytes."),
            N_("Please report it: no task should have that many moves."),
            task=task,
            bytes=len(file),
        )
    return file


def _told(history: Sequence[MoveBody]) -> list[MoveBody]:
    """Without the end of a task whose issuer was succeeded: it is known here alone, from the registry."""
    return [m for m in history if m.move != PASSED_OVER or m.by_node == m.issuer]


# --- whose key is whose -----------------------------------------------------------------------------------------------


def _registry(reader: Reader, body: TaskEvidenceBody, nodes: Iterable[str]) -> Registry:
    """Puts in the registry feed of every node above these, and gives what they say."""
    try:
        anchor = open_anchor(Anchor.FromString(body.anchors[0]), root_from_der(body.root), _federation(body.anchors[0]))
    except RemoteFault as fault:
        raise UserFault(
            Code.WRONG_STATE,
            N_("The anchor held here is not signed by the root in this home: {detail}"),
            N_("Take the home from the last backup."),
            detail=as_phrase(fault.detail),
        ) from fault
    registry = Registry(anchor.federation)
    registry.set_anchor(anchor)
    above = sorted({one for node in nodes for one in _above(node, anchor.nation)}, key=lambda one: one.count("."))
    for parent in [anchor.nation, *(one for one in above if one != anchor.nation)]:
        feed = FeedName(parent, REGISTRY, "")
        for head in reader.epochs(feed)[-1:]:
            entries = [Entry(header=e.header, payload=e.payload, seal=e.seal) for e in _all(reader, feed, head.epoch)]
            if entries:
                proof = FeedProof(feed=wire_feed(feed), epoch=head.epoch, stretches=[Stretch(entries=entries)])
                body.registry.append(proof)
    learn_registry(registry, body.registry, SUITES)
    return registry


def _federation(anchor: bytes) -> str:
    return AnchorBody.FromString(Anchor.FromString(anchor).body).federation


def _above(node: str, nation: str) -> Iterator[str]:
    """Who may enrol a node says its id (docs/wire.md, "Anchor and registry"), up to the nation."""
    while node and node != nation:
        parent = node.partition(".")[2]
        node = nation if parent in (nation, nation.partition(".")[2]) else parent
        if node:
            yield node


def _version(registry: Registry, node: str, signer: Signer) -> int:
    """The newest enrolment version of this node under the key that it has. Raises UserFault WRONG_STATE."""
    newest = registry.newest(node)
    for version in range(newest.version if newest else 0, 0, -1):
        found = registry.enrolment(node, version)
        if found is not None and (found.suite, found.public_key) == (signer.suite, signer.public_key):
            return version
    raise UserFault(
        Code.WRONG_STATE,
        N_("This node's enrolment has not come from its parent yet: nobody could check what it signs."),
        N_("Wait for the link to the parent; `tiersync status` shows it."),
    )


# --- what was sealed --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Seen:
    """What is in the file: numbers of the issuer's feed, ids of the holder's moves in its own."""

    numbers: set[int] = field(default_factory=set)
    proposed: set[str] = field(default_factory=set)

    def note(self, body: MoveBody) -> None:
        if body.number:
            self.numbers.add(body.number)
        else:
            self.proposed.add(body.move_id)


def _all(reader: Reader, feed: FeedName, epoch: bytes) -> Iterator[LogEntry]:
    """Every entry of a feed: what is held of it is sealed at its end."""
    seq = 1
    while page := reader.stored(feed, epoch, seq, _PAGE_ENTRIES):
        yield from page
        seq = page[-1].seq + 1


def _proofs(reader: Reader, feed: FeedName, task: str, signed: dict[bytes, int], seen: _Seen) -> Iterator[FeedProof]:
    for head in reader.epochs(feed):
        wanted = _of_task(reader, feed, head.epoch, task, seen)
        if wanted:
            proof = FeedProof(feed=wire_feed(feed), epoch=head.epoch)
            proof.stretches.extend(_stretches(reader, feed, head.epoch, wanted, signed.get(head.epoch, 0)))
            yield proof


def _of_task(reader: Reader, feed: FeedName, epoch: bytes, task: str, seen: _Seen) -> dict[int, bytes]:
    """Payloads of the task's moves by seq, and of the adoptions between the first and the last of them."""
    found: dict[int, bytes] = {}
    adoptions: dict[int, bytes] = {}
    spelt = task.encode()
    for entry in _all(reader, feed, epoch):
        if not entry.payload:  # erased: its header alone is left
            continue
        if spelt in entry.payload:
            body = MovePayload.FromString(entry.payload).body
            if int(EntryHeader.FromString(entry.header).kind) == Kind.MOVE and body.task == task:
                found[entry.seq] = entry.payload
                seen.note(body)
        elif found and int(EntryHeader.FromString(entry.header).kind) == Kind.ADOPTION:
            adoptions[entry.seq] = entry.payload
    last = max(found, default=0)
    return found | {seq: payload for seq, payload in adoptions.items() if seq < last}


def _stretches(
    reader: Reader, feed: FeedName, epoch: bytes, wanted: dict[int, bytes], signed: int
) -> Iterator[Stretch]:
    """From each wanted entry to the next seal, joined where little lies between, on to what the other side signed."""
    spans: list[tuple[int, int]] = []
    for seq in sorted({*wanted, *([signed] if signed > min(wanted) else [])}):
        if spans and seq - spans[-1][1] <= JOINED_ENTRIES_MAX:
            spans[-1] = (spans[-1][0], seq)
        elif seq in wanted:
            spans.append((seq, seq))
    for first, last in spans:
        yield Stretch(entries=list(_span(reader, feed, epoch, first, last, wanted)))


def _span(
    reader: Reader, feed: FeedName, epoch: bytes, first: int, last: int, wanted: dict[int, bytes]
) -> Iterator[Entry]:
    """The entries of a span, on to the seal that vouches for its last."""
    seq = first
    while seq <= last:
        headers: Sequence[LogEntry] = reader.reads().headers(feed, epoch, seq, _PAGE_ENTRIES)
        for entry in headers:
            yield Entry(header=entry.header, payload=wanted.get(entry.seq, b""), seal=entry.seal)
        if not headers:
            return
        seq = headers[-1].seq + 1


def _receipts(reader: Reader, issuer: str, holder: str) -> list[ReceiptStatement]:
    """What the two sides have signed of each other's feeds."""
    return [
        ReceiptStatement(body=said, signature=signature)
        for sort, by, about, said, signature, _ in reader.statements()
        if sort == RECEIPT_SORT and (by, about) in ((issuer, holder), (holder, issuer))
    ]


def _signed_for(receipts: Iterable[ReceiptStatement], feed: FeedName) -> dict[bytes, int]:
    """How far a feed was signed for, by epoch."""
    found = {}
    for statement in receipts:
        said = ReceiptBody.FromString(statement.body)
        if (said.origin, said.receiver) == (feed.origin, feed.addressee):
            named = (f for f in said.feeds if (f.publication, f.addressee) == (feed.publication, feed.addressee))
            found.update({f.received_epoch: f.received_seq for f in named})
    return found


def _missing(reader: Reader, node: str, moves: Iterable[MoveBody], seen: _Seen) -> Iterator[MissingMove]:
    """What is known of the task here, and in no entry that can be shown. Only what this node wrote can be unsealed."""
    waiting = {feed for feed in reader.outbox() if feed.publication == MOVES}
    for body in moves:
        waits = any(feed.addressee in (body.issuer, body.holder) for feed in waiting)
        if body.number and body.number not in seen.numbers:
            yield MissingMove(number=body.number, move_id=body.move_id, unsealed=waits and node == body.issuer)
        elif body.by_node == body.holder and body.move_id not in seen.proposed:
            yield MissingMove(number=body.number, move_id=body.move_id, unsealed=waits and node == body.holder)
