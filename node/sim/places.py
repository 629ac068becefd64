"""Where the simulated nodes stand: a nation, provinces, cities, and one municipality straight below the nation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

from node.builtin import flow_texts
from node.sim.releases import FIRST, NEWEST, released
from sync.values import REGISTRY, FeedName, Route
from tiers.catalogue import Catalogue
from tiers.profile import PROFILES, Standing, carrying_scope, node_id, signing_scope

FEDERATION = "cn-sim"
NATION_REGION = "100000"
MUNICIPALITY = "310000"
_OF_PROVINCES = (33, 32, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 51, 52, 53, 61, 62, 63, 64)
_OF_OTHERS = (13, 14, 15, 21, 22, 23, 54, 65, 11, 12, 50, 71, 81)
"""The last ones have no node between nation and city in fact: a country of full size is as large, not a map."""
PROVINCES = tuple(f"{code}0000" for code in (*_OF_PROVINCES, *_OF_OTHERS))
CITIES_PER_PROVINCE_MAX = 90


@dataclass(frozen=True, slots=True)
class Place:
    """One node's place in the tree. `short` is how people call it in a scenario: n, p1, c1 ..."""

    short: str
    node: str
    profile: str
    region: str
    parent: str


@dataclass(frozen=True)
class Tree:
    """All places, from the top down, and who stands below whom. Asked at every commit, so that it knows by heart."""

    places: tuple[Place, ...]

    @cached_property
    def _by_node(self) -> dict[str, Place]:
        return {p.node: p for p in self.places}

    @cached_property
    def _chains(self) -> dict[str, tuple[str, ...]]:
        """Of each node: itself, its parent and so on, up to the nation."""
        chains: dict[str, tuple[str, ...]] = {"": ()}
        for place in self.places:
            chains[place.node] = (place.node, *chains[place.parent])
        return chains

    @property
    def nation(self) -> Place:
        """The root."""
        return self.places[0]

    def place(self, node: str) -> Place:
        """The place of a node id."""
        return self._by_node[node]

    def children(self, node: str) -> list[Place]:
        """Places straight below."""
        return [p for p in self.places if p.parent == node]

    def is_below(self, node: str, above: str) -> bool:
        """Whether `node` stands in the subtree of `above` (not itself)."""
        return above in self._chains[node][1:]

    def audience(self, feed: FeedName, route: Route) -> list[str]:
        """The nodes that judge and apply a feed: what its route promises."""
        match route:
            case Route.PARENT:
                return list(self._chains[feed.origin][1:2])
            case Route.ANCESTORS:
                return list(reversed(self._chains[feed.origin][1:]))
            case Route.DESCENDANTS:
                return [p.node for p in self.places if self.is_below(p.node, feed.origin)]
            case Route.NODE:
                return [feed.addressee] if feed.addressee in self._by_node and feed.addressee != feed.origin else []
            case Route.EVERYWHERE:
                return [p.node for p in self.places if p.node != feed.origin] if feed.publication == REGISTRY else []

    def way(self, feed: FeedName, route: Route) -> set[str]:
        """Every node that a feed may lie at: its audience, and who stands between (an unknown addressee: who waits)."""
        if route is Route.EVERYWHERE:
            return set(self._by_node)
        found = set(self.audience(feed, route))
        for node in list(found):
            found |= self._between(feed.origin, node)
        return found

    def _between(self, one: str, other: str) -> set[str]:
        up, down = self._chains[one], self._chains[other]
        return set(up) ^ set(down) | {next(n for n in up if n in down)}

    def standing(self, place: Place) -> Standing:
        """What publishing needs to know of a node."""
        profile = PROFILES[place.profile]
        scope = signing_scope(profile, place.region)
        return Standing(place.node, profile, place.region, place.parent, self.nation.node, scope)


def make_tree(shape: tuple[int, int, int]) -> Tree:
    """A tree of (1, provinces, cities). Of two or more cities the last stands straight below the nation."""
    nations, provinces, cities = shape
    assert nations == 1, "a federation has one nation"
    assert 1 <= provinces <= len(PROVINCES), "so many provinces have no codes here"
    assert cities <= provinces * CITIES_PER_PROVINCE_MAX
    nation = node_id(PROFILES["national"], NATION_REGION, FEDERATION)
    places = [Place("n", nation, "national", NATION_REGION, "")]
    above = []
    for index in range(provinces):
        region = PROVINCES[index]
        node = node_id(PROFILES["provincial"], region, nation)
        above.append(Place(f"p{index + 1}", node, "provincial", region, nation))
    places += above
    ordinary = cities - 1 if cities > 1 else cities
    for index in range(ordinary):
        province = above[index % provinces]
        region = f"{province.region[:2]}{index // provinces + 1:02d}00"
        node = node_id(PROFILES["city"], region, province.node)
        places.append(Place(f"c{index + 1}", node, "city", region, province.node))
    if cities > 1:
        node = node_id(PROFILES["city"], MUNICIPALITY, nation)
        places.append(Place(f"c{cities}", node, "city", MUNICIPALITY, nation))
    return Tree(tuple(places))


def scopes(place: Place) -> tuple[object, object]:
    """Signing and carrying scope of a place."""
    profile = PROFILES[place.profile]
    return signing_scope(profile, place.region), carrying_scope(profile, place.region)


_DATASETS = ("case.toml", "class_code.toml", "org_unit.toml", "subscription.toml", "taken_over.toml")

ALL_CASES = """
[override."case.nation"]
filter = "all"
"""


@cache
def catalogue(site: str = "", release: int = FIRST) -> Catalogue:
    """The datasets that the simulated work writes, and what a site adds to them: more tables would only cost time."""
    folder = resources.files("tiers") / "catalogue"
    texts = [(name, (folder / name).read_text("utf-8")) for name in _DATASETS]
    return released(Catalogue.build([*texts, *flow_texts()], [("site.toml", site)]), release)


def newest_catalogue() -> Catalogue:
    """By which everything that any node may say can be read."""
    return catalogue(release=NEWEST)
