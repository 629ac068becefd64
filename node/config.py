"""The node's configuration: one commented file, `node.toml`, in the node's home.

`load` reports all mistakes at once, each with its key path; `render` writes a file that `load` reads back as
the
same Config, every setting under a comment in Chinese and English. The settings are declared in
node/settings.py.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final, TypeVar, get_type_hints

from node.faults import Code, Mistakes, UserFault
from node.reading import text_of
from node.settings import (
    AttachmentsSection,
    CalendarSection,
    Config,
    DataSection,
    DeadlineSetting,
    GradesSection,
    HttpSection,
    LimitsSection,
    ListenSection,
    LogSection,
    MaintenanceSection,
    MarkSetting,
    NodeSection,
    Note,
    Notify,
    ParentSection,
    Publication,
    RollUpSection,
    RunSection,
    TasksSection,
    Webhook,
    is_loopback,
    split_address,
)
from node.texts import N_, Text
from sync.errors import InputFault
from sync.values import is_publication
from tiers.profile import PROFILES, TierProfile, profile_of
from tiers.profile import node_id as standing_id

__all__ = [
    "CONFIG_NAME",
    "Config",
    "DataSection",
    "HttpSection",
    "LimitsSection",
    "ListenSection",
    "LogSection",
    "NodeSection",
    "ParentSection",
    "Publication",
    "RunSection",
    "check_listen",
    "check_marked",
    "load",
    "load_file",
    "overrides",
    "read_toml",
    "render",
    "split_address",
]

CONFIG_NAME: Final = "node.toml"
CONFIG_BYTES_MAX: Final = 1024 * 1024
CATALOGUE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of one file that [data] names."""
PUBLICATIONS: Final = "publications"
DEADLINES: Final = "deadlines"
WEBHOOKS: Final = "webhooks"
NOTIFY: Final = "notify"
QUALITY: Final = "quality"

S = TypeVar("S")
_Found = dict[str, Any]
"""Sound settings by key path."""

