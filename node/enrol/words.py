"""What went wrong with joining, in words for the administrator: what to do here, and what at the parent's end."""

from __future__ import annotations

from typing import Final

from certs.forms import moment_text
from certs.invite import Invite
from node.enrol.service import USED
from node.faults import Code, UserFault
from node.texts import N_, Text, reasons
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason

_CLOCK: Final = N_(
    "Here: compare the date and time of this server with a watch, set it, and run the command again. "
    "At the parent ({parent}): the same; if the clocks agree, its certificate has run out and has to be renewed."
)
_ALIEN: Final = N_(
    "Here: check that the invite is for the real federation and not for a trial (or the other way round). "
    "At the parent ({parent}): check the enrolment address in node.toml; if the root was made anew, make a new invite."
)
_NEW_INVITE: Final = N_(
    "Here: nothing can be done with this invite. At the parent ({parent}): see `tiersync invite list`; if nobody else "
    "used it, withdraw it and make a new one."
)


class InviteDead(UserFault):
    """The parent will never take this invite."""


def of_invite_text(fault: InputFault) -> UserFault:
    """A text that is not a sound invite."""
    newer = fault.reason is Reason.VERSION_TOO_OLD
    todo = N_("Here: copy the invite again, whole, or use the file. At the parent: it can send the same invite again.")
    if newer:
        todo = N_("Here: install the version of tiersync that the parent runs. At the parent: ask which one that is.")
    return UserFault(Code.INVITE_INVALID, N_("The invite cannot be read: {detail}"), todo, detail=fault.detail)


def of_expiry(invite: Invite) -> UserFault:
    """An invite that ran out before it was used."""
    return UserFault(
        Code.INVITE_EXPIRED,
        N_("The invite for {node} ended on {until}."),
        N_(
            "Here: check that the date of this server is right. At the parent ({parent}): make a new invite for {node}."
        ),
        node=invite.node,
        parent=invite.parent,
        until=moment_text(invite.expires),
    )


def of_refusal(invite: Invite, reason_number: int, detail: str) -> UserFault:
    """What the parent refused, by its reason number and detail; InviteDead where asking again is of no use."""
    try:
        reason = Reason(reason_number)
    except ValueError:
        reason = Reason.NONE
    fields = {"node": invite.node, "parent": invite.parent, "detail": detail.removeprefix(USED)}
    if detail.startswith(USED):
        return InviteDead(
            Code.INVITE_USED, N_("The invite for {node} was used already ({detail})."), _used_todo(), **fields
        )
    match reason:
        case Reason.TIMEOUT:
            todo = N_("Here: check the date of this server. At the parent ({parent}): make a new invite for {node}.")
            return InviteDead(Code.INVITE_EXPIRED, N_("The invite for {node} has ended ({detail})."), todo, **fields)
        case Reason.FEDERATION_MISMATCH:
            return InviteDead(
                Code.INVITE_INVALID, N_("The invite is of another federation ({detail})."), _ALIEN, **fields
            )
        case Reason.NOT_ENROLLED:
            what = N_("The parent {parent} does not take this invite for {node} ({detail}).")
            return InviteDead(Code.ENROLMENT_REFUSED, what, _NEW_INVITE, **fields)
        case Reason.UNKNOWN_ENROLMENT:
            todo = N_(
                "Here: run the command again later. At the parent ({parent}): its own link to its parent has to "
                "work first; `tiersync status` shows it."
            )
            what = N_("The parent {parent} cannot enrol anybody yet ({detail}).")
            return UserFault(Code.ENROLMENT_REFUSED, what, todo, **fields)
    said = reasons.words(reason_number)
    todo = N_("At the parent ({parent}): {todo} Here: then run the command again with the same invite.")
    what = N_("The parent {parent} refused the enrolment of {node}: {title} ({detail})")
    return UserFault(Code.ENROLMENT_REFUSED, what, todo, title=Text(said.title), todo=Text(said.next_step), **fields)


