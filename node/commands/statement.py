"""The statement of a day: what came to the door, what was sent, and what each tier received, applied, refused, parked.

It is made of counts that were kept as the work went on (node/store/daybook.py), of receipts and of refusals; no row is
looked at. An entry belongs to the day that its origin has signed in its header, so both ends count the same entries. A
figure that nothing proves here is None: not known, which is not zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from node.clock import iso
from node.commands.receipts import Receipt, Receipts, expected, receipts_of
from node.commands.view import Arguments, View, text
from node.datasets import dataset_named
from node.faults import Code, UserFault
from node.store.daily import AtDoor, EntriesOfDay
from node.store.sources import SourceDay
from node.texts import N_
from sync.days import date_of, day_named, day_of_us
from sync.effects import FeedState
from sync.statements import HEADS_SORT
from sync.values import WITHOUT_ROWS, Fate, FeedName, Route, dataset_of
from sync.wire.v1.frame_pb2 import FeedHead, HeadsStatement

ZONE = "UTC+08:00"
STATED = "reconciliation"
"""The dataset in which nodes state their own days (node/stating.py)."""
_ROWS_MAX = 100_000
_DOOR = ("in_source", "brought", "taken", "unchanged", "rejected")
_STATED = (*_DOOR, "waiting", "sent_entries", "sent_rows")


class _Known(NamedTuple):
    """What is read once for a whole statement."""

    feeds: list[FeedState]
    receipts: Receipts
    stated: Mapping[FeedName, FeedHead]
    door: Mapping[str, AtDoor]
    sources: Mapping[str, list[SourceDay]]
    own_words: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]
    """What other nodes have stated of themselves: by origin and dataset, per feed."""


def statement(view: View, arguments: Arguments) -> dict[str, Any]:
    """statement {day?, child?, dataset?} -> {day, zone, open, node, made, lines}; without a day, of the one that runs.

    Raises UserFault BAD_ARGUMENT, UNKNOWN_DATASET.
    """
    today = day_of_us(view.now_us)
    day = _day(text(arguments, "day"), today)
    child, name = text(arguments, "child"), text(arguments, "dataset")
    wanted = dataset_named(view.catalogue.datasets, name).id if name else ""
    with view.reader.snapshot():
        known = _known(view, day)
        places = [p for p in _places(view, known) if child in ("", p[0]) and wanted in ("", p[1])]
        lines = [_line(view, known, day, origin, dataset) for origin, dataset in places]
    return {
        "day": date_of(day),
        "zone": ZONE,
        "open": day >= today,
        "node": view.node,
        "made": iso(view.now_us),
        "lines": lines,
    }


def _day(named: str, today: int) -> int:
    if not named:
        return today
    try:
        return day_named(named)
    except ValueError:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{day}' is not a date."),
            N_("Write it as year, month, day: 2026-11-23."),
            day=named,
        ) from None


# --- what is known ----------------------------------------------------------------------------------------------------


def _known(view: View, day: int) -> _Known:
    reader = view.reader
    feeds = reader.feeds()
    held = {state.name for state in feeds}
    stated: dict[FeedName, FeedHead] = {}
    for sort, by, _, _, _, detail in reader.statements():
        if sort == HEADS_SORT:
            for head in HeadsStatement.FromString(detail).heads:
                name = FeedName(by, head.publication, head.addressee)
                if name in held or _comes_here(view, head):
                    stated[name] = head
    sources: dict[str, list[SourceDay]] = {}
    for one in reader.source_days(date_of(day), date_of(day)):
        sources.setdefault(one.dataset, []).append(one)
    return _Known(feeds, receipts_of(reader), stated, reader.daily.door(day), sources, _own_words(view, date_of(day)))


def _comes_here(view: View, head: FeedHead) -> bool:
    """Whether a stated feed of which nothing is held should have come: a relay passes on the whole list of its child.

    A feed for the parent alone is stated after that parent has it: where none is held, it goes to another.
    """
    route = int(head.route)
    return route != Route.PARENT.value and (route != Route.NODE.value or head.addressee == view.node)


def _own_words(view: View, date: str) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    names = ("_origin", "holder", "dataset", "feed", *_STATED)
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    if STATED not in view.catalogue.datasets:
        return found
    for row in view.reader.query(STATED, '"day" = ?', (date,), names, _ROWS_MAX):
        said = dict(zip(names, row, strict=True))
        # Nobody states another's day; a node of an older version states no counts.
        if said["_origin"] == said["holder"] and said["brought"] is not None:
            found.setdefault((str(said["holder"]), str(said["dataset"])), {})[str(said["feed"])] = said
    return found


def _places(view: View, known: _Known) -> list[tuple[str, str]]:
    """(origin, dataset) of every line: this node's own first, then by name."""
    found = {(view.node, dataset) for dataset in (*known.door, *known.sources)} | set(known.own_words)
    for name in (*(state.name for state in known.feeds), *known.stated):
        if name.publication not in WITHOUT_ROWS:
            found.add((name.origin, dataset_of(name.publication)))
    return sorted(found, key=lambda place: (place[0] != view.node, place))