_SECTIONS: Final[tuple[tuple[str, type[Any], str, str], ...]] = (
    ("node", NodeSection, "本节点", "This node"),
    ("parent", ParentSection, "上级节点；最高一级不写本节", "The node above; the topmost node leaves this section out"),
    ("listen", ListenSection, "下级接入地址；端口 0 表示任取空闲端口", "Where children come in; port 0: any free port"),
    ("data", DataSection, "数据集与映射", "Datasets and mappings"),
    ("log", LogSection, "运行日志（不含个人信息与密钥）", "Log (without personal data and keys)"),
    ("limits", LimitsSection, "上限", "Limits"),
    ("attachments", AttachmentsSection, "附件", "Attachments"),
    ("run", RunSection, "运行方式", "How it runs"),
    ("http", HttpSection, "供本平台其他系统使用的 HTTP 接口", "HTTP API for the platform's other systems"),
    ("rollup", RollUpSection, "统计汇总", "Statistics that are rolled up"),
    ("calendar", CalendarSection, "办公时间与时限（建议稿）", "Office hours and limits (a proposal)"),
    ("maintenance", MaintenanceSection, "公告的维护（建议稿）", "Announced maintenance (a proposal)"),
    ("tasks", TasksSection, "跨级事项", "Tasks that cross tiers"),
    ("grades", GradesSection, "下级联网状态（建议稿）", "Grades of nodes below (a proposal)"),
)
_OPTIONAL: Final = frozenset({"parent"})
_HEAD: Final = """\
# tiersync 节点配置。修改后重启节点生效；`tiersync doctor` 检查本文件。
# Configuration of a tiersync node. Restart the node after a change; `tiersync doctor` checks this file.
"""
_EXAMPLE_PARENT: Final = """\
# [parent]
# node_id = "p330000.cn-demo"
# address = "parent.example:7443"
"""
_EXAMPLE_PUBLICATION: Final = """\
# 发布设置：按发布名覆盖目录中的默认值 / Overrides of publications, by name
# [publications."case.nation"]
# filter = "all"
"""
_EXAMPLE_DEADLINE: Final = """\
# 报送期限：按数据集和周期覆盖目录中的默认值 / Overrides of deadlines, by dataset and cadence
# [deadlines."case_stat.daily"]
# due_days = 1
# cut_off_days = 3
"""
_EXAMPLE_WEBHOOK: Final = """\
# 变更推送，需要 [http] changes_keep_days / Systems that are told of changes; needs [http] changes_keep_days
# [webhooks.cim]
# url = "https://cim.example/changes"
# datasets = ["case"]
"""
_EXAMPLE_QUALITY: Final = """\
# 自动质量标记：按数据集开启 / What this node marks by itself of what arrives, by dataset
# [quality.case]
# per_day = 100
# exclude = false
"""
_EXAMPLE_NOTIFY: Final = """\
# 通知：邮件、群机器人、短信网关 / Telling people of alarms and tasks: e-mail, messengers, SMS gateways
# [notify.duty]
# to = "smtp"
# server = "mail.example:587"
# sender = "tiersync@city.example"
# recipients = ["duty@city.example"]
# quiet = ["22:00-07:00"]
"""
_KINDS: Final[Mapping[type[Any], str]] = {
    str: N_("must be text in quotes"),
    int: N_("must be a whole number without quotes"),
    bool: N_("must be true or false without quotes"),
}
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def read_toml(path: str, text: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises UserFault CONFIG_SYNTAX that names line and column."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line, column, what = _place(text, str(error))
        raise UserFault(
            Code.CONFIG_SYNTAX,
            N_("{file} is not valid TOML: line {line}, column {column}: {what}"),
            N_("Correct that line; texts stand in double quotes, numbers and true/false do not."),
            file=path,
            line=line,
            column=column,
            what=what,
        ) from error


def _place(text: str, message: str) -> tuple[int, int, str]:
    """Line, column and words of a TOML error; at the end of the file when it says so."""
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if found:
        return int(found[1]), int(found[2]), message[: found.start()]
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1, message.removesuffix(" (at end of document)")


def load(path: str, text: str) -> Config:
    """The configuration that `text` says; `path` is what messages call it.

    Raises UserFault CONFIG_SYNTAX (line and column), or CONFIG_INVALID with every mistake and its key path.
    """
    tables = read_toml(path, text)
    mistakes = Mistakes()
    known = [name for name, *_ in _SECTIONS] + [PUBLICATIONS, DEADLINES, WEBHOOKS, QUALITY, NOTIFY]
    for key in tables:
        if key not in known:
            mistakes.unknown(key, key, known)
    found: dict[str, Any] = {}
    sound: _Found = {}
    for name, section, _, _ in _SECTIONS:
        if name in tables or name not in _OPTIONAL:
            found[name] = _read(section, tables.get(name, {}), name, mistakes, sound)
    publications = _publications(tables.get(PUBLICATIONS, {}), mistakes)
    deadlines = _deadlines(tables.get(DEADLINES, {}), mistakes)
    webhooks = _webhooks(tables.get(WEBHOOKS, {}), sound, mistakes)
    quality = _quality(tables.get(QUALITY, {}), mistakes)
    notify = _notify(tables.get(NOTIFY, {}), mistakes)
    _relations(tables, sound, mistakes)
    mistakes.raise_any(
        Code.CONFIG_INVALID, path, N_("Correct the settings named above; the comments in the file explain each.")
    )
    return Config(
        **found, publications=publications, deadlines=deadlines, webhooks=webhooks, quality=quality, notify=notify
    )


def load_file(path: Path) -> Config:
    """`load` of a file. Raises what it and `node.reading.text_of` raise; UserFault CONFIG_MISSING."""
    try:
        text = text_of(path, CONFIG_BYTES_MAX, N_("This is not a configuration file; check the path."))
    except FileNotFoundError as error:
        raise UserFault(
            Code.CONFIG_MISSING,
            N_("There is no configuration at {file}."),
            N_("Give the node's folder with --home or TIERSYNC_HOME, or make a node with `tiersync init`."),
            file=path,
        ) from error
    return load(str(path), text)


def _read(section: type[S], table: Any, where: str, mistakes: Mistakes, sound: _Found) -> S | None:
    """One section from its table, None when it has mistakes; `sound` gets each setting that has none, by key path."""
    if not isinstance(table, dict):
        mistakes.add(where, Text(N_("must be a section such as [{name}]"), name=where))
        return None
    before = len(mistakes.found)
    hints = get_type_hints(section)
    settings: dict[str, Field[Any]] = {f.name: f for f in fields(section)}  # type: ignore[arg-type]  # sections are dataclasses
    for key in table:
        if key not in settings:
            mistakes.unknown(f"{where}.{key}", key, settings)
    values: dict[str, Any] = {}
    for name, declared in settings.items():
        place, known = f"{where}.{name}", len(mistakes.found)
        if name in table:
            values[name] = _value(table[name], hints[name], declared, place, mistakes)
        elif declared.default is MISSING:
            mistakes.add(place, Text(N_("is missing")))
        if len(mistakes.found) == known:
            sound[place] = values.get(name, declared.default)
    return section(**values) if len(mistakes.found) == before else None


def _value(value: Any, hint: Any, declared: Field[Any], place: str, mistakes: Mistakes) -> Any:
    """A setting's value, its type and check applied."""
    if hint in _KINDS:
        if type(value) is not hint:
            mistakes.add(place, Text(_KINDS[hint]))
            return value
    elif not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        mistakes.add(place, Text(N_('must be a list of texts such as ["a.toml", "b.toml"]')))
        return value
    else:
        value = tuple(value)
    note: Note = declared.metadata["note"]
    problem = note.check(value) if note.check else None
    if problem is not None:
        mistakes.add(place, problem)
    elif note.known is not None and value not in note.known:
        mistakes.unknown(place, value, note.known)
    return value


def _publications(table: Any, mistakes: Mistakes) -> dict[str, Publication]:
    """Overrides by publication; whether each exists is known only to the catalogue."""
    if not isinstance(table, dict):
        mistakes.add(PUBLICATIONS, Text(N_("must be a section such as [{name}]"), name='publications."case.nation"'))
        return {}
    found: dict[str, Publication] = {}
    for name, part in table.items():
        place = f'{PUBLICATIONS}."{name}"'
        if not is_publication(name):
            mistakes.add(place, Text(N_("is not the name of a publication; write it in quotes")))
            continue
        override = _read(Publication, part, place, mistakes, {})
        if override is not None:
            found[name] = override
    return found


def _deadlines(table: Any, mistakes: Mistakes) -> dict[str, DeadlineSetting]:
    """Overrides by dataset and cadence; whether each exists is known only to the catalogue."""
    if not isinstance(table, dict):
        mistakes.add(DEADLINES, Text(N_("must be a section such as [{name}]"), name='deadlines."case_stat.daily"'))
        return {}
    found: dict[str, DeadlineSetting] = {}
    for name, part in table.items():
        place = f'{DEADLINES}."{name}"'
        if name.count(".") != 1 or not is_publication(name):
            mistakes.add(place, Text(N_("is not a dataset and a cadence such as case_stat.daily; write it in quotes")))
            continue
        override = _read(DeadlineSetting, part, place, mistakes, {})
        if override is not None and override.cut_off_days < override.due_days:
            mistakes.add(f"{place}.cut_off_days", Text(N_("is before due_days")))
        elif override is not None:
            found[name] = override
    return found


def _quality(table: Any, mistakes: Mistakes) -> dict[str, MarkSetting]:
    """By dataset; whether each exists is known only to the catalogue."""
    if not isinstance(table, dict):
        mistakes.add(QUALITY, Text(N_("must be a section such as [{name}]"), name="quality.case"))
        return {}
    found = {name: _read(MarkSetting, part, f"{QUALITY}.{name}", mistakes, {}) for name, part in table.items()}
    return {name: one for name, one in found.items() if one is not None}


def _webhooks(table: Any, sound: _Found, mistakes: Mistakes) -> dict[str, Webhook]:
    """Targets of changes by name; they need changes to be kept."""
    found = _named(Webhook, table, WEBHOOKS, "webhooks.cim", mistakes)
    if isinstance(table, dict) and table and sound.get("http.changes_keep_days") == 0:
        mistakes.add("http.changes_keep_days", Text(N_("is needed: webhooks are told of changes that are kept")))
    return found


def _notify(table: Any, mistakes: Mistakes) -> dict[str, Notify]:
    """Where people are told, by name."""
    found = _named(Notify, table, NOTIFY, "notify.duty", mistakes)
    for name, target in found.items():
        _notified(target, f"{NOTIFY}.{name}", mistakes)
    return found


def _named(section: type[S], table: Any, heading: str, example: str, mistakes: Mistakes) -> dict[str, S]:
    """Sections under one heading, by the names that an administrator gives them."""
    if not isinstance(table, dict):
        mistakes.add(heading, Text(N_("must be a section such as [{name}]"), name=example))
        return {}
    found: dict[str, S] = {}
    for name, part in table.items():
        place = f"{heading}.{name}"
        if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name) is None:
            mistakes.add(place, Text(N_("is not a name of lower-case letters, digits, - and _")))
            continue
        target = _read(section, part, place, mistakes, {})
        if target is not None:
            found[name] = target
    return found


