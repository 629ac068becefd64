"""Whether the registry lets a neighbour be spoken with: asked at Hello, before the cursors, and as records come."""

from __future__ import annotations

from sync.core import Core
from sync.link import Link
from sync.reasons import Reason


def objection(core: Core, link: Link) -> tuple[Reason, str] | None:
    """What the registry here says against this neighbour as the transport shows it; None if nothing."""
    enrolment = core.registry.newest(link.peer)
    if enrolment is None or (not link.to_parent and enrolment.parent != core.me.node):
        return Reason.NOT_ENROLLED, f"{link.peer} is not enrolled here"
    if not enrolment.enrolled:
        return Reason.SUSPENDED, f"{link.peer} is suspended or retired"
    if link.transport_key_hash and enrolment.transport_key_hash != link.transport_key_hash:
        return Reason.CERTIFICATE_NOT_REGISTERED, f"the key of {link.peer}'s certificate is not the registered one"
    return None