# --- a line -----------------------------------------------------------------------------------------------------------


def _line(view: View, known: _Known, day: int, origin: str, dataset: str) -> dict[str, Any]:
    described = view.catalogue.datasets.get(dataset)
    words = known.own_words.get((origin, dataset), {}) if origin != view.node else {}
    said = next(iter(words.values()), None)
    feeds = [state for state in known.feeds if state.name.origin == origin and _is_of(state.name, dataset)]
    held = {state.name for state in feeds}
    unseen = [name for name in known.stated if name not in held and name.origin == origin and _is_of(name, dataset)]
    door: dict[str, Any] | None
    waiting: int | None
    if origin == view.node:
        door, waiting = _door(known.door.get(dataset), known.sources.get(dataset, ())), _waiting(view, feeds)
    else:
        door, waiting = ({**{n: said[n] for n in _DOOR}, "last": ""}, said["waiting"]) if said else (None, None)
    return {
        "origin": origin,
        "dataset": dataset,
        "title_zh": described.title_zh if described else "",
        "title_en": described.title_en if described else "",
        "door": door,
        "sources": [_source(one) for one in known.sources.get(dataset, ())] if origin == view.node else [],
        "waiting": waiting,
        "feeds": [
            *(_feed(view, known, day, state, words) for state in sorted(feeds, key=lambda s: s.name)),
            *(_unseen(known, name, words) for name in sorted(unseen)),
        ],
    }


def _is_of(name: FeedName, dataset: str) -> bool:
    return name.publication not in WITHOUT_ROWS and dataset_of(name.publication) == dataset


def _door(came: AtDoor | None, sources: Sequence[SourceDay]) -> dict[str, Any]:
    """Rows that were brought to the door of this node: each was taken, was there already, or was rejected."""
    taken, unchanged, rejected = (came.taken, came.unchanged, came.rejected) if came else (0, 0, 0)
    held = [one.held for one in sources if one.held is not None]
    return {
        "in_source": sum(held) if held and len(held) == len(sources) else None,
        "brought": taken + unchanged + rejected,
        "taken": taken,
        "unchanged": unchanged,
        "rejected": rejected,
        "last": iso(came.at) if came else "",
    }


def _source(one: SourceDay) -> dict[str, Any]:
    return {"source": one.source, "held": one.held, **one.counts._asdict()}


def _waiting(view: View, feeds: list[FeedState]) -> int:
    """Changes that are committed here and not sealed yet, whatever their day."""
    queued = view.reader.outbox()
    return sum(queued[state.name].items for state in feeds if state.name in queued)


def _named(name: FeedName) -> dict[str, Any]:
    return {"feed": str(name), "publication": name.publication, "addressee": name.addressee}


