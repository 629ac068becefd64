"""What bad files get: a fault that names the file, or a reject that names the line; the good rows are in."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.faults import Code, UserFault
from node.loading import formats
from node.loading.load import Batch, Loader, Outcome, Report
from node.texts import translator
from sync.limits import MIB
from tests.unit.node_base import kit
from tests.unit.node_base.fakes import ListSink
from tests.unit.node_base.kit import ids, run, three


def _told(report: Report) -> list[tuple[int, str]]:
    return [(reject.line, reject.detail.say(translator("en"))) for reject in report.rejects]


def _fault(folder: Path, content: bytes, name: str = "in.csv") -> tuple[Code, str]:
    with pytest.raises(UserFault) as met:
        run(folder, content, name=name)
    return met.value.code, met.value.message.say(translator("en"))


@dataclass
class _Meanwhile:
    """A sink while whose first batch something happens to the file."""

    path: Path
    happens: str
    sink: ListSink = field(default_factory=ListSink)

    def put(self, batch: Batch) -> Outcome:
        if not self.sink.batches and self.happens == "grows":
            with self.path.open("ab") as file:
                file.write(b"late,n,1\n")
        elif not self.sink.batches:
            self.path.unlink()
        return self.sink.put(batch)


def _two_batches(folder: Path) -> Loader:
    content = b"ID,A,N\n" + b"".join(b"r%d,n,%d\n" % (n, n) for n in range(1_500))
    return kit.loader(folder, content, three())


def test_a_file_that_grows_while_it_is_read_says_so(tmp_path: Path) -> None:
    """What was read is in; that the file is another one now is told."""
    loader, sink = _two_batches(tmp_path), _Meanwhile(tmp_path / "in.csv", "grows")
    with pytest.raises(UserFault) as met:
        loader.run(sink)
    assert met.value.code is Code.FILE_CHANGED
    assert len(ids(sink.sink)) >= 1_000


def test_a_file_that_vanishes_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    """It stays open; one that is gone before it is opened is missing, one put in its place another file."""
    loader, sink = _two_batches(tmp_path), _Meanwhile(tmp_path / "in.csv", "vanishes")
    assert loader.run(sink).counts.taken == 1_500
    with pytest.raises(UserFault) as met:
        loader.run(ListSink())
    assert met.value.code is Code.FILE_MISSING
    (tmp_path / "in.csv").write_bytes(b"ID,A,N\nother,n,1\n")
    with pytest.raises(UserFault) as met:
        loader.run(sink)
    assert met.value.code is Code.FILE_CHANGED
    assert "other" not in ids(sink.sink)


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.xlsx", "in.parquet", "in.csv.gz"])
def test_an_empty_file_is_a_mistake_not_an_empty_load(name: str, tmp_path: Path) -> None:
    """Nobody sends a file in order to send nothing."""
    content = gzip.compress(b"", mtime=0) if name.endswith(".gz") else b""
    assert _fault(tmp_path, content, name) == (
        Code.FILE_UNREADABLE,
        f"'{tmp_path / name}' cannot be read: it is empty.",
    )


GOOD, UTF8 = "1,暴露生活垃圾,1\n2,道路破损,2\n3,沿街晾挂,3\n", "4,私搭乱建,4\n"


@pytest.mark.parametrize("declared", ["", 'encoding = "gb18030"'])
def test_utf8_among_gb18030_is_told_and_not_taken_for_other_chinese(declared: str, tmp_path: Path) -> None:
    """UTF-8 can often be read as GB18030, and would be stored as Chinese that nobody wrote."""
    content = ("ID,A,N\n" + GOOD).encode("gb18030") + UTF8.encode() + "5,井盖,5\n".encode("gb18030")
    assert UTF8.encode().decode("gb18030")
    report, sink = run(tmp_path, content, three(declared))
    assert report.encoding == "gb18030"
    assert ids(sink) == ["1", "2", "3", "5"]
    assert _told(report) == [(5, "the line is UTF-8, the file is gb18030")]


def test_gb18030_among_utf8_is_told(tmp_path: Path) -> None:
    """The encoding is the one of most lines; the others are named."""
    content = ("ID,A,N\n" + GOOD).encode() + UTF8.encode("gb18030") + "5,井盖,5\n".encode()
    report, sink = run(tmp_path, content)
    assert (report.encoding, ids(sink)) == ("utf-8", ["1", "2", "3", "5"])
    assert _told(report) == [(5, "the line is not utf-8")]


def test_gb18030_that_happens_to_be_utf8_is_chinese(tmp_path: Path) -> None:
    """The well-known word whose bytes are UTF-8 too."""
    content = ("ID,A,N\n" + GOOD + "4,联通,4\n").encode("gb18030")
    report, sink = run(tmp_path, content)
    assert (report.counts.rejected, sink.rows()[3][2]) == (0, "联通")


def test_a_heading_in_another_encoding_is_named(tmp_path: Path) -> None:
    """The fault says what is wrong with the line, not that columns lack."""
    code, said = _fault(tmp_path, "ID,名,N\n".encode("gb18030") + (GOOD + UTF8).encode())
    assert (code, said) == (Code.FILE_HEADER, f"'{tmp_path / 'in.csv'}': the line is not utf-8.")


def test_ten_thousand_columns_and_a_line_of_100_mb(tmp_path: Path) -> None:
    """Columns are bounded in the heading and in a row; a line too long is one reject, and what follows it is in."""
    wide = b",".join(b"c%d" % n for n in range(10_000))
    assert "more than 2000 columns" in _fault(tmp_path, b"ID,A,N," + wide)[1]
    report, sink = run(tmp_path, b"ID,A,N\n1,a,1\n" + wide + b"\n2," + b"x" * (100 * MIB) + b",2\n3,c,3\n")
    assert ids(sink) == ["1", "3"]
    assert _told(report) == [(3, "10000 columns, the header has 3"), (4, "the line is longer than 1048576 bytes")]


def test_bytes_of_zero_are_no_text(tmp_path: Path) -> None:
    """A cell that holds one is rejected; a hole in a file of the size of a line is one reject."""
    report, sink = run(tmp_path, b"ID,A,N\n1,a\0b,1\n\0\0\0\0\n3,c,3\n")
    assert ids(sink) == ["3"]
    assert [line for line, _ in _told(report)] == [2, 3]


def test_the_heading_may_stand_further_down(tmp_path: Path) -> None:
    """What stands before it is passed over, in whatever encoding; lines keep their numbers."""
    made = three("header = 3")
    report, sink = run(tmp_path, b"\xff report\n\nID;A;N\n1;a;1\n2;b;x\n", made)
    assert (ids(sink), [line for line, _ in _told(report)]) == (["1"], [5])
    with pytest.raises(UserFault) as met:
        run(tmp_path, b"ID,A,N\n", made)
    assert met.value.code is Code.FILE_HEADER


def test_a_column_in_other_case_is_found_unless_there_are_two(tmp_path: Path) -> None:
    """The exact name goes before; two that differ in case alone are asked about."""
    _, sink = run(tmp_path, b"id,A,n,a\n1,good,1,other\n")
    assert sink.rows()[0][2] == "good"
    assert "these column names stand twice: ID" in _fault(tmp_path, b"id,Id,A,N\n1,1,a,1\n")[1]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", "csv"),
        ("a", "csv"),
        ("a.txt", "csv"),
        ("a.JSONL.gz", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.xlsx", "xlsx"),
        ("a.2026.parquet", "parquet"),
        (".gz", "csv"),
    ],
)
def test_the_name_suggests_the_format(name: str, form: str) -> None:
    assert formats.by_name(Path(name)) == form


def test_what_the_mapping_says_wins_over_the_name(tmp_path: Path) -> None:
    """A file whose name suggests nothing, or something else."""
    report, sink = run(tmp_path, b'{"ID": "1", "A": "a", "N": 1}\n', three('format = "jsonl"'), "in.csv")
    assert (report.format, ids(sink)) == ("jsonl", ["1"])
