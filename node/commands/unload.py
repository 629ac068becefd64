"""Taking a load back: ordinary signed changes that void the rows which the load made and nobody has changed since.

A row still stands as a load wrote it if its version is the number of that load's transaction. Rows that were there
before the load keep what it wrote into them: what they were is not kept, so nothing is restored.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.commands.loads import load_shown, unknown_load
from node.commands.view import Arguments, View, number
from node.commands.work import view_of
from node.store.loads import Load, unpack_written
from node.store.store import Store
from node.taking_over import NoAnswer, given_back
from node.writer import Ticket
from sync.effects import Reply
from sync.events import Event, LocalPut
from sync.judge import LocalRows
from sync.rows import key_text
from sync.values import Key

KEYS_AT_ONCE = 1_000
KEYS_SHOWN = 20


@dataclass(slots=True)
class _Plan:
    """What can be taken back, with the version at which it may be; and what is left alone, with examples."""

    take: dict[Key, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=lambda: {"changed_since": 0, "gone": 0, "not_created": 0})
    examples: dict[str, list[str]] = field(default_factory=dict)

    def leave(self, why: str, key: Key) -> None:
        self.left[why] += 1
        shown = self.examples.setdefault(why, [])
        if len(shown) < KEYS_SHOWN:
            shown.append(key_text(key))


def plan_unload(view: View, arguments: Arguments) -> dict[str, Any]:
    """unload.plan {load} -> {load, rows, left, examples}: what `unload` would do now."""
    load, plan = _planned(view, number(arguments, "load"))
    return _shown(load, len(plan.take), plan)


async def unload(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """unload {load} -> progress {rows}, then {load, rows, left, examples}."""
    which = number(arguments, "load")
    load, plan = await node.read(lambda reader: _planned(view_of(node, reader), which))
    keys, done = list(plan.take), 0
    for start in range(0, len(keys), KEYS_AT_ONCE):
        part = {key: plan.take[key] for key in keys[start : start + KEYS_AT_ONCE]}
        done += await _void(node, load, part)
        yield {"rows": done, "of": len(keys)}
    # What somebody changed between the plan and its transaction is left alone like what was changed before.
    plan.left["changed_since"] += len(keys) - done
    if done:
        node.note(AuditEvent.ROWS_UNLOADED, load=load.id, dataset=load.dataset, rows=done, **plan.left)
    yield _shown(load, done, plan)


async def _void(node: Node, load: Load, expected: Mapping[Key, int]) -> int:
    here, reason = node.config.node.node_id, f"unload {load.id}"
    return int(await node.writer.call(lambda t: _VoidJob(t, load.dataset, here, expected, reason)))


def _planned(view: View, which: int) -> tuple[Load, _Plan]:
    """Raises UserFault LOAD_UNKNOWN."""
    load = view.reader.load(which)
    if load is None:
        raise unknown_load(which)
    newest: dict[Key, int] = {}
    created: set[Key] = set()
    for group, stored in view.reader.load_batches(which):
        written = unpack_written(stored)
        created.update(written.created)
        newest.update(dict.fromkeys((*written.created, *written.changed), group))
    plan, keys = _Plan(), list(newest)
    for start in range(0, len(keys), KEYS_AT_ONCE):
        part = keys[start : start + KEYS_AT_ONCE]
        held = view.reader.read_rows(load.dataset, view.node, part)
        for key in part:
            if key not in held:
                plan.leave("gone", key)
            elif key not in created:
                plan.leave("not_created", key)
            elif held[key][0] != newest[key]:
                plan.leave("changed_since", key)
            else:
                plan.take[key] = newest[key]
    return load, plan


def _shown(load: Load, rows: int, plan: _Plan) -> dict[str, Any]:
    return {"load": load_shown(load), "rows": rows, "left": plan.left, "examples": plan.examples}


@dataclass(slots=True)
class _Counted:
    """Answers the caller with how many rows were voided, once that is durable."""

    ticket: Ticket[int]
    rows: int

    def resolve(self, value: object) -> None:
        self.ticket.resolve(value if isinstance(value, BaseException) else self.rows)


@dataclass(slots=True)
class _VoidJob:
    """Voids those of the rows that still have the version they are expected at. Answers with how many."""

    token: Ticket[int]
    dataset: str
    node: str
    expected: Mapping[Key, int]
    reason: str

    def run(self, store: Store) -> Sequence[Event | Reply]:
        """As node.engine.Job.run."""
        held = store.read_rows(self.dataset, self.node, list(self.expected))
        before = {key: found for key, found in held.items() if found[0] == self.expected[key]}
        if not before:
            return (Reply(self.token, 0),)
        voids = [(key, self.reason) for key in before]
        back = given_back(store, self.node, self.dataset, list(before), self.reason)
        put = LocalPut(_Counted(self.token, len(voids)), LocalRows(self.dataset, [], voids, before))
        return (*(LocalPut(NoAnswer(), part) for part in back), put)
