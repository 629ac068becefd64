"""The catalogue of the stage: what is built in, and a site's dataset with two publications of other columns."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from tiers.catalogue import Catalogue

SITE = """
[dataset.x_tree]
version = 1
zh = "树木"
en = "Trees"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["city"]
key = ["id"]
region = "division"
classification = "internal"
source_unit = "x"
sharing = "conditional"
fields = [
  { name = "id", type = "text", length = 8, nullable = false, zh = "a", en = "a" },
  { name = "division", type = "text", length = 6, nullable = false, zh = "a", en = "a" },
  { name = "height", type = "integer", zh = "a", en = "a" },
  { name = "kind", type = "text", length = 8, zh = "a", en = "a" },
]

[publication."x_tree.tall"]
route = "parent"
lane = "normal"
columns = ["id", "division", "height"]

[publication."x_tree.kind"]
route = "parent"
lane = "normal"
columns = ["id", "division", "kind"]
"""


@lru_cache(maxsize=2)
def catalogue(with_site: bool = True) -> Catalogue:
    """The built-in catalogue, and a site's dataset with two publications of other columns."""
    return catalogue_with(SITE if with_site else "")


def catalogue_with(site: str) -> Catalogue:
    """The built-in catalogue and this text of a site's."""
    folder = files("tiers") / "catalogue"
    texts = sorted((f.name, f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".toml"))
    return Catalogue.build(texts, [("site.toml", site)])
