"""Readers see what is committed, as plain values, and never wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from certs.enrol import InviteState
from node.store.driver import unfence
from node.store.faults import StoreFault, StoreTrouble
from node.store.heard import _ANY, _CLOSE
from node.store.loads import Reject
from node.store.migrations import NAMES
from node.store.readers import _HEARD, Reader, Told, Waiting
from node.store.store import Store
from sync.effects import (
    FateRow,
    OutboxItem,
    Queue,
    SaveEvidence,
    SaveFates,
    SaveHeard,
    SaveMoves,
    SaveStatement,
    UpsertRows,
)
from sync.reasons import Reason
from sync.rows import key_text
from sync.schema import RowSchema
from sync.values import Fate, FeedName, Kind, Lane, Route, Row
from sync.wire.v1.entry_pb2 import MoveBody, Refusal
from tests.unit.certs.letters import invite
from tests.unit.store.world import EPOCH, FEED, ORIGIN, OTHER_FEED, SCHEMA, Log, key, receive, row


@pytest.fixture
def both(path: Path) -> Iterator[tuple[Store, Reader]]:
    """A store with twenty rows, and a reader beside it."""
    store = Store.open(path, [SCHEMA])
    log = Log()
    log.add(1, [row(i) for i in range(20)])
    receive(store, log)
    reader = Reader(path, [SCHEMA])
    yield store, reader
    reader.close()
    store.close()


def test_a_statement_ends_when_reading_is_over(path: Path, both: tuple[Store, Reader]) -> None:
    """In the middle of one that would take for ever; the fault says that it is nobody's mistake."""
    looks: list[bool] = []

    def over() -> bool:
        looks.append(len(looks) > 2)
        return looks[-1]

    with closing(Reader(path, [SCHEMA], over)) as reader, pytest.raises(StoreFault) as met:
        reader.session.rows("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
    assert met.value.trouble is StoreTrouble.STOPPED
    assert looks == [False, False, False, True]


def test_rows_are_queried_with_columns_filter_and_pages(both: tuple[Store, Reader]) -> None:
    """In order of key; booleans are booleans; the row's origin and version can be asked for."""
    _, reader = both
    assert reader.query("demo") == [row(i) for i in range(20)]
    assert reader.query("demo", '"part" >= ?', (8,), ("part", "open", "_version"), 3) == [
        (8, True, 1), (9, False, 1), (8, True, 1),
    ]  # fmt: skip
    assert reader.query("demo", columns=("_origin", "id"), limit=1, offset=19) == [(ORIGIN, "c000001")]
    assert reader.count("demo", '"part" = ?', (3,)) == 2
    assert reader.counts() == {"demo": 20}
    assert reader.read_rows("demo", ORIGIN, [key(row(3)), ("none", 0)]) == {key(row(3)): (1, row(3))}


@pytest.mark.parametrize("where", ["", " WHERE \"id\" = 'c000001'", " WHERE \"_origin\" = 'x'"])
def test_pages_keys_and_origins_are_found_without_sorting_or_reading_all(
    both: tuple[Store, Reader], where: str
) -> None:
    """By the indices alone, also where no origin is given: a nation's table is large."""
    sql = f'EXPLAIN QUERY PLAN SELECT "name" FROM "view_demo"{where} ORDER BY "_origin", "id", "part"'
    plan = [line for *_, line in both[1].session.rows(sql)]
    assert not [line for line in plan if "TEMP B-TREE" in line or line.startswith("SCAN held")]


@pytest.mark.parametrize("name", ['id" --', "nothing", "_columns", "rowid", "ID"])
def test_a_reader_asks_only_for_columns_of_the_catalogue(both: tuple[Store, Reader], name: str) -> None:
    """No name from outside becomes an identifier."""
    with pytest.raises(StoreFault):
        both[1].query("demo", columns=(name,))
    with pytest.raises(StoreFault):
        both[1].query(name)


def test_log_and_fates_are_read(both: tuple[Store, Reader]) -> None:
    """Feeds, heads, entries, fates, parked rows, what others said, what waits."""
    store, reader = both
    fates = [
        FateRow(1, 3, "demo", "k3", Fate.PARKED, Reason.UNKNOWN_CODE, "7"),
        FateRow(1, 4, "demo", "k4", Fate.REFUSED, Reason.OUT_OF_SCOPE, "33"),
    ]
    said = Refusal(publication="demo", epoch=EPOCH, seq=3, dataset="demo", key="k", reason=301)
    store.begin()
    store.perform(SaveFates(FEED, EPOCH, fates))
    store.perform(SaveHeard("p.cn", [said.SerializeToString()]))
    for number in (4, 9):
        item = OutboxItem(number, OTHER_FEED, Route.NODE, Lane.BULK, Kind.MOVE, 2, b"ppp", 3, 1, 1, 1)
        store.perform(Queue(item))
    store.perform(SaveEvidence(FEED, b"proof"))
    store.perform(SaveEvidence(FEED, b"proof"))
    store.perform(SaveStatement("heads", "a.cn", "", b"body", b"signature"))
    store.commit()
    assert reader.feeds() == store.load_state().feeds if store.meta("instance") else True
    assert [f.name for f in reader.feeds()] == [FEED]
    assert reader.epochs(FEED) == store.epochs(FEED)
    assert reader.entry(FEED, EPOCH, 1) == store.entry(FEED, EPOCH, 1)
    assert reader.entries(FEED, EPOCH, 1, 1, 1) == store.entries(FEED, EPOCH, 1, 1, 1)
    assert reader.fates(None, None, 10) == [Told(FEED, EPOCH, fate) for fate in fates]
    assert reader.fates(FEED, Fate.REFUSED, 10) == [Told(FEED, EPOCH, fates[1])]
    assert reader.fates(FeedName("x.cn", "none"), None, 10) == []
    assert [p.place for p in reader.parked(None, 10)] == [3]
    assert reader.heard(10) == [("p.cn", said)]
    own = FeedName("here.cn", said.publication, said.addressee)
    assert reader.heard(10, own) == [("p.cn", said)]
    assert reader.heard(10, own._replace(addressee="other.cn")) == []
    assert reader.outbox() == {OTHER_FEED: Waiting(2, 6, 4)}
    assert reader.evidence() == [(FEED, b"proof")]
    assert reader.statements() == [("heads", "a.cn", "", b"body", b"signature", b"")]
    assert reader.bytes_on_disk() > 8192


def test_what_is_still_refused_is_heard_before_what_was_applied_since(both: tuple[Store, Reader]) -> None:
    """However many were applied later and newly: those would hide the one row that a person has to mend."""
    store, reader = both

    def said(key: str, fate: Fate) -> bytes:
        told = Refusal(publication="demo", epoch=EPOCH, seq=3, dataset="demo", key=key, reason=301, fate=int(fate))
        return told.SerializeToString()

    store.begin()
    parked = [said(f"k{n}", Fate.PARKED) for n in range(3)]
    for refusals in ([said("bad", Fate.REFUSED)], parked, [said("k0", Fate.APPLIED), said("k2", Fate.SUPERSEDED)]):
        store.perform(SaveHeard("p.cn", refusals))
    store.commit()
    heard = reader.heard(10)
    assert [(told.key, Fate(told.fate)) for _, told in heard] == [
        ("k1", Fate.PARKED), ("bad", Fate.REFUSED), ("k2", Fate.SUPERSEDED), ("k0", Fate.APPLIED),
    ]  # fmt: skip
    assert reader.heard_open() == 2
    plan = [line for *_, line in reader.session.rows(f"EXPLAIN QUERY PLAN {_HEARD}", (10,))]
    assert not [line for line in plan if "TEMP B-TREE" in line]


def test_what_was_corrected_here_is_not_counted_any_more(both: tuple[Store, Reader]) -> None:
    """Of that row alone, whoever refused it; refused again, it counts again."""
    store, reader = both

    def refused(seq: int, *numbers: int) -> list[bytes]:
        keys = [key_text(("a", number)) for number in numbers]
        told = [
            Refusal(publication="demo", epoch=EPOCH, seq=seq, dataset="demo", key=key, fate=int(Fate.REFUSED))
            for key in keys
        ]
        return [one.SerializeToString() for one in told]

    store.begin()
    for by in ("p.cn", "n.cn"):
        store.perform(SaveHeard(by, refused(3, 1, 2)))
    assert (store.heard.any("demo"), store.heard.any("other")) == (True, False)
    store.heard.close("other", [("a", 1)])
    store.heard.close("demo", [("a", 1), ("none", 0)])
    store.commit()
    assert reader.heard_open() == 2
    store.begin()
    store.perform(SaveHeard("p.cn", refused(4, 1)))
    store.commit()
    assert reader.heard_open() == 3
    store.begin()
    store.heard.close("demo", [("a", 1), ("a", 2)])
    assert not store.heard.any("demo")
    store.commit()
    assert reader.heard_open() == 0
    for sql in (_ANY, _CLOSE):
        plan = [line for *_, line in reader.session.rows(f"EXPLAIN QUERY PLAN {sql}", ("demo", "k")[: sql.count("?")])]
        assert "heard_by_row" in " ".join(plan)


def test_an_older_store_is_told_what_is_still_refused(path: Path) -> None:
    """Read before its next start, all counts as open; the start sorts it by what was said."""
    store = Store.open(path, [SCHEMA])
    store.begin()
    told = [Refusal(publication="demo", key=fate.name, fate=int(fate)).SerializeToString() for fate in Fate]
    store.perform(SaveHeard("p.cn", told))
    store.commit()
    unfence(store.session.connection)
    store.begin()
    for sql in ("DROP INDEX heard_by_row", "DROP INDEX heard_open", "ALTER TABLE heard DROP COLUMN open"):
        store.session.run(sql)
    store.session.run("DELETE FROM _sqlite_migrations WHERE name IN (?, ?)", (NAMES[7], NAMES[12]))
    store.commit()
    store.close()
    for count in (4, 2):
        reader = Reader(path, [SCHEMA])
        assert (len(reader.heard(10)), reader.heard_open()) == (4, count)
        reader.close()
        Store.open(path, [SCHEMA]).close()


def test_tasks_invites_and_loads_are_read(both: tuple[Store, Reader]) -> None:
    """The last move of each task, the most recently moved first."""
    store, reader = both
    store.begin()
    store.perform(SaveMoves("t1", [MoveBody(task="t1", move_id="a", number=1), MoveBody(task="t1", move_id="b")]))
    store.perform(SaveMoves("t2", [MoveBody(task="t2", move_id="c", number=1)]))
    store.perform(SaveMoves("t1", [MoveBody(task="t1", move_id="d", number=2)]))
    store.invites.add(InviteState(invite()), 1)
    load = store.loads.start("demo", "a.csv", b"d" * 32, 1)
    store.loads.reject(load, b"d" * 32, [Reject(1, Reason.WRONG_TYPE, "", "x")])
    store.commit()
    assert [m.move_id for m in reader.tasks(10)] == ["d", "c"]
    assert [m.move_id for m in reader.tasks(1)] == ["d"]
    assert [m.number for m in reader.moves("t1")] == [1, 2]
    assert [m.move_id for m in reader.pending_moves("t1")] == ["b"]
    assert reader.pending_moves("t1", refused=True) == []
    assert [kept.state for kept in reader.invites()] == [InviteState(invite())]
    assert [entry.id for entry in reader.loads(5)] == [load]
    assert [r.line for r in reader.rejects(load, 5)] == [1]
    assert reader.meta("nothing") is None


def test_the_tasks_of_a_flow_are_all_read(both: tuple[Store, Reader]) -> None:
    """First and last move, by flow and issuer as they are said, not as texts that stand somewhere else."""
    store, reader = both
    store.begin()
    for task, flow, issuer in (
        ("t1", "W2", "a.cn"),
        ("t2", "W2", "b.a.cn"),
        ("t3", "W1", "a.cn"),
        ("W2", "W1", "a.cn"),
    ):
        first, last = (MoveBody(task=task, move_id=f"{task}{n}", flow=flow, issuer=issuer, number=n) for n in (1, 2))
        store.perform(SaveMoves(task, [first, last]))
    store.perform(SaveMoves("t1", [MoveBody(task="t1", move_id="t13", flow="W2", issuer="a.cn", number=3)]))
    store.commit()
    found = {issuer: reader.tasks_of("W2", issuer) for issuer in ("", "a.cn", "c.cn")}
    told = {issuer: [(first.move_id, last.move_id) for first, last in pairs] for issuer, pairs in found.items()}
    assert told == {"": [("t11", "t13"), ("t21", "t22")], "a.cn": [("t11", "t13")], "c.cn": []}


def test_a_reader_never_sees_half_a_transaction(path: Path) -> None:
    """While a writer in another thread replaces all rows again and again, each read sees one version of all of them."""
    started, seen = threading.Event(), threading.Event()
    faults: list[BaseException] = []

    def write() -> None:
        try:
            store = Store.open(path, [SCHEMA])
            try:
                for version in range(1, 400):
                    store.begin()
                    rows = [row(i, name=f"v{version}") for i in range(120)]
                    for half in (rows[:60], rows[60:]):
                        store.perform(UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, half, version))
                    store.commit()
                    started.set()
                    if seen.is_set():
                        break
            finally:
                store.close()
        except BaseException as fault:
            faults.append(fault)
            started.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert started.wait(30)
    reader = Reader(path, [SCHEMA])
    versions = set()
    try:
        while len(versions) < 3 and thread.is_alive():
            found = {(version, name) for version, name in reader.query("demo", columns=("_version", "name"))}
            assert len(found) == 1
            versions |= found
        with reader.snapshot():
            before = reader.query("demo", columns=("_version",), limit=1)
            assert {version for (version,) in reader.query("demo", columns=("_version",))} == {before[0][0]}
            assert reader.counts() == {"demo": 120}
    finally:
        seen.set()
        thread.join()
        reader.close()
    assert faults == []
    assert versions


