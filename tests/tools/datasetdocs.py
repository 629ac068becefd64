"""Writes docs/datasets.md and docs/datasets.zh-CN.md from the built-in declarations; a test compares them.

Only the words around the declarations stand in this file. What a dataset, column or code means is said in its TOML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

from sync.schema import CellType
from sync.values import Cell, Lane, Route
from tiers.catalogue import Catalogue
from tiers.dataset import OF_ROW, Cadence, Check, Classification, Dataset, Field, Publication, Severity, Sharing
from tiers.filters import AllOf, AnyOf, Compare, ComparePair, Filter, IsNull, Not, OneOf
from tiers.rollup import Measure, RollUp

Language = Literal["en", "zh"]
ROOT = Path(__file__).resolve().parents[2]
PAGES: dict[Language, Path] = {"en": ROOT / "docs" / "datasets.md", "zh": ROOT / "docs" / "datasets.zh-CN.md"}

HEAD: dict[Language, str] = {
    "en": """# Datasets

[中文](datasets.zh-CN.md)

This page is made from the declarations in `tiers/catalogue/` (`python tests/tools/datasetdocs.py`). The program
shows the same: `tiersync catalogue list`, `tiersync catalogue show DATASET`.

All of it is a **proposal**. No text of the data standard was at hand when it was made: names follow systems in use;
which data must be handed up, how often, in which columns and codes, is not confirmed. Owner tiers, sharing class,
classification and the source department are proposals too, and a site fills in its own department.

- **Owner**: the tiers that write the rows. A row is written by one node, in its own regions.
- **Goes to**: the nodes that get the rows. No publication sends a column that is held back: such a column never
  leaves the node that owns the row, and a site cannot publish it either.
- A column that is *needed* is never empty. Types: text with its greatest length; a timestamp is µs since 1970 UTC,
  and files may write it as a date and time; a decimal is exact. Bounds, lists of values and types hold at every
  tier; checks hold at the node that brings the row.
- Lists inside a row are text, by commas or as JSON: few people ask SQL for their parts, and a row stays one row.
- A site adds datasets and publications of its own: [operations](operations.md).
""",
    "zh": """# 数据集

[English](datasets.md)

本页由 `tiers/catalogue/` 中的声明生成（`python tests/tools/datasetdocs.py`）。程序中也可查看：
`tiersync catalogue list`、`tiersync catalogue show DATASET`。

全部内容均为**建议稿**。制定时手边没有数据标准的文本：名称参照在用系统；哪些数据须上报、多久一次、含哪些列和代码，均未经证实。
责任层级、共享类型、敏感程度和数源单位同样是建议，数源单位由部署地填写。

- **责任层级**：写入数据行的层级。每行只由一个节点写入，且限于其辖区。
- **去向**：得到这些行的节点。任何发布项都不含留存列：留存列不出数据所属节点，部署地也不能发布。
- *必填*列不得为空。类型：文本标明最大长度；时间戳为 1970 年以来的微秒数（UTC），文件中可写日期时间；
  decimal 为精确小数。取值范围、取值清单和类型在每一级都核对；校验只在写入该行的节点进行。
