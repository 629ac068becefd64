"""The one-time invite: all that a child needs to find its parent and to be recognised there, in one line of text.

It travels by official letter or carrier, so that an error in copying must be named, not guessed at. Its checksum is
against such errors only; against a forger stand the root certificate, the secret and two people comparing a
fingerprint. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from certs.forms import MOMENT_US_MAX, fingerprint, is_federation, moment_text, root_from_der
from certs.lines import read_line, wrap_line, write_line
from sync.errors import InputFault
from sync.reasons import Reason
from sync.scope import Scope, ScopeItem
from sync.values import is_identifier, is_node_id

INVITE_LIFE_US: Final = 7 * 86_400 * 1_000_000
SECRET_BYTES: Final = 32
TOKEN_BYTES: Final = 16
TITLE_LETTERS_MAX: Final = 200
SCOPE_ITEMS_MAX: Final = 256

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):([0-9]{1,5})")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_REGION = re.compile(r"[0-9]{6}")


class Approval(Enum):
    """Who lets the child in once it has proved the invite: a person comparing fingerprints, or nobody further."""

    PERSON = "person"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """One invite, valid once made: raises InputFault that names the field otherwise.

    The text form of this value never shows the secret, nor do errors.
    """

    federation: str
    parent: str
    address: str
    """host:port of the parent's enrolment service."""
    root: bytes = field(repr=False)
    """The federation's root certificate, DER."""
    token: str
    """16 random bytes as hex: names the invite, proves nothing."""
    secret: bytes = field(repr=False)
    """32 random bytes; empty once burnt."""
    node: str
    profile: str
    region: str
    title: str
    signing: Scope
    carrying: Scope
    expires: int
    approval: Approval = Approval.PERSON

    def __post_init__(self) -> None:
        wrong = [what for what, fits in self._demands() if not fits]
        if wrong:
            raise InputFault(Reason.MALFORMED, f"an invite with an unfit {', '.join(wrong)}")
        root_from_der(self.root)

    def _demands(self) -> tuple[tuple[str, bool], ...]:
        items = len(self.signing.items), len(self.carrying.items)
        return (
            ("federation", is_federation(self.federation)),
            ("parent", is_node_id(self.parent)),
            ("node", is_node_id(self.node) and self.node != self.parent),
            ("address (host:port)", is_address(self.address)),
            ("token", _TOKEN.fullmatch(self.token) is not None),
            ("secret", len(self.secret) in (0, SECRET_BYTES)),
            ("profile", is_identifier(self.profile)),
            ("region", _REGION.fullmatch(self.region) is not None),
            ("title", 0 < len(self.title) <= TITLE_LETTERS_MAX and self.title.isprintable()),
            ("scope", max(items) <= SCOPE_ITEMS_MAX),
            ("expiry", 0 < self.expires <= MOMENT_US_MAX),
        )

    @property
    def root_fingerprint(self) -> bytes:
        """SHA-256 over the root certificate's DER."""
        return fingerprint(self.root)


def is_address(text: str) -> bool:
    """Whether `text` is host:port; an IPv6 address stands in brackets."""
    match = _ADDRESS.fullmatch(text)
    return match is not None and 0 < int(match[2]) < 65_536


def write_invite(invite: Invite) -> str:
    """The invite as one line, `tiersync-invite:1:...`. Whoever reads it can enrol: it is a secret until used.

    Raises InputFault if the invite was burnt, or is longer than a line may be.
    """
    if not invite.secret:
        raise InputFault(Reason.NOT_ENROLLED, "the invite was used or withdrawn; it is not given out again")
    return write_line(invite_fields(invite))


def write_invite_file(invite: Invite) -> str:
    """The same line as the text of a file, for a carrier medium or a letter's annex."""
    return wrap_line(write_invite(invite))


def read_invite(text: str, now: int) -> Invite:
    """Reads the line, or the text of a file, whatever white space copying put in.

    Raises InputFault: MALFORMED (not an invite, cut off, damaged, or wrong in itself), VERSION_TOO_OLD (made by a
    newer tiersync), LIMIT_EXCEEDED, TIMEOUT (expired), OUT_OF_SCOPE (a malformed region or date).
    """
    invite = invite_from_fields(read_line(text))
    if not invite.secret:
        raise InputFault(Reason.MALFORMED, "an invite without its secret")
    if now >= invite.expires:
        raise InputFault(
            Reason.TIMEOUT,
            f"this invite for {invite.node} ended on {moment_text(invite.expires)}; ask {invite.parent} for a new one",
        )
    return invite


def invite_fields(invite: Invite) -> dict[str, object]:
    """The invite as plain JSON values, secret included."""
    return {
        "federation": invite.federation,
        "parent": invite.parent,
        "address": invite.address,
        "root": invite.root.hex(),
        "token": invite.token,
        "secret": invite.secret.hex(),
        "node": invite.node,
        "profile": invite.profile,
        "region": invite.region,
        "title": invite.title,
        "signing": _scope_fields(invite.signing),
        "carrying": _scope_fields(invite.carrying),
        "expires": invite.expires,
        "approval": invite.approval.value,
    }


def invite_from_fields(fields: Mapping[str, object]) -> Invite:
    """The same, back. Raises InputFault; names of fields may be quoted in it, values never."""
    expires = fields.get("expires")
    if type(expires) is not int:
        raise InputFault(Reason.MALFORMED, "an invite with an unfit expiry")
    approval = _text(fields, "approval")
    if approval not in {a.value for a in Approval}:
        raise InputFault(Reason.MALFORMED, "an invite with an unfit approval")
    return Invite(
        federation=_text(fields, "federation"),
        parent=_text(fields, "parent"),
        address=_text(fields, "address"),
        root=_bytes(fields, "root"),
        token=_text(fields, "token"),
        secret=_bytes(fields, "secret"),
        node=_text(fields, "node"),
        profile=_text(fields, "profile"),
        region=_text(fields, "region"),
        title=_text(fields, "title"),
        signing=_scope(fields, "signing"),
        carrying=_scope(fields, "carrying"),
        expires=expires,
        approval=Approval(approval),
    )


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.isprintable():
        raise InputFault(Reason.MALFORMED, f"an invite with an unfit {name}")
    return value


def _bytes(fields: Mapping[str, object], name: str) -> bytes:
    value = _text(fields, name)
    if re.fullmatch(r"(?:[0-9a-f]{2})*", value) is None:
        raise InputFault(Reason.MALFORMED, f"an invite with an unfit {name}")
    return bytes.fromhex(value)


def _scope_fields(scope: Scope) -> list[list[object]]:
    return [[i.region, list(i.leaving_out), i.since, i.until] for i in scope.items]


def _scope(fields: Mapping[str, object], name: str) -> Scope:
    value = fields.get(name)
    if not isinstance(value, list):
        raise InputFault(Reason.MALFORMED, f"an invite with an unfit {name} scope")
    return Scope(tuple(_scope_item(item, name) for item in value))


def _scope_item(item: object, name: str) -> ScopeItem:
    match item:
        case [str(region), list(gaps), str(since), str(until)] if all(isinstance(g, str) for g in gaps):
            return ScopeItem(region, tuple(gaps), since, until)
    raise InputFault(Reason.MALFORMED, f"an invite with an unfit {name} scope")
