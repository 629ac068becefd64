"""The people of this node, who handles which task, and drafts of moves. None of it ever leaves the node."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from enum import Enum
from typing import Any, NamedTuple

from node.store.session import Session
from tiers.people import Deputy, Person, Role, Roster, roster_of

_PEOPLE = "SELECT name, shown, org, roles, active FROM person ORDER BY name"
_PUT = "INSERT OR REPLACE INTO person (name, shown, org, roles, active) VALUES (?, ?, ?, ?, ?)"
_DEPUTIES = "SELECT person, deputy, first, last FROM deputy ORDER BY person, first, deputy"
_ADD_DEPUTY = "INSERT OR REPLACE INTO deputy (person, deputy, first, last) VALUES (?, ?, ?, ?)"
_END_DEPUTY = "DELETE FROM deputy WHERE person = ? AND deputy = ?"
_END_DEPUTIES = "DELETE FROM deputy WHERE ?1 IN (person, deputy)"
_ASSIGN = "INSERT OR REPLACE INTO task_person (task, person) VALUES (?, ?)"
_ASSIGNED = "SELECT task, person FROM task_person ORDER BY task"
_ASSIGNED_ONE = "SELECT person FROM task_person WHERE task = ?"
_BY_FLOW = "SELECT flow, person FROM flow_person ORDER BY flow"
_SET_FLOW = "INSERT OR REPLACE INTO flow_person (flow, person) VALUES (?, ?)"
_END_FLOW = "DELETE FROM flow_person WHERE flow = ?"
_ADD_DRAFT = """INSERT INTO draft
    (author, keeper, org, state, flow, task, holder, moves, at, decided_by, decided_at, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, '')"""
_NEWEST = "SELECT max(id) FROM draft"
_DRAFT = """SELECT id, author, keeper, org, state, flow, task, holder, moves, at, decided_by, decided_at, reason
    FROM draft WHERE id = ?"""
_DRAFTS = """SELECT id, author, keeper, org, state, flow, task, holder, moves, at, decided_by, decided_at, reason
    FROM draft WHERE (?1 = '' OR state = ?1) AND (?2 = '' OR keeper = ?2) AND (?3 = '' OR task = ?3)
    ORDER BY id DESC LIMIT ?4"""
_DECIDE = "UPDATE draft SET state = ?, decided_by = ?, decided_at = ?, reason = ? WHERE id = ? AND state = 'waiting'"
_KEEP = "UPDATE draft SET keeper = ? WHERE keeper = ? AND state = 'waiting'"
_WAITING = "SELECT count(*) FROM draft WHERE state = 'waiting'"


class DraftState(Enum):
    """What became of a draft; only one that waits can still become something else."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    DROPPED = "dropped"
    STALE = "stale"


class DraftPart(NamedTuple):
    """A new task that is started together with the moves of another one."""

    flow: str
    task: str
    holder: str
    moves: tuple[tuple[str, Mapping[str, str]], ...]


class Draft(NamedTuple):
    """Moves of one task that wait for an approver, made together. author: who wrote it. keeper: who answers for it now.
    moves: (name, fields) in order; parts: tasks that are handed on with them. decided_by: a person's name. Times in
    microseconds.
    """

    id: int
    author: str
    keeper: str
    org: str
    state: DraftState
    flow: str
    task: str
    holder: str
    moves: tuple[tuple[str, Mapping[str, str]], ...]
    at: int
    decided_by: str = ""
    decided_at: int = 0
    reason: str = ""
    parts: tuple[DraftPart, ...] = ()

    @property
    def tasks(self) -> tuple[DraftPart, ...]:
        """The moves of each task, first those of the one that it is about."""
        return DraftPart(self.flow, self.task, self.holder, self.moves), *self.parts


