"""Loads: registered when they start, closed with their counts, their rejects kept, and taken back.

A load's public id is its number in the store: short enough to be read out over the phone. Its file is known by its
SHA-256, so the same line of the same file is one reject however often the file is loaded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import PurePath
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.view import ROWS_SHOWN_MAX, Arguments, View, digest_of, items, limit, number, text
from node.commands.work import in_store
from node.faults import Code, UserFault
from node.loading.underway import is_held
from node.status import reason_name
from node.store.loads import LOAD_MAX, Load, LoadCounts, Reject, unpack_written
from node.store.store import Store
from node.texts import N_
from sync.errors import InputFault
from sync.reasons import Reason

REJECTS_AT_ONCE_MAX = 1_000
DETAIL_CHARACTERS_MAX = 500
KEY_CHARACTERS_MAX = 500
_COUNTS = ("lines", "written", "unchanged", "rejected")


async def start(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """load.start {dataset, file, digest} -> {load}."""
    dataset, file = text(arguments, "dataset"), PurePath(text(arguments, "file")).name
    digest = digest_of(text(arguments, "digest"))
    if dataset not in node.catalogue.datasets:
        known = ", ".join(sorted(node.catalogue.datasets))
        raise InputFault(Reason.UNKNOWN_DATASET, f"dataset '{dataset}'; known here: {known}")
    now = node.clock.now_us()
    yield {"load": await in_store(node, lambda store: store.loads.start(dataset, file, digest, now))}


async def rejects(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """load.rejects {load, rejects: [{line, reason, detail, key?, source?}]} -> {kept}."""
    load, given = number(arguments, "load"), items(arguments, "rejects")[:REJECTS_AT_ONCE_MAX]
    kept = [_reject(one) for one in given]
    now = node.clock.now_us()

    def work(store: Store) -> int:
        found = _known(store, load)
        store.loads.reject(load, found.digest, kept)
        store.daybook.door(found.dataset, now, rejected=len(kept))
        return len(kept)

    yield {"kept": await in_store(node, work)}


async def finish(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """load.finish {load, lines, written, unchanged, rejected} -> the load."""
    number_of, now = number(arguments, "load"), node.clock.now_us()
    counts = LoadCounts(*(number(arguments, name) for name in _COUNTS))

    def work(store: Store) -> Load:
        _known(store, number_of)
        store.loads.finish(number_of, counts, now)
        return _known(store, number_of)

    load = await in_store(node, work)
    node.note(
        AuditEvent.ROWS_LOADED,
        load=load.id,
        dataset=load.dataset,
        file=load.file_name,
        digest=load.digest.hex(),
        **counts._asdict(),
    )
    yield load_shown(load)


def list_loads(view: View, arguments: Arguments) -> dict[str, Any]:
    """loads {limit, before?} -> {loads: newest first}; before: only loads with a lower number."""
    before = number(arguments, "before") or LOAD_MAX
    return {"loads": [_listed(view, load) for load in view.reader.loads(limit(arguments), before)]}


def list_rejects(view: View, arguments: Arguments) -> dict[str, Any]:
    """rejects {load, limit} -> {load, listed_with, rejects: in order of line}.

    A line of a file that was loaded again is listed with the newest of its loads; that one is looked up here.
    """
    load = number(arguments, "load")
    found = view.reader.load(load)
    if found is None:
        raise unknown_load(load)
    again = (one.id for one in view.reader.loads(ROWS_SHOWN_MAX) if one.digest == found.digest)
    listed = next(again, load)
    told = [
        {"line": r.line, "reason": int(r.reason), "name": r.reason.name, "detail": r.detail}
        for r in view.reader.rejects(listed, limit(arguments))
    ]
    return {"load": _listed(view, found), "listed_with": listed, "rejects": told}


def _listed(view: View, load: Load) -> dict[str, Any]:
    """A load with its state: ended, running, or broken_off; of one that has not ended, what is in so far."""
    if load.ended:
        return {**load_shown(load), "state": "ended"}
    batches = [unpack_written(stored) for _group, stored in view.reader.load_batches(load.id)]
    written = sum(len(batch.created) + len(batch.changed) for batch in batches)
    state = "running" if is_held(view.home, load.id) else "broken_off"
    return {**load_shown(load), "written": written, "state": state}


def load_shown(load: Load) -> dict[str, Any]:
    """A load as JSON."""
    return {
        "load": load.id,
        "dataset": load.dataset,
        "file": load.file_name,
        "digest": load.digest.hex(),
        "started": iso(load.started),
        "ended": iso(load.ended) if load.ended else "",
        **load.counts._asdict(),
    }


def unknown_load(load: int) -> UserFault:
    """No load has that number here."""
    return UserFault(
        Code.LOAD_UNKNOWN,
        N_("There is no load {load} at this node."),
        N_("`tiersync loads list` shows the loads with their numbers."),
        load=load,
    )


def _known(store: Store, load: int) -> Load:
    found = store.loads.get(load)
    if found is None:
        raise InputFault(Reason.MALFORMED, f"there is no load {load} here")
    return found


def _reject(given: Mapping[str, Any]) -> Reject:
    line, reason = number(given, "line"), number(given, "reason")
    if reason_name(reason) == str(reason):
        raise InputFault(Reason.MALFORMED, f"{reason} is no reason code of this version")
    named = (text(given, name)[:KEY_CHARACTERS_MAX] for name in ("key", "source"))
    return Reject(line, Reason(reason), text(given, "detail")[:DETAIL_CHARACTERS_MAX], "", *named)
