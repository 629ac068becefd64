"""What would leave and be taken back, said before settings are changed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Call, Country
from tests.unit.cli.test_rows import case


def test_a_changed_filter_is_foreseen_beside_the_running_node(call: Call, country: Country, tmp_path: Path) -> None:
    """Rows that would newly go are counted, and a few of their keys shown; settings that stay change nothing."""
    city = country.home("city")
    rows = [json.dumps(case(f"foreseen-{n}", supervised=False)) for n in range(3)]
    taken = [part for row in rows for part in ("--row", row)]
    assert call("--home", city, "put", "case", *taken, "--json").json["accepted"] == 3
    country.level()
    assert call("--home", city, "preview", "--json").json["changed"] == []
    assert "Nothing changes" in call("--home", city, "preview").out
    edited = tmp_path / "edited.toml"
    override = '\n[publications."case.nation"]\nfilter = "all"\n'
    edited.write_text((Path(city) / "node.toml").read_text("utf-8") + override, "utf-8")
    found = call("--home", city, "preview", "--config", str(edited), "--sample", "1000", "--json").json
    assert found["changed"] == ["case.nation"]
    (one,) = (feed for feed in found["feeds"] if feed["publication"] == "case.nation")
    assert {f'["foreseen-{n}"]' for n in range(3)} <= set(one["arrive"]["keys"])
    assert len(one["arrive"]["keys"]) == min(one["arrive"]["rows"], 1000)
    shown = call("--home", city, "preview", "--config", str(edited), "--sample", "1").out
    assert "go out newly" in shown
    assert " …" in shown


def test_a_configuration_of_another_node_is_refused(call: Call, country: Country) -> None:
    other = str(Path(country.home("nation")) / "node.toml")
    called = call("--home", country.home("city"), "preview", "--config", other, "--json")
    assert called.json["error"]["code"] == "E1008"
