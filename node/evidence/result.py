"""What a check of evidence finds: the moves with what proves each, what is wrong, what is not proved."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from node.faults import Exit
from node.texts import Text
from tiers.flows.retrace import Outcome, Step

DECIDED: Final = (Outcome.ACCEPTED, Outcome.REFUSED)


class Verdict(Enum):
    """What a file is worth; the value is the program's exit code."""

    GOOD = Exit.OK
    BAD = Exit.DAMAGE
    INCOMPLETE = Exit.INCOMPLETE


class Finding(NamedTuple):
    """What is wrong with the file, or (not `wrong`) what it does not prove. `code` is stable, for programs."""

    code: str
    wrong: bool
    text: Text
    numbers: tuple[int, ...] = ()
    """The moves that it is about."""


class Place(NamedTuple):
    """The entry by which a side sealed a move."""

    feed: str
    epoch: str
    seq: int
    header_hash: str
    enrolment: int
    sealed_at: int
    """Microseconds, by the clock of whoever sealed it."""


class Witness(NamedTuple):
    """Another node's signature that shows that it held a move by then, by its own clock (microseconds)."""

    node: str
    at: int
    how: str
    """'numbered': it gave it its number; 'built_on': it made a move in its knowledge; 'receipt': it signed for it."""
    number: int = 0
    """Of the move that gave it its number, or was built on it; 0 where that has none."""


@dataclass(slots=True)
class Told:
    """One move as people read it, with what proves it."""

    step: Step
    by_issuer: Place | None
    by_holder: Place | None
    witnesses: list[Witness] = field(default_factory=list)


class Party(NamedTuple):
    """A node of the file as the registry names it."""

    node: str
    title: str
    region: str
    profile: str


@dataclass(slots=True)
class Result:
    """All that was found. digest: SHA-256 of the file, root: of the root certificate in it, both in hex."""

    digest: str
    root: str = ""
    root_confirmed: bool = False
    federation: str = ""
    task: str = ""
    flow: str = ""
    issuer: str = ""
    holder: str = ""
    made_by: str = ""
    made_at: int = 0
    state: str = ""
    parties: dict[str, Party] = field(default_factory=dict)
    moves: list[Told] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """BAD where anything is wrong; INCOMPLETE where all is genuine and something is not proved."""
        if any(f.wrong for f in self.findings):
            return Verdict.BAD
        return Verdict.INCOMPLETE if self.findings else Verdict.GOOD

    def wrong(self, code: str, text: Text, *numbers: int) -> None:
        """Something that an honest maker's file would not have."""
        self.findings.append(Finding(code, True, text, numbers))

    def lacks(self, code: str, text: Text, *numbers: int) -> None:
        """Something that nothing in the file proves."""
        self.findings.append(Finding(code, False, text, numbers))
