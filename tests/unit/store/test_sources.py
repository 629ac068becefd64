"""What a node keeps of its sources: how far, since when, how much a day, and which rows are theirs."""

from __future__ import annotations

from hashlib import sha256

from node.store.loads import Reject
from node.store.sources import DATABASE, FOLDER, Claimed, SourceCounts, SourceState, pack_key
from node.store.store import Store
from sync.reasons import Reason

DAY, NEXT = "2026-11-22", "2026-11-23"
DIGEST = sha256(b"hotline 2026-11-22").digest()


def begun(store: Store, name: str = "hotline", kind: str = DATABASE, shape: str = "1") -> SourceState:
    if not store.in_transaction:
        store.begin()
    return store.sources.begin(name, "demo", kind, shape)


def claimed(store: Store, source: SourceState, after: bytes = b"", limit: int = 9) -> list[Claimed]:
    return store.sources.claimed(source, after, limit, ["hotline", "second", "third"])


def loading(store: Store, source: SourceState) -> int:
    load = store.loads.start("demo", source.name, DIGEST, 1)
    store.sources.add_load(source, load)
    return load


def test_a_source_is_made_once_and_begins_anew_when_its_declaration_is_another(store: Store) -> None:
    """Its position and what it claims stay with the same declaration; another mapping is read from the beginning; rows
    of another dataset are no longer its own."""
    source = begun(store)
    assert (source.position, source.contact, source.news) == ("", 0, 0)
    store.sources.took(source, 0, DAY, SourceCounts(read=1, taken=1), "here", 7)
    store.sources.claim(source.id, [("a", 1)])
    again = begun(store)
    assert (again.id, again.position, again.contact, again.news) == (source.id, "here", 7, 7)
    changed = begun(store, shape="2")
    assert (changed.position, len(claimed(store, changed))) == ("", 1)
    other = store.sources.begin("hotline", "other", DATABASE, "3")
    assert (other.dataset, claimed(store, other)) == ("other", [])


def test_counts_add_up_by_day_and_a_row_rejected_twice_is_one(store: Store) -> None:
    """Also in the books of the day's load; rows read again count again as unchanged."""
    source = begun(store)
    load = loading(store, source)
    for at in (5, 6):
        store.loads.reject(load, DIGEST, [Reject(4, Reason.TOO_LONG, "x", "")])
        store.sources.took(source, load, DAY, SourceCounts(4, 1, 1, 1, 1), f"p{at}", at)
    store.sources.took(source, 0, NEXT, SourceCounts(voided=2), "p6", 9)
    store.sources.counted(source, NEXT, 17)
    first, second = store.sources.days(DAY, NEXT)
    assert (first.source, first.day, first.counts, first.held) == ("hotline", DAY, SourceCounts(8, 2, 2, 1, 2), None)
    assert (second.day, second.counts, second.held) == (NEXT, SourceCounts(voided=2), 17)
    assert store.sources.days(NEXT, NEXT) == [second]
    kept = store.loads.get(load)
    assert kept is not None
    assert (kept.counts, kept.ended) == ((6, 2, 2, 1), 6)


def test_a_fault_is_kept_until_the_source_answers_again(store: Store) -> None:
    """And news are only what changed a row."""
    source = begun(store)
    store.sources.failed(source, "away", 3)
    assert (begun(store).fault, begun(store).fault_at) == ("away", 3)
    store.sources.took(source, 0, DAY, SourceCounts(1, 0, 1), "p", 8)
    now = begun(store)
    assert (now.fault, now.fault_at, now.contact, now.news) == ("", 0, 8, 0)


def test_a_row_that_two_sources_brought_is_told(store: Store) -> None:
    """Page by page in order of the packed keys; the other source of another dataset does not count."""
    one, two = begun(store), begun(store, "second")
    elsewhere = store.sources.begin("third", "other", DATABASE, "1")
    store.sources.claim(one.id, [("a", 1), ("b", 1), ("c", 1)])
    store.sources.claim(one.id, [("a", 1)])
    store.sources.claim(two.id, [("b", 1)])
    store.sources.claim(elsewhere.id, [("c", 1)])
    first = claimed(store, one, b"", 2)
    rest = claimed(store, one, first[-1].packed, 2)
    assert [(c.key, c.shared) for c in (*first, *rest)] == [(("a", 1), False), (("b", 1), True), (("c", 1), False)]
    assert not any(c.shared for c in store.sources.claimed(one, b"", 9, ["hotline"]))
    store.sources.unclaim(one.id, [pack_key(("a", 1))])
    assert len(claimed(store, one)) == 2


def test_only_loads_of_databases_claim_rows(store: Store) -> None:
    """Of a folder nobody compares keys; a load of the same content is known, and whether it came to its end."""
    database, folder = begun(store), begun(store, "folder", FOLDER)
    of_database, of_folder = loading(store, database), loading(store, folder)
    assert store.sources.of_load(of_database) == database.id
    assert store.sources.of_load(of_folder) is None
    assert store.sources.of_load(77) is None
    assert store.sources.load_of(folder, DIGEST, ended=False) == of_folder
    assert store.sources.load_of(folder, DIGEST, ended=True) is None
