"""Two ways to run a home: inside this process and loop, or as a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

from node.serve import LIFE_FD, LOG_FOLDER, READY_FD, Served, Serving
from node.telemetry import LOG_NAME

READY_TIMEOUT_S = 30.0
LOG_LINES = 20


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
        self._ready = -1
        self.facts: dict[str, Any] = {}

    async def start(self) -> OwnProcess:
        """Launches it and waits until it says that it is ready. AssertionError with its words if it does not."""
        self.launch()
        loop = asyncio.get_running_loop()
        with os.fdopen(self._ready) as pipe:
            line = await asyncio.wait_for(loop.run_in_executor(None, pipe.readline), READY_TIMEOUT_S)
        self._ready = -1
        assert self._process is not None
        if not line:
            _, said = await loop.run_in_executor(None, self._process.communicate)
            raise AssertionError(f"node did not start:\n{said.decode(errors='replace')}\n{last_log_lines(self._home)}")
        self.facts = json.loads(line)
        return self

    def launch(self) -> None:
        """Starts the process and returns at once."""
        life_read, self._life = os.pipe()
        self._ready, ready_write = os.pipe()
        environment = {**os.environ, LIFE_FD: str(life_read), READY_FD: str(ready_write)}
        command = [sys.executable, "-m", "node", "--home", str(self._home), "run"]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            env=environment,
            pass_fds=(life_read, ready_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        os.close(life_read)
        os.close(ready_write)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        await asyncio.get_running_loop().run_in_executor(None, process.wait)
        if process.stderr is not None:
            process.stderr.close()
        for descriptor in (self._life, self._ready):
            if descriptor >= 0:
                os.close(descriptor)
        self._life = self._ready = -1
        self._process = None


def last_log_lines(home: Path, count: int = LOG_LINES) -> str:
    """The end of a node's log, for the message of a failed test."""
    path = home / LOG_FOLDER / LOG_NAME
    if not path.is_file():
        return f"{home.name}: no log"
    lines = path.read_text("utf-8", "replace").splitlines()[-count:]
    return "\n".join([f"--- last lines of {home.name}", *lines])


def peak_memory_kib(pid: int) -> int:
    """VmHWM of a process in KiB; 0 where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        return 0
    return 0
