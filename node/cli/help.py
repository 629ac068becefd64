"""Help pages in the user's language, and global options that may stand anywhere on the command line.

typer's own pages are English only, and its parser wants global options before the command; people write them last.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from node.faults import Code, UserFault
from node.texts import N_, _

WIDTH_MAX = 110
FLAGS = frozenset({"--json", "--debug"})
WITH_VALUE = frozenset({"--home", "--lang"})


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The same arguments with the global options in front; nothing behind `--` is touched."""
    front, rest = split(arguments)
    return [*front, *rest]


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(global options, the rest)."""
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            return front, [*rest, argument, *waiting]
        if argument in FLAGS or ("=" in argument and argument.partition("=")[0] in WITH_VALUE):
            front.append(argument)
        elif argument in WITH_VALUE:
            front += [argument, *(value for value in [next(waiting, None)] if value is not None)]
        else:
            rest.append(argument)
    return front, rest


class Command(TyperCommand):
    """A command whose help page is ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the page."""
        formatter.write(_page(self, ctx))


class Group(TyperGroup):
    """A group of commands whose help page is ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the page."""
        formatter.write(_page(self, ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is named. Raises UserFault BAD_ARGUMENT with the nearest name there is."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise _unknown(args[0], ctx.command_path, list(self.commands))
        return super().resolve_command(ctx, args)


class Root(Group):
    """The program itself."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Global options may stand anywhere. Raises UserFault BAD_ARGUMENT for one that lacks its value."""
        if args and args[-1] in WITH_VALUE:
            raise UserFault(
                Code.BAD_ARGUMENT,
                N_("The option '{name}' needs a value."),
                N_("`{path} --help` shows how this command is written."),
                name=args[-1],
                path=ctx.command_path,
            )
        front, rest = split(args)
        return super().parse_args(ctx, [*front, *(rest or ["--help"])])


def _unknown(name: str, path: str, known: list[str]) -> UserFault:
    near = difflib.get_close_matches(name, known, n=1)
    todo = N_("`{path} --help` lists the commands.")
    if near:
        todo = N_("Did you mean `{path} {near}`? `{path} --help` lists the commands.")
    message = N_("There is no command '{name}'.")
    return UserFault(Code.BAD_ARGUMENT, message, todo, name=name, path=path, near=near[0] if near else "")


def _page(command: Any, context: typer.Context) -> str:
    """The whole page as text, wrapped with the width of Chinese characters in mind."""
    import shutil

    from rich.console import Console
    from rich.padding import Padding

    width = min(WIDTH_MAX, shutil.get_terminal_size().columns)
    out = io.StringIO()
    page = Console(file=out, width=width, markup=False, highlight=False, emoji=False)
    page.print(_("Usage: {usage}").format(usage=" ".join(usage(command, context))) + "\n")
    if command.help:
        page.print(Padding(command.help, (0, 0, 1, 2)))
    for title, rows in sections(command, context):
        page.print(f"{title}:")
        page.print(Padding(_grid(rows), (0, 0, 1, 2)))
    if context.parent is not None:
        page.print(_("Everywhere: --home FOLDER, --json, --lang zh|en (see `tiersync --help`)."))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def usage(command: Any, context: typer.Context) -> Iterator[str]:
    """The words of the line that shows how a command is written."""
    yield context.command_path
    yield _("[OPTIONS]")
    if getattr(command, "commands", {}):
        yield _("COMMAND ...")
    for parameter in command.get_params(context):
        if parameter.param_type_name == "argument":
            yield _argument_name(parameter) + (" ..." if parameter.nargs == -1 else "")


def _grid(rows: Sequence[tuple[str, str]]) -> Any:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for names, about in rows:
        grid.add_row(names, about)
    return grid


def sections(command: Any, context: typer.Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(title, lines) of arguments, options and commands, where there are any."""
    parameters = [p for p in command.get_params(context) if not getattr(p, "hidden", False)]
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    options = [p for p in parameters if p.param_type_name == "option"]
    commands = getattr(command, "commands", {})
    if arguments:
        yield _("Arguments"), [(_argument_name(p), _about(p)) for p in arguments]
    if options:
        yield _("Options"), [(_option_names(p, context), _about(p)) for p in options]
    if commands:
        yield _("Commands"), [(name, (c.help or "").partition("\n")[0]) for name, c in commands.items()]


def _argument_name(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required else f"[{name}]"


def _option_names(parameter: Any, context: typer.Context) -> str:
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    if parameter.is_flag:
        return names
    return f"{names} {parameter.metavar or parameter.make_metavar(context)}"


def _about(parameter: Any) -> str:
    about = str(parameter.help or "")
    if parameter.name == "help":
        return _("Show this page and exit.")
    extras = []
    default = parameter.default
    if parameter.required:
        extras.append(_("required"))
    elif default not in (None, "", False, True, []) and not callable(default):
        extras.append(_("default: {value}").format(value=default))
    return f"{about} [{'; '.join(extras)}]" if extras else about
