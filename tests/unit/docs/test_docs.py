"""What the documents say is there: links, commands, dependencies, decisions, alarms."""

from __future__ import annotations

import ast
import io
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po

from node.texts import translator
from node.texts.alarms import ALARMS
from sync.reasons import Reason

ROOT = Path(__file__).resolve().parents[3]
_TWINS = (
    ("README.md", "README.zh-CN.md"),
    ("docs/operations.md", "docs/operations.zh-CN.md"),
    ("docs/datasets.md", "docs/datasets.zh-CN.md"),
    ("docs/api.md", "docs/api.zh-CN.md"),
    ("docs/pages.md", "docs/pages.zh-CN.md"),
)
_FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_TOLD = re.compile(r"[`'](tiersync (?=[a-z-])[^`']*)[`']")
_CHINESE = "node/texts/locale/zh_CN/LC_MESSAGES/tiersync.po"
_PROGRAM = re.compile(r"^\s*(tiersync (?=[a-z-]).*)")

# In pieces, so that this file does not hold what it looks for.
_FOREIGN = tuple(
    "".join(parts)
    for parts in (
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/op", "t/py"),
        ("/tm", "p/"),
        ("py", "pi.org"),
        ("pythonhos", "ted.org"),
        ("index", "-url"),
        ("proxy.go", "lang"),
        ("mirr", "ors."),
    )
)


