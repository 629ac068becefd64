"""Tiers are data: a TierProfile holds everything in which tiers may differ, and no other code asks for a tier's name.

A municipality (310000) is a node of profile `city` whose parent is the nation; the Xinjiang corps is `provincial`;
a district that runs its own platform follows the city's requirements (reference/domain.md 1.1), so it acts as a city.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.scope import Scope
from sync.values import is_node_id
from tiers.regions import ScopeRule, default_scope

_LABEL = re.compile(r"([a-z])([0-9]{6})")


@dataclass(frozen=True, slots=True)
class TierProfile:
    """What a tier may do and how its nodes are named.

    acts_as: tier names under which it may own datasets; acts_as_below adds (parent's profile, tier name) for a node
    that stands straight below such a parent. below: profile ids that may stand below it. lends_name: whether its own
    label is part of its children's node ids. regions: pattern of the division codes its nodes may have.
    """

    id: str
    title_zh: str
    title_en: str
    label: str
    acts_as: tuple[str, ...]
    below: tuple[str, ...]
    regions: str
    signing: ScopeRule
    carrying: ScopeRule
    has_own_ca: bool = False
    is_root: bool = False
    lends_name: bool = True
    acts_as_below: tuple[tuple[str, str], ...] = ()

    def tiers(self, parent: str = "") -> tuple[str, ...]:
        """Tier names under which a node of this profile owns datasets; `parent` is its parent's node id."""
        above = profile_of(parent)
        return self.acts_as + tuple(tier for over, tier in self.acts_as_below if above and above.id == over)


_PROFILES = (
    TierProfile(
        id="national",
        title_zh="国家",
        title_en="national",
        label="n",
        acts_as=("national",),
        below=("provincial", "city"),
        regions=r"100000",
        signing=ScopeRule.CODE,
        carrying=ScopeRule.EVERYTHING,
        has_own_ca=True,
        is_root=True,
        lends_name=False,
    ),
    TierProfile(
        id="provincial",
        title_zh="省级",
        title_en="provincial",
        label="p",
        acts_as=("provincial",),
        below=("city",),
        regions=r"[0-9]{2}0000",
        signing=ScopeRule.CODE,
        carrying=ScopeRule.UNIT,
        has_own_ca=True,
    ),
    TierProfile(
        id="city",
        title_zh="市级",
        title_en="city",
        label="c",
        acts_as=("city",),
        # a city below a city: 伊犁州 administers 塔城 and 阿勒泰 (reference/domain.md 5.3)
        below=("city", "district"),
        regions=r"[0-9]{6}",
        signing=ScopeRule.UNIT,
        carrying=ScopeRule.UNIT,
        # a municipality is province and city at once
        acts_as_below=(("national", "provincial"),),
    ),
    TierProfile(
        id="district",
        title_zh="区县级",
        title_en="district",
        label="d",
        acts_as=("district", "city"),
        below=(),
        regions=r"[0-9]{6}",
        signing=ScopeRule.CODE,
        carrying=ScopeRule.CODE,
    ),
)

PROFILES: Mapping[str, TierProfile] = MappingProxyType({p.id: p for p in _PROFILES})
_BY_LABEL = {p.label: p for p in _PROFILES}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where this node stands: all that publishing, the node's own door and flows need to know of it.

    parent is '' for the root; nation is the nation's node id; scope is the signing scope of the newest enrolment.
    """

    node: str
    profile: TierProfile
    region: str
    parent: str
    nation: str
    scope: Scope


def profile_of(node: str) -> TierProfile | None:
    """The profile that a node id's first label names; None if it is not written as `node_id` writes it."""
    found = _LABEL.fullmatch(node.partition(".")[0])
    return _BY_LABEL.get(found[1]) if found else None


def node_id(profile: TierProfile, region: str, above: str) -> str:
    """The node id of `region` under `above`: its parent's node id, or the federation's name.

    'c330100.p330000.cn-demo'; the nation's label stands in no other id: 'p330000.cn-demo', 'c310000.cn-demo'.
    Raises InputFault OUT_OF_SCOPE for a region the profile cannot have, NOT_ENROLLED for a parent it cannot
    stand below, MALFORMED when the whole is not a node id (design section 2).
    """
    if re.fullmatch(profile.regions, region) is None:
        raise InputFault(
            Reason.OUT_OF_SCOPE, Phrase("'{}' cannot be the region of a {} node", region, profile.title_en)
        )
    parent = profile_of(above)
    if parent is not None and profile.id not in parent.below:
        raise InputFault(Reason.NOT_ENROLLED, Phrase("a {} node cannot stand below '{}'", profile.title_en, above))
    tail = above if parent is None else lent_name(parent, above)
    text = f"{profile.label}{region}.{tail}"
    if not is_node_id(text):
        raise InputFault(Reason.MALFORMED, Phrase("'{}' is not a node id", text))
    return text


def lent_name(profile: TierProfile, node: str) -> str:
    """What every node below `node` has at the end of its id."""
    return node if profile.lends_name else node.partition(".")[2]


def stands_below(node: str, above: str, profile: TierProfile) -> bool:
    """Whether `node` stands somewhere below `above` (of `profile`), as their ids tell."""
    return node != above and node.endswith("." + lent_name(profile, above))


def signing_scope(profile: TierProfile, region: str) -> Scope:
    """The default signing scope: '3301*' for a city, '419001' for a county straight under a province, '330000' for a
    province. Raises InputFault OUT_OF_SCOPE."""
    return default_scope(profile.signing, region)


def carrying_scope(profile: TierProfile, region: str) -> Scope:
    """The default carrying scope: '*' for the nation, '33*' for a province, a city's own unit. Raises InputFault."""
    return default_scope(profile.carrying, region)
