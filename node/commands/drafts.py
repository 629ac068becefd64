"""Drafts of moves: what waits for an approver, and its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from node import desk
from node.app import Node
from node.audit import Event as AuditEvent
from node.commands.tasks import made_shown, note_signed
from node.commands.view import Arguments, View, limit, number, text
from node.faults import Code, UserFault
from node.hands import Hand
from node.store.people import DraftState
from node.texts import N_
from sync.limits import DETAIL_CHARACTERS_MAX


def list_drafts(view: View, arguments: Arguments) -> dict[str, Any]:
    """draft.list {all?, person?, limit} -> {drafts: the newest first}. Without `all` those that wait. `person`: those
    that this person answers for."""
    state = "" if arguments.get("all") is True else DraftState.WAITING.value
    found = view.reader.people.drafts(limit(arguments), state=state, keeper=text(arguments, "person"))
    return {"drafts": [desk.shown(draft) for draft in found]}


def show_draft(view: View, arguments: Arguments) -> dict[str, Any]:
    """draft.show {draft} -> the draft. Raises UserFault DRAFT_UNKNOWN."""
    which = number(arguments, "draft")
    draft = view.reader.people.draft(which)
    if draft is None:
        raise desk.no_draft(which)
    return desk.shown(draft)


async def approve(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """draft.approve {draft} -> the task with its new moves, and the draft. Raises as node.desk.decide."""
    yield await decided(node, hand, number(arguments, "draft"), DraftState.APPROVED)


async def refuse(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """draft.refuse {draft, reason} -> the draft. Raises as node.desk.decide."""
    yield await decided(node, hand, number(arguments, "draft"), DraftState.REFUSED, text(arguments, "reason"))


async def drop(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """draft.drop {draft, reason?} -> the draft. Raises as node.desk.decide."""
    yield await decided(node, hand, number(arguments, "draft"), DraftState.DROPPED, text(arguments, "reason"))


async def decided(node: Node, hand: Hand, which: int, state: DraftState, reason: str = "") -> dict[str, Any]:
    """A draft is brought to an end, which is audited; and how things stand then."""
    number({"draft": which}, "draft")
    if len(reason) > DETAIL_CHARACTERS_MAX or (state is DraftState.REFUSED and not reason.strip()):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("A refusal says why, in at most {most} characters."),
            N_("The author reads it: say what has to be changed."),
            most=DETAIL_CHARACTERS_MAX,
        )
    try:
        made = await desk.decide(node, hand, which, state, reason)
    except UserFault as fault:
        if fault.code is Code.DRAFT_STALE:
            node.note(AuditEvent.DRAFT_ENDED, draft=which, state=DraftState.STALE.value, by=hand.said)
        raise
    draft = made.decided
    assert draft is not None
    said = {"by": hand.said, **made.in_whose_right, "author": draft.author, "org": made.org}
    node.note(AuditEvent.DRAFT_ENDED, draft=which, state=state.value, task=draft.task, **said)
    if state is not DraftState.APPROVED:
        return desk.shown(draft)
    note_signed(node, made, desk.wishes_of(draft), **said, role=made.role, draft=which)
    return {**await made_shown(node, made), "draft": desk.shown(draft)}
