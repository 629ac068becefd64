"""Who comes in at the parent's end of links: checked against the registry, audited, and told to a person once."""

from __future__ import annotations

from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from certs.verify import Identity, Trust, check_registered, verify_pem
from node.audit import Event, SparingAudit
from node.clock import Clock
from sync.core import Core
from sync.effects import Alarm
from sync.errors import RemoteFault
from sync.reasons import Reason

REFUSED_KEPT = 256


class Gatekeeper:
    """A node's link.server.Gate. Used in the asyncio loop."""

    def __init__(
        self,
        node: str,
        trust: Trust,
        core: Callable[[], Core],
        clock: Clock,
        audit: SparingAudit,
        alarm: Callable[[Alarm], None],
        log: FilteringBoundLogger,
    ) -> None:
        self._node = node
        self._trust = trust
        self._core = core
        self._clock = clock
        self._audit = audit
        self._alarm = alarm
        self._log = log
        self._refused: set[tuple[str, Reason]] = set()

    def verify(self, leaf: bytes, chain: bytes) -> Identity:
        """TLS let it in; we ask again, more strictly, and the registry too."""
        identity = verify_pem(leaf, chain, self._trust, self._clock.now_us())
        enrolment = self._core().registry.newest(identity.node)
        if enrolment is None or enrolment.parent != self._node:
            raise RemoteFault(Reason.NOT_ENROLLED, f"{identity.node} is not enrolled here")
        check_registered(identity, {enrolment.transport_key_hash})
        return identity

    def accepted(self, peer: str) -> None:
        """As link.server.Gate. If it is refused later, that is news again."""
        self._refused = {known for known in self._refused if known[0] != peer}
        self._audit.append(Event.LINK_ACCEPTED, peer, peer=peer)

    def refused(self, address: str, named: str, reason: Reason, detail: str) -> None:
        """As link.server.Gate: one alarm for each name and reason, and not a line for every time it dials."""
        fields = {"named": named, "reason": reason.name, "detail": detail}
        if self._audit.append(Event.LINK_REFUSED, f"{named} {reason.name}", **fields):
            self._log.warning("link_refused", peer_address=address, **fields)
        if (named, reason) not in self._refused and len(self._refused) < REFUSED_KEPT:
            self._refused.add((named, reason))
            self._alarm(Alarm("link_refused", dict(fields)))
