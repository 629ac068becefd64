"""Whatever people do and however they change: nothing leaves without the approval it needs, and who leaves loses
nothing.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from node.commands.people import hand_over
from node.store.people import DraftState, handler
from node.store.store import Store
from tests.unit.node_base.desks import AT, PaperDesk
from tests.unit.tiers.kit import CATALOGUE
from tiers.people import Deputy, Person, Role

NAMES = ("zhang", "lixy", "wang", "zhao", "qian")
CALLED = {"zhang": "张伟民先生", "lixy": "李秀英女士", "wang": "王建国主任", "zhao": "赵永强师傅", "qian": "钱学礼同志"}
ORGS = ("城管局督查处", "数据中心")
TASKS = ("t1", "t2", "t3")
MOVES = tuple(rule.name for rule in CATALOGUE.flows["W2"].moves if rule.by.value == "issuer")
FREE = frozenset({"remark", "report", "comment"})
FIRST = date(2026, 9, 28)

_name = st.sampled_from(NAMES)
_roles = st.frozensets(st.sampled_from([Role.OFFICER, Role.APPROVER, *Role]), min_size=1, max_size=2)
PEOPLE = st.fixed_dictionaries(dict.fromkeys(NAMES, _roles))
_moves = st.lists(st.sampled_from(MOVES), min_size=1, max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("declare"), _name, _roles, st.sampled_from(ORGS), st.booleans()),
        st.tuples(st.just("deputy"), _name, _name, st.integers(0, 5), st.integers(0, 5)),
        st.tuples(
            st.just("hand in"), _name, st.sampled_from(TASKS), st.lists(st.sampled_from(MOVES), min_size=1, max_size=2)
        ),
        st.tuples(st.just("open"), _name, st.sampled_from(TASKS)),
        st.tuples(st.just("decide"), _name, st.integers(0, 9), st.just("approved")),
        st.tuples(st.just("decide"), st.just("author"), st.integers(0, 9), st.just("approved")),
        st.tuples(st.just("decide"), _name, st.integers(0, 9), st.sampled_from(["refused", "dropped"])),
        st.tuples(st.just("decide"), st.just("deputy"), st.integers(0, 9), st.just("approved")),
        st.tuples(st.just("leave"), _name, _name),
        st.tuples(st.just("approvers leave")),
        st.tuples(st.just("day"), st.integers(0, 5)),
        st.tuples(st.just("recovering"), st.booleans()),
    ),
    min_size=5,
    max_size=50,
)


def _may_approve(store: Store, name: str, author: str, day: date) -> bool:
    """Told here in other words than tiers/people.py: name is not the author, and is an approver who has not left, or
    stands in today for one who is neither gone nor the author."""
    roster = store.people.roster()
    who = roster.people.get(name)
    if name == author or who is None or not who.active:
        return False
    stands_for = [one.person for one in roster.deputies if one.deputy == name and one.first <= day <= one.last]
    able = [roster.people[one] for one in (name, *stands_for) if one in roster.people and one != author]
    return any(one.active and Role.APPROVER in one.roles for one in able)


def _free(store: Store, moves: list[str]) -> bool:
    """Whether moves may leave without an approval now."""
    people = store.people.roster().people
    return not any(Role.APPROVER in one.roles for one in people.values()) or set(moves) <= FREE


def _declared(step: tuple[object, ...]) -> Person:
    _, name, roles, org, active = step
    return Person(str(name), CALLED[str(name)], str(org), roles, bool(active))


def _take(desk: PaperDesk, step: tuple[object, ...]) -> None:
    """One step, and what must hold of what left by it."""
    store = desk.store
    match step:
        case ("declare", *_):
            desk.change(lambda into: into.people.put(_declared(step)))
        case ("deputy", str(name), str(other), int(first), int(days)):
            begin = FIRST + timedelta(first)
            desk.change(lambda into: into.people.add_deputy(Deputy(name, other, begin, begin + timedelta(days))))
        case ("day", int(day)):
            desk.day = FIRST + timedelta(day)
        case ("recovering", bool(on)):
            desk.recovering = on
        case ("approvers leave",):
            gone = [one._replace(active=False) for one in store.people.roster().people.values()]
            desk.change(lambda into: [into.people.put(one) for one in gone if Role.APPROVER in one.roles])
        case ("leave", str(name), str(to)):
            desk.change(partial(hand_over, CATALOGUE.flows, name, to, AT, False))
        case ("open", str(name), str(task)):
            _handed_in(desk, name, task, ["register", "issue"])
        case ("hand in", str(name), str(task), list(moves)):
            _handed_in(desk, name, task, moves)
        case ("decide", str(name), int(place), str(how)) if drafts := desk.drafts(""):
            # Of all there ever were, the newest first: most of those that were decided are tried again.
            number = drafts[-1 - place % len(drafts)]
            draft = store.people.draft(number)
            if name == "author" and draft is not None:
                name = draft.author
            deputies = store.people.roster().deputies
            if name == "deputy" and deputies:
                name = deputies[place % len(deputies)].deputy
            waited = draft is not None and draft.state is DraftState.WAITING
            able = draft is not None and _may_approve(store, name, draft.author, desk.day)
            left = desk.decide(name, number, DraftState(how), "x").left
            if left:
                assert how == "approved"
                assert waited
                assert able
                assert draft is not None
                assert [body.move for body in left] == [move for move, _ in draft.moves]
                assert {(body.by_org, body.by_role) for body in left} == {(draft.org, "approver")}
            _no_names(left)


def _handed_in(desk: PaperDesk, name: str, task: str, moves: list[str]) -> None:
    free = _free(desk.store, moves)
    before = len(desk.drafts(""))
    left = desk.hand_in(name, task, *moves).left
    assert free or not left
    assert not left or len(desk.drafts("")) == before
    if desk.store.people.roster().people:
        assert {body.by_org for body in left} <= set(ORGS)
        assert {body.by_role for body in left} <= {"officer", "approver"}
    _no_names(left)


def _no_names(left: list[object]) -> None:
    for body in left:
        sealed = body.SerializeToString()
        assert not any(said.encode() in sealed for said in (*CALLED.values(), *NAMES))


@settings(max_examples=120)
@given(people=PEOPLE, steps=STEPS)
def test_no_move_leaves_without_the_approval_it_needs(
    people: dict[str, frozenset[Role]], steps: list[tuple[object, ...]]
) -> None:
    """People come, change, stand in and leave between draft and approval; a draft leaves once, whole, or never; what
    leaves names organisation and role and no person."""
    desk = PaperDesk()
    try:
        for name, roles in people.items():
            _take(desk, ("declare", name, roles, ORGS[0], True))
        for step in steps:
            _take(desk, step)
        left = [body.move_id for task in TASKS for body in desk.store.moves(task)]
        assert len(left) == len(set(left))
    finally:
        desk.close()


_deputy = st.tuples(_name, _name, st.integers(0, 3), st.integers(0, 2))


@settings(max_examples=300)
@given(
    people=st.fixed_dictionaries(dict.fromkeys(NAMES, st.tuples(_roles, st.booleans()))),
    deputies=st.lists(_deputy, max_size=6),
    author=_name,
    by=_name,
    day=st.integers(0, 5),
)
def test_a_draft_leaves_for_who_may_approve_it_and_for_nobody_else(
    people: dict[str, tuple[frozenset[Role], bool]],
    deputies: list[tuple[str, str, int, int]],
    author: str,
    by: str,
    day: int,
) -> None:
    """Written while its author was an officer; then the people are as drawn, and one of them approves."""
    desk = PaperDesk()
    try:
        everyone = frozenset({Role.OFFICER, Role.APPROVER})
        desk.change(lambda into: [into.people.put(Person(name, CALLED[name], ORGS[0], everyone)) for name in NAMES])
        assert desk.hand_in(author, "t1", "register").left == []
        for name, (roles, active) in people.items():
            _take(desk, ("declare", name, roles, ORGS[0], active))
        for person, deputy, first, days in deputies:
            _take(desk, ("deputy", person, deputy, first, days))
        desk.day = FIRST + timedelta(day)
        able = _may_approve(desk.store, by, author, desk.day)
        assert bool(desk.decide(by, 1).left) is able
        free = _free(desk.store, ["register"])
        may_work = any(role in (Role.OFFICER, Role.APPROVER) for role in people[author][0]) and people[author][1]
        made = bool(desk.hand_in(author, "t2", "register").left)
        assert not made or free
        assert not (may_work and free) or made
    finally:
        desk.close()


@settings(max_examples=200)
@given(
    opened=st.lists(st.tuples(_name, st.booleans()), max_size=8),
    flows=st.dictionaries(st.sampled_from(["", "W2", "W9D"]), _name, max_size=3),
    drafts=st.lists(_name, max_size=5),
    leaver=_name,
    to=_name,
)
def test_who_leaves_loses_nothing(
    opened: list[tuple[str, bool]], flows: dict[str, str], drafts: list[str], leaver: str, to: str
) -> None:
    """Each open task, flow and waiting draft of the leaver is the other's afterwards; all else is as it was, and so is
    everything where it cannot be done."""
    desk = PaperDesk()
    try:
        desk.change(
            lambda into: [into.people.put(Person(n, CALLED[n], ORGS[0], frozenset({Role.OFFICER}))) for n in NAMES]
        )
        for place, (name, ended) in enumerate(opened):
            desk.hand_in(name, f"t{place}", "register", *(["withdraw"] if ended else []))
        desk.change(lambda into: [into.people.set_flow(flow, name) for flow, name in flows.items()])
        approver = Person("chief", "局长办公室", ORGS[0], frozenset({Role.APPROVER}))
        desk.change(lambda into: into.people.put(approver))
        for place, name in enumerate(drafts):
            desk.hand_in(name, f"d{place}", "register")
        before = _items(desk)
        found = desk.change(partial(hand_over, CATALOGUE.flows, leaver, to, AT, False))
        after = _items(desk)
        done = isinstance(found, dict)
        assert done is (leaver != to)
        moved = {item for item, (whose, is_open) in before.items() if done and whose == leaver and is_open}
        assert {item: whose for item, (whose, _) in after.items()} == {
            item: to if item in moved else whose for item, (whose, _) in before.items()
        }
        assert desk.store.people.roster().people[leaver].active is not done
    finally:
        desk.close()


def _items(desk: PaperDesk) -> dict[str, tuple[str, bool]]:
    """By item who has it, and whether it is open."""
    people = desk.store.people
    assigned, by_flow = people.assigned(), people.by_flow()
    found = {f"flow {flow}": (name, True) for flow, name in by_flow.items()}
    for task in assigned:
        last = desk.store.moves(task)[-1]
        found[f"task {task}"] = (handler(assigned, by_flow, task, "W2"), last.state != "withdrawn")
    for draft in people.drafts(1_000):
        found[f"draft {draft.id}"] = (draft.keeper, draft.state is DraftState.WAITING)
    return found
