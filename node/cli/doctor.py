"""What `tiersync doctor` looks at. Each check ends in a finding: good, odd (a person should look), or bad.

The machine is always examined; a home only if one is named and whole.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from node.cli.output import moment, size
from node.cli.session import CONFIG_FILE, Session
from node.faults import UserFault, translated
from node.texts import N_, Text
from sync.errors import LocalFault
from tiers.faults import CatalogueFault
from tiers.flows import REMINDER

if TYPE_CHECKING:
    from node.config import Config
    from node.settings import HttpSection

OUR_PACKAGES = ("node", "sync", "tiers", "certs")
PYTHON_LEAST = (3, 11)
RENEW_DAYS = 30
DIVISIONS_DAYS = 500
"""Codes are published once a year; a few months later the next program has them."""
CLOCK_LEAST_US = 1_767_225_600_000_000  # 2026-01-01: before this program was written no clock can be right
DIAL_S = 3.0
SKEW_US = 60_000_000
DAY_US = 86_400_000_000
TASKS_ASKED = 1_000
ATTACHMENTS_NEARLY_FULL = 0.9

Verdict = Literal["good", "odd", "bad"]


class Finding(NamedTuple):
    """One check. `todo`: what to do, where there is something."""

    name: Text
    verdict: Verdict
    found: Text
    todo: Text | None = None

    def as_json(self) -> dict[str, Any]:
        """For scripts; `check` is the English name."""
        told = {"check": str(self.name), "title": self.name.say(), "verdict": self.verdict, "found": self.found.say()}
        return {**told, "todo": self.todo.say()} if self.todo is not None else told


def examine(session: Session) -> list[Finding]:
    """All checks, the machine's first. A check that cannot be made is a finding too."""
    found = [_python(), _sqlite(), _protobuf(), _packages(), _clock(), _division_codes()]
    if not session.is_named:
        return [*found, _no_home()]
    if not (session.home / CONFIG_FILE).is_file():
        return [*found, _unfinished(session.home)]
    try:
        config = session.config
    except UserFault as fault:
        return [*found, Finding(Text(N_("configuration")), "bad", fault.message, fault.next_step)]
    found += [*_home_modes(session.home), _disk(session.home, config), _attachments(session.home, config)]
    found += _declarations(session, config)
    found += _certificates(session, config)
    return [*found, *_beside(session, config), *_addresses(config), *_reminders(session)]


def _beside(session: Session, config: Config) -> Iterator[Finding]:
    from node.cli.examining import https, sources
    from node.clock import SystemClock

    now = SystemClock().now_us()
    yield from https(session.home, config.http, now, session.zone)
    yield from sources(session, now)


def _reminders(session: Session) -> list[Finding]:
    """Whether somebody above waits for data of this node; nothing where the store cannot be asked."""
    from node.cli.asking import ask

    try:
        found = ask(session, "task.list", open=True, limit=TASKS_ASKED)
    except (LocalFault, UserFault, OSError):
        return []
    own = session.config.node.node_id
    count = sum(task["flow"] == REMINDER and task["holder"] == own for task in found["tasks"])
    if not count:
        return []
    todo = Text(N_("`tiersync due list` says of what; bring it, or answer with `tiersync task move`."))
    return [Finding(Text(N_("overdue data")), "odd", Text(N_("this node is reminded of {count}"), count=count), todo)]


def _python() -> Finding:
    name, version = Text(N_("Python")), Text(f"{platform.python_version()} ({platform.machine()})")
    if sys.version_info[:2] < PYTHON_LEAST:
        return Finding(name, "bad", version, Text(N_("Install Python 3.11 or newer.")))
    if not __debug__:
        return Finding(name, "bad", Text(N_("runs with -O, which switches checks off")), Text(N_("Run it without -O.")))
    return Finding(name, "good", version)


def _sqlite() -> Finding:
    from node.store.driver import LIBRARY, VERSION, VERSION_TEXT, check_version
    from node.store.faults import UnsafeSqlite

    name, found = Text(N_("SQLite")), Text(f"{VERSION_TEXT} ({LIBRARY})")
    try:
        check_version(VERSION)
    except UnsafeSqlite as fault:
        return Finding(name, "bad", found, Text("{detail}", detail=fault))
    return Finding(name, "good", found)


def _protobuf() -> Finding:
    from google.protobuf.internal import api_implementation

    name, kind = Text(N_("protobuf")), api_implementation.Type()
    if kind != "upb":
        slow = Text(N_("runs on '{kind}', far slower than upb"), kind=kind)
        todo = Text(
            N_("Install the protobuf wheel for this machine, and unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION.")
        )
        return Finding(name, "odd", slow, todo)
    return Finding(name, "good", Text(kind))


def _packages() -> Finding:
    """Whether another distribution brings a package of one of our names: then either could be imported."""
    name = Text(N_("package names"))
    others = {
        f"{package} ({other})"
        for package, names in packages_distributions().items()
        if package in OUR_PACKAGES
        for other in names
        if other != "tiersync"
    }
    strays = [p for p in OUR_PACKAGES if not _is_ours(p)]
    if others or strays:
        found = Text(N_("shadowed by other installations: {names}"), names=", ".join(sorted([*others, *strays])))
        return Finding(name, "bad", found, Text(N_("Install tiersync in a virtual environment of its own.")))
    return Finding(name, "good", Text(", ".join(OUR_PACKAGES)))


