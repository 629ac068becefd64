"""Homes made by the command line: init, invites, join."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from node.cli.invites import DAYS_MAX
from node.config import ListenSection, load_file
from node.enrol.lists import DAYS
from tests.unit.cli.conftest import Call, Country


def test_a_federation_is_founded_once(call: Call, tmp_path: Path) -> None:
    """The home is the owner's alone and whole; a second time nothing is changed."""
    home, root = tmp_path / "home", tmp_path / "root"
    arguments = ("--home", str(home), "init", "--root-dir", str(root), "--federation", "cn-try", "--title", "国家平台")
    made = call(*arguments, "--json")
    assert made.code == 0, made
    assert made.json["node"] == "n100000.cn-try"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert call("--home", str(home), "status", "--json").json["node"] == "n100000.cn-try"
    assert call("--home", str(home), "audit", "show", "--json").json["events"][0]["event"] == "node_initialised"
    again = call(*arguments)
    assert (again.code, "E1208" in again.err) == (3, True)
    other = ("--root-dir", str(tmp_path / "other"), "--federation")
    bad = call("--home", str(tmp_path / "b"), "init", *other, "CN", "--title", "x")
    assert (bad.code, "E1008" in bad.err) == (2, True)
    bad = call("--home", str(tmp_path / "b"), "init", *other, "cn-try", "--title", "")
    assert (bad.code, "E1003" in bad.err) == (3, True)


def test_a_home_that_never_ran_can_be_asked(call: Call, tmp_path: Path) -> None:
    """The row tables come with the first start; until then, and for a dataset that was added, there are no rows."""
    home, root = str(tmp_path / "home"), str(tmp_path / "root")
    call("--home", home, "init", "--root-dir", root, "--federation", "cn-try", "--title", "国家平台")
    assert call("--home", home, "fsck", "--json").json["sound"] is True
    assert call("--home", home, "query", "case", "--json").json["rows"] == []
    traced = call("--home", home, "trace", "x")
    assert (traced.code, "E1404" in traced.err) == (3, True)


