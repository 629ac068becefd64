"""What the stages of the demo share: the nodes, the verdict, and whoever watches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from node.clock import Randomness
from node.demo.reader import catalogue_of
from node.demo.verdict import Verdict
from node.testing import Topology
from node.testing.running import peak_memory_kib
from tiers.dataset import Dataset

BELOW_PROVINCE: Final = ("hangzhou", "ningbo")
WAIT_S: Final = 40.0


class Picture(Protocol):
    """Whoever watches: told which stage it is and what happens."""

    def stage(self, title: str) -> None: ...

    def says(self, line: str) -> None: ...


@dataclass(slots=True)
class Demo:
    """What the stages share."""

    net: Topology
    verdict: Verdict
    picture: Picture
    randomness: Randomness
    peak_kib: dict[str, int] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)

    @property
    def case(self) -> Dataset:
        return catalogue_of(self.net["nation"]).datasets["case"]

    def note_memory(self) -> None:
        """Keeps the highest memory of each process so far; one that was killed has its own peak noted before."""
        for name, member in self.net.members.items():
            if member.running is not None:
                self.peak_kib[name] = max(self.peak_kib.get(name, 0), peak_memory_kib(member.pid))
