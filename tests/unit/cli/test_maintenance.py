"""Announced maintenance on the command line."""

from __future__ import annotations

from tests.unit.cli.conftest import Call, Country

SPAN = ("--from", "2099-03-01T22:00", "--until", "2099-03-02T06:00")


def test_maintenance_is_announced_listed_and_taken_back(call: Call, country: Country) -> None:
    """By the nation for the municipality, which hears of it and cannot take it back."""
    city, nation = country.home("city"), country.home("nation")
    words = (*SPAN, "--node", country.node("city"), "--reason", "电源检修")
    tried = call("--home", nation, "maintenance", "announce", *words, "--dry-run")
    assert tried.err.endswith("Nothing was written.\n")
    assert call("--home", nation, "maintenance", "list", "--json").json == {"windows": []}
    made = call("--home", nation, "maintenance", "announce", *words, "--json").json
    assert (made["state"], made["from"]) == ("announced", "2099-03-01T14:00:00.000000Z")
    country.level()
    (seen,) = call("--home", city, "maintenance", "list", "--json").json["windows"]
    assert (seen["window"], seen["announcer"]) == (made["window"], country.node("nation"))
    assert "电源检修" in call("--home", city, "--lang", "zh", "maintenance", "list").out
    (shown,) = call("--home", city, "status", "--json").json["maintenance"]
    assert (shown["node"], shown["from"]) == (country.node("city"), made["from"])
    assert "电源检修" in call("--home", city, "status").out
    refused = call("--home", city, "maintenance", "cancel", made["window"], "--json")
    assert refused.json["error"]["code"] == "E1008"
    assert "cancelled" in call("--home", nation, "maintenance", "cancel", made["window"]).out
    country.level()
    assert call("--home", city, "maintenance", "list", "--json").json == {"windows": []}


def test_what_would_not_count_is_not_announced(call: Call, country: Country) -> None:
    """It has begun, is over before it begins, is too long, or is about somebody else."""
    city = country.home("city")
    for arguments in (
        ("--from", "2020-01-01T00:00", "--until", "2020-01-01T06:00", "--reason", "x"),
        ("--from", "2099-01-01T06:00", "--until", "2099-01-01T00:00", "--reason", "x"),
        ("--from", "2099-01-01", "--until", "2099-02-01", "--reason", "x"),
        ("--from", "soon", "--until", "2099-02-01", "--reason", "x"),
        (*SPAN, "--reason", " "),
    ):
        called = call("--home", city, "maintenance", "announce", *arguments, "--json")
        assert called.json["error"]["code"] == "E1008", arguments
    other = call("--home", city, "maintenance", "announce", *SPAN, "--node", country.node("nation"), "--reason", "x")
    assert other.code == 3
