"""Words for how a node, its links and its rows stand: what the command line and the pages say alike."""

from __future__ import annotations

from typing import Final, NamedTuple

from node.texts import N_
from tiers.grades import Grade

STATES: Final[dict[str, str]] = {
    "working": N_("working"),
    "recovering": N_("comes back: compares with its neighbours"),
    "restored": N_("restored: waits until every neighbour was compared"),
    "succeeded": N_("succeeded by another node: it sends nothing more"),
    "not_enrolled": N_("not enrolled yet: its registration has not come"),
}
PHASES: Final[dict[str, str]] = {
    "hello": N_("greeting"),
    "compare": N_("comparing"),
    "exchange": N_("linked"),
    "draining": N_("ending"),
    "closed": N_("closed"),
}
FATES: Final[dict[str, str]] = {
    "REFUSED": N_("refused"),
    "PARKED": N_("parked"),
    "APPLIED": N_("applied later"),
    "SUPERSEDED": N_("overtaken"),
}
WAYS: Final[dict[str, str]] = {
    "parent": N_("the parent"),
    "ancestors": N_("all above"),
    "descendants": N_("all below"),
    "node": N_("one node"),
    "everywhere": N_("everywhere"),
}
STANDINGS: Final[dict[str, str]] = {
    "waiting": N_("not due yet"),
    "on_time": N_("in time"),
    "late": N_("late"),
    "correction": N_("after the period was closed: a correction"),
    "overdue": N_("overdue"),
}
WHYS: Final[dict[str, str]] = {
    "": "",
    "link_down": N_("no link"),
    "held_up": N_("rows were refused or wait"),
    "source_silent": N_("its source brought nothing"),
    "not_filled": N_("nothing was brought"),
}
ROLES: Final[dict[str, str]] = {
    "viewer": N_("viewer"),
    "officer": N_("officer"),
    "approver": N_("approver"),
    "administrator": N_("administrator"),
}
MONTH_STATES: Final[dict[str, str]] = {
    "counted": N_("counted"),
    "zero": N_("counted: none"),
    "no_data": N_("no data"),
    "nothing": N_("nothing known of any node below it"),
    "unknown": N_("not heard"),
}
WHOLES: Final[dict[str, str]] = {
    "draft": N_("draft"),
    "issued": N_("issued"),
    "in_progress": N_("in progress"),
    "completed": N_("completed"),
    "withdrawn": N_("withdrawn"),
}
WINDOW_STATES: Final[dict[str, str]] = {
    "announced": N_("announced"),
    "under_way": N_("under way"),
    "over": N_("over"),
    "cancelled": N_("cancelled"),
}
WINDOW_FLAWS: Final[dict[str, str]] = {
    "not_entitled": N_("no: neither the node itself nor its parent announced it"),
    "late": N_("no: it came when it had begun"),
    "too_long": N_("no: too long"),
    "too_much": N_("no: too much in 30 days"),
}
DRAFT_STATES: Final[dict[str, str]] = {
    "waiting": N_("waits for approval"),
    "approved": N_("approved"),
    "refused": N_("refused"),
    "dropped": N_("dropped"),
    "stale": N_("stale"),
}
CITED: Final[dict[str, str]] = {
    "same": N_("the same is held here"),
    "other": N_("another is held here"),
    "not_yet": N_("not all of it has come yet"),
    "not_held": N_("it does not come here"),
    "waited": N_("it had not been sent when it was cited"),
    "nothing": N_("no exchanged data is cited"),
}
REMINDERS: Final[dict[str, str]] = {"reminded": N_("reminded"), "answered": N_("answered")}


class GradeWords(NamedTuple):
    """A word, why it is given, and what to do."""

    word: str
    why: str
    todo: str


GRADES: Final[dict[Grade, GradeWords]] = {
    Grade.UNCONNECTED: GradeWords(
        N_("not connected"),
        N_("It was let in, and nothing of it has been heard yet."),
        N_("Ask its administrator whether the node runs; there, `tiersync doctor` looks at the line."),
    ),
    Grade.NETWORK: GradeWords(
        N_("network up"),
        N_("A session has begun; the two nodes have not finished greeting each other."),
        N_("Wait a minute. If it stays, look at the alarms of both nodes."),
    ),
    Grade.SERVICE: GradeWords(
        N_("service up"),
        N_("The link works and both nodes have proved who they are; no data has come from it yet."),
        N_("Nothing, if nothing is published to this node; else ask what was loaded there."),
    ),
    Grade.DATA: GradeWords(
        N_("data flowing"),
        N_("Data comes; nothing is late, parked or disputed."),
        N_("Nothing needs to be done."),
    ),
    Grade.STEADY: GradeWords(
        N_("steady"),
        N_("Data has come for days without a fault."),
        N_("Nothing needs to be done."),
    ),
    Grade.LAGGING: GradeWords(
        N_("lagging"),
        N_("The link works, and changes have been on their way for more than five minutes."),
        N_("Look whether the figure falls. If it stays, run `tiersync doctor` at both ends."),
    ),
    Grade.AWAY: GradeWords(
        N_("link down"),
        N_("There is no link at the moment; it was last heard less than 15 minutes ago."),
        N_("Wait: it comes back by itself. After 15 minutes telephone its administrator."),
    ),
    Grade.INTERRUPTED: GradeWords(
        N_("interrupted"),
        N_("Nothing has been heard of it for more than 15 minutes."),
        N_("Telephone its administrator; work there goes on, and is sent when the link is back."),
    ),
    Grade.QUALITY: GradeWords(
        N_("data in doubt"),
        N_("Rows of it are parked here, or a feed is disputed."),
        N_("`tiersync parked` says what they wait for; of a disputed feed the alarms say more."),
    ),
    Grade.SUSPENDED: GradeWords(
        N_("suspended"),
        N_("Its parent suspended it: it is not let in."),
        N_("`tiersync child resume` at its parent takes it back."),
    ),
    Grade.LEFT: GradeWords(
        N_("left"),
        N_("It is not enrolled any more."),
        N_("Nothing needs to be done."),
    ),
}
"""Proposals: no standard's words for them are confirmed."""