def test_a_passphrase_is_taken_from_the_environment(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another passphrase the root's key does not open."""
    root = tmp_path / "root"
    arguments = ("init", "--root-dir", str(root), "--federation", "cn-try", "--title", "国家平台")
    monkeypatch.setenv("TIERSYNC_ROOT_PASSPHRASE", "correct horse")
    assert call("--home", str(tmp_path / "one"), *arguments).code == 0
    monkeypatch.setenv("TIERSYNC_ROOT_PASSPHRASE", "wrong")
    refused = call("--home", str(tmp_path / "two"), *arguments)
    assert (refused.code, "E1311" in refused.err) == (6, True)


def test_from_invite_to_a_node_below(call: Call, country: Country, tmp_path: Path) -> None:
    """By hand: the invite in a file, the request waits, the fingerprint is compared, the node is enrolled."""
    nation = country.home("nation")
    wish = ("--profile", "provincial", "--region", "330000", "--title", "浙江省平台", "--approval", "by_hand")
    made = call("--home", nation, "invite", "make", *wish, "--out", str(tmp_path / "out"), "--json").json
    assert "invite" not in made
    letter = Path(made["written"])
    assert stat.S_IMODE(letter.stat().st_mode) == 0o600
    home = str(tmp_path / "province")
    listen = ("--exchange", "127.0.0.1:7201", "--enrolment", "127.0.0.1:7202")
    waiting = call("--home", home, "join", f"@{letter}", *listen)
    assert (waiting.code, "E1305" in waiting.err) == (4, True), waiting
    for verb in (("status",), ("query", "case"), ("doctor",)):
        half = call("--home", home, *verb)
        assert half.code
        assert "is not finished" in half.out + half.err
        assert f"tiersync --home {home} join" in half.out + half.err, half
    pending = call("--home", nation, "invite", "pending", "--json").json["invites"]
    mine = next(one for one in pending if one["node"] == made["node"])
    assert mine["fingerprint"] in waiting.err
    assert mine["fingerprint"] in call("--home", nation, "invite", "pending").out
    wrong = call("--home", nation, "invite", "approve", made["node"], "00000 00000 00000 00000")
    assert (wrong.code, "E1309" in wrong.err) == (6, True)
    assert call("--home", nation, "invite", "approve", made["node"], *mine["fingerprint"].split()).code == 0
    joined = call("--home", home, "join", "--json")
    assert joined.code == 0, joined
    assert (joined.json["node"], joined.json["parent"]) == ("p330000.cn-demo", country.node("nation"))
    used = call("--home", nation, "invite", "list", "--status", "used", "--json").json["invites"]
    assert made["node"] in [one["node"] for one in used]
    assert call("--home", home, "status", "--json").json["node"] == "p330000.cn-demo"
    assert load_file(Path(home) / "node.toml").listen == ListenSection("127.0.0.1:7201", "127.0.0.1:7202")


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        (("--exchange", "nonsense"), "--exchange: 'nonsense' is not an address"),
        (("--exchange", "127.0.0.1:7201"), "--enrolment: is needed too"),
        (("--exchange", "h:1", "--enrolment", "h:1"), "--enrolment: must differ from --exchange"),
        (("--advertise-exchange", "h:0"), "--advertise-exchange: 'h:0' is not an address"),
    ],
)
def test_addresses_that_cannot_be_make_no_home(
    call: Call, country: Country, tmp_path: Path, listen: tuple[str, ...], said: str
) -> None:
    """The option is named, before so much as a folder is made."""
    wish = ("--profile", "city", "--region", "500000", "--title", "重庆市平台", "--again")
    invite = call("--home", country.home("nation"), "invite", "make", *wish, "--json").json["invite"]
    call("--home", country.home("nation"), "invite", "withdraw", "c500000.cn-demo")
    founding = ("init", "--root-dir", str(tmp_path / "root"), "--federation", "cn-try", "--title", "x")
    for verb in (("join", invite), founding):
        refused = call("--home", str(tmp_path / "home"), *verb, *listen)
        assert (refused.code, said in refused.err) == (2, True), refused
        assert not list(tmp_path.iterdir())


def test_invites_from_a_list(call: Call, country: Country, tmp_path: Path) -> None:
    """All of them or none, with every mistake and its line; also from a file that an office program wrote."""
    good = tmp_path / "list.csv"
    good.write_bytes("region,profile,title\n350000,provincial,福建省\n360000,provincial,江西省\n".encode("gb18030"))
    nation, letters = country.home("nation"), tmp_path / "letters"
    asked = ("--home", nation, "invite", "make", "--list", str(good))
    listed = ("--home", nation, "invite", "list", "--json")
    before = call(*listed).json["invites"]
    tried = call(*asked, "--dry-run", "--out", str(letters), "--json").json["invites"]
    assert [sorted(one) for one in tried] == [["expires", "node", "title"]] * 2
    told = call(*asked, "--dry-run")
    assert ("福建省 (p350000.cn-demo), valid until" in told.out, "Nothing was made." in told.err) == (True, True)
    assert "tiersync-invite" not in told.out
    assert not letters.exists()
    assert call(*listed).json["invites"] == before
    made = call(*asked, "--json").json["invites"]
    assert [(one["node"], one["title"]) for one in made] == [
        ("p350000.cn-demo", "福建省"),
        ("p360000.cn-demo", "江西省"),
    ]
    assert all(one["invite"].startswith("tiersync-invite:") for one in made)
    bad = tmp_path / "bad.csv"
    bad.write_text("region,profile,title\n37,provincial,山东\n380000,nope,x\n", "utf-8")
    refused = call("--home", nation, "invite", "make", "--list", str(bad))
    assert (refused.code, "E1203" in refused.err) == (3, True)
    withdrawn = call("--home", nation, "invite", "withdraw", "p350000.cn-demo", "--json").json
    assert withdrawn["status"] == "withdrawn"
    assert call("--home", nation, "invite", "withdraw", "p350000.cn-demo").code == 4


