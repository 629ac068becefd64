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
from node.testing.ports import free_ports
from node.testing.topology import THREE, Place
from tests.beside import Beside
from tests.integration.kit import node_of

ALONE = THREE[:1]
PLACES = (THREE[0], Place("city", "city", "310000", "上海市平台", "nation"))
WAIT_S = 30.0


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


class Site(Beside):
    """A nation and a municipality in a loop of another thread; the municipality serves HTTP. For tests that call it."""

    WAIT_S = WAIT_S

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, PLACES)
        with free_ports(1) as ports:  # one that stays over a restart
            listen = f"127.0.0.1:{ports[0]}"
        configure_http(self.city, **{"listen": listen, **settings})
        self.do(self.city.restart())
        if "changes_keep_days" in settings:
            configure_http(self.net["nation"], listen="", changes_keep_days=settings["changes_keep_days"])
            self.do(self.net["nation"].restart())
        self._clients: list[httpx.Client] = []

    @property
    def city(self) -> Member:
        return self.net["city"]

    @property
    def base(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{port_of(self.city)}/api/v1"

    def staff(self, **roles: str) -> None:
        """Declares people of the municipality, by name and role."""
        for name, role in roles.items():
            wish = {"person": name, "shown": f"{name} 同志", "org": "督查处", "roles": role.split("+")}
            self.do(self.city.command("people.add", **wish))

    def token(self, *roles: str, **wish: Any) -> str:
        """A new token; good for all datasets unless some are named."""
        wish = {"title": "test", "roles": list(roles), "all": "datasets" not in wish, **wish}
        return str(self.do(self.city.command("token.make", **wish))["secret"])

    def client(self, *roles: str, **wish: Any) -> httpx.Client:
        """A client with a new token, or with none if no role is named; it speaks English."""
        headers = {"accept-language": "en"}
        if roles:
            headers["authorization"] = f"Bearer {self.token(*roles, **wish)}"
        made = httpx.Client(base_url=self.base, headers=headers, trust_env=False, timeout=WAIT_S)
        self._clients.append(made)
        return made

    def end(self) -> None:
        for client in self._clients:
            client.close()
        super().end()


def case(number: int, **cells: Any) -> dict[str, Any]:
    """A row of the municipality's cases, as JSON."""
    return {
        "case_id": f"sh-{number:05d}",
        "category": "event",
        "source": "public",
        "division": "310101",
        "state": "handling",
        "reported_at": "2026-03-02T09:15:00.000001+08:00",
        "supervised": False,
        "summary": f"第{number}件",
        **cells,
    }
