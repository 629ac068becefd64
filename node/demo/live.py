"""The live picture: the tree of nodes, what flows and what waits, drawn on stderr while the stages run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from node.control.client import ControlClient
from node.demo.words import place
from node.faults import UserFault
from node.testing import Member, Topology
from node.texts import N_, _, current
from node.texts.standing import PHASES

STAGE_TITLES: Mapping[str, str] = {
    "start": N_("Five nodes start and enrol by one-time invites"),
    "codes": N_("The nation publishes a code table"),
    "load": N_("Three cities load real service requests"),
    "lag": N_("Single cases become supervised: how fast does the nation see them?"),
    "outage": N_("The province is killed; its cities go on; it comes back"),
    "tamper": N_("The province offers a tampered copy of a city's entries"),
    "key_task": N_("A key task (W1): from the nation over the province to two cities, and back"),
    "cut_off": N_("Supervision (W2) while the line is cut: the city goes on, and two moves cross"),
    "evidence": N_("The tasks are proved by files, without any node"),
    "judge": N_("An independent reader compares the five stores"),
}
REFRESH_PER_S = 8
SAID_LINES = 6
_DIGITS = 12
_PHASE_STYLE = {"exchange": "green", "compare": "yellow", "hello": "yellow"}


class Silent:
    """Nobody watches (`--json`, `--no-live`): only the stage titles, one a line."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def __aenter__(self) -> Silent:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def watch(self, net: Topology) -> None:
        """Nothing to follow."""

    def stage(self, title: str) -> None:
        self._console.print(f"- {_(STAGE_TITLES[title])}", highlight=False)

    def says(self, line: str) -> None:
        self._console.print(f"    {line}", highlight=False)


