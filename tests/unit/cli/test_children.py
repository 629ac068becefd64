"""Nodes below this one, on the command line."""

from __future__ import annotations

from tests.unit.cli.conftest import Call, Country


def test_a_city_can_invite_a_district(call: Call, country: Country) -> None:
    """A municipality does, without a CA of its own; a province it cannot."""
    city = country.home("city")
    wish = ("--region", "310115", "--title", "浦东新区", "--dry-run")
    made = call("--home", city, "invite", "make", "--profile", "district", *wish, "--json")
    assert made.json["node"] == f"d310115.{country.node('city')}"
    wish = ("--region", "330000", "--title", "浙江省", "--dry-run")
    assert call("--home", city, "invite", "make", "--profile", "provincial", *wish).code == 2


def test_a_node_is_suspended_and_resumed_by_its_parent_alone(call: Call, country: Country) -> None:
    """With a reason; what stands already is not said again."""
    nation, city = country.home("nation"), country.node("city")
    said = ("child", "suspend", city, "--dry-run")
    assert call("--home", nation, *said, "--reason", "x", "--json").json == {
        "node": city,
        "enrolled": False,
        "dry_run": True,
    }
    assert call("--home", nation, *said, "--reason", "x").out == "Dry run: nothing was said.\n"
    assert call("--home", nation, *said, "--json").json["error"]["code"] == "E1008"
    assert call("--home", nation, *said, "--reason", "x" * 501, "--json").json["error"]["code"] == "E1008"
    enrolled = call("--home", nation, "child", "resume", city, "--reason", "x", "--dry-run")
    assert enrolled.code != 0
    assert "is not suspended" in enrolled.err
    assert call("--home", country.home("city"), "child", "suspend", country.node("nation"), "--reason", "x").code != 0
