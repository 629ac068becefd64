"""From trial to live: what belongs to the trial is put aside, what an administrator has set up is kept.

A live federation means another name, another root and other keys, so the node is enrolled anew. Its home becomes empty
but for

    archive/trial-NAME-DATE/   the whole home as it was: settings, keys, store, log, audit. Nothing is deleted; it can
                               be looked at with --home as any other
    kept/                      node.toml, the files in the home that it names, and the folders that an administrator
                               fills (sources, webhooks, notify); founding takes them over

The marker names the archive; while it is there the same command goes on. What is moved is moved once, node.toml last.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from node.audit import FOLDER as AUDIT_FOLDER
from node.audit import AuditLog, Event
from node.clock import Clock, iso
from node.config import CONFIG_NAME, NOTIFY, WEBHOOKS, Config, load_file
from node.enrol.home import ARCHIVE, KEPT, Begun, drop_marker, locked_home, read_marker, write_marker
from node.faults import Code, UserFault
from node.sources.declared import SOURCES_FOLDER
from node.store.home import LOCK_FILE, write_durably
from node.texts import N_
from node.trial import is_trial

_FOLDERS: Final = (SOURCES_FOLDER, WEBHOOKS, NOTIFY)
_STAYS: Final = frozenset({ARCHIVE, KEPT, LOCK_FILE, "lost+found", Begun.GOING_LIVE.value})


class Plan(NamedTuple):
    """What would be done. Names are relative to the home. named: kept files that say the trial's name somewhere."""

    node: str
    federation: str
    archive: str
    kept: tuple[str, ...]
    put_aside: tuple[str, ...]
    named: tuple[str, ...]


def plan(home: Path, clock: Clock) -> Plan:
    """Raises UserFault BAD_ARGUMENT for a home that is no trial's, or as load_file."""
    begun = read_marker(home, Begun.GOING_LIVE)
    archive = str(begun.get("archive", ""))
    whole = home / CONFIG_NAME
    config = load_file(whole if whole.exists() or not archive else home / KEPT / CONFIG_NAME)
    federation = config.node.federation
    if not is_trial(federation):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("{node} is no node of a trial: its federation is '{federation}'."),
            N_("Nothing is to be done: only a federation whose name ends in -trial is a trial."),
            node=config.node.node_id,
            federation=federation,
        )
    stamp = iso(clock.now_us())[:19].replace("-", "").replace(":", "")
    kept = tuple(_kept(home, config))
    named = tuple(name for name in kept if name != CONFIG_NAME and federation in _text(home, name))
    moved = tuple(sorted(p.name for p in home.iterdir() if p.name not in _STAYS))
    return Plan(config.node.node_id, federation, archive or f"{ARCHIVE}/trial-{federation}-{stamp}", kept, moved, named)


def _kept(home: Path, config: Config) -> Iterator[str]:
    """node.toml and the files that it names, as far as they lie in the home; and those of the folders that stay."""
    yield CONFIG_NAME
    named = [*config.data.catalogue, *config.data.mappings, config.http.certificate, config.http.key]
    named += [target.trust for target in config.webhooks.values()]
    named += [path for target in config.notify.values() for path in (target.template, target.trust)]
    for name in dict.fromkeys(named):
        path = home / name
        inside = name and path.resolve().is_relative_to(home.resolve())
        if inside and (path.is_file() or (home / KEPT / name).is_file()):
            yield str(path.resolve().relative_to(home.resolve()))
    found = (path for base in (home, home / KEPT) for folder in _FOLDERS for path in (base / folder).glob("*"))
    files = (path for path in found if path.is_file())
    yield from sorted({str(Path(path.parent.name, path.name)) for path in files})


def _text(home: Path, name: str) -> str:
    path = home / name
    return (path if path.is_file() else home / KEPT / name).read_text("utf-8", "replace")


def put_aside(home: Path, clock: Clock) -> Plan:
    """Does it, in a stopped node. Given again after a crash it goes on.

    Raises UserFault, HomeFault, LocalFault, OSError.
    """
    with locked_home(home, clock):
        wanted = plan(home, clock)
        if (home / CONFIG_NAME).exists() and not (home / Begun.GOING_LIVE.value).exists():
            AuditLog(home / AUDIT_FOLDER, clock).append(Event.TRIAL_ENDED, node=wanted.node, archive=wanted.archive)
            write_marker(home, Begun.GOING_LIVE, {"archive": wanted.archive})
        for name in wanted.kept:
            _keep(home, name)
        archive = home / wanted.archive
        archive.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / ARCHIVE).chmod(0o700)
        for name in sorted(wanted.put_aside, key=lambda name: name == CONFIG_NAME):
            (home / name).rename(archive / name)
        for folder in (archive, home / ARCHIVE):
            _sync(folder)
        drop_marker(home, Begun.GOING_LIVE)
        return wanted


def _keep(home: Path, name: str) -> None:
    source, target = home / name, home / KEPT / name
    if source.is_file():
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(target, source.read_bytes())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- at the founding of what comes after -----------------------------------------------------------------------------


def with_kept(home: Path, config: Config) -> Config:
    """A new node's configuration with the settings that were kept from its trial; addresses given now hold."""
    path = home / KEPT / CONFIG_NAME
    if not path.is_file():
        return config
    old = load_file(path)
    listen = config.listen if config.listen != type(config.listen)() else old.listen
    return replace(old, node=config.node, parent=config.parent, listen=listen)


def put_back(home: Path) -> None:
    """The files that were kept go to their places, before node.toml names them. Raises HomeFault, OSError."""
    kept = home / KEPT
    for source in sorted(kept.rglob("*")) if kept.is_dir() else ():
        name = source.relative_to(kept)
        if source.is_file() and str(name) != CONFIG_NAME and not (home / name).exists():
            (home / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(home / name, source.read_bytes())


def drop_kept(home: Path) -> None:
    """The home is whole: what was kept stands in it."""
    shutil.rmtree(home / KEPT, ignore_errors=True)
