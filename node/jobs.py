"""Work of the node itself inside the writer's transaction: rows in at the door, moves, loads taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from node.engine import Step
from node.frozen import INDICATORS, unfrozen
from node.known import StoreKnown
from node.parts import parts_open
from node.store.loads import Written, pack_written
from node.store.rowsql import key_text as taken_text
from node.store.sources import pack_key
from node.store.store import Store
from node.store.turned import OF_ONE_TRANSACTION, TurnedAway
from node.taking_over import NoAnswer, taken_over
from node.writer import Ticket
from sync.effects import DropReread, Reply, Write
from sync.errors import InputFault
from sync.events import Event, LocalMove, LocalPut
from sync.judge import LocalRows
from sync.limits import ENTRY_BYTES_MAX, HEADER_BYTES_MAX, KIB, ROWS_PER_ENTRY_MAX
from sync.payload import encode_records
from sync.phrase import Phrase, as_phrase
from sync.reasons import Reason
from sync.rows import key_getter, key_text
from sync.schema import RowSchema
from sync.values import Key, Row
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.codes import Life, life_flaw, void_flaw
from tiers.dataset import SOURCE_COLUMN
from tiers.door import VOID_REASON_MAX, Door, Reject, Warned
from tiers.flows.clocks import Calendar
from tiers.flows.consequences import openings_by
from tiers.flows.guards import NO_FACTS, Facts
from tiers.flows.keeping import Asked, Started
from tiers.flows.standing import say_due
from tiers.flows.steps import Author, last_number, propose, start
from tiers.flows.table import Flow, Guard
from tiers.profile import Standing

_SURELY_FITS_BYTES = ENTRY_BYTES_MAX - HEADER_BYTES_MAX - 64 * KIB
"""Rows of this size fit into an entry as they are, however long the list of columns before them."""


class PutResult(NamedTuple):
    """What became of rows that were brought to the door. `group` is 0 when nothing changed.

    `warned` holds the first of all `warnings` that rows were let in with. `personal`: as tiers.door.Checked.
    """

    accepted: int
    unchanged: int
    rejected: tuple[Reject, ...]
    group: int
    warned: tuple[Warned, ...] = ()
    warnings: int = 0
    personal: Mapping[tuple[str, str], int] = MappingProxyType({})


@dataclass(slots=True)
class _PutToken:
    """Answers the caller with the whole result once the replica has said the group."""

    ticket: Ticket[PutResult]
    result: PutResult

    def resolve(self, value: int | BaseException) -> None:
        if isinstance(value, BaseException):
            self.ticket.resolve(value)
        else:
            self.ticket.resolve(self.result._replace(group=value))


@dataclass(slots=True)
class PutJob:
    """Rows of one dataset, whole and in schema order, as one local transaction.

    A row that is what it was already changes nothing; a row that cannot be let in is rejected and the others go in.
    """

    token: Ticket[PutResult]
    schema: RowSchema
    rows: Sequence[Row]
    voids: Sequence[Key]
    void_reason: str
    door: Door
    known: StoreKnown
    node: str
    at: int
    """Now, in microseconds: the day that these rows are counted under."""
    dry_run: bool = False
    load: int = 0
    turned_away: int = 0
    """Rows brought with these that were no rows at all: they are counted with what is rejected."""
    noted: Callable[[Store, PutResult], None] | None = None
    """Called with the result, in the transaction that it tells of; not for a dry run."""

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run. Raises InputFault for a dataset that this node may not write."""
        if len(self.rows) + len(self.voids) > ROWS_PER_ENTRY_MAX:
            raise InputFault(Reason.LIMIT_EXCEEDED, Phrase("more than {} rows in one transaction", ROWS_PER_ENTRY_MAX))
        if len(self.void_reason) > VOID_REASON_MAX:
            raise InputFault(
                Reason.TOO_LONG, Phrase("the reason of a void has more than {} characters", VOID_REASON_MAX)
            )
        dataset = self.schema.dataset
        checked = self.door.check_local_rows(dataset, self.rows, self.known)
        key_of = key_getter(self.schema, self.schema.names)
        keys = [key_of(row) for row in checked.rows]
        rejects = [*checked.rejects, *self.door.check_local_keys(dataset, self.voids, keys)]
        bad_keys = {r.place for r in rejects[len(checked.rejects) :]}
        voids = [key for i, key in enumerate(self.voids) if i not in bad_keys]
        before = store.read_rows(dataset, self.node, [*keys, *voids])
        puts, unchanged = _changed(checked.rows, keys, before)
        broken: list[tuple[Key, Phrase]] = []
        if (life := self.door.code_life(dataset)) is not None:
            puts, voids, broken = _lived(life, self.schema, puts, voids, before)
        elif dataset == INDICATORS:
            puts, voids, broken = unfrozen(store, self.node, self.schema, puts, voids)
        if broken:
            skipped = {reject.place for reject in checked.rejects}
            places = dict(zip(keys, (i for i in range(len(self.rows)) if i not in skipped), strict=True))
            places |= {key: i for i, key in enumerate(self.voids)}
            rejects += [Reject(places[key], key_text(key), Reason.RULE_BROKEN, said) for key, said in broken]
        voided = [(key, self.void_reason) for key in voids if key in before]
        others = [key for key in voids if key not in before]
        taken = taken_over(store, self.schema, self.node, self.door.region, puts, others)
        voided_above = len({row[2] for part in taken for row in part.puts} & set(map(taken_text, others)))
        unchanged += len(others) - voided_above
        # Refused now, before anything is written, if it does not fit into one entry.
        if checked.size > _SURELY_FITS_BYTES:
            encode_records(dataset, self.schema.names, puts, ())
        told = (checked.warned, checked.warnings, checked.personal)
        accepted = len(puts) + len(voided) + voided_above
        result = PutResult(accepted, unchanged, tuple(rejects), 0, *told)
        if self.dry_run:
            return (Reply(self.token, result),)
        # What comes from its source again is as it should be, changed or not.
        again: tuple[Step, ...] = ()
        if store.reread.any(dataset):
            again = (partial(_perform, DropReread(dataset, [*keys, *voids])),)
        if store.heard.any(dataset):
            again = (*again, partial(_corrected, dataset, [*map(key_of, puts), *(key for key, _ in voided)]))
        source = store.sources.of_load(self.load) if self.load else None
        if source is not None:
            again = (*again, partial(_claim, source, keys, voids))
        if self.noted is not None:
            again = (*again, partial(_tell, self.noted, result, bool(puts or voided)))
        counted = partial(_count, dataset, self.at, result, self.load, self.turned_away)
        if rejects and not self.load:
            again = (*again, partial(_note_turned, dataset, self._turned(rejects, len(checked.rejects))))
        again = (*(LocalPut(NoAnswer(), part) for part in taken[: None if puts or voided else -1]), *again)
        if taken and not (puts or voided):
            return (*again, LocalPut(_PutToken(self.token, result), taken[-1]), counted)
        if not (puts or voided):
            return (*again, counted, Reply(self.token, result))
        if unchanged:
            # Only of what is said again: the digest of a feed loses what these rows were before.
            touched = {*map(key_of, puts), *(key for key, _ in voided)}
            before = {key: image for key, image in before.items() if key in touched}
        put = LocalPut(_PutToken(self.token, result), LocalRows(dataset, puts, voided, before))
        if not self.load:
            return (put, *again, counted)
        written = Written([], [])
        for key in map(key_of, puts):
            (written.changed if key in before else written.created).append(key)
        return (put, *again, counted, partial(_note_batch, self.load, written))

    def _turned(self, rejects: Sequence[Reject], of_rows: int) -> list[TurnedAway]:
        """What is kept of rows that were not let in; the first `of_rows` are of `rows`, by their places."""
        names = self.schema.names
        at = names.index(SOURCE_COLUMN) if SOURCE_COLUMN in names else -1

        def source(number: int, reject: Reject) -> str:
            row = self.rows[reject.place] if number < of_rows and at >= 0 else ()
            cell = row[at] if len(row) == len(names) else None
            return cell if isinstance(cell, str) else ""

        return [
            TurnedAway(self.at, one.key, source(number, one), one.reason, as_phrase(one.detail))
            for number, one in enumerate(rejects[:OF_ONE_TRANSACTION])
        ]


