"""A table of a real PostgreSQL and a real MariaDB comes in: everything once, whatever the update times say."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from node.faults import Code, UserFault
from node.sources import declared
from tests.integration.sources.conftest import MAPPING, Origin, Site
from tests.integration.sources.servers import PASSWORD, Server

DAY = "2026-03-01"


def row(number: int, changed: str | None = f"{DAY} 08:00:00", name: str = "a") -> tuple[str, str, int, str | None]:
    return (f"r{number:03d}", name, number, changed)


def counts(report: Any) -> tuple[int, int, int, int]:
    c = report.counts
    return (c.read, c.taken, c.unchanged, c.rejected)


def ids(origin: Origin) -> list[str]:
    return [found[0] for found in origin.site.rows("id")]


def test_rows_come_in_once_and_changes_after_them(origin: Origin) -> None:
    """Many with the same watermark over several pages; then only what is new, and what stands in the overlap again."""
    origin.put(*(row(n) for n in range(35)), row(35, f"{DAY} 12:00:00"))
    assert counts(origin.read()) == (36, 36, 0, 0)
    assert origin.site.rows() == [(f"r{n:03d}", "a", n) for n in range(36)]
    assert counts(origin.read()) == (1, 0, 1, 0)
    origin.put(row(3, f"{DAY} 13:00:00", "changed"))
    assert counts(origin.read()) == (2, 1, 1, 0)
    assert origin.site.rows()[3] == ("r003", "changed", 3)
    day = origin.site.state(origin.name)["day"]
    assert (day["read"], day["taken"], day["unchanged"], day["rejected"]) == (39, 37, 2, 0)


def test_a_late_commit_is_seen_inside_the_overlap_and_by_compare_outside(origin: Origin) -> None:
    """Its stamp is older than what was read. Beyond the window only a comparison of all keys finds it, and a reading
    from the beginning brings it."""
    origin.put(row(1, f"{DAY} 12:00:00"))
    origin.read()
    origin.put(row(2, f"{DAY} 11:30:00"), row(3, f"{DAY} 10:30:00"))
    origin.read()
    assert ids(origin) == ["r001", "r002"]
    found = origin.compare(dry_run=True)
    assert (found.held, found.missing, found.missing_keys, found.gone) == (3, 1, ['["r003"]'], 0)
    origin.site.ask("source.reset", source=origin.name)
    assert counts(origin.read()) == (3, 1, 2, 0)
    assert ids(origin) == ["r001", "r002", "r003"]


def test_a_database_that_goes_away_in_the_middle_loses_and_doubles_nothing(origin: Origin) -> None:
    """The server is killed after the first page: a clear fault; the rest comes when it is back, the first page not
    again. The password is in no message."""
    origin.put(*(row(n) for n in range(30)))
    killed = []

    def kill(_: object) -> None:
        if not killed:
            origin.server.kill()
            killed.append(True)

    found = declared.read(origin.site.home, origin.name)
    try:
        with pytest.raises(UserFault) as failed:
            origin.site.runner().database(found, kill)
        assert failed.value.code is Code.SOURCE_AWAY
        assert PASSWORD not in str(failed.value)
        state = origin.site.state(origin.name)
        assert state["fault"]
        assert (state["day"]["taken"], len(ids(origin))) == (10, 10)
        with pytest.raises(UserFault):
            origin.read()
    finally:
        origin.server.start()
    assert counts(origin.read()) == (20, 20, 0, 0)
    assert origin.site.rows() == [(f"r{n:03d}", "a", n) for n in range(30)]
    assert origin.site.state(origin.name)["fault"] == ""


def test_what_became_visible_while_a_reading_was_broken_off_is_read_afterwards(origin: Origin) -> None:
    """The reading that goes on begins behind the last page; the one after it before the place of the break."""
    origin.put(*(row(n, f"{DAY} 0{n // 10 + 5}:00:00") for n in range(30)))
    _first_page(origin)
    origin.put(row(99, f"{DAY} 04:30:00", "late"))
    assert counts(origin.read())[0] == 20
    assert "r099" not in ids(origin)
    origin.read()
    assert "r099" in ids(origin)


def _first_page(origin: Origin) -> None:
    runner = origin.site.runner()
    runner.database(declared.read(origin.site.home, origin.name), lambda _: runner.stop.set())


def test_a_stamp_of_the_future_hides_nothing(origin: Origin) -> None:
    """The clock of one machine behind the source is years ahead: its row comes in, and so do those after it."""
    origin.put(row(1, "2099-01-01 00:00:00"), row(2))
    origin.read()
    origin.put(row(3, _minutes_ago(origin.server, 1)))
    origin.read()
    assert ids(origin) == ["r001", "r002", "r003"]


def _minutes_ago(server: Server, minutes: int) -> str:
    now = dt.datetime.now(dt.timezone(dt.timedelta(hours=8)))
    return (now - dt.timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")


def test_rows_without_a_watermark_come_each_time_or_not_at_all(origin: Origin) -> None:
    """As declared: read every time, page by page in order of the key, or left out."""
    origin.put(*(row(n, None) for n in range(25)), row(30))
    assert counts(origin.read()) == (26, 26, 0, 0)
    origin.put(row(7, None, "changed"))
    assert counts(origin.read()) == (26, 1, 25, 0)
    origin.declare(empty_watermark='"skip"')
    assert counts(origin.read())[0] == 1


def test_a_number_may_be_the_watermark_and_a_small_table_needs_none(origin: Origin) -> None:
    """The overlap of a number is a number; without a watermark all of it is read each time."""
    origin.declare(watermark='"n"', overlap="2")
    origin.put(*(row(n) for n in range(20)))
    origin.read()
    origin.put(row(20))
    assert counts(origin.read()) == (4, 1, 3, 0)
    origin.declare(watermark="", overlap="")
    assert counts(origin.read()) == (21, 0, 21, 0)


def test_a_rejected_row_is_one_however_often_it_is_read(origin: Origin) -> None:
    """It is told by the source's own key; when it is corrected there, it comes in."""
    origin.put(row(1), row(2, name="a name that is much too long"))
    assert counts(origin.read()) == (2, 1, 0, 1)
    assert counts(origin.read()) == (2, 0, 1, 1)
    day = origin.site.state(origin.name)["day"]
    assert day["rejected"] == 1
    (load,) = (one for one in origin.site.ask("loads", limit=1)["loads"])
    (reject,) = origin.site.ask("rejects", load=load["load"])["rejects"]
    assert "id=r002: " in reject["detail"]
    assert (load["lines"], load["written"], load["unchanged"], load["rejected"]) == (4, 1, 1, 1)
    origin.put(row(2, f"{DAY} 09:00:00", "short"))
    assert counts(origin.read()) == (2, 1, 1, 0)


