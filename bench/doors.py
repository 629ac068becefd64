"""`python -m bench.doors`: the ways in, side by side. The same rows through the HTTP API, from a file, out of a
database, and straight into one SQLite file. JSON on stdout, progress on stderr.

The node is a city whose parents are stopped: its rows are checked, published, encoded, committed and queued, and nobody
else works on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import datetime as dt
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from psycopg import sql

from bench.children import free_ports
from bench.dataset import DATASET_TOML
from bench.direct import DirectSqlite
from bench.machine import machine_facts
from bench.postgres import SHIPPED, Cluster, find_binaries, ordinary_account, postgres_version
from bench.rows import SCHEMA, make_rows
from node.clock import iso
from node.store import driver
from node.testing import THREE, Topology
from sync.errors import LocalFault
from sync.schema import CellType
from sync.values import Row

ROWS_PER_SET = 1_000
_TIMES = tuple(i for i, column in enumerate(SCHEMA.columns) if column.type is CellType.TIMESTAMP)
_MAPPING = f'name = "bench"\ndataset = "{SCHEMA.dataset}"\n[columns]\n' + "".join(
    f'{n} = "{n}"\n' for n in SCHEMA.names
)
_TYPES = {CellType.INTEGER: "bigint", CellType.TIMESTAMP: "timestamptz", CellType.FLOAT: "double precision"}
_TABLE = sql.SQL(
    "CREATE TABLE cases ("  # of constants
    + ", ".join(f"{c.name} {_TYPES.get(c.type, 'text')}" for c in SCHEMA.columns)
    + ", PRIMARY KEY (case_id)); CREATE INDEX ON cases (updated_at, case_id)"
)

Way = Callable[[Sequence[Row]], float]
"""Brings rows in; seconds until the last is durable."""


class City:
    """A city that was enrolled, alone since."""

    def __init__(self, folder: Path, http_port: int) -> None:
        self._runner = asyncio.Runner()
        self._net = Topology(folder, THREE, processes=True, catalogue=DATASET_TOML)
        self._runner.run(self._net.__aenter__())
        city = self._net["city"]
        self.home = city.home
        for name in ("nation", "province", "city"):
            self._runner.run(self._net[name].stop())
        config = self.home / "node.toml"
        text = config.read_text("utf-8")
        config.write_text(
            re.sub(r'(?s)(\[http\].*?\nlisten = )""', rf'\1"127.0.0.1:{http_port}"', text, count=1), "utf-8"
        )
        self._runner.run(city.start())
        (self.home / "sources").mkdir(exist_ok=True)
        self.mapping = self.home / "sources" / "bench.map.toml"
        self.mapping.write_text(_MAPPING, "utf-8")

    def call(self, *arguments: str) -> dict[str, object]:
        """A command of the program, in a process of its own as an administrator starts it. Raises LocalFault."""
        command = [sys.executable, "-m", "node", "--home", str(self.home), "--json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalFault(f"{' '.join(arguments)}: {done.stdout[-500:]}{done.stderr[-500:]}")
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def close(self) -> None:
        self._runner.run(self._net.stop())
        self._runner.close()


def _readable(row: Row) -> list[object]:
    """Cells as other systems write them."""
    cells: list[object] = list(row)
    for place in _TIMES:
        cells[place] = iso(row[place])  # type: ignore[arg-type] # times of these rows are never empty
    return cells


def _from_file(city: City, folder: Path) -> Way:
    def way(rows: Sequence[Row]) -> float:
        file = folder / "rows.csv"
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(SCHEMA.names)
            writer.writerows(map(_readable, rows))
        begun = time.perf_counter()
        told = city.call("load", SCHEMA.dataset, str(file), "--map", str(city.mapping))
        taken = time.perf_counter() - begun
        _check(told["taken"], rows)
        return taken

    return way


def _from_database(city: City, cluster: Cluster) -> Way:
    (city.home / "sources" / "bench.toml").write_text(
        f'dataset = "{SCHEMA.dataset}"\nmapping = "{city.mapping.name}"\n[database]\n'
        f'url = "postgresql+psycopg://postgres@127.0.0.1:{cluster.port}/postgres"\n'
        'table = "cases"\nkey = ["case_id"]\nwatermark = "updated_at"\noverlap = "0s"\n',
        "utf-8",
    )

    def way(rows: Sequence[Row]) -> float:
        text = io.StringIO()
        for row in rows:
            text.write("\t".join(map(str, _readable(row))) + "\n")
        cluster.connection.execute("DROP TABLE IF EXISTS cases")
        cluster.connection.execute(_TABLE)
        with cluster.connection.cursor().copy("COPY cases FROM STDIN") as copying:
            copying.write(text.getvalue())
        if _known(city):
            city.call("source", "reset", "bench")
        begun = time.perf_counter()
        told = city.call("source", "run", "bench", "--once")
        taken = time.perf_counter() - begun
        (source,) = told["sources"]  # type: ignore[misc] # its JSON
        _check(source["taken"], rows)
        return taken

    return way


def _known(city: City) -> bool:
    found = city.call("source", "list")["sources"]
    return any("position" in one for one in found)  # type: ignore[attr-defined] # its JSON


def _over_http(city: City, port: int) -> Way:
    token = str(city.call("token", "make", "bench", "--role", "write", "--dataset", SCHEMA.dataset)["secret"])
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def way(rows: Sequence[Row]) -> float:
        named = [dict(zip(SCHEMA.names, _readable(row), strict=True)) for row in rows]
        sets = [named[i : i + ROWS_PER_SET] for i in range(0, len(named), ROWS_PER_SET)]
        bodies = [json.dumps({"rows": some}, ensure_ascii=False).encode() for some in sets]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        taken_rows = 0
        begun = time.perf_counter()
        for body in bodies:
            connection.request("POST", f"/api/v1/datasets/{SCHEMA.dataset}/rows", body, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            if answer.status != 200:
                raise LocalFault(f"HTTP {answer.status}: {said}")
            taken_rows += said["accepted"]
        taken = time.perf_counter() - begun
        connection.close()
        _check(taken_rows, rows)
        return taken

    return way


def _direct(rows: Sequence[Row]) -> float:
    contestant = DirectSqlite()
    contestant.start()
    try:
        return contestant.throughput(rows, ROWS_PER_SET)
    finally:
        contestant.stop()


def _check(taken: object, rows: Sequence[Row]) -> None:
    if taken != len(rows):
        raise LocalFault(f"{taken} rows came in of {len(rows)}")


@contextmanager
def _cluster(folder: Path) -> Iterator[Cluster]:
    account = ordinary_account()
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    cluster = Cluster(folder / "source", free_ports(1)[0], SHIPPED.settings, find_binaries(), account)
    cluster.create()
    cluster.run()
    try:
        yield cluster
    finally:
        cluster.halt(signal.SIGQUIT)


def measure(rows: int, runs: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """Rows a second by way in, one figure a round; every round has rows of its own, and every second goes backwards.

    Raises LocalFault where a row did not come in.
    """
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        port = free_ports(1)[0]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-doors-")))
        source = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-source-")))
        city = City(folder, port)
        stack.callback(city.close)
        cluster = stack.enter_context(_cluster(source))
        ways = [
            ("sqlite-direct", _direct),
            ("http", _over_http(city, port)),
            ("file", _from_file(city, folder)),
            ("database", _from_database(city, cluster)),
        ]
        first = 0
        for number in range(runs):
            for name, way in ways if number % 2 == 0 else reversed(ways):
                figure = rows / way(make_rows(first, rows))
                first += rows
                found.setdefault(name, []).append(round(figure, 1))
                tell(f"round {number + 1}: {name} {figure:,.0f} rows/s")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and says it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.doors", description="The ways in, side by side.")
    parser.add_argument("--rows", type=int, default=50_000, help="rows of each way and round (50,000)")
    parser.add_argument("--runs", type=int, default=3, help="rounds (3)")
    asked = parser.parse_args(arguments)
    found = measure(asked.rows, asked.runs, lambda line: print(line, file=sys.stderr, flush=True))
    machine = machine_facts() | {"postgres": postgres_version(), "sqlite": driver.VERSION_TEXT}
    said = {name: {"rows_per_s": median(figures), "rounds": figures} for name, figures in found.items()}
    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    print(json.dumps({"at": at, "rows": asked.rows, "ways": said, "machine": machine}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
