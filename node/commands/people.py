"""The people of this node: declared, changed, deputies, leaving; and who here handles which task."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date
from functools import partial
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.commands.tasks import has_ended, show_task, unknown_task
from node.commands.view import Arguments, View, text
from node.commands.work import in_store, view_of
from node.desk import DRAFTS_WAITING_MAX
from node.faults import Code, UserFault
from node.flows import flow_named
from node.hands import Hand
from node.reading import day_of
from node.store.people import DraftState
from node.store.store import Store
from node.texts import N_, Text
from tiers.flows.table import Flow
from tiers.people import (
    DEPUTIES_MAX,
    NAME_CHARACTERS_MAX,
    ORG_CHARACTERS_MAX,
    PEOPLE_MAX,
    SHOWN_CHARACTERS_MAX,
    Act,
    Deputy,
    Person,
    Role,
    Roster,
)

Change = Callable[[Store], UserFault | None]


def list_people(view: View, arguments: Arguments) -> dict[str, Any]:
    """people.list {} -> {people: by name, with their deputies; flows: who handles what nobody was assigned to}."""
    roster = view.reader.people.roster()
    return {
        "people": [person_shown(person, roster) for person in roster.people.values()],
        "flows": view.reader.people.by_flow(),
    }


def person_shown(person: Person, roster: Roster) -> dict[str, Any]:
    """A person as JSON."""
    return {
        "name": person.name,
        "shown": person.shown,
        "org": person.org,
        "roles": [role.value for role in Role if role in person.roles],
        "active": person.active,
        "deputies": [
            {"deputy": one.deputy, "from": one.first.isoformat(), "until": one.last.isoformat()}
            for one in roster.deputies
            if one.person == person.name
        ],
    }


async def add(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """people.add {person, shown, org, roles} -> the person. Raises UserFault BAD_ARGUMENT."""
    person = Person(
        text(arguments, "person"), text(arguments, "shown"), text(arguments, "org"), _roles(arguments.get("roles"))
    )

    def change(store: Store) -> UserFault | None:
        known = store.people.roster().people
        if person.name in known:
            return _bad(N_("'{name}' is declared already"), name=person.name)
        if len(known) >= PEOPLE_MAX:
            return _bad(N_("at most {most} people are declared at a node"), most=PEOPLE_MAX)
        store.people.put(person)
        return None

    _check(person)
    yield await _changed(node, hand, person.name, change)


async def change(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """people.change {person, shown?, org?, roles?, active?} -> the person. What is not given stays. Raises UserFault
    PERSON_UNKNOWN, BAD_ARGUMENT, PERSON_BUSY for one who has left but not handed over."""
    name, active = text(arguments, "person"), arguments.get("active")

    def change(store: Store) -> UserFault | None:
        roster = store.people.roster()
        was = roster.people.get(name)
        if was is None:
            return unknown(name)
        shown, org = text(arguments, "shown") or was.shown, text(arguments, "org") or was.org
        roles = _roles(arguments["roles"]) if arguments.get("roles") else was.roles
        store.people.put(Person(name, shown, org, roles, was.active if not isinstance(active, bool) else active))
        return None

    known = node.people.people.get(name)
    if known is None:
        raise unknown(name)
    if active is False:
        raise _bad(N_("who leaves hands over: `tiersync people leave {name} --to NAME`"), name=name)
    roles = _roles(arguments["roles"]) if arguments.get("roles") else known.roles
    _check(Person(name, text(arguments, "shown") or known.shown, text(arguments, "org") or known.org, roles))
    yield await _changed(node, hand, name, change)


async def deputy(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """people.deputy {person, deputy, from, until} or {person, deputy, end: true} -> the person. Raises UserFault
    PERSON_UNKNOWN, BAD_ARGUMENT."""
    name, other, end = text(arguments, "person"), text(arguments, "deputy"), arguments.get("end") is True
    first, last = (date.max, date.max) if end else (_day(arguments, "from"), _day(arguments, "until"))
    if name == other or first > last:
        raise _bad(N_("a deputy is another person, from a day until the same or a later one"))

    def change(store: Store) -> UserFault | None:
        roster = store.people.roster()
        for one in (name, other):
            person = roster.people.get(one)
            if person is None or not (person.active or end):
                return unknown(one)
        if end:
            return None if store.people.end_deputy(name, other) else _bad(N_("'{other}' is no deputy"), other=other)
        if len(roster.deputies) >= DEPUTIES_MAX:
            return _bad(N_("at most {most} deputies are declared at a node"), most=DEPUTIES_MAX)
        store.people.add_deputy(Deputy(name, other, first, last))
        return None

    days = {} if end else {"first": first.isoformat(), "last": last.isoformat()}
    yield await _changed(node, hand, name, change, deputy=other, end=end, **days)


async def leave(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """people.leave {person, to?, dry_run?} -> what passes: {name, to, tasks, drafts, flows, deputies, tokens}.

    In one transaction: every open task, waiting draft and flow of this person passes to `to`; deputies on both sides
    end, tokens are revoked, the person is no longer active. Raises UserFault PERSON_UNKNOWN, PERSON_BUSY.
    """
    name, to, dry_run = text(arguments, "person"), text(arguments, "to"), arguments.get("dry_run") is True
    now = node.clock.now_us()
    found: dict[str, Any] | UserFault = await in_store(
        node, partial(hand_over, node.catalogue.flows, name, to, now, dry_run)
    )
    if isinstance(found, UserFault):
        raise found
    if not dry_run:
        await _reread(node)
        node.tokens_changed += 1
        counts = {part: len(items) for part, items in found.items() if isinstance(items, list)}
        node.note(AuditEvent.PERSON_LEFT, by=hand.said, person=name, to=to, **counts)
    yield {**found, "dry_run": dry_run}


def hand_over(
    flows: Mapping[str, Flow], name: str, to: str, now: int, dry_run: bool, store: Store
) -> dict[str, Any] | UserFault:
    """As `leave`, in the open transaction."""
    people = store.people
    roster = people.roster()
    person, other = roster.people.get(name), roster.people.get(to)
    if person is None or not person.active:
        return unknown(name)
    if to and (other is None or not other.active or to == name):
        return unknown(to)
    tasks = [task for task, whose in people.assigned().items() if whose == name and not _has_ended(store, flows, task)]
    by_flow = [flow for flow, whose in people.by_flow().items() if whose == name]
    drafts = [draft.id for draft in people.drafts(DRAFTS_WAITING_MAX, state=DraftState.WAITING.value, keeper=name)]
    found = {
        "name": name,
        "to": to,
        "tasks": tasks,
        "drafts": drafts,
        "flows": by_flow,
        "deputies": [one.deputy if one.person == name else one.person for one in roster.deputies if name in one[:2]],
        "tokens": [token.id for token in store.tokens.all() if token.person == name and token.state(now) == "valid"],
    }
    if (tasks or by_flow or drafts) and (other is None or not other.may(Act.WORK)):
        return _has_open_items(name, len(tasks) + len(by_flow) + len(drafts))
    if dry_run:
        return found
    for task in tasks:
        people.assign(task, to)
    for flow in by_flow:
        people.set_flow(flow, to)
    people.pass_drafts(name, to)
    people.end_deputies(name)
    store.tokens.revoke_of(name, now)
    people.put(person._replace(active=False))
    return found


def _has_ended(store: Store, flows: Mapping[str, Flow], task: str) -> bool:
    history = store.moves(task)
    return bool(history) and has_ended(flows, history[-1])


# --- who handles what -----------------------------------------------------------------------------------------------


async def assign(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """task.assign {task, person} -> the task. Raises UserFault TASK_UNKNOWN, PERSON_UNKNOWN."""
    task, person = text(arguments, "task"), text(arguments, "person")

    def change(store: Store) -> UserFault | None:
        if not store.moves(task):
            return unknown_task(task)
        if (fault := _cannot_work(store, person)) is None:
            store.people.assign(task, person)
        return fault

    await _done(node, change)
    node.note(AuditEvent.TASK_ASSIGNED, by=hand.said, task=task, person=person)
    yield await node.read(lambda reader: show_task(view_of(node, reader), {"task": task}))


async def assign_flow(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """task.default {flow?, person?} -> {flows}: who handles tasks of a flow, or of every other one, that nobody was
    said to; without a person nobody does. Raises UserFault FLOW_UNKNOWN, PERSON_UNKNOWN."""
    flow, person = text(arguments, "flow"), text(arguments, "person")
    if flow:
        flow_named(node.catalogue.flows, flow)

    def change(store: Store) -> UserFault | None:
        if person and (fault := _cannot_work(store, person)) is not None:
            return fault
        store.people.set_flow(flow, person)
        return None

    await _done(node, change)
    node.note(AuditEvent.TASK_ASSIGNED, by=hand.said, flow=flow or "*", person=person)
    yield {"flows": await node.read(lambda reader: reader.people.by_flow())}


def _cannot_work(store: Store, name: str) -> UserFault | None:
    person = store.people.roster().people.get(name)
    if person is None or not person.active:
        return unknown(name)
    return None if person.may(Act.WORK) else _bad(N_("'{name}' is neither officer nor approver"), name=name)


# --- inside ---------------------------------------------------------------------------------------------------------


async def _changed(node: Node, hand: Hand, name: str, change: Change, **said: object) -> dict[str, Any]:
    await _done(node, change)
    await _reread(node)
    person = node.people.people[name]
    roles = " ".join(role.value for role in Role if role in person.roles)
    about = {"person": name, "roles": roles, "org": person.org, "active": person.active}
    node.note(AuditEvent.PERSON_CHANGED, by=hand.said, **about, **said)
    return person_shown(person, node.people)


async def _done(node: Node, change: Change) -> None:
    fault = await in_store(node, change)
    if fault is not None:
        raise fault


async def _reread(node: Node) -> None:
    node.people = await node.read(lambda reader: reader.people.roster())


def _roles(said: object) -> frozenset[Role]:
    known = {role.value: role for role in Role}
    if not isinstance(said, list) or not said or any(one not in known for one in said):
        raise _bad(N_("roles are {known}; at least one is needed"), known=", ".join(known))
    return frozenset(known[one] for one in said)


def _check(person: Person) -> None:
    for said, most in (
        (person.name, NAME_CHARACTERS_MAX),
        (person.shown, SHOWN_CHARACTERS_MAX),
        (person.org, ORG_CHARACTERS_MAX),
    ):
        if not 0 < len(said.strip()) <= most or not said.isprintable():
            raise _bad(N_("'{value}' has not 1 to {most} printable characters"), value=said[:most], most=most)
    if set(person.name) & set(" ()"):
        raise _bad(N_("an account's name has no space and no bracket"))
    if person.org.strip() in (person.name, person.shown):
        # It goes with every move; the name must not.
        raise _bad(N_("the organisation is not the person's name: it leaves the node with every move"))


def _day(arguments: Arguments, name: str) -> date:
    return date.fromisoformat(day_of(text(arguments, name)))


def unknown(name: str) -> UserFault:
    """Nobody who is active has this name."""
    return UserFault(
        Code.PERSON_UNKNOWN,
        N_("No person '{name}' who is active is declared at this node."),
        N_("`tiersync people list` shows them; a person is named by account."),
        name=name or "-",
    )


def _has_open_items(name: str, count: int) -> UserFault:
    return UserFault(
        Code.PERSON_BUSY,
        N_("'{name}' still has {count} open item(s), which somebody has to take over."),
        N_("Name an officer or approver with --to; --dry-run lists what passes."),
        name=name,
        count=count,
    )


def _bad(what: str, **fields: object) -> UserFault:
    return UserFault(
        Code.BAD_ARGUMENT,
        N_("This cannot be recorded of a person: {what}."),
        N_("`tiersync people add --help` shows how."),
        what=Text(what, **fields),
    )
