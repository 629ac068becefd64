"""Keeps the shapes of the built-in catalogue as this version of the program releases it, in tests/released/.

Nodes of a released version are in use for years beside newer ones, so what was released only gains: a test compares
every kept release with the declarations of today. A release that was handed out is never written again.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "released"
sys.path.insert(0, str(ROOT))

from tests.tools.datasetdocs import builtin  # noqa: E402 - run as a script, the project's root is not on the path
from tiers.evolution import Change, compare_released, released_of, unpack_released  # noqa: E402 - as above


def kept() -> list[Path]:
    """The files of all releases, oldest first."""
    return sorted(FOLDER.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])


def refused(path: Path) -> list[Change]:
    """What the declarations of today do to a release besides adding."""
    changes = compare_released(unpack_released(path.read_bytes()), released_of(builtin()))
    return [change for change in changes if not change.allowed]


def main() -> int:
    """0 when the release was written."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    target = FOLDER / f"{version}.json"
    again = "--again" in sys.argv
    if target.exists() and not again:
        print(f"{target.name} is there. Was it handed to anybody? Then raise the version. If not: --again")
        return 1
    for path in kept():
        bad = refused(path) if path != target else []
        if bad:
            print(f"not only added since {path.stem}:", *(f"{c.path}: {c.said}" for c in bad), sep="\n  ")
            return 1
    FOLDER.mkdir(exist_ok=True)
    packed = msgspec.json.encode(released_of(builtin()))
    target.write_bytes(msgspec.json.format(packed, indent=1) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