def _is_ours(package: str) -> bool:
    """Whether what would be imported lies beside this very file."""
    from importlib.util import find_spec

    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    root = Path(__file__).resolve().parents[2]
    return any(Path(place).resolve().parent == root for place in places)


def _clock() -> Finding:
    from node.clock import SystemClock, iso

    name, now = Text(N_("clock")), SystemClock().now_us()
    if now < CLOCK_LEAST_US:
        todo = Text(N_("Set the clock (chrony or ntpd): certificates and time limits depend on it."))
        return Finding(name, "bad", Text(N_("says {now}, which cannot be"), now=iso(now)), todo)
    return Finding(name, "good", Text(iso(now)))


def _division_codes() -> Finding:
    """How old they are: codes change every year, and what is typed is compared with them."""
    from datetime import date

    from node.clock import SystemClock
    from node.divisions import divisions

    as_of = divisions().as_of
    days = SystemClock().now_us() // DAY_US - (date.fromisoformat(as_of) - date(1970, 1, 1)).days
    name, found = Text(N_("division codes")), Text(N_("as of {as_of}"), as_of=as_of)
    if days > DIVISIONS_DAYS:
        return Finding(
            name, "odd", found, Text(N_("Newer codes come with a newer tiersync. Nothing is refused meanwhile."))
        )
    return Finding(name, "good", found)


def _no_home() -> Finding:
    todo = Text(N_("Give the node's folder with --home or TIERSYNC_HOME to have it examined too."))
    return Finding(Text(N_("home")), "odd", Text(N_("none was named")), todo)


def _unfinished(home: Path) -> Finding:
    from node.enrol.home import check_finished

    try:
        check_finished(home)
    except UserFault as fault:
        return Finding(Text(N_("home")), "bad", fault.message, fault.next_step)
    todo = Text(N_("Make it a node's with `tiersync init` or `tiersync join`."))
    return Finding(Text(N_("home")), "bad", Text(N_("{home} is not the home of a node"), home=home), todo)


# --- the home -------------------------------------------------------------------------------------------------------


def _home_modes(home: Path) -> Iterator[Finding]:
    """The folder and every key: for their owner alone, and the owner is who runs this."""
    yield mode_of(Text(N_("home")), home, "700")
    keys = sorted((home / "keys").glob("*.key"))
    if not keys:
        todo = Text(N_("Take the home from the last backup; if there is none, join again with a new invite."))
        yield Finding(Text(N_("keys")), "bad", Text(N_("there are none in {folder}"), folder=home / "keys"), todo)
    for key in keys:
        yield mode_of(Text(N_("key {file}"), file=key.name), key, "600")


def mode_of(name: Text, path: Path, wanted: str) -> Finding:
    """Whether a folder or key is for its owner alone, who runs this."""
    about = path.stat()
    mode = stat.S_IMODE(about.st_mode)
    if about.st_uid != os.geteuid():
        found = Text(N_("belongs to user {owner}, this runs as {me}"), owner=about.st_uid, me=os.geteuid())
        return Finding(name, "bad", found, Text(N_("Run as the user who owns the node's home, or change its owner.")))
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        todo = Text(
            N_("Run: chmod {mode} {path}; and think about whether somebody has read it."), mode=wanted, path=path
        )
        return Finding(name, "bad", Text(N_("open to others (mode {mode})"), mode=f"{mode:04o}"), todo)
    return Finding(name, "good", Text(f"{mode:04o}"))


def _disk(home: Path, config: Config) -> Finding:
    name, usage = Text(N_("disk")), shutil.disk_usage(home)
    found = Text(N_("{free} free of {total}"), free=size(usage.free), total=size(usage.total))
    if usage.free < config.limits.disk_reserve_bytes:
        reserve = size(config.limits.disk_reserve_bytes)
        todo = Text(
            N_("Free space or enlarge the volume: below {reserve} the node takes no more local rows."), reserve=reserve
        )
        return Finding(name, "bad", found, todo)
    if usage.free < 2 * config.limits.disk_reserve_bytes:
        return Finding(name, "odd", found, Text(N_("Free space or enlarge the volume soon.")))
    return Finding(name, "good", found)


def _attachments(home: Path, config: Config) -> Finding:
    from node.attachments.files import Files

    used, quota = Files(home).used(), config.attachments.quota_bytes
    name, found = Text(N_("attachments")), Text(N_("{used} of {quota}"), used=size(used), quota=size(quota))
    if used < ATTACHMENTS_NEARLY_FULL * quota:
        return Finding(name, "good", found)
    todo = Text(N_("Raise `quota_bytes` in node.toml under [attachments], or remove what is not needed any more."))
    return Finding(name, "odd", found, todo)


