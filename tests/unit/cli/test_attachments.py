"""attach, attachment list, show, remove; and fsck of what they keep."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from node.attachments.files import FOLDER
from node.demo.reader import catalogue_of
from tests import pictures
from tests.integration.filled import Filler
from tests.integration.kit import node_of
from tests.unit.cli.conftest import Call, Country

REPORT = "work_task_report"


def attached(call: Call, home: str, path: Path, data: bytes) -> dict[str, Any]:
    path.write_bytes(data)
    called = call("attach", str(path), "--home", home, "--json")
    assert called.code == 0, called.out
    (one,) = called.json["attachments"]
    assert isinstance(one, dict)
    return one


def test_a_picture_is_attached_and_shown(country: Country, call: Call, tmp_path: Path) -> None:
    """Its SHA-256 is told, and what was taken out of it; it is listed with the rows that name it."""
    home = country.home("city")
    one = attached(call, home, tmp_path / "a.jpg", pictures.jpeg(seed=11))
    assert "Exif" in one["removed"]
    assert one["new"]
    assert not attached(call, home, tmp_path / "again.jpg", pictures.jpeg(seed=11))["new"]
    shown = call("attachment", "show", one["hash"], "--home", home, "--json").json
    assert (shown["here"], shown["own"], shown["references"]) == (True, True, [])
    listed = call("attachment", "list", "--home", home, "--limit", "1000", "--json").json
    assert one["hash"] in [held["hash"] for held in listed["attachments"]]
    text = call("attachment", "list", "--home", home, "--limit", "1000").out
    assert one["hash"] in text
    assert one["hash"] in call("attachment", "show", one["hash"], "--home", home).out


def test_files_that_are_not_taken_are_told_one_by_one(country: Country, call: Call, tmp_path: Path) -> None:
    """The good ones are in; the exit code says that not all were."""
    (tmp_path / "a.jpg").write_bytes(b"MZ" + bytes(50))
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(pictures.png())
    home = country.home("city")
    names = [str(tmp_path / name) for name in ("a.jpg", "b.png", "none.jpg")]
    called = call("attach", *names, "--home", home, "--json")
    assert called.code == 3
    assert (called.json["taken"], called.json["refused"]) == (1, 2)
    assert [one.get("error", {}).get("name", "") for one in called.json["attachments"]] == [
        "ATTACHMENT_REFUSED", "", "FILE_MISSING"
    ]  # fmt: skip
    words = call("attach", *names, str(tmp_path / "empty.jpg"), "--home", home)
    assert words.code == 3
    assert "E1851" in words.err
    assert "It is empty" in words.err
    assert "of no kind that is known" in words.err


def test_files_for_which_there_is_no_room_are_told_beside_those_that_are_in(
    country: Country, call: Call, tmp_path: Path
) -> None:
    """Else nobody would learn what the ones before are called by."""
    here = node_of(country.net["city"]).attachments
    settings, names = here.settings, [str(tmp_path / name) for name in ("a.jpg", "b.png")]
    Path(names[0]).write_bytes(pictures.jpeg(seed=21))
    Path(names[1]).write_bytes(pictures.png(mode="RGB"))
    call("attach", names[0], "--home", country.home("city"))
    used = int(country.do(here.shown())["used_bytes"])
    here.settings = replace(settings, quota_bytes=used)
    try:
        called = call("attach", *names, "--home", country.home("city"), "--json")
    finally:
        here.settings = settings
    assert called.code == 3
    first, second = called.json["attachments"]
    assert (len(first["hash"]), second["error"]["name"]) == (64, "ATTACHMENTS_FULL")


def test_what_is_fetched_is_written_over_nothing(country: Country, call: Call, tmp_path: Path) -> None:
    home = country.home("city")
    one = attached(call, home, tmp_path / "a.jpg", pictures.jpeg(seed=22))
    called = call("attachment", "fetch", one["hash"], "--to", str(tmp_path / "a.jpg"), "--home", home, "--json")
    assert (called.code, called.json["error"]["name"]) == (3, "FILE_EXISTS")
    assert (tmp_path / "a.jpg").read_bytes() == pictures.jpeg(seed=22)


def test_a_dry_run_keeps_nothing(country: Country, call: Call, tmp_path: Path) -> None:
    """Neither of attach nor of remove."""
    home, path = country.home("city"), tmp_path / "a.webp"
    path.write_bytes(pictures.webp(lossless=True))
    (one,) = call("attach", str(path), "--home", home, "--dry-run", "--json").json["attachments"]
    assert (one["hash"], one["kind"]) == ("", "webp")
    one = attached(call, home, path, pictures.jpeg(seed=12))
    gone = call("attachment", "remove", one["hash"], "--reason", "x", "--dry-run", "--home", home, "--json").json
    assert not gone["removed"]
    assert call("attachment", "show", one["hash"], "--home", home, "--json").json["here"]


def test_what_is_removed_is_gone_with_a_reason_in_the_audit(country: Country, call: Call, tmp_path: Path) -> None:
    """Its bytes; what named it goes on naming it."""
    home = country.home("city")
    one = attached(call, home, tmp_path / "a.jpg", pictures.jpeg(seed=13))
    assert call("attachment", "remove", one["hash"], "--reason", "  ", "--home", home).code == 2
    assert call("attachment", "remove", one["hash"], "--reason", "asked by its subject", "--home", home).code == 0
    assert not list((Path(home) / FOLDER).rglob(one["hash"]))
    called = call("attachment", "show", one["hash"], "--home", home, "--json")
    assert (called.code, called.json["error"]["name"]) == (3, "ATTACHMENT_UNKNOWN")
    events = call("audit", "show", "--event", "attachment_removed", "--home", home, "--json").json["events"]
    assert events[-1]["fields"]["reason"] == "asked by its subject"


def test_names_that_are_none(country: Country, call: Call) -> None:
    """A path is no name of an attachment."""
    for name in ("../../store.db", "x" * 64, "AB"):
        called = call("attachment", "show", name, "--home", country.home("city"), "--json")
        assert called.json["error"]["name"] == "ATTACHMENT_UNKNOWN"


def test_fsck_reads_attachments_too(country: Country, call: Call, tmp_path: Path) -> None:
    """A byte that rotted is a fault, with what to do."""
    home = country.home("city")
    one = attached(call, home, tmp_path / "a.jpg", pictures.jpeg(seed=14))
    assert call("fsck", "--home", home, "--json").json["attachments"] >= 1
    (path,) = (Path(home) / FOLDER).rglob(one["hash"])
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    try:
        called = call("fsck", "--home", home, "--json")
        assert called.code == 7
        assert one["hash"] in [found["key"] for found in called.json["findings"] if found["fault"] == "attachment"]
        assert "attachment remove" in call("fsck", "--home", home).out
    finally:
        path.write_bytes(good)
    assert call("fsck", "--home", home).code == 0


def test_rows_that_name_files_are_told(country: Country, call: Call, tmp_path: Path) -> None:
    """Of a file that is here by name, and of one that is not among the missing."""
    home = country.home("city")
    one = attached(call, home, tmp_path / "a.jpg", pictures.jpeg(seed=15))
    absent = "0123456789abcdef" * 4
    member = country.net["city"]
    dataset = catalogue_of(member).datasets[REPORT]
    (row,) = Filler(member.node, "310000").rows(dataset, 1)
    at = dataset.schema.names.index("evidence")
    row = (*row[:at], f"{one['hash'].upper()}, {absent}", *row[at + 1 :])
    result = country.do(member.put(REPORT, dataset.schema.names, [row]))
    assert result.accepted == 1, list(result.rejected)
    shown = call("attachment", "show", one["hash"], "--home", home, "--json").json
    assert [(ref["dataset"], ref["columns"]) for ref in shown["references"]] == [(REPORT, ["evidence"])]
    missing = call("attachment", "list", "--missing", "--home", home, "--json").json["missing"]
    assert {"hash": absent, "rows": 1, "tasks": 0} in missing
    assert absent in call("attachment", "list", "--missing", "--home", home).out


def test_a_file_is_fetched_from_below_and_written(country: Country, call: Call, tmp_path: Path) -> None:
    """The nation asks the city whose row names it; a file that is there is not written over."""
    one = attached(call, country.home("city"), tmp_path / "a.jpg", pictures.jpeg(seed=16))
    member, home = country.net["city"], country.home("nation")
    dataset = catalogue_of(member).datasets[REPORT]
    (row,) = Filler(member.node, "310000", 16).rows(dataset, 1)
    at = dataset.schema.names.index("evidence")
    row = (*row[:at], one["hash"], *row[at + 1 :])
    assert country.do(member.put(REPORT, dataset.schema.names, [row])).accepted == 1
    country.level()
    to = tmp_path / "fetched.jpg"
    assert one["hash"] in call("attachment", "fetch", one["hash"], "--to", str(to), "--home", home).out
    assert sha256(to.read_bytes()).hexdigest() == one["hash"]
    assert call("attachment", "fetch", one["hash"], "--to", str(to), "--home", home).code != 0
    assert (
        call("attachment", "fetch", "ab" * 32, "--home", home, "--json").json["error"]["name"] == "ATTACHMENT_UNKNOWN"
    )
