"""Regenerates what is generated and committed; with --check fails when anything is stale.

Protobuf code lands where its path under proto/ says, so no import is rewritten.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = ["sync/wire/v1/entry.proto", "sync/wire/v1/frame.proto", "sync/wire/v1/task_evidence.proto"]
SERVICES = ["node/link/v1/link.proto", "node/control/v1/control.proto"]


def protoc(out: Path) -> None:
    """Writes the generated modules below `out`."""
    base = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    bin_dir = Path(sys.executable).parent
    plugin = f"--plugin=protoc-gen-mypy={bin_dir / 'protoc-gen-mypy'}"
    grpc_plugin = f"--plugin=protoc-gen-mypy_grpc={bin_dir / 'protoc-gen-mypy_grpc'}"
    outs = [f"--python_out={out}", f"--mypy_out=quiet:{out}"]
    subprocess.run([*base, plugin, *outs, *MESSAGES], check=True)
    services = [*outs, f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"]
    subprocess.run([*base, plugin, grpc_plugin, *services, *SERVICES], check=True)


def main() -> int:
    """0 when everything is fresh (or was written)."""
    if "--check" not in sys.argv:
        protoc(ROOT)
        return 0
    stale = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        protoc(out)
        for made in sorted(p for p in out.rglob("*") if p.is_file()):
            kept = ROOT / made.relative_to(out)
            if not kept.is_file() or kept.read_bytes() != made.read_bytes():
                stale.append(str(made.relative_to(out)))
    if stale:
        print("stale generated code, run 'make proto':", *stale, sep="\n  ")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
