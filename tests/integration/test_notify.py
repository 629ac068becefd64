"""People are told by a running node: alarms, moves of tasks; in quiet hours later, and again until it was taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from node.config import CONFIG_NAME, load_file, render
from node.notify import following
from node.notify.sending import Sender, Unsent
from node.settings import Notify
from node.testing import Member, Topology
from node.testing.topology import Place
from tests.integration.kit import node_of, run

PLACES = (
    Place("nation", "national", "100000", "国家平台", ""),
    Place("city", "city", "310000", "上海市平台", "nation"),
)
ALWAYS = "00:00-24:00"


class Box:
    """A way out that keeps what it is given, or refuses it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.came: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.tries: asyncio.Queue[str] = asyncio.Queue()
        self.refuses = 0

    def send(self, subject: str, text: str) -> None:
        """As Sender.send: called in a thread."""
        self._loop.call_soon_threadsafe(self.tries.put_nowait, subject)
        if self.refuses:
            self.refuses -= 1
            raise Unsent("not now")
        self._loop.call_soon_threadsafe(self.came.put_nowait, (subject, text))


@asynccontextmanager
async def _told(
    folder: Path, patch: pytest.MonkeyPatch, ways: Mapping[str, Notify]
) -> AsyncIterator[tuple[Topology, Mapping[str, Box]]]:
    """A nation and a city; the city's people are told by these ways."""
    boxes = {name: Box(asyncio.get_running_loop()) for name in ways}

    def sender(home: Path, name: str, *_: object) -> Sender:
        return boxes[name]

    patch.setattr(following, "sender_of", sender)
    async with Topology(folder, PLACES) as net:
        city = net["city"]
        path = city.home / CONFIG_NAME
        path.write_text(render(replace(load_file(path), notify=ways)), "utf-8")
        assert load_file(path).notify == ways
        await city.restart()
        await _begun(city, *ways)
        yield net, boxes


async def _begun(member: Member, *names: str) -> None:
    """Until each way has its first place: moves from before are not told."""
    node = node_of(member)
    while True:
        changed = node.changed
        if all([await node.read(lambda r, n=n: r.changes.cursor(f"notify {n}")) for n in names]):
            return
        await changed.wait()


def _way(**fields: object) -> Notify:
    return Notify(**({"to": "wecom", "language": "en", "every_s": 1} | fields))  # type: ignore[arg-type]


async def _issue(net: Topology, task: str) -> None:
    nation, city = net["nation"], net["city"]
    said = {"title": "a secret"}
    await nation.command("task.move", task=task, move="register", flow="W2", holder=city.node, fields=said)
    fields = {"requirement": "r", "due": "2026-12-31"}
    await nation.command("task.move", task=task, move="issue", fields=fields)


def test_a_task_that_is_issued_is_told_at_the_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, without what it says; drafts and own moves are not told, alarms by their own way."""

    async def scene() -> None:
        ways = {"desk": _way(tell=("tasks",)), "duty": _way(tell=("alarms",))}
        async with _told(tmp_path, monkeypatch, ways) as (net, boxes):
            await _issue(net, "t-told")
            subject, text = await boxes["desk"].came.get()
            assert "上海市平台" in subject
            assert "t-told" in text
            assert "a secret" not in text
            city = net["city"]
            await city.command("task.move", task="t-told", move="sign", fields={})
            node_of(city).alarm("disk_low", reserve_bytes=1)
            subject, text = await boxes["duty"].came.get()
            assert "1 alarm(s), 0 move(s)" in subject
            assert "disk_low" in text
            await _issue(net, "t-next")
            assert "t-next" in (await boxes["desk"].came.get())[1], "neither the own move nor an alarm came between"

    run(scene())


def test_what_was_not_taken_is_told_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail server is away when the task comes, and back after the node was started again."""

    async def scene() -> None:
        async with _told(tmp_path, monkeypatch, {"desk": _way(tell=("tasks",))}) as (net, boxes):
            box = boxes["desk"]
            box.refuses = 1
            await _issue(net, "t-late")
            await box.tries.get()
            await net["city"].restart()
            assert "t-late" in (await box.came.get())[1]

    run(scene())


def test_quiet_hours_hold_back_all_but_what_is_urgent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one child alone if it is named; what is about others goes out."""

    async def scene() -> None:
        city = "c310000.cn-demo"
        ways = {"duty": _way(quiet=(f"{city} {ALWAYS}",)), "night": _way(quiet=(ALWAYS,))}
        async with _told(tmp_path, monkeypatch, ways) as (net, boxes):
            node = node_of(net["city"])
            node.alarm("link_closed", peer=city, reason="TIMEOUT")
            node.alarm("link_closed", peer="c330000.cn-demo", reason="TIMEOUT")
            told = (await boxes["duty"].came.get())[1]
            assert "c330000.cn-demo" in told
            assert city not in told
            node.alarm("fork", feed="x", origin=city)
            for name in ways:
                assert "fork" in (await boxes[name].came.get())[1]
            assert boxes["night"].came.empty()

    run(scene())


def test_a_way_that_keeps_failing_is_an_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which does not itself go by that way for ever."""

    async def scene() -> None:
        monkeypatch.setattr(following, "RETRY_S", 0.001)
        async with _told(tmp_path, monkeypatch, {"duty": _way()}) as (net, boxes):
            boxes["duty"].refuses = following.ALARM_AFTER
            node = node_of(net["city"])
            node.alarm("disk_low", reserve_bytes=1)
            assert "1 alarm(s)" in (await boxes["duty"].came.get())[0]
            alarms = [one["name"] for one in node.alarms]
            assert alarms.count("notify_failing") == 1

    run(scene())
