"""What a node says of itself: running, stopped, and examined."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from node.audit import FOLDER, read
from node.cli.asking import command
from node.cli.session import Session
from node.config import CONFIG_NAME
from node.control.place import socket_path
from node.faults import Manner
from node.store import checks, fsck
from node.store.driver import library
from node.texts import translator
from sync.reasons import Reason
from sync.values import Fate
from tests.unit.cli.conftest import Call, Country
from tests.unit.cli.test_rows import case
from tests.unit.node_base.kit import ROOT, SMALL

ASKED = (
    ("status",),
    ("feeds",),
    ("peers",),
    ("parked",),
    ("refused",),
    ("reread",),
    ("loads", "list"),
    ("task", "list"),
    ("query", "case"),
    ("catalogue", "list"),
    ("catalogue", "show", "case"),
    ("catalogue", "check"),
    ("fsck",),
    ("audit", "show"),
    ("audit", "verify"),
    ("statement",),
)


@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_questions_are_answered_in_json_alone_and_in_words(
    call: Call, country: Country, arguments: tuple[str, ...]
) -> None:
    """stdout parses; without --json there are words in the language asked for, and no traceback."""
    told = call("--home", country.home("city"), *arguments, "--json")
    assert told.code == 0, told
    assert isinstance(told.json, dict)
    for language in ("en", "zh"):
        called = call("--home", country.home("city"), "--lang", language, *arguments)
        assert (called.code, "Traceback" in called.err) == (0, False)
        assert called.out


def test_status_shows_tree_links_and_receipts(call: Call, country: Country) -> None:
    """The neighbour is linked, the node marks itself, feeds say who has signed for them."""
    nation, city = country.node("nation"), country.node("city")
    call("--home", country.home("city"), "put", "case", "--row", json.dumps(case("status-1")))
    country.level()
    told = call("--home", country.home("city"), "status", "--json").json
    assert (told["running"], told["node"], told["parent"], told["state"]) == (True, city, nation, "working")
    assert {nation, city} <= {member["node"] for member in told["tree"]}
    shown = call("--home", country.home("city"), "status").out
    assert f"  {city} *" in shown
    assert "linked" in shown
    assert f"{city}/case.parent" in shown


def test_a_stopped_node_answers_from_its_store(call: Call, country: Country) -> None:
    """Everything that only reads works the same; what writes says that the node must run."""
    home = country.home("city")
    call("--home", home, "put", "case", "--row", json.dumps(case("stopped-1")))
    country.level()
    running = {" ".join(a): call("--home", home, *a, "--json").json for a in ASKED[3:12]}
    before = call("--home", home, "status", "--json").json
    country.do(country.net["city"].stop())
    try:
        for words, told in running.items():
            assert call("--home", home, *words.split(), "--json").json == told, words
        status = call("--home", home, "status", "--json").json
        assert status["running"] is False
        for part in ("node", "tree", "parked", "enrolment", "group", "heard"):
            assert status[part] == before[part], part
        # a receipt may come while it stops
        held, told = ([{**feed, "receipts": ()} for feed in one["feeds"]] for one in (before, status))
        assert told == held
        assert call("--home", home, "trace", "stopped-1").code == 0
        assert "stopped" in call("--home", home, "status").out
        for arguments in (("put", "case", "--row", "{}"), ("unload", "1"), ("invite", "list"), ("status", "-f")):
            refused = call("--home", home, *arguments)
            assert (refused.code, "E1101" in refused.err) == (4, True), arguments
    finally:
        country.do(country.net["city"].start())
        country.do(country.net.settled())


def test_a_left_over_socket_counts_as_stopped(call: Call, tmp_path: Path, country: Country) -> None:
    """After a kill the socket file stays; nobody listens, so the store is asked."""
    (tmp_path / CONFIG_NAME).write_text((Path(country.home("city")) / CONFIG_NAME).read_text("utf-8"), "utf-8")
    socket_path(tmp_path).touch()
    called = call("--home", str(tmp_path), "put", "case", "--row", "{}")
    assert (called.code, "E1101" in called.err) == (4, True)


@pytest.fixture
def copied(call: Call, country: Country, tmp_path: Path) -> Path:
    """The nation's home with a row of the city, copied while it was stopped."""
    row = json.dumps(case("fsck-1", supervised=False))
    assert call("--home", country.home("city"), "put", "case", "--row", row).code == 0
    country.level()
    country.do(country.net["nation"].stop())
    try:
        shutil.copytree(country.home("nation"), tmp_path / "copy")
    finally:
        country.do(country.net["nation"].start())
        country.do(country.net.settled())
    return tmp_path / "copy"


