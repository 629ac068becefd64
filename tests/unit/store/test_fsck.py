"""fsck finds each kind of damage, names it, and finds nothing in a sound store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from node.store.checks import Fault
from node.store.fsck import Report, check_file, check_store
from node.store.store import Store
from sync.effects import (
    DeleteRows,
    FateRow,
    OutboxItem,
    Queue,
    SaveFates,
    SaveFeed,
    SaveMeta,
    UpsertRows,
)
from sync.limits import GROUP_LEAP
from sync.payload import encode_records
from sync.reasons import Reason
from sync.registry import Registry
from sync.rows import End, EndKind, row_hash, shift_digest
from sync.values import Fate, FeedName, Kind, Lane, Route, Row
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_ENROLLED, AnchorBody, Closing, EnrolmentRecord
from tests.unit.store.world import (
    EPOCH,
    FEDERATION,
    FEED,
    FEW,
    INSTANCE,
    KEYS,
    NEW_SIGNER,
    NODE,
    ORIGIN,
    OTHER_FEED,
    SCHEMA,
    SIGNER,
    Key1,
    Log,
    few,
    key,
    publish,
    receive,
    row,
    rules,
    state_of,
    tell,
)


def filled(store: Store) -> Log:
    """Two feeds of one origin, some rows in both, one row gone, a large and many small payloads."""
    log = Log()
    log.add(1, [row(i) for i in range(60)])
    log.add(2, [row(3, name="新")], sealed=False)
    log.add(3, [], [End(key(row(4)), EndKind.VOID)])
    log.add(4, [row(200)])
    receive(store, log)
    other = Log(OTHER_FEED, FEW)
    other.add(2, [few(row(i)) for i in range(5, 9)])
    other.add(5, [few(row(6, name="后"))])
    receive(store, other)
    return log


def sql(store: Store, statement: str, *parameters: object) -> None:
    """Damage done behind the store's back."""
    assert store.session.connection.execute(statement, parameters).rowcount != 0


def faults(report: Report) -> set[str]:
    return {finding.fault.name for finding in report.findings}


def test_a_sound_store_has_no_findings(store: Store) -> None:
    """Everything is counted, and nothing is wrong."""
    filled(store)
    report = check_store(store.session, rules())
    assert report.findings == []
    assert report.sound
    assert (report.feeds, report.epochs, report.entries, report.seals) == (2, 2, 6, 5)
    assert report.rows == 60 + 4


def flip(table: str, column: str, where: str) -> Callable[[Store], None]:
    """Changes one byte of a blob."""
    statement = f"UPDATE {table} SET {column} = CAST(substr({column}, 1, 20) || X'41' || substr({column}, 22) AS BLOB)"
    return lambda store: sql(store, f"{statement} WHERE {where}")


def change(*statements: str) -> Callable[[Store], None]:
    def do(store: Store) -> None:
        for statement in statements:
            sql(store, statement)

    return do