def _notified(target: Notify, place: str, mistakes: Mistakes) -> None:
    """What must hold between the settings of one target."""
    wanted = {
        "smtp": ("server", "sender", "recipients"),
        "template": ("url", "template"),
        "zwdd": ("url",),
        "sms": ("url", "recipients"),
    }
    for setting in wanted.get(target.to, ()):
        if not getattr(target, setting):
            mistakes.add(f"{place}.{setting}", Text(N_("is needed for '{to}'"), to=target.to))
    in_clear = target.to == "smtp" and target.server and target.user and target.security == "none"
    if in_clear and not is_loopback(split_address(target.server)[0]):
        mistakes.add(f"{place}.security", Text(N_("must be tls or starttls: a password goes over it")))


def _relations(tables: Mapping[str, Any], found: _Found, mistakes: Mistakes) -> None:
    """What must hold between settings: each relation is looked at if the settings it is about are sound."""
    _standing(found, "parent" in tables, mistakes)
    exchange, enrolment = found.get("listen.exchange"), found.get("listen.enrolment")
    if exchange is not None and enrolment is not None:
        _listening(exchange, enrolment, mistakes, "listen.exchange", "listen.enrolment")
    _http(found, mistakes)
    season, hours = found.get("calendar.season"), found.get("calendar.season_hours")
    if season is not None and hours is not None and bool(season) != bool(hours):
        absent = "calendar.season_hours" if season else "calendar.season"
        mistakes.add(absent, Text(N_("is needed too: a season has its own office hours")))


