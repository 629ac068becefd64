"""Our own three tiers: real processes, signed and sealed, over loopback; spoken to through their control sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol, TypeVar

import grpc
import msgspec

from bench.children import POLL_S, wait_for_port
from bench.dataset import DATASET_TOML
from bench.figures import Work
from bench.nodes import Nodes
from bench.rows import SCHEMA
from node.control.v1 import control_pb2 as messages
from node.control.v1.control_pb2_grpc import ControlStub
from node.store.driver import connect_reader
from sync.errors import LocalFault
from sync.values import Row

PATIENCE_S = 180.0
_START_S = 30.0
_CLOSE_POLL_S = 0.0002
_SETS_IN_FLIGHT = 4
_SINGLES_IN_FLIGHT = 256
_DIGEST_MODULUS = 1 << 128
_CHANNEL = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

_encode = msgspec.msgpack.Encoder().encode
_decode_rows = msgspec.msgpack.Decoder(list[list[object]]).decode

T = TypeVar("T")


class Tier(Protocol):
    """One running node as the contest needs it."""

    @property
    def control(self) -> str:
        """Address of its control socket as gRPC takes it, such as unix:FILE."""
        ...

    @property
    def node(self) -> str:
        """Its node id, the origin of its rows."""
        ...

    @property
    def database(self) -> Path:
        """Its store's file."""
        ...

    @property
    def link_port(self) -> int:
        """The port on which its children dial it."""
        ...

    def start(self) -> None:
        """Run the process again in the same home; returns at once, without waiting until it serves."""
        ...

    def halt(self) -> None:
        """Stop the process in order, as an administrator would, and wait for its end."""
        ...


class Topology(Protocol):
    """Three enrolled nodes, a process each, whose links work: city -> province -> nation."""

    @property
    def city(self) -> Tier:
        """Where rows are put; its signing scope covers the region of the rows."""
        ...

    @property
    def province(self) -> Tier:
        """The relay."""
        ...

    @property
    def nation(self) -> Tier:
        """Where rows are looked for."""
        ...

    def close(self) -> None:
        """End every process and remove every file."""
        ...


class TiersyncNodes:
    """The nodes as they are installed: mTLS, FULL, sealed at the city, verified at both upper tiers."""

    name = "tiersync"
    works = frozenset(Work)

    def __init__(self, topology: Callable[[str], Topology] = Nodes) -> None:
        self._start_topology = topology
        self._topology: Topology | None = None
        self._runner: asyncio.Runner | None = None
        self._doors: list[_Door] = []
        self._rows = 0

    def start(self) -> None:
        """Three empty nodes that answer."""
        self._rows = 0
        self._topology = topology = self._start_topology(DATASET_TOML)
        self._runner = asyncio.Runner()
        for tier in (topology.city, topology.province, topology.nation):
            self._doors.append(self._run(_open_door(tier, topology.city.node)))

    def throughput(self, rows: Sequence[Row], rows_per_set: int) -> float:
        """Work T: one stream of sets, a few in flight, one local transaction each."""
        return self._run(self._throughput(rows, rows_per_set))

    def latency(self, rows: Sequence[Row], commits_per_s: int) -> list[float]:
        """Work L: single rows at a steady pace over one stream, watched at the nation."""
        return self._run(self._latency(rows, commits_per_s))

    def catch_up(self, rows: Sequence[Row], rows_per_set: int) -> float:
        """Works C, C1: an orderly stop of the province, rows at the city, and the province again."""
        assert self._topology is not None
        province = self._topology.province
        city_door, province_door, nation_door = self._doors
        self._run(province_door.close())
        province.halt()
        self._run(city_door.put(rows, rows_per_set))
        province.start()
        begun = wait_for_port(province.link_port, _START_S)
        self._run(nation_door.wait_for(rows[-1], POLL_S))
        taken = time.perf_counter() - begun
        self._doors[1] = self._run(_open_door(province, self._topology.city.node))
        self._run(self._check(len(rows)))
        return taken

    def stop(self) -> None:
        """End the nodes and remove their homes."""
        try:
            for door in self._doors:
                self._run(door.close())
        finally:
            self._doors = []
            if self._topology is not None:
                self._topology.close()
                self._topology = None
            if self._runner is not None:
                self._runner.close()
                self._runner = None

    def _run(self, work: Coroutine[object, object, T]) -> T:
        assert self._runner is not None
        with _as_local_fault():
            return self._runner.run(work)

    async def _throughput(self, rows: Sequence[Row], rows_per_set: int) -> float:
        city, province, nation = self._doors
        begun = time.perf_counter()
        await city.put(rows, rows_per_set)
        await province.wait_for(rows[-1], POLL_S)
        await nation.wait_for(rows[-1], POLL_S)
        taken = time.perf_counter() - begun
        await self._check(len(rows))
        return taken

    async def _latency(self, rows: Sequence[Row], commits_per_s: int) -> list[float]:
        city, _, nation = self._doors
        committed: asyncio.Queue[tuple[Row, float]] = asyncio.Queue()

        async def watch() -> list[float]:
            waits: list[float] = []
            for _ in rows:
                row, since = await committed.get()
                waits.append(await nation.wait_for(row, _CLOSE_POLL_S) - since)
            return waits

        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch())
            await city.put_paced(rows, commits_per_s, lambda row: committed.put((row, time.perf_counter())))
        await self._check(len(rows))
        return watching.result()

    async def _check(self, added: int) -> None:
        """Every tier has all rows, with the same content."""
        self._rows += added
        contents = [await door.content() for door in self._doors]
        if len(set(contents)) != 1 or contents[0].rows != self._rows:
            raise LocalFault(f"{self._rows} rows were put; the tiers hold {contents}")


