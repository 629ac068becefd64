"""What was granted to subscribers: for each dataset one publication '<dataset>.subscribers', whose feeds are addressed
to one subscriber each. What such a feed carries (columns, row filter) is what its grant says, and never a column that
is held back.

There is one grant of a dataset per subscriber at a time. So a subscription that follows upon another goes on in the
same feed, and only what differs is said.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import Cell, Lane, Route, is_node_id
from tiers.dataset import SUBSCRIBERS, Dataset, Publication
from tiers.faults import CatalogueFault
from tiers.filters import Filter, columns_of, parse_filter
from tiers.subscriptions import IN_USE, Side

GRANTS_MAX = 1_024
"""In use at one node at a time: each row of the dataset is looked at for each of them."""


class Grant(NamedTuple):
    """What one subscriber is sent of a dataset. rule: a filter as JSON, '' for all rows."""

    dataset: str
    subscriber: str
    columns: tuple[str, ...]
    rule: str = ""


def for_subscribers(dataset: Dataset) -> Publication:
    """By what a receiver judges rows that were granted to it: any columns that may leave."""
    return _publication(dataset, dataset.schema.names, (), None)


def publication_of(grant: Grant, dataset: Dataset) -> Publication | None:
    """What a grant publishes. None, so that nothing leaves, where its filter cannot be read as the dataset is now."""
    try:
        chosen = read_rule(dataset, grant.rule)
    except InputFault:
        return None
    return _publication(dataset, grant.columns, (grant.subscriber,), chosen)


def _publication(
    dataset: Dataset, columns: Collection[str], addressees: tuple[str, ...], chosen: Filter | None
) -> Publication:
    carried = tuple(name for name in dataset.whole(columns) if name not in dataset.held_back)
    return Publication(f"{dataset.id}.{SUBSCRIBERS}", dataset.id, Route.NODE, Lane.BULK, carried, addressees, chosen)


def read_rule(dataset: Dataset, rule: str) -> Filter | None:
    """A row filter as JSON, '' for none. Raises InputFault where it is none, or asks about a column that stays."""
    if not rule:
        return None
    try:
        parsed = parse_filter(read_json(rule), dataset.schema)
    except CatalogueFault as fault:
        raise InputFault(Reason.RULE_BROKEN, Phrase("the filter cannot be read: {}", str(fault))) from fault
    _check_open(dataset, columns_of(parsed))
    return parsed


def read_json(rule: str) -> object:
    """What a row filter says before anybody knows of which dataset; '' says nothing. Raises InputFault."""
    try:
        raw = json.loads(rule or "{}")
        # JSON can say half a character, which no store can keep; what cannot be encoded is a ValueError too.
        json.dumps(raw, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputFault(Reason.RULE_BROKEN, Phrase("the filter is not JSON: {}", str(error))) from error
    return raw


def check_wish(dataset: Dataset, offered: Collection[str], columns: Collection[str], rule: str) -> tuple[str, ...]:
    """The columns that would be sent, in schema order, for these (none: all that are offered), or InputFault where more
    is asked for than is offered. offered: columns, none for all that may leave.

    A filter asks about offered columns only: which rows come would else tell what the others hold.
    """
    open_ = frozenset(offered or dataset.schema.names) - dataset.held_back
    may = frozenset(dataset.whole(open_)) - dataset.held_back
    parsed = read_rule(dataset, rule)
    asked = frozenset(columns) | (columns_of(parsed) if parsed is not None else frozenset())
    _check_open(dataset, asked)
    for name in sorted(asked - may):
        raise InputFault(Reason.UNKNOWN_COLUMN, Phrase("column '{}' is not offered", name))
    return tuple(name for name in dataset.whole(columns or open_) if name not in dataset.held_back)


def _check_open(dataset: Dataset, names: Iterable[str]) -> None:
    for name in sorted(names):
        if name not in dataset.schema.names:
            raise InputFault(Reason.UNKNOWN_COLUMN, Phrase("column '{}' of dataset '{}'", name, dataset.id))
        if name in dataset.held_back:
            raise InputFault(Reason.HELD_BACK_PRESENT, Phrase("column '{}' stays at the node that owns it", name))


def grant_of(row: Mapping[str, Cell], node: str, today: str) -> Grant | None:
    """What a row of `subscription` that this node wrote grants on a day: none but the owner's, while it is in use and
    its last day is not over. So what has expired is not sent after a start, before anybody has noted that it has."""
    names = (row["dataset"], row["applicant"], row["columns"])
    dataset, subscriber, columns = (str(cell or "") for cell in names)
    in_use = (row["role"], row["state"], row["provider"]) == (Side.OWNER.value, IN_USE, node)
    if not in_use or str(row["valid_to"] or "") < today or not is_node_id(subscriber):
        return None
    return Grant(dataset, subscriber, names_in(columns), str(row["row_filter"] or ""))


def names_in(text: str) -> tuple[str, ...]:
    """Names with commas or spaces between them."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))
