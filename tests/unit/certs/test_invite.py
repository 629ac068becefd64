"""The invite on its way: whatever copying does to it is named, and nothing of its secret ever shows."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.forms import to_der
from certs.invite import INVITE_LIFE_US, Approval, is_address, read_invite, write_invite, write_invite_file
from certs.lines import read_line, write_line
from sync.errors import InputFault
from sync.reasons import Reason
from sync.scope import Scope, ScopeItem
from tests.unit.certs.country import CITY, NOW, country
from tests.unit.certs.letters import SECRET, invite

LETTERS = ascii_letters + digits + "-_"


def refused(text: str, now: int = NOW) -> InputFault:
    """The fault that a text meets; never one that shows the secret."""
    with pytest.raises(InputFault) as caught:
        read_invite(text, now)
    assert SECRET.hex() not in str(caught.value)
    assert caught.value.__context__ is None or SECRET.hex() not in repr(vars(caught.value.__context__))
    return caught.value


def test_an_invite_is_one_line_and_comes_back_whole() -> None:
    """Everything a child needs is in one line of letters that any medium carries."""
    line = write_invite(invite())
    assert re.fullmatch(r"tiersync-invite:1:[A-Za-z0-9_-]+", line)
    assert read_invite(line, NOW) == invite()
    assert read_invite(line, NOW).root_fingerprint == country().trust.fingerprint


def test_an_invite_as_a_file() -> None:
    """A file breaks the line at 64 columns; words above and below, spaces and line ends of any system do not matter."""
    text = write_invite_file(invite())
    assert max(len(row) for row in text.splitlines()) <= 64
    for form in (text, f"给杭州市\n\n{text}\n(章)", text.replace("\n", "\r\n"), text.replace("\n", " \n\t")):
        assert read_invite(form, NOW) == invite()


dates = st.sampled_from(["", "2026-01-01", "2027-12-31"])
regions = st.from_regex(r"[0-9]{6}|[0-9]{0,5}\*", fullmatch=True)
scopes = st.builds(
    lambda items: Scope(tuple(items)),
    st.lists(st.builds(ScopeItem, regions, st.lists(regions, max_size=2).map(tuple), dates, dates), max_size=3),
)
titles = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40)


@given(scopes, scopes, titles, st.binary(min_size=32, max_size=32), st.sampled_from(Approval))
def test_any_invite_comes_back_as_it_went(
    signing: Scope, carrying: Scope, title: str, secret: bytes, approval: Approval
) -> None:
    """Writing and reading an invite loses nothing, as a line and as a file."""
    made = replace(invite(), signing=signing, carrying=carrying, title=title, secret=secret, approval=approval)
    assert read_invite(write_invite(made), NOW) == made
    assert read_invite(write_invite_file(made), NOW) == made


@given(st.integers(0, 10_000), st.sampled_from(LETTERS + ":= é"))
def test_one_changed_letter_is_found(place: int, letter: str) -> None:
    """No letter of the line is free, not even the spare bits of the last."""
    line = write_invite(invite())
    place %= len(line)
    changed = line[:place] + letter + line[place + 1 :]
    if changed != line:
        refused(changed)


def test_every_change_of_the_last_letters_is_found() -> None:
    """Where the encoding has spare bits, all letters are tried."""
    line = write_invite(invite())
    for place, letter in product((-1, -2), LETTERS):
        changed = list(line)
        changed[place] = letter
        if "".join(changed) != line:
            assert "damaged" in refused("".join(changed)).detail


@given(st.integers(25, 10_000))
def test_a_line_cut_off_anywhere_is_said_to_be_cut_off(kept: int) -> None:
    """A lost end is the commonest fault of copying, so it has its own words."""
    line = write_invite(invite())
    if kept < len(line):
        fault = refused(line[:kept])
        assert fault.reason is Reason.MALFORMED
        assert "cut off" in fault.detail


CASES = {
    "nothing": ("", Reason.MALFORMED, "not an invite"),
    "some other text": ("ssh-ed25519 AAAA", Reason.MALFORMED, "not an invite"),
    "the word alone": ("tiersync-invite:1:", Reason.MALFORMED, "cut off"),
    "a newer version": ("tiersync-invite:2:AAAA", Reason.VERSION_TOO_OLD, "version 2"),
    "a novel": ("x" * 70_000, Reason.LIMIT_EXCEEDED, "longer"),
    "a file without its end": ("-----BEGIN TIERSYNC INVITE-----\ntiersync", Reason.MALFORMED, "cut off"),
    "two letters swapped": (
        (lambda t: t[:300] + t[301] + t[300] + t[302:] if t[300] != t[301] else t[:-1])(write_invite(invite())),
        Reason.MALFORMED,
        "",
    ),
    "a list": (write_line({"federation": []}), Reason.MALFORMED, "unfit"),
    "no fields": (write_line({}), Reason.MALFORMED, "unfit"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said(case: str) -> None:
    """Each fault of a text has its reason and its words."""
    text, reason, words = CASES[case]
    fault = refused(text)
    assert fault.reason is reason
    assert words in fault.detail


def test_an_expired_invite_says_whom_to_ask() -> None:
    """Valid for seven days to the microsecond."""
    line = write_invite(invite())
    assert read_invite(line, NOW + INVITE_LIFE_US - 1) == invite()
    fault = refused(line, NOW + INVITE_LIFE_US)
    assert fault.reason is Reason.TIMEOUT
    assert invite().parent in fault.detail


UNFIT: dict[str, dict[str, object]] = {
    "federation": {"federation": "x" * 65},
    "parent": {"parent": "p330000"},
    "node": {"node": "*.p330000.cn-demo"},
    "node that is its own parent": {"node": invite().parent},
    "address without a port": {"address": "10.0.0.1"},
    "address with port 0": {"address": "10.0.0.1:0"},
    "token": {"token": "00"},
    "secret of 31 bytes": {"secret": bytes(31)},
    "profile": {"profile": "City"},
    "region": {"region": "33*"},
    "title": {"title": ""},
    "title with a line end": {"title": "a\nb"},
    "expiry beyond the calendar": {"expires": 2**63},
    "root that is a leaf": {"root": country().leaf()[0]},
    "root that is another CA": {"root": to_der(country().nation.certificate)},
    "scope of 300 parts": {"signing": Scope.of(*["330100"] * 300)},
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_unfit_invite_cannot_be_made(case: str) -> None:
    """The parent's operator is told before the letter goes out."""
    with pytest.raises(InputFault):
        replace(invite(), **UNFIT[case])  # type: ignore[arg-type]


