"""Reads what `tiersync demo --json` printed on stdin: is it as docs/demo.schema.json says, and did it pass?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "demo.schema.json"


def main() -> int:
    """0 when the document is valid and its verdict is `passed`."""
    value = json.load(sys.stdin)
    wrong = [error.message for error in Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).iter_errors(value)]
    if wrong:
        print("the demo's JSON is not as docs/demo.schema.json says:", *wrong, sep="\n  ")
        return 1
    failed = [check["name"] for check in value["checks"] if not check["ok"]]
    print(f"demo --json: valid, {value['verdict']}, {len(value['checks'])} checks", *failed)
    return int(value["verdict"] != "passed")


if __name__ == "__main__":
    sys.exit(main())
