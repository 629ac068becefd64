"""One row's way as far as this node knows it: rejected, written, sealed; received and applied by whom, refused, parked.

Times are of whoever says them: the origin's in the entry, a tier's in its first receipt that reaches so far. What
neither the log nor a receipt proves is None: not known, which is not no.

A row is asked for by its key, or by the number it has in the system it came from (column `source_key`, where the
dataset has one). Which entry carries a version is found by the group in the headers, which rises along a feed.

What was refused or parked may have no key that can be named (it is missing, or the dataset is unknown here): the entry
itself is asked for then, by its feed and seq.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from node.clock import iso
from node.commands.lists import told_shown
from node.commands.receipts import expected, receipts_of
from node.commands.view import Arguments, View, text
from node.datasets import dataset_named
from node.faults import Code, UserFault
from node.status import detail_shown, fate_name, reason_name
from node.storable import storable
from node.store.readers import Reader
from node.texts import N_
from sync.days import hlc_us
from sync.effects import FeedState, LogEntry
from sync.errors import RemoteFault
from sync.limits import ROWS_PER_ENTRY_MAX
from sync.payload import decode_records, inflate
from sync.phrase import Phrase
from sync.rows import EndKind, RowBatch, key_getter, key_text
from sync.schema import CellType
from sync.values import Cell, Fate, FeedName, Head, Key, Kind, Route, dataset_of
from sync.wire.v1.entry_pb2 import EntryHeader, Refusal
from tiers.dataset import SOURCE_COLUMN, Dataset

ROWS_MAX = 20
TOLD_MAX = 100
ENTRIES_LOOKED_AT = 1_000
SEQ_DIGITS_MAX = 12
_ENDS = {EndKind.VOID: "void", EndKind.LEFT: "left"}
_WHOLE = (CellType.INTEGER, CellType.TIMESTAMP)


def trace(view: View, arguments: Arguments) -> dict[str, Any]:
    """trace {what, dataset?, origin?} -> {what, rows}; `what` is a key, a source number or FEED@SEQ.

    Raises UserFault ROW_UNKNOWN, UNKNOWN_DATASET.
    """
    what, name, origin = text(arguments, "what"), text(arguments, "dataset"), text(arguments, "origin")
    known = view.catalogue.datasets
    datasets = [dataset_named(known, name)] if name else list(known.values())
    found = [row for dataset in datasets for row in _rows(view, dataset, what, origin)]
    told = [one for dataset in datasets for one in _without_row(view, dataset, what, found)]
    told += [one for one in _of_entry(view, what) if name in ("", one["dataset"]) and origin in ("", one["origin"])]
    named = {(row["dataset"], row["key"]) for row in found}
    rejected = [one for d in datasets for one in _only_rejected(view, d, what) if (d.id, one["key"]) not in named]
    if origin not in ("", view.node):
        rejected = []
    if not (found or told or rejected):
        raise nothing_known(what)
    return {"what": what, "rows": [*found, *told, *rejected]}


def nothing_known(what: str) -> UserFault:
    """No row of that key or number, as far as whoever asks may know."""
    return UserFault(
        Code.ROW_UNKNOWN,
        N_("Nothing is known here of a row '{what}'."),
        N_("Give its key as the node that owns it writes it; of several columns as JSON, such as '[\"a\", 1]'."),
        what=what,
    )


def _rows(view: View, dataset: Dataset, what: str, origin: str) -> Iterator[dict[str, Any]]:
    """The rows that stand in the tables here."""
    schema = dataset.schema
    for condition, values in _conditions(dataset, what):
        where = condition + (' AND "_origin" = ?' if origin else "")
        columns = ("_origin", "_version", *schema.key, *([SOURCE_COLUMN] if SOURCE_COLUMN in schema.names else []))
        bound = (*values, origin) if origin else tuple(values)
        found = view.reader.query(dataset.id, where, bound, columns, ROWS_MAX)
        for row in found:
            by, version, key = str(row[0]), int(str(row[1])), row[2 : 2 + len(schema.key)]
            yield _about(view, dataset, by, version, key, str(row[-1] or "") if len(columns) > 2 + len(key) else "")
        if found:
            return


def _conditions(dataset: Dataset, what: str) -> Iterator[tuple[str, Sequence[Cell]]]:
    """SQL with values: by key, then by source number. Column names come from the catalogue alone."""
    schema = dataset.schema
    key = _key(dataset, what)
    if key is not None:
        yield " AND ".join(f'"{name}" = ?' for name in schema.key), key
    if SOURCE_COLUMN in schema.names:
        yield f'"{SOURCE_COLUMN}" = ?', (what,)


def _key(dataset: Dataset, what: str) -> Key | None:
    """The key cells that a person means: one text, or JSON of all of them."""
    cells: list[Any] = [what]
    if what.startswith("["):
        try:
            cells = json.loads(what)
        except (ValueError, RecursionError):
            return None
    if len(cells) != len(dataset.key) or not all(isinstance(c, str | int) for c in cells):
        return None
    types = [dataset.schema.column(name).type for name in dataset.key]
    try:
        key = tuple(int(c) if t in _WHOLE else c for c, t in zip(cells, types, strict=True))
    except ValueError:
        return None
    return key if storable(key) else None


def _about(view: View, dataset: Dataset, origin: str, version: int, key: Key, source: str) -> dict[str, Any]:
    reader, named, own = view.reader, key_text(key), origin == view.node
    load = reader.load_of_group(version) if own else None
    told = reader.load(load) if load is not None else None
    feeds = _feeds(view, dataset, origin)
    carried = {state.name: list(_entries(view, dataset, state, key, version)) for state in feeds}
    waiting = reader.queued(version) if own else {}
    without = {p.id for p in view.catalogue.publications_of(dataset.id)}
    without -= {name.publication for name, entries in carried.items() if entries} | {f.publication for f in waiting}
    return {
        "dataset": dataset.id,
        "origin": origin,
        "key": named,
        "source": source,
        "version": version,
        "load": {"load": told.id, "file": told.file_name, "at": iso(told.started)} if told else None,
        "rejects": _rejects(view, dataset, named, source) if own else [],
        "entries": [entry for entries in carried.values() for entry in entries],
        "waiting": [str(feed) for feed in waiting],
        "not_in": sorted(without) if own else [],
        **_said(view, dataset, named),
    }


def _rejects(view: View, dataset: Dataset, key: str, source: str) -> list[dict[str, Any]]:
    """Where this row was not let in: in lines of loads, the newest load first (a line loaded again stands once), then
    by itself, over the API or typed in: without load and line, with the time."""
    found = view.reader.rejects_of(dataset.id, key, source, TOLD_MAX)
    turned = view.reader.turned.of(dataset.id, key, source, TOLD_MAX)
    return [
        *(
            {"load": load, "line": r.line, "at": "", "reason": r.reason.name, "detail": r.detail}
            | {"phrase": [r.detail], "key": r.key, "source": r.source}
            for load, r in found
        ),
        *(
            {"load": None, "line": None, "at": iso(t.at), "reason": t.reason.name, **detail_shown(t.detail)}
            | {"key": t.key, "source": t.source}
            for t in turned
        ),
    ]


def _only_rejected(view: View, dataset: Dataset, what: str) -> Iterator[dict[str, Any]]:
    """A row that never came in: all that is known of it is where it was rejected, and why."""
    key = _key(dataset, what)
    named = key_text(key) if key is not None else what
    found = _rejects(view, dataset, named, what)
    for place in dict.fromkeys((one["key"], one["source"]) for one in found):
        row = _bare(dataset.id, view.node, place[0], 0)
        yield {**row, "source": place[1], "rejects": [o for o in found if (o["key"], o["source"]) == place]}


def _bare(dataset: str, origin: str, key: str, version: int) -> dict[str, Any]:
    """A row of which nothing is known yet."""
    nothing: dict[str, Any] = {name: [] for name in ("rejects", "entries", "waiting", "not_in", "heard", "fates")}
    place = {"dataset": dataset, "origin": origin, "key": key, "source": "", "version": version}
    return {**place, "load": None, **nothing}


def _without_row(view: View, dataset: Dataset, what: str, found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What was refused, parked or voided leaves no row, and is still known."""
    key = _key(dataset, what)
    if key is None or any(row["dataset"] == dataset.id for row in found):
        return
    ended = _ended(view, dataset, key)
    if ended is not None:
        yield _about(view, dataset, *ended, key, "")
        return
    said = _said(view, dataset, key_text(key))
    if said["heard"] or said["fates"]:
        yield {**_about(view, dataset, "", 0, key, ""), **said}


