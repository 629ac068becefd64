"""The sections of node.toml. Each setting is declared once: type, default, check, and its comment in both
languages.

node/config.py reads and writes the file from these declarations.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from node.attachments.kinds import KINDS as FILE_KINDS
from node.attachments.kinds import PICTURES
from node.notify.quiet import read_quiet
from node.notify.ways import WAYS as NOTIFY_WAYS
from node.texts import N_, Text
from sync import limits
from sync.values import is_identifier, is_node_id
from tiers.calendar import read_day_of_year, read_hours
from tiers.marking import KINDS
from tiers.profile import PROFILES

Check = Callable[[Any], Text | None]


class Note(NamedTuple):
    """What a setting's field carries beside its type and default."""

    zh: str
    en: str
    check: Check | None
    known: Collection[str] | None
    """Names that the value is one of; of another the nearest is told."""


def setting(
    zh: str, en: str, default: Any = MISSING, check: Check | None = None, known: Collection[str] | None = None
) -> Any:
    """A field of a section. Without a default the key must be in the file."""
    metadata = {"note": Note(zh, en, check, known)}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def split_address(text: str) -> tuple[str, int]:
    """('host', port) of 'host:port' or '[IPv6]:port'. Raises ValueError if it is neither."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+):(\d{1,5})", text)
    if found is None or int(found[2]) > 65_535:
        raise ValueError(text)
    return found[1].strip("[]"), int(found[2])


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which no other machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _matching(good: Callable[[Any], bool], wanted: str) -> Check:
    def check(value: Any) -> Text | None:
        return None if good(value) else Text(wanted, value=value)

    return check


def _one_of(*words: str) -> Check:
    def check(value: Any) -> Text | None:
        if value in words:
            return None
        return Text(N_("'{value}' is not one of: {words}"), value=value, words=", ".join(words))

    return check


def _some_of(*words: str) -> Check:
    one = _one_of(*words)

    def check(value: Any) -> Text | None:
        return next((problem for word in value if (problem := one(word)) is not None), None)

    return check


def _between(low: int, high: int) -> Check:
    def check(value: Any) -> Text | None:
        if low <= value <= high:
            return None
        return Text(N_("{value} is not between {low} and {high}"), value=value, low=low, high=high)

    return check


def _all_matching(pattern: str, wanted: str) -> Check:
    def check(value: Any) -> Text | None:
        wrong = [one for one in value if re.fullmatch(pattern, one) is None]
        return Text(wanted, value=wrong[0]) if wrong else None

    return check


def _is_address(text: str, lowest_port: int) -> bool:
    try:
        return split_address(text)[1] >= lowest_port
    except ValueError:
        return False


def _is_zone(text: str) -> bool:
    try:
        zoneinfo.ZoneInfo(text)
    except (ValueError, OSError, KeyError):  # unsafe path, a folder of zones, no such zone
        return False
    return bool(text)


def _is_target(text: str) -> bool:
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0) and not parts.username
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    return usable and secure and text.isascii() and text.isprintable() and " " not in text


def _are_hours(spans: tuple[str, ...]) -> bool:
    try:
        read_hours(spans)
    except ValueError:
        return False
    return True


def _is_season(text: str) -> bool:
    since, _, until = text.partition("..")
    try:
        read_day_of_year(since)
        read_day_of_year(until)
    except ValueError:
        return not text
    return True


def _are_quiet(spans: tuple[str, ...]) -> bool:
    try:
        for span in spans:
            read_quiet(span)
    except ValueError:
        return False
    return True


def _is_title(text: str) -> bool:
    return 0 < len(text) <= 60 and text.isprintable()


_node_id = _matching(is_node_id, N_("'{value}' is not a node id such as c330100.p330000.cn-demo"))
_region = _matching(
    lambda text: re.fullmatch(r"[0-9]{6}", text) is not None,
    N_("'{value}' is not a division code of six digits such as 330100"),
)
_listening = _matching(
    lambda text: not text or _is_address(text, 0), N_("'{value}' is not an address such as 0.0.0.0:7443")
)
_dialled = _matching(
    lambda text: not text or _is_address(text, 1), N_("'{value}' is not an address such as parent.example:7443")
)
_federation = _matching(
    lambda text: re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", text) is not None,
    N_("'{value}' is not a federation's name: lower-case letters, digits, dots and hyphens"),
)


@dataclass(frozen=True, slots=True)
class NodeSection:
    """Who this node is."""

    federation: str = setting(
        "所属联网体系的名称，各级必须一致；试运行体系须另取名称",
        "Name of the federation, the same at every node; a trial federation has a name of its own",
        check=_federation,
    )
    node_id: str = setting(
        "节点名，与证书一致，登记后不可更改",
        "Node id, as in the certificate; it does not change after enrolment",
        check=_node_id,
    )
    tier: str = setting(
        f"平台层级配置的名称：{'、'.join(PROFILES)}",
        f"Name of the tier profile: {', '.join(PROFILES)}",
        check=_matching(is_identifier, N_("'{value}' is not the name of a tier profile")),
        known=PROFILES,
    )
    region: str = setting(
        "本平台行政区划代码（GB/T 2260 六位）", "Division code of this platform (GB/T 2260, six digits)", check=_region
    )
    title: str = setting(
        "本平台名称，显示于界面和报表",
        "Name of this platform, as screens and reports show it",
        check=_matching(_is_title, N_("'{value}' is not a title of 1 to 60 printable characters")),
    )


@dataclass(frozen=True, slots=True)
class ParentSection:
    """The node above."""

    node_id: str = setting("上级节点名", "Node id of the parent", check=_node_id)
    address: str = setting(
        "上级交换地址（主机:端口），由本节点主动连接",
        "The parent's exchange address (host:port); this node dials it",
        check=_matching(
            lambda text: _is_address(text, 1), N_("'{value}' is not an address such as parent.example:7443")
        ),
    )


@dataclass(frozen=True, slots=True)
class ListenSection:
    """Where children reach this node. Empty: it has none. Port 0: any free port."""

    exchange: str = setting(
        "下级连接的交换地址（主机:端口）；无下级时留空",
        "Exchange address for children (host:port); empty when there are none",
        "",
        _listening,
    )
    enrolment: str = setting(
        "下级登记（首次接入）地址；无下级时留空",
        "Address where children enrol; empty when there are none",
        "",
        _listening,
    )
    advertise_exchange: str = setting(
        "邀请函中写明的交换地址；留空则与 exchange 相同",
        "Exchange address written into invites; empty: as exchange",
        "",
        _dialled,
    )
    advertise_enrolment: str = setting(
        "邀请函中写明的登记地址；留空则与 enrolment 相同",
        "Enrolment address written into invites; empty: as enrolment",
        "",
        _dialled,
    )


@dataclass(frozen=True, slots=True)
class DataSection:
    """What this node holds and publishes beyond the built-in catalogue."""

    catalogue: tuple[str, ...] = setting(
        "附加数据集定义文件（TOML，相对于节点目录）",
        "Further dataset files (TOML), relative to the node's home",
        (),
    )
    mappings: tuple[str, ...] = setting(
        "附加加载映射文件（TOML，相对于节点目录）",
        "Further mapping files for loading (TOML), relative to the node's home",
        (),
    )
    silence_factor: int = setting(
        "数据源或下级的数据集超过其更新周期的多少倍无数据即告警；0 表示不告警",
        "After how many times its cadence a source, or a dataset of another node, counts as silent; 0: never",
        2,
        _between(0, 1000),
    )


@dataclass(frozen=True, slots=True)
class LogSection:
    """What the node writes about itself. The security audit is separate and cannot be turned off."""

    level: str = setting(
        "日志级别：debug、info、warning、error",
        "Level: debug, info, warning, error",
        "info",
        _one_of("debug", "info", "warning", "error"),
    )
    target: str = setting(
        "日志去向：file（节点目录 logs/ 下）或 stderr（由 systemd 收集）",
        "Where to: file (in logs/ of the home) or stderr (collected by systemd)",
        "file",
        _one_of("file", "stderr"),
    )
    file_bytes_max: int = setting(
        "单个日志文件上限（字节）",
        "Size at which a log file is closed, in bytes",
        64 * limits.MIB,
        _between(limits.MIB, 4096 * limits.MIB),
    )
    files_kept: int = setting("保留的旧日志文件数", "How many closed log files are kept", 5, _between(1, 1000))


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """Bounds of this node, within those of the exchange."""

    sessions_max: int = setting(
        "同时在线的下级节点数上限", "Children linked at the same time, at most", 512, _between(1, 4096)
    )
    disk_reserve_bytes: int = setting(
        "磁盘剩余空间低于此值（字节）时，本节点不再接收本地写入并告警；与上下级的交换照常",
        "Below this much free disk, in bytes, the door takes no more local rows and an alarm is raised; links go on",
        1024 * limits.MIB,
        _between(64 * limits.MIB, 1 << 50),
    )


@dataclass(frozen=True, slots=True)
class AttachmentsSection:
    """Files that rows refer to: what is taken, and how much of it."""

    kinds: tuple[str, ...] = setting(
        f"可接收的附件类型（按内容识别，不看文件名）：{'、'.join(FILE_KINDS)}；从其他节点取来的也受此限。图片的元数据会"
        "被去除，pdf、ofd 自身的属性（作者等）不会",
        f"Kinds of files that are taken, told by content, not by name, and of those that are fetched from other nodes "
        f"too: {', '.join(FILE_KINDS)}. Metadata is taken out of pictures; what a pdf or ofd says of its author is not",
        PICTURES,
        _some_of(*FILE_KINDS),
    )
    file_bytes_max: int = setting(
        "单个附件的字节数上限；从其他节点取来的也受此限",
        "Bytes of one attachment, at most; of one that is fetched from another node too",
        16 * limits.MIB,
        _between(limits.KIB, 256 * limits.MIB),
    )
    quota_bytes: int = setting(
        "全部附件占用磁盘的上限（字节）；达到后不再接收并告警",
        "Bytes of all attachments together; at this bound none is taken any more, and an alarm is raised",
        10 * 1024 * limits.MIB,
        _between(limits.MIB, 1 << 50),
    )


@dataclass(frozen=True, slots=True)
class RunSection:
    """How the node runs."""

    time_zone: str = setting(
        "本地时区，用于工作时限和显示",
        "Time zone of limits and displays",
        "Asia/Shanghai",
        _matching(_is_zone, N_("'{value}' is not a time zone such as Asia/Shanghai")),
    )
    approval: str = setting(
        "下级登记的审批方式：by_hand（人工核对指纹）或 automatic",
        "How enrolments are approved: by_hand (a person compares fingerprints) or automatic",
        "by_hand",
        _one_of("by_hand", "automatic"),
    )


@dataclass(frozen=True, slots=True)
class HttpSection:
    """The API for the platform's own systems, and the pages for people. Empty: off, and nothing of them is loaded."""

    listen: str = setting(
        "HTTP 接口监听地址（主机:端口）；留空则不启用。非本机地址必须使用 TLS",
        "Address of the HTTP API (host:port); empty: off. An address other than this machine's own needs TLS",
        "",
        _listening,
    )
    certificate: str = setting(
        "HTTPS 证书链文件（PEM，相对于节点目录）；仅监听本机时可留空",
        "Certificate chain for HTTPS (PEM), relative to the node's home; may be empty on this machine's own address",
        "",
    )
    key: str = setting(
        "HTTPS 私钥文件（PEM，相对于节点目录，权限 0600）",
        "Private key for HTTPS (PEM, mode 0600), relative to the node's home",
        "",
    )
    body_bytes_max: int = setting(
        "单个请求的字节数上限", "Bytes of one request, at most", 8 * limits.MIB, _between(limits.KIB, 64 * limits.MIB)
    )
    changes_keep_days: int = setting(
        "变更流保留天数；0 为不记录变更",
        "Days for which changes are kept for whoever follows them; 0: changes are not kept",
        0,
        _between(0, 90),
    )
    connections_max: int = setting("同时连接数上限", "Connections at the same time, at most", 64, _between(1, 4096))


