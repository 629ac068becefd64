"""Throw-away database servers on loopback: real PostgreSQL and real MariaDB, run as an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from bench.children import Account, free_ports, spawn, stop
from bench.postgres import find_binaries
from sync.errors import LocalFault

PASSWORD = "sha1ll-not-be-said"
START_S = 90.0
_MARIADB_BINARIES = ("mariadbd", "mysqld")
_SERVER_FOLDERS = ("/usr/sbin", "/usr/libexec", "/usr/local/sbin")


class Server(ABC):
    """One server with a database `umc`, an owner `app` and a reader `reader`. It can be killed and started again."""

    def __init__(self, folder: Path, driver: str, account: Account | None) -> None:
        self.folder = folder
        self.driver = driver
        self.port = free_ports(1)[0]
        self._account = account
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_mariadb(self) -> bool:
        return self.driver.startswith("mariadb")

    @property
    def url(self) -> str:
        """As an administrator writes it: without the password."""
        return f"{self.driver}://reader@127.0.0.1:{self.port}/umc"

    @abstractmethod
    def command(self) -> list[str]:
        """What runs it in the foreground."""

    def start(self) -> None:
        """Returns when it answers."""
        self._process = spawn(self.command(), self._log, self._account)
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(sa.exc.SQLAlchemyError),
                stop=stop_after_delay(START_S),
                wait=wait_fixed(0.1),
                reraise=True,
            ):
                with attempt:
                    self.query("SELECT 1")
        except sa.exc.SQLAlchemyError as error:
            raise AssertionError(self._log.read_text(errors="replace")[-4_000:]) from error

    def kill(self) -> None:
        """As kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process, signal.SIGINT if not self.is_mariadb else signal.SIGTERM, 20)

    @abstractmethod
    def admin(self) -> sa.Engine:
        """As its owner."""

    def query(self, *statements: str, rows: Sequence[dict[str, object]] = ()) -> list[tuple[object, ...]]:
        """Runs statements as the owner in one transaction; the rows of the last. rows: for the parameters of one."""
        engine = self.admin()
        try:
            with engine.begin() as connection:
                found: list[tuple[object, ...]] = []
                for statement in statements:
                    done = (
                        connection.execute(sa.text(statement), list(rows))
                        if rows
                        else connection.execute(sa.text(statement))
                    )
                    found = [tuple(row) for row in done] if done.returns_rows else []
                return found
        finally:
            engine.dispose()


class Postgres(Server):
    """PostgreSQL; `app` is a superuser of it."""

    def __init__(self, folder: Path, account: Account | None, binaries: Path) -> None:
        super().__init__(folder, "postgresql+psycopg", account)
        self._binaries = binaries

    def create(self) -> None:
        command = [str(self._binaries / "initdb"), "--pgdata", str(self.folder / "data"), "--username=app"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        assert spawn(command, self._log, self._account).wait(START_S) == 0, self._log.read_text()
        hba = self.folder / "data" / "pg_hba.conf"
        hba.write_text("host all app 127.0.0.1/32 trust\nhost all reader 127.0.0.1/32 scram-sha-256\n")
        self._base = "postgres"
        self.start()
        self._make_database()
        self._base = "umc"
        self.query(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'", "GRANT pg_read_all_data TO reader")

    def _make_database(self) -> None:
        engine = self.admin().execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("CREATE DATABASE umc"))
        engine.dispose()

    def command(self) -> list[str]:
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", "fsync=off"]
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data")]
        return command + [part for setting in settings for part in ("-c", setting)]

    def admin(self) -> sa.Engine:
        return sa.create_engine(f"postgresql+psycopg://app@127.0.0.1:{self.port}/{self._base}", poolclass=sa.NullPool)


class Mariadb(Server):
    """MariaDB; `app` may do everything."""

    def __init__(self, folder: Path, account: Account | None, binary: str) -> None:
        super().__init__(folder, "mariadb+pymysql", account)
        self._binary = binary

    def create(self) -> None:
        self.folder.joinpath("init.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS umc CHARACTER SET utf8mb4;\n"
            "CREATE USER IF NOT EXISTS app@'127.0.0.1';\n"
            "GRANT ALL ON *.* TO app@'127.0.0.1';\n"
            f"CREATE USER IF NOT EXISTS reader@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT SELECT ON umc.* TO reader@'127.0.0.1';\n"
        )
        install = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db")
        assert install is not None
        command = [
            install,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            "--auth-root-authentication-method=normal",
        ]
        assert spawn([*command, "--skip-test-db"], self._log, self._account).wait(START_S) == 0, self._log.read_text()
        self.start()

    def command(self) -> list[str]:
        return [
            self._binary,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self.folder / 's'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'init.sql'}",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=32M",
            # Of an old system: it takes dates that are none.
            "--sql-mode=",
            "--default-time-zone=+00:00",
        ]

    def admin(self) -> sa.Engine:
        return sa.create_engine(
            f"mariadb+pymysql://app@127.0.0.1:{self.port}/umc?charset=utf8mb4", poolclass=sa.NullPool
        )


@contextmanager
def _served(make: Callable[[Path, Account | None], Postgres | Mariadb], user: str) -> Iterator[Server]:
    account = _account(user)
    folder = Path(tempfile.mkdtemp(prefix="tiersync-db-"))
    server = make(folder, account)
    try:
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        server.create()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _account(user: str) -> Account | None:
    """The servers refuse to run as root: then the user that their packages make."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        pytest.skip(f"we are root, and there is no user {user} to run the server as")
    return Account(entry.pw_uid, entry.pw_gid)


@contextmanager
def postgres() -> Iterator[Server]:
    """A running PostgreSQL. Skips where none is installed."""
    try:
        binaries = find_binaries()
    except LocalFault as missing:
        pytest.skip(str(missing))
    with _served(lambda folder, account: Postgres(folder, account, binaries), "postgres") as server:
        yield server


@contextmanager
def mariadb() -> Iterator[Server]:
    """A running MariaDB. Skips where none is installed."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *_SERVER_FOLDERS))
    binary = next((found for name in _MARIADB_BINARIES if (found := shutil.which(name, path=path))), None)
    if binary is None:
        pytest.skip("no MariaDB server on this machine (Debian: apt-get install mariadb-server)")
    with _served(lambda folder, account: Mariadb(folder, account, binary), "mysql") as server:
        yield server
