"""A small country to tell stories about: the nation n, the province p1 with cities c1 and c2, the municipality c3."""

from __future__ import annotations

from node.sim.federation import Federation
from node.sim.heal import check_stores, settle
from node.sim.simnode import SimNode, WatchedStore
from node.sim.work import Move, Put, case_row, code_row
from sync.effects import FeedState
from sync.link import Phase
from sync.values import Cell, FeedName
from sync.wire.v1.entry_pb2 import EntryHeader


class Country:
    """The vocabulary of the stories."""

    def __init__(self, shape: tuple[int, int, int] = (1, 1, 3), besides: tuple[str, ...] = ()) -> None:
        self.net = Federation(1, shape)
        self._moves = 0
        self.net.enrol_all(besides)
        self.net.run(5)
        for node in self.net.nodes.values():
            assert all(link.phase is Phase.EXCHANGE for link in node.core.links.values())

    def __getitem__(self, short: str) -> SimNode:
        return self.net[short]

    def run(self, seconds: float) -> None:
        """Time passes."""
        self.net.run(seconds)

    def case(self, city: str, *numbers: int, state: str = "reported", supervised: bool = False, code: str = "") -> None:
        """Cases come or change at a city, in one transaction."""
        node = self.net[city]
        rows = [
            case_row(
                n,
                node.place.region,
                supervised=supervised,
                state=state,
                code=code,
                at=self.net.now,
                release=node.release,
            )
            for n in numbers
        ]
        self.net.submit(node, Put(node.id, "case", rows))
        self.net.run(0.1)

    def void(self, city: str, number: int) -> None:
        """A case is voided."""
        node = self.net[city]
        self.net.submit(node, Put(node.id, "case", [], [(f"{node.place.region}-{number:03d}",)]))
        self.net.run(0.1)

    def code(self, code: str, name: str = "a code") -> None:
        """The nation releases a code."""
        nation = self.net["n"]
        self.net.submit(nation, Put(nation.id, "class_code", [code_row(code, name, release=nation.release)]))
        self.net.run(0.1)

    def upgrade(self, release: int, *shorts: str) -> None:
        """Nodes are stopped, get the program of another release, and start again."""
        for short in shorts:
            node = self.net[short]
            node.upgrade(release)
            self.net.crash(node, lost=False)
            self.net.restart(node)
        self.net.run(12)

    def move(self, side: str, name: str, task: str = "T", to: str = "c1") -> None:
        """A move of a task of city `to`; the first one makes it."""
        node, self._moves = self.net[side], self._moves + 1
        opening = None if side == to else node
        holder, move_id = self.net[to].id, f"move-{self._moves}"
        self.net.submit(node, Move(node.id, task, move_id, self.net.now, lambda _: name, holder, opening))
        self.net.run(0.1)

    def moves(self, short: str, task: str = "T") -> list[tuple[int, str, bool]]:
        """What a node holds of a task: number, move, whether it is accepted."""
        return [(m.number, m.move, m.accepted) for m in self.net[short].store.moves(task)]

    def copy(self, short: str) -> WatchedStore:
        """A backup."""
        return self.net[short].copy_store()

    def restore(self, short: str, backup: WatchedStore) -> None:
        """A declared restore: the backup under a new instance."""
        self.net.roll_back(short, backup, declared=True)

    def roll_back(self, short: str, backup: WatchedStore) -> None:
        """The disk is put back and nobody says so."""
        self.net.roll_back(short, backup, declared=False)

    def feed(self, origin: str, publication: str, to: str = "") -> FeedName:
        """A feed by short names."""
        return FeedName(self.net[origin].id, publication, self.net[to].id if to else "")

    def held(self, short: str, feed: FeedName) -> FeedState:
        """What a node keeps of a feed."""
        state: FeedState = self.net[short].core.feeds[feed]
        return state

    def seq(self, short: str, feed: FeedName) -> int:
        """How far a node holds a feed; 0 if it has nothing of it."""
        state = self.net[short].core.feeds.get(feed)
        return state.head.seq if state else 0

    def headers(self, short: str, feed: FeedName) -> list[EntryHeader]:
        """The headers a node holds of a feed."""
        state = self.held(short, feed)
        entries = self.net[short].store.entries(feed, state.head.epoch, 1, 1 << 20, 4_096)
        return [EntryHeader.FromString(entry.header) for entry in entries]

    def rows(self, short: str, origin: str, dataset: str = "case") -> dict[str, dict[str, Cell]]:
        """The rows of an origin at a node, by key."""
        names = self.net[short].catalogue.datasets[dataset].schema.names
        found = self.net[short].store.scan(dataset, self.net[origin].id)
        return {"/".join(map(str, key)): dict(zip(names, row, strict=True)) for key, _, row in found}

    def alarms(self, short: str) -> set[str]:
        """Names of the alarms a node has raised."""
        return set(self.net[short].alarms)

    def settle(self, seconds: int = 240) -> None:
        """Everything becomes level in time, and every store is sound."""
        settle(self.net, [], seconds)
        check_stores(self.net, list(self.net.nodes.values()))
