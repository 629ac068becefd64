"""What the tests of the HTTP side share: one node in this process that serves it, and clients that talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from node.config import CONFIG_NAME, load_file, render
from node.settings import HttpSection
from node.testing import Member, Topology
from node.testing.topology import THREE
from tests.integration.kit import node_of

ALONE = THREE[:1]


def configure_http(member: Member, **settings: Any) -> None:
    """Writes [http] into a node's configuration; it counts from the next start."""
    path = member.home / CONFIG_NAME
    http = HttpSection(**{"listen": "127.0.0.1:0", **settings})
    path.write_text(render(replace(load_file(path), http=http)), "utf-8")


def port_of(member: Member) -> int:
    """Where the node of this process serves HTTP."""
    return node_of(member).http_port


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Member]:
    """A nation alone, with its HTTP side open."""
    async with Topology(folder, ALONE) as net:
        member = net["nation"]
        configure_http(member, **settings)
        await member.restart()
        yield member


@asynccontextmanager
async def calling(member: Member, token: str = "", **how: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a node, with a token if one is given."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    base = f"http://127.0.0.1:{port_of(member)}/api/v1"
    async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, **how) as client:
        yield client
