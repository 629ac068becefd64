"""The tables of the store beside the row tables (those are made from the catalogue: node/store/rowsql.py).

No secondary index unless a read needs it: two of them cost more than everything else together.
"""

from __future__ import annotations

SEQ_BITS = 40
"""An entry's id is chain id << 40 | seq: an integer that rises within a feed, so that appending is cheap."""
SEQ_MAX = (1 << SEQ_BITS) - 1
CHAIN_ID_MAX = (1 << (63 - SEQ_BITS)) - 1
PAYLOAD_INLINE_BYTES = 1_024
"""Payloads from this size on are kept once by digest: the same rows in two feeds cost two headers."""

COUNTS_AND_MARKS = (
    # --- counts per day (node/store/daybook.py)
    """CREATE TABLE feed_day (
        chain INTEGER NOT NULL, day INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        entries INTEGER NOT NULL, rows INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (chain, day)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE door_day (
        dataset TEXT NOT NULL, day INTEGER NOT NULL, taken INTEGER NOT NULL, unchanged INTEGER NOT NULL,
        rejected INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (dataset, day)
    ) STRICT, WITHOUT ROWID""",
    # --- who signed for entries, and when (node/store/marks.py)
    """CREATE TABLE receipt_mark (
        by_node TEXT NOT NULL, chain INTEGER NOT NULL, minute INTEGER NOT NULL, received INTEGER NOT NULL,
        applied INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (by_node, chain, minute)
    ) STRICT, WITHOUT ROWID""",
    # --- a rejected row is found by its key, and by its number in its source
    "ALTER TABLE load_reject ADD COLUMN key TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE load_reject ADD COLUMN source TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX load_reject_key ON load_reject (key) WHERE key <> ''",
    "CREATE INDEX load_reject_source ON load_reject (source) WHERE source <> ''",
)
HEIR_TABLE = """CREATE TABLE heir (
    predecessor TEXT NOT NULL, successor TEXT NOT NULL, pattern TEXT NOT NULL,
    PRIMARY KEY (predecessor, successor, pattern)
) STRICT, WITHOUT ROWID"""
"""What the registry says of successions, directly and through others (Registry.inherited), for SQL to ask."""

HEARD_OPEN = (
    "ALTER TABLE heard ADD COLUMN open INTEGER NOT NULL DEFAULT 1",
    "CREATE INDEX heard_open ON heard (open)",
)
"""Whether a row is still refused or parked where that was said: those come first, however many were applied since."""
HEARD_BY_ROW = "CREATE INDEX heard_by_row ON heard (dataset, key) WHERE open = 1"
"""Finds what is open of a row that is changed here, and whether anything is open of a dataset."""

