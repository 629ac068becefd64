"""What each alarm means to an administrator, and what to do. docs/operations.md, section 8, says the same."""

from __future__ import annotations

from typing import Final, NamedTuple

from node.texts import N_


class AlarmWords(NamedTuple):
    """English texts: message ids of the catalogue."""

    means: str
    todo: str


ALARMS: Final[dict[str, AlarmWords]] = {
    "fork": AlarmWords(
        N_(
            "Two different entries at one place of a feed, both sealed by its origin; or a record closed an "
            "older life of the origin before the end of what is held here. The feed is frozen, nothing else."
        ),
        N_(
            "Keep both servers as they are; telephone the origin; a person decides which history holds. "
            "Opening a new epoch is not there yet: ask your supplier."
        ),
    ),
    "clone": AlarmWords(
        N_("Two installations speak as one node. Both links are closed."),
        N_(
            "Find the second one, stop both. At the one that goes on: `tiersync clone keep`. At the "
            "neighbour, stopped: `tiersync clone clear NODE`. Start both; delete the other home: started "
            "again, it is refused, and the alarm stands anew."
        ),
    ),
    "held_back_refused": AlarmWords(
        N_(
            "A node below sent columns that must stay where they are. The rows were not applied, but the "
            "entry lies in the log."
        ),
        N_("Telephone its administrator: its catalogue or its programs differ from what was agreed."),
    ),
    "attachment_wrong": AlarmWords(
        N_(
            "An attachment that was fetched is not what the row says by its SHA-256, or changed its size on the way. "
            "It was thrown away; nobody has seen it."
        ),
        N_(
            "Telephone the origin's administrator: `tiersync fsck` there reads its attachments. If they are sound, a "
            "node in between changed it."
        ),
    ),
    "attachment_wants": AlarmWords(
        N_("A node asks for more parts of attachments at a time than any should; what is too much is let go."),
        N_("Telephone its administrator: its program may be at fault. Nothing else is held up."),
    ),
    "attachments_full": AlarmWords(
        N_("The attachments of this node use nine tenths of `[attachments] quota_bytes`: at the quota none is taken."),
        N_("Raise the quota and restart, or remove what is not needed any more: `tiersync attachment list`."),
    ),
    "notify_failing": AlarmWords(
        N_("People are not told by one of the ways in node.toml: five tries in a row failed; the detail says why."),
        N_("Try it: `tiersync notify test NAME`. What waits of tasks is told later, of alarms the newest."),
    ),
    "link_closed": AlarmWords(
        N_("One side ended a session for cause; the reason says which."),
        N_("As the reason's own text says; the child dials again by itself."),
    ),
    "link_refused": AlarmWords(
        N_(
            "A node dialled and was not let in: the reason says why. Told once for each name and reason, "
            "until it is let in."
        ),
        N_(
            "Telephone its administrator: a key that is not registered wants a new invite; a name that nobody "
            "knows may be an attack."
        ),
    ),
    "parent_refused": AlarmWords(
        N_(
            "What answers at the parent's address is not the parent, or its certificate is not in order: the "
            "reason says why. This node tells it nothing. Told once for each reason, until the parent is let "
            "speak."
        ),
        N_(
            "Telephone the parent's administrator: its certificate may have ended; if it knows of nothing, "
            "somebody else answers there. `link_closed` with CERTIFICATE_NOT_REGISTERED says the same of a "
            "key that the registry does not show."
        ),
    ),
    "certificate_ends": AlarmWords(
        N_(
            "The node's certificate ends within 30 days, and no new one has come; the reason says why, `by` who says "
            "so. Without one the node has no links. Told once a day."
        ),
        N_(
            "See that the link to the parent works; `tiersync renew` tries at once. Telephone the node that `by` names."
        ),
    ),
    "webhook_failing": AlarmWords(
        N_(
            "A system that is told of changes has not taken them five times in a row; the detail says why. "
            "Nothing else is held up, and it is tried again for as long as the changes are kept."
        ),
        N_("Look at that system, its address and certificate; `webhooks` in `tiersync status`."),
    ),
    "disk_low": AlarmWords(
        N_("Less free disk than `[limits] disk_reserve_bytes`: local rows are not taken, links go on."),
        N_("Free space or enlarge the volume; the node goes on by itself."),
    ),
    "audit_failed": AlarmWords(
        N_(
            "A line of the security audit could not be written; the detail says why. The node works on; the "
            "next line that can be written says how many are missing."
        ),
        N_("Free space, or mend `audit/`; `tiersync audit verify`."),
    ),
    "rollup_failed": AlarmWords(
        N_("Statistics could not be worked out, or the node's own door let a row of them not in; the detail says why."),
        N_("As the detail says; `tiersync rollup run` tries again."),
    ),
    "quality_marks_full": AlarmWords(
        N_(
            "More of a dataset arrived that breaks a rule than may be marked in a day: the rest was counted, not "
            "marked. Told once a day."
        ),
        N_("Telephone the origin: its source is broken. `[quality]` of node.toml says how many may be marked."),
    ),
    "marking_failed": AlarmWords(
        N_("What arrived could not be looked through for what is to be marked; the detail says why."),
        N_("As the detail says; the node tries again by itself."),
    ),
    "supervising_failed": AlarmWords(
        N_("What this node supervises by itself could not be looked at; the detail says why."),
        N_("As the detail says; the node tries again by itself."),
    ),
    "grading_failed": AlarmWords(
        N_("How the nodes below are connected could not be looked at; the detail says why."),
        N_("As the detail says; it is tried again by itself."),
    ),
    "child_interrupted": AlarmWords(
        N_("Nothing has been heard of a node right below for a quarter of an hour."),
        N_("Look at its line; its work goes on, and is sent when the link is back."),
    ),
    "child_escalated": AlarmWords(
        N_("A node right below has been interrupted for hours ([grades] escalate_after_s)."),
        N_("Telephone its administrator."),
    ),
    "subscription_due_soon": AlarmWords(
        N_("A subscription waits for this node to check, answer or rule, and 80 % of the time have passed."),
        N_("`tiersync subscription list --to-do` shows it."),
    ),
    "subscription_overdue": AlarmWords(
        N_("A subscription waits for this node to check, answer or rule, and the time has passed."),
        N_("`tiersync subscription list --to-do` shows it."),
    ),
    "timekeeper_failed": AlarmWords(
        N_("The tasks that this node issued could not be looked at: nobody is warned of limits meanwhile."),
        N_("As the detail says; it is tried again by itself."),
    ),
    "deadlines_failed": AlarmWords(
        N_("What is owed could not be looked at, or a period not be closed; the detail says why."),
        N_("As the detail says; it is tried again by itself."),
    ),
    "dialler_failed": AlarmWords(
        N_("A mistake of the program ended the dialling of the parent; it is dialled again after a minute."),
        N_("Nothing at once; send the log to your supplier."),
    ),
    "writer_failed": AlarmWords(
        N_("A mistake of the program; the process ends, nothing half done is kept."),
        N_("Start again; send the log to your supplier."),
    ),
    "store_failed": AlarmWords(
        N_("The disk or the database failed; the process ends."),
        N_("Look at the disk; start again; `tiersync fsck`."),
    ),
    "record_of_this_node_not_asked_for": AlarmWords(
        N_("The registry names another key for this node than its own."),
        N_("Telephone the parent at once: someone may act in your name."),
    ),
    "anchor_refused": AlarmWords(
        N_("A neighbour showed an anchor that the root did not sign, or an older one."),
        N_("Telephone that neighbour and the nation."),
    ),
    "head_contradicts": AlarmWords(
        N_("An origin states a head that differs from the sealed entry held here."),
        N_("Keep everything; telephone the origin."),
    ),
    "rows_diverge_there": AlarmWords(
        N_("At the same head, the rows that another node (`by`) says it holds differ from those here."),
        N_("`tiersync reconcile` there with this node's id, and here with its own id ([section 10](#10-check))."),
    ),
    "rows_diverge": AlarmWords(
        N_("At the same head, rows here differ from those at the origin."),
        N_("`tiersync reconcile NODE` with the origin's id ([section 10](#10-check)); `tiersync fsck` at both ends."),
    ),
    "feed_withheld": AlarmWords(
        N_("An origin has stated entries, and for three minutes of working link nothing of that feed has arrived."),
        N_("Look at the relays in between."),
    ),
    "day_not_stated": AlarmWords(
        N_(
            "The node could not put its own statement of a day into `reconciliation`, so that its parent "
            "lacks what came to its door (`detail`)."
        ),
        N_("Look at `detail`; it is tried again every quarter of an hour for a week."),
    ),
    "subscriptions_failed": AlarmWords(
        N_("The node could not begin or end what is due of subscriptions (`detail`)."),
        N_("Look at `detail`; it is tried again with the next change and the next day, and at the next start."),
    ),
    "source_silent": AlarmWords(
        N_(
            "A source of this node (`source`), or its door, has brought nothing of a dataset for longer than "
            "its cadence times `[data] silence_factor`. Rows that were there already count as life, and so "
            "does a database that answers; where the source itself says `silent_after`, only what changed a "
            "row counts, and only for so long."
        ),
        N_("Look at the system the data comes from, and at the load, the watched folder or the database reader."),
    ),
    "dataset_silent": AlarmWords(
        N_(
            "Nothing of a dataset has come from another node for longer than its cadence times `[data] "
            "silence_factor`. It may have nothing new: its own statement says what came to its door."
        ),
        N_("`tiersync statement --child NODE`; then ask there."),
    ),
    "source_failed": AlarmWords(
        N_("A source could not be read, having been read before; told once until it can be read again."),
        N_("`tiersync source list` says why."),
    ),
    "node_succeeded": AlarmWords(
        N_("This node's parent has said that it was merged into another: it sends nothing more."),
        N_(
            "Export its rows, held-back columns too, and load them at the successor (operations manual, "
            "section 4); then stop it."
        ),
    ),
    "task_without_successor": AlarmWords(
        N_("The other side of a task was divided among several nodes: nobody goes on with the task."),
        N_("Say who does: `tiersync task pass-over TASK NODE`."),
    ),
    "origin_silent": AlarmWords(
        N_(
            "For ten minutes of working link no statement of an origin's heads has come; one is due each "
            "minute. It is off-line, or kept from being heard."
        ),
        N_("Ask whether it is off-line; if it works, look at the relays in between."),
    ),
    "run_dropped": AlarmWords(
        N_("Something arrived damaged or unproved. It was not stored and is asked for again."),
        N_("Once: nothing. Often: line, proxy, or the node that sent it."),
    ),
    "feed_keeps_failing": AlarmWords(
        N_("The same feed failed three times in a row."),
        N_("The reason names what; `tiersync fsck` at the sender."),
    ),
    "recovering": AlarmWords(
        N_("A neighbour holds more of this node's own log than it does. It fetches it back first."),
        N_("Expected after putting back an older copy. Otherwise ask how the store went back."),
    ),
    "rows_changed_in_both_lives": AlarmWords(
        N_("Rows were changed before and after such a return."),
        N_("Compare them with the source: `tiersync reread` lists them."),
    ),
    "rows_lack_held_back_columns": AlarmWords(
        N_("Rows came back from a neighbour, which never had their held-back columns."),
        N_("Load them from the source again: `tiersync reread` lists them."),
    ),
    "move_overtaken": AlarmWords(
        N_(
            "After such a return this node made a move of a task under a number that an earlier one already "
            "had; the earlier one holds, the other is kept as refused."
        ),
        N_("Tell the desk: `tiersync task show` names both; make the move again if it is still wanted."),
    ),
    "statement_refused": AlarmWords(
        N_("A signed statement (heads, receipt) does not verify or goes backwards."),
        N_("Once: nothing. Often: telephone the node it names."),
    ),
    "statements_refused": AlarmWords(
        N_("More statements in one message than allowed."),
        N_("The neighbour's version; telephone it."),
    ),
    "evidence_refused": AlarmWords(
        N_("A neighbour sent evidence of a fork that proves nothing."),
        N_("Telephone it."),
    ),
    "epoch_unknown": AlarmWords(
        N_("A neighbour holds an epoch of a feed that is not known here."),
        N_("Its runs are refused meanwhile; telephone the origin and ask whether its node was set up anew."),
    ),
    "cursor_not_proved": AlarmWords(
        N_("A neighbour says it holds more than we do, and does not prove it. The link is closed and tried again."),
        N_("Telephone it if it stays."),
    ),
    "addressee_unknown": AlarmWords(
        N_("Something is addressed to a node that the registry does not show (yet)."),
        N_("Wait for the registry; then look whether that node was ever enrolled."),
    ),
    "peer_notice": AlarmWords(
        N_("The other side dropped or refused something of ours; reason and detail say what."),
        N_("Follow the reason's next step."),
    ),
}
"""By name, the most serious first."""
