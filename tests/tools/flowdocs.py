"""Writes docs/flows.md and docs/flows.zh-CN.md from the built-in flows; with --check fails when stale.

Only the words around the declarations stand in this file. What a flow, state, move or field means is said in its TOML.
"""

# ruff: noqa: E501 - lines of the pages themselves

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from node.builtin import builtin_texts
from tiers.catalogue import Catalogue
from tiers.flows.check import IMPLIED, PASSED_OVER
from tiers.flows.clocks import Clock, Limit
from tiers.flows.table import (
    BEFORE,
    STAY,
    FieldRule,
    Flow,
    Guard,
    Kind,
    Mirror,
    MoveRule,
    Party,
    Role,
    Stands,
    Start,
    State,
    StateLimit,
)
from tiers.profile import PROFILES

Language = Literal["en", "zh"]
ROOT = Path(__file__).resolve().parents[2]
PAGES: dict[Language, Path] = {"en": ROOT / "docs" / "flows.md", "zh": ROOT / "docs" / "flows.zh-CN.md"}

HEAD: dict[Language, str] = {
    "en": """# Flows

[中文](flows.zh-CN.md)

This page is made from the declarations in `tiers/flows/declared/` (`python -m tests.tools.flowdocs`). The program shows
the same: `tiersync flow list`, `tiersync flow show FLOW`.

All of it is a **proposal**: no text of the standard was at hand that says which steps a flow has, who may take them, and
within which limit. Limits are defaults; a site sets its own ([below](#a-sites-own-limits-and-flows)).

- A task has one **issuer**, whose node has the last word, and one **holder**. Each move is signed by the node on whose
  behalf it is made, and both ends keep all moves, also those that lost.
- A move of the holder is *pending* until the issuer's node confirms it. Of two moves that cross, the issuer's stands and
  the holder's is kept as refused with its reason; a **quiet** move (a note, a longer limit) crosses nothing.
- Every state that is not the end has somebody who **must act**, a limit and a usual next move.
- The time that counts for a limit is set by the issuer's node: what the holder said, but not after the issuer's node
  decided, nor before what the holder knew. A fast clock gains nothing; days without a link cost nothing.
- Hours and days are those of the issuer's calendar: 紧急工作时 runs on through nights and holidays, 工作时 counts office
  hours, 工作日 working days with the shifted ones, 自然日 every day.
- Every flow has five moves that are not listed with it: `comment` (both sides, also after the end), and made by the
  issuer's node itself `warned` and `overdue` (when 80 % of a limit and when all of it has passed) and `restated` (when
  its calendar has moved the end of a limit) and, as the end of a task that goes on with the successor of one of its nodes, `passed_over`.
- Every move may name files in the field `files`: the SHA-256 of at most 20 attachments, with commas between them. Each side
  of the task can have the files that the other has named; nodes in between and others cannot.
""",
    "zh": """# 流程

[English](flows.md)

本页由 `tiers/flows/declared/` 中的声明生成（`python -m tests.tools.flowdocs`）。程序中也可查看：
`tiersync flow list`、`tiersync flow show FLOW`。

全部内容均为**建议稿**：制定时手边没有标准文本，流程有哪些步骤、由谁办理、时限多长均未经证实。时限为默认值，部署地可自行设定
（见[本页末尾](#部署地自己的时限和流程)）。

- 每项任务有一个**下发方**（其节点为准）和一个**承办方**。每一步操作由办理方的节点签名，两端保存全部操作，包括未获采纳的。
- 承办方的操作在下发方节点确认之前为*待确认*。两方操作交叉时，以下发方的为准，承办方的保留为已拒绝并注明原因；
  **静默**操作（批示、延长时限等）不与任何操作冲突。
- 每个未结束的状态都有**责任方**、时限和通常的下一步。
- 时限按下发方节点认定的时间计算：以承办方所说的时间为准，但不晚于下发方节点判定之时，也不早于承办方已知之时。时钟快的不占便宜，断网的日子不吃亏。
- 小时和天数按下发方的日历：紧急工作时昼夜、节假日连续计算，工作时只计办公时间，工作日按调休计算，自然日逐日计算。
- 每个流程还有五种不逐一列出的操作：`comment` 留言（双方均可，结束后也可），以及由下发方节点自行作出的 `warned` 临期预警和 `overdue` 逾期（时限过去 80 % 和用完时）、
  `restated` 时限重算（日历变动使到期时间改变时）；一方节点被承继、任务改由承继节点接续时，原任务以 `passed_over` 移交承继节点结束。
- 任何操作都可以在字段 `files` 中引用文件：最多 20 个附件的 SHA-256，以逗号分隔。任务的任一方可以取得对方引用的文件，中间节点和其他节点不能。
""",
}

