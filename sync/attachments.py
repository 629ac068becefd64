"""Files that rows name, fetched part by part from the node that named them, along the tree.

Who wants a file asks for its parts, a few at a time, in order; each Want is answered by one Chunk or by a reason. Nodes
in between pass on what was asked for through them and nothing else; they keep nothing. So a file goes on where it
stopped, nothing piles up anywhere, and whoever is slow slows down himself alone. A chunk takes bulk credit on each
link. Whether the asker may have the file, the origin alone decides: it knows what it publishes to whom. Bytes count for
nothing before the whole was compared with its hash.
"""

from __future__ import annotations

from sync import limits
from sync.core import Core
from sync.effects import Fetched, KeepAttachment, ReadAttachment, Reply
from sync.errors import InputFault
from sync.events import AttachmentRead, FetchAttachment, StopFetching
from sync.fetching import Fetch, Part, Passing
from sync.link import CHUNKS, Link, Phase
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import DIGEST_BYTES, NUMBER_MAX, Lane, is_node_id
from sync.wire.v1.frame_pb2 import Ack, AttachmentChunk, AttachmentWant, Credit, Frame

ATTACHMENTS = "attachments"
"""The capability of a peer that knows these frames."""

Bad = tuple[Reason, str]
"""What a session is closed for."""


# --- what this node wants ---------------------------------------------------------------------------------------------


def fetch(core: Core, event: FetchAttachment) -> None:
    """Begins, or goes on where an earlier time stopped. Raises InputFault."""
    key = (event.origin, event.hash)
    if key in core.attachments.fetches or len(core.attachments.fetches) >= limits.ATTACHMENTS_AT_ONCE:
        raise InputFault(
            Reason.LIMIT_EXCEEDED, Phrase("{} attachments are fetched already", len(core.attachments.fetches))
        )
    if not core.next_hop(event.origin):
        raise InputFault(Reason.NOT_ENROLLED, Phrase("no way to '{}' is known", event.origin))
    made = Fetch(event.token, event.origin, event.hash, event.most, event.have, event.have, event.patience)
    made.progress_at = core.now
    core.attachments.fetches[key] = made
    _ask(core, made)


def stop(core: Core, event: StopFetching) -> None:
    """Nobody waits for it any more. What is under way comes to nothing."""
    wanted = core.attachments.fetches.get((event.origin, event.hash))
    if wanted is not None:
        _end(core, wanted, event.reason, core.me.node)


def go_on(core: Core) -> None:
    """A link works: what waited for it is asked for."""
    for wanted in list(core.attachments.fetches.values()):
        _ask(core, wanted)


def check(core: Core) -> None:
    """Now and then: what has not come is asked for again, and what others asked for in vain is forgotten."""
    held = core.attachments
    for wanted in list(held.fetches.values()):
        if core.now - wanted.progress_at >= wanted.patience:
            _end(core, wanted, Reason.TIMEOUT, core.me.node)
        elif core.now >= wanted.again_at:
            wanted.asked = wanted.received
            wanted.pause = min(2 * wanted.pause, limits.ATTACHMENT_AGAIN_MAX_US)
            wanted.again_at = core.now + wanted.pause
            _ask(core, wanted)
    for part in [part for part, passing in held.passing.items() if core.now >= passing.until]:
        del held.passing[part]
        held.counts["not_answered"] += 1
    for wanted in held.fetches.values():
        core.wake(wanted.again_at)


def _ask(core: Core, wanted: Fetch) -> None:
    """Asks for as many parts as may be under way. The first one alone, since it says how large the whole is."""
    if not wanted.again_at:
        wanted.again_at = core.now + wanted.pause
    core.wake(wanted.again_at)
    link = _way(core, wanted.origin)
    if link is None:
        return
    if ATTACHMENTS not in link.capabilities:
        _end(core, wanted, Reason.VERSION_TOO_OLD, link.peer)
        return
    chunk = limits.ATTACHMENT_CHUNK_BYTES
    until = wanted.received + (1 if wanted.total < 0 else limits.ATTACHMENT_WINDOW_CHUNKS * chunk)
    while wanted.asked < (until if wanted.total < 0 else min(until, wanted.total)):
        want = AttachmentWant(origin=wanted.origin, asker=core.me.node, hash=wanted.hash, offset=wanted.asked)
        core.send(link, Frame(attachment_want=want))
        wanted.asked += chunk


