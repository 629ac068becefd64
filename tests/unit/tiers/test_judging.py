"""Judging rows of an entry: who may say what about which place (fates b and c of the design)."""

from __future__ import annotations

import pytest

from sync.judge import Judge, Judgement
from sync.reasons import Reason
from sync.rows import BadRow, End, EndKind, RowBatch
from sync.scope import Scope, ScopeItem
from sync.values import Cell, Fate, Row
from tests.unit.tiers.kit import (
    CATALOGUE,
    CITY_STANDS,
    DISTRICT_STANDS,
    MUNICIPALITY_STANDS,
    NATION_STANDS,
    NOTHING_KNOWN,
    PROVINCE_STANDS,
    KnownFake,
    a_batch,
    a_case,
    a_header,
    builtin_texts,
    published,
    signer,
)
from tiers.catalogue import Catalogue
from tiers.judging import TierJudge

JUDGE: Judge = TierJudge(CATALOGUE)
CITY_SIGNS = signer(CITY_STANDS)
NEWER = CATALOGUE.datasets["case"].version + 1
MANY = 12
"""Above the number of rows that are judged one by one."""


def judge(batch: RowBatch, known: KnownFake = NOTHING_KNOWN, by: object = None, version: int = 1) -> Judgement:
    """Judges an entry of case.parent sealed by the city, unless told otherwise."""
    return JUDGE.records(a_header(schema_version=version), batch, by or CITY_SIGNS, known)  # type: ignore[arg-type]


def rows_around(bad: Row) -> tuple[Row, ...]:
    """Many good rows with a bad one among them, at place 1."""
    return (a_case(0), bad, *(a_case(i) for i in range(2, MANY)))


def test_good_rows_apply_as_they_are() -> None:
    """Few or many good rows pass untouched, ends with them."""
    for count in (0, 1, MANY):
        batch = a_batch(*(a_case(i) for i in range(count)), ends=[End(("gone",), EndKind.VOID, "wrong")])
        judged = judge(batch)
        assert (judged.puts, judged.ends, judged.bad) == (batch.puts, batch.ends, [])