- 行内的清单用文本表示，逗号分隔或 JSON：很少需要用 SQL 查询其中一项，一行仍是一行。
- 部署地可以增加自己的数据集和发布项，见[运维手册](operations.zh-CN.md)。
""",
}

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "overview": "## Overview",
        "overview heads": "| dataset | title | owner | cadence | goes to |",
        "owner": "Owner",
        "key": "Key",
        "place": "Region column",
        "date": "Business date",
        "cadence": "Cadence",
        "class": "Classification",
        "sharing": "Sharing class",
        "unit": "Source department",
        "version": "Version",
        "goes": "Goes to",
        "nobody": "nobody by itself",
        "all": "all columns",
        "all but": "all columns but those held back",
        "columns": "columns",
        "where": "where",
        "held": "Held back",
        "held back": "held back",
        "none": "none",
        "field heads": "| column | title | type | unit | needed | example | meaning |",
        "checks": "Checks",
        "decimals": "{} decimals at the most",
        "mask": "Phone, identity, passport and card numbers are masked in what leaves.",
        "refuse": "A row with a phone, identity, passport or card number here is not let in.",
        "warn": "Phone, identity, passport and card numbers are told to who brings the row, and leave.",
        "attachment": "Names attachments.",
        "codes of": "A code of the table `{}`.",
        "reserved": "Reserved for extensions (a proposal; a point is any digit): {}.",
        "named by": "A code of the table that `{}` names.",
        "values": "Values",
        "yes": "yes",
        "comma": ", ",
        "colon": ": ",
        "brackets": " ({})",
        "next": "; ",
        "codes of this": "Rows are codes; their tables are named by",
        "deadlines": "Deadlines",
        "deadline": "{cadence}: due {due} days after the period, closed after {cut} days",
        "rolled": "Rolled up",
        "tasks": "from tasks' moves ([flows](flows.md)) and what tiers below hand up; cells by {groups}, and the total",
        "rolled from": "from rows of `{source}` and what the tiers below hand up; cells by {groups}, and the total",
        "small": "cells in which no count of rows reaches {below} are held back",
        "rows": "rows",
        "sum of": "sum of {}",
        "most of": "greatest {}",
        "least of": "smallest {}",
        "no total": "by group only",
        "time": "whole minutes from {} to {}",
        "in": "by {}",
        "ratio": "{} / {} / {}, worked out at each tier",
    },
    "zh": {
        "overview": "## 总览",
        "overview heads": "| 数据集 | 名称 | 责任层级 | 更新周期 | 去向 |",
        "owner": "责任层级",
        "key": "主键",
        "place": "区划列",
        "date": "业务日期",
        "cadence": "更新周期",
        "class": "敏感程度",
        "sharing": "共享类型",
        "unit": "数源单位",
        "version": "版本",
        "goes": "去向",
        "nobody": "默认不外发",
        "all": "全部列",
        "all but": "除留存列外的全部列",
        "columns": "列",
        "where": "条件",
        "held": "留存列",
        "held back": "留存",
        "none": "无",
        "field heads": "| 列 | 名称 | 类型 | 单位 | 必填 | 示例 | 含义 |",
        "checks": "校验",
        "decimals": "至多 {} 位小数",
        "mask": "发出的内容中，电话、身份证、护照和银行卡号码以星号掩盖。",
        "refuse": "含电话、身份证、护照或银行卡号码的行不予收入。",
        "warn": "电话、身份证、护照和银行卡号码会提示录入者，并照原样发出。",
        "attachment": "引用附件。",
        "codes of": "取自代码表 `{}`。",
        "reserved": "为扩展代码预留（建议稿；点号表示任意数字）：{}。",
        "named by": "取自 `{}` 所指的代码表。",
        "values": "取值",
        "yes": "是",
        "comma": "、",
        "colon": "：",
        "brackets": "（{}）",
        "next": "；",
        "codes of this": "数据行即代码，代码表名称见列",
        "deadlines": "报送期限",
        "deadline": "{cadence}：期末后 {due} 天内报送，{cut} 天后截止定稿",
        "rolled": "汇总",
        "tasks": "由任务的操作（见[流程](flows.zh-CN.md)）及下级报来的统计计算；分{groups}统计，另有合计",
        "rolled from": "由 `{source}` 的数据行及下级报来的统计计算；分{groups}统计，另有合计",
        "small": "各项计数均不足 {below} 的分格隐去",
        "rows": "行数",
        "sum of": "{} 之和",
        "most of": "{} 的最大值",
        "least of": "{} 的最小值",
        "no total": "仅分组，无合计",
        "time": "{} 至 {} 的整分钟数之和",
        "in": "按 {}",
        "ratio": "{} / {} / {}，逐级重算",
    },
}
TIERS: dict[str, tuple[str, str]] = {
    "national": ("nation", "国家"),
    "provincial": ("province", "省"),
    "city": ("city", "市"),
    "district": ("district", "区县"),
}
CADENCES: dict[Cadence, tuple[str, str]] = {
    Cadence.ON_CHANGE: ("on change", "有变即报"),
    Cadence.REAL_TIME: ("real time", "实时"),
    Cadence.DAILY: ("daily", "每日"),
    Cadence.WEEKLY: ("weekly", "每周"),
    Cadence.MONTHLY: ("monthly", "每月"),
    Cadence.QUARTERLY: ("quarterly", "每季"),
    Cadence.YEARLY: ("yearly", "每年"),
    Cadence.EVENT: ("on events", "事件触发"),
}
CLASSES: dict[Classification, tuple[str, str]] = {
    Classification.PUBLIC: ("public", "公开"),
    Classification.INTERNAL: ("internal", "内部"),
    Classification.SENSITIVE: ("sensitive", "敏感"),
}
SHARING: dict[Sharing, tuple[str, str]] = {
    Sharing.UNCONDITIONAL: ("unconditional", "无条件共享"),
    Sharing.CONDITIONAL: ("conditional", "有条件共享"),
    Sharing.WITHHELD: ("withheld", "不予共享"),
}
ROUTES: dict[Route, tuple[str, str]] = {
    Route.PARENT: ("the parent", "直接上级"),
    Route.ANCESTORS: ("all tiers above", "各级上级"),
    Route.DESCENDANTS: ("all tiers below", "各级下级"),
    Route.EVERYWHERE: ("all nodes", "全部节点"),
}
LANES: dict[Lane, tuple[str, str]] = {
    Lane.URGENT: ("urgent", "紧急通道"),
    Lane.NORMAL: ("normal lane", "普通通道"),
    Lane.BULK: ("bulk lane", "批量通道"),
}
SEVERITIES: dict[Severity, tuple[str, str]] = {
    Severity.REJECT: ("row is rejected", "拒收该行"),
    Severity.WARN: ("warning", "提示"),
}
JOINTS: dict[Language, tuple[str, str, str, str]] = {
    "en": (" and ", " or ", "not ", "is empty"),
    "zh": (" 且 ", " 或 ", "非 ", "为空"),
}


def builtin() -> Catalogue:
    """The built-in catalogue."""
    folder = resources.files("tiers") / "catalogue"
    return Catalogue.build(sorted((f.name, f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".toml")))


def page(language: Language) -> str:
    """The whole page in one language."""
    return "\n".join(_Page(language, builtin()).lines()) + "\n"


class _Page:
    def __init__(self, language: Language, catalogue: Catalogue) -> None:
        self.at = 0 if language == "en" else 1
        self.words: Mapping[str, str] = WORDS[language]
        self.joints = JOINTS[language]
        self.language: Language = language
        self.catalogue = catalogue

    def lines(self) -> Iterator[str]:
        """The page, line by line."""
        yield HEAD[self.language]
        yield self.words["overview"]
        yield ""
        yield self.words["overview heads"]
        yield "| --- | --- | --- | --- | --- |"
        for dataset in self.catalogue.datasets.values():
            yield self._brief(dataset)
        for dataset in self.catalogue.datasets.values():
            yield from self._dataset(dataset)

    def _brief(self, dataset: Dataset) -> str:
        published = self.catalogue.publications_of(dataset.id)
        to = self._list(dict.fromkeys(self._audience(p) for p in published)) or self.words["nobody"]
        cells = (f"[`{dataset.id}`](#{dataset.id})", self._title(dataset), self._owners(dataset))
        return _row(*cells, self._cadences(dataset), to)

    def _dataset(self, dataset: Dataset) -> Iterator[str]:
        words = self.words
        yield from ("", f"## {dataset.id}", "")
        yield f"**{self._title(dataset)}**" + self._in_brackets(dataset.title_zh if self.at == 0 else dataset.title_en)
        yield ""
        yield dataset.definition_zh if self.at else dataset.definition
        yield ""
        yield from self._facts(dataset)
        yield from ("", words["field heads"], "| --- | --- | --- | --- | --- | --- | --- |")
        for field in dataset.fields:
            yield self._field(field)
        if dataset.id in self.catalogue.rollups:
            yield from self._rollup(self.catalogue.rollups[dataset.id])
        if dataset.checks:
            yield from ("", f"**{words['checks']}**", "")
            for check in dataset.checks:
                yield self._check(check)

    def _facts(self, dataset: Dataset) -> Iterator[str]:
        words = self.words
        facts = [
            (words["version"], str(dataset.version)),
            (words["owner"], self._owners(dataset)),
            (words["key"], self._names(dataset.key)),
            (words["place"], self._names([dataset.region] if dataset.region else [])),
            (words["date"], self._names([dataset.date] if dataset.date else [])),
            (words["cadence"], self._cadences(dataset)),
            (words["class"], CLASSES[dataset.classification][self.at]),
            (words["sharing"], SHARING[dataset.sharing][self.at]),
            (words["unit"], dataset.source_unit),
        ]
        if dataset.code_table is not None:
            facts.append((words["codes of this"], f"`{dataset.code_table.table_column}`"))
        facts.append((words["deadlines"], words["next"].join(self._deadlines(dataset))))
        for name, said in facts:
            if said:
                yield f"- {name}{words['colon']}{said}"
        published = self.catalogue.publications_of(dataset.id)
        for publication in published:
            yield f"- {words['goes']}{words['colon']}{self._publication(dataset, publication)}"
        if not published:
            yield f"- {words['goes']}{words['colon']}{words['nobody']}"
        held = [name for name in dataset.schema.names if name in dataset.held_back]
        yield f"- {words['held']}{words['colon']}{self._names(held) or words['none']}"

    def _deadlines(self, dataset: Dataset) -> Iterator[str]:
        for cadence, one in dataset.deadlines.items():
            yield self.words["deadline"].format(
                cadence=CADENCES[cadence][self.at], due=one.due_days, cut=one.cut_off_days
            )

    def _rollup(self, rollup: RollUp) -> Iterator[str]:
        words = self.words
        groups = self._list(f"`{'` + `'.join(to for to, _ in group.columns)}`" for group in rollup.groups)
        made = "tasks" if rollup.of_tasks else "rolled from"
        said = [words[made].format(source=rollup.source.id, groups=groups)]
        if rollup.small_cells is not None:
            small = rollup.small_cells
            said.append(words["small"].format(below=small.below))
        yield from ("", f"**{words['rolled']}**{words['colon']}{words['next'].join(said)}", "")
        for measure in rollup.measures:
            yield f"- `{measure.to}`{words['colon']}{words['next'].join(self._measured(measure))}"
        for ratio in rollup.ratios:
            yield f"- `{ratio.to}`{words['colon']}{words['ratio'].format(ratio.over, ratio.under, ratio.scale)}"

    def _measured(self, measure: Measure) -> Iterator[str]:
        words = self.words
        if measure.since:
            yield words["time"].format(measure.since, measure.until)
        else:
            yield words[f"{measure.fold.value} of"].format(measure.of) if measure.of else words["rows"]
        if measure.date:
            yield words["in"].format(measure.date)
        if measure.where is not None:
            yield f"`{self._filter(measure.where)}`"
        if not measure.in_total:
            yield words["no total"]

    def _publication(self, dataset: Dataset, publication: Publication) -> str:
        rest = [name for name in dataset.schema.names if name not in dataset.held_back]
        columns = f"{self.words['columns']} {self._names(publication.columns)}"
        if list(publication.columns) == rest:
            columns = self.words["all but" if dataset.held_back else "all"]
        parts = [
            self._audience(publication) + self._in_brackets(f"`{publication.id}`"),
            LANES[publication.lane][self.at],
            columns,
        ]
        if publication.filter is not None:
            parts.append(f"{self.words['where']} `{self._filter(publication.filter)}`")
        return self.words["next"].join(parts)

    def _audience(self, publication: Publication) -> str:
        if publication.route is not Route.NODE:
            return ROUTES[publication.route][self.at]
        named = ("the node that each row names in `{}`", "每行在 `{}` 中写明的节点")[self.at]
        return self._list(self._addressee(a, named) for a in publication.addressees)

    def _addressee(self, addressee: str, named: str) -> str:
        if addressee.startswith(OF_ROW):
            return named.format(addressee[len(OF_ROW) :])
        return ("the nation", "国家")[self.at] if addressee == "nation" else f"`{addressee}`"

    def _field(self, field: Field) -> str:
        title = field.title_zh if self.at else field.title_en
        meaning = [field.definition_zh if self.at else field.definition]
        if field.codes is not None:
            by = "named by" if field.codes.column else "codes of"
            meaning.append(self.words[by].format(field.codes.column or field.codes.table))
            if field.codes.reserved:
                ranges = ", ".join(f"`{one}`" for one in field.codes.reserved)
                meaning.append(self.words["reserved"].format(ranges))
        if field.personal is not None:
            meaning.append(self.words[field.personal.value])
        if field.attachment:
            meaning.append(self.words["attachment"])
        if field.values:
            listed = self._list(f"`{v.value}` {v.title_zh if self.at else v.title_en}" for v in field.values)
            meaning.append(f"{self.words['values']}{self.words['colon']}{listed}")
        name = f"`{field.column.name}`" + (self._in_brackets(self.words["held back"]) if field.held_back else "")
        needed = "" if field.column.nullable else self.words["yes"]
        example = f"`{field.example}`" if field.example else ""
        return _row(name, title, self._type(field), field.unit, needed, example, " ".join(m for m in meaning if m))

    def _type(self, field: Field) -> str:
        said = field.column.type.value
        if field.column.type in (CellType.TEXT, CellType.BYTES):
            said += f" ≤ {field.column.length}"
        if field.decimals is not None:
            said += f", {self.words['decimals'].format(field.decimals)}"
        if field.minimum is not None:
            said += f", ≥ {field.minimum}"
        if field.maximum is not None:
            said += f", ≤ {field.maximum}"
        return said

    def _check(self, check: Check) -> str:
        said = check.title_zh if self.at else check.title_en
        severity = SEVERITIES[check.severity][self.at]
        said = self.words["next"].join((f"`{self._filter(check.rule)}`", severity, said))
        return f"- `{check.name}`{self.words['colon']}{said}"

    def _filter(self, tree: Filter) -> str:
        """The filter for people, in brackets where two joints meet."""
        both, either, no, empty = self.joints
        match tree:
            case Compare(column, op, value):
                return f"{column} {op} {_said(value)}"
            case ComparePair(column, op, other):
                return f"{column} {op} {other}"
            case OneOf(column, values):
                return f"{column} in ({', '.join(map(_said, values))})"
            case IsNull(column):
                return f"{column} {empty}"
            case Not(part):
                return f"{no}({self._filter(part)})"
            case AllOf(parts):
                return both.join(self._part(p) for p in parts)
            case AnyOf(parts):
                return either.join(self._part(p) for p in parts)

    def _part(self, tree: Filter) -> str:
        return f"({self._filter(tree)})" if isinstance(tree, AllOf | AnyOf) else self._filter(tree)

    def _in_brackets(self, text: str) -> str:
        return self.words["brackets"].format(text)

    def _title(self, dataset: Dataset) -> str:
        return dataset.title_zh if self.at else dataset.title_en

    def _owners(self, dataset: Dataset) -> str:
        return self._list(TIERS[tier][self.at] for tier in dataset.owner)

    def _cadences(self, dataset: Dataset) -> str:
        return self._list(CADENCES[cadence][self.at] for cadence in dataset.cadence)

    def _names(self, names: Iterator[str] | list[str] | tuple[str, ...]) -> str:
        return self._list(f"`{name}`" for name in names)

    def _list(self, words: Iterator[str] | dict[str, None]) -> str:
        return self.words["comma"].join(words)


def _said(value: Cell) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Both pages."""
    for language, path in PAGES.items():
        path.write_text(page(language), "utf-8")


if __name__ == "__main__":
    main()
