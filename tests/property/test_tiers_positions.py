"""What moves cite: written and read again, and compared with what is held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tiers.flows.positions import (
    NOTHING,
    POSITIONS_MAX,
    Position,
    Release,
    Stands,
    position_stands,
    position_text,
    positions_in,
    release_in,
    release_of,
    release_stands,
)

WORD = st.text("abcdefghij0123456789._", min_size=1, max_size=12)
FEED = st.builds(lambda a, b, c: f"{a}/{b}" + (f"@{c}" if c else ""), WORD, WORD, st.just("") | WORD)
HEX = "0123456789abcdef"
POSITION = st.builds(
    Position,
    FEED,
    st.text(HEX, min_size=32, max_size=32),
    st.integers(1, 10**18),
    st.text(HEX, min_size=64, max_size=64),
)
WAITING = st.sampled_from(["case_stat", "eval_submission"]).map(lambda name: Position(name, "", 0, ""))
CELL = st.none() | st.text(max_size=6) | st.integers(-9, 9) | st.booleans()
ROW = st.dictionaries(st.sampled_from(["code", "name", "formula", "full_score"]), CELL, min_size=1)


@given(st.lists(POSITION | WAITING, min_size=1, max_size=POSITIONS_MAX))
def test_what_is_cited_is_read_as_it_was_written(cited: list[Position]) -> None:
    assert positions_in(position_text(cited)) == cited


@given(st.text(max_size=40), POSITION)
def test_anything_else_cites_nothing(text: str, position: Position) -> None:
    """Names of datasets are no positions: the node has to write them out first."""
    assert positions_in(text) in (None, []) or text == NOTHING
    assert positions_in(position_text([position] * (POSITIONS_MAX + 1))) is None
    assert positions_in(NOTHING) == []
    assert positions_in("case_stat") is None


@given(POSITION, st.none() | st.text(HEX, min_size=64, max_size=64), st.booleans(), st.integers(0, 10**18))
def test_the_same_is_said_only_of_the_same(cited: Position, held: str | None, same_epoch: bool, seq: int) -> None:
    """By the hash of that entry; without the entry it is on its way, or another life of the feed, or does not come."""
    head = (cited.epoch if same_epoch else "0" * 31 + "x", seq)
    found = position_stands(cited, held, head)
    assert (found is Stands.SAME) == (held == cited.hash)
    assert (found is Stands.NOT_YET) == (held is None and same_epoch and seq < cited.seq)
    assert position_stands(cited, cited.hash, head) is Stands.SAME
    assert position_stands(cited, None, None) is Stands.NOT_HELD
    assert position_stands(Position("case_stat", "", 0, ""), held, head) is Stands.WAITED


@given(st.lists(ROW, min_size=1, max_size=6), st.randoms())
def test_a_release_is_its_rows_in_any_order(rows: list[dict[str, object]], random: object) -> None:
    """And with further empty columns; another cell, or a row less, is another release."""
    release = release_of(rows)
    assert release is not None
    assert release_of([{**row, "added_later": None} for row in reversed(rows)]) == release
    assert release_in(str(release)) == release
    changed = [{**rows[0], "name": "something else"}, *rows[1:]]
    assert (release_of(changed) == release) == (changed == rows)
    assert release_stands(release, release) is Stands.SAME
    assert release_stands(release, release_of(rows[1:])) is Stands.NOT_YET
    assert release_stands(release, Release("0" * 64, release.rows)) is Stands.OTHER
    assert release_of([]) is None
