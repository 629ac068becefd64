"""What a port shows of its node: the newest certificate, from the next handshake on, without a new start."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from node.identity import NodeIdentity


def server_credentials(identity: Callable[[], NodeIdentity], *, for_children: bool) -> grpc.ServerCredentials:
    """For a port of the node. for_children: who calls has to show a certificate of this federation too; who has yet to
    join has none.

    grpc for Python cannot set the lowest TLS version; the enrolment service asks each call for TLS 1.3.
    """
    shown = _Shown(identity, for_children)
    return grpc.dynamic_ssl_server_credentials(
        shown.now(),
        shown.if_new,  # type: ignore[arg-type] # None: nothing has changed
        require_client_authentication=for_children,
    )


class _Shown:
    """Asked by grpc before each handshake, in threads of its own."""

    def __init__(self, identity: Callable[[], NodeIdentity], for_children: bool) -> None:
        self._identity = identity
        self._for_children = for_children
        self._given = b""

    def now(self) -> grpc.ServerCertificateConfiguration:
        """Key, certificate and, where callers show one, the root they have to lead to."""
        identity = self._identity()
        self._given = identity.chain_pem
        pair = (identity.transport_key_pem, identity.chain_pem)
        root = identity.root_pem if self._for_children else None
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=root)

    def if_new(self) -> grpc.ServerCertificateConfiguration | None:
        """None as long as nothing has changed."""
        return None if self._identity().chain_pem == self._given else self.now()
