"""A tree of real nodes: homes made, enrolled by real invites, linked over loopback mTLS, ended with the block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from node.clock import SystemClock, SystemRandomness
from node.config import CONFIG_NAME, ListenSection, load_file, render
from node.control.client import ControlClient
from node.control.v1 import control_pb2 as pb
from node.enrol.client import join
from node.founding import found_nation
from node.testing.ports import free_ports
from node.testing.running import InProcess, OwnProcess, Running, last_log_lines
from sync.values import Key, Row
from tiers.profile import PROFILES, node_id

FEDERATION = "cn-demo"
SETTLE_S = 60.0


class Place(NamedTuple):
    """One node to be: `name` is how a test calls it, `parent` the name of the node above ('' for the nation)."""

    name: str
    tier: str
    region: str
    title: str
    parent: str


THREE: tuple[Place, ...] = (
    Place("nation", "national", "100000", "国家平台", ""),
    Place("province", "provincial", "330000", "浙江省平台", "nation"),
    Place("city", "city", "330100", "杭州市平台", "province"),
)
FOUR: tuple[Place, ...] = (*THREE, Place("county", "district", "330106", "西湖区平台", "city"))
DEMO: tuple[Place, ...] = (
    *THREE[:2],
    Place("hangzhou", "city", "330100", "杭州市平台", "province"),
    Place("ningbo", "city", "330200", "宁波市平台", "province"),
    Place("shanghai", "city", "310000", "上海市平台", "nation"),
)


class Member:
    """One node of a topology."""

    def __init__(self, place: Place, node: str, home: Path, ports: Sequence[int], processes: bool) -> None:
        self.place = place
        self.node = node
        self.home = home
        self.listen = ListenSection(
            exchange=f"127.0.0.1:{ports[0]}",
            enrolment=f"127.0.0.1:{ports[1]}",
            advertise_exchange=f"127.0.0.1:{ports[0]}",
            advertise_enrolment=f"127.0.0.1:{ports[1]}",
        )
        self._processes = processes
        self.running: Running | None = None
        self._client: ControlClient | None = None

    async def start(self) -> None:
        """Serves the home; returns when the node is ready."""
        runner = OwnProcess(self.home) if self._processes else InProcess(self.home)
        self.running = await runner.start()

    async def stop(self) -> None:
        """Orderly end."""
        await self._hang_up()
        if self.running is not None:
            running, self.running = self.running, None
            await running.stop()

    async def kill(self) -> None:
        """kill -9."""
        await self._hang_up()
        assert self.running is not None
        running, self.running = self.running, None
        await running.kill()

    async def restart(self) -> None:
        """Stops and starts on the same home and ports."""
        await self.stop()
        await self.start()

    @property
    def pid(self) -> int:
        """Process id, where it is a process of its own."""
        assert isinstance(self.running, OwnProcess)
        return self.running.pid

    async def client(self) -> ControlClient:
        """A connection to the control socket, kept until the node ends."""
        if self._client is None:
            self._client = await ControlClient(self.home).__aenter__()
        return self._client

    async def _hang_up(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.__aexit__(None, None, None)

    async def put(
        self, dataset: str, columns: Sequence[str], rows: Sequence[Row], voids: Sequence[Key] = ()
    ) -> pb.PutResult:
        """One local transaction at the door."""
        return await (await self.client()).put(dataset, columns, rows, voids)

    async def status(self) -> dict[str, Any]:
        """The node's status now."""
        return await (await self.client()).status()

    async def until(self, enough: Callable[[dict[str, Any]], bool], timeout_s: float = SETTLE_S) -> dict[str, Any]:
        """Waits, pushed by the node, until its status satisfies. AssertionError with the log's end after the time."""
        client = await self.client()
        try:
            return await asyncio.wait_for(client.until(enough), timeout_s)
        except TimeoutError:
            seen = await client.status()
            links = [(link["peer"], link["phase"]) for link in seen["links"]]
            behind = [(f["feed"], f["seq"], f["waiting"]) for f in seen["feeds"]]
            raise AssertionError(
                f"{self.place.name} did not get there: {seen['state']}, links {links}, feeds {behind}\n"
                f"{last_log_lines(self.home)}"
            ) from None

    async def command(self, name: str, **arguments: Any) -> dict[str, Any]:
        """A named control command."""
        return await (await self.client()).command(name, **arguments)