FIRST_TABLES = (
    # --- the log: names, chains (one epoch of one feed), entries, payloads
    "CREATE TABLE node (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE feed (
        id INTEGER PRIMARY KEY, origin TEXT NOT NULL, publication TEXT NOT NULL, addressee TEXT NOT NULL,
        UNIQUE (origin, publication, addressee)
    ) STRICT""",
    """CREATE TABLE feed_state (
        feed INTEGER PRIMARY KEY, route INTEGER NOT NULL, lane INTEGER NOT NULL,
        epoch BLOB NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
        enrolment INTEGER NOT NULL, suite INTEGER NOT NULL, frozen INTEGER NOT NULL, disputed_from INTEGER NOT NULL,
        digest BLOB NOT NULL, rows INTEGER NOT NULL, parked INTEGER NOT NULL, refused INTEGER NOT NULL,
        entries INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE chain (
        id INTEGER PRIMARY KEY, feed INTEGER NOT NULL, epoch BLOB NOT NULL, UNIQUE (feed, epoch)
    ) STRICT""",
    """CREATE TABLE log (
        id INTEGER PRIMARY KEY, header_hash BLOB NOT NULL, payload_digest BLOB NOT NULL, seal BLOB NOT NULL,
        header BLOB NOT NULL, payload BLOB, plain_size INTEGER NOT NULL, rows INTEGER NOT NULL
    ) STRICT""",
    "CREATE TABLE payload (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL) STRICT",
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY, feed INTEGER NOT NULL, route INTEGER NOT NULL, lane INTEGER NOT NULL,
        kind INTEGER NOT NULL, codec INTEGER NOT NULL, plain_size INTEGER NOT NULL, rows INTEGER NOT NULL,
        schema_version INTEGER NOT NULL, change_group INTEGER NOT NULL, payload BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX outbox_feed ON outbox (feed)",
    # --- what became of rows
    """CREATE TABLE fate (
        chain INTEGER NOT NULL, seq INTEGER NOT NULL, place INTEGER NOT NULL, dataset TEXT NOT NULL,
        key TEXT NOT NULL, fate INTEGER NOT NULL, reason INTEGER NOT NULL, detail TEXT NOT NULL,
        PRIMARY KEY (chain, seq, place)
    ) STRICT""",
    "CREATE INDEX fate_parked ON fate (chain, seq, place) WHERE fate = 3",
    "CREATE INDEX fate_parked_key ON fate (chain, dataset, key) WHERE fate = 3",
    """CREATE TABLE heard (
        by_node TEXT NOT NULL, publication TEXT NOT NULL, addressee TEXT NOT NULL, epoch BLOB NOT NULL,
        seq INTEGER NOT NULL, dataset TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (by_node, publication, addressee, epoch, seq, dataset, key)
    ) STRICT""",
    "CREATE TABLE column_list (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE row_image (
        feed INTEGER NOT NULL, dataset TEXT NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL,
        columns INTEGER NOT NULL, cells BLOB NOT NULL, PRIMARY KEY (feed, dataset, key)
    ) STRICT""",
    """CREATE TABLE reread (
        dataset TEXT NOT NULL, key TEXT NOT NULL, why TEXT NOT NULL, since INTEGER NOT NULL,
        PRIMARY KEY (dataset, key, why)
    ) STRICT""",
    # --- tasks
    """CREATE TABLE move (
        task TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (task, number)
    ) STRICT""",
    """CREATE TABLE pending_move (
        task TEXT NOT NULL, move_id TEXT NOT NULL, refused INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (task, move_id)
    ) STRICT""",
    # --- neighbours
    """CREATE TABLE seen (
        node TEXT NOT NULL, instance BLOB NOT NULL, boot BLOB NOT NULL, sight INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (node, instance, boot)
    ) STRICT""",
    """CREATE TABLE statement (
        sort TEXT NOT NULL, by_node TEXT NOT NULL, about TEXT NOT NULL, body BLOB NOT NULL, signature BLOB NOT NULL,
        detail BLOB NOT NULL, PRIMARY KEY (sort, by_node, about)
    ) STRICT""",
    """CREATE TABLE evidence (
        id INTEGER PRIMARY KEY, feed INTEGER NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL, UNIQUE (feed, digest)
    ) STRICT""",
    # --- the node itself
    "CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value ANY NOT NULL) STRICT",
    """CREATE TABLE invite (
        token_id TEXT PRIMARY KEY NOT NULL, node TEXT NOT NULL, status TEXT NOT NULL, state BLOB NOT NULL,
        burnt BLOB NOT NULL, reply BLOB NOT NULL, created INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE load (
        id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, file_name TEXT NOT NULL, digest BLOB NOT NULL,
        lines INTEGER NOT NULL, written INTEGER NOT NULL, unchanged INTEGER NOT NULL, rejected INTEGER NOT NULL,
        started INTEGER NOT NULL, ended INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE load_batch (
        load INTEGER NOT NULL, change_group INTEGER NOT NULL, keys BLOB NOT NULL, PRIMARY KEY (load, change_group)
    ) STRICT""",
    """CREATE TABLE load_reject (
        digest BLOB NOT NULL, line INTEGER NOT NULL, load INTEGER NOT NULL, reason INTEGER NOT NULL,
        detail TEXT NOT NULL, raw TEXT NOT NULL, PRIMARY KEY (digest, line)
    ) STRICT""",
)

