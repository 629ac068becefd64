"""Two ways to run a home: inside this process and loop, or as a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Protocol

from node.serve import LIFE_FD, LOG_FOLDER, READY_FD, Served, Serving
from node.telemetry import LOG_NAME

READY_TIMEOUT_S = 120.0
"""Waiting is pushed, so a long limit costs nothing; a crowded machine has been seen to read a library for 30 s."""
LOG_LINES = 20
LINE_BYTES = 4_096
SAID_LETTERS = 8_000


class Running(Protocol):
    """A home that is being served."""

    async def stop(self) -> None:
        """Orderly end, as by SIGTERM."""
        ...

    async def kill(self) -> None:
        """As kill -9. Only a process can be killed."""
        ...


class InProcess:
    """Real sockets, mTLS and files, in this loop."""

    def __init__(self, home: Path) -> None:
        self._served = Served(home)
        self.serving: Serving | None = None

    async def start(self) -> InProcess:
        self.serving = await self._served.__aenter__()
        return self

    async def stop(self) -> None:
        await self._served.__aexit__()

    async def kill(self) -> None:
        raise AssertionError("a node inside this process cannot be killed: use Topology(processes=True)")


class OwnProcess:
    """`tiersync run` as an administrator starts it. It ends when this process does, however that ends."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._life = -1
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a file, since a pipe that nobody reads would stop the node
        self.facts: dict[str, Any] = {}

    async def start(self) -> OwnProcess:
        """Returns when the node says that it is ready. AssertionError with what it said when it does not get there."""
        life_read, self._life = os.pipe()
        ready_read, ready_write = os.pipe()
        environment = {
            **os.environ,
            LIFE_FD: str(life_read),
            READY_FD: str(ready_write),
            "PYTHONFAULTHANDLER": "1",
        }
        command = [sys.executable, "-m", "node", "--home", str(self._home), "run"]
        self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own program; it returns at once
            command,
            env=environment,
            pass_fds=(life_read, ready_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )
        os.close(life_read)
        os.close(ready_write)
        try:
            with os.fdopen(ready_read, "rb", buffering=0) as pipe:
                line = await asyncio.wait_for(_line(pipe), READY_TIMEOUT_S)
        except BaseException as error:
            # Where it stands is said by all its threads (faulthandler).
            await self._end(signal.SIGABRT, f"node did not get ready ({type(error).__name__})")
            raise
        if not line:
            await self._end(signal.SIGKILL, "node did not start")
        self.facts = json.loads(line)
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals, why: str = "") -> None:
        """Ends the process. With `why`: AssertionError with that, what it said on stderr, and the end of its log."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        await asyncio.get_running_loop().run_in_executor(None, process.wait)
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        self._process = None
        self._said.seek(0)
        said = self._said.read().decode(errors="replace")
        self._said.close()
        if why:
            raise AssertionError(f"{why}:\n{said[-SAID_LETTERS:]}\n{last_log_lines(self._home)}")


async def _line(pipe: io.FileIO) -> bytes:
    """A line that another process writes; b'' if it ended instead. Waits without a thread."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(pipe, readable.set)
    found = b""
    try:
        while not found.endswith(b"\n"):
            await readable.wait()
            readable.clear()
            part = pipe.read(LINE_BYTES)
            if not part:
                return b""
            found += part
    finally:
        loop.remove_reader(pipe)
    return found


def last_log_lines(home: Path, count: int = LOG_LINES) -> str:
    """The end of a node's log, for the message of a failed test."""
    path = home / LOG_FOLDER / LOG_NAME
    if not path.is_file():
        return f"{home.name}: no log"
    lines = path.read_text("utf-8", "replace").splitlines()[-count:]
    return "\n".join([f"--- last lines of {home.name}", *lines])


def peak_memory_kib(pid: int) -> int:
    """VmHWM of a process in KiB; 0 where the system does not tell."""
    return _memory_kib(pid, "VmHWM:")


def resident_kib(pid: int) -> int:
    """VmRSS of a process in KiB; 0 where the system does not tell."""
    return _memory_kib(pid, "VmRSS:")


def _memory_kib(pid: int, what: str) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith(what):
                return int(line.split()[1])
    except OSError:
        return 0
    return 0
