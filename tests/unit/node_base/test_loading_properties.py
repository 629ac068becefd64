"""Loading under any input: nothing crashes, good rows survive, twice the same."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from node.faults import UserFault
from tests.unit.node_base.fakes import ListSink
from tests.unit.node_base.kit import ids, loader, run, three

MADE = {"csv": three(), "jsonl": three('format = "jsonl"')}
garbage = st.binary(max_size=300) | st.lists(
    st.sampled_from(
        [
            b'"',
            b",",
            b"\n",
            b"\r",
            b"\0",
            b"1",
            b"a",
            b"\xff",
            b"\xe5\x9e\x83",
            b"{",
            b"}",
            b'{"ID":1}',
            b"\xef\xbb\xbf",
        ]
    ),
    max_size=60,
).map(b"".join)


@settings(max_examples=200)
@given(garbage, st.sampled_from(["csv", "jsonl"]), st.booleans())
def test_any_bytes_end_in_rows_and_rejects(content: bytes, form: str, packed: bool) -> None:
    """Garbage never crashes the pipeline: it ends in a report, or in a fault about the file as a whole; twice the
    same.
    """
    whole = b"ID,A,N\n" + content if form == "csv" else content
    with tempfile.TemporaryDirectory() as folder:
        results: list[object] = []
        for _ in range(2):
            sink = ListSink()
            data = gzip.compress(whole, mtime=0) if packed else whole
            try:
                report = loader(Path(folder), data, MADE[form]).run(sink)
            except UserFault as found:
                results.append(found.code)
            else:
                results.append((report.counts, report.rejects, report.load_id, sink.rows()))
        assert results[0] == results[1]


good = st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True)
noise = st.sampled_from([b"", b"x", b'x,"', b'"', b'a,"b,1', b"1,2,3,4", b"\xff\xff,a,1", b",,", b'x,"y"z,1', b"x,a,x"])


@settings(max_examples=100)
@given(good, st.data())
def test_good_rows_survive_between_bad_ones(numbers: list[int], data: st.DataObject) -> None:
    """Whatever stands between them, all well-formed rows come through, once each and in order."""
    out = [b"ID,A,N"]
    for number in numbers:
        out += data.draw(st.lists(noise, max_size=3))
        out.append(b"g%d,a,%d" % (number, number))
    with tempfile.TemporaryDirectory() as folder:
        report, sink = run(Path(folder), b"\n".join(out))
    assert [key for key in ids(sink) if str(key).startswith("g")] == [f"g{number}" for number in numbers]
    assert report.counts.read >= len(numbers)


@given(
    st.lists(
        st.fixed_dictionaries({"ID": st.text(min_size=1, max_size=8), "A": st.text(max_size=8)}),
        min_size=1,
        max_size=20,
    )
)
def test_json_texts_come_through_unchanged(records: list[dict[str, str]]) -> None:
    """What JSON can hold and a text column may hold arrives as it was, but for blanks around it."""
    content = "\n".join(json.dumps(record) for record in records).encode()
    with tempfile.TemporaryDirectory() as folder:
        report, sink = run(Path(folder), content, MADE["jsonl"])
    wanted = [
        (record["ID"].strip(), record["A"].strip() or None)
        for record in records
        if record["ID"].strip() and "\0" not in record["ID"] + record["A"]
    ]
    assert [(row[0], row[2]) for row in sink.rows()] == wanted
    assert report.counts.read == len(records)
