"""Certificates for nodes whose parent has no CA: asked of the parent above, passed on up to the first CA (ADR 0021).

Nothing is kept of it here. Who asked and got none asks again: the registry says what it may have, at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from certs.authority import SERIAL_BYTES
from certs.certify import certify, check_wanted, open_certificate
from certs.forms import PublicKey, public_key_hash
from node.audit import Event
from node.clock import Clock, Randomness
from node.enrol.bounds import Rates
from node.identity import NodeIdentity
from node.link import options
from node.link.dialler import Neighbour
from node.link.v1.link_pb2 import CertifyReply, CertifyRequest
from sync.core import Core
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason

KNOWN_S: Final = 4.0
"""How long the registry is waited for: the request and the record that it rests on travel side by side."""
CALL_S: Final = 8.0
"""For all that an answer from above may take; less than a child that joins waits (node/enrol/client.py)."""
AT_ONCE_MAX: Final = 64
BURST: Final = 256
PER_CHILD_S: Final = 1.0
"""Requests of one child at once, then per second: a city may take in all its counties on one day."""
DETAIL_LETTERS_MAX: Final = 300
_NOT_YET: Final = frozenset({Reason.UNKNOWN_ENROLMENT, Reason.CERTIFICATE_NOT_REGISTERED})


class NoCertificate(Exception):
    """None was to be had now: why, and which node says so."""

    def __init__(self, reason: Reason, detail: str, by: str) -> None:
        super().__init__(f"{by}: {reason.name}: {detail}")
        self.reason = reason
        self.detail = detail
        self.by = by


class Certifier:
    """A node's part in it, as who asks and as who is asked. Used in the asyncio loop."""

    def __init__(
        self,
        identity: NodeIdentity,
        core: Callable[[], Core],
        above: Callable[[], Neighbour],
        is_linked: Callable[[], bool],
        changed: Callable[[], asyncio.Event],
        clock: Clock,
        randomness: Randomness,
        note: Callable[..., None],
        note_sparingly: Callable[..., object],
        call: Callable[[Neighbour, CertifyRequest], Awaitable[bytes]] | None = None,
    ) -> None:
        """above: the parent, asked by who has no CA alone. changed: set with the next commit. note, note_sparingly: as
        those of Node. call: asks the parent over the network (`_called`)."""
        self._identity = identity
        self._core = core
        self._above = above
        self._is_linked = is_linked
        self._changed = changed
        self._clock = clock
        self._randomness = randomness
        self._note = note
        self._note_sparingly = note_sparingly
        self._call = call or _called
        self._rates = Rates(BURST, PER_CHILD_S)
        self._under_way = 0

    async def obtain(self, node: str, csr: bytes) -> Sequence[bytes]:
        """A chain (DER, without the root) for a node at or below this one, checked. Raises NoCertificate."""
        return await self._obtain(self._identity.node, node, csr)

    async def answer(self, caller: str, data: bytes) -> bytes:
        """To a child that was let in: a serialised CertifyReply. Whatever is refused is audited."""
        node = ""
        try:
            if self._under_way >= AT_ONCE_MAX or not self._rates.allows(caller, self._clock.monotonic_us()):
                raise RemoteFault(Reason.LIMIT_EXCEEDED, "asked too often; come again later")
            request = _request(data)
            node = request.node
            self._under_way += 1
            try:
                await self._until_known(caller, request)
                chain = await self._obtain(caller, node, request.csr)
            finally:
                self._under_way -= 1
        except RemoteFault as fault:
            return self._refusal(caller, node, NoCertificate(fault.reason, fault.detail, self._identity.node))
        except NoCertificate as none:
            return self._refusal(caller, node, none)
        return CertifyReply(chain=chain).SerializeToString()

    def _refusal(self, caller: str, node: str, none: NoCertificate) -> bytes:
        reason = none.reason.name
        said = node if self._core().registry.newest(node) else ""
        self._note_sparingly(
            Event.CERTIFICATE_REFUSED,
            f"{caller} {reason}",
            node=said,
            asked_by=caller,
            reason=reason,
            detail=none.detail,
            by=none.by,
        )
        return CertifyReply(reason=int(none.reason), detail=none.detail, by=none.by).SerializeToString()

    async def _until_known(self, caller: str, request: CertifyRequest) -> None:
        """Returns once the registry has what it takes, or is not likely to have it soon."""
        deadline = self._clock.monotonic_us() + int(KNOWN_S * 1e6)
        seen: object = self
        while (left := deadline - self._clock.monotonic_us()) > 0:
            changed, registry = self._changed(), self._core().registry
            # Looked at once for each record: every commit of a busy node wakes all that wait here.
            if (newest := registry.newest(request.node)) is not seen:
                seen = newest
                try:
                    check_wanted(registry, caller, request.node, request.csr)
                except RemoteFault as fault:
                    if fault.reason not in _NOT_YET:
                        return
                else:
                    return
            try:
                async with asyncio.timeout(left / 1e6):
                    await changed.wait()
            except TimeoutError:
                return

    async def _obtain(self, caller: str, node: str, csr: bytes) -> Sequence[bytes]:
        own = self._identity
        try:
            key = check_wanted(self._core().registry, caller, node, csr)
            # What a node has of its own comes from its parent, also where it is a CA itself.
            issues = (own.authority is not None and node != own.node) or own.node == own.nation
            chain = self._issued(node, key) if issues else await self._from_above(node, csr)
            leaf = open_certificate(own.trust, self._clock.now_us(), node, public_key_hash(key), chain)
        except (RemoteFault, InputFault) as fault:
            raise NoCertificate(fault.reason, fault.detail, own.node) from fault
        # Written before it is handed over, like every certificate that this node has a part in.
        if issues or node != own.node:
            event = Event.CERTIFICATE_ISSUED if issues else Event.CERTIFICATE_PASSED_ON
            self._note(event, node=node, certificate=leaf.fingerprint.hex(), asked_by=caller)
        return chain

    def _issued(self, node: str, key: PublicKey) -> Sequence[bytes]:
        authority = self._identity.authority
        assert authority is not None
        return certify(authority, node, key, self._clock.now_us(), self._randomness.bytes(SERIAL_BYTES))

    async def _from_above(self, node: str, csr: bytes) -> Sequence[bytes]:
        """As the parent answers, unchecked. Raises NoCertificate, RemoteFault."""
        parent = self._above()
        if not self._is_linked():
            raise NoCertificate(Reason.TIMEOUT, f"{self._identity.node} has no link to it now", parent.node)
        try:
            async with asyncio.timeout(CALL_S):
                data = await self._call(parent, CertifyRequest(node=node, csr=csr))
        except OSError as error:  # a timeout and a fault of TLS are such too
            detail = _printable(str(error) or type(error).__name__)
            raise NoCertificate(Reason.TIMEOUT, detail, parent.node) from error
        except grpc.aio.AioRpcError as error:
            is_older = error.code() is grpc.StatusCode.UNIMPLEMENTED
            reason = Reason.VERSION_TOO_OLD if is_older else Reason.TIMEOUT
            raise NoCertificate(reason, _printable(error.details() or error.code().name), parent.node) from error
        reply = _reply(data)
        if reply.chain:
            return tuple(reply.chain)
        try:
            reason = Reason(reply.reason)
        except ValueError:
            reason = Reason.NONE
        by = reply.by if self._core().registry.newest(reply.by) else parent.node
        raise NoCertificate(reason, _printable(reply.detail), by)


async def _called(parent: Neighbour, request: CertifyRequest) -> bytes:
    met = await parent.meet()
    channel = grpc.aio.secure_channel(parent.address, met.credentials, options=options.client(parent.node))
    try:
        call: Any = channel.unary_unary(options.CERTIFY)
        return bytes(await call(request.SerializeToString(), timeout=CALL_S))
    finally:
        await channel.close()


def _request(data: bytes) -> CertifyRequest:
    try:
        return CertifyRequest.FromString(data)
    except DecodeError as fault:
        raise RemoteFault(Reason.MALFORMED, "a request for a certificate that cannot be read") from fault


def _reply(data: bytes) -> CertifyReply:
    try:
        return CertifyReply.FromString(data)
    except DecodeError as fault:
        raise RemoteFault(Reason.MALFORMED, "an answer about a certificate that cannot be read") from fault


def _printable(text: str) -> str:
    """What a peer said, fit for a log and a terminal."""
    return "".join(c for c in text if c.isprintable())[:DETAIL_LETTERS_MAX]