SITE: dict[Language, str] = {
    "en": """
## A site's own limits and flows

Both stand in a file that `[data] catalogue` in `node.toml` names, as datasets of a site do. `tiersync flow check FILE` finds
all mistakes at once: unknown names, dead ends, states that cannot be reached, a state without somebody who must act, a limit
or a next move. Other limits for a built-in flow, at the issuer's node (its word counts; the same file at the holder's node shows
the same there):

```toml
[override.W2.limit]
issued = "4 work_hour"      # urgent_hour, work_hour, work_day, day; half an hour is 0:30
```

A flow of one's own has an id that begins with `x_`, and is written as those in `tiers/flows/declared/`. Both ends of its tasks
need it: a node that does not know a flow keeps its moves parked until it does.

```toml
[flow.x_visit]
zh = "走访"
en = "Visit"
basis = "proposal"                 # or confirmed
definition = "A city asks its province for a visit."
definition_zh = "市请省走访。"
issuers = ["city"]
issuer_stands = "below"            # above, below, either: where the issuer is, seen from the holder

[flow.x_visit.field]
day = { zh = "日期", en = "day", kind = "date", within_days = 30 }    # text, date, integer, choice

[flow.x_visit.state]
asked = { zh = "已申请", en = "asked", owner = "holder", next = "agree", limit = "2 work_day" }
agreed = { zh = "已同意", en = "agreed", owner = "issuer", next = "done", limit = { day = "day", otherwise = "5 work_day" } }
over = { zh = "完成", en = "over", final = true }

[flow.x_visit.move]
ask = { zh = "申请", en = "ask", by = "issuer", opens = true, to = "asked", fields = ["title"] }
agree = { zh = "同意", en = "agree", by = "holder", from = ["asked"], to = "agreed", role = "approver" }
set_day = { zh = "改期", en = "set the day", by = "issuer", from = ["agreed"], fields = ["day"], quiet = true, most = 2 }
done = { zh = "完成", en = "done", by = "issuer", from = ["agreed"], to = "over" }
```

A move without `to` leaves the state as it is. `most`: how often in one task. `guards`: `in_time` (not after the limit), `past_limit` (not before it),
`parts_closed` (not while parts of it are open, unless `override_reason` says why). `returns = true`: the move sends work back, which
statistics count as a return. Kinds of fields: `text`, `date`, `integer`, `choice`, `node` (a node id), `division` (a division code);
`masked = ["text", …]` at the flow names fields whose numbers of persons are masked before a move is made. `[[flow.X.starts]]` says which task
a move starts, `[[flow.X.mirrors]]` what the holder's node tells by itself of the parts that it handed on: see W3U. A state's limit is the `day` of a date field,
else one `of` the values of the choice that `by` names, else the one that holds `otherwise`. States that share a `stage` share the time from entering the first of
them; in a state that `suspends` that time stands still.
""",
    "zh": """
## 部署地自己的时限和流程

二者写在 `node.toml` 的 `[data] catalogue` 所列的文件中，与部署地的数据集相同。`tiersync flow check FILE` 一次找出全部错误：未知的名称、
死路、到不了的状态，以及缺少责任方、时限或下一步的状态。为内置流程设定其他时限（在下发方节点设定，以其为准；承办方节点放同一文件则显示一致）：

```toml
[override.W2.limit]
issued = "4 work_hour"      # urgent_hour 紧急工作时, work_hour 工作时, work_day 工作日, day 自然日；半小时写 0:30
```

自己的流程编号以 `x_` 开头，写法同 `tiers/flows/declared/` 中的文件。任务的两端都须有该流程：不认识某流程的节点先将其操作挂起，认识后自动处理。

```toml
[flow.x_visit]
zh = "走访"
en = "Visit"
basis = "proposal"                 # 建议；已证实的写 confirmed
definition = "A city asks its province for a visit."
definition_zh = "市请省走访。"
issuers = ["city"]
issuer_stands = "below"            # above, below, either：下发方位于承办方的上级、下级或二者皆可

[flow.x_visit.field]
day = { zh = "日期", en = "day", kind = "date", within_days = 30 }    # text, date, integer, choice

[flow.x_visit.state]
asked = { zh = "已申请", en = "asked", owner = "holder", next = "agree", limit = "2 work_day" }
agreed = { zh = "已同意", en = "agreed", owner = "issuer", next = "done", limit = { day = "day", otherwise = "5 work_day" } }
over = { zh = "完成", en = "over", final = true }

[flow.x_visit.move]
ask = { zh = "申请", en = "ask", by = "issuer", opens = true, to = "asked", fields = ["title"] }
agree = { zh = "同意", en = "agree", by = "holder", from = ["asked"], to = "agreed", role = "approver" }
set_day = { zh = "改期", en = "set the day", by = "issuer", from = ["agreed"], fields = ["day"], quiet = true, most = 2 }
done = { zh = "完成", en = "done", by = "issuer", from = ["agreed"], to = "over" }
```

没有 `to` 的操作不改变状态。`most`：一项任务中最多几次。`guards`：`in_time`（不得超过时限），`past_limit`（时限届满后方可），`parts_closed`（转办任务未全部办结时不得办理，
除非以 `override_reason` 说明理由）。`returns = true`：该操作将办理结果退回，统计时计为退回。字段种类：`text`、`date`、`integer`、`choice`、`node`（节点标识）、`division`（区划代码）；流程的
`masked = ["text", …]` 列出作出操作前须掩去个人号码的字段。`[[flow.X.starts]]` 规定某操作启动哪项任务，`[[flow.X.mirrors]]` 规定承办方节点就其转出的分项自动回告什么，写法见 W3U。状态的时限依次取：日期字段 `day` 所说之日；`by` 所指选项的值在 `of` 中对应的时限；`otherwise`。`stage` 相同的各状态
共用自进入其中第一个起的时间；处于 `suspends` 的状态时，该时间暂停。
""",
}

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "overview": "## Overview",
        "overview heads": "| flow | title | issued by | to |",
        "issued by": "Issued by",
        "states": "### States of {}",
        "state heads": "| state | title | must act | until | usual next move |",
        "moves": "### Moves of {}",
        "move heads": "| move | title | by | from | to | must say |",
        "fields": "Fields",
        "from opening": "new task",
        "stays": "(stays)",
        "end": "the end",
        "day of": "the day in `{}`",
        "when": "`{}` {}: {}",
        "clock stage": "clock of the stage `{}`",
        "suspends": "the other side's clock stands still",
        "draft": "not yet with the holder",
        "quiet": "quiet",
        "returns": "counts as a return",
        "stands": "never crossed",
        "most": "at most {} times",
        "approver": "approver",
        "starts": "Starts by itself",
        "start": "on `{on}` of it, `{flow}` with {fields}",
        "start to": "on each `{on}`, made by the holder's node, `{flow}` to `{to}` with {fields}",
        "mirrors": "Told back by itself",
        "mirror": "on {on} of a part of flow `{flow}`, `{move}` with {fields}",
        "masked": "numbers of persons masked",
        "start after": "when a limit has passed {after} times over, `{flow}` with {fields}",
        "within": "at most {} days ahead",
        "from to": "{} to {}",
        "comma": ", ",
        "semicolon": "; ",
        "colon": ": ",
        "brackets": " ({})",
        "stop": ".",
    },
    "zh": {
        "overview": "## 总览",
        "overview heads": "| 流程 | 名称 | 下发方 | 承办方 |",
        "issued by": "下发方",
        "states": "### {} 的状态",
        "state heads": "| 状态 | 名称 | 责任方 | 时限 | 通常的下一步 |",
        "moves": "### {} 的操作",
        "move heads": "| 操作 | 名称 | 办理方 | 自 | 至 | 必填 |",
        "fields": "字段",
        "from opening": "新建",
        "stays": "（不变）",
        "end": "结束",
        "day of": "`{}` 所说之日",
        "when": "`{}` {}：{}",
        "clock stage": "计入阶段 `{}`",
        "suspends": "对方计时暂停",
        "draft": "尚未送达承办方",
        "quiet": "静默",
        "returns": "计为退回",
        "stands": "不因交叉而失效",
        "most": "至多 {} 次",
        "approver": "须审批人",
        "starts": "自动启动",
        "start": "`{on}` 时启动 `{flow}`，{fields}",
        "start to": "每次 `{on}` 时由承办方节点向 `{to}` 启动 `{flow}`，{fields}",
        "mirrors": "自动回告",
        "mirror": "转出的 `{flow}` 任务发生 {on} 时作出 `{move}`，{fields}",
        "masked": "个人号码掩码",
        "start after": "逾期达时限的 {after} 倍时启动 `{flow}`，{fields}",
        "within": "不超过 {} 天之后",
        "from to": "{} 至 {}",
        "comma": "、",
        "semicolon": "；",
        "colon": "：",
        "brackets": "（{}）",
        "stop": "。",
    },
}
PARTIES = {Party.ISSUER: ("issuer", "下发方"), Party.HOLDER: ("holder", "承办方"), Party.EITHER: ("either", "双方")}
STANDS = {
    Stands.ABOVE: ("nodes below", "下级节点"),
    Stands.BELOW: ("nodes above", "上级节点"),
    Stands.EITHER: ("nodes above or below", "上级或下级节点"),
}
CLOCKS = {
    Clock.URGENT_HOUR: ("urgent work hours", "紧急工作时"),
    Clock.WORK_HOUR: ("work hours", "工作时"),
    Clock.WORK_DAY: ("work days", "工作日"),
    Clock.DAY: ("natural days", "自然日"),
}
GUARDS = {
    Guard.PARTS_CLOSED: ("all parts closed, or `override_reason`", "转办任务全部办结，或说明 `override_reason`"),
    Guard.IN_TIME: ("not after the limit", "不得超过时限"),
    Guard.PAST_LIMIT: ("not before the limit has passed", "时限届满后方可"),
}
KINDS = {
    Kind.TEXT: ("text", "文字"),
    Kind.NODE: ("node id", "节点标识"),
    Kind.DIVISION: ("division code", "区划代码"),
    Kind.DATE: ("date", "日期"),
    Kind.INTEGER: ("whole number", "整数"),
    Kind.CHOICE: ("one of", "选项"),
    Kind.POSITION: ("datasets, whose positions the node writes", "数据集，由节点写明其位置"),
    Kind.RELEASE: ("written by the node", "由节点填写"),
    Kind.FILES: ("SHA-256 of at most 20 attachments", "附件的 SHA-256，最多 20 个"),
}