def test_an_entry_is_traced_by_feed_and_seq(call: Call, country: Country, copied: Path) -> None:
    """A row without a key that can be named is reached by the entry it came in; other entries say who has signed."""
    feed = f"{country.node('city')}/case.parent"
    with closing(library.connect(copied / "store.db")) as connection, connection:
        (chain,) = connection.execute(
            "SELECT chain.id FROM chain JOIN feed ON feed.id = chain.feed "
            "WHERE publication = 'case.parent' AND origin = ?",
            (country.node("city"),),
        ).fetchone()
        fate = (chain, Fate.PARKED.value, Reason.UNKNOWN_DATASET.value)
        connection.execute("INSERT INTO fate VALUES (?, 1, -1, 'x_unknown', '', ?, ?, 'no such dataset')", fate)
    (row,) = call("--home", str(copied), "trace", f"{feed}@1", "--json").json["rows"]
    assert (row["dataset"], row["key"], row["origin"]) == ("x_unknown", "", country.node("city"))
    assert [(fate["fate"], fate["detail"]) for fate in row["fates"]] == [("PARKED", "no such dataset")]
    assert [(entry["feed"], entry["seq"]) for entry in row["entries"]] == [(feed, 1)]
    assert "no such dataset" in call("--home", str(copied), "trace", f"{feed}@1").out
    (plain,) = call("--home", country.home("city"), "trace", f"{feed}@1", "--json").json["rows"]
    assert plain["entries"][0]["applied_by"] == [country.node("nation")]
    assert plain["fates"] == []
    for nothing in (f"{feed}@999999", f"{feed}@x", f"{feed}@", "no/feed@1"):
        assert call("--home", country.home("city"), "trace", nothing).code == 3
    assert "fate_untold" in {f["fault"] for f in call("--home", str(copied), "fsck", "--json").json["findings"]}


