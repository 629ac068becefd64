"""Commands as declarations: name, words in both languages, function. The parser is built from them per call.

Texts stand in declarations as message ids and are translated when the program is built, after the language is known;
so one process can build it in both languages (tests do). Parameters are typer's: `Annotated[str, typer.Option(...)]`,
whose annotations typer evaluates when it builds a command, so `_()` inside them is late enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import typer

from node.cli.help import Command, Group
from node.texts import _

F = TypeVar("F", bound=Callable[..., Any])


class Verb(NamedTuple):
    """One command. `about` is an English message id."""

    name: str
    about: str
    function: Callable[..., Any]


class Verbs:
    """Commands in order; with a name, a group of their own below it."""

    def __init__(self, name: str = "", about: str = "") -> None:
        self.name = name
        self.about = about
        self.verbs: list[Verb] = []

    def verb(self, about: str, name: str = "") -> Callable[[F], F]:
        """Declares a command; its name is the function's unless it is given."""

        def declare(function: F) -> F:
            self.verbs.append(Verb(name or function.__name__.strip("_"), about, function))
            return function

        return declare

    def add_to(self, app: typer.Typer) -> None:
        """Builds the commands in the language of this moment."""
        target = app
        if self.name:
            target = typer.Typer(cls=Group, help=_(self.about), no_args_is_help=True)
            app.add_typer(target, name=self.name)
        for verb in self.verbs:
            target.command(verb.name, cls=Command, help=_(verb.about))(verb.function)
