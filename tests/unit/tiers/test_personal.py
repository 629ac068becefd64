"""Numbers of persons at the door and in what leaves, as each column declares."""

from __future__ import annotations

import pytest

from sync.judge import LocalRows
from sync.reasons import Reason
from sync.values import Row
from tests.unit.tiers.kit import CATALOGUE, CITY_STANDS, NOTHING_KNOWN, builtin_texts
from tiers.catalogue import Catalogue
from tiers.door import Door
from tiers.faults import CatalogueFault
from tiers.publishing import TierPublisher

TEXT = """
[dataset.x_note]
version = 1
zh = "记录"
en = "Notes"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["city"]
key = ["id"]
fields = [
  { name = "id", type = "text", length = 20, nullable = false, zh = "a", en = "a" },
  { name = "hidden", type = "text", zh = "a", en = "a", personal = "mask" },
  { name = "barred", type = "text", zh = "a", en = "a", personal = "refuse" },
  { name = "open", type = "text", zh = "a", en = "a", personal = "warn" },
  { name = "free", type = "text", zh = "a", en = "a" },
  { name = "kept", type = "text", zh = "a", en = "a", held_back = true },
]
[publication."x_note.up"]
route = "parent"
filter = { column = "hidden", op = "!=", value = "请回电" }
[publication."x_note.all"]
route = "ancestors"
columns = ["id", "open"]
"""
PHONE = "请回电 138-0013-8000"


def built(text: str = TEXT) -> Catalogue:
    return Catalogue.build(builtin_texts(), [("site.toml", text)])


def note(key: str, **cells: str) -> Row:
    return (key, *(cells.get(name) for name in ("hidden", "barred", "open", "free", "kept")))


def test_the_door_refuses_masks_or_tells_as_the_column_says() -> None:
    """The row as it was brought is what is kept; nothing that is said of it holds the number."""
    rows = [
        note("a", hidden=PHONE),
        note("b", barred=PHONE),
        note("c", open=PHONE, hidden=PHONE),
        note("d", free=PHONE, kept=PHONE),
    ]
    checked = Door(built(), CITY_STANDS).check_local_rows("x_note", rows, NOTHING_KNOWN)
    assert checked.rows == [rows[0], rows[2], rows[3]]
    assert [(r.place, r.key, r.reason) for r in checked.rejects] == [(1, '["b"]', Reason.RULE_BROKEN)]
    assert [(w.place, w.key) for w in checked.warned] == [(0, '["a"]'), (2, '["c"]'), (2, '["c"]')]
    assert checked.warnings == 3
    assert checked.personal == {("hidden", "mask"): 2, ("open", "warn"): 1, ("barred", "refuse"): 1}
    said = [*(w.detail for w in checked.warned), *(r.detail for r in checked.rejects)]
    assert not any("138" in str(one) for one in said)


def test_what_leaves_is_masked_also_in_what_is_said_of_before() -> None:
    """The image that a feed held and the new one are both the masked ones, so digests stay level; filters see the
    text as it is."""
    publisher = TierPublisher(built(), CITY_STANDS)
    before = {("a",): (3, note("a", hidden=PHONE, open=PHONE))}
    puts = [note("a", hidden="已回电 13800138000", open=PHONE), note("b", hidden="请回电")]
    up, over = publisher.publish(LocalRows("x_note", puts, (), before))
    assert up.puts == [("a", "已回电 ***********", None, PHONE, None)]
    assert up.was == [(("a",), 3, ("a", "请回电 ***-****-****", None, PHONE, None))]
    assert list(over.puts) == [("a", PHONE), ("b", None)]


@pytest.mark.parametrize("column", ["hidden", "free"])
def test_each_masked_column_is_masked_though_the_others_hold_nothing(column: str) -> None:
    """Of several, the second as well as the first."""
    text = TEXT.replace('name = "free", type = "text"', 'name = "free", type = "text", personal = "mask"')
    up, _ = TierPublisher(built(text), CITY_STANDS).publish(LocalRows("x_note", [note("a", **{column: PHONE})], (), {}))
    (sent,) = up.puts
    assert "请回电 ***-****-****" in sent


def test_a_column_that_is_masked_from_now_on_is_published_anew() -> None:
    """The settings differ, so the next start compares what was said with what is to be said."""
    loose = TierPublisher(built(TEXT.replace(', personal = "mask"', "")), CITY_STANDS).settings()
    tight = TierPublisher(built(), CITY_STANDS).settings()
    assert loose["x_note.up"] != tight["x_note.up"]
    assert loose["x_note.all"] == tight["x_note.all"]


def test_a_masked_text_that_comes_back_lacks_what_was_kept() -> None:
    """After a node came back wrong its own rows return as they left: those are to be read again from their source."""
    publisher, columns = TierPublisher(built(), CITY_STANDS), ("id", "hidden", "open")
    assert publisher.lacks("x_note", columns, ("a", "请回电 ***", None))
    assert not publisher.lacks("x_note", columns, ("a", "请回电", "***"))
    assert not publisher.lacks("x_unknown", columns, ("a", "***", None))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('personal = "warn"', 'personal = "hide"', "none of refuse, mask, warn"),
        ("held_back = true", 'held_back = true, personal = "mask"', "is for free text that leaves"),
        ('personal = "warn"', 'personal = "warn", codes = "t"', "is for free text that leaves"),
        ('length = 20, nullable = false, zh = "a"', 'nullable = false, personal = "mask", zh = "a"', "in the key"),
    ],
)
def test_a_rule_that_makes_no_sense_is_a_mistake(before: str, after: str, said: str) -> None:
    """Told with its place when the declaration is read."""
    assert before in TEXT
    with pytest.raises(CatalogueFault) as caught:
        built(TEXT.replace(before, after, 1))
    assert said in str(caught.value)


def test_free_texts_of_the_built_in_datasets_are_watched() -> None:
    """Columns in which people write about cases, problems and reasons: what leaves is masked."""
    watched = {
        f"{d.id}.{f.column.name}" for d in CATALOGUE.datasets.values() for f in d.fields if f.personal is not None
    }
    assert {"case.summary", "case.address_masked", "supervision_item.problem", "work_task_report.report"} <= watched
