"""What is served at which path."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from node.app import Node
from node.faults import UserFault
from node.http import api, pages
from node.http.bounds import Bounds
from node.http.problems import on_bug, on_fault, on_http
from sync.errors import SyncError


def make_app(node: Node, closing: asyncio.Event) -> ASGIApp:
    """Everything that this node serves over HTTP. closing: set when the node stops."""
    handlers = {
        UserFault: on_fault,
        SyncError: on_fault,
        HTTPException: on_http,
        Exception: on_bug,
    }
    app = Starlette(routes=[*api.routes(node, closing), *pages.routes(node)], exception_handlers=handlers)
    return Bounds(app, node.config.http.body_bytes_max, node.log)
