"""The API of version 1, below /api/v1."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from node.app import Node

ROOT = "/api/v1"


def routes(node: Node) -> list[BaseRoute]:
    """The routes of the API."""

    async def health(request: Request) -> Response:
        """Whether the node works, for whatever watches it; says nothing else, for it asks for no token."""
        over = node.writer.stopped.done()
        body = msgspec.json.encode({"status": "fail" if over else "pass"})
        return Response(body, 503 if over else 200, media_type="application/json")

    return [Mount(ROOT, routes=[Route("/health", health)])]