def _http(found: _Found, mistakes: Mistakes) -> None:
    """Tokens and rows go over this: what other machines can reach is encrypted."""
    listen, certificate, key = (found.get(f"http.{name}") for name in ("listen", "certificate", "key"))
    if certificate is not None and key is not None and bool(certificate) != bool(key):
        mistakes.add("http.key" if certificate else "http.certificate", Text(N_("is needed too: TLS takes both")))
    if listen and certificate == "" and not is_loopback(split_address(listen)[0]):
        problem = Text(
            N_("is needed: other machines can reach '{listen}'; without TLS listen on 127.0.0.1"), listen=listen
        )
        mistakes.add("http.certificate", problem)


def _listening(exchange: str, enrolment: str, mistakes: Mistakes, *names: str) -> None:
    """What must hold between the two addresses; `names`: of their settings."""
    if bool(exchange) != bool(enrolment):
        absent = names[1] if exchange else names[0]
        mistakes.add(absent, Text(N_("is needed too: children both enrol and exchange")))
    if exchange and exchange == enrolment and not exchange.endswith(":0"):
        mistakes.add(names[1], Text(N_("must differ from {other}"), other=names[0]))


def check_listen(listen: ListenSection) -> None:
    """Addresses that were given as options. Raises UserFault BAD_ARGUMENT with every mistake and its option."""
    mistakes = Mistakes()
    for declared in fields(ListenSection):
        note: Note = declared.metadata["note"]
        problem = note.check(getattr(listen, declared.name)) if note.check else None
        if problem is not None:
            mistakes.add("--" + declared.name.replace("_", "-"), problem)
    if not mistakes.found:
        _listening(listen.exchange, listen.enrolment, mistakes, "--exchange", "--enrolment")
    todo = N_("Write addresses as HOST:PORT; nothing was made. `--help` explains each option.")
    mistakes.raise_any(Code.BAD_ARGUMENT, "tiersync", todo)


def _standing(found: _Found, has_parent: bool, mistakes: Mistakes) -> None:
    """What the tier profile says of region, node id and parent."""
    node_id, region, parent = found.get("node.node_id"), found.get("node.region"), found.get("parent.node_id")
    if node_id is not None and node_id == parent:
        mistakes.add("parent.node_id", Text(N_("is this node itself")))
    profile = PROFILES.get(found.get("node.tier", ""))
    if profile is None:
        return
    if has_parent and profile.is_root:
        mistakes.add("parent", Text(N_("this tier has no parent; leave the section out")))
    if not has_parent and not profile.is_root:
        # Without it the node would publish to nobody, and what was entered meanwhile would never go up.
        mistakes.add("parent", Text(N_("is missing: this tier has a node above it")))
    if region is None:
        return
    if re.fullmatch(profile.regions, region) is None:
        mistakes.add("node.region", Text(N_("'{region}' cannot be the region of this tier"), region=region))
    label = f"{profile.label}{region}"
    if node_id is not None and node_id.partition(".")[0] != label:
        mistakes.add("node.node_id", Text(N_("must begin with '{label}.' (tier and region)"), label=label))
    elif (
        node_id is not None and parent is not None and node_id != parent and not _fits(profile, region, node_id, parent)
    ):
        mistakes.add("parent.node_id", Text(N_("'{parent}' is not above '{node}'"), parent=parent, node=node_id))


