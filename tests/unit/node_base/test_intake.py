"""What waits for the writer: sources in turn, each in its own order."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from node.intake import HERE, Intake, Waiting

T = TypeVar("T")

RUN = 300_000


def taken_of(intake: Intake[T]) -> list[T]:
    return [waiting.item for waiting in intake.take()]


ARRIVALS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from((0, 0, 1, RUN, 2 * RUN))), max_size=60)


def test_an_ack_does_not_wait_behind_the_runs_of_another_link() -> None:
    """One link has much to say; what the other says is in the very next batch."""
    intake: Intake[str] = Intake(batch_items=64, batch_bytes=512 * 1024)
    for number in range(100):
        intake.add(Waiting(1, f"run {number}", RUN))
    intake.add(Waiting(2, "ack", 0))
    assert taken_of(intake) == ["run 0", "ack", "run 1"]
    assert taken_of(intake) == ["run 2", "run 3"]


def test_two_busy_links_share_a_batch() -> None:
    """Neither takes all of it, and who was last in one batch is not last again."""
    intake: Intake[str] = Intake(batch_items=64, batch_bytes=2 * RUN)
    for number in range(3):
        intake.add(Waiting(1, f"a{number}", RUN))
        intake.add(Waiting(2, f"b{number}", RUN))
    assert [taken_of(intake) for _ in range(3)] == [["a0", "b0"], ["a1", "b1"], ["a2", "b2"]]
    assert not intake


@given(ARRIVALS, st.integers(1, 9), st.integers(1, 3 * RUN), st.data())
def test_everything_comes_out_once_and_in_the_order_of_its_source(
    arrivals: list[tuple[int, int]], batch_items: int, batch_bytes: int, data: st.DataObject
) -> None:
    """However takes and additions alternate; no batch is larger than its bounds by more than its last item."""
    intake: Intake[tuple[int, int, int]] = Intake(batch_items, batch_bytes)
    given_in: list[tuple[int, int, int]] = []
    taken: list[tuple[int, int, int]] = []
    for number, (source, size) in enumerate(arrivals):
        given_in.append((source, number, size))
        intake.add(Waiting(source, given_in[-1], size))
        if data.draw(st.booleans()):
            taken += taken_of(intake)
    while intake:
        batch = taken_of(intake)
        assert batch, "what waits is taken"
        assert len(batch) <= batch_items
        assert sum(size for _, _, size in batch[:-1]) < batch_bytes
        taken += batch
    assert sorted(taken, key=lambda item: item[1]) == given_in
    for source in range(4):
        assert [item for item in taken if item[0] == source] == [item for item in given_in if item[0] == source]


def test_at_the_end_only_what_the_node_itself_does_is_kept() -> None:
    """Nothing of what links brought was acknowledged yet."""
    intake: Intake[str] = Intake(batch_items=64, batch_bytes=RUN)
    for source, item in ((1, "run"), (HERE, "put"), (2, "ack")):
        intake.add(Waiting(source, item))
    intake.keep(HERE)
    assert taken_of(intake) == ["put"]
    assert not intake
