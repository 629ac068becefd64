"""Quality issues on the command line: the nation marks a record of the city, which answers."""

from __future__ import annotations

import json

from tests.unit.cli.conftest import Call, Country
from tests.unit.cli.test_rows import case


def test_an_issue_from_mark_to_close(call: Call, country: Country) -> None:
    city, nation = country.home("city"), country.home("nation")
    call("--home", city, "put", "case", "--row", json.dumps(case("odd-1", supervised=True)))
    country.level()
    tried = call("--home", nation, "quality", "mark", "case", "duplicate", "--key", "odd-1", "--dry-run")
    assert "Nothing was written" in tried.out + tried.err
    marked = call("--home", nation, "quality", "mark", "case", "duplicate", "--key", '["odd-1"]', "--json").json
    assert (marked["state"], marked["origin"]) == ("notified", country.node("city"))
    country.level()
    (listed,) = call("--home", city, "quality", "list", "--to-answer", "--json").json["issues"]
    assert listed["issue"] == marked["issue"]
    assert "1 quality issues wait" in call("--home", city, "status").out
    unsettled = call("--home", city, "quality", "answer", marked["issue"], "keep", "--json")
    assert unsettled.json["error"]["code"] == "E1503"
    said = call("--home", city, "--lang", "zh", "quality", "answer", marked["issue"], "keep", "--reason", "属实")
    assert "维持原值" in said.out
    country.level()
    again = ("quality", "reopen", marked["issue"], "--reason", "look again")
    assert call("--home", nation, *again, "--json").json["round"] == 2
    assert "closed" in call("--home", nation, "quality", "close", marked["issue"]).out
    assert marked["issue"] in call("--home", nation, "quality", "list").out
    assert call("--home", nation, "quality", "list", "--open", "--json").json == {"issues": []}


def test_what_cannot_be_marked_is_told(call: Call, country: Country) -> None:
    nation = country.home("nation")
    for arguments in (
        ("case", "duplicate", "--key", "nobody"),
        ("nonsense", "duplicate", "--key", "x"),
        ("case", "duplicate", "--key", "[1"),
        ("case", "duplicate", "--key", "x", "--column", "nonsense"),
        ("case", "missing", "--origin", "ghost.cn-demo"),
    ):
        called = call("--home", nation, "quality", "mark", *arguments, "--json")
        assert called.code in (2, 3), arguments
        assert called.json["error"]["code"] in ("E1008", "E1402"), arguments
    assert call("--home", nation, "quality", "close", "none", "--json").json["error"]["code"] == "E1501"
