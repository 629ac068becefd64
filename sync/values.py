"""The values that every part speaks of: frozen, cheap, comparable.

Words as in the design's glossary; sizes are bytes, times are microseconds since 1970 UTC unless a name says otherwise.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

Cell = str | int | float | bool | bytes | None
Row = tuple[Cell, ...]
Key = tuple[Cell, ...]

DIGEST_BYTES = 32
ID_BYTES = 16
NO_EPOCH = bytes(ID_BYTES)

_NODE_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?){1,5}")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,47}")
_PUBLICATION = re.compile(r"[a-z][a-z0-9_]{0,47}(?:\.[a-z][a-z0-9_]{0,31})?")
ID_TEXT_BYTES_MAX = 64


class Route(IntEnum):
    """Where a feed goes (protocol section 2); numbers as on the wire."""

    PARENT = 1
    ANCESTORS = 2
    DESCENDANTS = 3
    NODE = 4
    EVERYWHERE = 5


class Lane(IntEnum):
    """The sender's order of work on a link; numbers as on the wire."""

    URGENT = 1
    NORMAL = 2
    BULK = 3


class Kind(IntEnum):
    """What an entry holds; numbers as on the wire."""

    RECORDS = 1
    MOVE = 2
    REGISTRY = 3
    ADOPTION = 4
    REFUSALS = 5
    CHECKPOINT = 6
    EPOCH_START = 7


class Fate(IntEnum):
    """What became of a row that arrived validly; numbers as on the wire."""

    APPLIED = 1
    REFUSED = 2
    PARKED = 3
    SUPERSEDED = 4


class FeedName(NamedTuple):
    """One origin's log of one publication for one addressee ('' = all of its audience)."""

    origin: str
    publication: str
    addressee: str = ""

    def __str__(self) -> str:
        return f"{self.origin}/{self.publication}" + (f"@{self.addressee}" if self.addressee else "")


class Head(NamedTuple):
    """Last seq and header hash of a feed in an epoch; seq 0 carries the genesis hash."""

    epoch: bytes
    seq: int
    hash: bytes


NUMBER_MAX = 2**63 - 1
"""Numbers of headers and records fit a signed integer of 64 bits, so that every store can keep them."""

REGISTRY = "registry"
REFUSALS = "refusals"
MOVES = "moves"
WITHOUT_ROWS = frozenset({REGISTRY, REFUSALS, MOVES})
"""Names of feeds that are no publication of a dataset."""


def is_node_id(text: str) -> bool:
    """Whether `text` is a node id: a DNS name of two to six labels, lower case, at most 64 bytes."""
    return len(text) <= ID_TEXT_BYTES_MAX and _NODE_ID.fullmatch(text) is not None


def is_identifier(text: str) -> bool:
    """Whether `text` may name a dataset or column (never taken from a peer into SQL)."""
    return _IDENTIFIER.fullmatch(text) is not None


def is_publication(text: str) -> bool:
    """Whether `text` may name a publication: a dataset id, or dataset.audience."""
    return _PUBLICATION.fullmatch(text) is not None


def dataset_of(publication: str) -> str:
    """The dataset that a publication is of, known or not: its id begins with it. '' for the feeds without rows."""
    return "" if publication in WITHOUT_ROWS else publication.partition(".")[0]


def is_well_named(feed: FeedName) -> bool:
    """Whether a feed's name from a peer may be kept, stored and told: node ids and a publication, nothing else. The
    registry is addressed to nobody: of each origin there is one, and Hello lists them all."""
    origin, publication, addressee = feed
    addressed = addressee == "" or (is_node_id(addressee) and publication != REGISTRY)
    return is_node_id(origin) and is_publication(publication) and addressed
