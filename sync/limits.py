"""Every bound of the exchange, with its unit last (protocol section 3). Relations are asserted at import."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

MESSAGE_BYTES_MAX = 2 * MIB
ENTRY_BYTES_MAX = 1 * MIB
HEADER_BYTES_MAX = 4 * KIB
CELL_BYTES_MAX = 256 * KIB
PLAIN_BYTES_MAX = 8 * MIB
PLAIN_RATIO_MAX = 64
PLAIN_RATIO_FLOOR_BYTES = 64 * KIB
"""A payload may always inflate to this much: short repetitive rows pack better than 64 to 1."""
ROWS_PER_ENTRY_MAX = 10_000
COLUMNS_MAX = 256
KEY_COLUMNS_MAX = 8
MESSAGE_FIELDS_MAX = 16
"""Fields of a message, beside the changes that its header counts: later versions may add some."""
MESSAGE_PARTS_MAX = 131_072
"""Fields of a message and of what it holds: an entry full of EnrolmentRecords has fewer."""
RUN_ENTRIES_MAX = 4_096
RUN_PLAIN_BYTES_MAX = PLAIN_BYTES_MAX
"""A run inflates to no more than its largest entry may: small entries alone could make a hundred times that of it."""
RUN_ROWS_MAX = 2 * ROWS_PER_ENTRY_MAX
"""Somewhat more than the rows of common length that 1 MiB holds."""
FEEDS_PER_ORIGIN_MAX = 4_096
FEEDS_PER_LINK_MAX = 4 * FEEDS_PER_ORIGIN_MAX
"""Feeds that one session remembers because its peer named them: cursors, Wants, trouble."""
CURSORS_PER_FRAME_MAX = 2_000
KEY_TEXT_CHARACTERS_MAX = 200
DETAIL_CHARACTERS_MAX = 300
ARGUMENTS_MAX = 8
ARGUMENT_CHARACTERS_MAX = 100
"""What a detail is about: as many arguments of so many characters."""
NAME_CHARACTERS_MAX = 64
"""What is told of a row that was refused or parked: its key, the words, the dataset or flow."""
REFUSALS_PER_ENTRY_MAX = 1_000
REFUSALS_BYTES_MAX = 512 * KIB
STATEMENTS_PER_FRAME_MAX = 256
STATED_FEED_BYTES_MAX = 300
"""A feed in a heads statement or receipt, names and all."""
STATEMENT_BYTES_MAX = MESSAGE_BYTES_MAX - KIB
"""A heads statement with its list, or a receipt: it goes in a frame of its own where it must."""
RECEIPTS_BYTES_ENOUGH = 512 * KIB
"""A frame that holds so much takes no further receipt."""
EARLY_STATEMENTS_MAX = 1_024
"""Statements kept until the registry shows who made them."""
EARLY_STATEMENTS_BYTES_MAX = 8 * MIB
"""Of all of them together."""
EVIDENCE_HEADERS_MAX = 512
EVIDENCE_BYTES_MAX = MESSAGE_BYTES_MAX - KIB

SEAL_EVERY_BYTES = 32 * KIB
"""The origin seals at least this often, so that a slow line can be fed in small runs."""
SEAL_EVERY_ENTRIES = 256
SEAL_GAP_ENTRIES_MAX = SEAL_EVERY_ENTRIES
"""Receivers take no run in which the way from seal to seal is longer: it could not be shown as evidence of a fork."""
SEAL_GAP_BYTES_MAX = 512 * KIB + ENTRY_BYTES_MAX
RUN_BYTES_MAX = 1 * MIB

URGENT_CREDIT_BYTES = 1 * MIB
BULK_CREDIT_BYTES = 4 * MIB
OUTSTANDING_BYTES_MIN = 128 * KIB

STEP_TIMEOUT_US = 10_000_000
REGISTRY_GOAL_US = STEP_TIMEOUT_US // 2
"""Registry heads that a peer named and does not bring hold up the other feeds no longer: it waits in the same step."""
PING_AFTER_US = 20_000_000
PINGS_MISSED_MAX = 3
OLD_SESSION_ANSWER_US = 5_000_000
RUN_ANSWER_US = 120_000_000
"""A run without Ack or Notice after so long was lost on its way: even a slow line answers far sooner."""
STATEMENT_CHANGED_US = 5_000_000
STATEMENT_IDLE_US = 60_000_000
LOOK_EVERY_US = 5_000_000
"""What is missing is looked for so often."""
WITHHELD_AFTER_US = 180_000_000
SILENT_AFTER_US = 10 * STATEMENT_IDLE_US
"""An origin that states no heads for so long is off-line, or kept from being heard. Restarts are shorter."""
CURSOR_RETRY_FIRST_US = 200_000
CURSOR_RETRY_MAX_US = 60_000_000
BAD_RUNS_ALARM = 3
BOOT_IDS_KEPT_US = 90 * 86_400 * 1_000_000

ATTACHMENT_CHUNK_BYTES = SEAL_EVERY_BYTES
"""As small as the smallest run, so that urgent work overtakes as soon."""
ATTACHMENT_WINDOW_CHUNKS = 8
"""Asked for at a time, of one file."""
ATTACHMENTS_AT_ONCE = 4
"""Files that a node fetches at a time."""
ATTACHMENT_WANTS_PER_ASKER_MAX = 2 * ATTACHMENTS_AT_ONCE * ATTACHMENT_WINDOW_CHUNKS
ATTACHMENT_WANTS_MAX = 512
"""Not answered yet, of all askers that a node serves: it holds so many chunks at the most."""
ATTACHMENT_AGAIN_FIRST_US = 5_000_000
ATTACHMENT_AGAIN_MAX_US = 60_000_000
ATTACHMENT_PATIENCE_US = 600_000_000
"""Without a part of it for so long a file is given up until somebody wants it again: it holds one of few places."""
ATTACHMENT_WANT_US = RUN_ANSWER_US
"""After so long a Want that was not answered is forgotten: it may be asked again, and no chunk is taken for it."""

GROUP_LEAP = 2**32

assert ENTRY_BYTES_MAX < MESSAGE_BYTES_MAX
assert CELL_BYTES_MAX < ENTRY_BYTES_MAX
assert RUN_BYTES_MAX + ENTRY_BYTES_MAX <= MESSAGE_BYTES_MAX
assert RECEIPTS_BYTES_ENOUGH + FEEDS_PER_ORIGIN_MAX * STATED_FEED_BYTES_MAX < STATEMENT_BYTES_MAX
assert STATEMENT_BYTES_MAX <= EARLY_STATEMENTS_BYTES_MAX
assert REFUSALS_BYTES_MAX < ENTRY_BYTES_MAX - HEADER_BYTES_MAX
assert SEAL_EVERY_BYTES * 4 <= OUTSTANDING_BYTES_MIN
assert ATTACHMENT_WANTS_PER_ASKER_MAX <= ATTACHMENT_WANTS_MAX
assert ATTACHMENT_WANTS_MAX * ATTACHMENT_CHUNK_BYTES <= 16 * MIB
assert SEAL_EVERY_BYTES + ENTRY_BYTES_MAX <= SEAL_GAP_BYTES_MAX < MESSAGE_BYTES_MAX
assert SEAL_GAP_ENTRIES_MAX <= EVIDENCE_HEADERS_MAX
assert (SEAL_GAP_ENTRIES_MAX + 1) * (HEADER_BYTES_MAX + 128) < EVIDENCE_BYTES_MAX
assert PLAIN_BYTES_MAX <= RUN_PLAIN_BYTES_MAX
assert ROWS_PER_ENTRY_MAX <= RUN_ROWS_MAX
assert OUTSTANDING_BYTES_MIN <= URGENT_CREDIT_BYTES <= BULK_CREDIT_BYTES