def _take(core: Core, link: Link, chunk: AttachmentChunk) -> None:
    """A part of a file that this node fetches, or why there is none."""
    wanted = core.attachments.fetches.get((chunk.origin, chunk.hash))
    asked = wanted is not None and wanted.received == chunk.offset < wanted.asked
    if wanted is None or not asked or core.next_hop(chunk.origin) != link.peer:
        core.attachments.counts["not_asked_for"] += 1
        return
    if chunk.reason:
        known = chunk.reason in Reason._value2member_map_
        _end(core, wanted, Reason(chunk.reason) if known else Reason.MALFORMED, chunk.by)
        return
    if chunk.total > wanted.most:
        wanted.total = min(chunk.total, NUMBER_MAX)
        _end(core, wanted, Reason.LIMIT_EXCEEDED, chunk.origin)
        return
    rest = chunk.total - chunk.offset
    if wanted.total not in (-1, chunk.total) or len(chunk.data) != min(limits.ATTACHMENT_CHUNK_BYTES, rest):
        core.alarm("attachment_wrong", hash=chunk.hash.hex(), origin=chunk.origin, peer=link.peer)
        _end(core, wanted, Reason.MALFORMED, chunk.origin)
        return
    wanted.total = chunk.total
    wanted.received += len(chunk.data)
    wanted.pause = limits.ATTACHMENT_AGAIN_FIRST_US
    wanted.again_at = core.now + wanted.pause
    wanted.progress_at = core.now
    if chunk.data:
        core.do(KeepAttachment(wanted.origin, wanted.hash, chunk.offset, chunk.data, wanted.total))
    if wanted.received == wanted.total:
        _end(core, wanted, Reason.NONE, "")
    else:
        _ask(core, wanted)


def _end(core: Core, wanted: Fetch, reason: Reason, by: str) -> None:
    del core.attachments.fetches[wanted.origin, wanted.hash]
    core.attachments.counts["fetched" if reason is Reason.NONE else "not_fetched"] += 1
    core.do(Reply(wanted.token, Fetched(reason, by if is_node_id(by) else "", max(0, wanted.total))))


# --- what others want -------------------------------------------------------------------------------------------------


def want_arrived(core: Core, link: Link, want: AttachmentWant) -> Bad | None:
    """A neighbour asks, for itself or for a node behind it."""
    if ATTACHMENTS not in link.capabilities:
        link.unknown_frames += 1
        return None
    bad = _malformed(want)
    if bad is not None:
        return bad
    held, part = core.attachments, Part(want.asker, want.origin, want.hash, want.offset)
    source = core.next_hop(want.origin)
    here = want.origin == core.me.node
    if core.next_hop(want.asker) != link.peer or not (here or source) or source == link.peer:
        held.counts["wrong_way"] += 1
    elif part in held.passing:
        held.counts["asked_again"] += 1
    elif (
        len(held.passing) >= limits.ATTACHMENT_WANTS_MAX
        or held.passing_for(want.asker) >= limits.ATTACHMENT_WANTS_PER_ASKER_MAX
    ):
        held.counts["too_many_wants"] += 1
        core.alarm_once("attachment_wants", want.asker, asker=want.asker, peer=link.peer)
    elif here:
        held.passing[part] = Passing("", core.now + limits.ATTACHMENT_WANT_US)
        core.do(ReadAttachment(want.asker, want.hash, want.offset))
    else:
        _pass_want(core, link, want, part)
    return None


def _pass_want(core: Core, link: Link, want: AttachmentWant, part: Part) -> None:
    """On towards the origin. Without a link there it is let go: who asked asks again."""
    onward = _way(core, want.origin)
    if onward is None:
        core.attachments.counts["no_link"] += 1
    elif ATTACHMENTS not in onward.capabilities:
        _send(core, link, _answer(part, reason=Reason.VERSION_TOO_OLD, by=onward.peer))
    else:
        core.attachments.passing[part] = Passing(onward.peer, core.now + limits.ATTACHMENT_WANT_US)
        core.send(onward, Frame(attachment_want=want))