@dataclass(frozen=True, slots=True)
class RollUpSection:
    """Statistics that the node works out by itself."""

    every_s: int = setting(
        "每隔多少秒检查并计算一次统计汇总；0 表示不自动计算",
        "Seconds after which statistics are looked at and worked out again; 0: never by itself",
        900,
        _between(0, 86_400),
    )
    leave_out: tuple[str, ...] = setting(
        "不由本节点计算的统计数据集（由其他系统提供）",
        "Statistics that this node does not work out, since another system brings them",
        (),
    )


_hours = N_("{value} are not office hours such as 08:00-12:00 and 14:00-18:00: one to four spans, in order")


@dataclass(frozen=True, slots=True)
class CalendarSection:
    """How this node's offices work: limits of what it issues run by it. All of it is a proposal."""

    office_hours: tuple[str, ...] = setting(
        "办公时间，用于工作时、工作日时限",
        "Office hours: limits in working hours and working days run by them",
        ("08:00-12:00", "14:00-18:00"),
        _matching(_are_hours, _hours),
    )
    season: str = setting(
        "另有办公时间的季节（起止月日，含当日），如夏季作息 06-01..09-30；留空表示没有",
        "A season with other office hours: its first and last day, such as 06-01..09-30; empty: there is none",
        "",
        _matching(_is_season, N_("'{value}' is not a season such as 06-01..09-30")),
    )
    season_hours: tuple[str, ...] = setting(
        "该季节的办公时间",
        "Office hours in that season",
        (),
        _matching(lambda spans: not spans or _are_hours(spans), _hours),
    )
    natural_days_roll: bool = setting(
        "自然日时限的最后一日不是工作日时，是否顺延至其后第一个工作日",
        "Whether a limit in calendar days that ends on a day without work ends with the next working day instead",
        False,
    )


