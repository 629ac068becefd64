"""Registry heads that a peer named in Hello come first; those that cannot be reached hold up nothing else."""

from __future__ import annotations

from sync import limits
from sync.link import Phase
from sync.values import FeedName, Lane, Route
from sync.wire.v1.frame_pb2 import Cursor, Run
from tests.unit.sync.stage import SECOND, Played, Stage, cursor
from tests.vectors.world import CITY, NATION, PROVINCE, Forge, key, record

FAR = "p650000.cn-demo"


def _registry(origin: str) -> Forge:
    return Forge(FeedName(origin, "registry"), key(origin), Route.EVERYWHERE, Lane.URGENT)


def _first(forge: Forge) -> Run:
    return forge.run([forge.registry(record(PROVINCE, NATION, "330000"))])


def _compares(stage: Stage, named: Cursor) -> Played:
    """The nation has named a registry head that is not held here, and said all it has to say in compare."""
    nation = stage.dial(NATION)
    nation.hello(registry=[named])
    nation.end()
    assert stage.core.links[nation.link].phase is Phase.COMPARE
    assert not nation.said("cursors")
    return nation


def _exchanges(stage: Stage, nation: Played) -> bool:
    return nation.ended() is None and stage.core.links[nation.link].phase is Phase.EXCHANGE


def test_a_registry_that_never_comes_holds_a_link_up_for_half_a_step() -> None:
    """Sooner than the peer, who waits for the cursors of this side, ends the session."""
    stage = Stage()
    named = cursor(_registry(FAR), 5, bytes(32))
    nation = _compares(stage, named)
    stage.wait(limits.REGISTRY_GOAL_US / SECOND - 0.1)
    assert not nation.said("cursors")
    stage.wait(0.2)
    assert nation.said("cursors")[-1].end
    assert _exchanges(stage, nation)


def test_a_registry_that_comes_entry_by_entry_is_waited_for() -> None:
    """Each entry that was taken gives the next one its time."""
    stage, forge = Stage(), _registry(NATION)
    runs = [_first(forge) for _ in range(4)]
    nation = _compares(stage, cursor(forge))
    for run in runs:
        assert not nation.said("cursors")
        stage.wait(limits.REGISTRY_GOAL_US / SECOND - 0.1)
        nation.run(run)
    assert _exchanges(stage, nation)


def test_a_registry_that_turns_out_forked_is_waited_for_no_longer() -> None:
    """What came instead of its next entry proves a fork: it is frozen, and its goal with it."""
    stage, forge, twin = Stage(), _registry(NATION), _registry(NATION)
    run = _first(forge)
    stage.dial_in(NATION).run(run)
    twin.registry()
    nation = _compares(stage, cursor(twin, 2, bytes(32)))
    nation.run(_first(twin))
    assert stage.core.feeds[forge.feed].frozen
    assert _exchanges(stage, nation)


def test_a_registry_that_turns_out_to_come_from_elsewhere_is_waited_for_no_longer() -> None:
    """The parent has heard of it before this node has heard that it is of its own subtree."""
    stage = Stage()
    below = f"d330106.{CITY}"
    nation = _compares(stage, cursor(_registry(below), 5, bytes(32)))
    forge = _registry(CITY)
    stage.dial_in(CITY).run(forge.run([forge.registry(record(below, CITY, "330106"))]))
    assert _exchanges(stage, nation)
