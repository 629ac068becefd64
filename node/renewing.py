"""A node has its certificate renewed, under the key it has, in the last third of its life (ADR 0025).

Its parent answers as it answers for any node below: by what the registry says. The nation certifies itself.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from cryptography import x509

from certs import files
from certs.certify import open_certificate
from certs.files import HomeFiles
from certs.forms import key_from_pem
from certs.requests import make_request
from certs.verify import Identity
from node.app import Node
from node.audit import Event
from node.background import Background
from node.certifying import NoCertificate
from node.clock import iso
from sync.errors import LocalFault
from sync.reasons import Reason

FIRST_S: Final = 60.0
LOOKED_EVERY_S: Final = 3600.0
LAST_PART: Final = 3
"""Renewed once less than one part in so many of its life is left."""
TOLD_US: Final = 30 * 86_400_000_000
"""Left of it when somebody is told that it does not come to a new one."""
TOLD_AGAIN_US: Final = 86_400_000_000


class Renewal(Background):
    """The task that sees to it. Used in the loop."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._told_us = 0

    def start(self) -> None:
        """Begins after a pause: the link has to work first."""
        self.begin(self._run(), "renewal")

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.look()
            except (OSError, LocalFault) as fault:
                self._node.log.error("certificate_not_renewed", detail=str(fault))
            await asyncio.sleep(LOOKED_EVERY_S)

    async def look(self) -> bool:
        """Renews it if it is time. Whether it did. Raises OSError if it cannot be kept; LocalFault."""
        now, own = self._node.clock.now_us(), self._node.identity.own
        if not is_due(own, now):
            return False
        try:
            await renew(self._node)
        except NoCertificate as none:
            self._node.log.warning("certificate_not_renewed", by=none.by, reason=none.reason.name, detail=none.detail)
            if own.not_after - now < TOLD_US and now - self._told_us >= TOLD_AGAIN_US:
                self._told_us = now
                fields = {"until": iso(own.not_after), "by": none.by, "reason": none.reason.name}
                self._node.alarm("certificate_ends", **fields, detail=none.detail)
            return False
        return True


def is_due(own: Identity, now: int) -> bool:
    """Whether less than a third of the certificate's life is left."""
    return (own.not_after - now) * LAST_PART < own.not_after - own.not_before


async def renew(node: Node) -> Identity:
    """A new certificate, kept and shown from now on; sessions that are open go on until the old one ends.

    Raises NoCertificate if none came, or none that lasts longer; OSError if it cannot be kept.
    """
    before = node.identity
    request = make_request(key_from_pem(before.transport_key_pem), before.node)
    chain = await node.certifier.obtain(before.node, request)
    own = open_certificate(before.trust, node.clock.now_us(), before.node, before.own.key_hash, chain)
    if own.not_after <= before.own.not_after:
        detail = "the CA above ends as soon as the certificate that is held"
        raise NoCertificate(Reason.CERTIFICATE_EXPIRED, detail, node.parent or before.node)
    found = [x509.load_der_x509_certificate(der) for der in chain]
    save = partial(files.save_certificates, HomeFiles(node.home).leaf, *found)
    await asyncio.get_running_loop().run_in_executor(None, save)
    node.identity = before.renewed(own, tuple(chain))
    node.note(Event.CERTIFICATE_RENEWED, certificate=own.fingerprint.hex(), until=iso(own.not_after))
    node.log.info("certificate_renewed", until=iso(own.not_after))
    return own
