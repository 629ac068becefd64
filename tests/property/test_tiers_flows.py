"""Whatever the two sides do and however the post runs, both keep one history, and no illegal move has effect."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.wire.v1.entry_pb2 import MoveBody, MoveField
from tests.unit.tiers.desks import ALL_FIELDS, TASK, Desk, deliver, facts, illegal_effects, settle
from tests.unit.tiers.kit import CITY, CITY_STANDS, PROVINCE, PROVINCE_STANDS
from tiers.flows.supervision import W2

MOVES = [rule.name for rule in W2.moves]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("issuer moves"), st.sampled_from(MOVES)),
        st.tuples(st.just("holder moves"), st.sampled_from(MOVES)),
        st.tuples(st.just("holder forges"), st.sampled_from(MOVES), st.integers(0, 12)),
        st.tuples(st.sampled_from(["to holder", "to issuer"]), st.integers(1, 3)),
        st.tuples(st.sampled_from(["again to holder", "again to issuer"]), st.integers(0, 12)),
    ),
    max_size=40,
)


def forged(holder: Desk, move: str, base: int, serial: int) -> MoveBody:
    """A proposal that skips the holder's own door: any move, on any base."""
    body = MoveBody(flow="W2", task=TASK, issuer=PROVINCE, holder=CITY, by_node=CITY, move=move, base=base)
    body.move_id = f"forged-{serial}"
    body.fields.extend(MoveField(name=n, text=t) for n, t in ALL_FIELDS.items())
    holder.pending().append(body)
    return body


def act(step: tuple[object, ...], serial: int, issuer: Desk, holder: Desk, sent: dict[str, list[MoveBody]]) -> None:
    """Does one step; `sent` remembers what was posted to whom, so that it can come again."""
    sent["to holder"] += [b for b in issuer.post if b not in sent["to holder"]]
    sent["to issuer"] += [b for b in holder.post if b not in sent["to issuer"]]
    match step:
        case ("issuer moves", str(move)):
            issuer.may(move)
        case ("holder moves", str(move)):
            holder.may(move)
        case ("holder forges", str(move), int(base)):
            holder.post.append(forged(holder, move, min(base, len(holder.history())), serial))
        case ("to holder", int(count)):
            deliver(issuer, holder, count)
        case ("to issuer", int(count)):
            deliver(holder, issuer, count)
        case ("again to holder", int(place)) if place < len(sent["to holder"]):
            holder.hear(sent["to holder"][place], PROVINCE_STANDS)
        case ("again to issuer", int(place)) if place < len(sent["to issuer"]):
            issuer.hear(sent["to issuer"][place], CITY_STANDS)


@settings(max_examples=250)
@given(steps=STEPS)
def test_any_order_of_moves_gives_one_legal_history_on_both_sides(steps: list[tuple[object, ...]]) -> None:
    """Interleaved, delayed, doubled and forged moves: the histories agree, prefix by prefix, and nothing hangs."""
    issuer, holder = Desk(PROVINCE_STANDS), Desk(CITY_STANDS)
    sent: dict[str, list[MoveBody]] = {"to holder": [], "to issuer": []}
    issuer.begin(CITY)
    deliver(issuer, holder)
    for serial, step in enumerate(steps):
        act(step, serial, issuer, holder, sent)
        mine, theirs = facts(issuer), facts(holder)
        assert theirs == mine[: len(theirs)]
        assert illegal_effects(issuer) == []
    settle(issuer, holder)
    assert facts(holder) == facts(issuer)
    assert holder.pending() == []
    assert (issuer.parked, holder.parked) == ([], [])
    decided = [m.move_id for m in issuer.history()]
    assert len(set(decided)) == len(decided)
