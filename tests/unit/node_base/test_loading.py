"""From a file to rows and rejects: every record ends in one count, and a bad one never stops its neighbours."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from node.faults import Code, UserFault
from node.loading import load, readers
from node.loading.convert import Converter
from node.loading.found import Found
from node.loading.load import Counts, Loader, Outcome, Reject
from node.texts import translator
from sync.reasons import Reason
from tests.unit.node_base import kit
from tests.unit.node_base.fakes import ListSink
from tests.unit.node_base.kit import ids, run
from tests.unit.node_base.kit import three as small

CUT = kit.ROOT / "node" / "demo" / "input" / "myla311-2018-01-cut.csv.gz"


def told(report: load.Report) -> list[tuple[int, str]]:
    """Line and words of each reject, in English."""
    return [(reject.line, reject.detail.say(translator("en"))) for reject in report.rejects]


def test_real_requests_become_cases_of_three_cities() -> None:
    """The demo's input: each row goes to exactly one of three cities, the same rows every time."""
    made = kit.builtin("myla311")
    taken: list[object] = []
    for city in ("330100", "330200", "310000"):
        sink = ListSink()
        report = Loader(CUT, made, city.__eq__).run(sink)
        counts = report.counts
        assert counts.read == 3_000
        assert counts.taken > 500
        assert counts.rejected == sum(report.reasons.values())
        division = made.dataset.schema.names.index("division")
        assert {row[division] for row in sink.rows()} == {city}
        taken += ids(sink)
    assert len(taken) == len(set(taken)) == 3_000 - counts.rejected


def test_a_request_in_full() -> None:
    """The first record of the demo's input, cell by cell."""
    (shown, *_) = Loader(CUT, kit.builtin("myla311"), kit.everything).preview(1)
    assert isinstance(shown.after, dict)
    filled = {name: cell for name, cell in shown.after.items() if cell is not None}
    assert filled == {
        "case_id": "1-870704814",
        "source_key": "1-870704814",
        "category": "event",
        "class_scheme": "x-myla311",
        "class_version": 1,
        "class_code": "01",
        "source": "public",
        "division": "330200",
        "state": "closed",
        "reported_at": 1_514_793_609_000_000,
        "handled_at": 1_515_225_600_000_000,
        "closed_at": 1_515_262_709_000_000,
        "dispose_unit": "BOS",
        "supervised": False,
        "pos_lon": -118.294,
        "pos_lat": 34.068,
        "anonymous": True,
        "address_exact": "356 S BERENDO ST, 90020",
        "pos_lon_exact": -118.294017712,
        "pos_lat_exact": 34.0676390557,
    }
    assert shown.before["SRNumber"] == "1-870704814"


def test_loading_twice_changes_nothing(tmp_path: Path) -> None:
    """Same file, same mapping: same load id, rows and rejects; a sink that holds the rows finds them unchanged."""
    content = b"ID,A,N\n1,a,1\n2,b,x\n3,c,\n"
    first, sink = run(tmp_path, content)
    rows = sink.rows()
    again = kit.loader(tmp_path, content, small()).run(sink)
    assert sink.rows() == rows * 2
    assert (first.load_id, first.digest, first.rejects) == (again.load_id, again.digest, again.rejects)
    assert first.counts == Counts(read=3, taken=2, rejected=1)
    assert again.counts == Counts(read=3, unchanged=2, rejected=1)
    other, _ = run(tmp_path, content + b"4,d,\n")
    assert other.load_id != first.load_id
    assert len(first.load_id) == 16


def test_bad_rows_beside_good_ones(tmp_path: Path) -> None:
    """Too few and too many columns, a wrong number, an empty key, a stray quote: each is told, the others go on."""
    content = (
        b"ID,A,N\r\n"
        b"1,a,1\r\n"
        b"2,b\r\n"
        b"3,c,3,3\r\n"
        b"4,d,many\r\n"
        b",e,5\r\n"
        b'6,"open,6\r\n'
        b"7,g,7\r\n"
        b'8,"two\r\nlines",8\r\n'
        b"\r\n"
        b'10,5" pipe,10\r\n'
        b"\xff\xfe,k,11\r\n"
        b'12,"say ""hi""",12\r\n'
    )
    report, sink = run(tmp_path, content)
    assert ids(sink) == ["1", "7", "8", "10", "12"]
    assert [row[2] for row in sink.rows()] == ["a", "g", "two\r\nlines", '5" pipe', 'say "hi"']
    assert told(report) == [
        (3, "2 columns, the header has 3"),
        (4, "4 columns, the header has 3"),
        (5, "column 'count': 'many' is not integer"),
        (6, "column 'id' is empty"),
        (7, "a quote is opened and not closed"),
        (13, "the line is not utf-8"),
    ]
    assert report.counts == Counts(read=11, taken=5, rejected=6)
    assert report.reasons[Reason.MALFORMED] == 4


