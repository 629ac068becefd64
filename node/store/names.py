"""Numbers for nodes, feeds, chains (a chain is one epoch of one feed) and lists of columns, given at first sight and
kept."""

from __future__ import annotations

from node.store.faults import StoreFault, StoreTrouble
from node.store.schema import CHAIN_ID_MAX, SEQ_BITS, SEQ_MAX
from node.store.session import Session
from sync.values import FeedName

_FIND_NODE = "SELECT id FROM node WHERE name = ?"
_ADD_NODE = "INSERT INTO node (name) VALUES (?)"
_FIND_FEED = "SELECT id FROM feed WHERE origin = ? AND publication = ? AND addressee = ?"
_ADD_FEED = "INSERT INTO feed (origin, publication, addressee) VALUES (?, ?, ?)"
_FEED_NAME = "SELECT origin, publication, addressee FROM feed WHERE id = ?"
_FIND_CHAIN = "SELECT id FROM chain WHERE feed = ? AND epoch = ?"
_ADD_CHAIN = "INSERT INTO chain (feed, epoch) VALUES (?, ?)"
_FIND_COLUMNS = "SELECT id FROM column_list WHERE names = ?"
_ADD_COLUMNS = "INSERT INTO column_list (names) VALUES (?)"
_COLUMNS = "SELECT names FROM column_list WHERE id = ?"
_LAST_SEQ = "SELECT max(id) FROM log WHERE id BETWEEN ? AND ?"


def entry_id(chain: int, seq: int) -> int:
    """The log's integer key."""
    return chain << SEQ_BITS | seq


def seq_of(number: int) -> int:
    """The seq inside an entry's id."""
    return number & SEQ_MAX


class Names:
    """Looks names up and remembers them; `forget` after a roll-back, for numbers may have gone with it."""

    __slots__ = ("_chains", "_feeds", "_last", "_list_ids", "_lists", "_names", "_nodes", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._nodes: dict[str, int] = {}
        self._feeds: dict[FeedName, int] = {}
        self._names: dict[int, FeedName] = {}
        self._chains: dict[tuple[int, bytes], int] = {}
        self._last: dict[int, int] = {}
        self._list_ids: dict[tuple[str, ...], int] = {}
        self._lists: dict[int, tuple[str, ...]] = {}

    def forget(self) -> None:
        """Drops all that is remembered."""
        feeds = (self._feeds, self._names, self._chains, self._last)
        for remembered in (self._nodes, *feeds, self._list_ids, self._lists):
            remembered.clear()

    def find_node(self, node: str) -> int | None:
        """The node's number, if it has one."""
        number = self._nodes.get(node)
        if number is None:
            found = self._session.first(_FIND_NODE, (node,))
            if found is None:
                return None
            number = self._nodes[node] = int(found[0])
        return number

    def node(self, node: str) -> int:
        """The node's number, given now if it has none."""
        number = self.find_node(node)
        if number is None:
            self._session.run(_ADD_NODE, (node,))
            number = self.find_node(node)
            assert number is not None
        return number

    def find_feed(self, feed: FeedName) -> int | None:
        """The feed's number, if it has one."""
        number = self._feeds.get(feed)
        if number is None:
            found = self._session.first(_FIND_FEED, feed)
            if found is None:
                return None
            number = self._feeds[feed] = int(found[0])
        return number

    def feed(self, feed: FeedName) -> int:
        """The feed's number, given now if it has none."""
        number = self.find_feed(feed)
        if number is None:
            self._session.run(_ADD_FEED, feed)
            number = self.find_feed(feed)
            assert number is not None
        return number

    def feed_name(self, number: int) -> FeedName:
        """The feed of that number."""
        name = self._names.get(number)
        if name is None:
            name = self._names[number] = FeedName(*self._session.first(_FEED_NAME, (number,)))
        return name

    def find_chain(self, feed: FeedName, epoch: bytes) -> int | None:
        """The chain's number, if it has one."""
        feed_number = self.find_feed(feed)
        if feed_number is None:
            return None
        number = self._chains.get((feed_number, epoch))
        if number is None:
            found = self._session.first(_FIND_CHAIN, (feed_number, epoch))
            if found is None:
                return None
            number = self._chains[feed_number, epoch] = int(found[0])
        return number

    def chain(self, feed: FeedName, epoch: bytes) -> int:
        """The chain's number, given now if it has none. Numbers rise, so they order the epochs of a feed."""
        number = self.find_chain(feed, epoch)
        if number is None:
            self._session.run(_ADD_CHAIN, (self.feed(feed), epoch))
            number = self.find_chain(feed, epoch)
            assert number is not None
            if number > CHAIN_ID_MAX:
                raise StoreFault(StoreTrouble.REFUSED, f"more than {CHAIN_ID_MAX} epochs of feeds")
        return number

    def columns(self, columns: tuple[str, ...]) -> int:
        """The number of a list of columns, given now if it has none."""
        number = self._list_ids.get(columns)
        if number is None:
            names = ",".join(columns)
            found = self._session.first(_FIND_COLUMNS, (names,))
            if found is None:
                self._session.run(_ADD_COLUMNS, (names,))
                found = self._session.first(_FIND_COLUMNS, (names,))
            number = self._list_ids[columns] = int(found[0])
        return number

    def columns_of(self, number: int) -> tuple[str, ...]:
        """The list of columns of that number."""
        columns = self._lists.get(number)
        if columns is None:
            columns = self._lists[number] = tuple(self._session.first(_COLUMNS, (number,))[0].split(","))
        return columns

    def last_seq(self, chain: int) -> int:
        """Seq of the newest entry of a chain, 0 if it has none."""
        seq = self._last.get(chain)
        if seq is None:
            found = self._session.first(_LAST_SEQ, (entry_id(chain, 0), entry_id(chain, SEQ_MAX)))[0]
            seq = self._last[chain] = 0 if found is None else seq_of(found)
        return seq

    def set_last_seq(self, chain: int, seq: int) -> None:
        """Remembers the newest entry after an append."""
        self._last[chain] = seq
