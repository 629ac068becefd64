"""`tiersync notify test`."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from node.config import CONFIG_NAME, load_file, render
from node.notify import sending
from node.notify.sending import Sender, Unsent, url_of
from node.settings import Notify
from tests.unit.cli.conftest import Call, Country


class _Out:
    def __init__(self, why: str = "") -> None:
        self.why = why
        self.came: list[tuple[str, str]] = []

    def send(self, subject: str, text: str) -> None:
        if self.why:
            raise Unsent(self.why)
        self.came.append((subject, text))


@pytest.fixture
def home(country: Country, tmp_path: Path) -> str:
    """The configuration of a node, with one way; nothing runs in it."""
    source = Path(country.home("city"))
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    shutil.copy(source / CONFIG_NAME, made)
    config = replace(
        load_file(made / CONFIG_NAME), notify={"duty": Notify("wecom", url="http://127.0.0.1:1/x", language="en")}
    )
    (made / CONFIG_NAME).write_text(render(config), "utf-8")
    return str(made)


def test_a_test_message_goes_out(call: Call, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the language of the way, and it is said that it was taken."""
    out: Sender = _Out()
    monkeypatch.setattr(sending, "sender_of", lambda *_: out)
    assert call("--home", home, "notify", "test", "duty", "--json").json == {"notify": "duty", "sent": True}
    assert isinstance(out, _Out)
    assert out.came[0][0].endswith(": test message")


def test_what_was_not_taken_is_an_error(call: Call, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the other side said."""
    monkeypatch.setattr(sending, "sender_of", lambda *_: _Out("errcode 93000"))
    called = call("--home", home, "notify", "test", "duty")
    assert (called.code, "E1406" in called.err, "errcode 93000" in called.err) == (5, True, True)


def test_a_way_that_is_not_there(call: Call, home: str) -> None:
    """Those that are there are named."""
    called = call("--home", home, "notify", "test", "desk")
    assert (called.code, "duty" in called.err) == (2, True)


def test_the_doctor_looks_whether_the_other_side_answers(call: Call, home: str) -> None:
    """By what is configured; where no address is said, by that of the template."""
    checks = {one["check"]: one["verdict"] for one in call("--home", home, "doctor", "--json").json["checks"]}
    assert checks["notices duty"] == "odd"
    assert url_of(Notify("feishu")).startswith("https://open.feishu.cn/")