def test_a_quote_that_never_closes_swallows_nothing(tmp_path: Path) -> None:
    """Also in the last column, also over hundreds of lines, also when another quote follows far below."""
    lines = [f"{n},a,{n}" for n in range(1, 401)]
    lines[9] = '10,a,"x'
    lines[300] = '301,"a,301'
    report, sink = run(tmp_path, ("ID,A,N\n" + "\n".join(lines)).encode())
    assert ids(sink) == [str(n) for n in range(1, 401) if n not in (10, 301)]
    assert [reject.line for reject in report.rejects] == [11, 302]


def test_a_line_too_long_is_one_reject(tmp_path: Path) -> None:
    """A line beyond the bound is skipped without being held in memory; the next one is read."""
    content = b"ID,A,N\n1," + b"x" * (3 * readers.LINE_BYTES_MAX) + b",1\n2,b,2\n"
    report, sink = run(tmp_path, content)
    assert ids(sink) == ["2"]
    assert told(report) == [(2, f"the line is longer than {readers.LINE_BYTES_MAX} bytes")]


@pytest.mark.parametrize(
    ("encoding", "declared", "found"),
    [("utf-8", "", "utf-8"), ("utf-8-sig", "", "utf-8"), ("gb18030", "", "gb18030"), ("gb18030", "gb18030", "gb18030")],
)
def test_encodings_of_chinese_files(encoding: str, declared: str, found: str, tmp_path: Path) -> None:
    """UTF-8 with and without its mark, and GB18030, found out or declared."""
    content = "ID,A,N\n1,暴露垃圾,1\n2,井盖,2\n".encode(encoding)
    made = small(f'encoding = "{declared}"' if declared else "")
    report, sink = run(tmp_path, content, made)
    assert [row[2] for row in sink.rows()] == ["暴露垃圾", "井盖"]
    assert report.encoding == found


def test_one_damaged_line_does_not_change_the_encoding(tmp_path: Path) -> None:
    """The encoding is the one that most lines are in; the odd one is a reject."""
    content = "ID,A,N\n1,暴露,1\n2,井盖,2\n".encode() + b"3,\xb1\xa9,3\n"
    report, sink = run(tmp_path, content)
    assert ids(sink) == ["1", "2"]
    assert told(report) == [(4, "the line is not utf-8")]


def test_a_declared_encoding_is_kept(tmp_path: Path) -> None:
    """Who declares UTF-8 gets rejects, not a guess."""
    report, _ = run(tmp_path, "ID,A,N\n1,暴露,1\n".encode("gb18030"), small('encoding = "utf-8"'))
    assert report.counts.rejected == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(delimiter: str, tmp_path: Path) -> None:
    """The header tells comma, semicolon, tab or bar."""
    content = "\n".join(delimiter.join(row) for row in (("ID", "A", "N"), ("1", "x", "1"))).encode()
    assert ids(run(tmp_path, content)[1]) == ["1"]


def test_json_lines(tmp_path: Path) -> None:
    """One object a line; numbers keep their digits; what is no object is a reject with its line."""
    lines = [
        '{"ID": 1, "A": "a", "N": 12}',
        '{"ID": "2", "A": null, "extra": [1]}',
        "",
        '{"ID": "3", "A": ["x"], "N": true}',
        "[1]",
        '{"ID": ',
        '{"ID": "7", "A": "\\ud800"}',
        "[" * 100_000,
        '{"ID": "9", "A": {"b": 1.50}}',
        '{"N": 1e400}',
    ]
    report, sink = run(tmp_path, "\n".join(lines).encode(), small('format = "jsonl"'), "in.jsonl")
    assert [(row[0], row[2], row[3]) for row in sink.rows()] == [("1", "a", 12), ("2", None, None)]
    assert [reject.line for reject in report.rejects] == [4, 5, 6, 7, 8, 9, 10]
    assert report.counts.read == 9


