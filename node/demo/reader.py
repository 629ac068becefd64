"""The independent reader: looks into the five stores with plain SELECTs, beside the nodes and without asking them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from node.app import read_catalogue
from node.checking import check_home
from node.clock import SystemClock
from node.config import CONFIG_NAME, load_file
from node.demo.verdict import FeedDigest
from node.identity import read_home
from node.store.digests import TableDigest, digest_table
from node.store.driver import Connection, connect_reader
from node.store.fsck import Report
from node.store.home import DATABASE_FILE
from node.testing import Member
from sync.values import FeedName
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset, Publication
from tiers.filters import filter_sql
from tiers.personal import Guard
from tiers.personal import masked as as_it_leaves


@contextmanager
def store_of(member: Member) -> Iterator[Connection]:
    """A read-only connection to a node's store."""
    with closing(connect_reader(member.home / DATABASE_FILE)) as connection:
        yield connection


def catalogue_of(member: Member) -> Catalogue:
    """The datasets that a node knows."""
    return read_catalogue(member.home, load_file(member.home / CONFIG_NAME))


def at_origin(member: Member, dataset: Dataset, publication: Publication) -> TableDigest:
    """What a publication says of a node's own rows now, computed from its row table."""
    where, parameters = filter_sql(publication.filter) if publication.filter is not None else ("", [])
    masked = dict.fromkeys(Guard(dataset, publication.columns).masked_columns, as_it_leaves)
    with store_of(member) as connection:
        return digest_table(
            connection, dataset.schema, member.node, None, publication.columns, where, parameters, masked
        )


def at_receiver(member: Member, dataset: Dataset, feed: FeedName) -> TableDigest:
    """What a receiver holds of a feed, computed from its row tables."""
    with store_of(member) as connection:
        return digest_table(connection, dataset.schema, feed.origin, feed)


def compare(origin: Member, receiver: Member, dataset: Dataset, publication: Publication, addressee: str) -> FeedDigest:
    """One feed at both ends."""
    feed = FeedName(origin.node, publication.id, addressee)
    here, there = at_origin(origin, dataset, publication), at_receiver(receiver, dataset, feed)
    return FeedDigest(str(feed), receiver.place.name, there.rows, there.digest.hex(), here.rows, here.digest.hex())


def held_back_cells(member: Member, dataset: Dataset, origin: str) -> dict[str, int]:
    """How many rows of an origin have a value in each held-back column at this node."""
    with store_of(member) as connection:
        found = {}
        for column in sorted(dataset.held_back):
            sql = f'SELECT count("{column}") FROM "view_{dataset.id}" WHERE "_origin" = ?'  # noqa: S608 - from the catalogue
            found[column] = int(connection.execute(sql, (origin,)).fetchone()[0])
    return found


def wait_visible(member: Member, dataset: str, column: str, key: str, condition: str, until: float) -> float:
    """Looks until a row satisfies `condition` in a node's store; the moment (monotonic seconds) it was seen.

    In a thread of its own: it is the stopwatch, not part of the exchange. TimeoutError after `until`.
    """
    with store_of(member) as connection:
        sql = f'SELECT 1 FROM "view_{dataset}" WHERE "{column}" = ? AND {condition}'  # noqa: S608 - our own text
        while time.monotonic() < until:
            if connection.execute(sql, (key,)).fetchone() is not None:
                return time.monotonic()
            time.sleep(0.0005)  # how often the stopwatch looks
    raise TimeoutError(key)


def watch_visible(
    member: Member, dataset: str, column: str, condition: str, enough: threading.Event
) -> dict[str, float]:
    """Key -> the moment (monotonic seconds) a row that satisfies `condition` was first seen in a node's store.

    Looks at everything after each commit of the node, until told that it is enough, and once more then.
    """
    seen: dict[str, float] = {}
    with store_of(member) as connection:
        sql = f'SELECT "{column}" FROM "view_{dataset}" WHERE {condition}'  # noqa: S608 - our own text
        last, version = False, -1
        while not last:
            last = enough.is_set()
            if (now := connection.execute("PRAGMA data_version").fetchone()[0]) != version:
                version = now
                for (key,) in connection.execute(sql).fetchall():
                    seen.setdefault(str(key), time.monotonic())
            time.sleep(0.0005)  # how often the stopwatch looks
    return seen


def fsck(member: Member) -> Report:
    """Re-verifies a stopped node's store from its bytes: every chain, seal, digest, row and published image."""
    config, identity = read_home(member.home, SystemClock().now_us())
    return check_home(member.home, config, identity)
