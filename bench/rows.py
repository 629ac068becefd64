"""The work: seeded rows that look like case records, the same bytes for every contestant and every run.

Fifteen columns, about 439 bytes of UTF-8 a row, ids in rising order (bench/README.md, "The work").
"""

from __future__ import annotations

from random import Random

from sync.schema import CellType, Column, RowSchema
from sync.values import Row

REGION = "330100"
SEED = 20_261_122
ROWS_PER_BLOCK = 1_000
"""Rows are drawn block by block, so that any range of them can be made alone and is always the same."""

_FIRST_REPORT_US = 1_767_225_600_000_000
_SECOND_US = 1_000_000
_STREETS = (
    "文三路",
    "解放东路",
    "天目山路",
    "庆春路",
    "凤起路",
    "延安路",
    "望江东路",
    "江南大道",
    "古墩路",
    "秋涛北路",
)
_DISTRICTS = ("上城区", "拱墅区", "西湖区", "滨江区", "萧山区", "余杭区", "临平区", "钱塘区", "富阳区", "临安区")
_PLACES = (
    "地铁站出口东侧人行道靠近公交站台处",
    "农贸市场北门对面非机动车道边停车位",
    "小区南门外沿街商铺门前公共绿化带旁",
    "中学校门口斑马线西侧约三十米路灯下",
    "高架桥下桥墩旁临时围挡内侧施工便道",
)
_DEPARTMENTS = (
    "市城市管理局市容环境二科",
    "区综合行政执法局第三中队",
    "市政设施养护管理中心东片",
    "园林绿化中心养护管理三科",
    "街道综合信息指挥室值班组",
)
_PHRASES = (
    "巡查发现井盖破损并有下沉",
    "市民反映夜间施工噪声扰民",
    "路面出现坑洼积水影响通行",
    "店外占道经营堆放杂物较多",
    "共享单车乱停放堵塞盲道口",
    "垃圾满溢未及时清运有异味",
    "行道树枝条过低遮挡信号灯",
    "路灯不亮周边照明严重不足",
    "护栏倾斜松动存在安全隐患",
    "违规张贴小广告需要清除掉",
    "雨水口堵塞排水不畅已积水",
    "绿化带内有建筑垃圾被倾倒",
    "公交站牌倾倒需要尽快扶正",
    "渣土车抛洒滴漏污染了路面",
    "窨井冒溢污水流入附近河道",
    "架空线缆脱落垂至人行道上",
    "公厕设施损坏无法正常使用",
    "健身器材松动锈蚀请求维修",
    "现场已设置警示标志并拍照",
    "已通知责任单位限时到场处",
)

_TEXT, _INTEGER, _FLOAT, _TIME = CellType.TEXT, CellType.INTEGER, CellType.FLOAT, CellType.TIMESTAMP
SCHEMA = RowSchema(
    dataset="x_bench_case",
    version=1,
    columns=(
        Column("case_id", _TEXT, nullable=False, length=20),
        Column("region", _TEXT, nullable=False, length=6),
        Column("grid_code", _TEXT, length=16),
        Column("class_big", _TEXT, length=2),
        Column("class_small", _TEXT, length=2),
        Column("status", _INTEGER),
        Column("reported_at", _TIME),
        Column("updated_at", _TIME),
        Column("lon", _FLOAT),
        Column("lat", _FLOAT),
        Column("address", _TEXT, length=100),
        Column("description", _TEXT, length=500),
        Column("dept", _TEXT, length=50),
        Column("source", _INTEGER),
        Column("version", _INTEGER),
    ),
    key=("case_id",),
)


def case_id(index: int) -> str:
    """The key of row `index`: twenty characters that sort as the numbers do."""
    return f"{REGION}{index:014d}"


def make_rows(first: int, count: int, seed: int = SEED) -> list[Row]:
    """Rows `first` to `first + count - 1` of the endless table of that seed."""
    rows: list[Row] = []
    last = first + count
    for block in range(first // ROWS_PER_BLOCK, -(-last // ROWS_PER_BLOCK)):
        start = block * ROWS_PER_BLOCK
        random = Random(seed << 32 | block)
        drawn = [_draw(start + i, random) for i in range(ROWS_PER_BLOCK)]
        rows += drawn[max(first - start, 0) : max(last - start, 0)]
    return rows


def row_bytes(row: Row) -> int:
    """Size of a row as text: its cells in UTF-8, without separators."""
    return sum(len(str(cell).encode()) for cell in row)


def _draw(index: int, random: Random) -> Row:
    draw = random.random
    number = int(draw() * 1_000_000_000)
    reported_at = _FIRST_REPORT_US + index * 2 * _SECOND_US + number % _SECOND_US
    street = _STREETS[number % 10]
    address = f"{_DISTRICTS[number // 10 % 10]}{street}{number // 100 % 900 + 100}号{_PLACES[number // 1_000 % 5]}"
    phrases = [_PHRASES[int(draw() * 20)] for _ in range(6 if number % 20 < 11 else 5)]
    return (
        case_id(index),
        REGION,
        f"{REGION}{number % 100_000_000:08d}" + ("" if number & 1 else f"{number % 97:02d}"),
        f"{number // 7 % 12 + 1:02d}",
        f"{number // 11 % 30 + 1:02d}",
        number % 7 + 1,
        reported_at,
        reported_at + int(draw() * 86_400 * _SECOND_US),
        round(119.5 + draw(), 6),
        round(29.8 + draw(), 6),
        address,
        f"{'，'.join(phrases)}，共{number % 90 + 10}处。",
        _DEPARTMENTS[number // 13 % 5],
        number // 17 % 9 + 1,
        number // 19 % 5 + 1,
    )
