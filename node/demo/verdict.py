"""What the demo found, as values: checks that held or did not, and the figures beside them (docs/demo.schema.json)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, NamedTuple

from node.texts import Text

FORMAT = 1


class Check(NamedTuple):
    """One promise of the demo: `name` is stable for machines, `title` is what was promised, `detail` what was seen."""

    name: str
    ok: bool
    title: Text
    detail: Text

    def as_json(self) -> dict[str, Any]:
        """In both languages, whatever the one that it was run in."""
        title, detail = self.title.both(), self.detail.both()
        said = {"title": title["en"], "title_zh": title["zh"], "detail": detail["en"], "detail_zh": detail["zh"]}
        return {"name": self.name, "ok": self.ok, **said}


class FeedDigest(NamedTuple):
    """One feed as the independent reader found it in two stores; digests in hex."""

    feed: str
    at: str
    rows: int
    digest: str
    origin_rows: int
    origin_digest: str

    @property
    def agrees(self) -> bool:
        """Two empty tables say nothing: there must be rows."""
        return self.rows > 0 and (self.rows, self.digest) == (self.origin_rows, self.origin_digest)


class NodeFigures(NamedTuple):
    """What one store holds at the end, and how much memory its node took at most (KiB; 0 = not told)."""

    name: str
    node: str
    rows: int
    entries: int
    seals: int
    findings: int
    unchecked: int
    peak_kib: int


class Lag(NamedTuple):
    """Time from commit at a node to visible at the nation, in milliseconds."""

    samples: int
    p50_ms: float
    p99_ms: float


def lag_of(samples_ms: Sequence[float]) -> Lag | None:
    """Percentiles; None of less than two samples."""
    if len(samples_ms) < 2:
        return None
    cuts = quantiles(samples_ms, n=100, method="inclusive")
    return Lag(len(samples_ms), round(cuts[49], 2), round(cuts[98], 2))


@dataclass(slots=True)
class Verdict:
    """Everything the demo ends with. It passed if every check held and every digest agrees."""

    checks: list[Check] = field(default_factory=list)
    digests: list[FeedDigest] = field(default_factory=list)
    nodes: list[NodeFigures] = field(default_factory=list)
    lag_steady: Lag | None = None
    """Cities below the province: two hops."""
    lag_municipality: Lag | None = None
    """The municipality below the nation: one hop."""
    lag_outage: Lag | None = None
    """Rows that the cities wrote while the province was down."""
    held_back: dict[str, int] = field(default_factory=dict)
    """Held-back cells: how many the city holds per column, none of which may be found above it."""
    loaded: dict[str, dict[str, int]] = field(default_factory=dict)
    coordination_seconds: float | None = None
    """How long the tasks between the tiers took, with the outage in their midst and the proof; None: not reached."""
    seconds: float = 0.0

    def check(self, name: str, ok: bool, title: Text, detail: Text) -> bool:
        """Notes a check; gives `ok` back."""
        self.checks.append(Check(name, ok, title, detail))
        return ok

    @property
    def passed(self) -> bool:
        return (
            bool(self.checks and self.digests)
            and all(c.ok for c in self.checks)
            and all(d.agrees for d in self.digests)
        )

    def as_json(self) -> dict[str, Any]:
        """The value that docs/demo.schema.json describes."""
        return {
            "format": FORMAT,
            "verdict": "passed" if self.passed else "failed",
            "seconds": round(self.seconds, 1),
            "coordination_seconds": _rounded(self.coordination_seconds),
            "checks": [c.as_json() for c in self.checks],
            "digests": [{**d._asdict(), "agrees": d.agrees} for d in self.digests],
            "nodes": [n._asdict() for n in self.nodes],
            "lag": {
                "steady": self.lag_steady._asdict() if self.lag_steady else None,
                "municipality": self.lag_municipality._asdict() if self.lag_municipality else None,
                "outage": self.lag_outage._asdict() if self.lag_outage else None,
            },
            "held_back": self.held_back,
            "loaded": self.loaded,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