def _corrected(dataset: str, keys: Sequence[Key], store: Store) -> None:
    store.heard.close(dataset, keys)


def _note_turned(dataset: str, rows: Sequence[TurnedAway], store: Store) -> None:
    store.turned.note(dataset, rows)


def _lived(
    life: Life, schema: RowSchema, puts: Sequence[Row], voids: Sequence[Key], before: Mapping[Key, tuple[int, Row]]
) -> tuple[list[Row], list[Key], list[tuple[Key, Phrase]]]:
    """What of a code table's rows and voids may be, and what not: a code's life goes one way."""
    was = {key: row for key, (_, row) in before.items()}
    key_of = key_getter(schema, schema.names)
    said = {key: life_flaw(life, schema, was.get(key), row) for row in puts for key in (key_of(row),)}
    said |= {key: void_flaw(life, schema, was.get(key)) for key in voids}
    broken = [(key, flaw) for key, flaw in said.items() if flaw is not None]
    bad = {key for key, _ in broken}
    return [row for row in puts if key_of(row) not in bad], [key for key in voids if key not in bad], broken


def _tell(noted: Callable[[Store, PutResult], None], result: PutResult, changed: bool, store: Store) -> None:
    """Once the rows have their group."""
    group = store.meta("group")
    assert isinstance(group, int)
    noted(store, result._replace(group=group) if changed else result)


