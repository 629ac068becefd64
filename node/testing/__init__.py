"""The testing kit: a three-tier topology in a few lines, for our integration tests, the demo, the bench, others.

async with Topology(tmp_path) as net:
    await net["city"].put("case", rows)
    await net.settled()
"""

from node.testing.topology import DEMO, THREE, Member, Place, Topology

__all__ = ["DEMO", "THREE", "Member", "Place", "Topology"]