def _feed(
    view: View, known: _Known, day: int, state: FeedState, words: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What one feed says of the day: its entries, and what became of their rows at each tier that is known of."""
    of = view.reader.daily.entries(state.name, state.head.epoch, day)
    newest = view.reader.daily.newest(state.name, state.head.epoch)
    return {
        **_named(state.name),
        "sent": _sent(of),
        "stated": _in_words(words, state.name),
        "newest": iso(newest.at) if newest else "",
        "tiers": list(_tiers(view, known, state, of)),
        "missing": _span(known, state.name, state.head.seq) if state.name.origin != view.node else None,
    }


def _unseen(known: _Known, name: FeedName, words: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A feed of which nothing is held, and its origin says that there is one."""
    nothing: dict[str, Any] = {"sent": None, "newest": "", "tiers": []}
    return {**_named(name), **nothing, "stated": _in_words(words, name), "missing": _span(known, name, 0)}


def _in_words(words: Mapping[str, Mapping[str, Any]], name: FeedName) -> dict[str, int] | None:
    """What the origin itself stated that it sent on the day."""
    said = words.get(str(name))
    return {"entries": said["sent_entries"], "rows": said["sent_rows"]} if said else None


def _sent(of: EntriesOfDay | None) -> dict[str, Any]:
    """Entries that the origin sealed on the day, as far as they are held here, and their rows."""
    if of is None:
        return {"entries": 0, "rows": 0, "first": 0, "last": 0, "at": ""}
    return {"entries": of.entries, "rows": of.rows, "first": of.first, "last": of.last, "at": iso(of.at)}


def _span(known: _Known, name: FeedName, held: int) -> dict[str, int] | None:
    """Entries that the origin says it has sealed and that are not held here, from seq to seq; None if none are."""
    head = known.stated.get(name)
    return {"first": held + 1, "last": head.seq} if head is not None and head.seq > held else None


def _tiers(view: View, known: _Known, state: FeedState, of: EntriesOfDay | None) -> Iterator[dict[str, Any]]:
    """This node where the feed is another's, then everybody else who has signed for it or should."""
    name = state.name
    signed = known.receipts.get(name, {})
    if name.origin != view.node:
        yield _here(view, state, of)
    unknown = dict.fromkeys(("received", "applied", "refused", "parked", "overtaken"))
    for due in expected(view, state) if name.origin == view.node else ():
        if due not in signed:
            yield {"node": due, "proof": "none", "up_to": 0, "signed": "", **unknown}
    for by in sorted(signed):
        if by != view.node:
            yield _signed(view, state, of, by, signed[by])


def _here(view: View, state: FeedState, of: EntriesOfDay | None) -> dict[str, Any]:
    rows = of.rows if of else 0
    line = {"node": view.node, "proof": "log", "up_to": state.head.seq, "signed": ""}
    if state.route is Route.NODE and state.name.addressee != view.node:
        # Carried for somebody else: nothing is judged here.
        return {**line, **_outcome(rows, None)}
    fates = view.reader.daily.fates(state.name, state.head.epoch, of) if of else Counter[Fate]()
    return {**line, **_outcome(rows, fates)}


def _signed(view: View, state: FeedState, of: EntriesOfDay | None, by: str, receipt: Receipt) -> dict[str, Any]:
    """What another node's newest receipt proves, and what it told of refused and parked rows (its origin alone is)."""
    feed, daily = receipt.feed, view.reader.daily
    same = feed.received_epoch == state.head.epoch
    up_to = feed.received_seq if same else 0
    rows = daily.rows_up_to(state.name, state.head.epoch, of, up_to) if of else 0
    line = {"node": by, "proof": "receipt", "up_to": up_to, "signed": iso(receipt.at)}
    if not of or not rows:
        return {**line, **_outcome(0, Counter())}
    if state.name.origin != view.node or not receipt.told:
        return {**line, **_outcome(rows, None)}
    return {**line, **_outcome(rows, daily.told(by, state.name, state.head.epoch, of))}


def _outcome(received: int, fates: Counter[Fate] | None) -> dict[str, int | None]:
    """Every row received was applied, refused, parked, or overtaken by a newer version while it was parked."""
    if fates is None:
        return {"received": received, "applied": None, "refused": None, "parked": None, "overtaken": None}
    refused, parked, overtaken = fates[Fate.REFUSED], fates[Fate.PARKED], fates[Fate.SUPERSEDED]
    applied = max(0, received - refused - parked - overtaken)
    return {"received": received, "applied": applied, "refused": refused, "parked": parked, "overtaken": overtaken}