def test_a_list_that_no_encoding_fits_is_refused_with_its_line(call: Call, country: Country, tmp_path: Path) -> None:
    """Nothing is put in the place of what cannot be read: it would stand in a title for years."""
    broken = tmp_path / "list.csv"
    broken.write_bytes(
        "region,profile,title\n410000,provincial,河南省\n".encode("gb18030") + b"420000,provincial,\xff\n"
    )
    refused = call("--home", country.home("nation"), "invite", "make", "--list", str(broken))
    assert (refused.code, "E1205" in refused.err, "line 3" in refused.err) == (3, True, True), refused
    broken.write_bytes(b"x" * (1024 * 1024 + 1))
    refused = call("--home", country.home("nation"), "invite", "make", "--list", str(broken))
    assert (refused.code, "E1202" in refused.err) == (3, True), refused


def test_an_invite_whose_letter_cannot_be_written_is_not_made(call: Call, country: Country, tmp_path: Path) -> None:
    """Nobody would hold it, and it would stand in the way of the next."""
    nation = country.home("nation")
    wish = ("invite", "make", "--profile", "city", "--region", "120000", "--title", "天津市平台", "--json")

    def counted() -> tuple[int, list[str]]:
        held = call("--home", nation, "invite", "list", "--json").json["invites"]
        return len(held), [
            one["status"] for one in held if one["node"] == "c120000.cn-demo" and one["status"] == "open"
        ]

    before = counted()
    (tmp_path / "file").touch()
    assert call("--home", nation, *wish, "--out", str(tmp_path / "file")).json["error"]["code"] == "E1208"
    assert counted() == before
    (tmp_path / "out" / "c120000.cn-demo.invite").mkdir(parents=True)
    assert call("--home", nation, *wish, "--out", str(tmp_path / "out")).json["error"]["code"] == "E1202"
    assert counted() == (before[0] + 1, before[1])
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["c120000.cn-demo.invite"]
    (tmp_path / "out" / "c120000.cn-demo.invite").rmdir()
    (tmp_path / "out" / "c120000.cn-demo.invite").touch(0o644)
    made = call("--home", nation, *wish, "--out", str(tmp_path / "out"))
    assert made.code == 0, made
    assert stat.S_IMODE(Path(made.json["written"]).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (("invite", "make"), "E1008"),
        (("invite", "make", "--profile", "nope", "--region", "1", "--title", "x"), "E1008"),
        (("invite", "make", "--profile", "city", "--region", "1", "--title", "x", "--days", "61"), "E1008"),
        (("invite", "make", "--profile", "city", "--region", "310000", "--title", "x"), "E1108"),
        (("invite", "make", "--profile", "city", "--region", "1", "--title", "x", "--approval", "never"), "E1008"),
        (("invite", "make", "--list", "no-such.csv"), "E1201"),
        (("invite", "approve", "nobody", "1"), "E1312"),
        (("invite", "withdraw", "nobody"), "E1312"),
    ],
)
def test_invites_that_cannot_be_made(call: Call, country: Country, arguments: tuple[str, ...], number: str) -> None:
    """The mistake is numbered; the secret of no invite is in any message."""
    called = call("--home", country.home("nation"), *arguments)
    assert called.code
    assert f"Error {number}:" in called.err, called.err


def test_the_bound_on_days_is_the_node_s_own() -> None:
    """The command line knows it without asking."""
    assert (1, DAYS_MAX) == DAYS


def test_what_is_no_invite(call: Call, tmp_path: Path) -> None:
    """A scan, an empty file, a missing file: nothing is made."""
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF\xff\xfe\x00")
    for given, number in ((f"@{scan}", "E1301"), ("hello", "E1301"), (f"@{tmp_path / 'none'}", "E1201")):
        called = call("--home", str(tmp_path / "home"), "join", given, "--json")
        assert json.loads(called.out)["error"]["code"] == number
