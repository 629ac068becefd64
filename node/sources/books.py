"""The node, as who reads sources speaks with it: over its control socket, as every other loader does.

with Books(home) as books:
    state = books.ask("source.begin", source=..., ...)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from node.control.client import ControlClient
from node.loading.load import Counts, IsOurs
from node.loading.sink import ControlSink, Loop
from node.trial import is_trial
from sync.scope import Scope, ScopeItem
from sync.values import Key


class Books:
    """An open connection to the running node of a home. Raises UserFault for everything. Used from one thread."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._loop = Loop()
        self._client = ControlClient(home)

    def __enter__(self) -> Books:
        try:
            self._loop.do(self._client.__aenter__())
        except BaseException:
            self._loop.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.do(self._client.__aexit__(None, None, None))
        self._loop.end()

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """A command's result."""
        return self._loop.do(self._client.command(command, **arguments))

    def sink(self, load: int) -> ControlSink:
        """Where batches go; load 0 for a dry run."""
        return ControlSink(self._client, self._loop, load)

    def void(
        self, dataset: str, keys: Sequence[Key], reason: str, load: int, *, dry_run: bool
    ) -> tuple[int, list[str]]:
        """Voids rows in one transaction: how many went, and why others did not."""
        put = self._client.put(dataset, (), (), keys, reason, dry_run=dry_run, load=load)
        result = self._loop.do(put)
        return result.accepted, [f"{bad.key}: {bad.detail}" for bad in result.rejected]

    def own_regions(self) -> IsOurs:
        """Whether a region lies in this node's signing scope."""
        items = self.ask("standing")["scope"]
        return Scope(
            tuple(ScopeItem(i["region"], tuple(i["leaving_out"]), i["since"], i["until"]) for i in items)
        ).covers

    def is_trial(self) -> bool:
        """Whether this node is one of a trial."""
        return is_trial(str(self.ask("standing")["node"]))

    def took(self, source: str, load: int, position: str, counts: Counts, *, voided: int = 0) -> None:
        """These rows are in, and reading goes on behind `position`."""
        self.ask(
            "source.took",
            source=source,
            load=load,
            position=position,
            read=counts.read,
            taken=counts.taken,
            unchanged=counts.unchanged,
            rejected=counts.rejected,
            not_ours=counts.not_ours,
            voided=voided,
        )
