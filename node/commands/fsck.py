"""`fsck`: the store proved from its bytes, beside the running writer or with the node stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from node.app import Node
from node.audit import Event as AuditEvent
from node.checking import rules_of
from node.commands.attachments import check_attachments
from node.commands.stopped import reader_of, rebuilt
from node.commands.view import Arguments
from node.config import Config
from node.granting import take_granted
from node.status import detail_shown
from node.store.fsck import OnProgress, Report, Rules, check_file
from node.store.home import DATABASE_FILE
from node.texts import N_
from tiers.catalogue import Catalogue
from tiers.publishing import TierPublisher

SPOILT = N_("an attachment's bytes are not those that it is called by")
ANEW = N_("remove it (`tiersync attachment remove`), then attach the original again, or fetch it from its origin")


class Checked(NamedTuple):
    """What was found: in the store, and among the attachments (those whose bytes are wrong, and what they are)."""

    report: Report
    attachments: int
    damaged: Sequence[tuple[str, str]]

    @property
    def found(self) -> int:
        """All faults."""
        return self.report.found + len(self.damaged)


async def fsck(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """fsck {} -> progress {entries, of}, then what was looked at and found.

    On a connection and in a thread of its own: the node works on.
    """
    publisher = TierPublisher(node.catalogue, replace(node.standing, nation=node.identity.nation))
    await node.read(lambda reader: take_granted(publisher, reader, node.clock.now_us()))
    rules = rules_of(node.core(), node.catalogue, publisher)
    told: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(done: int, of: int) -> None:
        loop.call_soon_threadsafe(told.put_nowait, progress_shown(done, of))

    over = threading.Event()

    def check() -> Checked:
        report = check_file(node.home / DATABASE_FILE, rules, tell, over.is_set)
        return Checked(report, *check_attachments(node.home))

    checking = asyncio.create_task(asyncio.to_thread(check))
    # The end is told by the same way, so that nothing told before it is left behind.
    checking.add_done_callback(lambda _: told.put_nowait({}))
    try:
        while progress := await told.get():
            yield progress
        checked = await checking
    finally:
        # A caller that is gone, or a node that stops, needs no report.
        over.set()
        await asyncio.gather(checking, return_exceptions=True)
    event, fields = audited(checked)
    node.note(event, **fields)
    yield report_shown(checked)


def check_stopped(home: Path, config: Config, catalogue: Catalogue, on_progress: OnProgress | None = None) -> Checked:
    """The store and the attachments of a stopped node, read-only. Raises StoreFault, UnsafeSqlite."""
    reader = reader_of(home, catalogue)
    try:
        stopped = rebuilt(home, config, catalogue, reader)
        rules: Rules = rules_of(stopped.replica.core, catalogue, stopped.publisher)
        return Checked(check_file(home / DATABASE_FILE, rules, on_progress), *check_attachments(home))
    finally:
        reader.close()


def audited(checked: Checked) -> tuple[AuditEvent, dict[str, int]]:
    """The audited event of a check, and its fields."""
    event, report = AuditEvent.CHECK_FAILED if checked.found else AuditEvent.CHECK_PASSED, checked.report
    return event, {"entries": report.entries, "seals": report.seals, "rows": report.rows, "found": checked.found}


def progress_shown(done: int, of: int) -> dict[str, Any]:
    """How far a check is, as JSON."""
    return {"entries": done, "of": of}


def report_shown(checked: Checked) -> dict[str, Any]:
    """What was found, as JSON."""
    report = checked.report
    spoilt = {"fault": "attachment", "words": SPOILT, "feed": "", "seq": 0, "remedy": ANEW}
    return {
        "sound": not checked.found,
        "feeds": report.feeds,
        "epochs": report.epochs,
        "entries": report.entries,
        "seals": report.seals,
        "rows": report.rows,
        "attachments": checked.attachments,
        "found": checked.found,
        "findings": [
            *({**spoilt, "key": name, "detail": digest} for name, digest in checked.damaged),
            *(
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
            ),
        ],
        "unchecked": [detail_shown(said) for said in report.unchecked],
    }