@dataclass(frozen=True, slots=True)
class MaintenanceSection:
    """How much of announced maintenance excuses a node here (a proposal)."""

    hours: int = setting(
        "一次公告的维护最多多少小时有效；更长的公告无效；0 表示一律无效",
        "Hours that an announced window may have to count; 0: none counts",
        72,
        _between(0, 336),
    )
    hours_in_30_days: int = setting(
        "每个节点任意 30 日内的维护合计最多多少小时有效",
        "Hours of a node's windows together that count in any 30 days",
        120,
        _between(0, 720),
    )


@dataclass(frozen=True, slots=True)
class TasksSection:
    """How tasks that cross tiers are worked on at this node."""

    approval: str = setting(
        "设有审批人后，哪些动作须经他人审批：by_flow（流程规定由审批人作出的）、all（除说明外的全部）或 off（无）",
        "Moves that take a second person once there has been an approver: by_flow (approvers'), all (but notes) or off",
        "by_flow",
        _one_of("by_flow", "all", "off"),
    )
    without_approval: tuple[str, ...] = setting(
        "无须他人审批的动作，写作 流程.动作，如 W2.sign；流程.* 表示该流程全部动作",
        "Moves that need no second person, as FLOW.MOVE such as W2.sign; FLOW.* is all of a flow",
        (),
        _all_matching(r"\w+\.(\w+|\*)", N_("'{value}' is not of the form FLOW.MOVE, such as W2.sign or W9D.*")),
    )
    supervise_after_cycles: int = setting(
        "下级数据逾期多少个周期后自动登记督办（W2）；0 为不自动登记",
        "Cycles after which data of a node below that is overdue is supervised (W2) by itself; 0: never",
        2,
        _between(0, 12),
    )
    supervise_cases_per_day: int = setting(
        "下级案件超期一倍时限仍未办结的，每天最多自动登记多少件督办；0 为不自动登记",
        "Supervisions a day, at most, of cases of nodes below that are overdue by once their limit; 0: none by itself",
        0,
        _between(0, 1_000),
    )
    supervision_issued: bool = setting(
        "自动登记的督办是否由节点直接下发；否则由人下发",
        "Whether the node also issues the supervisions that it registers by itself; else a person does",
        False,
    )


