"""Webhooks: signed, in order, at least once; a target that fails or never answers holds up nothing and is shown."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from certs.files import CustodyFault
from node.config import CONFIG_NAME, load, load_file, render
from node.faults import Code, UserFault
from node.http import webhooks
from node.serve import Served
from node.settings import Config, HttpSection, NodeSection, Webhook
from node.testing import Member, Topology
from tests.integration.http_kit import ALONE
from tests.integration.kit import CODE_COLUMNS, code_row, node_of, run

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver:
    """A system that is told: keeps what came, and answers as the test says (b'' never)."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.answer: Callable[[int], bytes] = lambda _: OK
        self.calls = 0
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._open.add(writer)
        try:
            while line := await reader.readline():
                assert line.startswith(b"POST /changes HTTP/1.1")
                headers: dict[str, str] = {}
                while (line := await reader.readline()).strip():
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers["content-length"]))
                self.calls += 1
                answer = self.answer(self.calls)
                self.came.put_nowait((headers, body))
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """Ends what is open."""
        for writer in list(self._open):
            writer.close()

    async def message(self) -> dict[str, Any]:
        """The next message."""
        return dict(json.loads((await self.came.get())[1]))

    async def codes(self, count: int) -> list[str]:
        """The next so many codes that are told of."""
        found: list[str] = []
        while len(found) < count:
            found += [change["key"][1] for change in (await self.message())["data"]["changes"]]
        return found


@asynccontextmanager
async def _receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.hang_up()
        server.close()


@asynccontextmanager
async def _telling(folder: Path, *receivers: Receiver) -> AsyncIterator[Member]:
    """A nation that tells each receiver of its code tables."""
    async with Topology(folder, ALONE) as net:
        member = net["nation"]
        path = member.home / CONFIG_NAME
        targets = {
            f"to-{i}": Webhook(f"http://127.0.0.1:{one.port}/changes", ("class_code",))
            for i, one in enumerate(receivers)
        }
        config = replace(load_file(path), http=HttpSection(changes_keep_days=7), webhooks=targets)
        path.write_text(render(config), "utf-8")
        await member.restart()
        await _begun(member, len(receivers))
        yield member


async def _begun(member: Member, count: int) -> None:
    """Until every target has its first place: what is put before it is not told."""
    node = node_of(member)
    while True:
        changed = node.changed
        names = [f"to-{i}" for i in range(count)]
        if all([await node.read(lambda reader, name=name: reader.changes.cursor(name)) for name in names]):
            return
        await changed.wait()


async def _put(member: Member, *codes: str) -> None:
    result = await member.put("class_code", CODE_COLUMNS, [code_row("x_test", code) for code in codes])
    assert not result.rejected, list(result.rejected)


def test_changes_are_posted_and_signed(tmp_path: Path) -> None:
    """As Standard Webhooks says, with the secret in the node's home; voids too."""

    async def work() -> None:
        async with _receiving() as receiver, _telling(tmp_path, receiver) as member:
            await _put(member, "a")
            headers, body = await receiver.came.get()
            text = (member.home / "webhooks" / "to-0.secret").read_text().strip()
            assert (member.home / "webhooks" / "to-0.secret").stat().st_mode & 0o777 == 0o600
            secret = base64.b64decode(text.removeprefix("whsec_"))
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            mac = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
            assert headers["webhook-signature"] == f"v1,{mac}"
            message = json.loads(body)
            assert message["type"] == "changes"
            assert message["data"]["node"] == member.node
            (change,) = message["data"]["changes"]
            assert (change["dataset"], change["change"], change["row"]["code"]) == ("class_code", "put", "a")

    run(work())