def _fits(profile: TierProfile, region: str, own: str, parent: str) -> bool:
    """Whether `own` is the id that a node of this tier has below `parent`."""
    try:
        return profile_of(parent) is not None and own == standing_id(profile, region, parent)
    except InputFault:
        return False


def overrides(config: Config) -> str:
    """The overrides of publications and deadlines as the TOML text of a site's catalogue ('' when there are none)."""
    publications = (
        f"[override.{_quoted(name)}]\n{lines}"
        for name, publication in config.publications.items()
        if (lines := _override_lines(publication))
    )
    deadlines = (
        f"[override.{dataset}.deadlines.{cadence}]\ndue_days = {one.due_days}\ncut_off_days = {one.cut_off_days}\n"
        for (dataset, _, cadence), one in ((name.partition("."), one) for name, one in config.deadlines.items())
    )
    return "".join((*publications, *deadlines))


def check_marked(config: Config, datasets: Collection[str]) -> None:
    """What is marked by itself must be there, and is no issue itself. Raises UserFault CONFIG_INVALID."""
    mistakes = Mistakes()
    known = sorted(set(datasets) - {"quality_issue", "quality_answer"})
    for name in config.quality:
        if name not in known:
            mistakes.unknown(f"{QUALITY}.{name}", name, known)
    mistakes.raise_any(
        Code.CONFIG_INVALID, CONFIG_NAME, N_("Correct the settings named above; the comments in the file explain each.")
    )


def _override_lines(publication: Publication) -> str:
    """What of a publication is otherwise than the catalogue says."""
    chosen = f"filter = {_quoted(publication.filter)}\n" if publication.filter != "default" else ""
    size = publication.push_attachments_up_to
    return chosen + (f"push_attachments_up_to = {size}\n" if size >= 0 else "")


def _quoted(text: str) -> str:
    """A TOML basic string."""
    out = (
        _ESCAPES.get(letter) or (f"\\u{ord(letter):04X}" if ord(letter) < 0x20 or letter == "\x7f" else letter)
        for letter in text
    )
    return '"' + "".join(out) + '"'


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_quoted(part) for part in value) + "]"
    return str(value)


def _lines(section: Any) -> Iterator[str]:
    """The settings of a section, each under its comment."""
    for declared in fields(section):
        note: Note = declared.metadata["note"]
        yield f"# {note.zh}"
        yield f"# {note.en}"
        yield f"{declared.name} = {_written(getattr(section, declared.name))}"


def render(config: Config) -> str:
    """A fully commented node.toml that `load` reads back as the same configuration."""
    parts = [_HEAD]
    for name, _, zh, en in _SECTIONS:
        title = f"# {zh}\n# {en}\n"
        section = getattr(config, name)
        if section is None:
            parts.append(title + _EXAMPLE_PARENT)
            continue
        parts.append(title + f"[{name}]\n" + "\n".join(_lines(section)) + "\n")
    parts.append(_EXAMPLE_PUBLICATION)
    for name, publication in config.publications.items():
        parts.append(f"[{PUBLICATIONS}.{_quoted(name)}]\n" + "\n".join(_lines(publication)) + "\n")
    parts.append(_EXAMPLE_DEADLINE)
    for name, deadline in config.deadlines.items():
        parts.append(f"[{DEADLINES}.{_quoted(name)}]\n" + "\n".join(_lines(deadline)) + "\n")
    parts.append(_EXAMPLE_WEBHOOK)
    for name, target in config.webhooks.items():
        parts.append(f"[{WEBHOOKS}.{name}]\n" + "\n".join(_lines(target)) + "\n")
    parts.append(_EXAMPLE_NOTIFY)
    for name, notified in config.notify.items():
        parts.append(f"[{NOTIFY}.{name}]\n" + "\n".join(_lines(notified)) + "\n")
    parts.append(_EXAMPLE_QUALITY)
    for name, marks in config.quality.items():
        parts.append(f"[{QUALITY}.{_quoted(name)}]\n" + "\n".join(_lines(marks)) + "\n")
    return "\n".join(parts)
