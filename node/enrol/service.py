"""The parent's end of enrolment: a port of its own, TLS on the server's side only, two small calls.

Strangers may call it, so everything is bounded before the writer hears of it: message size, calls at a time, rate,
nonces, lines of audit. What a submission leads to is decided and committed in one job (node/enrol/jobs.py).
"""

from __future__ import annotations

import asyncio
import re
import zoneinfo
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, Protocol, TypeVar

import grpc
import structlog
from structlog.typing import FilteringBoundLogger

from certs.enrol import Outcome
from certs.proof import NONCE_BYTES, Parent, Submission
from node.audit import AuditLog, Event
from node.certifying import NoCertificate
from node.clock import Clock, Randomness
from node.config import Config
from node.enrol.bounds import Nonces, Rates
from node.enrol.jobs import Answer, CertifiedJob, Issuer, SubmitJob
from node.faults import UserFault
from node.identity import NodeIdentity
from node.link.options import NO_COMPRESSION
from node.link.port import take_port
from node.link.v1 import link_pb2_grpc
from node.link.v1.link_pb2 import BeginReply, BeginRequest, SubmitReply, SubmitRequest, SubmitState
from node.store.records import ANCHOR
from node.writer import Writer
from sync.core import Core
from sync.errors import InputFault, LocalFault
from sync.limits import KIB
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import Anchor

T = TypeVar("T")

REQUEST_BYTES_MAX: Final = 64 * KIB
CALLS_MAX: Final = 16
BURST: Final = 32
PER_TOKEN_S: Final = 0.5
STRANGERS_BURST: Final = 20
STRANGERS_PER_S: Final = 0.2
ALL_BURST: Final = 256
ALL_PER_S: Final = 50.0
STOP_GRACE_S: Final = 1.0
USED: Final = "[used] "
"""Begins the detail of a refusal whose invite was used already, so that the other side can say it in its own words."""
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_FIELD_BYTES_MAX: Final = 4 * KIB
_STRANGERS: Final = "strangers"
_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    NO_COMPRESSION,
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.max_concurrent_streams", 4),
    ("grpc.max_connection_idle_ms", 30_000),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one token, and all that is not a token, may ask: calls at once, then calls a second."""

    burst: int = BURST
    per_token_s: float = PER_TOKEN_S


class _Refused(Exception):
    """Ends a call: gRPC status, reason, detail for the other side."""

    def __init__(self, status: grpc.StatusCode, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail


class Certificates(Protocol):
    """Where a node that has no CA gets its children's certificates from; as node.certifying.Certifier."""

    async def obtain(self, node: str, csr: bytes) -> Sequence[bytes]:
        """A chain (DER, without the root) for an enrolled node, checked. Raises NoCertificate."""
        ...


def make_issuer(identity: NodeIdentity, config: Config, randomness: Randomness, core: Callable[[], Core]) -> Issuer:
    """What this node enrols children with."""
    zone = zoneinfo.ZoneInfo(config.run.time_zone)
    return Issuer(identity.node, identity.authority, parent_of(identity), zone, randomness, core)


def parent_of(identity: NodeIdentity) -> Parent:
    """This node as both sides of an enrolment see it."""
    return Parent(identity.federation, identity.trust.fingerprint, identity.own.fingerprint)


