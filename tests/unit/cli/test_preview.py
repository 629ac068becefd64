"""What would leave and be taken back, said before settings are changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def test_rows_outside_a_changed_scope_are_foreseen(call: Call, country: Country) -> None:
    """The scope that the parent is about to give: what could no longer be written is counted and named."""
    city = country.home("city")
    asked = ("--home", city, "preview", "--scope", "659001", "--sample", "1000", "--json")

    def outside() -> dict[str, Any]:
        return next((o for o in call(*asked).json["outside"] if o["dataset"] == "case"), {"rows": 0, "keys": []})

    before = outside()["rows"]
    row = json.dumps(case("outside-1"))
    assert call("--home", city, "put", "case", "--row", row, "--json").json["accepted"] == 1
    after = outside()
    assert after["rows"] == before + 1
    assert '["outside-1"]' in after["keys"] or len(after["keys"]) == 1_000
    assert call("--home", city, "preview", "--scope", "*", "--json").json["outside"] == []
    assert "outside that scope" in call("--home", city, "preview", "--scope", "659001").out
    assert call("--home", city, "preview", "--scope", "33x", "--json").json["error"]["code"] == "E1008"


def test_jobs_of_a_calm_node_are_none(call: Call, country: Country) -> None:
    assert call("--home", country.home("city"), "jobs", "--json").json == {"jobs": []}
    assert "background" in call("--home", country.home("city"), "jobs").out
