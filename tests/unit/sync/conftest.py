"""Every test of the exchange ends with fsck: whatever was refused or taken, the store is what it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.sync.stage import Stage


@pytest.fixture(autouse=True)
def _proved() -> Iterator[None]:
    """Proves every store of the test from its bytes."""
    Stage.made.clear()
    yield
    for stage in Stage.made:
        assert not stage.store.in_transaction
        report = stage.proved()
        found = {finding.fault.name for finding in report.findings}
        assert found == stage.unsound, [str(finding) for finding in report.findings]
        stage.store.close()
    Stage.made.clear()
