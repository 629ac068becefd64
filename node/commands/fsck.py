"""`fsck`: the store proved from its bytes, beside the running writer or with the node stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.checking import rules_of
from node.commands.stopped import reader_of, rebuilt
from node.commands.view import Arguments
from node.config import Config
from node.status import detail_shown
from node.store.fsck import OnProgress, Report, Rules, check_file
from node.store.home import DATABASE_FILE
from tiers.catalogue import Catalogue
from tiers.publishing import TierPublisher


async def fsck(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """fsck {} -> progress {entries, of}, then what was looked at and found.

    On a connection and in a thread of its own: the node works on.
    """
    publisher = TierPublisher(node.catalogue, replace(node.standing, nation=node.identity.nation))
    rules = rules_of(node.core(), node.catalogue, publisher)
    told: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(done: int, of: int) -> None:
        loop.call_soon_threadsafe(told.put_nowait, progress_shown(done, of))

    over = threading.Event()
    check = asyncio.to_thread(check_file, node.home / DATABASE_FILE, rules, tell, over.is_set)
    checking = asyncio.create_task(check)
    # The end is told by the same way, so that nothing told before it is left behind.
    checking.add_done_callback(lambda _: told.put_nowait({}))
    try:
        while progress := await told.get():
            yield progress
        report = await checking
    finally:
        # A caller that is gone, or a node that stops, needs no report.
        over.set()
        await asyncio.gather(checking, return_exceptions=True)
    event, fields = audited(report)
    node.note(event, **fields)
    yield report_shown(report)


def check_stopped(home: Path, config: Config, catalogue: Catalogue, on_progress: OnProgress | None = None) -> Report:
    """The store of a stopped node, read-only. Raises StoreFault, UnsafeSqlite."""
    reader = reader_of(home, catalogue)
    try:
        stopped = rebuilt(home, config, catalogue, reader)
        rules: Rules = rules_of(stopped.replica.core, catalogue, stopped.publisher)
        return check_file(home / DATABASE_FILE, rules, on_progress)
    finally:
        reader.close()


def audited(report: Report) -> tuple[AuditEvent, dict[str, int]]:
    """The audited event of a check, and its fields."""
    event = AuditEvent.CHECK_PASSED if report.sound else AuditEvent.CHECK_FAILED
    return event, {"entries": report.entries, "seals": report.seals, "rows": report.rows, "found": report.found}


def progress_shown(done: int, of: int) -> dict[str, Any]:
    """How far a check is, as JSON."""
    return {"entries": done, "of": of}


def report_shown(report: Report) -> dict[str, Any]:
    """A report as JSON."""
    return {
        "sound": report.sound,
        "feeds": report.feeds,
        "epochs": report.epochs,
        "entries": report.entries,
        "seals": report.seals,
        "rows": report.rows,
        "found": report.found,
        "findings": [
            {
                "fault": finding.fault.name.lower(),
                "words": finding.fault.words,
                "feed": str(finding.feed),
                "seq": finding.seq,
                "key": finding.key,
                "detail": finding.detail,
                "remedy": finding.fault.remedy,
            }
            for finding in report.findings
        ],
        "unchecked": [detail_shown(said) for said in report.unchecked],
    }
