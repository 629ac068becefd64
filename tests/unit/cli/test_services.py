"""The service catalogue on the command line."""

from __future__ import annotations

from tests.unit.cli.conftest import Call, Country


def test_a_service_from_offer_to_end(call: Call, country: Country) -> None:
    """Tried, offered, offered anew, seen by the parent, withdrawn."""
    city, nation = country.home("city"), country.home("nation")
    able = call("--home", city, "service", "list", "--offerable", "--json").json["datasets"]
    assert {"case", "component"} <= {one["dataset"] for one in able}
    assert "有条件共享" in call("--home", city, "--lang", "zh", "service", "list", "--offerable").out
    tried = call("--home", city, "service", "publish", "case", "--dry-run")
    assert "Nothing was written" in tried.out + tried.err
    offer = ("service", "publish", "case", "--columns", "case_id,division,state", "--condition", "statistics")
    first = call("--home", city, *offer, "--json").json
    assert (first["version"], first["state"], first["own"]) == (1, "published", True)
    assert call("--home", city, *offer, "--title", "Cases", "--json").json["version"] == 2
    country.level()
    seen = call("--home", nation, "service", "list", "--all", "--json").json["services"]
    mine = [one for one in seen if one["service_id"] == first["service_id"]]
    assert {(one["version"], one["state"]) for one in mine} == {(1, "changed"), (2, "published")}
    assert "Cases" in call("--home", nation, "service", "list").out
    ended = call("--home", city, "service", "withdraw", first["service_id"], "--json").json["services"]
    assert [(one["version"], one["state"]) for one in ended] == [(2, "stopped")]
    offered = call("--home", city, "service", "list", "--json").json["services"]
    assert first["service_id"] not in {one["service_id"] for one in offered}


def test_what_cannot_be_offered_is_told(call: Call, country: Country) -> None:
    city = country.home("city")
    for arguments, code in (
        (("publish", "nonsense"), "E1010"),
        (("publish", "case", "--columns", "reporter_phone"), "E1903"),
        (("withdraw", "nothing"), "E1008"),
    ):
        assert call("--home", city, "service", *arguments, "--json").json["error"]["code"] == code
    told = call("--home", city, "service", "publish", "case", "--columns", "reporter_phone").err
    assert "This cannot be offered." in told
    assert "sender" not in told


def test_an_offer_stays_where_its_next_version_is_not_taken(call: Call, country: Country) -> None:
    """The older version ends in the same act in which the new one begins, or not at all."""
    city, offer = country.home("city"), ("service", "publish", "case", "--service", "stays")
    assert call("--home", city, *offer).code == 0
    assert call("--home", city, *offer, "--title", "x" * 1_000).code == 3
    assert call("--home", city, *offer, "--title", "x" * 1_000, "--dry-run").code == 3
    offered = call("--home", city, "service", "list", "--json").json["services"]
    assert [(one["version"], one["state"]) for one in offered if one["service_id"] == "stays"] == [(1, "published")]
    assert call("--home", city, "service", "withdraw", "stays").code == 0
