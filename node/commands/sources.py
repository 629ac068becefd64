"""Sources, as who reads them tells the node of them: how far they are, what came of it, which rows are theirs.

What reads them is a process of its own (node/sources), which keeps nothing: after a restore of the store, reading goes
on from where that store is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import sha256
from typing import Any

from node.app import Node
from node.clock import iso
from node.commands.view import Arguments, View, digest_of, limit, number, text
from node.commands.work import in_store
from node.faults import Code, UserFault
from node.sources.declared import names
from node.store.sources import DATABASE, FOLDER, SourceCounts, SourceDay, SourceState
from node.store.store import Store
from node.texts import N_
from sync.days import date_of, day_of_us
from sync.errors import InputFault
from sync.reasons import Reason

NAME_CHARACTERS_MAX = 64
POSITION_CHARACTERS_MAX = 4_000
FAULT_CHARACTERS_MAX = 1_000
CLAIMED_AT_ONCE_MAX = 10_000
DAYS_SHOWN = 7
_LAST_DAY = "9999-12-31"


async def begin(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """source.begin {source, dataset, kind, shape} -> the source as the node knows it."""
    name, dataset = text(arguments, "source"), text(arguments, "dataset")
    kind, shape = text(arguments, "kind"), text(arguments, "shape")
    if not 0 < len(name) <= NAME_CHARACTERS_MAX or len(shape) > NAME_CHARACTERS_MAX or kind not in (DATABASE, FOLDER):
        raise InputFault(Reason.MALFORMED, "the name, kind or shape of a source")
    if dataset not in node.catalogue.datasets:
        known = ", ".join(sorted(node.catalogue.datasets))
        raise InputFault(Reason.UNKNOWN_DATASET, f"dataset '{dataset}'; known here: {known}")
    state = await in_store(node, lambda store: store.sources.begin(name, dataset, kind, shape))
    yield _shown(state)


async def load(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """source.load {source, file?, digest?} -> {load, done}: the load that rows of now go into.

    A database has one load a day. A file has its own; done: all of it came in before, as that load.
    """
    file, given, now = text(arguments, "file"), text(arguments, "digest"), node.clock.now_us()
    day = _today(node)

    def work(store: Store, source: SourceState) -> dict[str, Any]:
        digest = digest_of(given) if file else sha256(f"{source.name}\0{day}".encode()).digest()
        known = store.sources.load_of(source, digest, ended=bool(file))
        before = None if known is None else store.loads.get(known)
        # A file of which rows were rejected may come again as it is: the code or mapping that lacked may be there now.
        if before is not None and not (file and (before.counts.rejected or not before.counts.lines)):
            return {"load": before.id, "done": bool(file)}
        made = store.loads.start(source.dataset, file or f"{source.name} {day}", digest, now)
        store.sources.add_load(source, made)
        return {"load": made, "done": False}

    yield await _of_source(node, arguments, work)


async def took(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """source.took {source, load, position, read, taken, unchanged, rejected, not_ours, voided} -> {}.

    Called when these rows are in: from then on reading goes on behind `position`. load: 0 for what has its own books.
    """
    position, into = text(arguments, "position"), number(arguments, "load")
    counts = SourceCounts(*(number(arguments, name) for name in SourceCounts._fields))
    now, day = node.clock.now_us(), _today(node)
    if len(position) > POSITION_CHARACTERS_MAX:
        raise InputFault(Reason.TOO_LONG, "the position of a source")

    def work(store: Store, source: SourceState) -> dict[str, Any]:
        if into and store.loads.get(into) is None:
            raise InputFault(Reason.MALFORMED, f"there is no load {into} here")
        store.sources.took(source, into, day, counts, position, now)
        return {}

    yield await _of_source(node, arguments, work)


async def failed(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """source.failed {source, fault} -> {}: it could not be read, and why."""
    fault, now = text(arguments, "fault")[:FAULT_CHARACTERS_MAX], node.clock.now_us()

    def work(store: Store, source: SourceState) -> dict[str, Any]:
        store.sources.failed(source, fault, now)
        return {"dataset": source.dataset, "was_well": not source.fault}

    found = await _of_source(node, arguments, work)
    if found["was_well"]:
        node.alarm("source_failed", source=text(arguments, "source"), dataset=found["dataset"])
    yield found


async def reset(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """source.reset {source} -> the source as it was; it is read from its beginning next time."""

    def work(store: Store, source: SourceState) -> dict[str, Any]:
        store.sources.reset(source)
        return _shown(source)

    yield await _of_source(node, arguments, work)


async def unclaim(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """source.unclaim {source, keys: [packed key in hex]} -> {}: rows that it has no more, and another source has."""
    given = arguments.get("keys")
    if not isinstance(given, list) or len(given) > CLAIMED_AT_ONCE_MAX:
        raise InputFault(Reason.MALFORMED, "the keys of a source")
    keys = [_packed(one) for one in given]

    def work(store: Store, source: SourceState) -> dict[str, Any]:
        store.sources.unclaim(source.id, keys)
        return {}

    yield await _of_source(node, arguments, work)


async def compared(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """source.compared {source, held} -> {}: how many rows the source holds."""
    held, now, day = number(arguments, "held"), node.clock.now_us(), _today(node)

    def work(store: Store, source: SourceState) -> dict[str, Any]:
        store.sources.counted(source, day, held)
        store.sources.heard(source, now)
        return {}

    yield await _of_source(node, arguments, work)


def list_sources(view: View, arguments: Arguments) -> dict[str, Any]:
    """sources {first?, last?, limit} -> {sources, days}: every source that was ever read; what came of it, by day.

    first, last: ISO dates; without them the newest days.
    """
    first, last = text(arguments, "first"), text(arguments, "last") or _LAST_DAY
    known, days = view.reader.sources(), view.reader.source_days(first, last)
    most = limit(arguments) if first else DAYS_SHOWN * len(known)
    return {"sources": [_shown(s) for s in known], "days": [_day_shown(d) for d in days[max(0, len(days) - most) :]]}


def list_claimed(view: View, arguments: Arguments) -> dict[str, Any]:
    """source.claimed {source, after, limit} -> {keys: [[packed key in hex, whether another source has it too]]}."""
    most = min(number(arguments, "limit") or CLAIMED_AT_ONCE_MAX, CLAIMED_AT_ONCE_MAX)
    after, declared = _packed(text(arguments, "after")), names(view.home)
    found = view.reader.source_claimed(text(arguments, "source"), after, most, declared)
    return {"keys": [[one.packed.hex(), one.shared] for one in found]}


def _today(node: Node) -> str:
    """The day as every statement has it."""
    return date_of(day_of_us(node.clock.now_us()))


async def _of_source(
    node: Node, arguments: Arguments, work: Callable[[Store, SourceState], dict[str, Any]]
) -> dict[str, Any]:
    """Work on one source, in the writer's transaction. Raises UserFault SOURCE_UNKNOWN."""
    name = text(arguments, "source")

    def known(store: Store) -> dict[str, Any] | None:
        source = store.sources.get(name)
        return None if source is None else work(store, source)

    found = await in_store(node, known)
    if found is None:
        raise UserFault(
            Code.SOURCE_UNKNOWN,
            N_("The source '{source}' was never read by this node."),
            N_("`tiersync source list` shows the sources; `tiersync source run NAME --once` reads one."),
            source=name,
        )
    return found


def _packed(given: object) -> bytes:
    try:
        return bytes.fromhex(given) if isinstance(given, str) else b""
    except ValueError:
        raise InputFault(Reason.MALFORMED, "a packed key is hex") from None


def _shown(state: SourceState) -> dict[str, Any]:
    """A source as JSON."""
    return {
        "source": state.name,
        "dataset": state.dataset,
        "kind": state.kind,
        "shape": state.shape,
        "position": state.position,
        "contact": iso(state.contact) if state.contact else "",
        "news": iso(state.news) if state.news else "",
        "fault": state.fault,
        "fault_at": iso(state.fault_at) if state.fault_at else "",
    }


def _day_shown(day: SourceDay) -> dict[str, Any]:
    return {"source": day.source, "dataset": day.dataset, "day": day.day, **day.counts._asdict(), "held": day.held}
