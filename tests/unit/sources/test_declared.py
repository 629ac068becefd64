"""What an administrator writes of a source: read whole, or all its mistakes at once; never with a password in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.faults import Code, UserFault
from node.sources import declared

DATABASE = """
title = "热线"
dataset = "case"
mapping = "to_stat_info"
every = "5m"
silent_after = "1d"
[database]
url = "postgresql+psycopg://reader@10.0.0.5:5432/umc"
password_file = "hotline.password"
table = "public.to_stat_info"
key = ["rec_id"]
watermark = "update_time"
compare_at = "02:30"
"""
FOLDER = 'kind = "folder"\ndataset = "case"\nmapping = "template"\n[folder]\npath = "/srv/in"\n'


def parsed(text: str, name: str = "hotline") -> declared.Declared:
    return declared.parse(Path(f"sources/{name}.toml"), text)


def test_a_database_is_declared_with_few_lines() -> None:
    """The rest has values that fit most: ten minutes of overlap, rows without a watermark too, a tenth may go."""
    found = parsed(DATABASE)
    assert (found.name, found.title, found.kind, found.every_s, found.silent_after_s) == (
        "hotline",
        "热线",
        "database",
        300,
        86_400,
    )
    database = found.database
    assert database is not None
    assert (database.overlap, database.overlap_is_time, database.empty_watermark) == (600, True, True)
    assert (database.page_rows, database.voids_percent_max, database.compare_at) == (5_000, 10, "02:30")


def test_a_folder_is_declared_with_fewer() -> None:
    """Files settle for half a minute; every quarter of an hour it is looked at at least."""
    found = parsed(FOLDER)
    assert found.folder is not None
    assert (found.folder.files, found.folder.done_file, found.folder.settle_s) == (
        ("*.csv", "*.xlsx", "*.jsonl"),
        False,
        30,
    )


WRONG = {
    "a password in the url": (DATABASE.replace("reader@", "reader:secret-word@"), "database.url", "must not hold"),
    "one in its query": (DATABASE.replace("/umc", "/umc?password=secret-word"), "database.url", "must not hold"),
    "one in a connect string": (DATABASE.replace("/umc", "/?odbc_connect=PWD%3Dsecret-word"), "database.url", "must"),
    "no table and no select": (DATABASE.replace("table =", "# "), "database.table", "exactly one"),
    "no key": (DATABASE.replace('["rec_id"]', "[]"), "database.key", "columns"),
    "an overlap that is no time": (DATABASE + 'overlap = "ten"\n', "database.overlap", "is not a time"),
    "an unknown key": (DATABASE + 'watermak = "x"\n', "database.watermak", "did you mean 'watermark'"),
    "a time of day that is none": (DATABASE.replace("02:30", "2.30"), "database.compare_at", "time of day"),
    "a time zone that is none": (DATABASE + 'time_zone = "Peking"\n', "database.time_zone", "time zone"),
    "the section of another kind": (DATABASE + '[folder]\npath = "/x"\n', "folder", "does not belong"),
    "a path from nowhere": (FOLDER.replace("/srv/in", "in"), "folder.path", "whole path"),
    "a pattern that leads out": (FOLDER + 'files = ["../*"]\n', "folder.files", "pattern"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_named_with_its_key(case: str) -> None:
    """And a password that stands where it should not is not said again."""
    text, key, words = WRONG[case]
    with pytest.raises(UserFault) as failed:
        parsed(text)
    said = str(failed.value.message)
    assert failed.value.code is Code.SOURCE_INVALID
    assert key in said
    assert words in said
    assert "secret-word" not in said


def test_the_name_of_the_file_is_the_name_of_the_source(tmp_path: Path) -> None:
    """One that is not declared is told with those that are."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "hotline.toml").write_text(DATABASE, "utf-8")
    (tmp_path / "sources" / "hotline.map.toml").write_text("", "utf-8")
    assert declared.names(tmp_path) == ["hotline"]
    assert declared.read(tmp_path, "hotline").name == "hotline"
    with pytest.raises(UserFault, match="hotline") as failed:
        declared.read(tmp_path, "other")
    assert failed.value.code is Code.SOURCE_UNKNOWN
    with pytest.raises(UserFault, match="lower-case"):
        parsed(DATABASE, "Hot line")


def test_nothing_is_declared_where_there_is_no_folder(tmp_path: Path) -> None:
    """Most nodes have none."""
    assert declared.names(tmp_path) == []
