"""The child's end of enrolment: from the text of an invite to a whole home.

The keys are made once and stay in the home from before the first call on; so the command can be given again after a
crash, a lost reply, or days of waiting for a person, and the parent knows the sender again by its keys.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, NoReturn

import grpc
from cryptography import x509
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_base

from certs.forms import public_key_hash, to_pem
from certs.invite import Invite, read_invite
from certs.join import Reply, open_parent, open_reply
from certs.lines import PREFIX
from certs.proof import make_submission, short_fingerprint
from node.clock import Clock, Randomness
from node.config import ListenSection
from node.enrol import words
from node.enrol.diagnosis import why_unreachable
from node.enrol.home import (
    Begun,
    NodeKeys,
    check_free,
    drop_keys,
    keep_keys,
    locked_home,
    read_marker,
    write_marker,
)
from node.faults import Code, UserFault
from node.founding import check_config, child_config, found_child
from node.link.options import NO_COMPRESSION
from node.link.v1.link_pb2 import BeginRequest, SubmitReply, SubmitRequest, SubmitState
from node.link.v1.link_pb2_grpc import EnrolmentStub
from node.settings import split_address
from node.texts import N_
from sync.errors import InputFault, RemoteFault
from sync.limits import KIB
from sync.reasons import Reason
from sync.suites import Signer
from tiers.profile import PROFILES, TierProfile

CALL_S: Final = 10.0
POLL_FIRST_S: Final = 2.0
POLL_MAX_S: Final = 30.0
BUSY_S: Final = 10.0
"""How long a busy parent is asked again, even by a caller that does not wait."""
REPLY_BYTES_MAX: Final = 512 * KIB
DETAIL_LETTERS_MAX: Final = 300
DEAD: Final = "dead"
"""In the marker: the parent will never take this invite, so another one may take its place."""
NO_CHILDREN: Final = ListenSection()
"""Listens nowhere: the node has no children."""
_SAID: Final = re.compile(r"([0-9]{1,4}) (.*)", re.DOTALL)


class Step(Enum):
    """How far joining has come; shown as it happens."""

    READ = "read"
    DIALLED = "dialled"
    PENDING = "pending"
    AWAITING = "awaiting"
    ENROLLED = "enrolled"


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of joining. `fingerprint`: of our own keys, to be compared over the phone."""

    step: Step
    node: str
    parent: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """A node whose home is whole. `not_after`: end of its certificate, microseconds since 1970."""

    node: str
    parent: str
    exchange_address: str
    fingerprint: str
    not_after: int


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one attempt needs."""

    invite: Invite
    keys: NodeKeys
    fingerprint: str
    clock: Clock


class _Waiting(Exception):
    """The parent has the submission and says: not yet. Or it could not be reached while we wait for its word.

    answer: what it said, where it has enrolled this node and waits itself for the certificate from above.
    """

    def __init__(self, answer: SubmitReply | None = None) -> None:
        super().__init__()
        self.answer = answer


class _Busy(Exception):
    """The parent has too many calls just now."""


class _Unreachable(Exception):
    """The call did not arrive."""


class _Pause(wait_base):
    """Doubles from `first_s` to 30 s, with jitter over the upper half."""

    def __init__(self, first_s: float, randomness: Randomness) -> None:
        self._first_s = first_s
        self._randomness = randomness

    def __call__(self, state: RetryCallState) -> float:
        span = min(POLL_MAX_S, self._first_s * 2 ** min(state.attempt_number - 1, 12))
        return float(span * (0.5 + 0.5 * self._randomness.jitter()))


async def join(
    invite_text: str,
    home: Path,
    clock: Clock,
    randomness: Randomness,
    *,
    listen: ListenSection = NO_CHILDREN,
    wait_s: float = 0.0,
    poll_s: float = POLL_FIRST_S,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Joined:
    """Enrols at the parent that the invite names, and makes the home.

    Waits up to `wait_s` for a person's approval, asking again with growing pauses from `poll_s` on. Whatever happens,
    the same call goes on where this one stopped; with an empty `invite_text` it takes the invite that it kept, and the
    addresses of `listen` that are not given again. When the parent has refused an invite for good, or it has run out,
    one for another node may take its place: with new keys.
    Raises UserFault: INVITE_INVALID, INVITE_EXPIRED, INVITE_USED, ENROLMENT_REFUSED, ENROLMENT_PENDING,
    PARENT_UNREACHABLE, CERTIFICATE_UNFIT, FINGERPRINT_MISMATCH, FILE_EXISTS, CONFIG_INVALID, KEY_CUSTODY, HOME_IN_USE.
    """
    with locked_home(home, clock):
        check_free(home, Begun.JOINING)
        invite, listen, with_ca = _begin(invite_text, listen, home, clock.now_us())
        keys = keep_keys(home, with_ca)
        fingerprint = short_fingerprint(public_key_hash(keys.transport.public_key()), keys.log.public_key)
        progress(Progress(Step.READ, invite.node, invite.parent, fingerprint))
        wish = _Wish(invite, keys, fingerprint, clock)
        try:
            async with _parent(invite) as stub:
                answer = await _until_enrolled(stub, wish, wait_s, _Pause(poll_s, randomness), progress)
        except words.InviteDead:
            write_marker(home, Begun.JOINING, {**read_marker(home, Begun.JOINING), DEAD: True})
            raise
        joined = _finish(home, wish, answer, listen, randomness)
        progress(Progress(Step.ENROLLED, invite.node, invite.parent, fingerprint))
        return joined


# --- before the first call --------------------------------------------------------------------------------------------


def _begin(text: str, listen: ListenSection, home: Path, now: int) -> tuple[Invite, ListenSection, bool]:
    """The invite to go on with, where its node listens, and whether it has a CA.

    Noted in the home (0600) before anything else is made there, and after all that can be wrong was looked at.
    """
    kept = read_marker(home, Begun.JOINING)
    kept_text = str(kept.get("text", ""))
    text = text.strip() or kept_text
    if not text:
        todo = N_("Here: give the text that begins with '{prefix}:', or its file. At the parent: it makes invites.")
        raise UserFault(Code.INVITE_INVALID, N_("There is no invite."), todo, prefix=PREFIX)
    try:
        # At moment 0 nothing has expired: whether it still counts depends on what was submitted before.
        invite = read_invite(text, 0)
        before = read_invite(kept_text, 0) if kept_text else None
    except InputFault as fault:
        raise words.of_invite_text(fault) from fault
    is_other = before is not None and _place(before) != _place(invite)
    if before is not None and is_other and not (kept.get(DEAD) or now >= before.expires):
        raise UserFault(
            Code.FILE_EXISTS,
            N_("In {home} the joining of {node} was begun; this invite is for {other}."),
            N_(
                "Finish that one: `tiersync --home {home} join` goes on with it; if the parent refuses it for good, "
                "give this invite again. Or choose another folder with --home: each node has its own keys."
            ),
            home=home,
            node=before.node,
            other=invite.node,
        )
    if now >= invite.expires and not (before is not None and before.token == invite.token):
        raise words.of_expiry(invite)
    profile = _profile(invite)
    listen = _with_kept(listen, {} if is_other else kept)
    check_config(home, child_config(invite, invite.address, listen))
    if is_other:
        drop_keys(home)
    begun: dict[str, object] = {"node": invite.node, "parent": invite.parent, "text": text, "listen": asdict(listen)}
    if begun != kept:
        write_marker(home, Begun.JOINING, begun)
    return invite, listen, profile.has_own_ca


def _with_kept(given: ListenSection, kept: Mapping[str, object]) -> ListenSection:
    """The addresses given now, and where none was given the one of an earlier call."""
    before = kept.get("listen")
    known = before if isinstance(before, dict) else {}
    return ListenSection(**{name: said or str(known.get(name, "")) for name, said in asdict(given).items()})


def _place(invite: Invite) -> tuple[object, ...]:
    """What keys are bound to: a new invite of the same parent for the same node may take them over."""
    return invite.federation, invite.root, invite.parent, invite.node, invite.profile


def _profile(invite: Invite) -> TierProfile:
    profile = PROFILES.get(invite.profile)
    if profile is None or profile.is_root:
        raise UserFault(
            Code.INVITE_INVALID,
            N_("The invite is for a node of the profile '{profile}', which is not known here."),
            N_("Here: install the version of tiersync that the parent runs. At the parent: check the invite's tier."),
            profile=invite.profile,
        )
    return profile


# --- calls ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _parent(invite: Invite) -> AsyncIterator[Any]:
    """A channel to the invite's address. Its root is the only trust, and the certificate must name the parent."""
    root = to_pem([x509.load_der_x509_certificate(invite.root)])
    options: tuple[tuple[str, int | str], ...] = (
        NO_COMPRESSION,
        ("grpc.ssl_target_name_override", invite.parent),
        ("grpc.max_receive_message_length", REPLY_BYTES_MAX),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    )
    channel = grpc.aio.secure_channel(invite.address, grpc.ssl_channel_credentials(root), options=options)
    try:
        yield EnrolmentStub(channel)
    finally:
        await channel.close()