class EnrolmentService(link_pb2_grpc.EnrolmentServicer):
    """Answers Begin and Submit. Used in the asyncio loop."""

    def __init__(
        self,
        writer: Writer,
        issuer: Issuer,
        identity: Callable[[], NodeIdentity],
        exchange_address: str,
        clock: Clock,
        audit: AuditLog,
        certificates: Certificates,
        limits: Limits = Limits(),
        log: FilteringBoundLogger | None = None,
    ) -> None:
        """identity: of this node at the moment; its certificate is renewed while children join."""
        self._writer = writer
        self._issuer = issuer
        self._identity = identity
        self._exchange_address = exchange_address
        self._clock = clock
        self._audit = audit
        self._certificates = certificates
        self._nonces = Nonces(issuer.randomness)
        self._rates = Rates(limits.burst, limits.per_token_s)
        self._strangers = Rates(STRANGERS_BURST, STRANGERS_PER_S)
        self._all = Rates(ALL_BURST, ALL_PER_S)
        self._calls = asyncio.Semaphore(CALLS_MAX)
        self._unsaid = 0
        self._log: FilteringBoundLogger = log or structlog.get_logger("enrol")
        self._working: set[asyncio.Task[SubmitReply]] = set()

    async def Begin(self, request: BeginRequest, context: Any) -> BeginReply:  # noqa: N802 - generated name
        """A nonce for one Submit, and the chain of this node."""
        return await self._bounded(context, lambda: self._begin(request))

    async def Submit(self, request: SubmitRequest, context: Any) -> SubmitReply:  # noqa: N802 - generated name
        """PENDING, ENROLLED or REFUSED; ENROLLED again for the same keys."""
        return await self._bounded(context, lambda: self._submit(request))

    async def settle(self) -> None:
        """Waits for submissions whose callers are gone: what they led to is audited all the same."""
        await asyncio.gather(*self._working, return_exceptions=True)

    async def _bounded(self, context: Any, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`; every refusal and failure becomes a status that the child understands."""
        try:
            self._check_call(context)
            async with self._calls:
                return await work()
        except _Refused as refused:
            status, said = refused.status, f"{int(refused.reason)} {refused.detail}"
        except LocalFault as fault:
            self._log.error("enrolment_failed", detail=str(fault))
            status, said = grpc.StatusCode.UNAVAILABLE, "0 the parent's node has trouble of its own"
        await context.abort(status, said)
        raise AssertionError("abort raises")

    def _check_call(self, context: Any) -> None:
        now = self._clock.monotonic_us()
        if self._calls.locked() or not self._all.allows("", now):
            raise _Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.LIMIT_EXCEEDED, "busy; come again later")
        versions = context.auth_context().get("ssl_tls_version", ())
        if b"TLSv1.3" not in versions:
            raise _Refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.VERSION_TOO_OLD, "TLS 1.3 is needed")

    # --- begin --------------------------------------------------------------------------------------------------------

    async def _begin(self, request: BeginRequest) -> BeginReply:
        token = request.token_id
        if request.federation != self._identity().federation:
            detail = "this node belongs to another federation than the invite"
            await self._stranger(Reason.FEDERATION_MISMATCH, detail)
        if _TOKEN.fullmatch(token) is None or not await self._writer.ask(
            lambda _, store: bool(store.invites.get(token))
        ):
            detail = "this parent has no such invite (any more): ask it for a new one"
            await self._stranger(Reason.NOT_ENROLLED, detail)
        now = self._clock.monotonic_us()
        nonce = self._nonces.give(token, now) if self._rates.allows(token, now) else b""
        if not nonce:
            raise _Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.LIMIT_EXCEEDED, "asked too often; come again later"
            )
        return BeginReply(nonce=nonce, parent_chain=self._identity().chain)

    async def _stranger(self, reason: Reason, detail: str) -> NoReturn:
        """Refuses who has no invite; not every one gets a line of audit, so that nobody fills the disk with them."""
        if self._strangers.allows(_STRANGERS, self._clock.monotonic_us()):
            before, self._unsaid = self._unsaid, 0
            await self._note(Event.INVITE_REFUSED, reason=reason.name, detail=detail, not_told_before=before)
        else:
            self._unsaid += 1
        raise _Refused(grpc.StatusCode.FAILED_PRECONDITION, reason, detail)

    # --- submit -------------------------------------------------------------------------------------------------------

    async def _submit(self, request: SubmitRequest) -> SubmitReply:
        nonce = self._nonces.take(request.token_id, request.nonce, self._clock.monotonic_us())
        if not nonce:
            # No audit: whoever has no nonce has shown no invite either, and is as cheap as this line.
            return _refusal(Reason.NOT_ENROLLED, "the nonce is not one given out for this invite: begin again")
        if len(request.nonce) != NONCE_BYTES or max(map(len, _fields(request))) > _FIELD_BYTES_MAX:
            return _refusal(Reason.LIMIT_EXCEEDED, "a field is larger than any that is sent")
        # A caller that goes away must not take the audit of what it brought about with it.
        task = asyncio.create_task(self._decide(_submission(request), nonce))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return await asyncio.shield(task)

    async def _decide(self, submission: Submission, nonce: bytes) -> SubmitReply:
        await self._note(Event.ENROLMENT_ASKED, invite_id=submission.token)
        now = self._writer.now()
        try:
            issuer = replace(self._issuer, parent=parent_of(self._identity()))
            answer: Answer = await self._writer.call(lambda t: SubmitJob(t, issuer, submission, nonce, now))
        except InputFault as fault:
            await self._note(
                Event.ENROLMENT_REFUSED, invite_id=submission.token, reason=fault.reason.name, detail=fault.detail
            )
            return _refusal(fault.reason, fault.detail)
        return await self._reply(submission, answer)

    async def _reply(self, submission: Submission, answer: Answer) -> SubmitReply:
        """The reply to what was committed, after it was audited."""
        decision, invite = answer.decision, answer.invite
        node = invite.node if invite else ""
        if decision.keys is None:
            # judge_submission says TIMEOUT of an invite that ran out, and of nothing else.
            await self._note(
                Event.INVITE_EXPIRED if decision.reason is Reason.TIMEOUT else Event.INVITE_REFUSED,
                invite_id=submission.token,
                node=node,
                reason=decision.reason.name,
                detail=decision.detail,
            )
            mark = USED if answer.was_used and decision.reason is Reason.NOT_ENROLLED else ""
            return _refusal(decision.reason, mark + decision.detail)
        fingerprint = decision.keys.fingerprint
        if decision.outcome is Outcome.PENDING:
            self._log.info("enrolment_waits", node=node)
            return SubmitReply(
                state=SubmitState.SUBMIT_STATE_PENDING, parent=self._identity().node, fingerprint=fingerprint
            )
        again = decision.outcome is Outcome.AGAIN
        reply = SubmitReply.FromString(answer.issued)
        if not again or reply.chain:
            await self._note(
                Event.INVITE_USED, invite_id=submission.token, node=node, fingerprint=fingerprint, again=again
            )
        if not again:
            if reply.chain:
                await self._note(Event.CERTIFICATE_ISSUED, node=node, certificate=answer.leaf_fingerprint.hex())
            self._log.info("enrolled", node=node)
        if reply.record.closes_older and not again:
            await self._note(Event.ENROLMENT_CLOSED, node=node, versions_before=reply.record.version)
        if not reply.chain:
            try:
                reply.chain.extend(await self._certificates.obtain(node, submission.csr))
            except NoCertificate as none:
                self._log.info("certificate_awaited", node=node, by=none.by, reason=none.reason.name)
                return SubmitReply(
                    state=SubmitState.SUBMIT_STATE_PENDING,
                    parent=self._identity().node,
                    fingerprint=fingerprint,
                    reason=int(none.reason),
                    detail=none.detail,
                    certifier=none.by,
                )
            whole = reply.SerializeToString()
            await self._writer.call(lambda t: CertifiedJob(t, submission.token, whole))
        reply.anchor.CopyFrom(await self._anchor())
        reply.exchange_address = self._exchange_address
        return reply

    async def _anchor(self) -> Anchor:
        """The newest anchor that is held; the store's, once it knows one."""
        held = await self._writer.ask(lambda _, store: store.meta(ANCHOR))
        return Anchor.FromString(held if isinstance(held, bytes) and held else self._identity().anchor)

    async def _note(self, event: Event, **fields: object) -> None:
        """Audits, off the loop: each line waits for the disk. Raises LocalFault."""
        await asyncio.to_thread(self._audit.append, event, **fields)


class EnrolmentServer:
    """The port that the service answers on."""

    def __init__(self, service: EnrolmentService) -> None:
        self._service = service
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str, credentials: grpc.ServerCredentials) -> int:
        """Listens; the port (of use where `address` says port 0). Raises UserFault PORT_TAKEN."""
        server = grpc.aio.server(options=_OPTIONS)
        link_pb2_grpc.add_EnrolmentServicer_to_server(self._service, server)
        try:
            port = take_port(server, address, credentials)
        except UserFault:
            await server.stop(0)
            raise
        await server.start()
        self._server = server
        return port

    async def stop(self) -> None:
        """Ends calls; what was begun in the writer is finished and audited."""
        if self._server is not None:
            await self._server.stop(STOP_GRACE_S)
            self._server = None
        await self._service.settle()


def _refusal(reason: Reason, detail: str) -> SubmitReply:
    return SubmitReply(state=SubmitState.SUBMIT_STATE_REFUSED, reason=int(reason), detail=detail)


def _fields(request: SubmitRequest) -> tuple[bytes, ...]:
    return (request.csr, request.ca_csr, request.log_public_key, request.log_possession, request.proof)


def _submission(request: SubmitRequest) -> Submission:
    return Submission(
        token=request.token_id,
        nonce=request.nonce,
        csr=request.csr,
        ca_csr=request.ca_csr,
        suite=request.suite,
        log_public_key=request.log_public_key,
        possession=request.log_possession,
        proof=request.proof,
    )
