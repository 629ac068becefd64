"""When which source is read: each by its own schedule, one after the other, in a process of its own.

A source that fails is told of and tried again at its next time; the others go on. The declarations are read anew each
time, so that a change or a new source needs no restart.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

from node.clock import Clock
from node.config import Config
from node.faults import Code, UserFault, of_system, translated
from node.loading.chosen import converter_named
from node.loading.convert import Converter, bind
from node.loading.load import Counts
from node.loading.underway import LOADS_FOLDER
from node.sources import declared as declarations
from node.sources import folder
from node.sources.books import Books
from node.sources.declared import Declared, Folder
from node.storable import visible
from node.texts import N_
from sync.days import date_of, day_of_us
from tiers.catalogue import Catalogue

if TYPE_CHECKING:
    from node.loading.load import Report
    from node.sources.database.comparing import Comparison
    from node.sources.database.reading import Job

T = TypeVar("T")

TRIES: Final = 4
PAUSE_S_MAX: Final = 30.0
LOOK_S_MAX: Final = 60.0
FAULT_CHARACTERS: Final = 500
DAYS_MAX: Final = 10_000

Told = Callable[[str, "Report | Comparison | list[folder.Loaded] | UserFault"], None]
"""Hears of each source what came of it."""


class Runner:
    """Reads the sources of a home into its running node. Used from one thread; `stop` is set from elsewhere."""

    def __init__(
        self,
        home: Path,
        config: Config,
        catalogue: Catalogue,
        clock: Clock,
        environment: Mapping[str, str],
        stop: threading.Event | None = None,
    ) -> None:
        self.home = home
        self.config = config
        self.catalogue = catalogue
        self._clock = clock
        self._environment = environment
        self.stop = stop or threading.Event()
        self._watches: dict[str, folder.Watch] = {}
        self._compared: dict[str, str] = {}

    # --- one source --------------------------------------------------------------------------------------------------

    def database(
        self, declared: Declared, tell: Callable[[Counts], None], *, dry_run: bool = False, tries: int = 1
    ) -> Report:
        """Reads a database once. Raises UserFault; what came in before is in."""
        from node.sources.database.reading import read

        with self._at(declared) as books:
            job = self.job(declared)
            return self._tried(lambda: read(job, books, tell, dry_run=dry_run, stop=self.stop.is_set), tries)

    def compare(
        self, declared: Declared, tell: Callable[[int], None], *, dry_run: bool = False, allow: int = 0, tries: int = 1
    ) -> Comparison:
        """Compares the keys of a database. Raises UserFault."""
        from node.sources.database.comparing import compare

        with self._at(declared) as books:
            job = self.job(declared)
            return self._tried(lambda: compare(job, books, tell, dry_run=dry_run, allow=allow), tries)

    def folder(self, declared: Declared, *, wait: bool = False) -> list[folder.Loaded]:
        """Loads the files of a folder that are whole; wait: look twice, so that those are known. Raises UserFault."""
        of = declared.folder
        assert of is not None
        with self._at(declared) as books:
            converter = self.converter(declared)
            try:
                files = self._whole(declared.name, of, wait)
                zone = self.config.run.time_zone
                return folder.read(declared, converter, books, files, self._clock.now_us, zone, self.stop.is_set)
            except OSError as error:
                raise of_system(error) from error

    def _whole(self, name: str, of: Folder, wait: bool) -> list[Path]:
        watch = self._watches.setdefault(name, folder.Watch())
        files, others = watch.whole(of, self._clock.monotonic_us() / 1e6)
        if wait and others and not of.done_file:
            self.stop.wait(of.settle_s)
            files, _ = watch.whole(of, self._clock.monotonic_us() / 1e6)
        return files

    def converter(self, declared: Declared) -> Converter:
        """The source's mapping, in its time zone. Raises UserFault that names all mistakes."""
        name = declared.mapping
        beside = self.home / declarations.SOURCES_FOLDER / name
        if name.endswith(declarations.MAPPING_END) and beside.is_file():
            name = str(beside)
        found = converter_named(self.home, self.config, self.catalogue, name, declared.dataset)
        if declared.database is None or not declared.database.time_zone:
            return found
        from node.sources.database.reading import in_zone

        return bind(name, in_zone(found.mapping, declared.database.time_zone), found.dataset)

    def job(self, declared: Declared) -> Job:
        """What it takes to read a database. Raises UserFault."""
        try:
            from node.sources.database.dialling import dial
            from node.sources.database.reading import Job
        except ImportError as error:
            raise UserFault(
                Code.SOURCE_INVALID,
                N_("Databases are read with the package sqlalchemy, which is not installed ({module})."),
                N_(
                    "Install sqlalchemy and the driver into the program's environment; docs/dependencies.md says which."
                ),
                module=error.name or "",
            ) from error
        converter = self.converter(declared)
        try:
            dialled = dial(declared, converter.mapping.source.time_zone, self._environment)
        except OSError as error:
            raise of_system(error) from error
        return Job(declared, converter, dialled)

    @contextmanager
    def _at(self, declared: Declared) -> Iterator[Books]:
        """Alone at this source; a fault is told to the node too. Raises UserFault SOURCE_BUSY."""
        with self._alone(declared.name), Books(self.home) as books:
            try:
                yield books
            except UserFault as fault:
                # Who called hears the fault; whether the node could keep it does not change it.
                with suppress(UserFault):
                    books.ask(
                        "source.failed", source=declared.name, fault=visible(fault.message.say())[:FAULT_CHARACTERS]
                    )
                raise

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        path = self.home / LOADS_FOLDER / f"source-{name}"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserFault(
                    Code.SOURCE_BUSY,
                    N_("Source '{source}' is being read by another process."),
                    N_("Wait until it is done, or stop `tiersync source run` (systemctl stop tiersync-sources)."),
                    source=name,
                ) from None
            yield
        finally:
            os.close(handle)

    def _tried(self, work: Callable[[], T], tries: int) -> T:
        """Again with growing pauses where the database is away; then its next time is waited for."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_any, stop_when_event_set
        from tenacity.wait import wait_random_exponential

        def is_away(error: BaseException) -> bool:
            return isinstance(error, UserFault) and error.code is Code.SOURCE_AWAY

        again = Retrying(
            retry=retry_if_exception(is_away),
            stop=stop_any(stop_after_attempt(tries), stop_when_event_set(self.stop)),
            wait=wait_random_exponential(multiplier=1, max=PAUSE_S_MAX),
            sleep=self._pause,
            reraise=True,
        )
        return again(work)

    # --- all of them, by schedule ------------------------------------------------------------------------------------

    def serve(self, names: Sequence[str], tell: Told) -> None:
        """Until `stop` is set. names: these only; otherwise all that are declared at the time."""
        due: dict[str, float] = {}
        while not self.stop.is_set():
            for name in names or declarations.names(self.home):
                if not self.stop.is_set() and self._now_s() >= due.get(name, 0.0):
                    due[name] = self._now_s() + self._turn(name, tell)
            next_s = min(due.values(), default=self._now_s() + LOOK_S_MAX)
            self.stop.wait(max(0.0, min(LOOK_S_MAX, next_s - self._now_s())))

    def _turn(self, name: str, tell: Told) -> float:
        """Reads one source if it can be read. In how many seconds it is looked at again."""
        try:
            declared = declarations.read(self.home, name)
        except (UserFault, OSError) as error:
            tell(name, _fault(error))
            return LOOK_S_MAX
        try:
            self._read(declared, tell)
        except (UserFault, OSError) as error:
            tell(name, _fault(error))
        if declared.folder is not None and not declared.folder.done_file:
            return min(declared.every_s, max(1, declared.folder.settle_s))
        return declared.every_s

    def _read(self, declared: Declared, tell: Told) -> None:
        if declared.database is None:
            tell(declared.name, self.folder(declared))
            return
        tell(declared.name, self.database(declared, lambda _: None, tries=TRIES))
        today = self._comparing_today(declared.name, declared.database.compare_at)
        if today and not self.stop.is_set():
            self._compared[declared.name] = today
            tell(declared.name, self.compare(declared, lambda _: None, tries=TRIES))

    def _comparing_today(self, name: str, at: str) -> str:
        """The day, if the keys are due to be compared and were not; '' otherwise."""
        when = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=self._clock.now_us())
        here = when.astimezone(ZoneInfo(self.config.run.time_zone))
        today = date_of(day_of_us(self._clock.now_us()))
        if not at or here.strftime("%H:%M") < at or self._compared.get(name) == today:
            return ""
        with Books(self.home) as books:
            days = books.ask("sources", first=today, limit=DAYS_MAX)["days"]
        is_done = any(day["source"] == name and day["held"] is not None for day in days)
        return "" if is_done else today

    def _pause(self, seconds: float) -> None:
        self.stop.wait(seconds)

    def _now_s(self) -> float:
        return self._clock.monotonic_us() / 1e6


def _fault(error: UserFault | OSError) -> UserFault:
    fault = translated(error)
    assert fault is not None
    return fault