def _declarations(session: Session, config: Config) -> Iterator[Finding]:
    """The files that [data] of node.toml names: whether they are there, and sound."""
    named = [*config.data.catalogue, *config.data.mappings]
    missing = [file for file in named if not (session.home / file).is_file()]
    for file in missing:
        todo = Text(N_("Put the file there, or take its name out of [data] in node.toml."))
        found = Text(N_("named in node.toml, and not there: {path}"), path=session.home / file)
        yield Finding(Text(N_("file {file}"), file=file), "bad", found, todo)
    if set(missing) & set(config.data.catalogue):
        return
    name = Text(N_("catalogue"))
    try:
        found = Text(N_("{count} datasets"), count=len(session.catalogue.datasets))
    except (UserFault, CatalogueFault) as error:
        fault = translated(error)
        assert fault is not None
        yield Finding(name, "bad", fault.message, fault.next_step)
    else:
        yield _only_added(session, config) or Finding(name, "good", found)


def _only_added(session: Session, config: Config) -> Finding | None:
    """Whether the next start would refuse these datasets, because they did more than add to what the store has."""
    from node.commands.stopped import reader_of
    from node.kept import refusal
    from node.store.faults import StoreFault

    try:
        reader = reader_of(session.home, session.catalogue)
    except StoreFault:
        return None  # said by fsck; here only the declarations are looked at
    try:
        fault = refusal(reader, session.catalogue)
        return None if fault is None else Finding(Text(N_("catalogue")), "bad", fault.message, fault.next_step)
    except StoreFault:
        return None
    finally:
        reader.close()


def _certificates(session: Session, config: Config) -> Iterator[Finding]:
    from node.clock import SystemClock
    from node.identity import load_identity

    now = SystemClock().now_us()
    name = Text(N_("keys and certificates"))
    try:
        identity = load_identity(session.home, config, now)
    except UserFault as fault:
        yield Finding(name, "bad", fault.message, fault.next_step)
        return
    yield Finding(
        name, "good", Text(N_("belong together; fingerprint {fingerprint}"), fingerprint=identity.fingerprint)
    )
    invite = Text(
        N_(
            "`tiersync renew` says why the node has not renewed it. Once it has run out: ask the parent's "
            "administrator for an invite made with --again, and join again."
        )
    )
    yield expiry(Text(N_("certificate")), identity.own.not_after, now, session.zone, invite)


def expiry(name: Text, not_after: int, now: int, zone: str, todo: Text) -> Finding:
    """How long a certificate is good for, and what to do where that is not long."""
    days = (not_after - now) // DAY_US
    found = Text(N_("until {until} ({days} days)"), until=moment(not_after, zone), days=days)
    if days < 0:
        return Finding(name, "bad", found, todo)
    if days < RENEW_DAYS:
        return Finding(name, "odd", found, todo)
    return Finding(name, "good", found)


def _addresses(config: Config) -> Iterator[Finding]:
    """Whether the parent can be dialled, and whether what this node listens on answers or is free."""
    if config.parent is not None:
        yield _dial(Text(N_("parent {address}"), address=config.parent.address), config.parent.address)
    for name, target in config.webhooks.items():
        yield _dial(Text(N_("webhook {name}"), name=name), _place(target.url))
    for name, way in config.notify.items():
        from node.notify.sending import url_of

        yield _dial(Text(N_("notices {name}"), name=name), way.server or _place(url_of(way)))
    if config.http.listen:
        yield _listening(Text(N_("HTTP address {address}"), address=config.http.listen), config.http.listen)
    for sort in ("exchange", "enrolment"):
        address = getattr(config.listen, sort)
        if address:
            yield _listening(Text(N_("{sort} address {address}"), sort=sort, address=address), address)
    if config.http.listen:
        yield _pages(config.http)


def _place(url: str) -> str:
    """Host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.netloc}" if parts.port else f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"


def _pages(settings: HttpSection) -> Finding:
    """Where the pages and the API are, and whether they answer or could."""
    from node.settings import pages_at, split_address

    at = pages_at(settings, split_address(settings.listen)[1])
    return _listening(Text(N_("API and pages {address}"), address=at), settings.listen)


def _dial(name: Text, address: str) -> Finding:
    from node.settings import split_address

    try:
        with socket.create_connection(split_address(address), DIAL_S):
            return Finding(name, "good", Text(N_("answers")))
    except OSError as error:
        todo = Text(N_("Check the address in node.toml, the line, and the firewall on both sides."))
        return Finding(name, "odd", Text(N_("does not answer ({detail})"), detail=error.strerror or error), todo)


def _listening(name: Text, address: str) -> Finding:
    """Free, or taken by whoever answers: by this node, if it runs."""
    from node.settings import split_address

    host, port = split_address(address)
    try:
        family, kind, proto, _canonical, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            return Finding(name, "good", Text(N_("free: the node is not running here")))
    except OSError as error:
        return _taken(name, address, error)


def _taken(name: Text, address: str, error: OSError) -> Finding:
    import errno

    if error.errno == errno.EADDRINUSE:
        return Finding(name, "good", Text(N_("in use, by this node if it runs")))
    todo = Text(N_("Choose an address of this machine in node.toml, under [listen] or [http]."))
    return Finding(name, "bad", Text(N_("cannot be used ({detail})"), detail=error.strerror or error), todo)
