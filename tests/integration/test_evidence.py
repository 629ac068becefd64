"""Evidence of a task between three real nodes, checked by a program that has no node, no home and no network."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

from certs.forms import fingerprint, from_pem
from node.testing import Member, Topology
from node.testing.topology import THREE
from sync.wire.v1.entry_pb2 import EntryHeader, MovePayload
from tests.integration.kit import run

TASK = "evidence-1"


def test_both_ends_prove_a_task_to_whoever_holds_the_root(tmp_path: Path) -> None:
    """Nation to city over a province, from issue to close: either end's file shows each move with both seals."""

    async def scene() -> None:
        async with Topology(tmp_path / "net") as net:
            await _to_its_end(net)
            await _signed_for(net)
            for name in ("nation", "city"):
                file = await _written(net, name, tmp_path)
                told = _verified(file, tmp_path, "--fingerprint", _root(tmp_path))
                assert (told["verdict"], told["wrong"], told["not_proved"]) == ("good", [], []), told
                assert [m["move"] for m in told["moves"]] == ["register", "issue", "sign", "reply", "close"]
                assert [bool(m["sealed"]["holder"]) for m in told["moves"]] == [False, False, True, True, False]
                assert all(m["sealed"]["issuer"] and m["witnesses"] for m in told["moves"])
                assert told["nodes"][net["city"].node]["title"] == "杭州市平台"
                assert told["made_by"] == net[name].node
                assert "路面破损".encode() in file.read_bytes()
                assert b"a secret of another task" not in file.read_bytes()

    run(scene())


def test_a_city_with_a_new_key_and_one_that_was_put_back(tmp_path: Path) -> None:
    """The keys of both lives are in the file; a copy of the home put back goes on in the same history."""

    async def scene() -> None:
        async with Topology(tmp_path / "net") as net:
            nation, city = net["nation"], net["city"]
            await _issued(net)
            await city.stop()
            backup = tmp_path / "backup"
            shutil.copytree(city.home, backup, symlinks=True)
            await city.start()
            await _move(city, "sign")
            await _until(nation, "signed")
            await city.stop()
            shutil.rmtree(city.home)
            backup.rename(city.home)
            await city.start()
            await _until(city, "signed")
            await city.stop()
            city.home.rename(tmp_path / "lost")
            await _joined_again(net)
            await _until(city, "signed")
            await _move(city, "reply", result="done")
            await _until(nation, "replied")
            await _move(nation, "close")
            await _until(city, "closed")
            await _signed_for(net)
            for name in ("nation", "city"):
                told = _verified(await _written(net, name, tmp_path), tmp_path, "--fingerprint", _root(tmp_path))
                assert (told["verdict"], told["wrong"], told["not_proved"]) == ("good", [], []), told
                versions = [m["sealed"]["holder"]["enrolment"] for m in told["moves"] if m["sealed"]["holder"]]
                assert versions == [1, 2]
            await city.stop()
            file = tmp_path / "stopped.evidence"
            written = ("--home", str(city.home), "task", "evidence", TASK, "-o", str(file), "--force")
            assert _program(tmp_path, *written).returncode == 0
            told = _verified(file, tmp_path, "--root", str(city.home / "certs" / "root.pem"))
            assert (told["verdict"], told["made_by"]) == ("good", city.node)
            _erase(city, "reply")
            again = _program(tmp_path, *written)
            assert again.returncode == 0, again
            told = _verified(file, tmp_path, "--fingerprint", _root(tmp_path))
            assert (told["verdict"], told["wrong"]) == ("incomplete", []), told
            assert {one["code"] for one in told["not_proved"]} == {"unseen"}

    run(scene())


def _erase(member: Member, move: str) -> None:
    """The payload of this node's own entry of a move is lawfully erased; its header stays in the chain."""
    with sqlite3.connect(member.home / "store.db") as store:
        for number, header, payload in store.execute("SELECT id, header, payload FROM log WHERE payload IS NOT NULL"):
            said = EntryHeader.FromString(header)
            of_moves = (said.origin, said.publication) == (member.node, "moves")
            if of_moves and MovePayload.FromString(payload).body.move == move:
                store.execute("UPDATE log SET payload = NULL WHERE id = ?", (number,))
    store.close()


