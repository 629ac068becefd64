"""What a node remembers beside entries and rows: feeds' states, fates, tasks, neighbours, and itself."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

from node.store.names import Names
from node.store.rowsql import padded
from node.store.session import Session
from sync.effects import (
    DropMoves,
    FeedState,
    SaveAnchor,
    SaveEvidence,
    SaveFates,
    SaveFeed,
    SaveHeard,
    SaveHeirs,
    SaveMeta,
    SaveMoves,
    SaveSeen,
    SaveStatement,
)
from sync.limits import BOOT_IDS_KEPT_US
from sync.phrase import as_phrase
from sync.ports import ParkedRef
from sync.reasons import Reason
from sync.values import Fate, FeedName, Head, Key, Lane, Route
from sync.wire.v1.entry_pb2 import MoveBody, Refusal

_SAVE_STATE = """INSERT OR REPLACE INTO feed_state
    (feed, route, lane, epoch, seq, hash, enrolment, suite, frozen, disputed_from, digest, rows, parked,
    refused, entries)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_STATES = """SELECT feed, route, lane, epoch, seq, hash, enrolment, suite, frozen, disputed_from, digest, rows, parked,
    refused, entries FROM feed_state ORDER BY feed"""

_SAVE_FATE = """INSERT OR REPLACE INTO fate (chain, seq, place, dataset, key, fate, reason, detail)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_PARKED = """SELECT chain.feed, chain.epoch, seq, place, dataset, key, reason
    FROM fate INDEXED BY fate_parked JOIN chain ON chain.id = fate.chain WHERE fate = 3
    ORDER BY fate.chain, seq, place LIMIT ?"""
_PARKED_OF = """SELECT chain.feed, chain.epoch, seq, place, dataset, key, reason
    FROM chain JOIN fate INDEXED BY fate_parked ON fate.chain = chain.id WHERE fate = 3 AND chain.feed = ?
    ORDER BY fate.chain, seq, place LIMIT ?"""
_PARKED_AFTER = """SELECT seq, place, dataset, key, reason FROM fate INDEXED BY fate_parked
    WHERE fate = 3 AND chain = ? AND (seq, place) > (?, ?) ORDER BY seq, place LIMIT ?"""
_PARKED_AMONG = """SELECT seq, place, dataset, key, reason FROM fate INDEXED BY fate_parked_key
    WHERE fate = 3 AND chain = ? AND dataset = ? AND key IN ({})"""
_REFUSED = "SELECT seq, place FROM fate WHERE chain = ? AND seq > ? AND fate = 2"
_NOT_APPLIED = "SELECT seq, place FROM fate WHERE chain = ? AND fate <> 1"
_FIRST_PARKED = """SELECT min(seq) FROM fate INDEXED BY fate_parked
    WHERE fate = 3 AND chain = (SELECT max(id) FROM chain WHERE feed = ?)"""
_SAVE_HEARD = """INSERT OR REPLACE INTO heard (by_node, publication, addressee, epoch, seq, dataset, key, body, open)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_SAVE_MOVE = "INSERT OR REPLACE INTO move (task, number, body) VALUES (?, ?, ?)"
_DROP_MOVES = "DELETE FROM move WHERE task = ? AND number >= ?"
_END_PENDING = "DELETE FROM pending_move WHERE task = ? AND move_id = ?"
_SAVE_PENDING = "INSERT OR REPLACE INTO pending_move (task, move_id, refused, body) VALUES (?, ?, ?, ?)"
_MOVES = "SELECT body FROM move WHERE task = ? ORDER BY number"
_OPENINGS = "SELECT body FROM move WHERE number = 1 AND instr(body, ?) > 0 ORDER BY rowid"
_PENDING = "SELECT body FROM pending_move WHERE task = ? AND refused = ? ORDER BY rowid"

_SAVE_SEEN = "INSERT OR REPLACE INTO seen (node, instance, boot, sight, at) VALUES (?, ?, ?, ?, ?)"
# Instances are kept for good, boots for 90 days: the newest boot of each instance stays and keeps the instance.
_FORGET_BOOTS = """DELETE FROM seen WHERE node = ? AND at < ? AND sight <
    (SELECT max(sight) FROM seen AS newer WHERE newer.node = seen.node AND newer.instance = seen.instance)"""
_SAVE_STATEMENT = """INSERT OR REPLACE INTO statement (sort, by_node, about, body, signature, detail)
    VALUES (?, ?, ?, ?, ?, ?)"""
_SAVE_EVIDENCE = "INSERT INTO evidence (feed, digest, body) VALUES (?, ?, ?) ON CONFLICT (feed, digest) DO NOTHING"
_SAVE_META = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"
_META = "SELECT value FROM meta WHERE name = ?"

