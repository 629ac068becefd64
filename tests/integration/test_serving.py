"""How a home comes up and goes down: what systemd is told, who may speak to it, what a refused start leaves."""

from __future__ import annotations

import asyncio
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from certs.files import HomeFiles
from node import audit
from node.clock import SystemClock, SystemRandomness
from node.config import CONFIG_NAME, ListenSection
from node.control.client import ControlClient
from node.control.place import SOCKET_FILE
from node.engine import Engine
from node.faults import Code, Exit, UserFault
from node.founding import found_nation
from node.serve import AUDIT_FOLDER, Served, notify_systemd
from node.store.driver import connect_reader
from node.store.faults import HomeFault, StoreFault, StoreTrouble
from node.store.home import DATABASE_FILE
from node.store.readers import Reader
from node.store.session import Session
from node.store.store import Store
from tests.integration.kit import run

LISTEN = ListenSection(exchange="127.0.0.1:0", enrolment="127.0.0.1:0", advertise_exchange="127.0.0.1:7001")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A nation that was founded and not yet started."""
    made = tmp_path / "nation"
    found_nation(made, tmp_path / "root", "cn-test", "100000", "国家平台", LISTEN, SystemClock(), SystemRandomness())
    return made


async def served(home: Path) -> None:
    """Up and down once."""
    async with Served(home):
        return


def last(home: Path) -> tuple[str, str]:
    """Event and reason of the newest line of audit; its detail must say something."""
    line = list(audit.read(home / AUDIT_FOLDER))[-1]
    assert line["fields"]["detail"]
    return line["event"], line["fields"]["reason"]


# --- systemd ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("abstract", [False, True], ids=["a file", "an abstract name"])
def test_systemd_is_told_in_one_datagram(tmp_path: Path, abstract: bool) -> None:
    """Under the name that $NOTIFY_SOCKET gives, of either sort."""
    name = f"@tiersync{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        for state in ("READY=1", "STOPPING=1"):
            notify_systemd(state, {"NOTIFY_SOCKET": name})
            assert systemd.recv(100) == state.encode()


def test_nobody_is_told_where_nobody_waits(tmp_path: Path) -> None:
    """Started by hand there is no $NOTIFY_SOCKET."""
    notify_systemd("READY=1", {})
    notify_systemd("READY=1", {"NOTIFY_SOCKET": ""})


# --- a stop that hangs ------------------------------------------------------------------------------------------------


def ended(inside: str) -> subprocess.CompletedProcess[str]:
    """A process that stops in bounds, and what it did meanwhile."""
    program = f"""
import os, threading
from node.serve import bounded_stop
from node.texts import use
use("en")
with bounded_stop({{}}):
    {inside}
print("stopped")
"""
    program = program.format("0.01" if "wait" in inside else "60")
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


def test_a_stop_that_hangs_ends_with_the_process_and_says_so() -> None:
    """Also when the loop itself is what hangs: nothing runs any more, and nobody is waited for."""
    said = ended("threading.Event().wait()")
    assert (said.returncode, said.stdout) == (Exit.FAILED, "")
    assert said.stderr.startswith("The node did not stop within 0.01 s")


def test_a_stop_in_time_is_left_alone() -> None:
    """The process goes on to its own end."""
    said = ended("pass")
    assert (said.returncode, said.stdout, said.stderr) == (0, "stopped\n", "")


def test_a_store_that_fails_in_a_stop_does_not_keep_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the stop is done all the same, the failure is told, and the home can be started again."""

    def failing(*_: object) -> bool:
        raise StoreFault(StoreTrouble.IO, "the disk is gone")

    async def work() -> None:
        with monkeypatch.context() as broken:
            async with Served(home):
                broken.setattr(Engine, "step", failing)

    with pytest.raises(StoreFault, match="the disk is gone"):
        asyncio.run(work())
    assert not (home / SOCKET_FILE).exists()
    assert [line["event"] for line in audit.read(home / AUDIT_FOLDER)][-1] == "node_stopped"
    run(served(home))


