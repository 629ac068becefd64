"""Days that are over, stated by the node itself in the dataset `reconciliation`: nobody else knows what came to its
door.

The rows travel upwards as all others do, so that a parent's statement shows both columns. A day is stated once, an hour
after it has ended, and within a week if the node was not running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from node.app import Node
from node.background import Background
from node.commands.receipts import Receipts, receipts_of
from node.commands.statement import STATED, statement
from node.commands.view import View
from node.commands.work import view_of
from sync.days import date_of, day_of_us
from sync.effects import FeedState
from sync.errors import InputFault, LocalFault
from sync.rows import EMPTY_DIGEST
from sync.values import Cell, Key, Row
from sync.wire.v1.frame_pb2 import FeedReceipt

LOOKED_EVERY_S = 900
ROWS_AT_ONCE = 5_000
AFTER_US = 3_600_000_000
DAYS_BACK = 7


class Days(Background):
    """The task that states them. Used in the loop."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._stated = -1
        """The day up to which all is stated, as of this start: it is looked again only when another is over."""

    def start(self) -> None:
        """Begins after the first pause, so that a start is not slowed down."""
        self.begin(self._run(), "days")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOKED_EVERY_S)
            try:
                await self.look()
            except LocalFault as fault:
                self._node.log.warning("day_not_stated", detail=str(fault))
                self._node.alarm("day_not_stated", detail=str(fault))

    async def look(self) -> int:
        """States the days that are over and not stated yet; how many rows. Raises InputFault, StoreFault."""
        node = self._node
        over = day_of_us(node.clock.now_us() - AFTER_US)
        if over == self._stated:
            return 0
        rows = await node.read(lambda reader: rows_to_state(view_of(node, reader), node.config.node.region))
        accepted = 0
        for start in range(0, len(rows), ROWS_AT_ONCE):
            result = await node.put(STATED, rows[start : start + ROWS_AT_ONCE])
            if result.rejected:
                raise InputFault(result.rejected[0].reason, result.rejected[0].detail)
            accepted += result.accepted
        self._stated = over
        return accepted


def rows_to_state(view: View, region: str) -> list[Row]:
    """The rows that are to be put, in schema order; none while the last days are stated. Raises StoreFault."""
    schema = view.catalogue.datasets[STATED].schema
    over, first = day_of_us(view.now_us - AFTER_US), view.reader.daily.first_at_door()
    if first is None:
        return []
    made: dict[Key, Row] = {}
    for day in range(max(first, over - DAYS_BACK), over):
        for cells in _of_day(view, date_of(day), region):
            key = tuple(cells[name] for name in schema.key)
            made[key] = tuple(cells.get(name) for name in schema.names)
    there = view.reader.read_rows(STATED, view.node, list(made))
    return [row for key, row in made.items() if key not in there]


def _of_day(view: View, date: str, region: str) -> Iterator[dict[str, Cell]]:
    """A row for each own feed; for a dataset without one, that of its door alone."""
    states = {str(state.name): state for state in view.reader.feeds()}
    signed = receipts_of(view.reader)
    for line in statement(view, {"day": date, "child": view.node})["lines"]:
        if line["dataset"] == STATED:
            continue
        for feed in line["feeds"] or [{"feed": f"{view.node}/{line['dataset']}", "sent": None}]:
            yield {
                **_position(states.get(feed["feed"]), line["waiting"]),
                "holder": view.node,
                "feed": feed["feed"],
                "day": date,
                "division": region,
                "dataset": line["dataset"],
                **_compared(states.get(feed["feed"]), line["waiting"], signed),
                **{name: line["door"][name] for name in ("in_source", "brought", "taken", "unchanged", "rejected")},
                "waiting": line["waiting"],
                "sent_entries": feed["sent"]["entries"] if feed["sent"] else 0,
                "sent_rows": feed["sent"]["rows"] if feed["sent"] else 0,
            }


def _position(state: FeedState | None, waiting: int) -> dict[str, Cell]:
    """Where the feed stands now. Its digest is that of the position only while nothing waits."""
    if state is None:
        return {"seq": 0, "rows": 0, "digest": EMPTY_DIGEST.hex()}
    return {"seq": state.head.seq, "rows": state.rows, "digest": "" if waiting else state.digest.hex()}


def _compared(state: FeedState | None, waiting: int, signed: Receipts) -> dict[str, Cell]:
    """Whether those who hold the feed have signed the same digest of its rows at its head. How many rows differ no
    digest tells: `tiersync reconcile` does."""
    receipts = signed.get(state.name, {}).values() if state is not None and not waiting else ()
    digests = {one.feed.row_digest for one in receipts if state is not None and _is_at_head(one.feed, state)}
    if state is None or not digests:
        return {"result": "not_compared"}
    return {"result": "same", "differing_rows": 0} if digests == {state.digest} else {"result": "differs"}


def _is_at_head(feed: FeedReceipt, state: FeedState) -> bool:
    """Whether a receipt tells of all rows of the feed; without a digest some were refused or wait there."""
    return bool(feed.row_digest) and (feed.applied_epoch, feed.applied_seq) == (state.head.epoch, state.head.seq)
