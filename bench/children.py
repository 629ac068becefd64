"""Processes that never outlive the measurement, and the ports they listen on."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sync.errors import LocalFault

POLL_S = 0.001
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """The ordinary user that a child runs as."""

    uid: int
    gid: int


def spawn(command: Sequence[str], log: Path, account: Account | None) -> subprocess.Popen[bytes]:
    """Start a child in its own session; the kernel ends it if we die without having stopped it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            preexec_fn=_die_with_parent,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def stop(child: subprocess.Popen[bytes], kindly: signal.Signals, patience_s: float) -> None:
    """Ask a child to end by the signal it understands; kill it when it does not."""
    if child.poll() is not None:
        return
    child.send_signal(kindly)
    try:
        child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def wait_for_port(port: int, patience_s: float) -> float:
    """When the port was first open, on the clock of time.perf_counter. Raises LocalFault if it stays closed."""
    deadline = time.perf_counter() + patience_s
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return time.perf_counter()
        except OSError:
            time.sleep(POLL_S)
    raise LocalFault(f"port {port} did not open within {patience_s:.0f} s")


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
