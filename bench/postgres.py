"""PostgreSQL's cascade: three clusters, each tier subscribes to the one below and publishes on."""

from __future__ import annotations

import os
import pwd
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from bench.children import POLL_S, Account, free_ports, spawn, stop, wait_for_port
from bench.figures import Work
from bench.rows import SCHEMA
from sync.errors import LocalFault
from sync.values import Row

PATIENCE_S = 180.0
_START_S = 30.0
_CLOSE_POLL_S = 0.0002
_ORDINARY_USER = "postgres"
_DEBIAN_BINARIES = Path("/usr/lib/postgresql")

_TABLE = sql.SQL(
    "CREATE TABLE x_bench_case (case_id text PRIMARY KEY, region text NOT NULL, grid_code text, class_big text,"
    " class_small text, status smallint, reported_at bigint, updated_at bigint, lon double precision,"
    " lat double precision, address text, description text, dept text, source smallint, version integer)"
)
_PUBLICATION = sql.SQL("CREATE PUBLICATION bench FOR TABLE x_bench_case")
_COPY = sql.SQL("COPY x_bench_case FROM STDIN")
_INSERT = sql.SQL("INSERT INTO x_bench_case VALUES ({})").format(sql.SQL(", ").join([sql.Placeholder()] * 15))
_SEEN = sql.SQL("SELECT 1 FROM x_bench_case WHERE case_id = %s")
_CONTENT = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(b::text, 0)), 0)::text FROM x_bench_case b")
_STREAMING = sql.SQL("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")
_COPY_LINE = "\t".join(["%s"] * len(SCHEMA.names)) + "\n"


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is set beyond what PostgreSQL ships with (and beyond wal_level=logical, without which nothing flows)."""

    name: str
    settings: tuple[str, ...] = ()
    subscription: str = ""


SHIPPED = Tuning("postgres-shipped")
TUNED = Tuning(
    "postgres-tuned",
    # The last one only shortens the wait before a subscriber dials again: C measures work, not a timer of 5 s.
    settings=("wal_writer_delay=10ms", "wal_retrieve_retry_interval=100ms"),
    subscription=", synchronous_commit = on",
)
RELAXED = Tuning("postgres-relaxed", settings=TUNED.settings)


class PostgresCascade:
    """City publishes, province subscribes and publishes on, nation subscribes; the city fsyncs every commit."""

    works = frozenset(Work)

    def __init__(self, tuning: Tuning) -> None:
        self.name = tuning.name
        self._tuning = tuning
        self._home: Path | None = None
        self._clusters: list[Cluster] = []
        self._rows = 0

    def start(self) -> None:
        """Three empty clusters, subscribed."""
        binaries, account = find_binaries(), ordinary_account()
        self._rows = 0
        self._home = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
        if account:
            os.chown(self._home, account.uid, account.gid)
        with _as_local_fault():
            for tier, port in zip(("city", "province", "nation"), free_ports(3), strict=True):
                cluster = Cluster(self._home / tier, port, self._tuning.settings, binaries, account)
                self._clusters.append(cluster)
                cluster.create()
                cluster.run()
                cluster.connection.execute(_TABLE)
            for lower, upper in zip(self._clusters, self._clusters[1:], strict=False):
                lower.connection.execute(_PUBLICATION)
                upper.subscribe(lower, self._tuning.subscription)
                lower.wait_for_subscriber()

    def throughput(self, rows: Sequence[Row], rows_per_set: int) -> float:
        """Work T: COPY, one transaction a set, one after the other."""
        city, province, nation = self._clusters
        with _as_local_fault():
            begun = time.perf_counter()
            city.copy(rows, rows_per_set)
            province.wait_for(rows[-1])
            nation.wait_for(rows[-1])
            taken = time.perf_counter() - begun
            self._check(len(rows))
        return taken

    def latency(self, rows: Sequence[Row], commits_per_s: int) -> list[float]:
        """Work L: single-row commits at a steady pace, watched at the nation over a connection of its own."""
        city, _, nation = self._clusters
        with _as_local_fault():
            waits = _paced(city, nation, rows, commits_per_s)
            self._check(len(rows))
        return waits

    def catch_up(self, rows: Sequence[Row], rows_per_set: int) -> float:
        """Works C, C1: an orderly stop of the province, rows at the city, and the province again."""
        city, province, nation = self._clusters
        with _as_local_fault():
            province.halt(signal.SIGINT)
            city.insert(rows) if rows_per_set == 1 else city.copy(rows, rows_per_set)
            province.spawn()
            begun = wait_for_port(province.port, _START_S)
            nation.wait_for(rows[-1])
            taken = time.perf_counter() - begun
            province.connect()
            self._check(len(rows))
        return taken

    def stop(self) -> None:
        """End the clusters, whatever they were doing, and remove their files."""
        for cluster in self._clusters:
            cluster.halt(signal.SIGQUIT)
        self._clusters = []
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _check(self, added: int) -> None:
        """Every tier has all rows, with the same content."""
        self._rows += added
        contents = [cluster.content() for cluster in self._clusters]
        if len(set(contents)) != 1 or contents[0][0] != self._rows:
            raise LocalFault(f"{self._rows} rows were put; the tiers hold (rows, digest) {contents}")


class Cluster:
    """One tier: a data folder, a server process, one connection of ours."""

    def __init__(self, home: Path, port: int, settings: Sequence[str], binaries: Path, account: Account | None) -> None:
        self.port = port
        self._home = home
        self._log = home.with_suffix(".log")
        self._settings = settings
        self._binaries = binaries
        self._account = account
        self._server: subprocess.Popen[bytes] | None = None
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    @property
    def connection(self) -> psycopg.Connection[tuple[object, ...]]:
        assert self._connection is not None
        return self._connection

    def create(self) -> None:
        command = [str(self._binaries / "initdb"), "--pgdata", str(self._home), "--username=postgres"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        if spawn(command, self._log, self._account).wait(PATIENCE_S) != 0:
            raise LocalFault(f"initdb failed: {self._log_tail()}")

    def spawn(self) -> None:
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories="]
        settings += ["wal_level=logical", *self._settings]
        command = [str(self._binaries / "postgres"), "-D", str(self._home)]
        for setting in settings:
            command += ["-c", setting]
        self._server = spawn(command, self._log, self._account)

    def run(self) -> None:
        self.spawn()
        wait_for_port(self.port, _START_S)
        self.connect()

    def connect(self) -> None:
        """Our connection, as soon as the server lets us in."""
        deadline = time.perf_counter() + _START_S
        while True:
            try:
                self._connection = self.dial()
                return
            except psycopg.OperationalError as error:
                if time.perf_counter() > deadline:
                    raise LocalFault(f"the server does not answer: {self._log_tail()}") from error
                time.sleep(POLL_S)

    def dial(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._address(), autocommit=True)

    def subscribe(self, lower: Cluster, options: str) -> None:
        self.connection.execute(
            sql.SQL("CREATE SUBSCRIPTION bench CONNECTION {} PUBLICATION bench WITH (copy_data = false{})").format(
                sql.Literal(lower._address()),
                sql.SQL(options),
            )
        )

    def wait_for_subscriber(self) -> None:
        """Until the tier above listens, so that no work pays for the first handshake."""
        deadline = time.perf_counter() + _START_S
        while self.connection.execute(_STREAMING).fetchone() is None:
            if time.perf_counter() > deadline:
                raise LocalFault(f"no subscriber came: {self._log_tail()}")
            time.sleep(POLL_S)

    def copy(self, rows: Sequence[Row], rows_per_set: int) -> None:
        """Each COPY is a transaction. No cell of ours needs escaping (tests/unit/bench)."""
        with self.connection.cursor() as cursor:
            for start in range(0, len(rows), rows_per_set):
                with cursor.copy(_COPY) as copying:
                    copying.write("".join([_COPY_LINE % row for row in rows[start : start + rows_per_set]]))

    def insert(self, rows: Sequence[Row]) -> None:
        with self.connection.cursor() as cursor:
            for row in rows:
                cursor.execute(_INSERT, row, prepare=True)

    def wait_for(self, row: Row) -> None:
        """Until the row is seen, asked by primary key."""
        wait_until_seen(self.connection, row, POLL_S, threading.Event())

    def content(self) -> tuple[object, ...]:
        found = self.connection.execute(_CONTENT).fetchone()
        assert found is not None
        return found

    def halt(self, how: signal.Signals) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._server is not None:
            stop(self._server, how, _START_S)
            self._server = None

    def _address(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres sslmode=disable"

    def _log_tail(self) -> str:
        return " / ".join(self._log.read_text(errors="replace").splitlines()[-5:])


def wait_until_seen(
    connection: psycopg.Connection[tuple[object, ...]], row: Row, every_s: float, given_up: threading.Event
) -> float:
    """When the row was first seen there. Raises LocalFault when it does not come or the watch is given up."""
    deadline = time.perf_counter() + PATIENCE_S
    with connection.cursor() as cursor:
        while cursor.execute(_SEEN, row[:1], prepare=True).fetchone() is None:
            if given_up.is_set() or time.perf_counter() > deadline:
                raise LocalFault(f"row {row[0]!r} was not seen within {PATIENCE_S:.0f} s")
            time.sleep(every_s)
    return time.perf_counter()


def _paced(city: Cluster, nation: Cluster, rows: Sequence[Row], commits_per_s: int) -> list[float]:
    """Commit on a fixed timetable while a second thread watches the nation for each row in turn."""
    committed: queue.SimpleQueue[tuple[Row, float] | None] = queue.SimpleQueue()
    given_up = threading.Event()

    def watch() -> list[float]:
        waits: list[float] = []
        with nation.dial() as connection:
            while (item := committed.get()) is not None:
                row, since = item
                waits.append(wait_until_seen(connection, row, _CLOSE_POLL_S, given_up) - since)
        return waits

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            begun = time.perf_counter()
            for place, row in enumerate(rows):
                time.sleep(max(begun + place / commits_per_s - time.perf_counter(), 0))
                city.insert([row])
                committed.put((row, time.perf_counter()))
        except BaseException:
            given_up.set()
            raise
        finally:
            committed.put(None)
        return watching.result()


def find_binaries() -> Path:
    """The folder with `initdb` and `postgres`: from PATH, else Debian's newest. Raises LocalFault if there is none."""
    candidates: list[Path] = []
    if found := shutil.which("initdb"):
        candidates.append(Path(found).resolve().parent)
    candidates += sorted(_DEBIAN_BINARIES.glob("*/bin"), key=lambda folder: folder.parent.name.zfill(4), reverse=True)
    for folder in candidates:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise LocalFault("no PostgreSQL server on this machine (Debian: apt-get install postgresql)")


def postgres_version() -> str:
    """Version of the server that is measured, 'none' without one."""
    try:
        command = [str(find_binaries() / "postgres"), "--version"]
    except LocalFault:
        return "none"
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[2]


def ordinary_account() -> Account | None:
    """PostgreSQL refuses to run as root: then its own user, otherwise ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_ORDINARY_USER)
    except KeyError:
        raise LocalFault(f"we are root and there is no user {_ORDINARY_USER} to run PostgreSQL as") from None
    return Account(entry.pw_uid, entry.pw_gid)


@contextmanager
def _as_local_fault() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise LocalFault(f"PostgreSQL: {error}") from error