def _documents() -> list[Path]:
    """Every Markdown file of the project."""
    found = [ROOT / name for name in ("README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    for folder in ("docs", "node", "bench", "proto", "tests"):
        found += sorted((ROOT / folder).rglob("*.md"))
    return found


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def _anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as the common renderers make them."""
    titles = [title for _, title in _HEADING.findall(_without_fences(text))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _commands(text: str) -> Iterator[str]:
    """What is written as code and speaks of the program: whole lines of fences, and spans."""
    for block in _FENCE.findall(text):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if "tiersync " in line)
    yield from (span for span in _SPAN.findall(_without_fences(text)) if "tiersync " in span)


@pytest.mark.parametrize("path", _documents(), ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link names a file of the project, and its anchor a heading there."""
    text = path.read_text("utf-8")
    broken = []
    for target in _LINK.findall(_SPAN.sub("", _without_fences(text))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or (
            anchor and there.suffix == ".md" and anchor not in _anchors(there.read_text("utf-8"))
        ):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize(("english", "chinese"), _TWINS)
def test_both_languages_say_the_same(english: str, chinese: str) -> None:
    """A page and its Chinese twin have the same headings, tables and commands, in the same order."""
    one, other = _read(english), _read(chinese)
    assert [level for level, _ in _HEADING.findall(_without_fences(one))] == [
        level for level, _ in _HEADING.findall(_without_fences(other))
    ]
    assert _rows(one) == _rows(other), "tables differ in length"
    assert [_spoken(c) for c in _in_fences(one)] == [_spoken(c) for c in _in_fences(other)]


def _rows(text: str) -> list[int]:
    """Length of each table, in order."""
    return [len(t.strip().splitlines()) for t in re.findall(r"(?:^\|.*\n)+", _without_fences(text), re.MULTILINE)]


def _in_fences(text: str) -> list[str]:
    lines = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    return [line for line in lines if re.match(r"(make|tiersync|sudo|systemctl|python\d?) ", line)]


def _spoken(line: str) -> str:
    """The command without what is explained behind it, and without words in quotes, which are translated."""
    return re.sub(r'"[^"]*"', '""', re.split(r" {2,}", line.strip())[0])


# --- the command line -------------------------------------------------------------------------------------------------


def _program() -> Any:
    """The command line as a tree of commands."""
    from typer.main import get_command

    from node.cli.main import build

    return get_command(build())


def test_commands_in_the_documents_exist() -> None:
    """Each `tiersync VERB` that a document shows is a verb of the program, and so are its options."""
    program = _program()
    wrong = []
    for path in _documents():
        spoken = [s for line in _commands(path.read_text("utf-8")) for s in _PROGRAM.findall(line)]
        wrong += [f"{_name(path)}: {line}: {what}" for line in spoken for what in _unknown(program, line)]
    assert not wrong


def test_commands_in_the_texts_exist() -> None:
    """What a message, a setting's comment or a docstring tells to run can be run today, in both languages."""
    program = _program()
    said = [(_name(path), text) for path in _sources() for text in _strings(path)]
    said += [("Chinese", str(message.string)) for message in read_po(io.StringIO(_read(_CHINESE)))]
    told = [(where, line) for where, text in said for line in _TOLD.findall(text)]
    assert len(told) > 100, "the pattern finds the texts"
    assert [f"{where}: {line}" for where, line in told if not _is_whole(program, line)] == []


def _sources() -> list[Path]:
    return [path for folder in ("node", "sync", "tiers", "certs") for path in sorted((ROOT / folder).rglob("*.py"))]


def _strings(path: Path) -> Iterator[str]:
    """Every text in a source file, those of docstrings and the parts of f-strings too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _is_whole(program: Any, line: str) -> bool:
    """Whether a command line names a verb to its end, of options that it has; or asks for help or the version."""
    words = [w for w in shlex.split(line) if w != "…"]
    global_only = len(words) == 2 and words[1] in ("--help", "--version")
    return global_only or (not _unknown(program, line) and _ends_in_a_verb(program, words[1:]))


def _ends_in_a_verb(program: Any, words: list[str]) -> bool:
    named = program
    for word in words:
        named = getattr(named, "commands", {}).get(word, named)
    return not hasattr(named, "commands")


def _unknown(program: Any, line: str) -> list[str]:
    """Words of a command line that the program does not know: its verbs, then its options."""
    words = shlex.split(re.split(r" {2,}", line)[0], comments=True)[1:]
    node, known = program, _options(program)
    while words and hasattr(node, "commands"):
        word = words.pop(0)
        if word in ("--home", "--lang"):
            words.pop(0)
        elif word in node.commands:
            node = node.commands[word]
            known |= _options(node)
        elif not word.startswith("-"):
            return [word]
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


def _options(command: Any) -> set[str]:
    found = {"--help"}
    for parameter in command.params:
        found.update(parameter.opts, parameter.secondary_opts)
    return found


# --- what must be named -----------------------------------------------------------------------------------------------


def test_every_dependency_is_explained() -> None:
    """Each package that pyproject.toml names has a line in docs/dependencies.md, and no line is left over."""
    project = tomllib.loads(_read("pyproject.toml"))
    extras = [text for texts in project["project"]["optional-dependencies"].values() for text in texts]
    wanted = [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]]
    names = {re.split(r"[^A-Za-z0-9_.-]", text)[0] for text in wanted}
    explained = set(re.findall(r"^\| `([A-Za-z0-9_.-]+)`", _read("docs/dependencies.md"), re.MULTILINE))
    assert explained == names


def test_every_decision_is_listed() -> None:
    """Each page of docs/adr stands in its index."""
    pages = {p.name for p in (ROOT / "docs" / "adr").glob("*.md")} - {"README.md"}
    assert pages == set(_LINK.findall(_read("docs/adr/README.md")))


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/operations.zh-CN.md"])
def test_every_alarm_is_explained(page: str) -> None:
    """An alarm that the code can raise has a row in the table of alarms, and the table names no other."""
    code = "\n".join(p.read_text("utf-8") for folder in ("sync", "node") for p in (ROOT / folder).rglob("*.py"))
    raised = set(re.findall(r"""(?:\.alarm|\.alarm_once|\bAlarm)\(\s*"([a-z_]+)\"""", code))
    assert raised == set(re.findall(r"^\| `([a-z_]+)` \|", _section(_read(page), 8), re.MULTILINE))


def _section(text: str, number: int) -> str:
    """The text under the heading of the second level that begins with this number."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def test_every_reason_is_on_the_wire_page() -> None:
    """docs/wire.md names each reason code, so that another team's node can tell them apart."""
    page = _read("docs/wire.md")
    assert [reason.name for reason in Reason if reason and reason.name not in page] == []


def test_nothing_of_the_workplace_is_in_the_project() -> None:
    """No path of the machine it was written on, no address of a package registry."""
    files = [*_documents(), ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "requirements.txt"]
    for folder in ("docs", "node", "sync", "tiers", "certs", "bench", "proto", "tests"):
        files += [p for p in (ROOT / folder).rglob("*") if p.suffix in (".py", ".toml", ".json", ".service", ".proto")]
    found = [f"{_name(path)}: {text}" for path in set(files) for text in _FOREIGN if text in path.read_text("utf-8")]
    assert not sorted(found)


@pytest.mark.parametrize(("name", "language"), [("docs/operations.md", "en"), ("docs/operations.zh-CN.md", "zh")])
def test_the_pages_say_of_an_alarm_what_the_table_of_alarms_says(name: str, language: Any) -> None:
    """Word for word, in both languages."""
    to, section = translator(language), _read(name).partition("\n## 8. ")[2].partition("\n## 9. ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*) \| (.*) \|$", section, re.MULTILINE)
    told = {alarm: (_plain(means), _plain(todo)) for alarm, means, todo in rows}
    said = {alarm: (_plain(to(words.means)), _plain(to(words.todo))) for alarm, words in ALARMS.items()}
    assert {alarm: told.get(alarm) for alarm in said} == said


def _plain(cell: str) -> str:
    """A cell of a table begins small and ends without a stop."""
    text = cell.strip().rstrip(".。")
    return text[:1].lower() + text[1:]