def test_what_waits_for_a_link_is_not_evidence_yet(tmp_path: Path) -> None:
    """A move made while the province is away is sealed by nobody: the file says so, and what came before is proved."""

    async def scene() -> None:
        async with Topology(tmp_path / "net") as net:
            await _issued(net)
            await _signed_for(net, ("nation", "city"))
            await net["province"].stop()
            await _move(net["city"], "sign")
            file = await _written(net, "city", tmp_path)
            told = _verified(file, tmp_path, "--fingerprint", _root(tmp_path))
            assert (told["verdict"], told["wrong"]) == ("incomplete", [])
            assert "unsealed" in {one["code"] for one in told["not_proved"]}
            assert [m["move"] for m in told["moves"]] == ["register", "issue"]

    run(scene())


async def _joined_again(net: Topology) -> None:
    """The city lost its home: a new invite, new keys, the same node id."""
    from node.clock import SystemClock, SystemRandomness
    from node.enrol.client import join

    city = net["city"]
    place = THREE[2]
    invite = await net["province"].command(
        "invite.make", profile=place.tier, region=place.region, title=place.title, approval="automatic", again=True
    )
    await join(str(invite["invite"]), city.home, SystemClock(), SystemRandomness(), listen=city.listen)
    await city.start()


async def _issued(net: Topology) -> None:
    nation, city = net["nation"], net["city"]
    await _move(nation, "register", flow="W2", holder=city.node, title="路面破损", org="督查处", role="主办")
    await _move(nation, "issue", requirement="mend it", due="2026-12-31")
    await _until(city, "issued")


async def _to_its_end(net: Topology) -> None:
    nation, city = net["nation"], net["city"]
    await _issued(net)
    await _move(city, "sign")
    # Between the moves of this task stands one of another.
    await _move(nation, "register", task="other", flow="W2", holder=city.node, title="a secret of another task")
    await _until(nation, "signed")
    await _move(city, "reply", result="done")
    await _until(nation, "replied")
    await _move(nation, "close")
    await _until(city, "closed")


async def _move(member: Member, move: str, task: str = TASK, **fields: str) -> None:
    asked = {name: fields.pop(name) for name in ("flow", "holder", "org", "role") if name in fields}
    await member.command("task.move", task=task, move=move, fields=fields, **asked)


async def _until(member: Member, state: str) -> None:
    """Waits, woken by each commit, until a node shows the task in a state with nothing pending."""
    client = await member.client()
    async with asyncio.timeout(60):
        async for _ in client.follow(20):
            listed = (await client.command("task.list"))["tasks"]
            if any(t["task"] == TASK and t["state"] == state and not t["pending_moves"] for t in listed):
                return


async def _signed_for(net: Topology, *pairs: tuple[str, str]) -> None:
    """Waits until each end, or the first of each pair, holds a receipt of the other for all that there is."""
    for one, other in pairs or (("nation", "city"), ("city", "nation")):
        feed = f"{net[one].node}/moves@{net[other].node}"

        def signed(status: dict[str, Any], feed: str = feed) -> bool:
            found = next(f for f in status["feeds"] if f["feed"] == feed)
            return any(r["received"] >= found["seq"] for r in found["receipts"])

        await net[one].until(signed)


async def _written(net: Topology, name: str, folder: Path) -> Path:
    made = await net[name].command("task.evidence", task=TASK)
    path = folder / f"{name}.evidence"
    path.write_bytes(b64decode(made["file"]))
    return path


def _root(folder: Path) -> str:
    return fingerprint(from_pem((folder / "net" / "root" / "root.pem").read_bytes())[0]).hex()


def _verified(file: Path, folder: Path, *arguments: str) -> Any:
    """What the program says of the file."""
    done = _program(folder, "verify", str(file), "--json", *arguments)
    told = json.loads(done.stdout)
    assert done.returncode == {"good": 0, "bad": 7, "incomplete": 8}[told["verdict"]], done
    return told


def _program(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program as a process of its own, with an empty HOME and from an empty folder, in which it writes nothing."""
    empty = folder / "nowhere"
    empty.mkdir(exist_ok=True)
    environment = {"HOME": str(empty), "PYTHONPATH": str(Path(__file__).parents[2]), "TIERSYNC_LANG": "en"}
    command = [sys.executable, "-m", "node", *arguments]
    done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert not list(empty.iterdir())
    return done
