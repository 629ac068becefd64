"""Versions only add: whatever is built of allowed steps is allowed, whatever step is forbidden is found."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tiers.evolution import ColumnShape, Shape, compare_shapes, pack_shape, unpack_shape

NAMES = st.sampled_from([f"c{i}" for i in range(8)])
BOUNDS = st.integers(-50, 50).map(str)


@st.composite
def columns(draw: st.DrawFn, optional: bool = False) -> ColumnShape:
    kind = draw(st.sampled_from(["text", "integer", "float", "decimal", "date"]))
    nullable = optional or draw(st.booleans())
    column = ColumnShape(kind, nullable, draw(st.integers(1, 99)), nullable and draw(st.booleans()))
    if kind == "text" and draw(st.booleans()):
        return replace(column, values=tuple(draw(st.lists(st.text("abc", min_size=1), unique=True, max_size=4))))
    if kind in ("integer", "float", "decimal"):
        low, high = sorted((int(draw(BOUNDS)), int(draw(BOUNDS))))
        column = replace(column, minimum=draw(st.sampled_from(["", str(low)])), maximum=str(high), unit="m")
    return replace(column, decimals=draw(st.none() | st.integers(0, 9))) if kind == "float" else column


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    key = ColumnShape("text", False, 20)
    others = draw(st.dictionaries(NAMES, columns(), min_size=2, max_size=5))
    return Shape("things", draw(st.integers(1, 5)), ("id",), ("city",), "", "", {"id": key, **others})


def changed(shape: Shape, name: str, column: ColumnShape) -> Shape:
    return replace(shape, version=shape.version + 1, columns={**shape.columns, name: column})


def allowed(draw: Callable[..., Any], shape: Shape) -> Shape:
    """One step that only adds."""
    name = draw(st.sampled_from(sorted(set(shape.columns) - {"id"})))
    column = shape.columns[name]
    match draw(st.sampled_from(["column", "length", "value", "minimum", "maximum", "decimals", "owner", "nothing"])):
        case "column":
            fresh = f"new_{len(shape.columns)}_{shape.version}"
            return changed(shape, fresh, draw(columns(optional=True)))
        case "owner":
            return replace(shape, version=shape.version + 1, owner=(*shape.owner, f"tier_{shape.version}"))
        case "length":
            return changed(shape, name, replace(column, length=column.length + draw(st.integers(1, 9))))
        case "value" if column.values:
            return changed(shape, name, replace(column, values=(*column.values, f"v{shape.version}")))
        case "minimum" if column.minimum:
            lower = str(int(column.minimum) - draw(st.integers(1, 9)))
            return changed(shape, name, replace(column, minimum=draw(st.sampled_from(["", lower]))))
        case "maximum" if column.maximum:
            higher = str(int(column.maximum) + draw(st.integers(1, 9)))
            return changed(shape, name, replace(column, maximum=draw(st.sampled_from(["", higher]))))
        case "decimals" if column.decimals is not None:
            return changed(shape, name, replace(column, decimals=draw(st.sampled_from([None, column.decimals + 1]))))
    return replace(shape, version=shape.version + 1)


def gone(shape: Shape, name: str) -> Shape:
    rest = {n: c for n, c in shape.columns.items() if n != name}
    return replace(shape, version=shape.version + 1, columns=rest)


def renamed(shape: Shape, name: str) -> Shape:
    other = {("renamed" if n == name else n): c for n, c in shape.columns.items()}
    return replace(shape, version=shape.version + 1, columns=other)


def of_column(change: Callable[[ColumnShape], ColumnShape]) -> Callable[[Shape, str], Shape]:
    return lambda shape, name: changed(shape, name, change(shape.columns[name]))


FORBIDDEN: dict[str, Callable[[Shape, str], Shape]] = {
    "gone": gone,
    "renamed": renamed,
    "type": of_column(lambda c: replace(c, type="boolean")),
    "nullable turned": of_column(lambda c: replace(c, nullable=not c.nullable)),
    "held back turned": of_column(lambda c: replace(c, held_back=not c.held_back)),
    "unit": of_column(lambda c: replace(c, unit="km") if c.unit else replace(c, type="bytes")),
    "code table": of_column(lambda c: replace(c, codes=("t", "", ""))),
    "decimals": of_column(lambda c: replace(c, decimals=-1)),
    "minimum": of_column(lambda c: replace(c, minimum="1000")),
    "maximum": of_column(lambda c: replace(c, maximum="-1000")),
    "values": of_column(lambda c: replace(c, values=tuple(f"w{v}" for v in c.values) or ("w",))),
    "order": lambda shape, name: (
        changed(shape, name, replace(shape.columns[name], type="bytes"))
        if shape.columns[name].held_back
        else replace(shape, version=shape.version + 1, columns={name: shape.columns[name], **shape.columns})
    ),
    "a column before": lambda shape, _: replace(
        shape, version=shape.version + 1, columns={"first": ColumnShape("text", True, 5), **shape.columns}
    ),
    "mandatory column": lambda shape, _: changed(shape, "must", ColumnShape("text", False, 5)),
    "key": lambda shape, name: replace(shape, version=shape.version + 1, key=("id", name)),
    "owner": lambda shape, _: replace(shape, version=shape.version + 1, owner=("district", "provincial")),
    "region": lambda shape, name: replace(shape, version=shape.version + 1, region=name),
    "date": lambda shape, name: replace(shape, version=shape.version + 1, date=name),
    "version falls": lambda shape, _: replace(shape, version=shape.version - 1),
    "version stays": lambda shape, _: replace(
        changed(shape, "more", ColumnShape("text", True, 5)), version=shape.version
    ),
}


@st.composite
def histories(draw: st.DrawFn) -> list[Shape]:
    """A dataset and its versions, each of them only adding."""
    versions = [draw(shapes())]
    for _ in range(draw(st.integers(1, 6))):
        versions.append(allowed(draw, versions[-1]))
    return versions


def refused(old: Shape, new: Shape) -> list[str]:
    return [str(change.said) for change in compare_shapes(old, new) if not change.allowed]


@given(versions=histories())
def test_a_chain_of_allowed_steps_is_allowed_from_any_version_to_any_later(versions: list[Shape]) -> None:
    """So a node may skip versions, and neighbours may be any number of versions apart."""
    for old, new in combinations(versions, 2):
        assert refused(old, new) == []
        assert refused(new, old), "no way leads back"


@given(data=st.data(), kind=st.sampled_from(sorted(FORBIDDEN)))
def test_any_forbidden_step_is_found_wherever_it_stands(data: st.DataObject, kind: str) -> None:
    """In the middle of allowed steps; at the step itself, whatever comes after it."""
    before = data.draw(histories())
    name = data.draw(st.sampled_from(sorted(set(before[0].columns) - {"id"})))
    planted = FORBIDDEN[kind](before[-1], name)
    versions = [*before, planted]
    for _ in range(data.draw(st.integers(0, 3))):
        versions.append(allowed(data.draw, versions[-1]))
    found = [refused(old, new) for old, new in pairwise(versions)]
    assert [bool(f) for f in found] == [place == len(before) - 1 for place in range(len(found))]


@given(data=st.data(), kinds=st.sets(st.sampled_from(["type", "gone", "key", "owner", "region"]), min_size=2))
def test_every_forbidden_change_of_a_step_is_named_at_once(data: st.DataObject, kinds: set[str]) -> None:
    """So that a person mends a declaration once."""
    old = data.draw(shapes())
    first, *_, last = sorted(set(old.columns) - {"id"})
    new = old
    for kind in sorted(kinds - {"gone"}):
        new = FORBIDDEN[kind](new, last)
    if "gone" in kinds:
        new = gone(new, first)
    assert len(refused(old, new)) == len(kinds)


@given(shape=shapes())
def test_a_kept_shape_is_read_again_as_it_was(shape: Shape) -> None:
    """What a store keeps of the catalogue that made its tables."""
    assert unpack_shape(pack_shape(shape)) == shape
    assert compare_shapes(shape, shape) == []
    assert unpack_shape(pack_shape(shape)[:-1]) is None
