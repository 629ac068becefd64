"""What a node says of itself."""

from node.status import fate_name
from sync.values import Fate


def test_a_fate_that_a_newer_node_tells_of_is_a_number() -> None:
    """Never a failure: a city is asked for its status, and the province was upgraded before it."""
    assert [fate_name(number) for number in (0, Fate.PARKED, 77)] == ["", "PARKED", "77"]
