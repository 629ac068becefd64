"""The program: global options, every group of commands, and the last line before the user."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from node.cli import groups
from node.cli.help import Root, hoisted
from node.cli.session import Session
from node.faults import Code, Manner, UserFault, guarded
from node.texts import LANGUAGES, N_, _, use, use_environment
from node.version import VERSION


def main() -> None:
    """The console script `tiersync`; node/__main__.py holds SIGINT back for as long as nobody could answer it."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; its exit code. Whatever happens ends in words for the user."""
    manner = Manner(as_json="--json" in hoisted_front(arguments), debug="--debug" in hoisted_front(arguments))
    _choose_language(arguments)
    return guarded(lambda: _run(list(arguments), manner), manner)


def hoisted_front(arguments: Sequence[str]) -> list[str]:
    """The arguments before a `--`: where global options may stand."""
    found = hoisted(arguments)
    return found[: found.index("--")] if "--" in found else found


def _choose_language(arguments: Sequence[str]) -> None:
    """Before anything is said, help pages too. A language that does not exist is refused later, in the usual way."""
    use_environment(os.environ)
    front = hoisted_front(arguments)
    for place, argument in enumerate(front):
        name, _equals, value = argument.partition("=")
        said = value if _equals else (front[place + 1] if place + 1 < len(front) else "")
        if name == "--lang" and said in LANGUAGES:
            use(said)


def _run(arguments: list[str], manner: Manner) -> int:
    """As typer's own `main` would, but for Ctrl-C and a closed pipe: those it would end without a word."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    command = typer.main.get_command(build())
    try:
        with command.make_context("tiersync", arguments, obj=Session(manner)) as context:
            code = command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        return _misused(error)
    return code if isinstance(code, int) else 0


def build() -> typer.Typer:
    """The whole program in the language of this moment."""
    app = typer.Typer(
        cls=Root,
        name="tiersync",
        help=_("Three-tier sync node of the urban operation management and service platforms."),
        add_completion=False,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
    )
    app.callback()(_globals)
    for verbs in groups.ALL:
        verbs.add_to(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tiersync {VERSION}")
        raise typer.Exit


def _globals(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help=_("The node's folder. Else TIERSYNC_HOME, or the current folder if it is a node's.")
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help=_("Answer in JSON on stdout; everything else goes to stderr."))
    ] = False,
    lang: Annotated[
        str,
        typer.Option(metavar="zh|en", help=_("Language. Else TIERSYNC_LANG or the locale; Chinese if none is set.")),
    ] = "",
    debug: Annotated[bool, typer.Option("--debug", help=_("Show Python tracebacks instead of words."))] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help=_("Show the version and exit."))
    ] = False,
) -> None:
    if lang and lang not in LANGUAGES:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is not one of: {words}"),
            N_("Give --lang zh or --lang en."),
            value=lang,
            words=", ".join(LANGUAGES),
        )
    session: Session = context.obj
    session.home_given = home
    session.manner.as_json = as_json
    session.manner.debug = debug


def _misused(error: Any) -> int:
    """A command line that the parser does not take, in numbered words; or a help page that was not asked for."""
    kind, context = type(error).__name__, getattr(error, "ctx", None)
    if kind == "NoArgsIsHelpError":
        typer.echo(error.format_message().rstrip())
        return 0
    path = context.command_path if context is not None else "tiersync"
    parameter = getattr(error, "param", None)
    name = _name_of(parameter) if parameter is not None else ""
    match kind:
        case "MissingParameter":
            what = N_("'{name}' is missing.")
        case "NoSuchOption":
            what, name = N_("There is no option '{name}'."), str(error.option_name)
        case "BadParameter":
            what = N_("'{name}' cannot be taken: {detail}") if name else "{detail}"
        case _:
            what = N_("The command line cannot be read: {detail}")
    todo = N_("`{path} --help` shows how this command is written.")
    raise UserFault(Code.BAD_ARGUMENT, what, todo, name=name, detail=error.message, path=path) from error


def _name_of(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper())