@dataclass(frozen=True, slots=True)
class _Content:
    """How many rows, and the sum of their hashes: the same whatever the order."""

    rows: int
    digest: int


class _Door:
    """The control service of one node."""

    def __init__(self, address: str, database: Path, origin: str) -> None:
        self._database = connect_reader(database)
        self._origin = origin
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL)
        self._stub = ControlStub(self._channel)

    async def wait_until_up(self) -> None:
        """Until the node tells its status."""
        call = self._stub.Status(messages.StatusRequest(), wait_for_ready=True, timeout=_START_S)
        async for _ in call:
            return
        raise LocalFault("the node has no status")

    async def put(self, rows: Sequence[Row], rows_per_set: int) -> None:
        """All rows, one local transaction a set; returns when every set is committed."""
        in_flight = asyncio.Semaphore(_SINGLES_IN_FLIGHT if rows_per_set == 1 else _SETS_IN_FLIGHT)
        call = self._stub.Put()

        async def send() -> None:
            for start in range(0, len(rows), rows_per_set):
                await in_flight.acquire()
                await call.write(_put_rows(rows[start : start + rows_per_set]))
            await call.done_writing()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            accepted = 0
            async for result in call:
                in_flight.release()
                accepted += _accepted(result)
        if accepted != len(rows):
            raise LocalFault(f"{accepted} rows accepted of {len(rows)}")

    async def put_paced(
        self, rows: Sequence[Row], commits_per_s: int, committed: Callable[[Row], Awaitable[None]]
    ) -> None:
        """Single rows on a fixed timetable; `committed` is told as soon as each commit has returned."""
        call = self._stub.Put()
        replies = aiter(call)
        begun = time.perf_counter()
        for place, row in enumerate(rows):
            await asyncio.sleep(max(begun + place / commits_per_s - time.perf_counter(), 0))
            await call.write(_put_rows([row]))
            _accepted(await anext(replies))
            await committed(row)
        await call.done_writing()
        async for _ in replies:
            raise LocalFault("more replies than sets")

    async def wait_for(self, row: Row, every_s: float) -> float:
        """When the row was first seen there, asked by key. Raises LocalFault when it does not come.

        Asked of the table itself by SQL, as PostgreSQL's is: anyone may, and the question costs both the same.
        """
        # By the whole primary key: a question that scans the table would measure, and slow down, itself.
        sql = f'SELECT 1 FROM "view_{SCHEMA.dataset}" WHERE "_origin" = ? AND "{SCHEMA.key[0]}" = ?'
        deadline = time.perf_counter() + PATIENCE_S
        while time.perf_counter() < deadline:
            if self._database.execute(sql, (self._origin, row[0])).fetchone() is not None:
                return time.perf_counter()
            await asyncio.sleep(every_s)
        raise LocalFault(f"row {row[0]!r} was not seen within {PATIENCE_S:.0f} s")

    async def content(self) -> _Content:
        """All rows of the dataset, counted and digested."""
        count = digest = 0
        async for rows in self._pages(messages.QueryRequest(dataset=SCHEMA.dataset, columns=SCHEMA.names)):
            count += len(rows)
            for row in rows:
                digest += int.from_bytes(blake2b(_encode(row), digest_size=16).digest(), "big")
        return _Content(count, digest % _DIGEST_MODULUS)

    async def close(self) -> None:
        """Hang up."""
        self._database.close()
        await self._channel.close()

    async def _pages(self, request: messages.QueryRequest) -> AsyncIterator[list[list[object]]]:
        async for page in self._stub.Query(request):
            yield _decode_rows(page.rows) if page.rows else []


async def _open_door(tier: Tier, origin: str) -> _Door:
    """The door of a node that answers. Made within the loop, because a channel belongs to the loop that made it."""
    door = _Door(tier.control, tier.database, origin)
    try:
        await door.wait_until_up()
    except BaseException:
        await door.close()
        raise
    return door


def _put_rows(rows: Sequence[Row]) -> messages.PutRows:
    return messages.PutRows(dataset=SCHEMA.dataset, columns=SCHEMA.names, rows=_encode(rows))


def _accepted(result: messages.PutResult) -> int:
    if result.error:
        raise LocalFault(result.message)
    if result.rejected:
        first = result.rejected[0]
        raise LocalFault(f"{len(result.rejected)} rows rejected; row {first.key}: {first.reason} {first.detail}")
    return result.accepted


@contextmanager
def _as_local_fault() -> Iterator[None]:
    """A call that fails, also inside a task group, is a fault of the contestant."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise LocalFault(f"{error.code().name}: {error.details()}") from error
    except ExceptionGroup as group:
        known, others = group.split((grpc.aio.AioRpcError, LocalFault))
        if known is None or others is not None:
            raise
        raise LocalFault("; ".join(str(each) for each in known.exceptions)) from group