SOURCE_TABLES = (
    """CREATE TABLE source (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dataset TEXT NOT NULL, kind TEXT NOT NULL,
        shape TEXT NOT NULL, position TEXT NOT NULL, contact INTEGER NOT NULL, news INTEGER NOT NULL,
        fault TEXT NOT NULL, fault_at INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE source_load (load INTEGER PRIMARY KEY, source INTEGER NOT NULL) STRICT""",
    """CREATE TABLE source_day (
        source INTEGER NOT NULL, day TEXT NOT NULL, read INTEGER NOT NULL DEFAULT 0, taken INTEGER NOT NULL DEFAULT 0,
        unchanged INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0,
        not_ours INTEGER NOT NULL DEFAULT 0, voided INTEGER NOT NULL DEFAULT 0, held INTEGER,
        PRIMARY KEY (source, day)
    ) STRICT""",
    """CREATE TABLE source_key (
        source INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (source, key)
    ) STRICT, WITHOUT ROWID""",
)

API_TABLES = (
    """CREATE TABLE api_token (
        id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL, roles TEXT NOT NULL,
        datasets TEXT NOT NULL, held_back INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,
        revoked INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE api_answer (
        id INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL,
        body BLOB NOT NULL, at INTEGER NOT NULL, UNIQUE (who, key)
    ) STRICT""",
    "CREATE INDEX api_answer_at ON api_answer (at)",
)

DUE_TABLES = (
    """CREATE TABLE due_mark (
        dataset TEXT NOT NULL, period TEXT NOT NULL, node TEXT NOT NULL, arrived INTEGER NOT NULL,
        PRIMARY KEY (dataset, period, node)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE cut_off (
        dataset TEXT NOT NULL, period TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL, signature BLOB NOT NULL,
        PRIMARY KEY (dataset, period)
    ) STRICT, WITHOUT ROWID""",
)

WINDOW_TABLE = """CREATE TABLE window_seen (
    announcer TEXT NOT NULL, node TEXT NOT NULL, starts INTEGER NOT NULL, ends INTEGER NOT NULL, seen INTEGER NOT NULL,
    PRIMARY KEY (announcer, node, starts, ends)
) STRICT, WITHOUT ROWID"""
WINDOW_OVER = "ALTER TABLE window_seen ADD COLUMN over INTEGER NOT NULL DEFAULT 0"

GRADE_TABLES = (
    """CREATE TABLE child_grade (
        id INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, grade TEXT NOT NULL, since INTEGER NOT NULL,
        until INTEGER NOT NULL, escalated INTEGER NOT NULL, evidence TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX child_grade_until ON child_grade (until)",
)

CHANGE_TABLES = (
    """CREATE TABLE change (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, dataset TEXT NOT NULL, origin INTEGER NOT NULL,
        keys BLOB NOT NULL
    ) STRICT""",
    "CREATE TABLE webhook (name TEXT PRIMARY KEY NOT NULL, cursor TEXT NOT NULL) STRICT",
)

PEOPLE_TABLES = (
    """CREATE TABLE person (
        name TEXT PRIMARY KEY NOT NULL, shown TEXT NOT NULL, org TEXT NOT NULL, roles TEXT NOT NULL,
        active INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE deputy (
        person TEXT NOT NULL, deputy TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
        PRIMARY KEY (person, deputy, first, last)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE task_person (task TEXT PRIMARY KEY NOT NULL, person TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE flow_person (flow TEXT PRIMARY KEY NOT NULL, person TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE draft (
        id INTEGER PRIMARY KEY AUTOINCREMENT, author TEXT NOT NULL, keeper TEXT NOT NULL, org TEXT NOT NULL,
        state TEXT NOT NULL, flow TEXT NOT NULL, task TEXT NOT NULL, holder TEXT NOT NULL, moves TEXT NOT NULL,
        at INTEGER NOT NULL, decided_by TEXT NOT NULL, decided_at INTEGER NOT NULL, reason TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX draft_state ON draft (state)",
    "ALTER TABLE api_token ADD COLUMN person TEXT NOT NULL DEFAULT ''",
)
"""Of this node alone: no feed, export or statement has any of it (ADR 0020)."""

DOOR_REJECTS = (
    # --- rows that were not let in and came by no load (node/store/turned.py)
    """CREATE TABLE door_reject (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, dataset TEXT NOT NULL, key TEXT NOT NULL,
        source TEXT NOT NULL, reason INTEGER NOT NULL, detail TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX door_reject_key ON door_reject (key) WHERE key <> ''",
    "CREATE INDEX door_reject_source ON door_reject (source) WHERE source <> ''",
)