FIELDS_UNFIT: dict[str, dict[str, object]] = {
    "expiry as text": {"expires": "1"},
    "expiry as truth": {"expires": True},
    "approval by nobody": {"approval": "nobody"},
    "secret in capital hex": {"secret": "AA" * 32},
    "secret left out": {"secret": ""},
    "scope as text": {"signing": "33*"},
    "scope of a wrong shape": {"carrying": [["33*"]]},
    "scope with a wrong gap": {"carrying": [["33*", [1], "", ""]]},
    "region in the scope that is none": {"signing": [["三三", [], "", ""]]},
    "title with a control letter": {"title": "\x7f"},
    "root that is nothing": {"root": "00"},
}


@pytest.mark.parametrize("case", FIELDS_UNFIT)
def test_a_well_copied_invite_of_wrong_content_is_refused(case: str) -> None:
    """A checksum that fits proves good copying and nothing else."""
    refused(write_line(read_line(write_invite(invite())) | FIELDS_UNFIT[case]))


def test_invites_of_deep_nesting_are_refused() -> None:
    """A text made to exhaust the parser is an unfit invite, not a crash."""
    body: object = []
    for _ in range(400):
        body = [body]
    refused(write_line({"federation": body}))


def test_a_burnt_invite_is_not_given_out() -> None:
    """Without its secret an invite opens nothing, so it is not written."""
    with pytest.raises(InputFault, match="not given out"):
        write_invite(replace(invite(), secret=b""))
    with pytest.raises(InputFault, match="parts"):
        write_invite(replace(invite(), signing=Scope((ScopeItem("33*", ("330100",) * 9_000),))))


def test_the_secret_never_shows() -> None:
    """Text forms of an invite name its node and token, not its secret."""
    for text in (repr(invite()), str(invite())):
        assert CITY in text
        assert SECRET.hex() not in text
        assert repr(SECRET) not in text


@pytest.mark.parametrize("text", ["10.0.0.1:443", "p330000.cn-demo:7443", "[fd00::1]:7443", "localhost:1"])
def test_addresses(text: str) -> None:
    """Host and port; IPv6 in brackets."""
    assert is_address(text)
    assert not is_address(text + "0" * 6)
    assert not is_address(text.rpartition(":")[0])
