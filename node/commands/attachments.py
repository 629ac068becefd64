"""Attachments: listed, looked at, removed. How they come in is in node/control, since their bytes are no JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from node.app import Node
from node.attachments.files import Files, Held, is_hash
from node.attachments.referring import Reference, all_named, all_named_by_tasks, rows_naming, tasks_naming
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.view import Arguments, View, limit, text
from node.faults import Code, UserFault
from node.store.readers import Reader
from node.texts import N_
from tiers.catalogue import Catalogue

REASON_CHARACTERS_MAX = 200
PROGRESS_S = 0.2


def list_attachments(view: View, arguments: Arguments) -> dict[str, Any]:
    """attachment.list {limit?, missing?} -> {count, bytes, attachments: [...], missing: [{hash, rows,
    tasks}]}. missing: files that rows or moves of tasks name and that are not here."""
    named, in_tasks = all_named(view.reader, view.catalogue), all_named_by_tasks(view.reader)
    held = list(Files(view.home).all())
    here = {one.hash for one in held}

    def by(name: str) -> dict[str, int]:
        return {"rows": named.get(name, 0), "tasks": in_tasks.get(name, 0)}

    absent = [{"hash": name, **by(name)} for name in sorted({*named, *in_tasks} - here)]
    shown = [] if arguments.get("missing") is True else held[: limit(arguments)]
    return {
        "count": len(held),
        "bytes": sum(one.size for one in held),
        "attachments": [{**_shown(one), **by(one.hash)} for one in shown],
        "missing_count": len(absent),
        "missing": absent[: limit(arguments)],
    }


def show_attachment(view: View, arguments: Arguments) -> dict[str, Any]:
    """attachment.show {hash} -> what it is, and which rows and tasks here name it. Raises UserFault
    ATTACHMENT_UNKNOWN."""
    name = hash_of(arguments)
    held, references = Files(view.home).find(name), _references(view.reader, view.catalogue, view.node, name)
    if held is None and not references:
        raise unknown(name)
    found = _shown(held) if held is not None else {"hash": name, "size": 0, "kind": "", "own": False, "at": ""}
    return {**found, "here": held is not None, "references": [one.shown() for one in references]}


async def fetch(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """attachment.fetch {hash} -> progress {received, total}, then what it is. It goes on when the caller does not wait.
    Raises UserFault ATTACHMENT_UNKNOWN, ATTACHMENT_NOT_HAD, ATTACHMENTS_FULL."""
    name = hash_of(arguments)
    if await node.attachments.find(name) is None and not await _is_named(node, name):
        raise unknown(name)
    waiting = asyncio.create_task(node.travel.fetch(name))
    try:
        while not (await asyncio.wait([waiting], timeout=PROGRESS_S))[0]:
            progress = await node.travel.progress(name)
            yield {"received": progress.received, "total": progress.total} if progress else {"received": 0, "total": -1}
        yield _shown(await waiting)
    finally:
        waiting.cancel()


async def _is_named(node: Node, name: str) -> bool:
    def asked(reader: Reader) -> bool:
        return any(referrer.references(reader, name) for referrer in node.referrers)

    return await node.read(asked)


async def remove(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """attachment.remove {hash, reason, dry_run?} -> as attachment.show, with `removed`. Its bytes are gone for good
    here; rows and moves go on naming it. Raises UserFault ATTACHMENT_UNKNOWN, BAD_ARGUMENT."""
    name, reason = hash_of(arguments), text(arguments, "reason").strip()
    if not 0 < len(reason) <= REASON_CHARACTERS_MAX:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("A reason of 1 to {most} characters is needed."),
            N_("Say why it is removed: the audit keeps it."),
            most=REASON_CHARACTERS_MAX,
        )
    held = await node.attachments.find(name)
    if held is None:
        raise unknown(name)
    here = node.config.node.node_id
    references = await node.read(lambda reader: _references(reader, node.catalogue, here, name))
    dry_run, shown = arguments.get("dry_run") is True, _shown(held)
    if not dry_run:
        node.note(AuditEvent.ATTACHMENT_REMOVED, hash=name, size=held.size, reason=reason)
        await node.attachments.remove(name)
    yield {**shown, "references": [one.shown() for one in references], "removed": not dry_run}


def _references(reader: Reader, catalogue: Catalogue, here: str, name: str) -> list[Reference]:
    return [*rows_naming(reader, catalogue, name), *tasks_naming(reader, here, name)]


def hash_of(arguments: Arguments) -> str:
    """The SHA-256 that an attachment is called by. Raises UserFault ATTACHMENT_UNKNOWN for what is none."""
    name = text(arguments, "hash").strip().lower()
    if not is_hash(name):
        raise unknown(name)
    return name


def unknown(name: str) -> UserFault:
    """Nothing is known here of such a file."""
    return UserFault(
        Code.ATTACHMENT_UNKNOWN,
        N_("No attachment '{hash}' is here, and no row or task here names it."),
        N_("Attachments are called by the 64 digits of their SHA-256; `tiersync attachment list` shows those here."),
        hash=name[:100],
    )


def _shown(held: Held) -> dict[str, Any]:
    return {"hash": held.hash, "size": held.size, "kind": held.kind, "own": held.own, "at": iso(held.at_us)}


def check_attachments(home: Path) -> tuple[int, list[tuple[str, str]]]:
    """How many were read, and (name, SHA-256 found) of those whose bytes are not what they are called by."""
    found = list(Files(home).check())
    return len(found), [(one.hash, one.found) for one in found if one is not None]
