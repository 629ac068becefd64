"""What was released only gains: nodes of older releases are in use beside newer ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.tools import released
from tiers.evolution import Released, compare_released, released_of, unpack_released

KEPT = released.kept()


@pytest.mark.parametrize("path", KEPT, ids=[path.stem for path in KEPT])
def test_the_catalogue_only_adds_to_every_release(path: Path) -> None:
    """Columns, values, owners, publications and wider bounds, each with a higher version of the dataset."""
    said = "\n".join(f"{change.path}: {change.said}" for change in released.refused(path))
    assert not said, f"{said}\nCONTRIBUTING.md, 'A version of a dataset', says what may change and what then must."


def test_a_release_is_kept() -> None:
    """Otherwise nothing is compared."""
    assert KEPT


def _now() -> Released:
    return released_of(released.builtin())


def test_what_is_taken_out_of_a_release_is_found() -> None:
    """A dataset, a publication, a column of either, a version that stays the same."""
    now = _now()
    case = next(shape for shape in now.datasets if shape.dataset == "case")
    fewer = {name: column for name, column in case.columns.items() if name != "severity"}
    others = tuple(shape for shape in now.datasets if shape is not case)
    parent = next(said for said in now.publications if said.publication == "case.parent")
    feeds = tuple(said for said in now.publications if said is not parent)
    narrower = replace(parent, columns=parent.columns[:-1])
    for later in (
        replace(now, datasets=others),
        replace(now, publications=feeds),
        replace(now, publications=(*feeds, narrower)),
        replace(now, datasets=(*others, replace(case, columns=fewer, version=case.version + 1))),
    ):
        assert [change for change in compare_released(now, later) if not change.allowed]
    added = replace(case, columns={**case.columns, "new": case.columns["severity"]})
    same_version = replace(now, datasets=(*others, added))
    assert [change for change in compare_released(now, same_version) if not change.allowed]
    raised = replace(now, datasets=(*others, replace(added, version=case.version + 1)))
    assert all(change.allowed for change in compare_released(now, raised))


def test_what_is_kept_reads_back_as_it_was() -> None:
    """As the newest release that was kept under the version of today, unless something was added since."""
    assert compare_released(_now(), _now()) == []
    for path in KEPT:
        assert unpack_released(path.read_bytes()).datasets