class LivePicture:
    """Follows the status stream of every node; draws the tree whenever something was committed."""

    def __init__(self, console: Console) -> None:
        self._net: Topology | None = None
        self._status: dict[str, dict[str, Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stage = "start"
        self._said: list[str] = []
        # Last: it draws once while it is made.
        self._live = Live(console=console, refresh_per_second=REFRESH_PER_S, transient=False, get_renderable=self._draw)

    async def __aenter__(self) -> LivePicture:
        self._live.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._live.stop()

    def watch(self, net: Topology) -> None:
        """Begins to follow the nodes of a topology; those that are away are tried again."""
        self._net = net
        self._tasks = [asyncio.create_task(self._follow(name, member)) for name, member in net.members.items()]

    @property
    def shown(self) -> Mapping[str, str]:
        """Phase of the link upwards as it stands in the picture, by name of the nodes that are there."""
        return {
            name: next((link["phase"] for link in status["links"] if link["to_parent"]), "")
            for name, status in self._status.items()
        }

    def stage(self, title: str) -> None:
        self._stage = title
        self._said.clear()

    def says(self, line: str) -> None:
        self._said.append(line)
        del self._said[:-SAID_LINES]

    async def _follow(self, name: str, member: Member) -> None:
        while True:
            try:
                async with ControlClient(member.home) as client:
                    async for status in client.follow(1000 // REFRESH_PER_S):
                        self._status[name] = status
            except (UserFault, OSError):
                pass  # away, or just going: its socket and the pointer to it come and go with the process
            finally:
                # Whatever ended it: what is not followed any more is not shown as if it were.
                self._status.pop(name, None)
            await asyncio.sleep(1 / REFRESH_PER_S)

    def _draw(self) -> Group:
        parts: list[Any] = [Panel(Text(_(STAGE_TITLES[self._stage]), style="bold"), border_style="blue")]
        if self._net is not None:
            top = next(m for m in self._net.members.values() if not m.place.parent)
            parts.append(self._branch(top, None))
        parts.extend(Text(f"  {line}", style="dim") for line in self._said)
        return Group(*parts)

    def _branch(self, member: Member, above: Tree | None) -> Tree:
        assert self._net is not None
        label = self._label(member)
        tree = Tree(label) if above is None else above.add(label)
        for other in self._net.members.values():
            if other.place.parent == member.place.name:
                self._branch(other, tree)
        return tree

    def _label(self, member: Member) -> Text:
        """Name, link, rows here, what waits in the outbox, what is under way."""
        status = self._status.get(member.place.name)
        label = Text(f"{member.place.title} ", style="bold")
        label.append(member.node, style="dim")
        if status is None:
            return label.append("  ✗ " + _("away"), style="red")
        phase = self.shown[member.place.name]
        said = _(PHASES.get(phase, phase))
        if phase:
            label.append(f"  ● {said}", style=_PHASE_STYLE.get(phase, "red"))
        elif member.place.parent:
            label.append("  ○ " + _("no link"), style="red")
        feeds = status["feeds"]
        rows = sum(f["rows"] for f in feeds if f["own"] or f["applied_here"])
        waiting = sum(f["waiting"] for f in feeds)
        under_way = sum(link["under_way_bytes"] for link in status["links"])
        label.append("  " + _("rows {rows}").format(rows=rows))
        label.append("  " + _("waiting {count}").format(count=waiting), style="yellow" if waiting else "dim")
        label.append(
            "  " + _("under way {kib} KiB").format(kib=under_way // 1024), style="cyan" if under_way else "dim"
        )
        return label


def _lag_line(title: str, lag: Mapping[str, Any] | None) -> str:
    figures = lag or {"samples": 0, "p50_ms": "-", "p99_ms": "-"}
    return _("{title}: p50 {p50} ms, p99 {p99} ms ({samples} rows)").format(
        title=title, p50=figures["p50_ms"], p99=figures["p99_ms"], samples=figures["samples"]
    )


def verdict_tables(value: Mapping[str, Any]) -> Group:
    """The verdict as tables for a terminal."""
    from rich.table import Table

    checks = Table(title=_("Checks"), title_justify="left")
    for heading in (_("check"), "", _("what was seen")):
        checks.add_column(heading, overflow="fold")
    tail = "_zh" if current().language == "zh" else ""
    for check in value["checks"]:
        mark = Text("✓", style="green") if check["ok"] else Text("✗", style="bold red")
        # Texts of their own: what a node said may look like markup.
        checks.add_row(Text(check["title" + tail]), mark, Text(check["detail" + tail]))
    digests = Table(title=_("Table digests, by an independent reader"), title_justify="left")
    for heading in (_("feed"), _("held by"), _("rows"), _("digest"), _("digest at the origin"), ""):
        digests.add_column(heading, overflow="fold")
    for one in value["digests"]:
        mark = Text("=", style="green") if one["agrees"] else Text("≠", style="bold red")
        held = (str(one["rows"]), *(one[name][:_DIGITS] for name in ("digest", "origin_digest")))
        digests.add_row(one["feed"], place(one["at"]).say(), *held, mark)
    nodes = Table(title=_("Stores, re-verified from their bytes"), title_justify="left")
    headings = (
        _("node"),
        _("rows"),
        _("entries"),
        _("seals verified"),
        _("findings"),
        _("unchecked"),
        _("peak memory"),
    )
    for heading in headings:
        nodes.add_column(heading)
    for one in value["nodes"]:
        figures = (str(one[name]) for name in ("rows", "entries", "seals", "findings", "unchecked"))
        nodes.add_row(place(one["name"]).say(), *figures, f"{one['peak_kib'] // 1024} MiB")
    lag = value["lag"]
    took = value["coordination_seconds"]
    lines = [
        _("Tasks between the tiers, with the outage in their midst and the proof: {seconds} s").format(
            seconds="-" if took is None else took
        ),
        _lag_line(_("Lag, city to nation over the province"), lag["steady"]),
        _lag_line(_("Lag, municipality to nation"), lag["municipality"]),
        _lag_line(_("Lag, city to nation, of what was written while the province was down"), lag["outage"]),
        _("Held back at the cities: {cells}").format(
            cells=", ".join(f"{column} {count}" for column, count in value["held_back"].items() if count)
        ),
    ]
    end = Text(
        _("Verdict: {verdict} in {seconds} s").format(
            verdict=_("passed") if value["verdict"] == "passed" else _("FAILED"), seconds=value["seconds"]
        ),
        style="bold green" if value["verdict"] == "passed" else "bold red",
    )
    return Group(checks, digests, nodes, *(Text(line) for line in lines), end)
