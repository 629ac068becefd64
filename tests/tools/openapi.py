"""Writes docs/openapi.json from the declarations of the API; a test compares it."""

from __future__ import annotations

import json
from pathlib import Path

from node.http.api import openapi

PAGE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def main() -> None:
    """The page."""
    PAGE.write_text(json.dumps(openapi(), ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
