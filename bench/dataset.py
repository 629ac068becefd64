"""The dataset of the work as a site declares it in its node's configuration (form: tiers/catalogue/*.toml)."""

from __future__ import annotations

from bench.rows import SCHEMA
from sync.schema import Column

_TITLES = {
    "case_id": ("案件标识", "Case id"),
    "region": ("行政区划代码", "Division"),
    "grid_code": ("单元网格编码", "Grid cell"),
    "class_big": ("大类代码", "Main class"),
    "class_small": ("小类代码", "Sub-class"),
    "status": ("办理状态", "State"),
    "reported_at": ("上报时间", "Reported at"),
    "updated_at": ("更新时间", "Updated at"),
    "lon": ("经度", "Longitude"),
    "lat": ("纬度", "Latitude"),
    "address": ("地址", "Address"),
    "description": ("问题描述", "Description"),
    "dept": ("责任部门", "Department"),
    "source": ("问题来源", "Source"),
    "version": ("版本", "Version"),
}


def _declared(column: Column) -> str:
    zh, en = _TITLES[column.name]
    nullable = "true" if column.nullable else "false"
    return (
        f'  {{ name = "{column.name}", type = "{column.type.value}", length = {column.length},'
        f' nullable = {nullable}, zh = "{zh}", en = "{en}" }},'
    )


_FIELDS = "\n".join(map(_declared, SCHEMA.columns))

DATASET_TOML = f"""\
[dataset.{SCHEMA.dataset}]
version = {SCHEMA.version}
zh = "测速案件"
en = "Cases of the measurement"
definition = "Made-up rows that look like cases (bench/rows.py)."
definition_zh = "用于测速的虚构案件。"
cadence = ["daily"]
owner = ["city"]
key = ["{SCHEMA.key[0]}"]
region = "region"
fields = [
{_FIELDS}
]

[publication."{SCHEMA.dataset}.up"]
route = "ancestors"
lane = "normal"
"""