def _of_entry(view: View, what: str) -> Iterator[dict[str, Any]]:
    """What is known of an entry FEED@SEQ: each row of it that has a fate or of which others told; else its own line."""
    named, _, number = what.rpartition("@")
    state = next((s for s in view.reader.feeds() if str(s.name) == named), None)
    if state is None or not (number.isascii() and number.isdigit()) or len(number) > SEQ_DIGITS_MAX:
        return
    feed, seq = state.name, int(number)
    for head in reversed(view.reader.epochs(feed)):
        entry = view.reader.entry(feed, head.epoch, seq)
        if entry is None:
            continue
        rows: dict[tuple[str, str], dict[str, list[Any]]] = {}
        for told in view.reader.fates_at(feed, head.epoch, seq, TOLD_MAX):
            _found_in(rows, told.row.dataset, told.row.key)["fates"].append(told_shown(told))
        for by, r in view.reader.heard_at(feed, head.epoch, seq, TOLD_MAX) if feed.origin == view.node else ():
            _found_in(rows, r.dataset, r.key)["heard"].append(_heard_shown(by, r))
        if not rows:
            _found_in(rows, "", "")
        header = _header(entry)
        for (dataset, key), said in rows.items():
            shown = _entry_shown(view, state, head, entry, Kind(int(header.kind)).name.lower(), key)
            yield {**_bare(dataset, feed.origin, key, header.group), "entries": [shown], **said}
        return


