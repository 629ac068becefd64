"""The way of a feed: of each there is one neighbour towards its origin, and runs are taken from that one alone
(protocol section 2). Asked before anything else of a run is looked at, so that a foreign one costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from sync.core import Core
from sync.errors import RemoteFault
from sync.link import Link
from sync.reasons import Reason
from sync.values import FeedName, Route

ROUTES = frozenset(int(route) for route in Route)


def check_way(core: Core, link: Link, feed: FeedName, route: int, answer: bool) -> None:
    """Raises RemoteFault if runs of this feed do not come over this link. route: of the run's first header; one that
    no version knows is for the other checks. answer: to a Want, which must be open."""
    if answer and feed in link.wants:
        return
    if feed.origin == core.me.node:
        raise RemoteFault(Reason.NOT_YOUR_ORIGIN, "this node's own feed, which it did not ask for")
    if core.registry.newest(feed.origin) is None:
        return  # no seal of it can be good: the checks that follow say whether it is damaged or only too early
    if core.source(feed) != link.peer:
        raise RemoteFault(Reason.NOT_YOUR_ORIGIN, f"feeds of {feed.origin} do not come from {link.peer}")
    if route not in ROUTES or core.applies(feed, route) or waits_for_addressee(core, feed, route):
        return
    if not any(core.goes_to(feed, Route(route), n) for n in core.neighbours() if n != link.peer):
        raise RemoteFault(Reason.NOT_YOUR_ORIGIN, "this feed neither ends here nor passes through")


def waits_for_addressee(core: Core, feed: FeedName, route: int) -> bool:
    """Whether nobody knows yet where a feed goes: it is kept until the registry shows its addressee."""
    return route == Route.NODE and not core.applies(feed, route) and core.registry.newest(feed.addressee) is None


def way_over(core: Core, link_id: int) -> Callable[[FeedName, int, bool], None]:
    """The same question for whoever opens the runs of a link, in another thread and perhaps ahead of the core: it only
    looks up, and the core asks again."""

    def check(feed: FeedName, route: int, answer: bool) -> None:
        link = core.links.get(link_id)
        if link is not None:
            check_way(core, link, feed, route, answer)

    return check
