"""Facts about the machine that make figures comparable, and none that tell whose machine it is."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path

from bench.figures import percentile

_FSYNCS = 200
_BLOCK = bytes(4_096)


def machine_facts() -> dict[str, object]:
    """Processor, memory, disk and versions: no host names, no paths."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_1min_before": round(os.getloadavg()[0], 2),
    } | _disk()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _disk() -> dict[str, object]:
    """How long an append of 4 KiB takes to be durable where the contestants keep their files."""
    taken = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(_BLOCK)
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1_000)
    return {"fsync_p50_ms": round(percentile(taken, 50), 3), "fsync_p99_ms": round(percentile(taken, 99), 3)}
