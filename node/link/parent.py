"""The child's look at its parent before a session, and the session held to what was seen (ADR 0008).

grpc tells a client nothing of its server's certificate. So a handshake of our own, in which nothing is said, shows the
chain; our verifier judges it; and the channel then trusts that one leaf and nothing else: whoever answers the second
handshake has to prove the same key.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import grpc
from cryptography import x509

from certs.files import HomeFiles
from certs.forms import to_pem
from certs.verify import Identity
from node.identity import NodeIdentity
from node.settings import split_address

_ENCODING_DER = 2
"""As `_ssl` calls it, up to Python 3.12."""


class Met(NamedTuple):
    """A parent that was looked at: who it is, and credentials that let in nobody else."""

    identity: Identity
    credentials: grpc.ChannelCredentials


class Parent:
    """Whom a child dials."""

    def __init__(
        self,
        node: str,
        address: str,
        files: HomeFiles,
        own: Callable[[], NodeIdentity],
        verify: Callable[[Sequence[bytes]], Identity],
    ) -> None:
        """verify: judges the chain it shows (DER); raises RemoteFault. Raises OSError if the home's files are gone."""
        self.node = node
        self.address = address
        self._files = files
        self._own = own
        self._verify = verify
        self._tls, self._with = self._looking(), own().chain_pem

    def _looking(self) -> ssl.SSLContext:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE  # we only look: `verify` asks more, and says what is wrong
        tls.set_alpn_protocols(["h2"])
        # Without a certificate of ours the parent would log a failed handshake for each dial.
        tls.load_cert_chain(self._files.leaf, self._files.transport_key)
        return tls

    async def meet(self) -> Met:
        """Raises RemoteFault (it is not whom it should be), OSError, also of TLS, where nobody answers in TLS."""
        own = self._own()
        if own.chain_pem != self._with:
            self._tls, self._with = self._looking(), own.chain_pem
        host, port = split_address(self.address)
        _, writer = await asyncio.open_connection(host, port, ssl=self._tls, server_hostname=self.node)
        try:
            chain = _chain(writer.get_extra_info("ssl_object"))
        finally:
            writer.transport.abort()
        identity = self._verify(chain)
        pinned = to_pem([x509.load_der_x509_certificate(chain[0])])
        return Met(identity, grpc.ssl_channel_credentials(pinned, own.transport_key_pem, own.chain_pem))


def _chain(tls: Any) -> list[bytes]:
    """What the other side showed, leaf first (DER)."""
    if sys.version_info >= (3, 13):
        return list(tls.get_unverified_chain())
    # The same, before it had a public name.
    return [shown.public_bytes(_ENCODING_DER) for shown in tls._sslobj.get_unverified_chain()]