SECOND = "id = (1 << 40 | 2)"
DAMAGES: Mapping[str, tuple[Callable[[Store], None], str]] = {
    "a byte of a header": (flip("log", "header", SECOND), "HEADER_HASH"),
    "a header that is no header": (change(f"UPDATE log SET header = X'FFFF' WHERE {SECOND}"), "HEADER_UNREADABLE"),
    "a byte of a stored header hash": (flip("log", "header_hash", SECOND), "PREV"),
    "a byte of an inline payload": (flip("log", "payload", SECOND), "PAYLOAD_DIGEST"),
    "a byte of a large payload": (flip("payload", "bytes", "id = 1"), "PAYLOAD_DIGEST"),
    "a payload cut short": (change(f"UPDATE log SET payload = X'00' WHERE {SECOND}"), "PAYLOAD_SIZE"),
    "a kept plain size": (change(f"UPDATE log SET plain_size = 1 WHERE {SECOND}"), "PAYLOAD_SIZE"),
    "a kept number of rows": (change(f"UPDATE log SET rows = 9999 WHERE {SECOND}"), "PAYLOAD_SIZE"),
    "a large payload gone": (change("DELETE FROM payload WHERE id = 1"), "PAYLOAD_MISSING"),
    "a byte of a seal": (flip("log", "seal", "id = (1 << 40 | 3)"), "SEAL"),
    "the last seal gone": (change("UPDATE log SET seal = X'' WHERE id = (1 << 40 | 4)"), "UNSEALED"),
    "an entry in the middle gone": (change(f"DELETE FROM log WHERE {SECOND}"), "SEQ"),
    "the last entry gone": (change("DELETE FROM log WHERE id = (1 << 40 | 4)"), "HEAD"),
    "a whole log gone": (change("DELETE FROM log WHERE id < (2 << 40)"), "HEAD"),
    "a byte of a head": (flip("feed_state", "hash", "feed = 1"), "HEAD"),
    "a wrong count of entries": (change("UPDATE feed_state SET entries = 99 WHERE feed = 1"), "ENTRIES"),
    "a wrong count of parked rows": (change("UPDATE feed_state SET parked = 1 WHERE feed = 1"), "PARKED"),
    "a count of a day": (change("UPDATE feed_day SET rows = rows + 1 WHERE chain = 1"), "DAY_COUNTS"),
    "a state gone": (change("DELETE FROM feed_state WHERE feed = 1"), "STATE_MISSING"),
    "a byte of a row digest": (flip("feed_state", "digest", "feed = 1"), "DIGEST"),
    "a row altered": (change("UPDATE rows_demo SET name = 'x' WHERE part = 1 AND id = 'c000002'"), "ROW_DIFFERS"),
    "a held-back cell filled": (change("UPDATE rows_demo SET _version = 9 WHERE id = 'c000020'"), "ROW_DIFFERS"),
    "a row added": (
        change(
            "INSERT INTO rows_demo (_origin, id, part, _version, _feed, _columns) SELECT _origin, 'new', 1, 1, 1, 1 "
            "FROM rows_demo LIMIT 1"
        ),
        "ROW_EXTRA",
    ),
    "a row removed": (change("DELETE FROM rows_demo WHERE id = 'c000002'"), "ROW_MISSING"),
    "a row that no feed carries": (change("UPDATE rows_demo SET _feed = NULL WHERE id = 'c000002'"), "ROW_EXTRA"),
    "a row under an unknown feed": (change("UPDATE rows_demo SET _feed = 77 WHERE id = 'c000002'"), "ROW_EXTRA"),
    "a row moved to another origin": (
        change(
            "INSERT INTO node VALUES (77, 'x.cn') ON CONFLICT DO NOTHING",
            "UPDATE rows_demo SET _origin = 77 WHERE id = 'c000002'",
        ),
        "ROW_EXTRA",
    ),
    "a row moved to no origin": (change("UPDATE rows_demo SET _origin = 77 WHERE id = 'c000002'"), "ROW_EXTRA"),
    "an image altered": (change("UPDATE row_image SET version = 9 WHERE feed = 2"), "ROW_DIFFERS"),
    "an image gone": (change("DELETE FROM row_image WHERE feed = 2"), "ROW_MISSING"),
    "a shared row altered": (
        change("UPDATE rows_demo SET name = 'x' WHERE part = 6 AND id = 'c000000'"),
        "ROW_COMBINED",
    ),
    "a shared row removed": (change("DELETE FROM rows_demo WHERE part = 6 AND id = 'c000000'"), "ROW_MISSING"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_found_and_named(store: Store, damage: str) -> None:
    """One planted damage gives a finding of its kind, which names the feed and says what to do."""
    filled(store)
    harm, fault = DAMAGES[damage]
    harm(store)
    report = check_store(store.session, rules())
    assert not report.sound
    assert fault in faults(report)
    for finding in report.findings:
        assert finding.fault.remedy in str(finding)
        assert str(finding.feed) in str(finding)


def test_a_finding_names_the_entry_and_the_row(store: Store) -> None:
    """An administrator can read out which feed, seq and key it is."""
    filled(store)
    sql(store, "UPDATE rows_demo SET name = 'x' WHERE part = 1 AND id = 'c000002'")
    sql(store, "UPDATE log SET seal = X'00' WHERE id = (1 << 40 | 3)")
    found = {f.fault: f for f in check_store(store.session, rules()).findings}
    assert found[Fault.SEAL].seq == 3
    assert found[Fault.SEAL].feed == FEED
    assert found[Fault.ROW_DIFFERS].key == '["c000002", 1]'


WRONG_WORLDS: Mapping[str, tuple[dict[str, object], str]] = {
    "another federation": ({"federation": "real"}, "WRONG_FEED"),
    "no key": ({"key_of": lambda origin, enrolment: None}, "KEY_UNKNOWN"),
    "another key": ({"key_of": lambda origin, enrolment: (1, bytes(32))}, "SEAL"),
    "another suite enrolled": ({"key_of": lambda origin, enrolment: (2, bytes(32))}, "SUITE"),
    "no such suite": ({"suites": {}}, "SUITE"),
}


@pytest.mark.parametrize("case", WRONG_WORLDS)
def test_a_log_of_another_world_is_found(store: Store, case: str) -> None:
    """Bytes that are whole and not ours are findings too."""
    filled(store)
    changed, fault = WRONG_WORLDS[case]
    assert fault in faults(check_store(store.session, rules(**changed)))


FATES = (
    FateRow(1, 1, "demo", '["c000000", 2]', Fate.REFUSED, Reason.OUT_OF_SCOPE, ""),
    FateRow(2, -1, "demo", "", Fate.PARKED, Reason.UNKNOWN_DATASET, ""),
    FateRow(1, 2, "demo", "", Fate.APPLIED, Reason.UNKNOWN_CODE, ""),
)


def judged(store: Store, fates: Sequence[FateRow], in_effect: Sequence[Row]) -> None:
    """Two entries of which only some rows are in effect, and fates that say so (or not)."""
    log = Log()
    log.add(1, [row(1), row(2), row(3)])
    log.add(2, [row(9)])
    log.changes = [log.changes[0]._replace(puts=list(in_effect))]
    state = receive(store, log)
    state.parked = sum(fate.fate is Fate.PARKED for fate in fates)
    store.begin()
    store.perform(SaveFates(FEED, EPOCH, fates))
    store.perform(SaveFeed(state))
    store.commit()


def test_refused_and_parked_rows_are_left_out_of_the_replay(store: Store) -> None:
    """Rows that the fates say are not in effect need not be in the tables; one that came into effect must be."""
    judged(store, FATES, [row(1), row(3)])
    tell(store, FATES)
    assert check_store(store.session, rules()).findings == []
    sql(store, "DELETE FROM fate WHERE place = 1")
    assert faults(check_store(store.session, rules())) == {"ROW_MISSING", "DIGEST", "FATE_MISSING"}


def test_a_row_hidden_behind_a_made_up_fate_is_found(store: Store) -> None:
    """Row, digest and counts fit a fate that was put in: but this node never told the row's origin of it."""
    judged(store, FATES, [row(1), row(3)])
    tell(store, FATES[1:])
    (found,) = check_store(store.session, rules()).findings
    assert (found.fault, found.feed, found.seq, found.key) == (Fault.FATE_UNTOLD, FEED, 1, FATES[0].key)


def test_a_refused_row_that_was_put_in_is_found(store: Store) -> None:
    """The fate is gone, and row, digest and counts say that it was let in: this node told otherwise."""
    judged(store, FATES[1:], [row(1), row(2), row(3)])
    tell(store, FATES)
    (found,) = check_store(store.session, rules()).findings
    assert (found.fault, found.seq, found.key) == (Fault.FATE_MISSING, 1, FATES[0].key)


def turned_back(store: Store) -> None:
    """A row came into effect after it had waited; behind the store's back it waits again, and all counts fit."""
    waiting = FATES[2]._replace(fate=Fate.PARKED)
    judged(store, (*FATES[:2], waiting), [row(1)])
    tell(store, (*FATES[:2], waiting, FATES[2]))


def test_a_row_in_effect_that_was_turned_back_to_waiting_is_found(store: Store) -> None:
    """It was told to wait, so the fate is no made-up one; but the last word of this node was that it applied."""
    turned_back(store)
    (found,) = check_store(store.session, rules()).findings
    assert (found.fault, found.seq, found.detail) == (Fault.FATE_MISSING, 1, "demo, applied")


LOST = {
    "another instance": {"instance": b"another instance", "group": 0},
    "before a recovery": {"instance": INSTANCE, "group": GROUP_LEAP},
    "while a tail comes back": {"republish": 1},
}


@pytest.mark.parametrize("metas", LOST.values(), ids=LOST)
def test_what_a_lost_life_told_is_not_held_against_the_tables(store: Store, metas: dict[str, int | bytes]) -> None:
    """A node that came back judges again what it fetches again: it may know more than then, or not as much yet."""
    turned_back(store)
    store.begin()
    for name, value in metas.items():
        store.perform(SaveMeta(name, value))
    store.commit()
    assert check_store(store.session, rules()).findings == []


def test_refusals_that_were_only_counted_vouch_for_as_many_fates(store: Store) -> None:
    """An entry lists so many refusals; the rest of its feed's are a number."""
    judged(store, FATES, [row(1), row(3)])
    tell(store, FATES[1:], not_listed=1)
    assert check_store(store.session, rules()).findings == []
    sql(store, "INSERT INTO fate SELECT chain, seq, 0, dataset, 'x', fate, reason, detail FROM fate WHERE place = 1")
    assert "FATE_UNTOLD" in faults(check_store(store.session, rules()))


def enrolled(
    closed: tuple[bytes, int] | None = None, *, key_lost: bool = False, publication: str = FEED.publication
) -> Registry:
    """ORIGIN below NODE in two versions; the second may close the first."""
    registry = Registry(FEDERATION)
    anchor = AnchorBody(
        federation=FEDERATION, nation=NODE, enrolment=1, suite=1, log_public_key=b"a", serial=1, region="330000"
    )
    assert registry.set_anchor(anchor) is Reason.NONE
    for version, (suite, public_key) in KEYS.items():
        record = EnrolmentRecord(
            node=ORIGIN,
            parent=NODE,
            version=version,
            suite=suite,
            log_public_key=public_key,
            transport_key_hash=bytes(32),
            status=ENROLMENT_STATUS_ENROLLED,
            key_lost=key_lost and version > 1,
            closes_older=closed is not None and version > 1,
        )
        if closed is not None and version > 1:
            record.closings.append(Closing(publication=publication, epoch=closed[0], seq=closed[1]))
        assert registry.admit(NODE, record) == (Reason.NONE, "")
    return registry


@pytest.mark.parametrize(
    ("by", "registry", "expected"),
    [
        (SIGNER, enrolled(), set()),
        (NEW_SIGNER, enrolled(), {"ADOPTION"}),
        (NEW_SIGNER, enrolled((EPOCH, 2), key_lost=True), set()),
        (SIGNER, enrolled((EPOCH, 1)), {"CLOSED"}),
        (SIGNER, enrolled((b"x" * 16, 9)), set()),
        (SIGNER, enrolled((b"", 0)), {"CLOSED"}),
    ],
    ids=["old key", "own key", "lost key", "closed before", "closed in an epoch to come", "closed from the start"],
)
def test_a_feed_passes_to_a_new_enrolment_by_the_receivers_rules(
    store: Store, by: Key1, registry: Registry, expected: set[str]
) -> None:
    """The old key signs the adoption unless it is lost; no entry of a version stands beyond where it was closed."""
    log = Log()
    log.add(1, [row(1)])
    log.add(2, [row(2)])
    log.adopt(NEW_SIGNER, by)
    log.add(3, [row(3)])
    receive(store, log)
    assert faults(check_store(store.session, rules(registry=registry))) == expected


@pytest.mark.parametrize(("disputed_from", "expected"), [(0, {"CLOSED"}), (2, set()), (3, {"CLOSED"})])
def test_what_is_marked_as_disputed_is_known_to_stand_beyond_a_closing(
    store: Store, disputed_from: int, expected: set[str]
) -> None:
    """The record came later than the entries; they are kept, and a person has been told."""
    log = Log()
    log.add(1, [row(1)])
    log.add(2, [row(2)])
    state = receive(store, log)
    state.disputed_from = disputed_from
    store.begin()
    store.perform(SaveFeed(state))
    store.commit()
    assert faults(check_store(store.session, rules(registry=enrolled((EPOCH, 1))))) == expected


@pytest.mark.parametrize(("limit", "expected"), [((EPOCH, 2), set()), ((EPOCH, 1), {"OWN_CLOSED"})])
def test_an_own_feed_is_held_against_the_word_that_closed_it(
    store: Store, limit: tuple[bytes, int], expected: set[str]
) -> None:
    """A node that lost its key and kept its store may have sealed what nobody will take: its feed is at an end."""
    log, state = Log(OTHER_FEED, FEW), state_of(OTHER_FEED)
    publish(store, log, 1, [row(1)], state)
    publish(store, log, 2, [row(2)], state)
    registry = enrolled(limit, publication=OTHER_FEED.publication)
    report = check_store(store.session, rules(ORIGIN, published=published, registry=registry))
    assert faults(report) == expected
    assert all("new epoch" in str(finding) for finding in report.findings)


def test_a_new_enrolment_without_adoption_is_found(store: Store) -> None:
    """Sealed by the new key, and nothing says that the old one agreed."""
    log = Log()
    log.add(1, [row(1)])
    log.signer, log.enrolment = NEW_SIGNER, 2
    log.add(2, [row(2)])
    receive(store, log)
    assert faults(check_store(store.session, rules(registry=enrolled()))) == {"ADOPTION"}


def test_a_feed_that_is_only_carried_has_no_rows_here(store: Store) -> None:
    """A relay keeps the entries and not the rows."""
    log = Log()
    log.add(1, [row(1)])
    log.changes = []
    receive(store, log)
    assert check_store(store.session, rules(applies=lambda feed, route: False)).findings == []
    assert "ROW_MISSING" in faults(check_store(store.session, rules()))


def test_entries_that_cannot_be_read_here_are_told_and_not_taken_for_damage(store: Store) -> None:
    """A catalogue that has lost a dataset leaves its feeds unchecked by replay."""
    log = Log()
    log.add(1, [row(1)])
    receive(store, log)
    report = check_store(store.session, rules(schema_of=lambda publication, dataset: None))
    assert report.sound
    assert any("cannot be read" in said for said in report.unchecked)


def published(dataset: str, whole: Row) -> dict[FeedName, tuple[tuple[str, ...], Row]]:
    return {OTHER_FEED: (FEW, few(whole)), FeedName(ORIGIN, "nowhere"): (FEW, few(whole))}


def origin_store(store: Store) -> None:
    log, state = Log(OTHER_FEED, FEW), state_of(OTHER_FEED)
    publish(store, log, 1, [row(i) for i in range(5)], state)
    waiting = row(7)
    encoded = encode_records("demo", FEW, [few(waiting)], [])
    cells = tuple(c if n in FEW else None for n, c in zip(SCHEMA.names, waiting, strict=True))
    state.digest = shift_digest(state.digest, row_hash(2, cells), 0)
    state.rows += 1
    item = OutboxItem(
        1,
        OTHER_FEED,
        Route.PARENT,
        Lane.BULK,
        Kind.RECORDS,
        encoded.codec,
        encoded.payload,
        encoded.plain_size,
        1,
        1,
        2,
    )
    store.begin()
    store.perform(UpsertRows("demo", ORIGIN, None, SCHEMA.names, [waiting], 2))
    store.perform(Queue(item))
    store.perform(SaveFeed(state))
    store.commit()


def test_at_the_origin_feeds_and_outbox_equal_the_rows(store: Store) -> None:
    """What was sealed and what waits say together what the publications make of the table."""
    origin_store(store)
    report = check_store(store.session, rules(ORIGIN, published=published))
    assert report.findings == []
    assert report.unchecked == []
    assert report.rows == 6


OWN_DAMAGES: Mapping[str, tuple[Callable[[Store], None], set[str]]] = {
    "own row altered": (change("UPDATE rows_demo SET name = 'x' WHERE part = 2"), {"PUBLISHED_DIFFERS"}),
    "own row removed": (change("DELETE FROM rows_demo WHERE part = 2"), {"PUBLISHED_EXTRA"}),
    "own row added": (
        change("INSERT INTO rows_demo (_origin, id, part, _version) SELECT _origin, 'n', 1, 1 FROM rows_demo LIMIT 1"),
        {"PUBLISHED_MISSING"},
    ),
    "held-back cell altered": (change("UPDATE rows_demo SET photo = X'AA' WHERE part = 2"), set()),
    "outbox lost": (change("DELETE FROM outbox"), {"PUBLISHED_MISSING", "DIGEST"}),
}


@pytest.mark.parametrize("damage", OWN_DAMAGES)
def test_damage_at_the_origin_is_found(store: Store, damage: str) -> None:
    """Each row's published image is compared with its feeds; a held-back column is nobody's business."""
    origin_store(store)
    harm, expected = OWN_DAMAGES[damage]
    harm(store)
    assert faults(check_store(store.session, rules(ORIGIN, published=published))) == expected


def test_a_recovering_origin_is_not_compared_with_its_feeds(store: Store) -> None:
    """Until the outbox is made anew, rows and feeds differ rightly; the report says that it did not look."""
    origin_store(store)
    sql(store, "DELETE FROM rows_demo WHERE part = 2")
    store.begin()
    store.perform(SaveMeta("recovering", 1))
    store.commit()
    report = check_store(store.session, rules(ORIGIN, published=published))
    assert report.sound
    assert any("getting back" in said for said in report.unchecked)


def test_a_file_is_checked_beside_a_running_writer(path: Path) -> None:
    """fsck opens its own read-only connection and sees what is committed."""
    store = Store.open(path, [SCHEMA])
    try:
        filled(store)
        store.begin()
        store.perform(DeleteRows("demo", ORIGIN, [key(row(1))]))
        assert check_file(path, rules()).findings == []
        store.commit()
        assert faults(check_file(path, rules())) == {"ROW_MISSING", "DIGEST"}
    finally:
        store.close()