async def _until_enrolled(
    stub: Any, wish: _Wish, wait_s: float, pause: _Pause, progress: Callable[[Progress], None]
) -> SubmitReply:
    """The reply that enrols, once it comes within `wait_s`."""
    invite = wish.invite
    waits: Step | None = None
    awaited: SubmitReply | None = None

    def enough(state: RetryCallState) -> bool:
        busy = state.outcome is not None and isinstance(state.outcome.exception(), _Busy)
        return (state.seconds_since_start or 0.0) >= max(wait_s, BUSY_S if busy else 0.0)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type((_Waiting, _Busy)), stop=enough, wait=pause, sleep=asyncio.sleep, reraise=True
    )
    try:
        async for attempt in retrying:
            with attempt:
                try:
                    answer = await _attempt(stub, wish, progress if not waits else lambda _: None)
                except _Unreachable as fault:
                    if not waits:
                        raise await why_unreachable(invite, str(fault)) from fault
                    raise _Waiting(awaited) from fault
                if answer.state == SubmitState.SUBMIT_STATE_ENROLLED:
                    return answer
                awaited = answer if answer.certifier else None
                step = Step.AWAITING if awaited else Step.PENDING
                if waits is not step:
                    progress(Progress(step, invite.node, invite.parent, wish.fingerprint))
                waits = step
                raise _Waiting(awaited)
    except _Waiting as fault:
        if fault.answer is not None:
            by, detail = _printable(fault.answer.certifier), _printable(fault.answer.detail)
            raise words.of_awaiting(invite, by, fault.answer.reason, detail) from fault
        raise words.of_waiting(invite, wish.fingerprint) from fault
    except _Busy as fault:
        raise words.of_busy(invite) from fault
    raise AssertionError("tenacity ends in a result or an exception")