def test_a_key_that_stays_here_is_not_told(origin: Origin) -> None:
    """A reason names the source's key, unless that fills a column that is held back."""
    origin.declare(mapping='name = "m"\ndataset = "x_row"\n[columns]\nid = "name"\nsecret_name = "id"\ncount = "id"\n')
    origin.put(("13800001111", "a", 1, f"{DAY} 08:00:00"))
    report = origin.read()
    assert report.counts.rejected == 0 or "1380000" not in str(report.rejects[0].detail.fields.get("key", ""))
    origin.put(("telephone", "b", 1, f"{DAY} 08:00:00"))
    (reject,) = origin.read().rejects
    assert "id=" not in reject.detail.say()


UNFIT = {
    "the mapping names a column that the table does not have": (
        {},
        MAPPING.replace('"n"', '"nn"'),
        ("nn", "did you mean 'n'"),
    ),
    "the key is none of its columns": ({"key": '["idd"]'}, MAPPING, ("database.key", "idd")),
    "the watermark is none of its columns": ({"watermark": '"changd"'}, MAPPING, ("database.watermark", "changed")),
    "the table does not exist": ({"table": '"no_such_table"'}, MAPPING, ("no_such_table",)),
    "the select is none": ({"table": "", "select": '"SELEC id FROM x"'}, MAPPING, ("refuses",)),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_read_is_told_by_its_name(origin: Origin, case: str) -> None:
    """Before anything comes in; trying again would not help."""
    settings, mapping, words = UNFIT[case]
    origin.declare(mapping=mapping, **settings)
    with pytest.raises(UserFault) as failed:
        origin.read()
    assert failed.value.code is Code.SOURCE_INVALID
    said = str(failed.value.message)
    assert all(word in said for word in words), said
    assert PASSWORD not in said


def test_a_key_that_is_not_one_is_told(origin: Origin) -> None:
    """Two rows of the same key and watermark could fall between two pages: the reading stops, and says why."""
    origin.put(row(1, name="x"), row(2, name="x"))
    origin.declare(key='["name"]', page_rows="10")
    with pytest.raises(UserFault, match="same key") as failed:
        origin.read()
    assert failed.value.code is Code.SOURCE_INVALID
    with pytest.raises(UserFault, match="same in two"):
        origin.compare()


def test_a_wrong_password_is_told_without_it(origin: Origin) -> None:
    """Neither the password that was tried nor the address with it is in the message, nor what is kept of it."""
    path = origin.site.home / "sources" / f"{origin.name}.password"
    path.write_text("not-the-pass-word")
    with pytest.raises(UserFault) as failed:
        origin.read()
    assert failed.value.code is Code.SOURCE_AWAY
    assert "not-the-pass-word" not in f"{failed.value} {failed.value.next_step} {origin.site.state(origin.name)}"
    path.chmod(0o640)
    with pytest.raises(UserFault) as failed:
        origin.read()
    assert failed.value.code is Code.KEY_CUSTODY


def test_rows_that_are_gone_are_voided(origin: Origin) -> None:
    """Only what is gone; a dry run tells the keys and does nothing."""
    origin.put(*(row(n) for n in range(40)))
    origin.read()
    origin.drop("r003", "r017")
    rehearsed = origin.compare(dry_run=True)
    assert (rehearsed.gone, rehearsed.gone_keys, rehearsed.voided) == (2, ['["r003"]', '["r017"]'], 0)
    assert len(ids(origin)) == 40
    found = origin.compare()
    assert (found.held, found.brought, found.gone, found.voided) == (38, 40, 2, 2)
    assert "r003" not in ids(origin)
    assert len(ids(origin)) == 38
    assert origin.compare().gone == 0
    day = origin.site.state(origin.name)["day"]
    assert (day["voided"], day["held"]) == (2, 38)


def test_more_than_the_share_that_may_go_is_refused(origin: Origin) -> None:
    """An emptied table does not empty the platform; who means it says how many."""
    origin.put(*(row(n) for n in range(20)))
    origin.read()
    origin.drop("r001", "r002", "r003")
    with pytest.raises(UserFault) as failed:
        origin.compare()
    assert failed.value.code is Code.SOURCE_GUARDED
    assert len(ids(origin)) == 20
    with pytest.raises(UserFault):
        origin.compare(allow=2)
    assert origin.compare(allow=3).voided == 3
    origin.server.query(f"DELETE FROM {origin.table}")
    origin.declare(voids_percent_max="100")
    with pytest.raises(UserFault) as failed:
        origin.compare()
    assert failed.value.code is Code.SOURCE_GUARDED
    assert len(ids(origin)) == 17


def test_a_row_that_another_source_has_too_stays(site: Site, server: Server) -> None:
    """And one that no source brought is nobody's to void."""
    one, other = Origin(site, server), Origin(site, server)
    for origin in (one, other):
        origin.declare()
        origin.put(*(row(n) for n in range(20)))
        origin.read()
    site.do(_put_by_hand(site))
    one.drop("r005")
    found = one.compare()
    assert (found.gone, found.voided, found.kept) == (1, 0, 1)
    assert {"r005", "by-hand"} <= set(ids(one))
    other.drop("r005")
    assert other.compare().voided == 1
    assert "r005" not in ids(one)
    assert "by-hand" in ids(one)


async def _put_by_hand(site: Site) -> None:
    await site.net["nation"].put("x_row", ("id",), [("by-hand",)])


def test_a_comparison_that_breaks_off_voids_nothing(origin: Origin) -> None:
    """The server is killed while it lists its keys."""
    origin.put(*(row(n) for n in range(30)))
    origin.read()
    found = declared.read(origin.site.home, origin.name)
    try:
        with pytest.raises(UserFault) as failed:
            origin.site.runner().compare(found, lambda _: origin.server.kill())
        assert failed.value.code is Code.SOURCE_AWAY
        assert len(ids(origin)) == 30
    finally:
        origin.server.start()
    assert origin.compare().gone == 0


def test_a_changed_declaration_is_read_from_the_beginning(origin: Origin) -> None:
    """Another mapping makes other rows of the same records: they come in again, by themselves."""
    origin.put(row(1), row(2, f"{DAY} 20:00:00"))
    origin.read()
    origin.declare(mapping='name = "m"\ndataset = "x_row"\n[columns]\nid = "id"\nname = "name"\n')
    assert counts(origin.read()) == (2, 2, 0, 0)
    assert origin.site.rows() == [("r001", "a", None), ("r002", "a", None)]


def test_a_dry_run_reads_and_leaves_no_trace(origin: Origin) -> None:
    """The door says what it would do."""
    origin.put(row(1), row(2, name="a name that is much too long"))
    assert counts(origin.read(dry_run=True)) == (2, 1, 0, 1)
    assert ids(origin) == []
    assert counts(origin.read()) == (2, 1, 0, 1)


def test_a_select_may_hold_what_sql_holds(origin: Origin) -> None:
    """Colons, casts, percent signs and a semicolon are the server's business; names are found in any case."""
    origin.put(row(1), row(2, name="b%:x"))
    select = f"SELECT id AS ID, name, n + 0 AS n, changed, '12:30 :x' AS c FROM {origin.table} WHERE name LIKE 'b%:x';"
    origin.declare(table="", select=f'"""{select}"""')
    assert counts(origin.read()) == (1, 1, 0, 0)
    assert ids(origin) == ["r002"]


TYPED = """name = "m"
dataset = "x_row"
[columns]
id = "id"
name = "t"
amount = "amount"
open = "open"
day = "day"
at = "at"
raw = "photo"
"""


def test_columns_of_every_type_arrive_as_the_mapping_wants(site: Site, server: Server) -> None:
    """NUMERIC keeps its digits, BLOB its bytes, a time without offset is of the declared zone, TIME is a text."""
    origin = Origin(site, server)
    blob, bit, one = ("longblob", "bit(1)", "1") if server.is_mariadb else ("bytea", "boolean", "true")
    photo = "0x00ff" if server.is_mariadb else r"'\x00ff'"
    server.query(
        f"CREATE TABLE typed_{origin.name} (id int PRIMARY KEY, t time, amount numeric(20, 4), open {bit}, day date,"
        f" at timestamp NULL, photo {blob})",
        *(["SET time_zone = '+08:00'"] if server.is_mariadb else []),
        f"INSERT INTO typed_{origin.name} VALUES (7, '08:05:09', 12345678901234.5600, {one}, '2026-02-03',"
        f" '2026-02-03 00:00:00', {photo}), (8, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    origin.declare(mapping=TYPED, table=f'"typed_{origin.name}"', watermark='"at"')
    report = origin.read()
    assert counts(report) == (2, 2, 0, 0), report.rejects
    at = int(dt.datetime(2026, 2, 2, 16, tzinfo=dt.UTC).timestamp()) * 1_000_000
    assert site.rows("id", "name", "amount", "open", "day", "at", "raw") == [
        ("7", "08:05:09", "12345678901234.5600", True, "2026-02-03", at, b"\x00\xff"),
        ("8", None, None, None, None, None, None),
    ]


def test_a_date_that_is_none_is_rejected_and_hides_nothing(site: Site, running_mariadb: Server) -> None:
    """Old MariaDB tables hold 0000-00-00: as a watermark it stands before all others, as a cell it is no date."""
    origin = Origin(site, running_mariadb)
    origin.declare(mapping='name = "m"\ndataset = "x_row"\n[columns]\nid = "id"\nat = "changed"\n', page_rows="10")
    origin.put(*(row(n, "0000-00-00 00:00:00") for n in range(12)), row(20))
    assert counts(origin.read()) == (13, 1, 0, 12)
    assert ids(origin) == ["r020"]


def test_two_processes_never_read_one_source(origin: Origin) -> None:
    """The second is told, and waits for its next time."""
    runner = origin.site.runner()
    with runner._alone(origin.name), pytest.raises(UserFault) as failed:
        origin.read()
    assert failed.value.code is Code.SOURCE_BUSY
