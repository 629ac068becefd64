"""Named commands, run inside the node for the command line, the console and scripts; and the questions among them.

COMMANDS    everything that a running node answers to by name
QUESTIONS   those of them that only read: with the node stopped, the store itself is asked
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import Any

from node.app import Node
from node.commands import (
    attachments,
    children,
    drafts,
    dues,
    evidence,
    fsck,
    invites,
    loads,
    maintenance,
    passing,
    people,
    quality,
    reconcile,
    renewal,
    rollups,
    services,
    sources,
    splitting,
    standing,
    subscriptions,
    task_stats,
    tasks,
    tokens,
    unload,
)
from node.commands.acts import ACTS
from node.commands.questions import QUESTIONS
from node.commands.view import Question
from node.commands.work import view_of
from node.control.service import Command
from node.hands import Hand, need
from node.reads import QUESTION_S
from tiers.people import Act

__all__ = ["COMMANDS", "QUESTIONS"]

Plain = Callable[[Node, Mapping[str, Any]], AsyncIterator[Mapping[str, Any]]]
"""A command that does the same whoever gives it."""


def _allowed(name: str, run: Command) -> Command:
    """A command for those only who may give it."""
    act = ACTS.get(name, Act.ADMINISTER)

    async def command(node: Node, hand: Hand, arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        need(node, hand, act)
        async for value in run(node, hand, arguments):
            yield value

    return command


def _by_anyone(run: Plain) -> Command:
    return lambda node, hand, arguments: run(node, arguments)


def _asked(question: Question) -> Plain:
    """A question as a command: answered beside the writer."""

    async def command(node: Node, arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        yield await node.read(lambda reader: question(view_of(node, reader), arguments), QUESTION_S)

    return command


_PLAIN: Mapping[str, Plain] = MappingProxyType(
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
        "due.position": dues.position,
        "rollup.run": rollups.run,
        "unload": unload.unload,
        "task.evidence": evidence.evidence,
        "task.stats": task_stats.show,
        "service.offerable": services.list_offerable,
        "service.publish": services.publish_service,
        "service.withdraw": services.withdraw_service,
        "maintenance.list": maintenance.list_windows,
        "subscription.apply": subscriptions.apply,
        "subscription.check": subscriptions.check,
        "subscription.approve": subscriptions.approve,
        "subscription.refuse": subscriptions.refuse,
        "subscription.withdraw": subscriptions.withdraw,
        "subscription.dispute": subscriptions.dispute,
        "subscription.uphold": subscriptions.uphold,
        "subscription.overrule": subscriptions.overrule,
        "quality.mark": quality.mark,
        "quality.answer": quality.answer,
        "quality.close": quality.close,
        "quality.reopen": quality.reopen,
        "token.make": tokens.make,
        "token.revoke": tokens.revoke,
        "attachment.fetch": attachments.fetch,
        "attachment.remove": attachments.remove,
        "fsck": fsck.fsck,
        "reconcile": reconcile.reconcile,
        "child.succeed": children.succeed,
        "certificate.renew": renewal.renew_now,
        "invite.make": invites.make,
        "invite.make_many": invites.make_many,
        "invite.list": invites.list_invites,
        "invite.withdraw": invites.withdraw,
        "invite.approve": invites.approve,
    }
)

_BY_HAND: Mapping[str, Command] = MappingProxyType(
    {
        "task.move": tasks.move,
        "task.split": splitting.split,
        "maintenance.announce": maintenance.announce,
        "maintenance.cancel": maintenance.cancel,
        "task.assign": people.assign,
        "task.pass_over": passing.pass_over,
        "task.default": people.assign_flow,
        "draft.approve": drafts.approve,
        "draft.refuse": drafts.refuse,
        "draft.drop": drafts.drop,
        "people.add": people.add,
        "people.change": people.change,
        "people.deputy": people.deputy,
        "people.leave": people.leave,
        "due.remind": dues.remind,
        "child.suspend": children.suspend,
        "child.resume": children.resume,
    }
)
COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        name: _allowed(name, run)
        for name, run in {**{name: _by_anyone(run) for name, run in _PLAIN.items()}, **_BY_HAND}.items()
    }
)
