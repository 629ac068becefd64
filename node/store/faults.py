"""What can go wrong with the store, each with words that an administrator can act on.

LocalFault
├── StoreFault        a statement or commit failed; the Store is done with and must be opened again
├── UnsafeSqlite      the SQLite library can corrupt a WAL database
├── InviteSpent       the invite's token is used, withdrawn or unknown; the transaction must be rolled back
└── HomeFault         the home folder is held by another process, or is a copy
"""

from __future__ import annotations

from enum import Enum

from sync.errors import LocalFault


class StoreTrouble(Enum):
    """Why a store failed; the value is what to do about it."""

    DISK_FULL = "the disk is full: free space on the volume of the home folder, then start the node again"
    IO = "the disk reported an error: check the disk and its cables, run 'tiersync fsck', restore if it finds damage"
    CORRUPT = "the database is damaged: run 'tiersync fsck' and restore from the last backup"
    BUSY = "another process holds the database: close it, then start the node again"
    MISSING = (
        "put store.db back beside its store.db-wal, or the whole home from its backup; nothing was made or changed"
    )
    READ_ONLY = "the database cannot be written: check owner and mode of the home folder"
    REFUSED = "the store refused the values: this is a fault of the program, please report it"
    OUTDATED = "the store was made by a newer program or catalogue: use that one, or restore an older backup"
    STOPPED = "the node was being stopped: start it with 'tiersync run' and ask again"
    OTHER = "run 'tiersync doctor' and report what it says"


class StoreFault(LocalFault):
    """A read, write or commit failed. What was not committed is lost; nothing may be done with that Store any more.

    Attributes: trouble - the kind; detail - what the library said.
    """

    def __init__(self, trouble: StoreTrouble, detail: str) -> None:
        super().__init__(f"store: {detail}; {trouble.value}")
        self.trouble = trouble
        self.detail = detail


class UnsafeSqlite(LocalFault):
    """This SQLite can corrupt a database in WAL mode when two connections are open."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"SQLite {version} can corrupt the database (WAL-reset race, fixed in 3.51.3, 3.50.7 and 3.44.6): "
            "install the pysqlite3 wheel, or a Python whose SQLite is one of these or newer"
        )


class InviteSpent(LocalFault):
    """The token cannot be burnt: it is used, withdrawn, unknown, or for another node."""


class HomeFault(LocalFault):
    """The home folder cannot be used by this process."""
