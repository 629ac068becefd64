"""Quality issues (W9): marking a record of another node, answering for an own one, closing and reopening."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from node.app import Node
from node.commands.view import Arguments, text
from node.faults import Code, UserFault, of_reason
from node.quality import ANSWERS, ISSUES, Known, changed_since, issues, record_key, shown
from node.store.readers import Reader
from node.texts import N_
from sync.errors import InputFault
from sync.rows import key_text
from sync.values import Cell, Key
from tiers.quality import CLOSED, CORRECTED, DISPUTED, NOTIFIED, WITHOUT_RECORD, Side, move_answer, move_issue

ID_BYTES = 4
KEY_CHARACTERS_MAX = 200


async def mark(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """quality.mark {dataset, kind, key?, origin?, column?, period?, problem?, exclude?, dry_run?} -> the issue."""
    dataset, kind, here = text(arguments, "dataset"), text(arguments, "kind"), node.standing
    declared = node.catalogue.datasets.get(dataset)
    if declared is None:
        raise _bad(N_("'{value}' is no dataset of this node."), dataset)
    column = text(arguments, "column")
    if column and column not in declared.schema.names:
        raise _bad(N_("'{value}' is no column of the dataset."), column)
    cells = arguments.get("key") or []
    if not isinstance(cells, list) or (cells and len(cells) != len(declared.schema.key)):
        raise _bad(N_("'{value}' is no key of the dataset."), str(cells))
    key: Key = tuple(cells)
    origin, version = await node.read(
        lambda reader: _record(reader, here.node, dataset, key, text(arguments, "origin"))
    )
    if version is None and kind not in WITHOUT_RECORD:
        raise _bad(N_("No record of another node with the key '{value}' is held here."), key_text(key))
    _check_origin(node, origin)
    now = node.clock.now_us()
    day = datetime.fromtimestamp(now / 1e6, UTC).strftime("%Y%m%d")
    row: dict[str, Cell] = {
        "issue_id": f"W9-{here.region}-{day}-{node.randomness.bytes(ID_BYTES).hex()}",
        "finder": here.region,
        "origin": origin,
        "dataset": dataset,
        "record_key": key_text(key) if key else None,
        "period": text(arguments, "period") or None,
        "kind": kind,
        "column_name": column or None,
        "problem": text(arguments, "problem") or None,
        "found_at": now,
        "state": NOTIFIED,
        "excluded": bool(arguments.get("exclude")),
        "round": 1,
        "found_version": version,
    }
    yield await _written(node, ISSUES, row, Known(here.node, row, {}), arguments)


async def answer(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """quality.answer {issue, move: verify | correct | keep, reason?, dry_run?} -> the issue. What is answered with
    `correct` is a change of the record that was put before."""
    here, name, reason = node.standing, text(arguments, "move"), text(arguments, "reason")
    one = await _one(node, text(arguments, "issue"), Side.ORIGIN)
    said = _moved(lambda: move_answer(one.issue, one.answer, name, reason))
    if said.answer == CORRECTED and await node.read(lambda reader: changed_since(reader, node.catalogue, one)) is False:
        raise UserFault(
            Code.MOVE_REFUSED,
            N_("The record {record} of '{dataset}' is still as it was marked."),
            N_("Put the corrected row first (`tiersync put` or `load`), or answer `keep` with a reason."),
            record=one.row["record_key"],
            dataset=one.row["dataset"],
        )
    row: dict[str, Cell] = {
        "issue_id": one.row["issue_id"],
        "finder": one.finder,
        "division": here.region,
        "round": said.round,
        "answer": said.answer,
        "reason": reason or None,
        "answered_at": node.clock.now_us(),
    }
    yield await _written(node, ANSWERS, row, one._replace(answer_row=row), arguments)


async def close(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """quality.close {issue, dry_run?} -> the issue."""
    yield await _again(node, arguments, "close")


async def reopen(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """quality.reopen {issue, reason, dry_run?} -> the issue, in its next round."""
    yield await _again(node, arguments, "reopen")


async def _again(node: Node, arguments: Arguments, name: str) -> Mapping[str, Any]:
    """A move of the finder."""
    reason = text(arguments, "reason")
    one = await _one(node, text(arguments, "issue"), Side.FINDER)
    said = _moved(lambda: move_issue(one.issue, one.answer, name, reason))
    now = node.clock.now_us()
    row = {**one.row, "state": said.state, "round": said.round, "closed_at": now if said.state == CLOSED else None}
    if said.state == DISPUTED:
        row["problem"] = reason
        row["found_version"] = await node.read(lambda reader: _version_now(reader, node, one))
    return await _written(node, ISSUES, row, one._replace(row=row), arguments)


def _version_now(reader: Reader, node: Node, one: Known) -> int | None:
    declared = node.catalogue.datasets.get(str(one.row["dataset"]))
    key = record_key(declared.schema, one) if declared is not None else None
    if declared is None or key is None:
        return None
    held = reader.read_rows(declared.id, str(one.row["origin"]), [key]).get(key)
    return held[0] if held else None


def _record(reader: Reader, here: str, dataset: str, key: Key, origin: str) -> tuple[str, int | None]:
    """(origin, version) of the record that is meant. Raises UserFault where several nodes have one of this key."""
    if len(key_text(key)) > KEY_CHARACTERS_MAX:
        raise _bad(N_("'{value}' is longer than a key of an issue may be."), key_text(key))
    asked = [origin] if origin else [name for name in reader.nodes() if name != here]
    held = {name: rows[key][0] for name in asked if key and (rows := reader.read_rows(dataset, name, [key]))}
    if len(held) > 1:
        raise _bad(N_("Several nodes have such a record; name one of them with --origin: {value}"), ", ".join(held))
    return next(iter(held.items()), (origin, None))


def _check_origin(node: Node, origin: str) -> None:
    newest = node.core().registry.newest(origin) if origin else None
    if newest is None or origin == node.standing.node:
        raise UserFault(
            Code.PEER_UNKNOWN,
            N_("No other node '{node}' is known here that could answer for the record."),
            N_("Name the node whose record it is with --origin; `tiersync peers` lists the nodes."),
            node=origin,
        )


async def _one(node: Node, issue: str, side: Side) -> Known:
    """The issue of this id that this node found, or is asked about. Raises UserFault."""
    column = "_origin" if side is Side.FINDER else "origin"
    where, parameters = f'"issue_id" = ? AND "{column}" = ?', (issue, node.standing.node)
    found = await node.read(lambda reader: issues(reader, where, parameters))
    found = [one for one in found if side is Side.FINDER or one.finder != node.standing.node]
    if len(found) != 1:
        raise UserFault(
            Code.TASK_UNKNOWN,
            N_("There is no issue '{issue}' here that this node may do this with."),
            N_("`tiersync quality list` shows all issues, and what may be done with each."),
            issue=issue,
        )
    return found[0]


def _moved(move: Any) -> Any:
    try:
        return move()
    except InputFault as fault:
        raise of_reason(Code.MOVE_REFUSED, fault.reason, fault.detail) from fault


async def _written(
    node: Node, dataset: str, row: Mapping[str, Cell], one: Known, arguments: Arguments
) -> Mapping[str, Any]:
    """Puts a row at the door. The issue as it is then."""
    schema = node.catalogue.datasets[dataset].schema
    names = node.catalogue.datasets[ISSUES].schema.names
    cells = tuple(row.get(name) for name in schema.names)
    result = await node.put(dataset, [cells], dry_run=bool(arguments.get("dry_run")))
    if result.rejected:
        first = result.rejected[0]
        raise of_reason(Code.MOVE_REFUSED, first.reason, first.detail)
    whole = one._replace(row={name: one.row.get(name) for name in names})
    return await node.read(lambda reader: shown(reader, node.catalogue, node.standing.node, whole))


def _bad(words: str, value: str) -> UserFault:
    todo = N_("`tiersync quality mark --help` shows what is asked for.")
    return UserFault(Code.BAD_ARGUMENT, words, todo, value=value)
