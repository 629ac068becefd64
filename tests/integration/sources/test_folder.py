"""Files put into a folder come in once each, and lie in `done` or `failed` with a report afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from node.faults import Code, UserFault
from node.sources import declared
from node.sources.declared import Folder
from node.sources.folder import Watch
from tests.integration.sources.conftest import Site

HEAD = "id,name,n\n"
LONG = "a name that is much too long"


class Inbox:
    """A folder, and the source that looks into it."""

    def __init__(self, site: Site, path: Path) -> None:
        self.site = site
        self.path = path
        self.name = site.name()
        self.declare()

    def declare(self, more: str = 'complete = "done_file"') -> None:
        self.site.declare(self.name, f'kind = "folder"\n[folder]\npath = "{self.path}"\n{more}\n')

    def put(self, name: str, content: str, *, is_whole: bool = True) -> None:
        (self.path / name).write_text(content, "utf-8")
        if is_whole:
            (self.path / f"{name}.done").touch()

    def read(self) -> Any:
        return self.site.runner().folder(declared.read(self.site.home, self.name))

    def lies(self, folder: str) -> list[str]:
        """What lies in a folder, without the stamps before the names."""
        found = self.path / folder
        return sorted(path.name.split("-", 2)[2] for path in found.iterdir()) if found.is_dir() else []

    def content(self, folder: str, end: str) -> str:
        (found,) = (path for path in (self.path / folder).iterdir() if path.name.endswith(end))
        return found.read_text("utf-8-sig")


@pytest.fixture
def inbox(site: Site, tmp_path: Path) -> Inbox:
    path = tmp_path / "in"
    path.mkdir()
    return Inbox(site, path)


def test_a_good_file_goes_to_done(inbox: Inbox) -> None:
    """With a report, and its '.done'; what is not whole, not asked for or hidden stays."""
    inbox.put("a.csv", HEAD + "1,x,1\n2,y,2\n")
    inbox.put("b.csv", HEAD + "3,z,3\n", is_whole=False)
    inbox.put("notes.txt", "hello")
    inbox.put(".c.csv", HEAD)
    inbox.put("d.csv.part", HEAD)
    (one,) = inbox.read()
    assert (one.file, one.moved_to, one.counts.taken, one.fault) == ("a.csv", "done", 2, None)
    assert inbox.lies("done") == ["a.csv", "a.csv.done", "a.csv.report.txt"]
    assert inbox.lies("failed") == []
    assert {"b.csv", "notes.txt", ".c.csv", "d.csv.part"} <= {p.name for p in inbox.path.iterdir()}
    assert inbox.site.rows() == [("1", "x", 1), ("2", "y", 2)]
    state = inbox.site.state(inbox.name)
    assert (state["day"]["read"], state["day"]["taken"], state["contact"] != "") == (2, 2, True)


def test_the_same_content_comes_in_once(inbox: Inbox) -> None:
    """Under another name too; the report says as which load it came."""
    inbox.put("a.csv", HEAD + "1,x,1\n")
    inbox.read()
    inbox.put("again.csv", HEAD + "1,x,1\n")
    (one,) = inbox.read()
    assert (one.known, one.moved_to, one.counts.read) == (True, "done", 0)
    assert f"load {one.load}" in inbox.content("done", "again.csv.report.txt") or one.load


def test_rejected_rows_come_back_in_a_table_and_the_good_ones_are_in(inbox: Inbox) -> None:
    """The same file may come again when what lacked is mended: its rejects are no reason to pass it over."""
    inbox.put("a.csv", HEAD + f"1,x,1\n2,{LONG},2\n")
    (one,) = inbox.read()
    assert (one.moved_to, one.counts.taken, one.counts.rejected) == ("failed", 1, 1)
    assert inbox.lies("failed") == ["a.csv", "a.csv.done", "a.csv.rejects.csv", "a.csv.report.txt"]
    assert "TOO_LONG" in inbox.content("failed", "rejects.csv")
    assert inbox.site.rows() == [("1", "x", 1)]
    inbox.put("a.csv", HEAD + f"1,x,1\n2,{LONG},2\n")
    (one,) = inbox.read()
    assert (one.known, one.counts.unchanged, one.counts.rejected) == (False, 1, 1)


def test_a_workbook_comes_back_marked(inbox: Inbox) -> None:
    """The reason stands beside the row, as with `load --marked`."""
    book = Workbook()
    for line in (("id", "name", "n"), ("1", "x", 1), ("2", LONG, 2)):
        book.worksheets[0].append(line)
    book.save(inbox.path / "a.xlsx")
    (inbox.path / "a.xlsx.done").touch()
    (one,) = inbox.read()
    assert one.moved_to == "failed"
    (marked,) = (inbox.path / "failed").glob("*.marked.xlsx")
    sheet = load_workbook(marked).worksheets[0]
    assert [sheet.cell(row, 4).value is None for row in (1, 2, 3)] == [False, True, False]


BAD = {
    "a heading that lacks a column": ("id,name\n1,x\n", "the header lacks: n"),
    "an empty file": ("", "it is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_read_goes_to_failed(inbox: Inbox, case: str) -> None:
    """With the reason; the files after it come in, and no load shows as broken off."""
    content, words = BAD[case]
    inbox.put("a.csv", content)
    inbox.put("b.csv", HEAD + "1,x,1\n")
    found = {one.file: one for one in inbox.read()}
    assert found["a.csv"].moved_to == "failed"
    assert words in str(found["a.csv"].fault)
    assert found["b.csv"].moved_to == "done"
    assert not [one for one in inbox.site.ask("loads", limit=5)["loads"] if one["state"] == "broken_off"]
    inbox.put("a.csv", content)
    (again,) = inbox.read()
    assert again.moved_to == "failed"


def test_a_name_that_was_there_before_is_not_written_over(inbox: Inbox) -> None:
    """Two files of one name within a second both stay."""
    for number in (1, 2):
        inbox.put("a.csv", HEAD + f"{number},x,1\n")
        inbox.read()
    assert len(list((inbox.path / "done").glob("*a.csv"))) == 2


def test_a_folder_that_is_gone_is_a_fault(inbox: Inbox) -> None:
    """A network drive that is not there: told, kept for the list of sources, and tried again."""
    inbox.put("a.csv", HEAD + "1,x,1\n")
    inbox.read()
    away = inbox.path.with_name("away")
    inbox.path.rename(away)
    with pytest.raises(UserFault) as failed:
        inbox.read()
    assert failed.value.code is Code.FILE_MISSING
    assert inbox.site.state(inbox.name)["fault"]
    away.rename(inbox.path)
    assert inbox.read() == []
    assert inbox.site.state(inbox.name)["fault"] == ""


def test_a_file_is_whole_when_it_has_settled(tmp_path: Path) -> None:
    """Size and time of it must stay the same over the whole span, seen at least twice; growing begins it anew."""
    folder = Folder(tmp_path, ("*.csv",), False, 30)
    watch, path = Watch(), tmp_path / "a.csv"
    path.write_text("1")
    os.utime(path, ns=(1, 1))
    assert watch.whole(folder, 100.0) == ([], True)
    assert watch.whole(folder, 129.9) == ([], True)
    path.write_text("12")
    assert watch.whole(folder, 131.0) == ([], True)
    os.utime(path, ns=(5, 5))
    assert watch.whole(folder, 162.0) == ([], True)
    assert watch.whole(folder, 192.0) == ([path], False)
    path.rename(tmp_path / "b.csv")
    assert watch.whole(folder, 193.0) == ([], True)


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    """Who may write into the folder shall not have other files of this machine read."""
    secret = tmp_path / "secret.csv"
    secret.write_text("x")
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "a.csv").symlink_to(secret)
    assert Watch().whole(Folder(inside, ("*.csv",), False, 0), 1.0) == ([], False)