async def _attempt(stub: Any, wish: _Wish, progress: Callable[[Progress], None]) -> SubmitReply:
    """Begin, then Submit; ENROLLED or PENDING. Raises UserFault, _Unreachable, _Busy."""
    invite, keys = wish.invite, wish.keys
    begun = await _called(
        invite, stub.Begin(BeginRequest(federation=invite.federation, token_id=invite.token), timeout=CALL_S)
    )
    try:
        parent = open_parent(invite, begun.parent_chain, wish.clock.now_us())
    except RemoteFault as fault:
        raise words.of_parent(invite, fault) from fault
    progress(Progress(Step.DIALLED, invite.node, invite.parent, wish.fingerprint))
    made = make_submission(invite, begun.nonce, parent.fingerprint, keys.transport, keys.authority, keys.log)
    request = SubmitRequest(
        token_id=made.token,
        nonce=made.nonce,
        csr=made.csr,
        ca_csr=made.ca_csr,
        suite=made.suite,
        log_public_key=made.log_public_key,
        log_possession=made.possession,
        proof=made.proof,
    )
    answer: SubmitReply = await _called(invite, stub.Submit(request, timeout=CALL_S))
    if answer.state not in (SubmitState.SUBMIT_STATE_PENDING, SubmitState.SUBMIT_STATE_ENROLLED):
        raise words.of_refusal(invite, answer.reason, _printable(answer.detail))
    if answer.fingerprint != wish.fingerprint:
        raise words.of_other_keys(invite, wish.fingerprint, _printable(answer.fingerprint))
    return answer


async def _called(invite: Invite, call: Any) -> Any:
    """The answer of a call. Raises UserFault for a refusal with a reason, _Busy, _Unreachable for the line's faults."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        _refused(invite, error)
    finally:
        call.cancel()


def _refused(invite: Invite, error: grpc.aio.AioRpcError) -> NoReturn:
    said = _SAID.fullmatch(error.details() or "")
    if said is None or error.code() is grpc.StatusCode.UNAVAILABLE:
        raise _Unreachable(_printable(error.details() or error.code().name)) from error
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        raise _Busy from error
    raise words.of_refusal(invite, int(said[1]), _printable(said[2])) from error


def _printable(text: str) -> str:
    """What a peer said, fit to be shown on a terminal."""
    return "".join(c for c in text if c.isprintable())[:DETAIL_LETTERS_MAX]


# --- after the reply --------------------------------------------------------------------------------------------------


def _finish(home: Path, wish: _Wish, answer: SubmitReply, listen: ListenSection, randomness: Randomness) -> Joined:
    """Checks the reply before anything of it is kept, then writes the home."""
    invite, keys = wish.invite, wish.keys
    reply = Reply(answer.chain, answer.ca_chain, answer.anchor, answer.record)
    log_key: Signer = keys.log
    try:
        enrolled = open_reply(invite, reply, keys.transport, keys.authority, log_key, wish.clock.now_us())
        _check_address(answer.exchange_address)
    except RemoteFault as fault:
        raise words.of_reply(invite, fault) from fault
    found_child(home, invite, reply, enrolled, keys, answer.exchange_address, listen, randomness)
    return Joined(invite.node, invite.parent, answer.exchange_address, wish.fingerprint, enrolled.identity.not_after)


def _check_address(text: str) -> None:
    try:
        port = split_address(text)[1]
    except ValueError:
        port = 0
    if not port:
        raise RemoteFault(Reason.MALFORMED, "it names no exchange address ([listen] advertise_exchange at the parent)")
