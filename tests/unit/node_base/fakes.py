"""Fakes that implement the real Protocols: a clock that is set by hand, a sink in memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NoReturn

from node.loading.load import Batch, Outcome, Rejected
from sync.reasons import Reason
from sync.values import Row


@dataclass(slots=True)
class HandClock:
    """A Clock that stands still until moved."""

    us: int = 1_795_000_000_000_000

    def now_us(self) -> int:
        return self.us

    def monotonic_us(self) -> int:
        return self.us


@dataclass(slots=True)
class ListSink:
    """Keeps the rows by key; refuses rows whose key cell is in `refuses`, as a node's own door would."""

    refuses: Collection[object] = ()
    batches: list[Batch] = field(default_factory=list)
    held: dict[object, Row] = field(default_factory=dict)

    def put(self, batch: Batch) -> Outcome:
        self.batches.append(batch)
        accepted = 0
        rejected: list[Rejected] = []
        for place, row in enumerate(batch.rows):
            if row[0] in self.refuses:
                rejected.append(Rejected(place, Reason.RULE_BROKEN, "refused by the door", ""))
            elif self.held.get(row[0]) != row:
                accepted += 1
                if not batch.dry_run:
                    self.held[row[0]] = row
        return Outcome(accepted, len(batch.rows) - accepted - len(rejected), rejected)

    def rows(self) -> list[Row]:
        """All rows that came, in order."""
        return [row for batch in self.batches for row in batch.rows]


def no_room(*_: object) -> NoReturn:
    """What writing raises on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
