"""What every command knows of its call: the home, how to speak, whether in JSON."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from node.cli.output import remark
from node.faults import Code, Manner, UserFault
from node.texts import N_, _
from node.trial import is_trial

if TYPE_CHECKING:
    from node.config import Config
    from tiers.catalogue import Catalogue

HOME_VARIABLE = "TIERSYNC_HOME"
CONFIG_FILE = "node.toml"
_FEDERATION = re.compile(r'^\s*federation\s*=\s*"([^"]*)"', re.MULTILINE)


@dataclass
class Session:
    """One call of the program. `manner` is read when something goes wrong."""

    manner: Manner = field(default_factory=Manner)
    home_given: Path | None = None
    _told: bool = False

    @property
    def as_json(self) -> bool:
        """Whether stdout is JSON and nothing else."""
        return self.manner.as_json

    @property
    def home(self) -> Path:
        """The home of a node: as given, as the environment says, or the current folder if it is one.

        Raises UserFault HOME_MISSING.
        """
        found = self.new_home
        if not found.is_dir():
            raise UserFault(
                Code.HOME_MISSING,
                N_("There is no folder {home}."),
                N_("Give the node's folder with --home or TIERSYNC_HOME."),
                home=found,
            )
        self.manner.log_folder = found / "logs"
        return found

    @property
    def new_home(self) -> Path:
        """The same for a home that may not be there yet."""
        said = os.environ.get(HOME_VARIABLE, "")
        if self.home_given is not None:
            return self.home_given.absolute()
        if said:
            return Path(said).absolute()
        if Path(CONFIG_FILE).is_file():
            return Path.cwd()
        raise UserFault(
            Code.HOME_MISSING,
            N_("No node was named: there is neither --home nor TIERSYNC_HOME, and this folder is no node's home."),
            N_("Give the node's folder with --home or TIERSYNC_HOME."),
        )

    @property
    def is_named(self) -> bool:
        """Whether a node's home was named in any way."""
        return self.home_given is not None or bool(os.environ.get(HOME_VARIABLE)) or Path(CONFIG_FILE).is_file()

    @cached_property
    def config(self) -> Config:
        """The home's configuration. Raises UserFault; of a home that is half made, what is left to do."""
        from node.config import load_file

        path = self.home / CONFIG_FILE
        if not path.exists():
            from node.enrol.home import check_finished

            check_finished(self.home)
        return load_file(path)

    @property
    def is_trial(self) -> bool:
        """Whether the home is of a trial federation. Raises as `config`."""
        return is_trial(self.config.node.federation)

    def tell_trial(self) -> None:
        """Before anything else is said of a node of a trial, that it is one. Without reading more than need be: many
        commands need nothing of the configuration."""
        if self._told or not self.is_named:
            return
        self._told = True
        try:
            said = _FEDERATION.search((self.new_home / CONFIG_FILE).read_text("utf-8", "replace"))
        except OSError:
            return
        if said is not None and is_trial(said[1]):
            remark(_("TRIAL federation '{name}': nothing of it counts.").format(name=said[1]))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The home's catalogue. Raises CatalogueFault, UserFault."""
        from node.app import read_catalogue

        return read_catalogue(self.home, self.config)

    @cached_property
    def zone(self) -> str:
        """Time zone of displays."""
        try:
            return self.config.run.time_zone
        except UserFault:
            return "Asia/Shanghai"


def here(context: typer.Context) -> Session:
    """The session of a command."""
    session = context.obj
    assert isinstance(session, Session)
    session.tell_trial()
    return session
