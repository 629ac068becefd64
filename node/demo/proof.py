"""The tasks are proved by files, which a program checks that has no node, no home and no line."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from certs.files import HomeFiles, load_certificates
from certs.forms import fingerprint
from node.demo.officers import run_program
from node.demo.scene import Demo
from node.texts import N_, Text


async def prove(demo: Demo, tasks: Mapping[str, Sequence[str]]) -> None:
    """Files of evidence, checked by a program of its own that has no node and no home; and one that was changed."""
    demo.picture.stage("evidence")
    folder = demo.net["nation"].home.parent
    trusted = fingerprint(load_certificates(HomeFiles(demo.net["nation"].home).root)[0]).hex()
    files = []
    for member in demo.net.members.values():
        # What the other side has not signed for yet, a file cannot prove.
        await member.until(_all_received)
    for name, ids in tasks.items():
        for task in ids:
            files.append(folder / f"{task}.evidence")
            made = await demo.net[name].command("task.evidence", task=task)
            files[-1].write_bytes(b64decode(made["file"]))
    changed = folder / "changed.evidence"
    changed.write_bytes(_one_byte_changed(files[0].read_bytes()))
    asked = [run_program("verify", str(file), "--fingerprint", trusted, "--json") for file in (*files, changed)]
    *told, false = [json.loads(out or "{}") for _code, out in await asyncio.gather(*asked)]
    verdicts = [one.get("verdict") for one in told]
    detail = Text(
        N_("{good} of {files} files good, {moves} moves: each sealed by its maker and known to the other side"),
        good=verdicts.count("good"),
        files=len(files),
        moves=sum(len(one.get("moves", ())) for one in told),
    )
    title = Text(N_("Evidence of the tasks, checked off-line by the root's fingerprint alone"))
    demo.verdict.check("evidence_proves", bool(files) and set(verdicts) == {"good"}, title, detail)
    title = Text(N_("Evidence in which one byte was changed proves nothing"))
    named = Text(N_("not good: {count} things are wrong"), count=len(false.get("wrong", ())))
    demo.verdict.check("changed_evidence_refused", false.get("verdict") == "bad", title, named)


def _one_byte_changed(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _all_received(status: Mapping[str, Any]) -> bool:
    """Whether the other sides have signed for every move that a node made."""
    own = [f for f in status["feeds"] if f["own"] and f["publication"] == "moves" and f["seq"]]
    return all(any(r["received"] >= feed["seq"] for r in feed["receipts"]) for feed in own)
