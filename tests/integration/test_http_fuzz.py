"""The API fuzzed from its own description: whatever is sent, the node answers as it says, and never with a fault of its
own. `make fuzz` runs it with many more examples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.integration.http_kit import Site, case

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
    unsupported_method,
]
schema = schemathesis.openapi.from_path(Path(__file__).resolve().parents[2] / "docs" / "openapi.json")


class Fuzzed:
    """A node with a few rows, and a token that may do everything."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder)
        self.site.staff(zhang="officer+approver+administrator")
        self.token = self.site.token("read", "write", "watch", "task", held_back=True, person="zhang")
        self.site.client("write").post("/datasets/case/rows", json={"rows": [case(n) for n in range(20)]})


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """One for all operations."""
    made = Fuzzed(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.site.end()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_node_answers_as_it_says(case: schemathesis.Case, fuzzed: Fuzzed) -> None:
    """Status, type and shape are those of the description; what the description forbids is refused."""
    headers = {"Authorization": f"Bearer {fuzzed.token}"}
    case.call_and_validate(base_url=fuzzed.site.base, headers=headers, checks=CHECKS)
