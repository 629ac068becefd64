"""The connection to a source's database. Its password is in nothing that is said: not in a message, not in a log.

Nothing is ever written there: the session is read-only where the server knows that, and the account should be.
"""

from __future__ import annotations

import datetime as dt
import stat
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.pool import NullPool

from node.faults import Code, UserFault
from node.reading import text_of
from node.sources.declared import Database, Declared
from node.texts import N_

CONNECT_S: Final = 10
SILENT_S: Final = 300
"""A server that says nothing for so long in the middle of an answer is given up."""
PASSWORD_BYTES_MAX: Final = 4_096
DETAIL_CHARACTERS: Final = 300
HIDDEN: Final = "***"

_ARGUMENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "psycopg": {
        "connect_timeout": CONNECT_S,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    },
    "pymysql": {"connect_timeout": CONNECT_S, "read_timeout": SILENT_S, "write_timeout": SILENT_S},
}
_MYSQL: Final = frozenset({"mysql", "mariadb"})


class SourceAway(UserFault):
    """The database did not answer, or went away: to be tried again."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """An engine, with what its errors must not say. zone: of times without offset."""

    name: str
    engine: Engine
    password: str
    zone: dt.tzinfo

    @property
    def has_bits(self) -> bool:
        """Whether BIT(1) comes as a byte."""
        return self.engine.dialect.name in _MYSQL

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for a while. Raises SourceAway, and UserFault SOURCE_INVALID for what the server refuses."""
        with self._spoken(), warnings.catch_warnings():
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            with self.engine.connect() as connection:
                yield connection

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        """The driver's errors as faults; their own chain is cut, for it may quote what must not be said."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._fault(error) from None
        except sa.exc.SQLAlchemyError as error:
            raise self._refused(str(error)) from None

    def _fault(self, error: sa.exc.DBAPIError) -> UserFault:
        detail = str(error.orig)
        away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.InternalError)
        if not (away or error.connection_invalidated):
            return self._refused(detail)
        return SourceAway(
            Code.SOURCE_AWAY,
            N_("The database of source '{source}' does not answer: {detail}."),
            N_(
                "It is tried again by schedule, and nothing is lost. If it stays so: check address, account, password "
                "file and network; `tiersync source check {source}` tries it at once."
            ),
            source=self.name,
            detail=self.clean(detail),
        )

    def _refused(self, detail: str) -> UserFault:
        return UserFault(
            Code.SOURCE_INVALID,
            N_("The database of source '{source}' refuses what is asked of it: {detail}."),
            N_("Check table, select, columns and rights; `tiersync source check {source}` tries them."),
            source=self.name,
            detail=self.clean(detail),
        )

    def clean(self, detail: str) -> str:
        """The first line, bounded, without the password."""
        line = next((part.strip() for part in detail.splitlines() if part.strip()), "").rstrip(".")
        if self.password:
            line = line.replace(self.password, HIDDEN)
        return line[:DETAIL_CHARACTERS]


def dial(declared: Declared, zone: str, environment: Mapping[str, str]) -> Dialled:
    """The engine of a source; nothing is connected yet.

    zone: of times without offset. Raises UserFault SOURCE_INVALID for what it cannot be made of, KEY_CUSTODY for a
    password file that others may read, FILE_ENCODING; OSError.
    """
    database = declared.database
    assert database is not None
    password = _password(declared, database, environment)
    url = _url(declared, database)
    arguments = dict(_ARGUMENTS.get(url.get_driver_name(), {}))
    try:
        engine = sa.create_engine(
            url.set(password=password) if password else url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args=arguments,
        )
    except ImportError as error:
        raise _no_driver(declared, url, str(error.name or "")) from None
    made = Dialled(declared.name, engine, password, ZoneInfo(zone))
    sa.event.listen(engine, "connect", lambda connection, _: _settle(engine.dialect.name, connection, made.zone))
    return made


def _url(declared: Declared, database: Database) -> URL:
    try:
        url = make_url(database.url)
        url.get_dialect()
        url.get_driver_name()
    except sa.exc.NoSuchModuleError:
        raise _no_driver(declared, None, "") from None
    except ImportError as error:
        raise _no_driver(declared, None, str(error.name or "")) from None
    except sa.exc.ArgumentError:
        raise UserFault(
            Code.SOURCE_INVALID,
            N_("The url of source '{source}' cannot be read."),
            N_("Write it as in postgresql+psycopg://user@host:5432/name or mariadb+pymysql://user@host:3306/name."),
            source=declared.name,
        ) from None
    return url


def _no_driver(declared: Declared, url: URL | None, module: str) -> UserFault:
    return UserFault(
        Code.SOURCE_INVALID,
        N_("The driver that source '{source}' asks for is not installed ({driver})."),
        N_(
            "Install it into the program's environment: psycopg for PostgreSQL, pymysql for MariaDB and MySQL; others "
            "as their makers say. From a file where there is no internet."
        ),
        source=declared.name,
        driver=module or (url.drivername if url is not None else declared.database.url.partition(":")[0]),  # type: ignore[union-attr]
    )


def _password(declared: Declared, database: Database, environment: Mapping[str, str]) -> str:
    """Raises UserFault KEY_CUSTODY, OSError."""
    if database.password_env:
        if database.password_env not in environment:
            raise UserFault(
                Code.SOURCE_INVALID,
                N_("The environment has no '{name}', where source '{source}' has its password."),
                N_("Set it where the process is started (in the systemd unit: EnvironmentFile, mode 0600)."),
                name=database.password_env,
                source=declared.name,
            )
        return environment[database.password_env]
    if not database.password_file:
        return ""
    path = declared.file.parent / database.password_file
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise _open_to_others(path)
    return text_of(path, PASSWORD_BYTES_MAX).strip("\r\n")


def _open_to_others(path: Path) -> UserFault:
    return UserFault(
        Code.KEY_CUSTODY,
        N_("{file} holds a password, and others may read it."),
        N_("`chmod 600 {file}`, and change the password if somebody may have seen it."),
        file=path,
    )


def _settle(dialect: str, connection: Any, zone: dt.tzinfo) -> None:
    """A new session: it reads only, and says times as the source is declared to have them."""
    if dialect in _MYSQL:
        offset = dt.datetime(2026, 1, 1, tzinfo=zone).strftime("%z")
        statements = [
            f"SET SESSION time_zone = '{offset[:3]}:{offset[3:5]}'",
            "SET SESSION TRANSACTION READ ONLY",
        ]
    elif dialect == "postgresql":
        statements = ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"]
    else:
        return
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()
