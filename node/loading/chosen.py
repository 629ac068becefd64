"""A mapping by the name that a person gives: built in, one of the site's, a file, or that of the dataset's template."""

from __future__ import annotations

from pathlib import Path

from node import mappings
from node.config import Config
from node.datasets import dataset_named
from node.faults import Code, UserFault
from node.loading import template
from node.loading.convert import Converter, bind
from node.loading.mapping import MAPPING_BYTES_MAX, FileMapping, parse
from node.reading import bytes_of, text_of
from node.texts import N_
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset


def mapping_named(home: Path, config: Config, name: str, dataset: Dataset) -> tuple[str, FileMapping]:
    """(what messages call it, the mapping). Raises UserFault FILE_MISSING, MAPPING_INVALID, CONFIG_SYNTAX."""
    if name == template.NAME:
        return name, parse(name, template.mapping_text(dataset, config.run.time_zone), mappings.read_table)
    if name in mappings.names():
        return name, parse(name, mappings.text(name), mappings.read_table)
    site = {Path(known).stem: home / known for known in config.data.mappings}
    path = site.get(name, Path(name))
    if not path.is_file():
        raise UserFault(
            Code.FILE_MISSING,
            N_("There is no mapping '{name}': it is neither built in ({known}) nor a file."),
            N_("Give a built-in mapping's name or the path of a mapping file with --map."),
            name=name,
            known=", ".join((template.NAME, *mappings.names(), *site)),
        )
    text = text_of(path, MAPPING_BYTES_MAX)
    return str(path), parse(
        str(path), text, lambda beside: bytes_of(path.parent / Path(beside).name, MAPPING_BYTES_MAX)
    )


def converter_named(home: Path, config: Config, catalogue: Catalogue, name: str, dataset: str) -> Converter:
    """The mapping, bound to its dataset. Raises UserFault that names all mistakes."""
    described = dataset_named(catalogue.datasets, dataset)
    path, mapping = mapping_named(home, config, name, described)
    if mapping.dataset != dataset:
        raise UserFault(
            Code.MAPPING_INVALID,
            N_("The mapping {file} is for the dataset '{found}', not '{wanted}'."),
            N_("Name that dataset, or another mapping with --map."),
            file=path,
            found=mapping.dataset,
            wanted=dataset,
        )
    return bind(path, mapping, described)