def _used_todo() -> str:
    return N_(
        "Here: if this server joined before, use its old home or its backup. At the parent ({parent}): if nobody of "
        "yours used the invite, somebody else is {node} now: make a new invite with --again at once. The keys that "
        "join with it take the place of theirs."
    )


def of_parent(invite: Invite, fault: RemoteFault) -> UserFault:
    """A parent whose certificate is not the one that the invite promises."""
    fields = {"parent": invite.parent, "address": invite.address, "detail": fault.detail}
    if fault.reason is Reason.CERTIFICATE_EXPIRED:
        what = N_("The certificate of {parent} is not valid at this moment ({detail}).")
        return UserFault(Code.CERTIFICATE_UNFIT, what, _CLOCK, **fields)
    what = N_("What answers at {address} is not {parent} of this invite's federation ({detail}).")
    return UserFault(Code.CERTIFICATE_UNFIT, what, _ALIEN, **fields)


def of_reply(invite: Invite, fault: RemoteFault) -> UserFault:
    """A reply that is not what the invite promised; nothing of it was kept."""
    fields = {"parent": invite.parent, "detail": fault.detail}
    if fault.reason is Reason.CERTIFICATE_EXPIRED:
        what = N_("The certificate that {parent} issued is not valid at this moment ({detail}).")
        return UserFault(Code.CERTIFICATE_UNFIT, what, _CLOCK, **fields)
    todo = N_(
        "Here: do not go on; keep the folder as it is. At the parent ({parent}): tell its administrator the text "
        "above; it is a fault of its node, or somebody stands between you."
    )
    what = N_("The reply of {parent} is not what the invite promised ({detail}); nothing was kept of it.")
    return UserFault(Code.CERTIFICATE_UNFIT, what, todo, **fields)


def of_waiting(invite: Invite, fingerprint: str) -> UserFault:
    """The parent's administrator has not approved yet."""
    return UserFault(
        Code.ENROLMENT_PENDING,
        N_("The parent {parent} has not approved {node} yet. Fingerprint: {fingerprint}"),
        N_(
            "Telephone the parent's administrator and compare the fingerprint digit by digit. At the parent: "
            '`tiersync invite approve {node} "{fingerprint}"`. Here: then run the command again.'
        ),
        parent=invite.parent,
        node=invite.node,
        fingerprint=fingerprint,
    )


def of_awaiting(invite: Invite, by: str, reason_number: int, detail: str) -> UserFault:
    """The parent has enrolled this node, and no certificate for it has come from above."""
    said = reasons.words(reason_number)
    what = N_(
        "{parent} has enrolled {node}; its certificate, which comes from above, is not there yet. "
        "{by}: {title} ({detail})"
    )
    if reason_number == Reason.TIMEOUT:
        what = N_(
            "{parent} has enrolled {node}; its certificate comes from above, and {parent} does not reach {by} just now."
        )
    return UserFault(
        Code.ENROLMENT_PENDING,
        what,
        N_(
            "Here: run the command again later; the same invite goes on counting. At the parent ({parent}): its link "
            "to its own parent has to work, `tiersync status` shows it; `tiersync invite list` shows who waits."
        ),
        parent=invite.parent,
        node=invite.node,
        by=by,
        title=Text(said.title),
        detail=detail or "-",
    )


def of_busy(invite: Invite) -> UserFault:
    """The parent has more calls than it takes."""
    return UserFault(
        Code.PARENT_UNREACHABLE,
        N_("The parent {parent} is too busy to enrol just now."),
        N_("Here: run the command again in a minute. At the parent: if it stays, its audit shows who asks so often."),
        parent=invite.parent,
    )


def of_other_keys(invite: Invite, ours: str, theirs: str) -> UserFault:
    """The parent holds other keys than ours: somebody else submitted, or somebody stands between."""
    return UserFault(
        Code.FINGERPRINT_MISMATCH,
        N_("The parent {parent} holds the fingerprint {theirs}; the keys here have {ours}."),
        N_("Do not approve. Here: keep the folder. At the parent: withdraw the invite for {node} and make a new one."),
        parent=invite.parent,
        node=invite.node,
        ours=ours,
        theirs=theirs,
    )
