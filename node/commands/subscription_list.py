"""Subscriptions listed and shown, of a running node or a stopped one."""

from __future__ import annotations

from typing import Any

from node.calendar import calendar_of
from node.commands.view import Arguments, View, limit, text
from node.faults import Code, UserFault
from node.subscriptions import rows_sent, shown, subscriptions
from node.texts import N_
from tiers.subscriptions import OVER


def list_subscriptions(view: View, arguments: Arguments) -> dict[str, Any]:
    """subscription.list {open?, to_do?, limit} -> {subscriptions: newest first}. `to_do`: those that wait for a word
    of this node as checker, owner or arbiter."""
    found = subscriptions(view.reader)
    if arguments.get("open"):
        found = [one for one in found if one.state not in OVER]
    if arguments.get("to_do"):
        found = [one for one in found if {"check", "approve", "uphold"} & set(one.moves(view.node))]
    calendar = calendar_of(view.reader, view.config)
    return {"subscriptions": [shown(one, view.node, calendar, view.now_us) for one in found[: limit(arguments)]]}


def show_subscription(view: View, arguments: Arguments) -> dict[str, Any]:
    """subscription.show {subscription} -> it, with the rows that its feed says. Raises UserFault."""
    name = text(arguments, "subscription")
    found = subscriptions(view.reader, name)
    if not found:
        raise unknown(name)
    calendar = calendar_of(view.reader, view.config)
    return {**shown(found[0], view.node, calendar, view.now_us), "rows": rows_sent(view.reader, found[0])}


def unknown(name: str) -> UserFault:
    """No such subscription."""
    return UserFault(
        Code.TASK_UNKNOWN,
        N_("There is no subscription '{subscription}' here that this node may do this with."),
        N_("`tiersync subscription list` shows all, and what may be done with each."),
        subscription=name,
    )
