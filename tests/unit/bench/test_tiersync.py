"""Our contestant against three stand-in nodes that speak the real control service over real sockets."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
import msgspec
import pytest

from bench.rows import SCHEMA, make_rows
from bench.tiersync import TiersyncNodes, start_topology
from node.control.v1 import control_pb2 as messages
from node.control.v1.control_pb2_grpc import ControlServicer, add_ControlServicer_to_server
from sync.errors import LocalFault


class StandIn(ControlServicer):
    """A node that hands its rows to the one above when that one runs."""

    def __init__(self, home, name):
        self.control = f"unix:{home}/{name}.sock"
        self.above = None
        self.below = None
        self.rows = {}
        self.server = None
        self.lost = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.link_port = probe.getsockname()[1]

    def start(self):
        """Serve; take over what the node below holds."""
        self.server = grpc.server(ThreadPoolExecutor(4))
        add_ControlServicer_to_server(self, self.server)
        self.server.add_insecure_port(self.control)
        self.server.add_insecure_port(f"127.0.0.1:{self.link_port}")
        self.server.start()
        if self.below is not None:
            self.take(self.below.rows)

    def halt(self):
        """Serve no more."""
        if self.server is not None:
            self.server.stop(None).wait()
            self.server = None

    def take(self, rows):
        """Store, and pass on."""
        self.rows |= dict(list(rows.items())[self.lost :])
        if self.above is not None and self.above.server is not None:
            self.above.take(rows)

    def Put(self, request_iterator, context):
        """Accept everything but regions that are not ours."""
        for request in request_iterator:
            rows = msgspec.msgpack.decode(request.rows)
            bad = [messages.Reject(index=i, reason=301, key=r[0]) for i, r in enumerate(rows) if r[1] != "330100"]
            if not bad:
                self.take({row[0]: row for row in rows})
            yield messages.PutResult(accepted=len(rows) - len(bad), rejected=bad)

    def Query(self, request, context):
        """By key, or all in pages."""
        rows = list(self.rows.values())
        if request.filter:
            asked = json.loads(request.filter)["value"]
            rows = [row for row in rows if row[0] == asked]
        for start in range(0, len(rows), 1_000):
            yield messages.QueryPage(rows=msgspec.msgpack.encode(rows[start : start + 1_000]))

    def Status(self, request, context):
        """Up."""
        yield messages.StatusReply(json="{}")

    def Command(self, request, context):
        """None."""
        yield messages.CommandReply(last=True)


class StandIns:
    """City, province and nation."""

    def __init__(self, home):
        self.city, self.province, self.nation = (StandIn(home, name) for name in "cpn")
        self.city.above, self.province.above = self.province, self.nation
        self.province.below, self.nation.below = self.city, self.province
        for tier in (self.nation, self.province, self.city):
            tier.start()

    def close(self):
        """All down."""
        for tier in (self.city, self.province, self.nation):
            tier.halt()


@pytest.fixture
def nodes(tmp_path):
    """The contestant, started on stand-ins, and the stand-ins."""
    made = []

    def topology(dataset):
        made.append(StandIns(tmp_path))
        return made[0]

    contestant = TiersyncNodes(topology)
    try:
        contestant.start()
        yield contestant, made[0]
    finally:
        contestant.stop()


def test_every_work_is_done_and_checked_at_all_tiers(nodes):
    """Rows of all works arrive, also those put while the province was down."""
    contestant, tiers = nodes
    rows = make_rows(0, 2_600)
    assert contestant.throughput(rows[:1_500], 1_000) > 0
    assert len(contestant.latency(rows[1_500:1_510], 500)) == 10
    assert contestant.catch_up(rows[1_510:2_510], 1_000) > 0
    assert contestant.catch_up(rows[2_510:], 1) > 0
    assert sorted(tiers.nation.rows.values()) == [list(row) for row in rows]


def test_a_rejected_row_ends_the_contest_for_us(nodes):
    """Rows that the city does not take must not make us faster."""
    contestant, _ = nodes
    foreign = [("33020000000000000000", "330200", *make_rows(0, 1)[0][2:])]
    with pytest.raises(LocalFault, match="rejected"):
        contestant.throughput(foreign, 1_000)


def test_a_row_lost_on_the_way_is_noticed(nodes):
    """Seeing the last row is not enough."""
    contestant, tiers = nodes
    tiers.nation.lost = 1
    with pytest.raises(LocalFault, match="the tiers hold"):
        contestant.throughput(make_rows(0, 100), 1_000)


def test_a_broken_call_is_a_fault_of_the_contestant(nodes):
    """gRPC's errors do not escape: the others go on."""
    contestant, tiers = nodes
    tiers.city.halt()
    with pytest.raises(LocalFault, match="UNAVAILABLE"):
        contestant.throughput(make_rows(0, 100), 1_000)


def test_the_declared_rows_are_the_declared_columns():
    """The work's rows have a cell for each column that the contestant names."""
    assert len(make_rows(0, 1)[0]) == len(SCHEMA.names)


def test_without_a_topology_the_contestant_says_so():
    """Stopping after a failed start is harmless."""
    contestant = TiersyncNodes(start_topology)
    with pytest.raises(LocalFault, match=r"node\.testing"):
        contestant.start()
    contestant.stop()
