"""An address to listen on, taken with TLS; one that cannot be had is named in words."""

from __future__ import annotations

import grpc

from node.faults import Code, UserFault
from node.texts import N_


def take_port(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials) -> int:
    """The port (of use where `address` says port 0). Raises UserFault PORT_TAKEN."""
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError:
        # All that grpc says; it writes the system's own word to stderr alone.
        port = 0
    if not port:
        raise UserFault(
            Code.PORT_TAKEN,
            N_("The node cannot listen on {address}: another program has this port, or this machine not this address."),
            N_("Stop the other program, or choose another address in node.toml under [listen]."),
            address=address,
        )
    return port