def test_a_long_check_says_how_far_it_is(country: Country, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running node tells entries checked, of how many; the last word is the report."""
    monkeypatch.setattr(fsck, "TELL_EVERY_ENTRIES", 1)
    session = Session(Manner())
    session.home_given = Path(country.home("city"))
    told: list[dict[str, Any]] = []
    report = command(session, "fsck", told.append)
    assert [one["entries"] for one in told] == list(range(1, report["entries"] + 1))
    assert {one["of"] for one in told} == {report["entries"]}


def test_fsck_finds_what_was_changed_behind_the_nodes_back(call: Call, country: Country, copied: Path) -> None:
    """A copy of a home in which a row was edited: the exit code says damage, the report says what to do."""
    assert call("--home", str(copied), "fsck", "--json").json["sound"] is True
    with closing(library.connect(copied / "store.db")) as connection, connection:
        connection.execute("UPDATE rows_case SET state = 'closed' WHERE case_id = 'fsck-1'")
    told = call("--home", str(copied), "fsck", "--json")
    assert told.code == 7
    assert "row_differs" in {finding["fault"] for finding in told.json["findings"]}
    assert [line["event"] for line in read(copied / FOLDER)][-2:] == ["check_passed", "check_failed"]
    assert "What to do" in call("--home", str(copied), "fsck").out
    chinese = call("--home", str(copied), "--lang", "zh", "fsck").out
    for text in (checks.Fault.ROW_DIFFERS.words, checks.Fault.ROW_DIFFERS.remedy):
        assert text not in chinese
        assert translator("zh")(text) in chinese.replace("\n", "")


def test_a_broken_audit_is_shown(call: Call, country: Country, tmp_path: Path) -> None:
    """A changed line is named by file and number."""
    shutil.copytree(Path(country.home("city")) / "audit", tmp_path / "audit")
    path = next((tmp_path / "audit").glob("audit-*.jsonl"))
    path.write_text(path.read_text("utf-8").replace("node_started", "node_stopped", 1), "utf-8")
    called = call("--home", str(tmp_path), "audit", "verify", "--json")
    assert called.code == 7
    assert called.json["broken_line"] > 0


def test_doctor_examines_machine_and_home(call: Call, country: Country, tmp_path: Path) -> None:
    """All is well on this machine; a key that others may read is bad, and the exit code says so."""
    told = call("--home", country.home("city"), "doctor", "--json")
    verdicts = {check["check"]: check["verdict"] for check in told.json["checks"]}
    assert {verdicts[name] for name in ("Python", "SQLite", "protobuf", "package names", "clock", "home")} == {"good"}
    assert {"certificate", "disk", "keys and certificates"} <= verdicts.keys()
    assert [v for name, v in verdicts.items() if name.startswith("parent")] == ["good"]
    key = Path(country.home("city")) / "keys" / "log.key"
    key.chmod(0o644)
    try:
        bad = call("--home", country.home("city"), "doctor")
    finally:
        key.chmod(0o600)
    assert (bad.code, "chmod 600" in bad.out, "BAD" in bad.out) == (4, True, True)
    assert call("--home", str(tmp_path), "doctor", "--json").json["sound"] is False


def test_doctor_looks_for_the_files_that_node_toml_names(call: Call, tmp_path: Path) -> None:
    """A catalogue or mapping that is not there, or cannot be read, is named with its file."""
    home = tmp_path / "home"
    wish = ("--root-dir", str(tmp_path / "root"), "--federation", "cn-try", "--title", "x")
    assert call("--home", str(home), "init", *wish).code == 0
    path = home / "node.toml"
    text = path.read_text("utf-8").replace("catalogue = []", 'catalogue = ["own.toml"]')
    path.write_text(text.replace("mappings = []", 'mappings = ["own-map.toml"]'), "utf-8")

    def bad() -> dict[str, str]:
        checks = call("--home", str(home), "doctor", "--json").json["checks"]
        return {one["title"]: one["found"] for one in checks if one["verdict"] == "bad"}

    assert bad() == {
        f"file {name}": f"named in node.toml, and not there: {home / name}" for name in ("own.toml", "own-map.toml")
    }
    (home / "own-map.toml").touch()
    (home / "own.toml").write_bytes("# 案件".encode("gb18030"))
    assert bad() == {"catalogue": f"{home / 'own.toml'} is not UTF-8 text (line 1)."}
    (home / "own.toml").write_text("[nonsense]", "utf-8")
    assert list(bad()) == ["catalogue"]
    (home / "own.toml").write_text("", "utf-8")
    assert bad() == {}


@pytest.mark.parametrize(("home", "number"), [("{tmp}/nowhere", "E1004"), ("{tmp}", "E1001")])
def test_a_home_that_is_none(call: Call, tmp_path: Path, home: str, number: str) -> None:
    """It is said which folder was meant and how to name another."""
    called = call("--home", home.format(tmp=tmp_path), "status")
    assert f"Error {number}:" in called.err
    assert "Traceback" not in called.err


def test_no_home_is_named(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, country: Country) -> None:
    """Neither option, nor variable, nor a node's folder: E1004. Inside a node's folder nothing needs to be named."""
    monkeypatch.chdir(tmp_path)
    assert "E1004" in call("status").err
    assert call("doctor", "--json").json["checks"][-1]["verdict"] == "odd"
    assert call("catalogue", "show", "case", "--json").json["dataset"] == "case"
    monkeypatch.chdir(country.home("city"))
    assert call("status", "--json").json["node"] == country.node("city")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERSYNC_HOME", country.home("nation"))
    assert call("status", "--json").json["node"] == country.node("nation")


def test_a_diff_says_what_is_not_only_added(call: Call, tmp_path: Path) -> None:
    """Of versions of a site's file, or of the whole built-in catalogue as a folder; each step is looked at."""
    old, new, bad = (tmp_path / name for name in ("old.toml", "new.toml", "bad.toml"))
    old.write_text(SMALL, "utf-8")
    new.write_text(SMALL.replace("version = 1", "version = 2").replace("length = 4000", "length = 5000"), "utf-8")
    bad.write_text(SMALL.replace("version = 1", "version = 3"), "utf-8")
    good = call("catalogue", "diff", str(old), str(new), "--json")
    assert (good.code, good.json["only_added"]) == (0, True)
    assert [c["path"] for c in good.json["changes"]] == ["x_small", "x_small.note"]
    told = call("catalogue", "diff", str(old), str(new), str(bad))
    assert told.code == 3
    assert "x_small.note" in told.out
    assert "narrows from 5000 to 4000" in told.out
    assert call("catalogue", "diff", str(old), str(old)).out.strip() == "Nothing changed."
    builtin = str(ROOT / "tiers" / "catalogue")
    assert call("catalogue", "diff", builtin, builtin, "--json").json == {"only_added": True, "changes": []}
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "E1201" in call("catalogue", "diff", str(empty), builtin).err


def test_show_tells_what_a_dataset_asks_of_its_rows(call: Call) -> None:
    """Cadence, bounds, examples and checks, in the language of the call; JSON holds both."""
    told = call("catalogue", "show", "case", "--json").json
    assert told["cadence"] == ["real_time", "daily"]
    assert told["definition_zh"].startswith("建议稿")
    columns = {c["column"]: c for c in told["columns"]}
    assert (columns["pos_lat"]["minimum"], columns["pos_lat"]["maximum"]) == (-90.0, 90.0)
    assert columns["case_id"]["definition_zh"]
    assert {"check": "closed_has_time", "severity": "warn"}.items() <= told["checks"][3].items()
    shown = call("catalogue", "show", "case").out
    assert "at once, daily" in shown
    assert "closed before it was reported" in shown


def test_the_catalogue_says_what_statistics_are_worked_out_of(call: Call) -> None:
    """Source, groups and each measure; what nobody works out has no such part."""
    told = call("catalogue", "show", "operation_vitals_stat", "--json").json["rollup"]
    assert (told["source"], told["date"], told["own_place"]) == ("operation_vitals", "period", True)
    assert told["groups"] == {"indicator": {"indicator": "indicator", "unit": "unit"}}
    by_name = {one["to"]: one for one in told["measures"]}
    assert (by_name["value_max"]["how"], by_name["value_max"]["of"], by_name["value_max"]["total"]) == (
        "most",
        ["value"],
        False,
    )
    assert (by_name["value_mean"]["how"], by_name["value_mean"]["of"]) == ("ratio", ["value_sum", "reported"])
    shown = call("catalogue", "show", "case_stat").out
    assert "Worked out of case, by dim_scheme + dim_class; dim_source, and the total." in shown
    assert "Cells of fewer than 3 are held back." in shown
    assert "由 case 计算" in call("--lang", "zh", "catalogue", "show", "case_stat").out
    assert call("catalogue", "show", "case", "--json").json["rollup"] is None
    assert "市级" in (in_words := call("--lang", "zh", "catalogue", "show", "case").out)
    assert "µs" not in in_words, "a time is written as its example shows, not as it is stored"
    assert "Worked out" not in call("catalogue", "show", "case").out