def test_lists_and_objects_in_json_lines_stay_the_json_that_they_are(tmp_path: Path) -> None:
    """A number in them is a number still, with its digits: an attachment's size is none in quotes."""
    inner = '[{"size": 183402, "at": 1.50, "of": null, "名": "\\"a", "yes": true, "big": 1e400, "no": []}]'
    path, source = tmp_path / "in.jsonl", small('format = "jsonl"').mapping.source
    path.write_text(f'{{"ID": {inner}, "N": 1.50}}', "utf-8")
    with readers.records(readers.survey(path, source), source, None) as (found,):
        assert isinstance(found, Found)
        assert found.record == {"ID": inner, "N": "1.50"}


def test_gzip_is_seen_by_its_bytes(tmp_path: Path) -> None:
    """Whatever the name; the digest is of the file as it lies on disk."""
    packed = gzip.compress(b"ID,A,N\n1,a,1\n", mtime=0)
    report, sink = run(tmp_path, packed, name="in.dat")
    assert ids(sink) == ["1"]
    plain, _ = run(tmp_path, b"ID,A,N\n1,a,1\n")
    assert report.digest != plain.digest
    lines = gzip.compress(b'{"ID": "5"}\n', mtime=0)
    assert ids(run(tmp_path, lines, small('format = "jsonl"'))[1]) == ["5"]


def fault(path: Path, made: Converter | None = None) -> UserFault:
    """The fault that loading a file ends in."""
    with pytest.raises(UserFault) as caught:
        Loader(path, made or small(), kit.everything).run(ListSink())
    return caught.value


def test_files_that_cannot_be_loaded_say_so_before_the_first_row(tmp_path: Path) -> None:
    """Missing, no regular file, broken compression, UTF-16, another file's header: nothing is half loaded."""
    path = tmp_path / "in.csv"
    assert fault(path).code is Code.FILE_MISSING
    os.mkfifo(tmp_path / "pipe")
    for no_file in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        assert fault(no_file).code is Code.FILE_UNREADABLE
        assert "not a file" in str(fault(no_file).message)
    packed = gzip.compress(b"ID,A,N\n" + os.urandom(5_000).hex().encode(), mtime=0)
    for broken in (packed[:-20], packed[:50] + b"\0" * 50 + packed[100:]):
        path.write_bytes(broken)
        assert fault(path).code is Code.FILE_UNREADABLE
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        path.write_bytes("ID,A,N\n1,a,1\n".encode(encoding))
        assert fault(path).code is Code.FILE_ENCODING
        assert "UTF-16" in str(fault(path).message)
    for header, words in (
        (b"\n", "no column names"),
        (b"\xff\n1,a,1\n", "the line is not utf-8"),
        (b"ID,X\n", "lacks: A, N"),
        (b"ID,A,N,A\n", "stand twice: A"),
        (b"ID,A,N" + b",c" * 2_000, "more than 2000"),
    ):
        path.write_bytes(header)
        found = fault(path)
        assert found.code is Code.FILE_HEADER
        assert words in str(found.message)


def test_a_file_that_changes_before_it_is_read(tmp_path: Path) -> None:
    """The load ends in a fault: what would be taken is not what the digest says."""
    made = small()
    loader = kit.loader(tmp_path, b"ID,A,N\n1,a,1\n", made)
    (tmp_path / "in.csv").write_bytes(b"ID,A,N\n1,a,1\n2,b,2\n")
    os.utime(tmp_path / "in.csv", ns=(1, 1))
    with pytest.raises(UserFault, match="FILE_CHANGED"):
        loader.run(ListSink())


def test_a_batch_is_bounded_in_rows_and_bytes(tmp_path: Path) -> None:
    """At most 1,000 rows and about half a MiB a transaction; lines travel with their rows."""
    content = "ID,A,N\n" + "".join(f"{n},a,{n}\n" for n in range(2_500))
    report, sink = run(tmp_path, content.encode())
    assert [len(batch.rows) for batch in sink.batches] == [1_000, 1_000, 500]
    assert sink.batches[1].lines[0] == 1_002
    assert {batch.load_id for batch in sink.batches} == {report.load_id}
    wide = "ID,A\n" + "".join(f"{n},{'垃' * 1_000}\n" for n in range(600))
    _, sink = run(tmp_path, wide.encode(), kit.converter('id = "ID"\nnote = "A"'))
    assert len(sink.batches) > 3
    assert sum(len(batch.rows) for batch in sink.batches) == 600


