"""Named commands, run inside the node for the command line, the console and scripts; and the questions among them.

COMMANDS    everything that a running node answers to by name
QUESTIONS   those of them that only read: with the node stopped, the store itself is asked
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any

from node.app import Node
from node.commands import (
    attachments,
    children,
    dues,
    evidence,
    fsck,
    invites,
    loads,
    quality,
    reconcile,
    rollups,
    services,
    sources,
    standing,
    tasks,
    tokens,
    unload,
)
from node.commands.questions import QUESTIONS
from node.commands.view import Question
from node.commands.work import view_of
from node.control.service import Command

__all__ = ["COMMANDS", "QUESTIONS"]


def _asked(question: Question) -> Command:
    """A question as a command: answered beside the writer."""

    async def command(node: Node, arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        yield await node.read(lambda reader: question(view_of(node, reader), arguments))

    return command


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        **{name: _asked(question) for name, question in QUESTIONS.items()},
        "standing": standing.standing,
        "load.start": loads.start,
        "load.rejects": loads.rejects,
        "load.finish": loads.finish,
        "source.begin": sources.begin,
        "source.load": sources.load,
        "source.took": sources.took,
        "source.failed": sources.failed,
        "source.reset": sources.reset,
        "source.unclaim": sources.unclaim,
        "source.compared": sources.compared,
        "rollup.show": rollups.show,
        "due.list": dues.list_dues,
        "due.remind": dues.remind,
        "due.position": dues.position,
        "rollup.run": rollups.run,
        "unload": unload.unload,
        "task.move": tasks.move,
        "task.evidence": evidence.evidence,
        "service.offerable": services.list_offerable,
        "service.publish": services.publish_service,
        "service.withdraw": services.withdraw_service,
        "quality.mark": quality.mark,
        "quality.answer": quality.answer,
        "quality.close": quality.close,
        "quality.reopen": quality.reopen,
        "token.make": tokens.make,
        "token.revoke": tokens.revoke,
        "attachment.remove": attachments.remove,
        "fsck": fsck.fsck,
        "reconcile": reconcile.reconcile,
        "child.succeed": children.succeed,
        "invite.make": invites.make,
        "invite.make_many": invites.make_many,
        "invite.list": invites.list_invites,
        "invite.withdraw": invites.withdraw,
        "invite.approve": invites.approve,
    }
)