_SETTLED = frozenset({Fate.APPLIED, Fate.SUPERSEDED})

ANCHOR = "anchor"
_NUMBER_MAX = 2**63 - 1
"""SQLite's largest. A peer may say more in a uint64; it must not be able to stop this node with it. Bodies keep it."""


class Records:
    """Writes and reads of all this. Raises StoreFault."""

    __slots__ = ("_names", "_session")

    def __init__(self, session: Session, names: Names) -> None:
        self._session = session
        self._names = names

    def save_feed(self, write: SaveFeed) -> None:
        """Keeps a copy of the state."""
        s = write.state
        self._session.run(
            _SAVE_STATE,
            (
                self._names.feed(s.name),
                s.route.value,
                s.lane.value,
                s.head.epoch,
                s.head.seq,
                s.head.hash,
                s.enrolment,
                s.suite,
                int(s.frozen),
                s.disputed_from,
                s.digest,
                s.rows,
                s.parked,
                s.refused,
                s.entries,
            ),
        )

    def feeds(self) -> list[FeedState]:
        """All states, in the order in which the feeds were first seen."""
        states = []
        for feed, route, lane, epoch, seq, hash_, enrolment, suite, frozen, *rest in self._session.rows(_STATES):
            name, head = self._names.feed_name(feed), Head(epoch, seq, hash_)
            states.append(FeedState(name, Route(route), Lane(lane), head, enrolment, suite, bool(frozen), *rest))
        return states

    def save_fates(self, write: SaveFates) -> None:
        """Records what became of rows; a later fate of the same row takes the earlier one's place."""
        chain = self._names.chain(write.feed, write.epoch)
        self._session.run_many(
            _SAVE_FATE,
            [
                (chain, f.seq, f.place, f.dataset, f.key, f.fate.value, f.reason.value, as_phrase(f.detail).packed())
                for f in write.fates
            ],
        )

    def parked(self, feed: FeedName | None, limit: int) -> list[ParkedRef]:
        """Parked rows; feeds in the order in which they were first seen, older epochs first, then seq and place."""
        if feed is None:
            found = self._session.rows(_PARKED, (limit,))
        else:
            number = self._names.find_feed(feed)
            found = [] if number is None else self._session.rows(_PARKED_OF, (number, limit))
        return [
            ParkedRef(self._names.feed_name(number), epoch, seq, place, dataset, key, Reason(reason))
            for number, epoch, seq, place, dataset, key, reason in found
        ]

    def parked_after(self, feed: FeedName, epoch: bytes, after: tuple[int, int], limit: int) -> list[ParkedRef]:
        """As sync.ports.Log.parked_after."""
        chain = self._names.find_chain(feed, epoch)
        found = [] if chain is None else self._session.rows(_PARKED_AFTER, (chain, *after, limit))
        return [_parked(feed, epoch, row) for row in found]

    def parked_among(self, feed: FeedName, epoch: bytes, rows: Collection[tuple[str, str]]) -> list[ParkedRef]:
        """As sync.ports.Log.parked_among."""
        chain = self._names.find_chain(feed, epoch)
        refs: list[ParkedRef] = []
        if chain is None:
            return refs
        keys: dict[str, list[Key]] = {}
        for dataset, key in rows:
            keys.setdefault(dataset, []).append((key,))
        for dataset, wanted in keys.items():
            for chunk in padded(wanted):
                sql = _PARKED_AMONG.format(", ".join("?" * len(chunk)))
                found = self._session.rows(sql, (chain, dataset, *(key for (key,) in chunk)))
                refs.extend(_parked(feed, epoch, row) for row in found)
        return refs

    def refused(self, feed: FeedName, epoch: bytes, after_seq: int) -> frozenset[tuple[int, int]]:
        """As sync.ports.Log.refused."""
        chain = self._names.find_chain(feed, epoch)
        return frozenset() if chain is None else frozenset(self._session.rows(_REFUSED, (chain, after_seq)))

    def not_applied(self, feed: FeedName, epoch: bytes) -> dict[int, frozenset[int]]:
        """Places of rows of a feed that are not in effect here, by seq; -1 stands for a whole entry."""
        chain = self._names.find_chain(feed, epoch)
        found: dict[int, set[int]] = {}
        for seq, place in () if chain is None else self._session.rows(_NOT_APPLIED, (chain,)):
            found.setdefault(seq, set()).add(place)
        return {seq: frozenset(places) for seq, places in found.items()}

    def first_parked(self, feed: FeedName) -> int:
        """Smallest seq with a parked row in the feed's newest epoch, 0 if none."""
        number = self._names.find_feed(feed)
        if number is None:
            return 0
        return self._session.first(_FIRST_PARKED, (number,))[0] or 0

    def save_heard(self, write: SaveHeard) -> None:
        """Keeps serialised Refusals; a later word of the same node on the same row takes the earlier one's place."""
        rows = []
        for body in write.refusals:
            said = Refusal.FromString(body)
            place = (said.publication, said.addressee, said.epoch, min(said.seq, _NUMBER_MAX), said.dataset, said.key)
            rows.append((write.by, *place, body, is_open(said)))
        self._session.run_many(_SAVE_HEARD, rows)

    def save_moves(self, write: SaveMoves) -> None:
        """Adds moves: numbered, pending, or refused by the arbiter (kept, and no longer pending)."""
        for body in write.moves:
            stored = body.SerializeToString()
            if body.number:
                self._session.run(_SAVE_MOVE, (write.task, min(body.number, _NUMBER_MAX), stored))
                self._session.run(_END_PENDING, (write.task, body.move_id))
            else:
                refused = int(body.verdict)
                self._session.run(_SAVE_PENDING, (write.task, body.move_id, refused, stored))

    def drop_moves(self, write: DropMoves) -> None:
        """Takes moves out of a task's history, from a number on."""
        self._session.run(_DROP_MOVES, (write.task, write.from_number))

    def moves(self, task: str) -> list[MoveBody]:
        """Numbered moves of a task, in order of number."""
        return [MoveBody.FromString(body) for (body,) in self._session.rows(_MOVES, (task,))]

    def openings(self, holding: str) -> list[MoveBody]:
        """First moves of the tasks in whose first move a text stands, the oldest first.

        It looks at every task: for what a person asks, not for what arrives.
        """
        return [MoveBody.FromString(body) for (body,) in self._session.rows(_OPENINGS, (holding.encode(),))]

    def pending_moves(self, task: str, refused: bool = False) -> list[MoveBody]:
        """Moves that the arbiter has not answered, or those it refused; oldest first."""
        return [MoveBody.FromString(body) for (body,) in self._session.rows(_PENDING, (task, int(refused)))]

    def save_seen(self, write: SaveSeen) -> None:
        """Remembers an instance and a boot, and forgets boots older than 90 days."""
        self._session.run(_SAVE_SEEN, (write.node, write.instance, write.boot, write.order, write.at))
        self._session.run(_FORGET_BOOTS, (write.node, write.at - BOOT_IDS_KEPT_US))

    def save_statement(self, write: SaveStatement) -> None:
        """Keeps the newest of its sort, author and subject."""
        stored = (write.sort, write.by, write.about, write.body, write.signature, write.detail)
        self._session.run(_SAVE_STATEMENT, stored)

    def save_evidence(self, write: SaveEvidence) -> None:
        """Keeps a proof once, however often it is told."""
        digest = sha256(write.evidence).digest()
        self._session.run(_SAVE_EVIDENCE, (self._names.feed(write.feed), digest, write.evidence))

    def inherited(self, node: str) -> list[tuple[str, str]]:
        """(predecessor, pattern) of all that passed to a node."""
        sql = "SELECT predecessor, pattern FROM heir WHERE successor = ? ORDER BY predecessor, pattern"
        return [(predecessor, pattern) for predecessor, pattern in self._session.rows(sql, (node,))]

    def save_heirs(self, write: SaveHeirs) -> None:
        """As sync.effects.SaveHeirs."""
        self._session.run("DELETE FROM heir")
        self._session.run_many("INSERT INTO heir VALUES (?, ?, ?)", write.heirs)

    def save_anchor(self, write: SaveAnchor) -> None:
        """Keeps the newest anchor."""
        self._session.run(_SAVE_META, (ANCHOR, write.anchor))

    def save_meta(self, write: SaveMeta) -> None:
        """Keeps one value of the node itself."""
        self._session.run(_SAVE_META, (write.name, write.value))

    def meta(self, name: str) -> int | str | bytes | None:
        """One value of the node itself."""
        found = self._session.first(_META, (name,))
        value: int | str | bytes | None = None if found is None else found[0]
        return value


def is_open(said: Refusal) -> bool:
    """Whether a row was still refused or parked when that was said."""
    return int(said.fate) not in _SETTLED


def _parked(feed: FeedName, epoch: bytes, row: tuple[int, int, str, str, int]) -> ParkedRef:
    seq, place, dataset, key, reason = row
    return ParkedRef(feed, epoch, seq, place, dataset, key, Reason(reason))