def _found_in(rows: dict[tuple[str, str], dict[str, list[Any]]], dataset: str, key: str) -> dict[str, list[Any]]:
    return rows.setdefault((dataset, key), {"heard": [], "fates": []})


def _ended(view: View, dataset: Dataset, key: Key) -> tuple[str, int] | None:
    """(origin, version) of the newest removal of a row, if one of the last entries of the dataset's feeds says it."""
    looked = 0
    for state in _feeds(view, dataset, ""):
        seq = state.head.seq
        while seq and looked < ENTRIES_LOOKED_AT:
            entry = view.reader.entry(state.name, state.head.epoch, seq)
            if entry is not None and int(_header(entry).kind) == Kind.RECORDS and _says(dataset, entry, key):
                return state.name.origin, _header(entry).group
            seq, looked = seq - 1, looked + 1
    return None


def _said(view: View, dataset: Dataset, named: str) -> dict[str, Any]:
    """What other nodes said of the row, and what became of it here."""
    heard = [_heard_shown(by, r) for by, r in view.reader.heard_about(dataset.id, named, TOLD_MAX)]
    fates = [told_shown(told) for told in view.reader.fates_about(dataset.id, named, TOLD_MAX)]
    return {"heard": heard, "fates": fates}


def _heard_shown(by: str, told: Refusal) -> dict[str, Any]:
    return {
        "by": by,
        "publication": told.publication,
        "seq": told.seq,
        "fate": fate_name(told.fate),
        "reason": reason_name(told.reason),
        **detail_shown(Phrase(told.detail, *told.arguments)),
    }


def _feeds(view: View, dataset: Dataset, origin: str) -> list[FeedState]:
    """The feeds that carry rows of this dataset and origin ('' = any); also of publications that are gone."""
    known = [state for state in view.reader.feeds() if dataset_of(state.name.publication) == dataset.id]
    return [state for state in known if origin in ("", state.name.origin)]


def _entries(view: View, dataset: Dataset, state: FeedState, key: Key, version: int) -> Iterator[dict[str, Any]]:
    """Where the feed says this version of the row, and who has signed for that entry."""
    feed = state.name
    for head in reversed(view.reader.epochs(feed)):
        entry = _of_group(view.reader, feed, head, version)
        says = "" if entry is None else _says(dataset, entry, key)
        if entry is None or not says:
            continue
        yield _entry_shown(view, state, head, entry, says, key_text(key))
        return


def _entry_shown(view: View, state: FeedState, head: Head, entry: LogEntry, says: str, key: str) -> dict[str, Any]:
    """An entry, and what is known of it at every tier."""
    tiers = list(_tiers(view, state, head, entry.seq, key))
    return {
        "feed": str(state.name),
        "epoch": head.epoch.hex(),
        "seq": entry.seq,
        "says": says,
        "sealed": entry.seq <= state.head.seq or head.epoch != state.head.epoch,
        "sealed_at": iso(hlc_us(_header(entry).hlc)),
        "tiers": tiers,
        "received_by": [tier["node"] for tier in tiers if tier["received"] and tier["node"] != view.node],
        "applied_by": [tier["node"] for tier in tiers if tier["applied"] and tier["node"] != view.node],
    }


