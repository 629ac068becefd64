"""Whatever the two sides do and however the post runs, both keep one history, and no illegal move has effect."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.wire.v1.entry_pb2 import MoveBody, MoveField
from tests.unit.tiers.desks import FLOWS, START_US, TASK, Desk, deliver, facts, illegal_effects, settle, sides
from tiers.flows.steps import MOMENT_MAX, counted_of, state_of
from tiers.flows.table import Flow

HOUR_US = 3_600_000_000
PLACES = st.integers(0, 63)
"""Of a move among those of the flow, counted round and round."""

MOMENTS = st.integers(0, MOMENT_MAX)
"""What may be said of a clock, right or wrong."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("issuer moves"), PLACES),
        st.tuples(st.just("holder moves"), PLACES),
        st.tuples(st.just("issuer goes on"), PLACES),
        st.tuples(st.just("holder goes on"), PLACES),
        st.tuples(st.just("holder forges"), PLACES, st.integers(0, 12), MOMENTS, st.sampled_from([None, "", "~"])),
        st.tuples(st.sampled_from(["to holder", "to issuer"]), st.integers(1, 3)),
        st.tuples(st.sampled_from(["again to holder", "again to issuer"]), st.integers(0, 12)),
        st.tuples(st.sampled_from(["issuer's clock", "holder's clock"]), st.integers(-2, 30)),
    ),
    max_size=40,
)


def forged(holder: Desk, move: str, base: int, at: int, serial: int, says: str | None) -> MoveBody:
    """A proposal that skips the holder's own door: any move, on any base, said at any time. says: the same in every
    field; None: proper things."""
    first = holder.history()[0]
    body = MoveBody(flow=first.flow, task=TASK, issuer=first.issuer, holder=first.holder, by_node=holder.node)
    body.move, body.base, body.at, body.move_id = move, base, at, f"forged-{serial}"
    body.fields.extend(MoveField(name=n, text=t if says is None else says) for n, t in holder.fields.items())
    holder.pending().append(body)
    return body


def act(step: tuple[object, ...], serial: int, issuer: Desk, holder: Desk, sent: dict[str, list[MoveBody]]) -> None:
    """Does one step; `sent` remembers what was posted to whom, so that it can come again."""
    sent["to holder"] += [b for b in issuer.post if b not in sent["to holder"]]
    sent["to issuer"] += [b for b in holder.post if b not in sent["to issuer"]]
    moves = issuer.flow.moves
    match step:
        case ("issuer moves", int(place)):
            issuer.may(moves[place % len(moves)].name)
        case ("holder moves", int(place)):
            holder.may(moves[place % len(moves)].name)
        case ("issuer goes on", int(place)):
            issuer.goes_on(place)
        case ("holder goes on", int(place)):
            holder.goes_on(place)
        case ("holder forges", int(place), int(base), int(at), str() | None as says):
            move = moves[place % len(moves)].name
            holder.post.append(forged(holder, move, min(base, len(holder.history())), at, serial, says))
        case ("to holder", int(count)):
            deliver(issuer, holder, count)
        case ("to issuer", int(count)):
            deliver(holder, issuer, count)
        case ("again to holder", int(place)) if place < len(sent["to holder"]):
            holder.hear(sent["to holder"][place], issuer.standing)
        case ("again to issuer", int(place)) if place < len(sent["to issuer"]):
            issuer.hear(sent["to issuer"][place], holder.standing)
        case ("issuer's clock", int(hours)):
            issuer.now = max(START_US, issuer.now + hours * HOUR_US)
        case ("holder's clock", int(hours)):
            holder.now = max(START_US, holder.now + hours * HOUR_US)


def two_sides(flow: Flow) -> tuple[Desk, Desk]:
    """A task that was just opened, known to both."""
    upper, lower = sides(flow)
    issuer, holder = Desk(upper, flow), Desk(lower, flow)
    issuer.begin(holder.node)
    deliver(issuer, holder)
    return issuer, holder


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(FLOWS)), steps=STEPS)
def test_any_order_of_moves_gives_one_legal_history_on_both_sides(name: str, steps: list[tuple[object, ...]]) -> None:
    """Interleaved, delayed, doubled and forged moves: the histories agree, prefix by prefix, and nothing hangs."""
    issuer, holder = two_sides(FLOWS[name])
    sent: dict[str, list[MoveBody]] = {"to holder": [], "to issuer": []}
    newest = issuer.now
    for serial, step in enumerate(steps):
        act(step, serial, issuer, holder, sent)
        newest = max(newest, issuer.now)
        mine, theirs = facts(issuer), facts(holder)
        assert theirs == mine[: len(theirs)]
        assert illegal_effects(issuer, newest) == []
    settle(issuer, holder)
    assert facts(holder) == facts(issuer)
    assert holder.pending() == []
    assert (issuer.parked, holder.parked) == ([], [])
    decided = [m.move_id for m in issuer.history()]
    assert len(set(decided)) == len(decided)


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(FLOWS)), steps=STEPS)
def test_a_task_can_always_be_brought_to_an_end(name: str, steps: list[tuple[object, ...]]) -> None:
    """Wherever the moves have led, somebody must act, and by the usual moves alone the task ends."""
    issuer, holder = two_sides(FLOWS[name])
    for serial, step in enumerate(steps):
        act(step, serial, issuer, holder, {"to holder": [], "to issuer": []})
    settle(issuer, holder)
    flow = issuer.flow
    for _ in flow.states:
        state = flow.state(state_of(issuer.history()))
        if state.final:
            break
        assert state.owner is not None
        desk = issuer if state.owner.value == "issuer" else holder
        desk.make(state.next)
        settle(issuer, holder)
    assert flow.has_ended(state_of(holder.history()))