class Topology:
    """A running tree. Use as an async context manager; `net["city"]` is a Member.

    later: names of places that do not join yet; `add` brings them in.
    """

    def __init__(
        self,
        folder: Path,
        places: Sequence[Place] = THREE,
        *,
        processes: bool = False,
        federation: str = FEDERATION,
        catalogue: str = "",
        overrides: str = "",
        approval: str = "automatic",
        later: Collection[str] = (),
    ) -> None:
        self._folder = folder
        self._places = places
        self._processes = processes
        self._federation = federation
        self._catalogue = catalogue
        self._overrides = overrides
        self._approval = approval
        self._later = later
        self.members: dict[str, Member] = {}

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    async def __aenter__(self) -> Topology:
        try:
            await self._build()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note("\n".join(last_log_lines(m.home) for m in self.members.values()))
        await self.stop()

    async def stop(self) -> None:
        """Ends every node, children first."""
        for member in reversed(list(self.members.values())):
            await member.stop()

    async def _build(self) -> None:
        with free_ports(2 * len(self._places)) as ports:
            for index, place in enumerate(self._places):
                above = self.members[place.parent].node if place.parent else self._federation
                node = node_id(PROFILES[place.tier], place.region, above)
                home = self._folder / place.name
                pair = ports[2 * index : 2 * index + 2]
                self.members[place.name] = Member(place, node, home, pair, self._processes)
        for place in self._places:
            if place.name not in self._later:
                await self.add(place)
        await self.settled()

    async def add(self, place: Place, **wish: Any) -> Member:
        """Makes the home of one place, by a real invite from its running parent, and starts it. A home where joining
        was begun goes on with its own invite. wish: of the invite, where it is not the usual one."""
        member = self.members[place.name]
        clock, randomness = SystemClock(), SystemRandomness()
        if not place.parent:
            found_nation(
                member.home,
                self._folder / "root",
                self._federation,
                place.region,
                place.title,
                member.listen,
                clock,
                randomness,
                approval=self._approval,
            )
        else:
            invite = "" if member.home.exists() else await self.invited(place, **wish)
            await join(invite, member.home, clock, randomness, listen=member.listen)
        self._configure(member)
        await member.start()
        # Its own enrolment comes with the first link; only then may it invite nodes below itself.
        await member.until(self._calm(place.parent))
        return member

    async def invited(self, place: Place, **wish: Any) -> str:
        """The line of a new invite, by the running parent of a place."""
        usual = {"profile": place.tier, "region": place.region, "title": place.title, "approval": self._approval}
        made = await self.members[place.parent].command("invite.make", **(usual | wish))
        return str(made["invite"])

    def _configure(self, member: Member) -> None:
        """Site datasets and overrides, as an administrator would write them into node.toml."""
        path = member.home / CONFIG_NAME
        config = load_file(path)
        if self._catalogue:
            (member.home / "site.toml").write_text(self._catalogue, "utf-8")
            config = replace(config, data=replace(config.data, catalogue=("site.toml",)))
        path.write_text(render(config) + self._overrides, "utf-8")

    async def settled(self, timeout_s: float = SETTLE_S) -> dict[str, dict[str, Any]]:
        """Waits until every child's link works and nothing waits anywhere; the statuses."""
        statuses: dict[str, dict[str, Any]] = {}
        for name, member in self.members.items():
            if member.running is not None:
                statuses[name] = await member.until(self._calm(member.place.parent), timeout_s)
        return statuses

    async def level(self, timeout_s: float = SETTLE_S) -> None:
        """Waits until every feed stands, at each running node that it goes to, as at its origin."""
        statuses = await self.settled(timeout_s)
        wanted: dict[str, dict[str, int]] = {name: {} for name in statuses}
        for origin, status in statuses.items():
            for feed in status["feeds"]:
                if feed["own"] and feed["seq"]:
                    for name in self._audience(origin, feed["route"], feed["addressee"]):
                        if all(step in statuses for step in self._way(origin, name)):
                            wanted[name][feed["feed"]] = feed["seq"]
        for name, heads in wanted.items():
            await self.members[name].until(partial(_reached, heads=heads), timeout_s)

    def _calm(self, parent: str) -> Callable[[dict[str, Any]], bool]:
        return partial(_is_calm if parent else _has_no_backlog, here={m.node for m in self.members.values()})

    def _audience(self, origin: str, route: str, addressee: str) -> list[str]:
        """Names of the places that hold a feed of `origin` (docs/wire.md, "Routes"), relays among them."""
        match route:
            case "parent":
                return self._above(origin)[:1]
            case "ancestors":
                return self._above(origin)
            case "descendants":
                return [name for name in self.members if origin in self._above(name)]
            case "node":
                end = next((name for name, m in self.members.items() if m.node == addressee), origin)
                return self._way(origin, end)[1:]
        return [name for name in self.members if name != origin]

    def _above(self, name: str) -> list[str]:
        """The places above one, nearest first."""
        parent = self.members[name].place.parent
        return [parent, *self._above(parent)] if parent else []

    def _way(self, start: str, end: str) -> list[str]:
        """The places on the way through the tree, both ends among them."""
        up, down = [start, *self._above(start)], [end, *self._above(end)]
        top = next(name for name in up if name in down)
        return [*up[: up.index(top) + 1], *reversed(down[: down.index(top)])]


def _is_calm(status: dict[str, Any], here: Collection[str]) -> bool:
    up = any(link["to_parent"] and link["phase"] == "exchange" for link in status["links"])
    return up and _has_no_backlog(status, here)


def _has_no_backlog(status: dict[str, Any], here: Collection[str]) -> bool:
    """What is for nodes below waits where there are none, and so does what is for one node that is not among `here`."""
    return (
        status["state"] in ("working", "succeeded")
        and not status["jobs"]
        and all(feed["waiting"] == 0 or _may_wait(feed, here) for feed in status["feeds"] if feed["own"])
    )


def _may_wait(feed: Mapping[str, Any], here: Collection[str]) -> bool:
    return feed["route"] == "descendants" or bool(feed["addressee"] and feed["addressee"] not in here)


def _reached(status: dict[str, Any], heads: Mapping[str, int]) -> bool:
    held = {feed["feed"]: feed["seq"] for feed in status["feeds"]}
    return all(held.get(feed, 0) >= seq for feed, seq in heads.items())