def test_a_store_that_does_not_close_ends_the_node_all_the_same(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for a writer that is gone, and what made it go is told."""

    def failing(self: Store) -> None:
        plain(self)
        raise StoreFault(StoreTrouble.IO, "the disk is gone")

    plain = Store.close
    monkeypatch.setattr(Store, "close", failing)
    with pytest.raises(StoreFault, match="the disk is gone"):
        run(served(home))


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_a_stop_waits_for_no_question(home: Path) -> None:
    """One that would never end is broken off, and those behind it are not begun; both callers are told."""
    began = threading.Event()

    def endless(reader: Reader) -> list[Any]:
        began.set()
        return reader.session.rows(ENDLESS)

    async def work() -> None:
        async with Served(home) as serving:
            asked = [asyncio.create_task(serving.node.read(endless)) for _ in range(2)]
            await asyncio.to_thread(began.wait)
        for fault in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(fault, StoreFault)
            assert fault.trouble is StoreTrouble.STOPPED

    run(work())


@pytest.mark.parametrize("leaves", ["the caller", "the node"])
def test_a_check_ends_with_whoever_leaves(home: Path, monkeypatch: pytest.MonkeyPatch, leaves: str) -> None:
    """It runs on a connection and in a thread of its own, which must not outlive either."""
    began, ended = threading.Event(), threading.Event()

    def endless(path: Path, rules: object, tell: object, over: Callable[[], bool]) -> None:
        try:
            with closing(Session(connect_reader(path, over))) as session:
                began.set()
                session.rows(ENDLESS)
        finally:
            ended.set()

    async def work() -> None:
        async with AsyncExitStack() as longer:
            async with Served(home):
                client = await longer.enter_async_context(ControlClient(home))
                asked = asyncio.create_task(client.command("fsck"))
                await asyncio.to_thread(began.wait)
                if leaves == "the caller":
                    asked.cancel()
                    await asyncio.to_thread(ended.wait)
            assert ended.is_set()
            await asyncio.gather(asked, return_exceptions=True)

    monkeypatch.setattr("node.commands.fsck.check_file", endless)
    run(work())


# --- the control socket -----------------------------------------------------------------------------------------------


def test_only_the_owner_may_open_the_control_socket(home: Path) -> None:
    """0600 in a home of 0700: whoever may open it may do everything."""

    def mode(path: Path) -> str:
        return stat.filemode(path.stat().st_mode)

    async def work() -> None:
        async with Served(home):
            assert mode(home / SOCKET_FILE) == "srw-------"
            assert mode(home) == "drwx------"

    run(work())
    assert not (home / SOCKET_FILE).exists()


# --- a start that is refused ------------------------------------------------------------------------------------------


def test_keys_that_others_could_read_are_refused_and_audited(home: Path) -> None:
    """A key's mode and the home's mode are questions of custody."""
    key = HomeFiles(home).transport_key
    for path, code in ((key, Code.KEY_CUSTODY), (home, Code.HOME_PERMISSIONS)):
        good = stat.S_IMODE(path.stat().st_mode)
        path.chmod(good | 0o044)
        with pytest.raises(UserFault):
            asyncio.run(served(home))
        assert last(home) == ("key_custody_refused", code.name)
        path.chmod(good)
    run(served(home))


def test_a_start_that_is_refused_for_another_reason_is_audited_too(home: Path) -> None:
    """A configuration with a mistake; a store that belongs to another installation."""
    config = home / "node.toml"
    good = config.read_text("utf-8")
    config.write_text(good + "\n[wrong]\n", "utf-8")
    with pytest.raises(UserFault):
        asyncio.run(served(home))
    assert last(home) == ("start_refused", Code.CONFIG_INVALID.name)
    config.write_text(good, "utf-8")
    (home / "instance").write_text("0" * 32, "utf-8")
    with pytest.raises(HomeFault):
        asyncio.run(served(home))
    assert last(home)[0] == "start_refused"
    assert (home / DATABASE_FILE).exists()


@pytest.mark.parametrize("section", ["exchange", "enrolment"])
def test_a_port_that_another_program_holds_is_named(home: Path, section: str) -> None:
    """The number of the error says what it is, the words say which address; when it is free, the start goes well."""
    config = home / CONFIG_NAME
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        asked = config.read_text("utf-8").replace(f'{section} = "127.0.0.1:0"', f'{section} = "{address}"')
        config.write_text(asked, "utf-8")
        with pytest.raises(UserFault, match=address) as said:
            asyncio.run(served(home))
        assert said.value.code is Code.PORT_TAKEN
        assert last(home) == ("start_refused", "PORT_TAKEN")
    run(served(home))


def test_a_folder_that_is_no_node_is_not_written_into(tmp_path: Path) -> None:
    """A wrong --home leaves nothing behind."""
    folder = tmp_path / "other"
    folder.mkdir(mode=0o700)
    with pytest.raises(UserFault):
        asyncio.run(served(folder))
    assert list(folder.iterdir()) == []
    shutil.rmtree(folder)
    with pytest.raises(UserFault):
        asyncio.run(served(folder))
    assert not folder.exists()
