"""Texts in two languages."""

from __future__ import annotations

import ast
import string
import subprocess
import sys
from pathlib import Path

import pytest

from node import texts
from node.texts import Text, listed, reasons
from sync.errors import LocalFault
from sync.phrase import Phrase
from sync.reasons import Reason

ROOT = Path(__file__).resolve().parents[3]


def test_no_text_stands_within_an_f_string() -> None:
    """Before Python 3.12 whoever takes texts out of the code does not see it there: it stayed English."""
    hidden = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in ("node", "tiers", "sync", "certs")
        for path in (ROOT / package).rglob("*.py")
        for said in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(said, ast.JoinedStr)
        for call in ast.walk(said)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("_", "N_", "ngettext")
        and any(isinstance(argument, ast.Constant) for argument in call.args)
    ]
    assert hidden == []


def test_several_texts_are_one_field_in_either_language() -> None:
    """Each in the language of the whole."""
    said = Text("({roles})", roles=listed([Text("Hangzhou"), Text("Ningbo")])).both()
    assert said == {"en": "(Hangzhou, Ningbo)", "zh": "(杭州, 宁波)"}


def test_catalogue_is_fresh_and_complete() -> None:
    """The committed catalogue is what the code says, and every text has its Chinese with the same fields."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "tools" / "texts.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB"}, "en"),
        ({"TIERSYNC_LANG": "zh", "LC_ALL": "en_GB"}, "zh"),
        ({"LC_ALL": "C.UTF-8"}, "zh"),
        ({"LC_ALL": "POSIX", "LANG": "en"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_TW"}, "zh"),
    ],
)
def test_language_follows_the_environment(environ: dict[str, str], language: str) -> None:
    """TIERSYNC_LANG, LC_ALL, LC_MESSAGES, LANG in this order; Chinese when nothing is said."""
    assert texts.language_of(environ) == language


def test_both_languages_in_one_process() -> None:
    """Two translators live side by side, whatever is chosen for the process."""
    zh, en = texts.translator("zh"), texts.translator("en")
    assert zh("What to do") == "处理办法"
    assert en("What to do") == "What to do"
    assert zh.ngettext("one", "many", 2) == "many"
    assert en.ngettext("one", "many", 1) == "one"


def test_choice_of_the_process() -> None:
    """`_` speaks the language that the entry point chose."""
    try:
        assert texts.use_environment({"LANG": "en_US"}) == "en"
        assert texts._("Error") == "Error"
        assert texts.ngettext("one", "many", 1) == "one"
        texts.use("zh")
        assert texts._("Error") == "错误"
    finally:
        texts.use("zh")


def test_text_carries_its_fields_into_each_language() -> None:
    """Fields, nested texts and lists of texts are said in the language asked for; braces in values do no harm."""
    inner = Text("is missing")
    outer = Text("{where}: {problem}", where="{a}", problem=(inner, inner))
    assert outer.both() == {"zh": "{a}: 缺失\n缺失", "en": "{a}: is missing\nis missing"}
    assert str(Text("a stray { brace")) == "a stray { brace"
    assert str(Text("{missing} field")) == "{missing} field"


def test_what_a_fault_says_is_said_in_the_language_of_the_message_around_it() -> None:
    """A fault that carries a phrase is no English insertion in a Chinese sentence."""
    fault = LocalFault(Phrase("{} is missing", "/n/keys/log.key"))
    assert Text("{detail}", detail=fault).both() == {"zh": "/n/keys/log.key 不存在", "en": "/n/keys/log.key is missing"}
    assert str(Text("{detail}", detail=LocalFault("plain"))) == "plain"


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words_in_both_languages(reason: Reason) -> None:
    """A title and a next step, in English and in Chinese, without fields."""
    both = reasons.both(reason)
    for language in ("zh", "en"):
        for part in ("title", "next"):
            words = both[language][part]
            assert words
            assert any("\u4e00" <= letter <= "\u9fff" for letter in words) is (language == "zh")
            assert not [name for _, name, _, _ in string.Formatter().parse(words) if name]
    assert reasons.title(reason, texts.translator("en")) == both["en"]["title"]
    assert reasons.next_step(reason, texts.translator("zh")) == both["zh"]["next"]
    assert reasons.name(reason) == reason.name


def test_a_reason_of_a_newer_node() -> None:
    """A number that this version does not know still gives words that help."""
    assert reasons.name(9_999) == "REASON_9999"
    assert "Upgrade" in reasons.next_step(9_999, texts.translator("en"))
    assert str(reasons.text(9_999)) == reasons.UNKNOWN.title