def _tiers(view: View, state: FeedState, head: Head, seq: int, key: str) -> Iterator[dict[str, Any]]:
    """This node where the entry is another's, then whoever has signed or should have."""
    name, reader = state.name, view.reader
    signed = receipts_of(reader).get(name, {})
    if name.origin != view.node:
        told = reader.fates_at(name, head.epoch, seq, ROWS_PER_ENTRY_MAX)
        fate = next((t for t in told if t.row.key == key or t.row.place < 0), None)
        said = {"fate": fate.row.fate.name, "reason": fate.row.reason.name} if fate else {}
        carried = state.route is Route.NODE and name.addressee != view.node
        yield _tier(view, name, head, seq, view.node, "log", said, received=True, applied=None if carried else True)
    due = [one for one in expected(view, state) if one not in signed] if name.origin == view.node else []
    for by in [*sorted(by for by in signed if by != view.node), *due]:
        said = _told_by(view, name, head, seq, by, key)
        if by not in signed:
            proof = "refusal" if said else "none"
            yield _tier(view, name, head, seq, by, proof, said, received=None, applied=None)
            continue
        receipt = signed[by]
        received = receipt.feed.received_epoch == head.epoch and receipt.feed.received_seq >= seq
        applied = receipt.feed.applied_epoch == head.epoch and receipt.feed.applied_seq >= seq
        # Nothing is said of what came after the receipt: it may be there by now.
        known = received and (name.origin != view.node or receipt.told)
        in_effect = applied if known else None
        yield _tier(view, name, head, seq, by, "receipt", said, received=received or None, applied=in_effect)


def _told_by(view: View, name: FeedName, head: Head, seq: int, by: str, key: str) -> dict[str, str]:
    """What a node told of this row of an own entry; an entry that it could not read is told without a key."""
    if name.origin != view.node:
        return {}
    told = [r for who, r in view.reader.heard_at(name, head.epoch, seq, ROWS_PER_ENTRY_MAX) if who == by]
    found = next((r for r in told if r.key == key), next((r for r in told if not r.key), None))
    if found is None or found.fate not in Fate._value2member_map_:
        return {}
    return {"fate": fate_name(found.fate), "reason": reason_name(found.reason)}


def _tier(
    view: View,
    name: FeedName,
    head: Head,
    seq: int,
    by: str,
    proof: str,
    said: Mapping[str, str],
    *,
    received: bool | None,
    applied: bool | None,
) -> dict[str, Any]:
    first = view.reader.first_signed(by, name, head.epoch, seq)
    fate = said.get("fate", "")
    if fate:
        received, applied = True, fate == Fate.APPLIED.name
    return {
        "node": by,
        "proof": proof,
        "received": received,
        "received_at": iso(first.received) if first.received else "",
        "applied": applied,
        "applied_at": iso(first.applied) if first.applied and applied else "",
        "fate": fate,
        "reason": said.get("reason", ""),
    }


def _of_group(reader: Reader, feed: FeedName, head: Head, group: int) -> LogEntry | None:
    """The entry that carries a transaction's rows: groups rise with the seq, so it is found by halving."""
    low, high = 1, head.seq
    while low <= high:
        middle = (low + high) // 2
        entry, seq = _records_from(reader, feed, head.epoch, middle, high)
        if entry is None:
            high = middle - 1
            continue
        found = _header(entry).group
        if found == group:
            return entry
        if found < group:
            low = seq + 1
        else:
            high = middle - 1
    return None


def _records_from(reader: Reader, feed: FeedName, epoch: bytes, seq: int, last: int) -> tuple[LogEntry | None, int]:
    """The first entry with rows from `seq` to `last`; others (checkpoints) have no group."""
    while seq <= last:
        entry = reader.entry(feed, epoch, seq)
        if entry is not None and int(_header(entry).kind) == Kind.RECORDS:
            return entry, seq
        seq += 1
    return None, seq


def _header(entry: LogEntry) -> EntryHeader:
    return EntryHeader.FromString(entry.header)


def _says(dataset: Dataset, entry: LogEntry, key: Key) -> str:
    """What the entry says of the row: 'put', 'void' or 'left'; '' for nothing, or when it cannot be read here."""
    header = _header(entry)
    try:
        batch = decode_records(header, inflate(header, entry.payload), lambda _: dataset.schema)
    except RemoteFault:
        return ""
    if not isinstance(batch, RowBatch) or batch.dataset != dataset.id:
        return ""
    if batch.puts:
        key_of = key_getter(dataset.schema, batch.columns)
        if any(key_of(row) == key for row in batch.puts):
            return "put"
    return next((_ENDS[end.kind] for end in batch.ends if tuple(end.key) == key), "")
