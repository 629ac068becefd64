"""Who comes in at the parent's end of links, and who answers at the child's: checked, audited, told once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from structlog.typing import FilteringBoundLogger

from certs.forms import to_der
from certs.verify import Identity, Trust, check_registered, verify_identity, verify_pem
from node.audit import Event, SparingAudit
from node.clock import Clock
from node.link.watch import Watch
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
        watch: Watch,
        audit: SparingAudit,
        alarm: Callable[[Alarm], None],
        log: FilteringBoundLogger,
    ) -> None:
        self._node = node
        self._trust = trust
        self._core = core
        self._clock = clock
        self._watch = watch
        self._audit = audit
        self._alarm = alarm
        self._log = log
        self._refused: set[tuple[str, str]] = set()

    def verify(self, leaf: bytes, chain: bytes) -> Identity:
        """TLS let it in; we ask again, more strictly, and the registry too."""
        identity = verify_pem(leaf, chain, self._trust, self._clock.now_us(), revoked=self._watch.revoked)
        enrolment = self._core().registry.newest(identity.node)
        if enrolment is None or enrolment.parent != self._node:
            raise RemoteFault(Reason.NOT_ENROLLED, f"{identity.node} is not enrolled here")
        check_registered(identity, {enrolment.transport_key_hash})
        return identity

    def accepted(self, peer: str) -> None:
        """As link.server.Gate. If it is refused later, that is news again."""
        self._refused = {known for known in self._refused if known[0] != peer}
        self._audit.append(Event.LINK_ACCEPTED, peer, peer=peer)

    def verify_parent(self, parent: str, chain: Sequence[bytes]) -> Identity:
        """Who answers where the parent should, by the chain it shows (DER); a refusal is audited and told.

        Whether its key is the registered one is asked in the session, once it has brought its registry: it may have
        been installed anew. Raises RemoteFault.
        """
        others = [der for der in chain[1:] if der != to_der(self._trust.root)]
        try:
            return verify_identity(
                [*chain[:1], *others], self._trust, self._clock.now_us(), parent, self._watch.revoked
            )
        except RemoteFault as fault:
            detail = f"{parent}: {fault.detail}"
            self._tell(Alarm("parent_refused", {"named": parent, "reason": fault.reason.name, "detail": detail}), "")
            raise RemoteFault(fault.reason, detail) from fault

    def refused(self, address: str, named: str, reason: Reason, detail: str) -> None:
        """As link.server.Gate: one alarm for each name and reason, and not a line for every time it dials."""
        self._tell(Alarm("link_refused", {"named": named, "reason": reason.name, "detail": detail}), address)

    def _tell(self, alarm: Alarm, address: str) -> None:
        fields = {name: str(value) for name, value in alarm.fields.items()}
        who, why = fields["named"], fields["reason"]
        if self._audit.append(Event.LINK_REFUSED, f"{who} {why}", **fields):
            self._log.warning(alarm.name, peer_address=address, **fields)
        if (who, why) not in self._refused and len(self._refused) < REFUSED_KEPT:
            self._refused.add((who, why))
            self._alarm(alarm)