def was_read(core: Core, event: AttachmentRead) -> None:
    """This node's own part of a file, or why it does not give it."""
    part = Part(event.asker, core.me.node, event.hash, event.offset)
    if core.attachments.passing.pop(part, None) is None:
        return
    link = _way(core, event.asker)
    if link is None or ATTACHMENTS not in link.capabilities:
        return
    if event.reason is Reason.NONE:
        core.attachments.counts["given_bytes"] += len(event.data)
        _send(core, link, _answer(part, data=event.data, total=event.total))
    else:
        core.attachments.counts["refused"] += 1
        _send(core, link, _answer(part, reason=event.reason, by=core.me.node))


def chunk_arrived(core: Core, link: Link, chunk: AttachmentChunk) -> Bad | None:
    """A part comes, for this node or to be passed on."""
    if ATTACHMENTS not in link.capabilities:
        link.unknown_frames += 1
        return None
    size = len(chunk.data)
    bad = _malformed(chunk)
    if bad is not None:
        return bad
    if size > limits.ATTACHMENT_CHUNK_BYTES or len(chunk.by) > limits.NAME_CHARACTERS_MAX or (size and chunk.reason):
        return Reason.MALFORMED, "a chunk of an attachment that is too long, or says two things"
    if size:
        if link.takes_beyond_credit(Lane.BULK, size):
            return Reason.NO_CREDIT, "a second chunk without credit"
        core.send(link, Frame(ack=Ack(credit=[Credit(lane=int(Lane.BULK), bytes=size)])))  # type: ignore[arg-type]
    if chunk.asker == core.me.node:
        _take(core, link, chunk)
        return None
    part = Part(chunk.asker, chunk.origin, chunk.hash, chunk.offset)
    passing = core.attachments.passing.get(part)
    if passing is None or passing.source != link.peer:
        core.attachments.counts["not_asked_for"] += 1
        return None
    del core.attachments.passing[part]
    onward = _way(core, chunk.asker)
    if onward is not None and ATTACHMENTS in onward.capabilities:
        core.attachments.counts["passed_bytes"] += size
        _send(core, onward, chunk)
    return None


def link_gone(core: Core, link: Link) -> None:
    """What was under way over it comes no more; nobody is held up by having asked before."""
    held = core.attachments
    for part in [p for p, passing in held.passing.items() if link.peer in (passing.source, core.next_hop(p.asker))]:
        del held.passing[part]
    for wanted in held.fetches.values():
        if core.next_hop(wanted.origin) == link.peer:
            wanted.asked = wanted.received


def _send(core: Core, link: Link, chunk: AttachmentChunk) -> None:
    """What holds data waits for its turn and for credit."""
    if chunk.data:
        link.chunks.append(chunk)
        link.queue(CHUNKS, Lane.BULK)
    else:
        core.send(link, Frame(attachment_chunk=chunk))


def _answer(
    part: Part, *, data: bytes = b"", total: int = 0, reason: Reason = Reason.NONE, by: str = ""
) -> AttachmentChunk:
    return AttachmentChunk(
        origin=part.origin,
        asker=part.asker,
        hash=part.hash,
        offset=part.offset,
        data=data,
        total=total,
        reason=int(reason),
        by=by,
    )


def _malformed(frame: AttachmentWant | AttachmentChunk) -> Bad | None:
    """Names that are none never become keys or texts here."""
    named = is_node_id(frame.origin) and is_node_id(frame.asker) and frame.origin != frame.asker
    if named and len(frame.hash) == DIGEST_BYTES and frame.offset <= NUMBER_MAX:
        return None
    return Reason.MALFORMED, "an attachment without origin, asker or hash"


def _way(core: Core, node: str) -> Link | None:
    """The working link on the way to a node."""
    neighbour = core.next_hop(node)
    return next((link for link in core.links.values() if link.peer == neighbour and link.phase is Phase.EXCHANGE), None)
