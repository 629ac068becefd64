"""token make, list, revoke, as an administrator types them."""

from __future__ import annotations

import pytest

from node.commands import tokens
from tests.unit.cli.conftest import Call, Called, Country


def _make(call: Call, country: Country, *words: str) -> Called:
    return call("--home", country.home("city"), "token", "make", *words)


def test_a_token_is_made_shown_once_and_revoked(call: Call, country: Country) -> None:
    """The list has it without its secret; revoked, it is listed so."""
    home = ("--home", country.home("city"))
    made = _make(call, country, "CIM", "--role", "read", "--dataset", "case", "--days", "30", "--json")
    assert made.code == 0
    secret = made.json["secret"]
    assert secret.startswith(f"tst_{made.json['token']}_")
    listed = call(*home, "token", "list")
    assert "CIM" in listed.out
    assert secret not in listed.out
    assert call(*home, "token", "revoke", made.json["token"]).code == 0
    assert [one["state"] for one in call(*home, "token", "list", "--json").json["tokens"] if one["name"] == "CIM"] == [
        "revoked"
    ]
    assert "E1807" in call(*home, "token", "revoke", "nobody").err


def test_for_a_person_the_token_stands_on_a_line_of_its_own(call: Call, country: Country) -> None:
    """So that it can be copied, and a script can take the last line."""
    made = _make(call, country, "12345", "--role", "write", "--role", "read", "--all")
    assert made.out.splitlines()[-1].startswith("tst_")
    dry = _make(call, country, "dry", "--role", "watch", "--dry-run")
    assert (dry.code, "tst_" in dry.out) == (0, False)
    assert "dry" not in call("--home", country.home("city"), "token", "list").out


def test_only_tokens_that_are_good_take_a_place(call: Call, country: Country, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever gives a new one each year could one day give no more."""
    home, words = ("--home", country.home("city")), ("one", "--role", "watch", "--json")
    good = [t for t in call(*home, "token", "list", "--json").json["tokens"] if t["state"] == "valid"]
    monkeypatch.setattr(tokens, "TOKENS_MAX", len(good) + 1)
    made = _make(call, country, *words)
    assert made.code == 0
    assert "E1008" in _make(call, country, *words).out
    assert call(*home, "token", "revoke", made.json["token"]).code == 0
    assert _make(call, country, *words).code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("x", "--role", "read"), "E1008"),
        (("x", "--role", "admin", "--all"), "E1008"),
        (("x", "--role", "read", "--all", "--dataset", "case"), "E1008"),
        (("x", "--role", "read", "--dataset", "nobody"), "E1010"),
        (("", "--role", "read", "--all"), "E1008"),
        (("x", "--role", "read", "--all", "--days", "0"), "E1008"),
    ],
)
def test_what_cannot_be_made_is_told(call: Call, country: Country, words: tuple[str, ...], code: str) -> None:
    """Nothing is made then."""
    found = _make(call, country, *words)
    assert found.code != 0
    assert code in found.err
