"""Questions about feeds, and about rows that wait or were refused."""

from __future__ import annotations

from typing import Any

from node.clock import iso
from node.commands.view import Arguments, View, limit, text
from node.faults import Code, UserFault
from node.status import detail_shown, heard_of
from node.store.readers import Told
from node.texts import N_
from sync.values import Fate, FeedName


def list_parked(view: View, arguments: Arguments) -> dict[str, Any]:
    """parked {feed?, limit} -> {parked}: rows that arrived validly and wait here for something."""
    return {"parked": _fates(view, arguments, Fate.PARKED)}


def list_refused(view: View, arguments: Arguments) -> dict[str, Any]:
    """refused {feed?, limit} -> {heard, here}: what others said of this node's rows, what this node refused."""
    feed = _feed(view, text(arguments, "feed"))
    # What others say of a feed is told to its origin alone.
    foreign = feed is not None and feed.origin != view.node
    heard = [] if foreign else heard_of(view.reader, limit(arguments), feed)
    return {"heard": heard, "here": _fates(view, arguments, Fate.REFUSED)}


def list_reread(view: View, arguments: Arguments) -> dict[str, Any]:
    """reread {limit} -> {reread, count}: rows of this node that are to be read again from their source. A line without
    a key stands for rows of the dataset beyond what is listed."""
    found = [
        {"dataset": one.dataset, "key": one.key, "why": one.why.value, "since": iso(one.since)}
        for one in view.reader.reread(limit(arguments))
    ]
    return {"reread": found, "count": view.reader.reread_count()}


def told_shown(told: Told) -> dict[str, Any]:
    """A row's fate as JSON."""
    row = told.row
    return {
        "feed": str(told.feed),
        "seq": row.seq,
        "place": row.place,
        "dataset": row.dataset,
        "key": row.key,
        "fate": row.fate.name,
        "reason": row.reason.name,
        **detail_shown(row.detail),
    }


def _fates(view: View, arguments: Arguments, fate: Fate) -> list[dict[str, Any]]:
    feed = _feed(view, text(arguments, "feed"))
    return [told_shown(told) for told in view.reader.fates(feed, fate, limit(arguments))]


def _feed(view: View, name: str) -> FeedName | None:
    """The feed that a person names as `tiersync feeds` writes it; None for ''. Raises UserFault FEED_UNKNOWN."""
    if not name:
        return None
    for state in view.reader.feeds():
        if str(state.name) == name:
            return state.name
    raise UserFault(
        Code.FEED_UNKNOWN,
        N_("There is no feed '{feed}' at this node."),
        N_("`tiersync feeds` lists the feeds; names are written as there."),
        feed=name,
    )