def test_what_is_not_taken_is_sent_again_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, a connection that breaks, no answer at all: the same message with the same id, then the next."""
    monkeypatch.setattr(webhooks, "RETRY_S", 0.01)
    monkeypatch.setattr(webhooks, "ANSWER_S", 0.5)
    answers = {
        1: b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
        2: b"nonsense\r\n\r\n",
        3: b"",
        4: b"HTTP/1.1 302 x\r\n\r\n",
    }

    async def work() -> None:
        async with _receiving() as receiver, _telling(tmp_path, receiver) as member:
            receiver.answer = lambda call: answers.get(call, OK)
            await _put(member, "a")
            tries = [await receiver.came.get() for _ in range(5)]
            assert len({headers["webhook-id"] for headers, _ in tries}) == 1
            assert len({body for _, body in tries}) == 1
            await _put(member, "b")
            headers, body = await receiver.came.get()
            assert headers["webhook-id"] != tries[0][0]["webhook-id"]
            assert [one["key"][1] for one in json.loads(body)["data"]["changes"]] == ["b"]

    run(work())


def test_one_that_never_answers_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other target is told, the node works, the status shows it, an alarm is raised; the stop does not wait."""
    monkeypatch.setattr(webhooks, "RETRY_S", 0.01)
    monkeypatch.setattr(webhooks, "ANSWER_S", 0.5)

    async def work() -> None:
        async with _receiving() as silent, _receiving() as good, _telling(tmp_path, silent, good) as member:
            silent.answer = lambda _: b""
            await _put(member, "a")
            assert await good.codes(1) == ["a"]
            await _put(member, "b")
            assert await good.codes(1) == ["b"]
            seen = await member.until(lambda s: any(a["name"] == "webhook_failing" for a in s["alarms"]))
            stands = {one["webhook"]: one for one in seen["webhooks"]}
            assert stands["to-0"]["state"] == "failing"
            assert "no answer" in stands["to-0"]["detail"]
            assert stands["to-1"]["state"] == "working"
            monkeypatch.setattr(webhooks, "ANSWER_S", 60.0)
            await member.stop()

    run(work())


def test_the_place_of_a_target_is_kept_over_a_restart(tmp_path: Path) -> None:
    """What was taken does not come again, what was not comes then."""

    async def work() -> None:
        async with _receiving() as receiver, _telling(tmp_path, receiver) as member:
            await _put(member, "a")
            assert await receiver.codes(1) == ["a"]
            node = node_of(member)
            changed = node.changed
            while await node.read(lambda r: r.changes.cursor("to-0")) != await node.read(_newest):
                await changed.wait()
                changed = node.changed
            receiver.answer = lambda _: b""
            await _put(member, "b")
            assert await receiver.codes(1) == ["b"]
            receiver.answer = lambda _: OK
            await member.restart()
            assert await receiver.codes(1) == ["b"]
            await _put(member, "c")
            assert await receiver.codes(1) == ["c"]

    run(work())


def _newest(reader: Any) -> str:
    from node import following

    return following.newest(reader)


def test_a_target_that_was_away_too_long_is_told_so(tmp_path: Path) -> None:
    """Its place is not kept any more: it hears that changes were lost, then what comes."""

    async def work() -> None:
        async with _receiving() as receiver, _telling(tmp_path, receiver) as member:
            await _put(member, "a")
            assert await receiver.codes(1) == ["a"]
            path = member.home / CONFIG_NAME
            config = load_file(path)
            path.write_text(render(replace(config, http=HttpSection(), webhooks={})), "utf-8")
            await member.restart()
            await _put(member, "b")
            path.write_text(render(config), "utf-8")
            await member.restart()
            assert (await receiver.message())["type"] == "changes.lost"
            await _put(member, "c")
            assert await receiver.codes(1) == ["c"]

    run(work())


def test_a_secret_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """The node does not start; nor with a file that holds none."""

    async def work() -> None:
        async with _receiving() as receiver, _telling(tmp_path, receiver) as member:
            await member.stop()
            secret = member.home / "webhooks" / "to-0.secret"
            secret.chmod(0o644)
            with pytest.raises(CustodyFault):
                await Served(member.home).__aenter__()
            secret.chmod(0o600)
            secret.write_text("password")
            with pytest.raises(UserFault) as found:
                await Served(member.home).__aenter__()
            assert found.value.code is Code.KEY_CUSTODY

    run(work())


@pytest.mark.parametrize(
    ("hook", "http", "where"),
    [
        (Webhook("http://cim.example/x", ("case",)), HttpSection(changes_keep_days=7), "url"),
        (Webhook("https://u:p@cim.example/x", ("case",)), HttpSection(changes_keep_days=7), "url"),
        (Webhook("https://cim.example:x/", ("case",)), HttpSection(changes_keep_days=7), "url"),
        (Webhook("ftp://127.0.0.1/x", ("case",)), HttpSection(changes_keep_days=7), "url"),
        (Webhook("https://cim.example/x", ()), HttpSection(changes_keep_days=7), "datasets"),
        (Webhook("https://cim.example/x", ("case",)), HttpSection(), "changes_keep_days"),
    ],
)
def test_a_webhook_that_cannot_be_is_told(hook: Webhook, http: HttpSection, where: str) -> None:
    """The configuration is refused, with the setting."""
    own = NodeSection("f", "n100000.f", "national", "100000", "t")
    with pytest.raises(UserFault) as found:
        load(CONFIG_NAME, render(Config(own, http=http, webhooks={"cim": hook})))
    assert where in str(found.value.message)
