"""Evidence of a task: what proves its history to others, as one file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any

from certs import files
from certs.files import HomeFiles
from certs.forms import to_der
from node.app import Node
from node.audit import Event
from node.commands.view import Arguments, View, text
from node.commands.work import view_of
from node.enrol.home import custody
from node.evidence.gather import gather
from sync.suites import Signer


async def evidence(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """task.evidence {task} -> {task, bytes, sha256, file: base64}. Raises UserFault."""
    signer = node.identity.log_key
    made = await node.read(lambda reader: evidence_of(view_of(node, reader), arguments, signer))
    node.note(Event.EVIDENCE_MADE, task=made["task"], bytes=made["bytes"])
    yield made


def evidence_of(view: View, arguments: Arguments, signer: Signer | None = None) -> dict[str, Any]:
    """The same from the store alone. signer: this node's log key; None: the one in its home. Raises UserFault."""
    task, paths = text(arguments, "task"), HomeFiles(view.home)
    with custody():
        root, anchor = files.load_certificates(paths.root)[0], files.load_public(paths.anchor)
        key = signer or files.load_log_key(paths.log_key)
    hlc = view.now_us // 1_000 << 16
    with view.reader.snapshot():
        file = gather(view.reader, view.node, task, to_der(root), anchor, key, hlc)
    digest = sha256(file).hexdigest()
    return {"task": task, "bytes": len(file), "sha256": digest, "file": b64encode(file).decode()}
