"""The socket, TLS, and uvicorn inside the node's own loop.

uvicorn's Server is taken by its parts (startup, main_loop, shutdown): so the node keeps its own signals, and a start
that fails raises instead of ending the process.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import uvicorn

from certs.files import check_key
from node.app import Node
from node.faults import Code, UserFault
from node.http.app import make_app
from node.http.connection import HEADER_BYTES_MAX, BoundedConnection
from node.settings import HttpSection, split_address
from node.texts import N_

KEEP_ALIVE_S = 30
STOP_S = 5
BACKLOG = 128


class HttpServer:
    """Serves one node over HTTP(S)."""

    def __init__(self, node: Node) -> None:
        settings = node.config.http
        context = tls_context(node.home, settings) if settings.certificate else None
        self._closing = asyncio.Event()
        self._address = split_address(settings.listen)
        self._server = uvicorn.Server(
            uvicorn.Config(
                make_app(node, self._closing),
                http=BoundedConnection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # what is worth telling, node/http/bounds.py tells
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=settings.connections_max,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=STOP_S,
                h11_max_incomplete_event_size=HEADER_BYTES_MAX,
                ssl_certfile=settings.certificate or None,
                ssl_context_factory=(lambda *_: context) if context else None,
            )
        )
        self._sockets: list[socket.socket] = []
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listens; the port. Raises OSError."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._sockets = [socket.create_server((host, port), family=family, backlog=BACKLOG)]
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(self._sockets)
        self._serving = asyncio.create_task(self._server.main_loop(), name="http")
        return int(self._sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Takes no more, and ends what is under way within STOP_S."""
        self._closing.set()
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving
            await self._server.shutdown(self._sockets)
        for one in self._sockets:
            one.close()


def tls_context(home: Path, settings: HttpSection) -> ssl.SSLContext:
    """TLS 1.2 and newer. Raises CustodyFault (key missing, or open to others), UserFault CERTIFICATE_UNFIT."""
    certificate, key = home / settings.certificate, home / settings.key
    check_key(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password a key that has one would ask at the terminal.
        context.load_cert_chain(certificate, key, password=b"")
    except ssl.SSLError as error:
        raise UserFault(
            Code.CERTIFICATE_UNFIT,
            N_("Certificate {certificate} and key {key} of [http] cannot be used together: {detail}"),
            N_("Give both as PEM, the key without a passphrase, the certificate of this server before its issuers."),
            certificate=certificate,
            key=key,
            detail=error.reason or str(error),
        ) from error
    return context