def built_in() -> Catalogue:
    """The built-in declarations."""
    return Catalogue.build(builtin_texts())


def page(language: Language) -> str:
    """The whole page."""
    return "\n".join(_Writer(language).page(built_in().flows.values()))


class _Writer:
    """Says flows in one language."""

    def __init__(self, language: Language) -> None:
        self.at = 0 if language == "en" else 1
        self.words = WORDS[language]
        self.language = language

    def page(self, flows: Iterable[Flow]) -> Iterator[str]:
        found = list(flows)
        yield HEAD[self.language]
        yield self.words["overview"]
        yield ""
        yield from self._table("overview heads", map(self._overview, found))
        for flow in found:
            yield from self._flow(flow)
        yield SITE[self.language].rstrip() + "\n"

    def _overview(self, flow: Flow) -> list[str]:
        return [
            f"[{flow.id}](#{flow.id.lower()})",
            self._title(flow),
            self._issuers(flow),
            STANDS[flow.stands][self.at],
        ]

    def _issuers(self, flow: Flow) -> str:
        named = (p for name, p in PROFILES.items() if name in flow.issuers)
        return self.words["comma"].join(p.title_zh if self.at else p.title_en for p in named)

    def _flow(self, flow: Flow) -> Iterator[str]:
        yield f"\n## {flow.id}\n"
        yield f"**{self._title(flow)}**{self.words['stop']} {flow.definition_zh if self.at else flow.definition}\n"
        yield f"{self.words['issued by']}{self.words['colon']}{self._issuers(flow)} → {STANDS[flow.stands][self.at]}\n"
        yield from self._diagram(flow)
        yield "\n" + self.words["states"].format(flow.id) + "\n"
        yield from self._table("state heads", (self._state(s) for s in flow.states if s.name != PASSED_OVER))
        yield "\n" + self.words["moves"].format(flow.id) + "\n"
        yield from self._table("move heads", (self._move(r) for r in flow.moves if r.name not in IMPLIED))
        yield f"\n{self.words['fields']}{self.words['colon']}{self._fields(flow)}{self.words['stop']}"
        for start in flow.starts:
            yield f"\n{self.words['starts']}{self.words['colon']}{self._start(start)}{self.words['stop']}"
        for mirror in flow.mirrors:
            yield f"\n{self.words['mirrors']}{self.words['colon']}{self._mirror(mirror)}{self.words['stop']}"

    def _diagram(self, flow: Flow) -> Iterator[str]:
        """Moves that leave the state as it is would only hide the others."""
        yield "```mermaid"
        yield "stateDiagram-v2"
        states = [state for state in flow.states if state.name != PASSED_OVER]
        for state in states:
            yield f"    {state.name}: {self._title(state)}"
        steps: dict[tuple[str, str], list[str]] = {}
        for rule in flow.moves:
            for start in rule.starts if rule.to not in (STAY, PASSED_OVER) else ():
                steps.setdefault((start or "[*]", rule.to), []).append(self._title(rule))
        for (start, end), titles in steps.items():
            yield f"    {start} --> {end}: {' / '.join(titles)}"
        yield from (f"    {state.name} --> [*]" for state in states if state.final)
        yield "```"

    def _state(self, state: State) -> list[str]:
        more = [self.words["draft"]] if state.draft else []
        more += [self.words["clock stage"].format(state.stage)] if state.stage else []
        more += [self.words["suspends"]] if state.suspends else []
        limit = self._limit(state.limit) if state.limit else ""
        limit += self._in_brackets(self.words["semicolon"].join(more)) if more else ""
        owner = PARTIES[state.owner][self.at] if state.owner else self.words["end"]
        return [f"`{state.name}`", self._title(state), owner, limit, f"`{state.next}`" if state.next else ""]

    def _limit(self, limit: StateLimit) -> str:
        said = [self.words["day of"].format(limit.day)] if limit.day else []
        said += [self.words["when"].format(limit.by, value, self._amount(one)) for value, one in limit.of.items()]
        said += [self._amount(limit.otherwise)] if limit.otherwise else []
        return self.words["semicolon"].join(said)

    def _amount(self, limit: Limit) -> str:
        return f"{float(limit.amount):g} {CLOCKS[limit.clock][self.at]}"

    def _move(self, rule: MoveRule) -> list[str]:
        more = [
            self.words[word]
            for word, said in (("quiet", rule.quiet), ("stands", rule.stands), ("returns", rule.returns))
            if said
        ]
        more += [self.words["most"].format(rule.most)] if rule.most else []
        more += [GUARDS[guard][self.at] for guard in rule.guards]
        more += [self.words["approver"]] if rule.role is Role.APPROVER else []
        title = self._title(rule) + (self._in_brackets(self.words["semicolon"].join(more)) if more else "")
        starts = self.words["comma"].join(f"`{s}`" if s != BEFORE else self.words["from opening"] for s in rule.starts)
        to = self.words["stays"] if rule.to == STAY else f"`{rule.to}`"
        fields = self.words["comma"].join(f"`{name}`" for name in rule.fields)
        return [f"`{rule.name}`", title, PARTIES[rule.by][self.at], starts, to, fields]

    def _fields(self, flow: Flow) -> str:
        return self.words["semicolon"].join(map(self._field, flow.fields))

    def _field(self, rule: FieldRule) -> str:
        more = []
        if rule.kind is Kind.CHOICE:
            more = [f"{v.value} {self._title(v)}" for v in rule.values]
        elif rule.within_days:
            more = [self.words["within"].format(rule.within_days)]
        elif rule.least or rule.most:
            more = [self.words["from to"].format(rule.least, rule.most)]
        more += [self.words["masked"]] if rule.masked else []
        kind = [] if rule.kind is Kind.TEXT else [KINDS[rule.kind][self.at]]
        said = self.words["comma"].join([*kind, *more])
        return f"`{rule.name}` {self._title(rule)}" + (self._in_brackets(said) if said else "")

    def _start(self, start: Start) -> str:
        fields = self.words["comma"].join(f"`{name}` = {said}" for name, said in start.fields.items())
        form = "start after" if start.after > 1 or start.on == "overdue" else "start"
        form = "start to" if start.to else form
        return self.words[form].format(on=start.on, after=start.after, flow=start.flow, fields=fields, to=start.to)

    def _mirror(self, mirror: Mirror) -> str:
        fields = self.words["comma"].join(f"`{name}` = {said}" for name, said in mirror.fields.items())
        on = self.words["comma"].join(f"`{move}`" for move in mirror.on)
        return self.words["mirror"].format(on=on, flow=mirror.of, move=mirror.move, fields=fields)

    def _table(self, heads: str, rows: Iterable[list[str]]) -> Iterator[str]:
        head = self.words[heads]
        yield head
        yield "| " + " | ".join("---" for _ in range(head.count("|") - 1)) + " |"
        for row in rows:
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"

    def _title(self, of: object) -> str:
        return str(getattr(of, "title_zh" if self.at else "title_en"))

    def _in_brackets(self, text: str) -> str:
        return self.words["brackets"].format(text)


def main() -> int:
    """0 when both pages are fresh (or were written)."""
    made = {path: page(language) for language, path in PAGES.items()}
    if "--check" not in sys.argv:
        for path, text in made.items():
            path.write_text(text, "utf-8")
        return 0
    stale = [path.name for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]
    if stale:
        print("stale, run 'python -m tests.tools.flowdocs':", *stale, sep="\n  ")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