def _perform(write: Write, store: Store) -> None:
    store.perform(write)


def _claim(source: int, keys: Sequence[Key], voids: Sequence[Key], store: Store) -> None:
    """The source that was read has brought these rows, and has those no more."""
    store.sources.claim(source, keys)
    store.sources.unclaim(source, map(pack_key, voids))


def _count(dataset: str, at: int, result: PutResult, load: int, turned_away: int, store: Store) -> None:
    """Into the day's books. What a load rejects is counted with those of its lines that never come this far."""
    rejected = 0 if load else len(result.rejected) + turned_away
    store.daybook.door(dataset, at, taken=result.accepted, unchanged=result.unchanged, rejected=rejected)


def _note_batch(load: int, written: Written, store: Store) -> None:
    """Into the load's books, once the rows have their group."""
    group = store.meta("group")
    assert isinstance(group, int)
    store.loads.batch(load, group, pack_written(written))


def _changed(rows: Sequence[Row], keys: Sequence[Key], before: Mapping[Key, tuple[int, Row]]) -> tuple[list[Row], int]:
    """Rows that differ from what is held, and how many do not."""
    if not before:
        return list(rows), 0
    puts = [row for row, key in zip(rows, keys, strict=True) if (was := before.get(key)) is None or was[1] != row]
    return puts, len(rows) - len(puts)


@dataclass(slots=True)
class StoreJob:
    """Runs one function on the store, with a transaction open; its value is told once that is durable."""

    token: Ticket[object]
    work: Callable[[Store], object]

    def run(self, store: Store) -> Sequence[Event | Reply]:
        """As node.engine.Job.run."""
        return (Reply(self.token, self.work(store)),)


class MoveWish(NamedTuple):
    """A move that an officer wants to make. A task not known here is started, for `holder`."""

    flow: str
    task: str
    move: str
    holder: str
    org: str
    role: str
    fields: Mapping[str, str]
    facts: Facts = NO_FACTS
    automatic: bool = False
    """Made by the node itself, for no person."""
    after: int | None = None
    """Made only while this is the number of the task's last move; 0: only if there is no such task yet."""
    move_id: str = ""
    """Of a move that follows from another; '' for one that is made here."""


def automatic(task: str, asked: Asked) -> MoveWish:
    """The move that a task asks for."""
    return MoveWish("", task, asked.act.move, "", "", "", {}, automatic=True, after=asked.number)


def first_of(begun: Started) -> MoveWish:
    """The first move of a task that another one starts."""
    return MoveWish(begun.flow, begun.task, begun.move, begun.holder, "", "", begun.fields, automatic=True, after=0)


