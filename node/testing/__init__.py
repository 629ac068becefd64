"""The testing kit: a three-tier topology in a few lines, for our integration tests, the demo, the bench, others.

async with Topology(tmp_path) as net:
    await net["city"].put("case", rows)
    await net.settled()
"""

from node.testing.topology import DEMO, FOUR, THREE, Member, Place, Topology

__all__ = ["DEMO", "FOUR", "THREE", "Member", "Place", "Topology"]