REFUSED = {
    "region outside the signer's scope": ({"division": "330206"}, Reason.OUT_OF_SCOPE, "region '330206'"),
    "region that is no code": ({"division": "3301x6"}, Reason.OUT_OF_SCOPE, "region '3301x6'"),
    "value not in the closed list": ({"state": "lost"}, Reason.UNKNOWN_CODE, "column 'state': 'lost'"),
    "negative zero": ({"pos_lon": -0.0}, Reason.RULE_BROKEN, "column 'pos_lon'"),
    "no number": ({"pos_lon": float("nan")}, Reason.RULE_BROKEN, "column 'pos_lon'"),
    "position too exact": ({"pos_lat": 30.28712}, Reason.RULE_BROKEN, "more than 3 decimals"),
    "code without its table": ({"class_code": "0110"}, Reason.RULE_BROKEN, "class_scheme"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among many"])
def test_a_row_unacceptable_for_good_is_refused_and_its_neighbours_apply(case: str, alone: bool) -> None:
    """Each rule refuses the one row, with reason, key and a detail a person can act on."""
    cells, reason, words = REFUSED[case]
    rows = (a_case(0), a_case(1, **cells)) if alone else rows_around(a_case(1, **cells))
    batch = a_batch(*rows)
    judged = judge(batch)
    (bad,) = judged.bad
    assert (bad.place, bad.key, bad.fate, bad.reason) == (1, '["case-1"]', Fate.REFUSED, reason)
    assert words in bad.detail
    assert judged.puts == [row for row in batch.puts if row[0] != "case-1"]


def test_a_zero_among_negative_zeros_does_not_hide_them() -> None:
    """0.0 and -0.0 are equal, and only one of them is stored as it was sent."""
    batch = a_batch(*(a_case(i, pos_lon=0.0) for i in range(MANY)), a_case(99, pos_lon=-0.0))
    assert [b.key for b in judge(batch).bad] == ['["case-99"]']
    assert judge(a_batch(*(a_case(i, pos_lon=0.0) for i in range(MANY)))).bad == []


def test_a_key_that_stands_twice_counts_once() -> None:
    """The first row of a key is judged; later ones, puts or ends, are refused."""
    batch = a_batch(a_case(1), a_case(2), a_case(1, state="closed"), ends=[End(("case-2",), EndKind.LEFT)])
    judged = judge(batch)
    assert [(b.place, b.reason) for b in judged.bad] == [(2, Reason.RULE_BROKEN), (3, Reason.RULE_BROKEN)]
    assert judged.puts == batch.puts[:2]
    assert judged.ends == []


def test_places_count_the_rows_that_are_judged() -> None:
    """A place is that among the batch's puts, then ends; what the decoder refused is not told again."""
    undecoded = [BadRow(0, "", Fate.REFUSED, Reason.WRONG_TYPE, ""), BadRow(3, "", Fate.REFUSED, Reason.WRONG_TYPE, "")]
    batch = a_batch(a_case(1), a_case(2, division="999999"), ends=[End(("case-1",), EndKind.VOID)], bad=undecoded)
    assert [(b.place, b.reason) for b in judge(batch).bad] == [(1, Reason.OUT_OF_SCOPE), (2, Reason.RULE_BROKEN)]


def test_scope_holds_on_the_row_s_business_date() -> None:
    """A region taken over on a day is in scope for rows reported from that day on, by the calendar of UTC+8."""
    scope = Scope((ScopeItem("330106", since="2026-01-01"), ScopeItem("330108", until="2026-01-01")))
    new_year = 1_767_196_800_000_000  # 2026-01-01T00:00:00+08:00
    for filler in (0, MANY):
        rows = [a_case(100 + i, reported_at=new_year + i) for i in range(filler)]
        judged = judge(
            a_batch(
                *rows,
                a_case(1, reported_at=new_year),
                a_case(2, reported_at=new_year - 1),
                a_case(3, reported_at=new_year - 1, division="330108"),
                a_case(4, reported_at=new_year, division="330108"),
                a_case(5, reported_at=-250_000_000_000_000_000),
                a_case(6, reported_at=253_402_300_799_999_999),
            ),
            by=signer(CITY_STANDS, scope),
        )
        assert [b.key for b in judged.bad] == ['["case-2"]', '["case-4"]', '["case-5"]']
        assert "region '330106' on 2025-12-31" in judged.bad[0].detail


def test_only_the_owner_s_tier_may_write_a_dataset() -> None:
    """A province's case is refused, a municipality's and a district's is not; ends are refused with the puts."""
    batch = a_batch(a_case(1, division="330000"), ends=[End(("x",), EndKind.VOID)])
    judged = judge(batch, by=signer(PROVINCE_STANDS))
    assert {(b.fate, b.reason) for b in judged.bad} == {(Fate.REFUSED, Reason.NOT_OWNER)}
    assert [b.key for b in judged.bad] == ['["case-1"]', '["x"]']
    assert judge(a_batch(a_case(1, division="310115")), by=signer(MUNICIPALITY_STANDS)).bad == []
    assert judge(a_batch(a_case(1)), by=signer(DISTRICT_STANDS)).bad == []


def test_a_tier_profile_of_a_newer_version_is_waited_for() -> None:
    """What an unknown profile may write is not known yet, so its rows are parked."""
    unknown = CITY_SIGNS
    judged = judge(a_batch(a_case(1)), by=type(unknown)("s1.x", "county", "330106", unknown.scope, "p330000.cn-demo"))
    assert [(b.fate, b.reason) for b in judged.bad] == [(Fate.PARKED, Reason.MISSING_DEPENDENCY)]


def test_a_held_back_column_refuses_the_whole_entry() -> None:
    """What must stay and came all the same is not let in, whatever else the entry holds."""
    columns = (*CATALOGUE.publications["case.parent"].columns, "reporter_phone")
    for version in (1, 2):
        batch = RowBatch("case", columns, [(*published(a_case(1)), None)], [End(("x",), EndKind.VOID)])
        judged = judge(batch, version=version)
        assert [(b.place, b.reason) for b in judged.bad] == [
            (0, Reason.HELD_BACK_PRESENT),
            (1, Reason.HELD_BACK_PRESENT),
        ]
        assert judged.puts == []
        assert judged.ends == []
        assert "reporter_phone" in judged.bad[0].detail


def test_columns_are_those_of_the_publication() -> None:
    """A column that is not published there is refused, or waits if the entry is of a newer version; none may lack."""
    text = """
[publication."case.x_short"]
route = "parent"
columns = ["case_id", "category", "source", "division", "state", "reported_at", "supervised"]
"""
    short = TierJudge(Catalogue.build(builtin_texts(), [("site.toml", text)]))
    batch = a_batch(a_case(1))
    refused = short.records(a_header("case.x_short"), batch, CITY_SIGNS, NOTHING_KNOWN)
    assert [(b.fate, b.reason) for b in refused.bad] == [(Fate.REFUSED, Reason.UNKNOWN_COLUMN)]
    parked = short.records(a_header("case.x_short", NEWER), batch, CITY_SIGNS, NOTHING_KNOWN)
    assert [(b.fate, b.reason) for b in parked.bad] == [(Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION)]
    without = RowBatch("case", ("case_id",), [("case-1",)], [])
    lacking = judge(without)
    assert [(b.reason, b.detail) for b in lacking.bad] == [(Reason.RULE_BROKEN, "column 'category' is missing")]


def test_columns_in_another_order_are_judged_by_name() -> None:
    """The order of columns is the sender's."""
    batch = a_batch(a_case(1), a_case(2, division="110101"))
    turned = RowBatch(batch.dataset, batch.columns[::-1], [row[::-1] for row in batch.puts], [])
    assert [(b.key, b.reason) for b in judge(turned).bad] == [('["case-2"]', Reason.OUT_OF_SCOPE)]


def test_an_unknown_publication_is_waited_for() -> None:
    """Rows of a publication that this node's catalogue lacks are parked, not lost."""
    judged = JUDGE.records(a_header("x_new.parent"), a_batch(a_case(1)), CITY_SIGNS, NOTHING_KNOWN)
    assert [(b.fate, b.reason) for b in judged.bad] == [(Fate.PARKED, Reason.UNKNOWN_DATASET)]
    assert JUDGE.schema("x_new.parent", "x_new") is None
    assert JUDGE.schema("case.parent", "case") == CATALOGUE.datasets["case"].schema


@pytest.mark.parametrize("filler", [0, MANY])
def test_codes_wait_for_their_table_and_apply_by_themselves_later(filler: int) -> None:
    """A missing table, then a missing code, park the row; the code's arrival lets it apply. The row decides alone."""
    rows = [a_case(100 + i) for i in range(filler)]
    batch = a_batch(*rows, a_case(1, class_scheme="GB", class_code="0110"))
    first = judge(batch)
    assert [(b.fate, b.reason, b.detail) for b in first.bad] == [
        (Fate.PARKED, Reason.MISSING_DEPENDENCY, "code table 'GB'")
    ]
    second = judge(batch, KnownFake({"GB": ["0111"]}))
    assert [(b.fate, b.reason, b.detail) for b in second.bad] == [
        (Fate.PARKED, Reason.UNKNOWN_CODE, "code '0110' of code table 'GB'")
    ]
    assert len(second.puts) == filler
    assert judge(batch, KnownFake({"GB": ["0110", "0111"]})).bad == []


def test_a_city_s_own_code_table_is_not_checked() -> None:
    """Extension codes that nobody registered are kept, never dropped: 'local:' tables pass."""
    batch = a_batch(*(a_case(i, class_scheme="local:330100", class_code=str(i)) for i in range(MANY)))
    assert judge(batch).bad == []
    assert judge(a_batch(a_case(1, class_scheme="GB"))).bad == []


def test_a_refusal_comes_before_waiting() -> None:
    """A row that is bad for good does not wait for a code first."""
    batch = a_batch(a_case(1, class_scheme="GB", class_code="0110", division="110101"))
    assert [b.fate for b in judge(batch).bad] == [Fate.REFUSED]


def test_a_fixed_code_table_is_asked_by_name() -> None:
    """A field may name its table in the declaration."""
    text = """
[dataset.x_sign]
version = 1
zh = "牌"
en = "sign"
definition = "d"
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["national"]
key = ["id"]
fields = [
  { name = "id", type = "integer", nullable = false, zh = "a", en = "a" },
  { name = "kind", type = "text", zh = "a", en = "a", codes = "kinds" },
]
[publication."x_sign.all"]
route = "everywhere"
"""
    judging = TierJudge(Catalogue.build([], [("site.toml", text)]))
    known = KnownFake({"kinds": ["a", "b"]})
    for filler in (0, MANY):
        puts: list[Row] = [(i, "a") for i in range(filler)]
        batch = RowBatch("x_sign", ("id", "kind"), [*puts, (98, None), (99, "c")], [])
        judged = judging.records(a_header("x_sign.all"), batch, signer(NATION_STANDS), known)
        assert [(b.key, b.fate, b.reason) for b in judged.bad] == [("[99]", Fate.PARKED, Reason.UNKNOWN_CODE)]


def test_of_two_flawed_codes_the_refusal_counts() -> None:
    """One code waits for its table, another can never be good: the row does not wait."""
    text = """
[dataset.x_pair]
version = 1
zh = "对"
en = "pair"
definition = "d"
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["national"]
key = ["id"]
fields = [
  { name = "id", type = "integer", nullable = false, zh = "a", en = "a" },
  { name = "kind", type = "text", zh = "a", en = "a", codes = "kinds" },
  { name = "scheme", type = "text", zh = "a", en = "a" },
  { name = "code", type = "text", zh = "a", en = "a", codes_from = "scheme" },
]
[publication."x_pair.all"]
route = "everywhere"
"""
    judging = TierJudge(Catalogue.build([], [("site.toml", text)]))
    batch = RowBatch("x_pair", ("id", "kind", "scheme", "code"), [(1, "a", None, "b")], [])
    judged = judging.records(a_header("x_pair.all"), batch, signer(NATION_STANDS), NOTHING_KNOWN)
    assert [(b.fate, b.reason) for b in judged.bad] == [(Fate.REFUSED, Reason.RULE_BROKEN)]


def test_plans_made_from_peers_column_lists_have_a_bound() -> None:
    """A peer that invents column orders fills nothing up."""
    judging = TierJudge(CATALOGUE)
    columns = CATALOGUE.publications["case.parent"].columns
    for i in range(300):
        turned = columns[i % 29 :] + columns[: i % 29]
        swapped = (*turned[: i % 7], *turned[i % 7 :][::-1])
        batch = RowBatch("case", swapped, [tuple(published(a_case(1))[columns.index(c)] for c in swapped)], [])
        assert judging.records(a_header(), batch, CITY_SIGNS, NOTHING_KNOWN).bad == []
    assert len(judging._plans) <= 256


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among many"])
@pytest.mark.parametrize("cells", [{"state": "reopened"}, {"pos_lat": 30.28712}, {"pos_lat": 90.5}])
def test_what_a_later_schema_may_allow_waits_for_it(cells: dict[str, Cell], alone: bool) -> None:
    """A value, a precision or a bound that only this version does not know is parked, the rows beside it apply."""
    rows = (a_case(0), a_case(1, **cells)) if alone else rows_around(a_case(1, **cells))
    judged = judge(a_batch(*rows), version=NEWER)
    assert [(b.key, b.fate, b.reason) for b in judged.bad] == [
        ('["case-1"]', Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION)
    ]
    assert len(judged.puts) == len(rows) - 1


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"division": "330206"}, Reason.OUT_OF_SCOPE),
        ({"pos_lon": -0.0}, Reason.RULE_BROKEN),
        ({"pos_lat": float("nan")}, Reason.RULE_BROKEN),
        ({"class_code": "0110"}, Reason.RULE_BROKEN),
    ],
)
def test_what_no_schema_allows_is_refused_in_a_later_one_too(cells: dict[str, Cell], reason: Reason) -> None:
    """Scope, rules between cells and what is no number do not wait, whatever else waits in the row."""
    (bad,) = judge(a_batch(a_case(0), a_case(1, state="reopened", **cells)), version=NEWER).bad
    assert (bad.fate, bad.reason) == (Fate.REFUSED, reason)


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among many"])
def test_a_number_beyond_its_bounds_is_refused(alone: bool) -> None:
    """It depends on the row and the declaration alone."""
    bad = a_case(1, rework_count=-1)
    (found,) = judge(a_batch(*((a_case(0), bad) if alone else rows_around(bad)))).bad
    assert (found.key, found.fate, found.reason) == ('["case-1"]', Fate.REFUSED, Reason.RULE_BROKEN)
    assert found.detail == "column 'rework_count' is below 0"


def test_a_receiver_asks_no_checks() -> None:
    """Checks across cells are the door's: what a check of this version would reject applies if its origin let it in."""
    assert judge(a_batch(a_case(1, closed_at=1))).bad == []


def test_an_owner_that_a_newer_version_may_bring_is_waited_for() -> None:
    """A later version may give a dataset another owner; until this node knows it, the rows wait."""
    batch = a_batch(a_case(1, division="330000"))
    judged = judge(batch, by=signer(PROVINCE_STANDS), version=CATALOGUE.datasets["case"].version + 1)
    assert [(b.fate, b.reason) for b in judged.bad] == [(Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION)]