@dataclass(slots=True)
class MoveJob:
    """One move that the node makes by itself, checked as any other; what persons do goes through node/desk.py."""

    token: Ticket[str]
    wish: MoveWish
    standing: Standing
    flows: Mapping[str, Flow]
    move_id: str
    at: int
    calendar: Callable[[], Calendar] | None = None
    """Of this node, for the end of the limit that the issuer says; without one none is said."""

    def run(self, store: Store) -> Sequence[Event | Reply]:
        """As node.engine.Job.run. Raises InputFault naming what is wrong with the move."""
        (body,) = bodies_of(store, [self.wish], self.standing, self.flows, [self.move_id], self.at, self.calendar)
        return (LocalMove(self.token, body, other_side(body, self.standing.node)),)


def bodies_of(
    store: Store,
    wishes: Sequence[MoveWish],
    standing: Standing,
    flows: Mapping[str, Flow],
    move_ids: Sequence[str],
    at: int,
    calendar: Callable[[], Calendar] | None = None,
) -> list[MoveBody]:
    """Moves of one task, each built on those before it, checked against what is held here; the arbiter has the last
    word. calendar: of this node, for the ends of limits that it says as the issuer. Raises InputFault naming what is
    wrong with the first that cannot be made.
    """
    history, pending = list(store.moves(wishes[0].task)), list(store.pending_moves(wishes[0].task))
    found = []
    for wish, move_id in zip(wishes, move_ids, strict=True):
        body = _body_of(_knowing(store, flows, standing.node, wish), standing, flows, move_id, at, history, pending)
        if body.number and calendar is not None:
            say_due(flows[body.flow], history, body, calendar())
        (history if body.number else pending).append(body)
        found.append(body)
    return found


def _knowing(store: Store, flows: Mapping[str, Flow], here: str, wish: MoveWish) -> MoveWish:
    """A wish with what is held here of the parts of its task, where a flow asks for it."""
    rules = (rule for flow in flows.values() for rule in flow.moves if rule.name == wish.move)
    if not any(Guard.PARTS_CLOSED in rule.guards for rule in rules):
        return wish
    return wish._replace(facts=wish.facts._replace(parts_open=parts_open(store, flows, here, wish.task)))


def _body_of(
    wish: MoveWish,
    standing: Standing,
    flows: Mapping[str, Flow],
    move_id: str,
    at: int,
    history: Sequence[MoveBody],
    pending: Sequence[MoveBody],
) -> MoveBody:
    author = Author(standing.node, wish.org, wish.role)
    if wish.after is not None and wish.after != last_number(history):
        raise InputFault(Reason.CROSSED, Phrase("task '{}' has moved on", wish.task))
    name = history[0].flow if history else wish.flow
    flow = flows.get(name)
    if flow is None:
        raise InputFault(Reason.UNKNOWN_FLOW, Phrase("flow '{}'; known here: {}", name, ", ".join(flows)))
    rule = flow.rule(wish.move)
    if rule is not None and rule.automatic and not wish.automatic:
        raise InputFault(Reason.NOT_YOUR_MOVE, Phrase("'{}' is made by the issuer's node itself", wish.move))
    if history:
        body = propose(flow, history, pending, wish.move, move_id, author, at, wish.fields, wish.facts)
        _check_openings(body, flow, flows, standing, history)
        return body
    if not wish.holder:
        raise InputFault(Reason.WRONG_STATE, Phrase("task '{}' is not known here", wish.task))
    if wish.move != flow.opening.name:
        raise InputFault(
            Reason.WRONG_STATE,
            Phrase("task '{}' is not known here; '{}' makes a new one", wish.task, flow.opening.name),
        )
    return start(flow, standing, wish.holder, wish.task, move_id, author, at, wish.fields)


def _check_openings(
    body: MoveBody, flow: Flow, flows: Mapping[str, Flow], standing: Standing, history: Sequence[MoveBody]
) -> None:
    """What a move is to start for others is tried now, while a person can say it otherwise. Raises InputFault."""
    for opening in openings_by(flow, history, body, standing.node, standing.parent):
        if opening.holder in (body.issuer, body.holder):
            raise InputFault(Reason.NOT_YOUR_MOVE, Phrase("'{}' is a side of this task already", opening.holder))
        if opening.flow in flows:
            author = Author(standing.node)
            said = (opening.holder, opening.task, body.move_id, author, body.at, opening.fields)
            start(flows[opening.flow], standing, *said)


def other_side(body: MoveBody, here: str) -> str:
    """Whom a move made here is told to."""
    return body.holder if body.issuer == here else body.issuer
