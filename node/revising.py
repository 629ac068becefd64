"""A change of publications followed as a tracked job: own feeds are made to say what they should in small transactions,
while rows are put and runs arrive in between; killed, it goes on from where it was.

What tiers/revision.py decides is kept here, and done step by step in the writer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from node.clock import iso
from node.engine import Step
from node.store.state import REVISION
from node.store.store import Store
from sync.effects import Reply, SaveMeta
from sync.events import LocalRevised
from sync.values import Key, dataset_of
from tiers.publishing import TierPublisher
from tiers.revision import LAYERS_MAX, Layer, Revision
from tiers.ways import Way, read_settings, ways_of

ROWS_AT_ONCE = 250
"""In one transaction: a few tens of milliseconds, so that what is urgent hardly waits."""
PAUSE_S_MAX = 0.2


class KeptLayer(msgspec.Struct):
    """tiers.revision.Layer as it is kept."""

    settings: str
    group: int
    passed: dict[str, list[Any] | None]
    ended: list[str]


class Kept(msgspec.Struct):
    """The whole job. of: own rows that it looks at; done: those it has; changed: publications; began: microseconds."""

    layers: list[KeptLayer]
    changed: list[str]
    began: int
    of: int
    done: int = 0


class _Meta(Protocol):
    def meta(self, name: str) -> int | str | bytes | None: ...


_unpack = msgspec.msgpack.Decoder(Kept).decode


def kept(store: _Meta) -> Kept | None:
    """The job under way; None if there is none."""
    value = store.meta(REVISION)
    return _unpack(value) if isinstance(value, bytes) and value else None


def job_of(store: _Meta) -> list[dict[str, Any]]:
    """The job under way, for people."""
    job = kept(store)
    if job is None:
        return []
    return [
        {
            "job": "follow_publications",
            "publications": job.changed,
            "began": iso(job.began),
            "rows_done": min(job.done, job.of),
            "rows": job.of,
        }
    ]


def begin(
    store: Store, publisher: TierPublisher, before: str, changed: Sequence[str], group: int, node: str, now: int
) -> bool:
    """In an open transaction: notes a change of settings that is to be followed, if there are rows that it touches.

    before: settings of the time before. False, with nothing done, if what they were cannot be told any more.
    """
    declared = publisher.declared
    job = kept(store)
    older = job.layers if job is not None else []
    left = [name for layer in older for name in layer.passed if name not in layer.ended]
    datasets = [name for name in dict.fromkeys([*map(dataset_of, changed), *left]) if name in declared]
    if len(older) >= LAYERS_MAX or _ways(before, datasets, publisher) is None:
        return False
    # Newer than all that is there: what this very transaction may still write counts as followed.
    layer = KeptLayer(before, group, dict.fromkeys(datasets), [])
    rows = sum(store.count(name, node) for name in datasets)
    if rows == 0:
        return resume(store, publisher)
    names = sorted({*(job.changed if job is not None else ()), *changed})
    _keep(store, Kept([*older, layer], names, now, rows))
    return resume(store, publisher)


def has_room(store: _Meta) -> bool:
    """Whether one more change can be followed beside those that are."""
    job = kept(store)
    return job is None or len(job.layers) < LAYERS_MAX


def strike(store: Store, publisher: TierPublisher, without: Callable[[str], str]) -> None:
    """In an open transaction: takes feeds that were ended at once out of the changes that are followed. `without`:
    settings without them."""
    job = kept(store)
    if job is not None:
        for layer in job.layers:
            layer.settings = without(layer.settings)
        _keep(store, job)
    resumed = resume(store, publisher)
    assert resumed, "what this very program has kept can be read"


def resume(store: Store, publisher: TierPublisher) -> bool:
    """Gives the publisher what is not followed yet. False if it cannot be told what earlier settings were."""
    publisher.levelled()
    job = kept(store)
    if job is None:
        return True
    declared = publisher.declared
    layers = []
    for one in job.layers:
        ways = _ways(one.settings, one.passed, publisher)
        if ways is None:
            return False
        passed: dict[str, Key | None] = {name: None if k is None else tuple(k) for name, k in one.passed.items()}
        layers.append(Layer(one.settings, one.group, ways, passed, set(one.ended)))
    publisher.revision = Revision(layers, publisher.ways(), {name: d.schema for name, d in declared.items()})
    return True


def _ways(settings: str, datasets: Collection[str], publisher: TierPublisher) -> dict[str, tuple[Way, ...]] | None:
    """By dataset what was published by these settings; None if it cannot be told."""
    found: dict[str, tuple[Way, ...]] = dict.fromkeys(datasets, ())
    for name, said in read_settings(settings).items():
        dataset = dataset_of(name)
        if dataset not in found:
            continue
        try:
            texts = msgspec.json.decode(said, type=list[str])
        except msgspec.MsgspecError:
            return None
        ways = ways_of(name, publisher.declared[dataset], texts, publisher.node)
        if ways is None:
            return None
        found[dataset] += ways
    return found


def _keep(store: Store, job: Kept | None) -> None:
    store.perform(SaveMeta(REVISION, b"" if job is None else msgspec.msgpack.encode(job)))


@dataclass(slots=True)
class ReviseJob:
    """The next rows of the job. Answered with anything once they are durable; refused while a recovery is under way,
    which compares all rows by itself."""

    token: object
    publisher: TierPublisher
    node: str
    rows: int = ROWS_AT_ONCE

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run."""
        revision = self.publisher.revision
        if revision is None:
            return (Reply(self.token, 0),)
        dataset = revision.next
        assert dataset is not None, "a job that is done is forgotten"
        page = store.page(dataset, self.node, revision.layers[-1].passed[dataset], self.rows)
        moved, outgoing = revision.follow(dataset, page)
        passed = page[-1][0] if len(page) == self.rows else None
        note = _noting(self.publisher, revision, dataset, passed, len(page))
        if not outgoing:
            return (note, Reply(self.token, 0))
        return (LocalRevised(self.token, dataset, moved, outgoing), note)


def _noting(
    publisher: TierPublisher, revision: Revision, dataset: str, passed: Key | None, rows: int
) -> Callable[[Store], None]:
    """Keeps how far it has come, in the transaction that did it."""

    def note(store: Store) -> None:
        job = kept(store)
        assert job is not None
        revision.advance(dataset, passed)
        newest = job.layers[-1]
        if passed is None:
            newest.ended.append(dataset)
        else:
            newest.passed[dataset] = list(passed)
        job.done += rows
        if revision.next is None:
            publisher.levelled()
            _keep(store, None)
        else:
            _keep(store, job)

    return note
