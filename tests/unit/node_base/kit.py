"""What the loading tests share: the built-in catalogue, a small dataset, mappings from text."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from node import mappings
from node.loading.convert import Converter, bind
from node.loading.load import Loader, Report
from node.loading.mapping import FileMapping, parse
from tests.unit.node_base.fakes import ListSink
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset

ROOT = Path(__file__).resolve().parents[3]

SMALL = """
[dataset.x_small]
version = 1
zh = "小"
en = "small"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["city"]
key = ["id"]
fields = [
  { name = "id", type = "text", length = 20, nullable = false, zh = "标识", en = "id" },
  { name = "division", type = "text", length = 6, zh = "区划", en = "division" },
  { name = "name", type = "text", length = 10, zh = "名称", en = "name" },
  { name = "count", type = "integer", zh = "数", en = "count" },
  { name = "amount", type = "decimal", zh = "额", en = "amount" },
  { name = "lon", type = "float", decimals = 3, zh = "经度", en = "longitude" },
  { name = "open", type = "boolean", zh = "开", en = "open" },
  { name = "day", type = "date", zh = "日", en = "day" },
  { name = "at", type = "timestamp", zh = "时", en = "moment" },
  { name = "raw", type = "bytes", zh = "字节", en = "bytes" },
  { name = "kind", type = "text", length = 10, zh = "类", en = "kind", values = [
    { value = "a", zh = "甲", en = "a" }, { value = "b", zh = "乙", en = "b" } ] },
  { name = "note", type = "text", length = 4000, zh = "注", en = "note" },
  { name = "secret_name", type = "text", length = 10, held_back = true, zh = "密", en = "secret" },
  { name = "secret_count", type = "integer", held_back = true, zh = "密数", en = "secret count" },
]
"""


@lru_cache
def catalogue() -> Catalogue:
    """The built-in catalogue with the small dataset beside it."""
    folder = ROOT / "tiers" / "catalogue"
    builtin = [(path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))]
    return Catalogue.build(builtin, [("small.toml", SMALL)])


def small() -> Dataset:
    """The small dataset."""
    return catalogue().datasets["x_small"]


def no_files(name: str) -> bytes:
    """A mapping that names no files needs none."""
    raise FileNotFoundError(name)


def mapped(columns: str, head: str = "") -> FileMapping:
    """A mapping onto the small dataset; `columns` are lines of [columns]."""
    text = f'name = "m"\ndataset = "x_small"\n{head}\n[columns]\n{columns}\n'
    return parse("m.toml", text, no_files)


def converter(columns: str, head: str = "") -> Converter:
    """The bound converter of `mapped`."""
    return bind("m.toml", mapped(columns, head), small())


def builtin(name: str) -> Converter:
    """A built-in mapping bound to its dataset."""
    mapping = parse(f"{name}.toml", mappings.text(name), mappings.read_table)
    return bind(f"{name}.toml", mapping, catalogue().datasets[mapping.dataset])


def everything(_region: str) -> bool:
    """A node whose scope is the whole country."""
    return True


def loader(folder: Path, content: bytes, made: Converter, name: str = "in.csv") -> Loader:
    """A Loader of a file with that content."""
    path = folder / name
    path.write_bytes(content)
    return Loader(path, made, everything)


COLUMNS = 'id = "ID"\nname = "A"\ncount = "N"\n'


def three(source: str = "") -> Converter:
    """ID, A, N -> id, name, count."""
    return converter(COLUMNS, f"[source]\n{source}\n" if source else "")


def run(folder: Path, content: bytes, made: Converter | None = None, name: str = "in.csv") -> tuple[Report, ListSink]:
    """Loads a file with that content into a fresh sink."""
    sink = ListSink()
    return loader(folder, content, made or three(), name).run(sink), sink


def ids(sink: ListSink) -> list[object]:
    """Keys that came through, in order."""
    return [row[0] for row in sink.rows()]
