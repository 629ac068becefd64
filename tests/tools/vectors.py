"""Builds the golden vectors in tests/vectors; with --check fails when a stored file is not what would be built.

Keys come from seeds, so everything repeats; only the root certificate, whose ECDSA signature is random, is kept from
the stored file. A vector that changes is a change of the wire: it needs an ADR, never just a rebuild.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors"
sys.path.insert(0, str(ROOT))

from tests.vectors import dossier, objects, records, runs, signed  # noqa: E402 - run as a script, the project's root is not on the path


def built() -> dict[str, str]:
    """File name -> text."""
    anchors = FOLDER / "anchors.json"
    kept = json.loads(anchors.read_text("utf-8")) if anchors.is_file() else None
    made = {
        "keys": objects.keys(),
        "headers": objects.headers(),
        "payloads": objects.payloads(),
        "rows": objects.rows(),
        "statements": signed.statements(),
        "anchors": signed.anchors(kept),
        "enrolment": signed.enrolment(),
        "runs": runs.runs(),
        "registry": records.registry_records(),
        "evidence": records.evidence(),
        "task_evidence": dossier.task_evidence(),
    }
    return {f"{name}.json": json.dumps(value, ensure_ascii=False, indent=1) + "\n" for name, value in made.items()}


def stale() -> list[str]:
    """Names of files that are missing or differ from what would be built."""
    return [n for n, text in built().items() if not (FOLDER / n).is_file() or (FOLDER / n).read_text("utf-8") != text]


def main() -> int:
    """0 when everything is fresh (or was written)."""
    if "--check" in sys.argv:
        old = stale()
        if old:
            print("stale vectors, run tests/tools/vectors.py and say in an ADR why:", *old, sep="\n  ")
        return 1 if old else 0
    for name, text in built().items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
