"""Writes docs/cli.md and docs/cli.zh-CN.md from the program itself; a test compares them.

What stands before the commands is written in this file; the rest is what `--help` says, in both languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from node.cli.help import sections, usage
from node.cli.main import build
from node.faults import Code, Exit
from node.texts import Language, use

ROOT = Path(__file__).resolve().parents[2]
PAGES: dict[Language, Path] = {"en": ROOT / "docs" / "cli.md", "zh": ROOT / "docs" / "cli.zh-CN.md"}

HEAD: dict[Language, str] = {
    "en": """# The command line

[中文](cli.zh-CN.md)

This page is made from the program (`python tests/tools/clidocs.py`). How the commands are used in daily work:
[operations.md](operations.md).

## How commands behave

- Global options may stand anywhere: `--home FOLDER` (or `TIERSYNC_HOME`, or run inside a node's folder), `--json`,
  `--lang zh|en`.
- With `--json`, stdout holds one JSON document and nothing else, errors too:
  `{"error": {"code", "name", "message", "next"}}`.
  `status --follow --json` writes one document a line. Progress, remarks and pictures go to stderr.
- While the node runs, commands talk to it over the control socket in its home. While it is stopped, what only reads
  opens the store read-only; what writes ends with E1101.
- Times are shown in the time zone of `node.toml`; in JSON they are UTC (`..Z`), and microseconds since 1970 where the
  name ends in `_us` or the value is a cell of type timestamp.
- A load is known by its number (`tiersync loads list`). Rejected lines of a file that was loaded twice are listed
  once, with its newest load.
- `unload` voids only rows that the load made and nobody has changed since; what it leaves alone, it counts. Rows that
  were there before the load keep what the load wrote into them.

## Exit codes

| code | meaning |
| --- | --- |
""",
    "zh": """# 命令行

[English](cli.md)

本页由程序生成（`python tests/tools/clidocs.py`）。日常使用方法见[运维手册](operations.zh-CN.md)。

## 命令的通用规则

- 通用选项可写在任意位置：`--home FOLDER`（或 `TIERSYNC_HOME`，或在节点目录中执行）、`--json`、`--lang zh|en`。
- 使用 `--json` 时，标准输出只有一个 JSON 文档，出错时也是：`{"error": {"code", "name", "message", "next"}}`。
  `status --follow --json` 每行一个文档。进度、提示和画面输出到标准错误。
- 节点运行时，命令通过其目录中的控制套接字与它通信。节点停止时，只读命令以只读方式打开存储；写入命令以 E1101 结束。
- 时间按 `node.toml` 的时区显示；JSON 中为 UTC（`..Z`）；
  名称以 `_us` 结尾或类型为 timestamp 的值为 1970 年以来的微秒数。
- 每次加载都有编号（`tiersync loads list`）。同一文件加载两次，被拒收的行只列一次，归在最近一次加载之下。
- `unload` 只作废由该次加载新增且此后无人改动的记录，并统计保留了哪些。加载之前已有的记录保持加载后的内容。

## 退出码

| 退出码 | 含义 |
| --- | --- |
""",
}
EXITS: dict[Exit, tuple[str, str]] = {
    Exit.OK: ("done", "完成"),
    Exit.FAILED: ("a check or the demonstration failed, or the system refused", "检查或演示未通过，或系统拒绝"),
    Exit.USAGE: ("the command line cannot be read", "命令行写法有误"),
    Exit.INPUT: (
        "a file, row or value is not acceptable; some rows were rejected",
        "文件、记录或取值不可接受；有记录被拒收",
    ),
    Exit.STATE: ("not possible in this state, for example the node is not running", "当前状态下不可行，例如节点未运行"),
    Exit.REMOTE: ("the other node refused or does not answer", "对方节点拒绝或无应答"),
    Exit.CUSTODY: ("keys, certificates or permissions", "密钥、证书或权限问题"),
    Exit.DAMAGE: ("damage was found", "发现损坏"),
    Exit.INCOMPLETE: (
        "evidence that was checked is genuine, and does not prove everything",
        "所核验的证据真实，但并未证明全部",
    ),
    Exit.BUG: ("a fault of the program", "程序自身故障"),
    Exit.INTERRUPTED: ("stopped by the user", "被用户中止"),
    Exit.PIPE: ("nobody reads the output any more", "输出不再有人读取"),
}
WORDS: dict[Language, tuple[str, ...]] = {
    "en": ("## Error numbers", "| number | name | exit code |", "## Commands"),
    "zh": ("## 错误编号", "| 编号 | 名称 | 退出码 |", "## 命令"),
}


def page(language: Language) -> str:
    """The whole page in one language."""
    use(language)
    at = 0 if language == "en" else 1
    numbers, heads, commands = WORDS[language]
    lines = [HEAD[language].rstrip("\n")]
    lines += [f"| {int(code)} | {EXITS[code][at]} |" for code in Exit]
    lines += ["", numbers, "", heads, "| --- | --- | --- |"]
    lines += [f"| {code} | {code.name} | {int(code.exit_code)} |" for code in Code]
    lines += ["", commands]
    for path, command, context in _commands():
        lines += ["", f"### {path}", "", str(command.help)]
        if hasattr(command, "commands"):
            continue
        lines += ["", "```", " ".join(usage(command, context)), "```"]
        for title, rows in sections(command, context):
            shown = [(names, about) for names, about in rows if names != "--help"]
            if shown:
                lines += ["", f"| {title} | |", "| --- | --- |"]
                lines += [f"| `{_cell(names)}` | {_cell(about)} |" for names, about in shown]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _commands() -> Iterator[tuple[str, Any, Any]]:
    """(path, command, context) of every command and group."""
    root = get_command(build())
    top = root.make_context("tiersync", ["--help"], resilient_parsing=True)
    for name, command in root.commands.items():  # type: ignore[attr-defined] # the root is a group
        context = command.make_context(name, [], parent=top, resilient_parsing=True)
        yield f"tiersync {name}", command, context
        for below, one in getattr(command, "commands", {}).items():
            yield (
                f"tiersync {name} {below}",
                one,
                one.make_context(below, [], parent=context, resilient_parsing=True),
            )


def main() -> None:
    """Both pages."""
    for language, path in PAGES.items():
        path.write_text(page(language), "utf-8")


if __name__ == "__main__":
    main()
