"""A parent suspends a node that it enrolled, and takes it back: a further enrolment version, under the same keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.engine import Step
from node.store.store import Store
from node.succession import next_version, own_child
from node.writer import Ticket
from sync.core import Core
from sync.effects import Reply
from sync.errors import InputFault
from sync.events import RegistryChange
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.registry import Enrolment, scope_to_wire
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_ENROLLED, ENROLMENT_STATUS_SUSPENDED


@dataclass(slots=True)
class SuspendJob:
    """Says that a child is suspended, or no longer. Answers with what RegistryChange answers, or with None for a dry
    run; raises InputFault where it cannot be said, as for a node that stands so already.

    `ends`: it is enrolled again.
    """

    token: Ticket[object]
    core: Callable[[], Core]
    node: str
    ends: bool
    effective: str
    dry_run: bool = False

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run."""
        core = self.core()
        child = own_child(core, self.node)
        _check(child, self.ends)
        if self.dry_run:
            return (Reply(self.token, None),)
        record = next_version(child, self.effective)
        record.status = ENROLMENT_STATUS_ENROLLED if self.ends else ENROLMENT_STATUS_SUSPENDED
        record.signing_scope.extend(scope_to_wire(child.signing))
        record.carrying_scope.extend(scope_to_wire(child.carrying))
        return (RegistryChange(self.token, (record,)),)


def _check(child: Enrolment, ends: bool) -> None:
    if child.successions:
        heirs = ", ".join(one.node for one in child.successions)
        raise InputFault(Reason.RULE_BROKEN, Phrase("{} was succeeded by {}: it never lives again", child.node, heirs))
    if child.enrolled is ends:
        found = Phrase("{} is not suspended", child.node) if ends else Phrase("{} is suspended already", child.node)
        raise InputFault(Reason.WRONG_STATE, found)
