"""The parent's end of links: an mTLS port that lets in enrolled children and nobody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import grpc
from structlog.typing import FilteringBoundLogger

from certs.verify import Identity
from node.link import options
from node.link.port import take_port
from node.link.switchboard import Switchboard
from node.link.watch import Watch
from sync.errors import RemoteFault
from sync.reasons import Reason

DETAIL_LETTERS_MAX = 300
NAME_LETTERS_MAX = 100
SESSIONS_PER_CHILD_MAX = 4
"""Of one child at a time: the one that works, one that asks whether that still lives, and what is on its way out."""
RETRY_AFTER_S = 5
"""What a child is told that finds no place free (`[limits] sessions_max`)."""


class Gate(Protocol):
    """Who may come in, and who hears of it."""

    def verify(self, leaf: bytes, chain: bytes) -> Identity:
        """Who shows these certificates (PEM). Raises RemoteFault."""
        ...

    def accepted(self, peer: str) -> None:
        """A session with this peer begins."""
        ...

    def refused(self, address: str, named: str, reason: Reason, detail: str) -> None:
        """Somebody was not let in. `named`: what the certificate says of him; TLS asked no more than who signed it."""
        ...


class _ServerStream:
    """A served call as pipe.Stream."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> bytes | None:
        got = await self._context.read()
        return None if got is grpc.aio.EOF else got

    async def write(self, frame: bytes) -> None:
        await self._context.write(frame)


class LinkServer:
    """Serves Link. Authorisation is ours, per call: TLS only says that some CA of ours signed."""

    def __init__(
        self,
        board: Switchboard,
        gate: Gate,
        watch: Watch,
        sessions_max: int,
        certify: Callable[[str, bytes], Awaitable[bytes]],
        log: FilteringBoundLogger,
    ) -> None:
        """certify: answers a child (node id) that asks for a certificate."""
        self._board = board
        self._gate = gate
        self._watch = watch
        self._children_max = sessions_max
        self._certify = certify
        self._sessions: Counter[str] = Counter()
        """How many sessions each child holds; who holds none is not in it."""
        self._log = log
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str, credentials: grpc.ServerCredentials) -> int:
        """Listens; returns the port (of use where `address` says port 0). Raises UserFault PORT_TAKEN."""
        self._server = grpc.aio.server(options=options.SERVER)
        service, method = options.METHOD.strip("/").split("/")
        handlers: dict[str, Any] = {
            method: grpc.stream_stream_rpc_method_handler(self._exchange),
            options.CERTIFY.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(self._certified),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        port = take_port(self._server, address, credentials)
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Ends all calls."""
        if self._server is not None:
            await self._server.stop(1.0)

    async def _certified(self, request: bytes, context: Any) -> bytes:
        identity = await self._verified(context)
        return await self._certify(identity.node, request)

    async def _verified(self, context: Any) -> Identity:
        """Who calls; a call that is not to be let in ends here."""
        auth = context.auth_context()
        leaf = b"".join(auth.get("x509_pem_cert", ()))
        chain = b"".join(auth.get("x509_pem_cert_chain", ()))
        try:
            return self._gate.verify(leaf, chain)
        except RemoteFault as fault:
            self._gate.refused(context.peer(), _named(auth), fault.reason, fault.detail)
            said = f"{fault.reason.name}: {fault.detail}"[:DETAIL_LETTERS_MAX]
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, said)
        raise AssertionError("abort raises")

    async def _exchange(self, _: Any, context: Any) -> None:
        identity = await self._verified(context)
        if self._is_full(identity.node):
            self._log.warning("sessions_full", peer=identity.node)
            again = ((options.RETRY_AFTER, str(RETRY_AFTER_S)),)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many sessions; come again later", again)
            return
        self._sessions[identity.node] += 1
        try:
            await self._session(identity, context)
        finally:
            self._sessions[identity.node] -= 1
            if not self._sessions[identity.node]:
                del self._sessions[identity.node]

    def _is_full(self, child: str) -> bool:
        """Whether a child gets no place; one child alone cannot take those of the others."""
        held = self._sessions[child]
        return held >= SESSIONS_PER_CHILD_MAX if held else len(self._sessions) >= self._children_max

    async def _session(self, identity: Identity, context: Any) -> None:
        self._gate.accepted(identity.node)
        await context.send_initial_metadata((options.LET_IN,))
        pipe = self._board.pipe(identity.node)
        try:
            with self._watch.over(pipe, identity):
                await pipe.run(_ServerStream(context), dialled=False, transport_key_hash=identity.key_hash)
        finally:
            self._board.release(pipe)


def _named(auth: Mapping[str, Sequence[bytes]]) -> str:
    return b"".join(auth.get("x509_common_name", ())).decode(errors="replace")[:NAME_LETTERS_MAX]
