"""What a node's door lets in and its publisher says, every tier above decodes, judges good and reads as it was."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.judge import LocalRows
from sync.payload import decode_records as decode
from sync.payload import encode_records, inflate
from sync.schema import CellType
from sync.values import Cell, Row
from sync.wire.v1.entry_pb2 import EntryHeader
from tests.unit.tiers.kit import CATALOGUE, CITY_STANDS, KnownFake, signer
from tiers.dataset import Field
from tiers.door import Door
from tiers.judging import TierJudge
from tiers.publishing import TierPublisher

CASE = CATALOGUE.datasets["case"]
KNOWN = KnownFake({"GB": ["0110", "0111"]})
DOOR, PUBLISHER, JUDGE = Door(CATALOGUE, CITY_STANDS), TierPublisher(CATALOGUE, CITY_STANDS), TierJudge(CATALOGUE)

BY_NAME: dict[str, st.SearchStrategy[Cell]] = {
    "division": st.sampled_from(["330106", "330102", "330100", "330206", "3301"]),
    "class_scheme": st.sampled_from(["GB", "local:x", "new", None]),
    "class_code": st.sampled_from(["0110", "9999", None]),
}


def cells(field: Field) -> st.SearchStrategy[Cell]:
    """Mostly good cells of a field, some at the edge of its type and beyond."""
    if field.column.name in BY_NAME:
        return BY_NAME[field.column.name]
    if field.values:
        return st.sampled_from([v.value for v in field.values])
    match field.column.type:
        case CellType.INTEGER:
            kind: st.SearchStrategy[Cell] = st.integers(-(2**63), 2**63 - 1)
        case CellType.TIMESTAMP:
            kind = st.integers(-(10**16), 10**16)
        case CellType.FLOAT:
            kind = st.floats().map(lambda x: round(x, field.decimals) if field.decimals and abs(x) < 1e6 else x)
        case CellType.BOOLEAN:
            kind = st.booleans()
        case CellType.DATE:
            kind = st.dates().map(lambda day: day.isoformat())
        case _:
            kind = st.text(st.characters(codec="utf-8"), max_size=min(field.column.length, 12))
    return kind | st.none() if field.column.nullable else kind


ROWS = st.lists(st.tuples(*map(cells, CASE.fields)), min_size=1, max_size=8)


@settings(max_examples=150)
@given(rows=ROWS)
def test_what_the_door_lets_in_is_good_everywhere(rows: list[Row]) -> None:
    """Door and judge agree, save for codes whose table is not here, which wait above; cells arrive as they were."""
    checked = DOOR.check_local_rows("case", rows, KNOWN)
    assert len(checked.rows) + len(checked.rejects) == len(rows)
    for out in PUBLISHER.publish(LocalRows("case", checked.rows, [], {})):
        made = encode_records(out.dataset, out.columns, out.puts, out.ends)
        header = EntryHeader(publication=out.publication, schema_version=out.schema_version, rows=made.rows)
        header.codec, header.payload_size, header.plain_size = made.codec, len(made.payload), made.plain_size
        batch = decode(header, inflate(header, made.payload), {"case": CASE.schema}.get)
        judged = JUDGE.records(header, batch, signer(CITY_STANDS), KNOWN)  # type: ignore[arg-type]
        assert [b for b in judged.bad if b.detail != "code table 'new'"] == []
        assert len(judged.puts) + len(judged.bad) == len(out.puts)
        assert {repr(row) for row in judged.puts} <= {repr(row) for row in out.puts}
