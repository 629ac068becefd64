"""Subscriptions on the command line: the nation asks for cases of the city, which checks and decides by itself."""

from __future__ import annotations

import json

from tests.unit.cli.conftest import Call, Country
from tests.unit.cli.test_rows import case

WISH = ("--purpose", "annual report", "--until", "2099-12-31")


def test_a_subscription_from_application_to_end(call: Call, country: Country) -> None:
    city, nation = country.home("city"), country.home("nation")
    only = '{"column": "case_id", "op": "=", "value": "sub-1"}'
    call("--home", city, "put", "case", "--row", json.dumps(case("sub-1")))
    offer = ("--service", "sub-cases", "--columns", "case_id,state,summary")
    assert call("--home", city, "service", "publish", "case", *offer).code == 0
    country.level()
    apply = ("--home", nation, "subscription", "apply", "sub-cases", *WISH, "--columns", "state", "--filter", only)
    tried = call(*apply, "--dry-run")
    assert "Nothing was written" in tried.out + tried.err
    asked = call(*apply, "--json").json
    assert (asked["state"], asked["checker"]) == ("applied", country.node("city"))
    name = asked["subscription"]
    country.level()
    listed = call("--home", city, "subscription", "list", "--to-do", "--json").json["subscriptions"]
    assert [one["next"] for one in listed if one["subscription"] == name] == [["check", "refuse"]]
    assert "wait for this node" in call("--home", city, "status").out
    early = call("--home", city, "subscription", "approve", name, "--json")
    assert early.json["error"]["code"] == "E1503"
    assert "subscription show" in early.json["error"]["next"]
    assert "符合性审查" in call("--home", city, "--lang", "zh", "subscription", "check", name).out
    tried = call("--home", city, "subscription", "approve", name, "--dry-run", "--json")
    assert (tried.json["rows"], tried.json["state"]) == (1, "in_use")
    assert call("--home", city, "subscription", "approve", name, "--json").json["state"] == "in_use"
    country.until("city", lambda status: not status["jobs"])
    country.level()
    assert call("--home", nation, "subscription", "show", name, "--json").json["rows"] == 1
    assert name in call("--home", nation, "subscription", "list", "--open").out
    refused = call("--home", city, "subscription", "withdraw", name, "--json")
    assert refused.json["error"]["code"] == "E1503"
    assert "withdrawn" in call("--home", city, "subscription", "withdraw", name, "--reason", "over").out
    country.until("city", lambda status: not status["jobs"])
    country.level()
    shown = call("--home", nation, "subscription", "show", name, "--json").json
    assert (shown["state"], shown["reason"], shown["rows"], shown["next"]) == ("withdrawn", "over", 0, [])
    assert call("--home", city, "service", "withdraw", "sub-cases").code == 0


def test_what_cannot_be_asked_for_is_told(call: Call, country: Country) -> None:
    nation = country.home("nation")
    for arguments, code in (
        (("apply", "no-service", *WISH), "E1008"),
        (("apply", "no-service", *WISH, "--provider", "ghost.cn-demo"), "E1402"),
        (("apply", "x", "--purpose", " ", "--until", "2099-12-31", "--provider", country.node("city")), "E1008"),
        (("apply", "x", *WISH, "--provider", country.node("city"), "--filter", "{state"), "E1903"),
        (("apply", "x", "--purpose", "x", "--until", "soon", "--provider", country.node("city")), "E1008"),
        (("show", "none"), "E1501"),
        (("check", "none"), "E1501"),
        (("refuse", "none", "--reason", "x"), "E1501"),
    ):
        assert call("--home", nation, "subscription", *arguments, "--json").json["error"]["code"] == code, arguments
    asked = ("subscription", "apply", "x", *WISH, "--provider", country.node("city"))
    told = call("--home", nation, *asked, "--scenario", "x" * 9_999).err
    assert "subscription show" in told
    assert "mapping file" not in told


def test_rows_of_subscriptions_are_not_put_by_hand(call: Call, country: Country) -> None:
    row = json.dumps({"subscription_id": "x", "writer": "310000", "role": "owner", "state": "in_use"})
    said = call("--home", country.home("city"), "put", "subscription", "--row", row, "--json")
    assert said.json["error"]["code"] == "E1008"
    said = call("--home", country.home("city"), "void", "subscription", '["x", "310000"]', "--reason", "x", "--json")
    assert said.json["error"]["code"] == "E1008"