@dataclass(frozen=True, slots=True)
class GradesSection:
    """What this node says of how the nodes right below it are connected. Grades and limits are a proposal."""

    every_s: int = setting(
        "每隔多少秒评定一次下级联网状态；0 表示不评定",
        "Seconds after which the grades of nodes below are looked at; 0: never",
        60,
        _between(0, 3_600),
    )
    steady_days: int = setting(
        "数据通且无故障多少天后为稳定运行",
        "Days without a fault after which data flowing is steady running",
        7,
        _between(1, 365),
    )
    escalate_after_s: int = setting(
        "中断多少秒后升级告警",
        "Seconds of interruption after which it is told again, more loudly",
        14_400,
        _between(900, 604_800),
    )
    onboarding: bool = setting(
        "是否为新接入的下级自动办理联网接入任务（W7）",
        "Whether onboarding (W7) of nodes below is opened and moved on by itself",
        True,
    )


def pages_at(settings: HttpSection, port: int) -> str:
    """Where a browser on this machine finds the pages."""
    host = split_address(settings.listen)[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - every address has this machine's own
    return f"{'https' if settings.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"


@dataclass(frozen=True, slots=True)
class Publication:
    """Override of one publication; finer filters are declared in a file of [data] catalogue."""

    filter: str = setting(
        "发布范围：default（目录所定）或 all（全部记录）",
        "Which rows are published: default (as the catalogue says) or all",
        "default",
        _one_of("default", "all"),
    )
    push_attachments_up_to: int = setting(
        "本节点收到的数据行所引用的附件，不超过此字节数的自动取来；0 为按需取用，-1 为按目录所定",
        "Attachments named by rows that come here by it are fetched by themselves up to this size in bytes; 0: when "
        "asked for, -1: as the catalogue says",
        -1,
        _between(-1, 256 * limits.MIB),
    )


@dataclass(frozen=True, slots=True)
class Webhook:
    """One system that is told of changes."""

    url: str = setting(
        "推送地址（https；仅本机地址可用 http）",
        "Where changes are posted (https; http on this machine's own address only)",
        check=_matching(_is_target, N_("'{value}' is not an address such as https://cim.example/changes")),
    )
    datasets: tuple[str, ...] = setting(
        "推送哪些数据集；留存列永不推送",
        "Which datasets are told; held-back columns never are",
        check=_matching(bool, N_("names no dataset")),
    )
    trust: str = setting(
        "对方证书的签发机构（PEM，相对于节点目录）；留空则用系统信任库",
        "Authority of the target's certificate (PEM), relative to the node's home; empty: those the system trusts",
        "",
    )


@dataclass(frozen=True, slots=True)
class Notify:
    """Where people are told of alarms and tasks."""

    to: str = setting(
        f"方式：{'、'.join(NOTIFY_WAYS)}",
        f"How: {', '.join(NOTIFY_WAYS)}",
        check=_one_of(*NOTIFY_WAYS),
    )
    tell: tuple[str, ...] = setting(
        "通知什么：alarms（告警）、tasks（任务动态）",
        "What is told: alarms, tasks",
        ("alarms", "tasks"),
        _some_of("alarms", "tasks"),
    )
    url: str = setting(
        "消息地址（https；仅本机可用 http）；{secret} 处填入 notify/名称.secret 的内容；留空用模板自带的地址",
        "Where messages are posted (https; http on this machine's own address only); {secret} stands for what is in "
        "notify/NAME.secret; empty: that of the template",
        "",
        _matching(
            lambda text: not text or _is_target(text), N_("'{value}' is not an address such as https://im.example/send")
        ),
    )
    template: str = setting(
        '自备模板文件（to = "template" 时），相对于节点目录',
        'A template of your own (with to = "template"), relative to the node\'s home',
        "",
    )
    recipients: tuple[str, ...] = setting(
        "收件人：邮件地址，或短信号码", "To whom: e-mail addresses, or numbers for an SMS gateway", ()
    )
    server: str = setting("邮件服务器（主机:端口）", "Mail server (host:port)", "", _dialled)
    security: str = setting(
        "到邮件服务器的连接：tls、starttls 或 none",
        "The connection to it: tls, starttls or none",
        "starttls",
        _one_of("tls", "starttls", "none"),
    )
    sender: str = setting("发件人地址", "Sender's address", "")
    user: str = setting(
        "登录名；口令在 notify/名称.secret（权限 0600）",
        "Name to sign in with; the password is in notify/NAME.secret (mode 0600)",
        "",
    )
    trust: str = setting(
        "对方证书的签发机构（PEM，相对于节点目录）；留空则用系统信任库",
        "Authority of the other side's certificate (PEM), relative to the node's home; empty: those the system trusts",
        "",
    )
    quiet: tuple[str, ...] = setting(
        "免打扰时段，如 22:00-07:00；前面写节点标识则只对该节点；紧急告警不受限",
        "Quiet hours such as 22:00-07:00, for one node only with its id before; urgent alarms do not wait",
        (),
        _matching(_are_quiet, N_("{value} are not quiet hours such as 22:00-07:00, or with a node id before")),
    )
    every_s: int = setting(
        "两条消息之间至少间隔多少秒；其间的合并为一条",
        "Seconds between two messages, at least; what comes meanwhile goes together",
        60,
        _between(1, 86_400),
    )
    language: str = setting("语言：zh 或 en", "Language: zh or en", "zh", _one_of("zh", "en"))


@dataclass(frozen=True, slots=True)
class DeadlineSetting:
    """Override of a dataset's deadline, by dataset and cadence: "case_stat.daily"."""

    due_days: int = setting(
        "统计期结束后多少天内报送", "Days after the period until when it is due", check=_between(0, 366)
    )
    cut_off_days: int = setting(
        "统计期结束后多少天截止定稿，不早于报送期限",
        "Days after the period until it is closed, not before it is due",
        check=_between(0, 366),
    )


@dataclass(frozen=True, slots=True)
class MarkSetting:
    """How this node marks by itself what arrives of one dataset (flow W9); without a section it does not."""

    kinds: tuple[str, ...] = setting(
        f"自动标记哪些问题：{'、'.join(KINDS)}",
        f"What is marked: {', '.join(KINDS)}",
        KINDS,
        _some_of(*KINDS),
    )
    per_day: int = setting(
        "每天最多新提出多少个问题；超出的只计数并告警",
        "New issues in a day, at most; what is beyond is counted and raises an alarm",
        100,
        _between(1, 10_000),
    )
    exclude: bool = setting(
        "自动标记的记录在问题关闭前是否不计入统计",
        "Whether what is marked is left out of statistics until the issue is closed",
        False,
    )


@dataclass(frozen=True, slots=True)
class Config:
    """A node's whole configuration."""

    node: NodeSection
    parent: ParentSection | None = None
    listen: ListenSection = ListenSection()
    data: DataSection = DataSection()
    log: LogSection = LogSection()
    limits: LimitsSection = LimitsSection()
    run: RunSection = RunSection()
    http: HttpSection = HttpSection()
    rollup: RollUpSection = RollUpSection()
    publications: Mapping[str, Publication] = field(default_factory=dict)
    deadlines: Mapping[str, DeadlineSetting] = field(default_factory=dict)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    quality: Mapping[str, MarkSetting] = field(default_factory=dict)
    notify: Mapping[str, Notify] = field(default_factory=dict)
    calendar: CalendarSection = CalendarSection()
    attachments: AttachmentsSection = AttachmentsSection()
    tasks: TasksSection = TasksSection()
    maintenance: MaintenanceSection = MaintenanceSection()
    grades: GradesSection = GradesSection()