def test_versions_of_one_row_stay_in_order(tmp_path: Path) -> None:
    """A key that comes again starts a new transaction, so the last line of the file holds in the end."""
    report, sink = run(tmp_path, b"ID,A,N\n1,a,1\n2,b,2\n1,c,3\n1,c,3\n")
    assert [[row[0] for row in batch.rows] for batch in sink.batches] == [["1", "2"], ["1"], ["1"]]
    assert sink.held["1"][2] == "c"
    assert report.counts == Counts(read=4, taken=3, unchanged=1)


def test_the_door_may_refuse_rows_too(tmp_path: Path) -> None:
    """What the sink refuses is a reject with its line and key, beside those of the reader."""
    sink = ListSink(refuses={"2"})
    heard: list[Reject] = []
    progress: list[int] = []
    loader = kit.loader(tmp_path, b"ID,A,N\n1,a,x\n2,b,2\n3,c,3\n", small())
    report = loader.run(sink, on_reject=heard.append, on_progress=lambda counts: progress.append(counts.read))
    assert told(report) == [(2, "column 'count': 'x' is not integer"), (3, "refused by the door")]
    assert heard == report.rejects
    assert heard[1].key == '["2"]'
    assert progress == [3]
    assert report.counts == Counts(read=3, taken=1, rejected=2)


def test_a_dry_run_shows_and_changes_nothing(tmp_path: Path) -> None:
    """The first records before and after, rejects and other nodes' rows among them; batches say they are dry."""
    made = kit.converter(
        'id = "ID"\ndivision = {region = true}', '[ours]\ncolumn = "CD"\nvalues = { "1" = "330100", "2" = "310000" }'
    )
    path = tmp_path / "in.csv"
    path.write_bytes(b"ID,CD\n1,1\n2,2\n,1\n4,9\n5\n6,1\n7,1\n")
    loader = Loader(path, made, lambda region: region == "330100")
    shown = loader.preview()
    assert [one.line for one in shown] == [2, 3, 4, 5, 6]
    assert shown[0].before == {"ID": "1", "CD": "1"}
    assert isinstance(shown[0].after, dict)
    assert shown[0].after["division"] == "330100"
    assert shown[1].after is None
    assert all(isinstance(one.after, Reject) for one in shown[2:])
    sink = ListSink()
    report = loader.run(sink, dry_run=True)
    assert sink.held == {}
    assert all(batch.dry_run for batch in sink.batches)
    assert report.counts == Counts(read=7, taken=3, not_ours=1, rejected=3)


def test_rows_of_unknown_regions_may_be_nobodys(tmp_path: Path) -> None:
    """[ours] unknown = "not_ours" counts them apart and silently."""
    made = kit.converter('id = "ID"', '[ours]\ncolumn = "CD"\nvalues = { "1" = "330100" }\nunknown = "not_ours"')
    report, sink = run(tmp_path, b"ID,CD\n1,1\n2,9\n3,\n", made)
    assert ids(sink) == ["1"]
    assert report.counts == Counts(read=3, taken=1, not_ours=2)


def test_rejects_are_bounded_and_counted(tmp_path: Path) -> None:
    """The report keeps the first thousand and counts all."""
    report, _ = run(tmp_path, b"ID,A,N\n" + b"x\n" * 1_500)
    assert len(report.rejects) == load.REJECTS_KEPT
    assert report.reasons == {Reason.MALFORMED: 1_500}


class LyingSink:
    """A sink that loses a row."""

    def put(self, batch: load.Batch) -> Outcome:
        return Outcome(len(batch.rows) - 1, 0)


def test_a_sink_that_loses_rows_is_a_bug(tmp_path: Path) -> None:
    """Every record ends in one count, or the program stops."""
    with pytest.raises(AssertionError):
        kit.loader(tmp_path, b"ID,A,N\n1,a,1\n", small()).run(LyingSink())
