"""What is told, in which words, and when it waits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.faults import UserFault
from node.notify.notes import NOTES_TOLD_MAX, Note, message, of_alarm, of_move
from node.notify.quiet import read_quiet, waits
from node.notify.templates import Template, built_in, cut, fill, is_taken, read_template
from node.notify.ways import BUILT_IN
from node.texts import Text, translator
from node.texts.alarms import ALARMS
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody, MoveField
from tests.unit.tiers.kit import CATALOGUE, CITY, PROVINCE
from tiers.flows.declare import OVERDUE

ZH, EN = translator("zh"), translator("en")
NOW_US = 1_795_276_800_000_000


def _move(**fields: object) -> MoveBody:
    made: dict[str, object] = {
        "flow": "W2",
        "task": "t1",
        "move": "issue",
        "number": 2,
        "by_node": PROVINCE,
        "issuer": PROVINCE,
        "holder": CITY,
        "accepted": True,
        "state": "issued",
    } | fields
    return MoveBody(**made)  # type: ignore[arg-type]


# --- what is told


def test_an_alarm_says_what_it_means_and_what_to_do() -> None:
    """In the language of the target, with what it is about."""
    note = of_alarm({"name": "fork", "at": "2026-11-23T00:00:00Z", "feed": "x", "origin": CITY})
    assert (note.about, note.urgent, note.place) == (CITY, True, 0)
    said = note.text.say(ZH)
    assert CITY in said
    assert ZH(ALARMS["fork"].means) in said
    assert ZH(ALARMS["fork"].todo) in said
    assert "of_a_later_version" in of_alarm({"name": "of_a_later_version", "at": ""}).text.say(EN)


def test_moves_of_others_are_told_and_own_ones_are_not() -> None:
    """What the own people did they know; that the issuer refused it they do not."""
    flows = CATALOGUE.flows
    told = of_move(7, _move(), flows, CITY, EN)
    assert told is not None
    assert (told.about, told.place, told.urgent) == (PROVINCE, 7, False)
    assert "issue" in told.text.say(EN)
    assert of_move(7, _move(), flows, PROVINCE, EN) is None
    assert of_move(7, _move(state="registered", move="register"), flows, CITY, EN) is None, "a draft"
    lost = of_move(8, _move(by_node=CITY, accepted=False, reason=int(Reason.CROSSED)), flows, CITY, EN)
    assert lost is not None
    assert "CROSSED" in lost.text.say(EN)
    late = _move(move=OVERDUE, by_node=PROVINCE)
    assert of_move(9, late, flows, PROVINCE, EN) is not None, "what the node did by itself its people do not know"
    unknown = of_move(9, _move(flow="W77", move="beam"), flows, CITY, ZH)
    assert unknown is not None
    assert "W77" in unknown.text.say(ZH)


def test_what_a_task_says_stays() -> None:
    """A messenger's servers stand elsewhere: titles, texts, organisations are not told."""
    body = _move(
        by_org="督查处", fields=[MoveField(name="requirement", text="a secret"), MoveField(name="title", text="s2")]
    )
    note = of_move(1, body, CATALOGUE.flows, CITY, ZH)
    assert note is not None
    assert not any(said in note.text.say(ZH) for said in ("a secret", "s2", "督查处"))


def test_one_message_tells_of_many() -> None:
    """Counts first; beyond the bound the number alone, with those that could not be kept."""
    notes = [Note("", False, Text("note {n}", n=n), n % 2) for n in range(NOTES_TOLD_MAX + 5)]
    subject, body = message(notes, 3, "tiersync X", EN)
    assert subject == "tiersync X: 13 alarm(s), 12 move(s) in tasks"
    assert "note 0" in body
    assert f"note {NOTES_TOLD_MAX}" not in body
    assert "8 more" in body


# --- quiet hours


@given(st.integers(0, 1440), st.integers(0, 1440), st.integers(0, 1439))
def test_quiet_hours_past_midnight(begin: int, end: int, minute: int) -> None:
    """A span that ends before it begins goes on in the morning."""
    said = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    quiet = [read_quiet(said)]
    now = dt.datetime(2026, 11, 23, minute // 60, minute % 60)  # noqa: DTZ001 - local
    inside = begin <= minute < end if begin < end else minute >= begin or minute < end
    assert waits(CITY, quiet, now) is inside


def test_quiet_hours_of_one_node() -> None:
    """What is about others does not wait."""
    night = dt.datetime(2026, 11, 23, 23, 30)  # noqa: DTZ001 - local
    quiet = [read_quiet(f"{CITY} 22:00-07:00")]
    assert waits(CITY, quiet, night)
    assert not waits(PROVINCE, quiet, night)


@pytest.mark.parametrize(
    "said", ["", "22:00", "22-7", "25:00-26:00", "22:60-23:00", "x 22:00-07:00", "a b 22:00-07:00"]
)
def test_what_are_no_quiet_hours(said: str) -> None:
    """Said when the file is read, not at night."""
    with pytest.raises(ValueError, match=r".*"):
        read_quiet(said)


# --- templates


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_built_in_template_is_sound(name: str) -> None:
    """It says on what it rests, and fills its places whatever a text holds."""
    template = built_in(name)
    assert template.zh
    assert template.basis
    said = 'a "quoted" {secret}\n井盖 {text}'
    made = fill(template, "https://im.example/x?k={secret}", "s", said, "1", {"secret": "k&1", "sign": "g"}, NOW_US)
    assert made.url.startswith("https://im.example/x?k=k%261")
    if template.form:
        assert parse_qs(made.body.decode())["content"] == [f"s\n{said}"]
    else:
        assert f"s\n{said}" in list(_texts(json.loads(made.body)))


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def test_signatures_are_those_that_the_makers_describe() -> None:
    """DingTalk: milliseconds, in the address. Feishu: seconds, in the body; the key is the text."""
    secrets = {"secret": "tok", "sign": "this is secret"}
    ding = fill(built_in("dingtalk"), "", "s", "t", "", secrets, NOW_US)
    assert ding.url == (
        "https://oapi.dingtalk.com/robot/send?access_token=tok&timestamp=1795276800000"
        "&sign=ku%2F7ODmQAkdJMIUHC7Bgywe1%2BuGeiOqK3RRLPUzoBF0%3D"
    )
    fei = json.loads(fill(built_in("feishu"), "", "s", "t", "", secrets, NOW_US).body)
    assert fei["timestamp"] == "1795276800"
    assert fei["sign"] == "PLizyWtE1/bqIH5rOHttJHVF8rf3qUv9OeG71vnSReU="
    assert fei["content"] == {"text": "s\nt"}


def test_a_text_is_cut_between_characters() -> None:
    """By bytes, as gateways count."""
    assert cut("井盖" * 10, 20) == "井盖井盖井…"
    assert cut("short", 20) == "short"


def test_whether_a_gateway_took_it() -> None:
    """A robot answers 200 also where it refuses; the field says."""
    template = built_in("wecom")
    assert is_taken(template, b'{"errcode": 0, "errmsg": "ok"}')
    for answer in (b'{"errcode": 93000}', b"[]", b"<html>", b""):
        assert not is_taken(template, answer)
    assert is_taken(Template("z", "e", "b", {}), b"anything")


@pytest.mark.parametrize(
    "text", ["", "x =", 'zh="a"\nen="b"\nbasis="c"\nbody="[1]"', 'zh="a"\nen="b"\nbasis="c"\nbody="{}"\nsign="x"']
)
def test_what_is_no_template(text: str) -> None:
    """A site's own template is checked before anything is sent by it."""
    with pytest.raises(UserFault):
        read_template("own.toml", text)
