"""Writes docs/openapi.json from the declarations of the API; `--check` only compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "openapi.json"


def main() -> int:
    """0 if the page is as it should be, or was written."""
    from node.http.api import openapi

    text = json.dumps(openapi(), ensure_ascii=False, indent=2) + "\n"
    if "--check" in sys.argv[1:]:
        return int(not PAGE.is_file() or PAGE.read_text("utf-8") != text)
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