@given(known=st.integers(0, 100), said=MOMENTS, arrives=st.integers(0, 200), back=st.booleans())
def test_the_time_that_counts_lies_between_what_was_known_and_when_it_was_decided(
    known: int, said: int, arrives: int, back: bool
) -> None:
    """A fast clock gains nothing, a slow one loses no more than the time since the author knew."""
    issuer, holder = two_sides(FLOWS["W2"])
    issuer.now = START_US + known * HOUR_US
    issuer.make("issue")
    deliver(issuer, holder)
    seen = counted_of(holder.history()[-1])
    body = holder.make("sign")
    body.at = said
    issuer.now = START_US if back else issuer.now + arrives * HOUR_US
    settle(issuer, holder)
    counted = holder.history()[-1].counted_at
    assert counted == max(seen, min(said, issuer.now))
    assert facts(issuer) == facts(holder)


LIES: dict[str, st.SearchStrategy[object]] = {
    "number": st.integers(0, 8),
    "base": st.integers(0, 8),
    "move": PLACES,
    "state": PLACES,
    "accepted": st.booleans(),
    "verdict": st.booleans(),
    "at": st.sampled_from([-1, 0, START_US + 1, MOMENT_MAX, 2**63 - 1]),
    "counted_at": st.sampled_from([-1, 0, START_US + 1, MOMENT_MAX, 2**63 - 1]),
    "due_at": st.sampled_from([-1, 1, START_US + 1, MOMENT_MAX, 2**63 - 1]),
    "by_node": st.sampled_from(["issuer", "holder", "c330300.p330000.cn"]),
    "issuer": st.sampled_from(["holder", "c330300.p330000.cn"]),
    "holder": st.sampled_from(["issuer", "c330300.p330000.cn"]),
    "flow": st.sampled_from(["W2", "W77", ""]),
    "task": st.sampled_from(["", "task-2"]),
    "move_id": st.sampled_from(["", "new", "x" * 65]),
    "fields": st.just(""),
}
"""What an issuer's node that does not keep the rules may say otherwise than it should."""
LYING = st.lists(
    st.one_of(
        st.tuples(st.just("honest"), st.sampled_from(["issuer goes on", "holder goes on", "post"]), PLACES),
        st.sampled_from(sorted(LIES)).flatmap(lambda name: st.tuples(st.just(name), PLACES, LIES[name])),
    ),
    max_size=30,
)


def lie(issuer: Desk, holder: Desk, name: str, place: int, value: object) -> MoveBody:
    """One of the issuer's words, with something changed."""
    said = [*issuer.history(), *issuer.post]
    body = MoveBody.FromString(said[place % len(said)].SerializeToString())
    nodes, flow = {"issuer": issuer.node, "holder": holder.node}, issuer.flow
    if name == "fields":
        del body.fields[:]
    elif name in ("move", "state"):
        listed = [rule.name for rule in flow.moves] if name == "move" else [state.name for state in flow.states]
        setattr(body, name, listed[int(str(value)) % len(listed)])
    else:
        setattr(body, name, nodes.get(str(value), value))
    return body


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(FLOWS)), steps=LYING)
def test_whatever_an_issuer_says_a_holder_keeps_a_legal_history(name: str, steps: list[tuple[object, ...]]) -> None:
    """An issuer's node may be anybody's program. What its words do at the holder is what the table allows."""
    issuer, holder = two_sides(FLOWS[name])
    for step in steps:
        match step:
            case ("honest", "post", int(way)):
                deliver(*((issuer, holder) if way % 2 else (holder, issuer)))
            case ("honest", "issuer goes on", int(place)):
                issuer.goes_on(place)
            case ("honest", "holder goes on", int(place)):
                holder.goes_on(place)
            case (str(word), int(place), value):
                holder.hear(lie(issuer, holder, word, place, value), issuer.standing)
        assert illegal_effects(holder, MOMENT_MAX) == []
        assert {(m.task, m.issuer, m.holder, m.flow) for m in holder.history()} == {
            (TASK, issuer.node, holder.node, name)
        }
