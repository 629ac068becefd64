"""Moves as officers make them, over the commands of each node; and what the tasks then look like at both ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from node.clock import SystemClock
from node.demo.reader import catalogue_of
from node.demo.scene import WAIT_S, Demo
from node.demo.words import place
from node.faults import Code, UserFault
from node.testing import Member
from node.texts import _, current
from sync.days import date_of, day_of_us

LIMIT_DAYS = 30


async def move(
    demo: Demo,
    member: Member,
    task: str,
    move: str,
    fields: Mapping[str, str] | None = None,
    *,
    holder: Member | None = None,
    flow: str = "",
    then: str = "",
    quiet: bool = False,
) -> None:
    """One move as an officer makes it; with `holder` a new task, issued at once by the move `then`."""
    wish: dict[str, Any] = {"task": task, "move": move, "flow": flow, "fields": dict(fields or {})}
    if holder is not None:
        issue = {"requirement": _("Look into it and put it right."), "due": day_in(LIMIT_DAYS)}
        wish |= {"holder": holder.node, "then": [{"move": then, "fields": issue}]}
    org = _("Urban management")
    shown = await member.command("task.move", **wish, org=org, role="officer")
    if not quiet:
        tell(demo, member, then or move, shown, to=holder)


def tell(demo: Demo, member: Member, move: str, shown: Mapping[str, Any], to: Member | None = None) -> None:
    """A line for whoever watches, in the flow's own words."""
    flow = catalogue_of(member).flows[shown["flow"]]
    state = _("pending") if shown["pending_moves"] else titled(flow.state(shown["state"]))
    who = place(member.place.name).say() + (f" ({place(to.place.name).say()})" if to is not None else "")
    demo.picture.says(f"{who}: {titled(flow.rule(move))} → {state}")


def titled(one: Any) -> str:
    return str(one.title_zh if current().language == "zh" else one.title_en) if one is not None else "-"


async def reaches(members: Sequence[Member], task: str, state: str) -> None:
    """Waits, woken by each commit of the nodes, until a task shows a state at all of them, with nothing pending."""

    async def at(member: Member) -> None:
        client = await member.client()
        async with asyncio.timeout(WAIT_S):
            async for _status in client.follow(20):
                shown = await _shown(member, task)
                if shown.get("state") == state and not shown.get("pending"):
                    return

    await asyncio.gather(*map(at, members))


async def _shown(member: Member, task: str) -> dict[str, Any]:
    try:
        return await member.command("task.show", task=task)
    except UserFault as fault:
        if fault.code is not Code.TASK_UNKNOWN:
            raise
        return {}


async def same_at(demo: Demo, task: str, ends: Sequence[str], state: str) -> bool:
    """Whether a task's history is one at both ends, and ended so."""
    here, there = [await history(demo.net[name], task) for name in ends]
    return here == there and bool(here) and here[-1][2] == state


async def history(member: Member, task: str) -> list[tuple[int, str, str, bool]]:
    shown = await member.command("task.show", task=task)
    return [(m["number"], m["move"], m["state"], m["accepted"]) for m in shown["moves"]]


def new_id(demo: Demo, flow: str) -> str:
    return f"{flow}-{demo.randomness.bytes(4).hex()}"


def day_in(days: int) -> str:
    return date_of(day_of_us(SystemClock().now_us()) + days)


async def run_program(*arguments: str) -> tuple[int, str]:
    """The program as a process of its own, which has no home but the one it is given; exit code and what it said."""
    environment = {name: said for name, said in os.environ.items() if name != "TIERSYNC_HOME"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "node", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, said = await process.communicate()
    return process.returncode or 0, (out or said).decode(errors="replace")
