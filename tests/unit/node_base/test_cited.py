"""What a move cites is looked up as far as it can be meant."""

from __future__ import annotations

from typing import cast

import pytest

from node.commands.cited import release_here
from node.store.readers import Reader


@pytest.mark.parametrize("version", ["", "x", "-1", "²", "1" * 30])
def test_a_version_that_is_no_number_names_no_release(version: str) -> None:
    """Before the flow has judged what is typed: ² counts as a digit, and ended in an internal error."""
    assert release_here(cast(Reader, None), "cn-demo", "management", version) is None
