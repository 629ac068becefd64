"""Rows of a later schema version than this node's: what only this version takes amiss waits until it is upgraded."""

from __future__ import annotations

from typing import Any

import pytest

from sync.limits import CELL_BYTES_MAX
from tests.unit.sync import site
from tests.unit.sync.stage import Cases, Stage, digest_holds
from tests.vectors.world import CITY, Forge
from tiers.judging import TierJudge

COLUMNS = ("id", "division", "kind")
LONG = "a" * 20


def _forge() -> Cases:
    made = Cases("x_tree.kind")
    made.head = Forge(made.feed, made.signer, epoch=made.epoch).head
    return made


def _say(stage: Stage, forge: Cases, *puts: tuple[Any, ...], ends: tuple[Any, ...] = (), version: int = 2) -> None:
    """The city says rows of its trees, by this version of the schema."""
    said = {"columns": COLUMNS, "dataset": "x_tree", "schema_version": version}
    city = next((p for p in stage.links), None) or stage.dial_in(CITY)
    city.run(forge.run([forge.records(list(puts), ends, **said)]))  # type: ignore[arg-type]
    assert city.acked == forge.seq


def _upgrade(stage: Stage) -> None:
    """The node is started again with the second version, in which text may be longer."""
    made = site.SITE.replace("version = 1", "version = 2").replace("length = 8", "length = 40")
    stage.judge = TierJudge(site.catalogue_with(made))
    stage.played.clear()
    stage.links.clear()
    stage.engine.rebuild()
    stage.remember()
    stage.wait(60)


@pytest.mark.parametrize(
    "row", [("t2", "330106", LONG), (LONG, "330106", "oak"), ("x" * 33, "330106", LONG)], ids=["cell", "key", "both"]
)
def test_longer_text_waits_for_the_version_that_allows_it(row: tuple[str, ...]) -> None:
    """The rows beside it apply; it is told as parked, and applies by itself after the upgrade."""
    stage, forge = Stage(), _forge()
    _say(stage, forge, ("t1", "330106", "oak"), row)
    assert stage.fates(forge.feed) == [(1, 1, "PARKED", "UNKNOWN_SCHEMA_VERSION")]
    assert list(stage.rows("x_tree", CITY)) == [("t1",)]
    _upgrade(stage)
    assert set(stage.rows("x_tree", CITY)) == {("t1",), (row[0],)}
    assert stage.fates(forge.feed) == [(1, 1, "APPLIED", "UNKNOWN_SCHEMA_VERSION")]
    assert digest_holds(stage, forge.feed, "x_tree")


def test_a_removal_by_a_longer_key_waits_too() -> None:
    """It overtakes the row that waits, and the row does not come to life after the upgrade."""
    stage, forge = Stage(), _forge()
    _say(stage, forge, ("t1", "330106", "oak"), (LONG, "330106", "oak"))
    _say(stage, forge, ends=([[LONG], 1, ""],))
    parked = (2, 0, "PARKED", "UNKNOWN_SCHEMA_VERSION")
    assert stage.fates(forge.feed) == [(1, 1, "SUPERSEDED", "UNKNOWN_SCHEMA_VERSION"), parked]
    _upgrade(stage)
    assert list(stage.rows("x_tree", CITY)) == [("t1",)]
    assert stage.core.feeds[forge.feed].parked == 0


REFUSED: dict[str, tuple[int, tuple[Any, ...]]] = {
    "of this version": (1, ("t2", "330106", LONG)),
    "with a wrong type beside it": (2, ("t2", 330106, LONG)),
    "with a key of no value": (2, (None, "330106", LONG)),
    "longer than any cell may be": (2, ("t2", "330106", "x" * (CELL_BYTES_MAX + 1))),
}


@pytest.mark.parametrize(("version", "row"), REFUSED.values(), ids=REFUSED)
def test_what_no_version_allows_is_refused_for_good(version: int, row: tuple[Any, ...]) -> None:
    """Nothing waits for what cannot come."""
    stage, forge = Stage(), _forge()
    _say(stage, forge, ("t1", "330106", "oak"), row, version=version)
    ((seq, place, fate, _),) = stage.fates(forge.feed)
    assert (seq, place, fate) == (1, 1, "REFUSED")
    assert list(stage.rows("x_tree", CITY)) == [("t1",)]


def test_a_removal_that_no_version_allows_is_refused() -> None:
    """Its key is no text."""
    stage, forge = Stage(), _forge()
    _say(stage, forge, ("t1", "330106", "oak"), ends=([[7], 1, ""],))
    assert [fate[2:] for fate in stage.fates(forge.feed)] == [("REFUSED", "WRONG_TYPE")]
