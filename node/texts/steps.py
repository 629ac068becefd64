"""A row's way in words, step by step: as the command line and the pages say it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from node.texts import N_, Translator, reasons
from node.texts.standing import FATES
from sync.phrase import Phrase
from sync.reasons import Reason

Moment = Callable[[str], str]
"""ISO text in UTC as the clock on the wall says."""

_OUTCOMES: Final = {
    "REFUSED": N_("{node}: received, and refused: {reason}"),
    "PARKED": N_("{node}: received, and waits there: {reason}"),
    "SUPERSEDED": N_("{node}: received; overtaken by a newer version while it waited"),
    "APPLIED": N_("{node}: received, waited, and was applied later"),
}
_WELL: Final = ("APPLIED", "SUPERSEDED")


class Step(NamedTuple):
    """depth: 1 for what belongs to the step above. mood: good, odd (it waits, or is not known), bad, or ''.
    todo: what to do, where something is bad."""

    words: str
    depth: int = 0
    mood: str = ""
    todo: str = ""


def steps(row: Mapping[str, Any], to: Translator, moment: Moment) -> Iterator[Step]:
    """The steps of one row of an answer of node.commands.trace."""
    if row["source"]:
        yield Step(to(N_("number in its source system: {source}")).format(source=row["source"]))
    for one in row["rejects"]:
        if one["load"] is None:
            words = to(N_("rejected at the door at {at}: {reason} {detail}"))
            parts = one["phrase"]
            told = {"at": moment(one["at"]), "detail": Phrase(*parts).spoken(to)}
        else:
            words, told = to(N_("rejected in line {line} of load {load}: {reason} {detail}")), {}
        said = words.format(**{**one, **told, "reason": reason(one["reason"], to)})
        yield Step(said, mood="bad", todo=next_step(one["reason"], to))
    if row["version"]:
        yield Step(to(N_("written in transaction {version}")).format(version=row["version"]))
    if row["load"]:
        words = to(N_("by load {load} from {file}, begun {at}"))
        yield Step(words.format(**{**row["load"], "at": moment(row["load"]["at"])}))
    for feed in row["waiting"]:
        yield Step(to(N_("waits to be sealed in {feed}")).format(feed=feed), mood="odd")
    for entry in row["entries"]:
        words = to(N_("sealed as entry {seq} of {feed} ({says}) at {at}"))
        yield Step(words.format(**entry, at=moment(entry["sealed_at"])))
        yield from (_tier(tier, to, moment) for tier in entry["tiers"])
    for publication in row["not_in"]:
        words = to(
            N_("not in {publication}: its filter leaves the row out, or nothing of it goes there from this node")
        )
        yield Step(words.format(publication=publication))
    for one in row["heard"]:
        yield _fate(to(N_("{fate} by {by}: {reason} {detail}")), one, to)
    for one in row["fates"]:
        yield _fate(to(N_("{fate} here (entry {seq} of {feed}): {reason} {detail}")), one, to)


def reason(name: str, to: Translator) -> str:
    """Number, name and title of a reason, as they are read out over the phone."""
    found = _number(name)
    return name if found is None else f"{found} {name}: {reasons.title(found, to)}"


def next_step(name: str, to: Translator) -> str:
    """What to do about a reason; '' for one that is not known here."""
    found = _number(name)
    return "" if found is None else reasons.next_step(found, to)


def detail(one: Mapping[str, Any], to: Translator) -> str:
    """The detail of a refusal that a node told."""
    form, *arguments = one["phrase"]
    return Phrase(form, *arguments).spoken(to.gettext)


def _number(name: str) -> int | None:
    return int(Reason[name]) if name in Reason.__members__ else None


def _fate(words: str, one: Mapping[str, Any], to: Translator) -> Step:
    said = {"fate": to(FATES.get(one["fate"], one["fate"])), "reason": reason(one["reason"], to)}
    well = one["fate"] in _WELL
    text = words.format(**{**one, **said, "detail": detail(one, to)})
    return Step(text, mood="good" if well else "bad", todo="" if well else next_step(one["reason"], to))


def _tier(tier: Mapping[str, Any], to: Translator, moment: Moment) -> Step:
    """What is known of an entry at one node, and since when it has signed that."""
    mood = "odd"
    if tier["fate"]:
        words = to(_OUTCOMES[tier["fate"]]).format(node=tier["node"], reason=reason(tier["reason"], to))
        mood = "good" if tier["fate"] in _WELL else "bad"
    elif not tier["received"]:
        words = to(N_("{node}: not known, no receipt reaches so far")).format(node=tier["node"])
    elif tier["applied"]:
        words, mood = to(N_("{node}: received and applied")).format(node=tier["node"]), "good"
    elif tier["applied"] is None:
        words = to(N_("{node}: received; whether it was applied is not known here")).format(node=tier["node"])
    else:
        words = to(N_("{node}: received, not yet applied")).format(node=tier["node"])
    received, applied = moment(tier["received_at"]), moment(tier["applied_at"])
    if received and tier["received"]:
        words += to(N_(" (received by {received} at the latest)")).format(received=received)
    if applied:
        words += to(N_(" (applied by {applied} at the latest)")).format(applied=applied)
    return Step(words, depth=1, mood=mood)
