"""What each reason code means to an administrator: a title, and what to do next. Both can be read out over
the phone.

Chinese texts are in the catalogue; numbers and names are in sync/reasons.py.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from node.texts import N_, Text, Translator, current, translator
from sync.reasons import Reason


class Words(NamedTuple):
    """English texts of a reason: message ids of the catalogue."""

    title: str
    next_step: str


WORDS: Final[dict[Reason, Words]] = {
    Reason.NONE: Words(
        N_("No fault."),
        N_("Nothing needs to be done."),
    ),
    Reason.FEDERATION_MISMATCH: Words(
        N_("The other node belongs to another federation."),
        N_("Compare [node] federation in both node.toml files; a trial federation never links with the real one."),
    ),
    Reason.VERSION_TOO_OLD: Words(
        N_("The software or the format of the other side is too old."),
        N_("Upgrade the older of the two nodes; `tiersync --version` on each server shows which it is."),
    ),
    Reason.NOT_ENROLLED: Words(
        N_("The node is not enrolled here."),
        N_("Ask the parent's administrator for an invite and run `tiersync join`."),
    ),
    Reason.CERTIFICATE_EXPIRED: Words(
        N_("The transport certificate has expired."),
        N_(
            "Check the clocks of both servers. If it has run out, ask the parent's administrator for an invite made "
            "with --again and join with an empty home: a node renews its certificate only while it has a link."
        ),
    ),
    Reason.CERTIFICATE_REVOKED: Words(
        N_("The transport certificate has been revoked."),
        N_("Ask the parent's administrator why, then join again with a new invite."),
    ),
    Reason.CERTIFICATE_NOT_REGISTERED: Words(
        N_("The certificate is valid but is not the one registered for this node."),
        N_("Check that no second installation uses this node id; then join again with a new invite."),
    ),
    Reason.SUSPENDED: Words(
        N_("The node has been suspended by its parent."),
        N_("Ask the parent's administrator; local work goes on and is sent after the suspension ends."),
    ),
    Reason.CLONE: Words(
        N_("Two installations speak under the same node id."),
        N_("Find the copy and stop it; `tiersync clone keep` at the one that stays, `clone clear` at its neighbour."),
    ),
    Reason.LIMIT_EXCEEDED: Words(
        N_("Something is larger or more than the agreed limits allow."),
        N_("Make it smaller (fewer rows in one transaction, shorter texts) and send it again."),
    ),
    Reason.NO_CREDIT: Words(
        N_("The other side sent more than it had credit for."),
        N_("Upgrade the sending node; if it stays, report both versions to the supplier."),
    ),
    Reason.MALFORMED: Words(
        N_("The bytes that arrived cannot be read."),
        N_("It is asked for again by itself; if it stays, look for a proxy or firewall that changes traffic."),
    ),
    Reason.TIMEOUT: Words(
        N_("The other side did not answer in time."),
        N_("The node tries again by itself; check the line with `tiersync doctor`."),
    ),
    Reason.NOT_YOUR_ORIGIN: Words(
        N_("Data of this origin may not come over this link."),
        N_("Check the carrying scope in the enrolment of the node that sent it."),
    ),
    Reason.BAD_HEADER_HASH: Words(
        N_("An entry's header does not have the hash that the chain names."),
        N_("It is asked for again by itself; if it comes back, run `tiersync fsck` on the node that sent it."),
    ),
    Reason.BAD_PREV: Words(
        N_("An entry does not follow the one before it."),
        N_("It is asked for again by itself; if it comes back, run `tiersync fsck` on the node that sent it."),
    ),
    Reason.GAP: Words(
        N_("Entries are missing between what is held and what arrived."),
        N_("The missing entries are asked for by themselves; watch the lag in `tiersync feeds`."),
    ),
    Reason.BAD_PAYLOAD_DIGEST: Words(
        N_("An entry's payload is not the one its header vouches for."),
        N_("It is asked for again by itself; if it comes back, run `tiersync fsck` on the node that sent it."),
    ),
    Reason.BAD_SEAL: Words(
        N_("The origin's signature is wrong."),
        N_(
            "Nothing of it was taken. Compare the origin's key fingerprint by telephone; report it as a security event."
        ),
    ),
    Reason.NO_SEAL: Words(
        N_("Entries came without the origin's signature."),
        N_("They are asked for again by themselves; if it stays, upgrade the node that sent them."),
    ),
    Reason.UNKNOWN_ENROLMENT: Words(
        N_("The registry entry that names the signing key has not arrived yet."),
        N_("Wait: it is tried again when the registry arrives. After an hour, check the link to the parent."),
    ),
    Reason.ENROLMENT_CLOSED: Words(
        N_("The signing key was closed before this entry."),
        N_("The origin must seal with its newer key; its administrator runs `tiersync doctor`."),
    ),
    Reason.ENROLMENT_FELL: Words(
        N_("The enrolment version went back."),
        N_("The origin probably runs on an old backup: its administrator stops it and puts the newest home back."),
    ),
    Reason.ADOPTION_MISSING: Words(
        N_("Rows of another node were written without the signed act of succession."),
        N_("The origin writes rows of its own only. This version knows no succession of a merged or renamed place."),
    ),
    Reason.SUITE_FELL: Words(
        N_("The signature suite went back to a weaker one."),
        N_("Set the origin to the suite it used before; a suite may only rise."),
    ),
    Reason.CURSOR_BEYOND_HEAD: Words(
        N_("The other side holds more of the feed than its sender."),
        N_(
            "The sender was probably restored from a backup: it fetches its own tail back by itself; see "
            "`tiersync status`."
        ),
    ),
    Reason.EPOCH_UNKNOWN: Words(
        N_("The feed's new epoch is not known here yet."),
        N_("Wait: the start of the epoch is asked for by itself."),
    ),
    Reason.EPOCH_NOT_CONFIRMED: Words(
        N_("The feed's new epoch has not been confirmed by the parent."),
        N_("Telephone the parent's administrator: both nodes need a version that can confirm an epoch."),
    ),
    Reason.FORK: Words(
        N_("Two different entries claim the same place in one feed; the feed is frozen."),
        N_(
            "Keep both servers as they are, and telephone the origin: a person decides which history holds. This "
            "version opens no new epoch: ask your supplier."
        ),
    ),
    Reason.ROUTE_CHANGED: Words(
        N_("The route of a feed changed within its life."),
        N_("The origin's administrator sets the route of the publication back to what it was."),
    ),
    Reason.OUT_OF_SCOPE: Words(
        N_("The row's region is not one this node may write."),
        N_("Check the region code in the source; if the place was added or merged, ask the parent's administrator."),
    ),
    Reason.UNKNOWN_DATASET: Words(
        N_("The dataset is not in this node's catalogue."),
        N_("Check the dataset's name with `tiersync catalogue list`, or upgrade the node that lacks it."),
    ),
    Reason.UNKNOWN_COLUMN: Words(
        N_("The dataset has no such column."),
        N_("Correct the column's name; `tiersync catalogue show DATASET` explains the columns."),
    ),
    Reason.UNKNOWN_SCHEMA_VERSION: Words(
        N_("The row uses a newer version of the dataset than this node knows."),
        N_("It is kept and applied by itself after this node is upgraded."),
    ),
    Reason.WRONG_TYPE: Words(
        N_("A value is not of its column's type."),
        N_("Correct the value in the source, or the conversion in the mapping file."),
    ),
    Reason.TOO_LONG: Words(
        N_("A value is longer than its column allows."),
        N_("Shorten it in the source, or cut it in the mapping file."),
    ),
    Reason.KEY_MISSING: Words(
        N_("A part of the row's key is empty."),
        N_("Fill the key in the source, or derive one in the mapping file."),
    ),
    Reason.UNKNOWN_CODE: Words(
        N_("The code is not in the code table in force."),
        N_("Correct the code, map it in the mapping file, or ask the owner of the code table to add it."),
    ),
    Reason.MISSING_DEPENDENCY: Words(
        N_("The row refers to something that has not arrived yet."),
        N_("Wait: it is applied by itself when the other row arrives. See `tiersync parked`."),
    ),
    Reason.RULE_BROKEN: Words(
        N_("The row breaks a rule of the dataset."),
        N_("Correct the values that the detail names, and load the row again."),
    ),
    Reason.NOT_OWNER: Words(
        N_("Another node owns this row or dataset."),
        N_("Only the owner writes it; telephone the owner to have it corrected there."),
    ),
    Reason.HELD_BACK_PRESENT: Words(
        N_("A column that must stay at its owner arrived."),
        N_(
            "The row was not taken. The sender's administrator checks its publications at once: this is "
            "a data-protection event."
        ),
    ),
    Reason.STALE_VERSION: Words(
        N_("A newer version of the row is already held."),
        N_("Nothing needs to be done."),
    ),
    Reason.NOT_YOUR_MOVE: Words(
        N_("This side may not make this move."),
        N_("Look at the task's history: the other side moves next."),
    ),
    Reason.WRONG_STATE: Words(
        N_("The move does not fit the task's state."),
        N_("Read the task again with `tiersync task show TASK` and choose a move that is offered."),
    ),
    Reason.MISSING_FIELD: Words(
        N_("The move lacks a field that it needs."),
        N_("Fill the field that the detail names, and make the move again."),
    ),
    Reason.CROSSED: Words(
        N_("Both sides moved at the same time, and the other move holds."),
        N_("Read the task again; your move is kept in its history as refused."),
    ),
    Reason.WITHDRAWN: Words(
        N_("The task was withdrawn by its issuer."),
        N_("Nothing needs to be done; the history is kept."),
    ),
    Reason.UNKNOWN_FLOW: Words(
        N_("The flow is not known to this node."),
        N_("Upgrade this node; the move is kept and judged by itself afterwards."),
    ),
    Reason.RECOVERING: Words(
        N_("The node is recovering after a restore and does not seal yet."),
        N_("Wait until `tiersync status` shows it level with its neighbours; local work goes on."),
    ),
    Reason.FROZEN: Words(
        N_("The feed is frozen because of a fork or by an administrator."),
        N_("Telephone the origin: a person decides which history holds. Then ask your supplier."),
    ),
    Reason.READ_ONLY: Words(
        N_("The node takes no rows at present."),
        N_("`tiersync status` says why (disk, maintenance, store); mend that first."),
    ),
    Reason.DISK_FULL: Words(
        N_("The disk is full or below the reserve."),
        N_("Free space or enlarge the volume; the node goes on by itself."),
    ),
    Reason.RETENTION_EXCEEDED: Words(
        N_("The peer was away longer than entries are kept."),
        N_("The peer takes a verified snapshot by itself."),
    ),
    Reason.ATTACHMENT_NOT_SHARED: Words(
        N_("Its origin has no such file, or publishes no row to this node that names it."),
        N_("Telephone the origin's administrator: `tiersync attachment show` there says whether the file is there."),
    ),
    Reason.SNAPSHOT_NEEDED: Words(
        N_("What is asked for has been pruned here; only a snapshot is left."),
        N_("The node asks for the snapshot by itself."),
    ),
}

UNKNOWN: Final = Words(
    N_("A reason that this version does not know."),
    N_("Upgrade this node; newer nodes may give reasons that it cannot name."),
)


def words(number: int) -> Words:
    """The texts of a reason's number, also for numbers that only newer nodes know."""
    try:
        return WORDS[Reason(number)]
    except ValueError:
        return UNKNOWN


def title(number: int, to: Translator | None = None) -> str:
    """What happened, in the chosen or the given language."""
    return (to or current()).gettext(words(number).title)


def next_step(number: int, to: Translator | None = None) -> str:
    """What the administrator does, in the chosen or the given language."""
    return (to or current()).gettext(words(number).next_step)


def name(number: int) -> str:
    """The stable name, or 'REASON_<number>' for one that this version does not know."""
    try:
        return Reason(number).name
    except ValueError:
        return f"REASON_{number}"


def both(number: int) -> dict[str, dict[str, str]]:
    """{'zh': {'title', 'next'}, 'en': {...}}: refusals show both languages."""
    found = words(number)
    return {
        to.language: {"title": to.gettext(found.title), "next": to.gettext(found.next_step)}
        for to in (translator("zh"), translator("en"))
    }


def text(number: int) -> Text:
    """The title as a Text, to be a field of another message."""
    return Text(words(number).title)
