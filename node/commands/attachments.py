"""Attachments: listed, looked at, removed. How they come in is in node/control, since their bytes are no JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from node.app import Node
from node.attachments.files import Files, Held, is_hash
from node.attachments.referring import all_named, rows_naming
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.view import Arguments, View, limit, text
from node.faults import Code, UserFault
from node.store.readers import Reader
from node.texts import N_

REASON_CHARACTERS_MAX = 200
PROGRESS_S = 0.2


def list_attachments(view: View, arguments: Arguments) -> dict[str, Any]:
    """attachment.list {limit?, missing?} -> {count, bytes, attachments: [...], missing: [{hash, rows}]}. missing: files
    that rows name and that are not here."""
    named = all_named(view.reader, view.catalogue)
    held = list(Files(view.home).all())
    here = {one.hash for one in held}
    absent = [{"hash": name, "rows": rows} for name, rows in sorted(named.items()) if name not in here]
    shown = [] if arguments.get("missing") is True else held[: limit(arguments)]
    return {
        "count": len(held),
        "bytes": sum(one.size for one in held),
        "attachments": [{**_shown(one), "rows": named.get(one.hash, 0)} for one in shown],
        "missing_count": len(absent),
        "missing": absent[: limit(arguments)],
    }


def show_attachment(view: View, arguments: Arguments) -> dict[str, Any]:
    """attachment.show {hash} -> what it is, and which rows here name it. Raises UserFault ATTACHMENT_UNKNOWN."""
    name = hash_of(arguments)
    held, references = Files(view.home).find(name), rows_naming(view.reader, view.catalogue, name)
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
    here; rows go on naming it. Raises UserFault ATTACHMENT_UNKNOWN, BAD_ARGUMENT."""
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
    references = await node.read(lambda reader: rows_naming(reader, node.catalogue, name))
    dry_run, shown = arguments.get("dry_run") is True, _shown(held)
    if not dry_run:
        node.note(AuditEvent.ATTACHMENT_REMOVED, hash=name, size=held.size, reason=reason)
        await node.attachments.remove(name)
    yield {**shown, "references": [one.shown() for one in references], "removed": not dry_run}


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
        N_("No attachment '{hash}' is here, and no row here names it."),
        N_("Attachments are called by the 64 digits of their SHA-256; `tiersync attachment list` shows those here."),
        hash=name[:100],
    )


def _shown(held: Held) -> dict[str, Any]:
    return {"hash": held.hash, "size": held.size, "kind": held.kind, "own": held.own, "at": iso(held.at_us)}


def check_attachments(home: Path) -> tuple[int, list[tuple[str, str]]]:
    """How many were read, and (name, SHA-256 found) of those whose bytes are not what they are called by."""
    found = list(Files(home).check())
    return len(found), [(one.hash, one.found) for one in found if one is not None]