class People:
    """Reads, and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- people

    def roster(self) -> Roster:
        """All people and deputies."""
        people = [
            Person(name, shown, org, frozenset(map(Role, json.loads(roles))), bool(active))
            for name, shown, org, roles, active in self._session.rows(_PEOPLE)
        ]
        deputies = [
            Deputy(person, deputy, date.fromisoformat(first), date.fromisoformat(last))
            for person, deputy, first, last in self._session.rows(_DEPUTIES)
        ]
        return roster_of(people, deputies)

    def put(self, person: Person) -> None:
        """Declares a person, or changes what is said of one."""
        roles = json.dumps(sorted(role.value for role in person.roles))
        self._session.run(_PUT, (person.name, person.shown, person.org, roles, person.active))

    def add_deputy(self, one: Deputy) -> None:
        """From now on; the same days again are one."""
        self._session.run(_ADD_DEPUTY, (one.person, one.deputy, one.first.isoformat(), one.last.isoformat()))

    def end_deputy(self, person: str, deputy: str) -> bool:
        """Whether there was one to end."""
        return self._session.run(_END_DEPUTY, (person, deputy)) > 0

    def end_deputies(self, name: str) -> None:
        """Nobody stands in for this person any more, nor this person for anybody."""
        self._session.run(_END_DEPUTIES, (name,))

    # --- who handles what

    def assign(self, task: str, person: str) -> None:
        """This person handles the task from now on."""
        self._session.run(_ASSIGN, (task, person))

    def assigned(self) -> dict[str, str]:
        """By task who was said to handle it."""
        return dict(self._session.rows(_ASSIGNED))

    def assigned_to(self, task: str) -> str:
        """Who was said to handle one task, '' if nobody was."""
        row = self._session.first(_ASSIGNED_ONE, (task,))
        return str(row[0]) if row else ""

    def by_flow(self) -> dict[str, str]:
        """By flow who handles what nobody was said to; '' stands for every other flow."""
        return dict(self._session.rows(_BY_FLOW))

    def set_flow(self, flow: str, person: str) -> None:
        """Who handles tasks of a flow that nobody was said to; '' = nobody."""
        if person:
            self._session.run(_SET_FLOW, (flow, person))
        else:
            self._session.run(_END_FLOW, (flow,))

    # --- drafts

    def add_draft(self, draft: Draft) -> int:
        """Keeps a new one; its number."""
        own = [[name, dict(fields)] for name, fields in draft.moves]
        moves = json.dumps({"own": own, "parts": draft.parts} if draft.parts else own, ensure_ascii=False)
        values = (draft.author, draft.keeper, draft.org, draft.state.value, draft.flow, draft.task, draft.holder)
        self._session.run(_ADD_DRAFT, (*values, moves, draft.at))
        row = self._session.first(_NEWEST, ())
        assert row is not None
        return int(row[0])

    def draft(self, number: int) -> Draft | None:
        """One draft."""
        row = self._session.first(_DRAFT, (number,))
        return _draft(row) if row else None

    def drafts(self, most: int, *, state: str = "", keeper: str = "", task: str = "") -> list[Draft]:
        """The newest first; of one state, of one person who answers for them, of one task: '' = of all."""
        return [_draft(row) for row in self._session.rows(_DRAFTS, (state, keeper, task, most))]

    def waiting(self) -> int:
        """How many drafts wait."""
        row = self._session.first(_WAITING, ())
        return int(row[0]) if row else 0

    def decide(self, number: int, state: DraftState, by: str, at: int, reason: str) -> None:
        """What became of a draft that waited."""
        self._session.run(_DECIDE, (state.value, by, at, reason, number))

    def pass_drafts(self, name: str, to: str) -> None:
        """Another answers for what waits of this person; who wrote it stays."""
        self._session.run(_KEEP, (to, name))


def handler(assigned: Mapping[str, str], by_flow: Mapping[str, str], task: str, flow: str) -> str:
    """Who handles a task: who was said to; else who does for its flow, or for every other; '' = nobody."""
    return assigned.get(task) or by_flow.get(flow) or by_flow.get("", "")


def _draft(row: Iterable[Any]) -> Draft:
    id_, author, keeper, org, state, flow, task, holder, moves, at, *decided = row
    said = json.loads(moves)
    own, parts = (said["own"], said["parts"]) if isinstance(said, dict) else (said, [])
    made = tuple(DraftPart(of_flow, part, to, _moves(listed)) for of_flow, part, to, listed in parts)
    draft = Draft(id_, author, keeper, org, DraftState(state), flow, task, holder, _moves(own), at, *decided)
    return draft._replace(parts=made)


def _moves(listed: Iterable[Any]) -> tuple[tuple[str, Mapping[str, str]], ...]:
    return tuple((name, fields) for name, fields in listed)