def test_an_open_snapshot_does_not_hold_up_the_writer(both: tuple[Store, Reader]) -> None:
    """The writer commits while a reader is in the middle of a long look, which stays as it was."""
    store, reader = both
    with reader.snapshot():
        assert reader.count("demo") == 20
        store.begin()
        store.perform(UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, [row(99)], 2))
        store.commit()
        assert reader.count("demo") == 20
    assert reader.count("demo") == 21


def test_a_reader_opens_a_store_that_is_stopped(path: Path) -> None:
    """With the node stopped the database alone is enough."""
    store = Store.open(path, [SCHEMA])
    log = Log()
    log.add(1, [row(1)])
    receive(store, log)
    store.close()
    reader = Reader(path, [SCHEMA])
    counts = reader.counts()
    reader.close()
    assert counts == {"demo": 1}


def test_what_the_next_start_will_make_is_read_as_empty(path: Path) -> None:
    """No table yet, or one without the columns of a newer version: no rows and empty cells, and the file stays."""
    older = RowSchema("demo", 1, SCHEMA.columns[:-1], SCHEMA.key)
    other = RowSchema("other", 1, SCHEMA.columns, SCHEMA.key)
    store = Store.open(path, [older])
    store.begin()
    store.perform(UpsertRows("demo", ORIGIN, FEED, older.names, [row(1)[:-1]], 1))
    store.commit()
    store.close()
    reader = Reader(path, [SCHEMA, other])
    assert reader.query("demo") == [(*row(1)[:-1], None)]
    assert (reader.query("other"), reader.counts()) == ([], {"demo": 1, "other": 0})
    assert reader.read_rows("other", ORIGIN, [key(row(1))]) == {}
    assert (reader.heard(10), reader.heard_open()) == ([], 0)
    with pytest.raises(StoreFault):
        reader.session.run("DELETE FROM rows_demo")
    reader.close()
    again = Reader(path, [older])
    assert again.query("demo") == [row(1)[:-1]]
    again.close()


@pytest.mark.parametrize("size", [1, 3, 20, 50])
def test_pages_by_key_give_each_row_once_and_in_order(both: tuple[Store, Reader], size: int) -> None:
    """From behind the last key on, by the index alone, over a key of two columns."""
    _, reader = both
    found: list[Row] = []
    while page := reader.page("demo", ORIGIN, key(found[-1]) if found else None, SCHEMA.names, size):
        found += page
    assert found == reader.query("demo")
    assert reader.page("demo", "nobody", None, SCHEMA.names, size) == []
    asked: list[str] = []
    reader.session.connection.set_trace_callback(asked.append)
    some = reader.page("demo", ORIGIN, key(found[4]), ("part", "open"), size, '"part" >= ?', (8,))
    assert some == [(row[1], row[5]) for row in found[5:] if isinstance(row[1], int) and row[1] >= 8][:size]
    reader.session.connection.set_trace_callback(None)
    plan = " ".join(line[-1] for line in reader.session.rows(f"EXPLAIN QUERY PLAN {asked[-1]}"))
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan
