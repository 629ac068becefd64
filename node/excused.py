"""What announced maintenance excuses at this node: silence, lost links, what could not be on time because of them.

An alarm that falls into a window is held back; when the window is over it is raised if what it tells of still lasts.
The audit has its line at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from node.announced import Said
from node.store.windows import Announced, Seen
from sync.core import Core
from sync.effects import Alarm
from sync.reasons import Reason
from tiers.maintenance import Maintenance, Window, between

HELD_MAX = 1_000
_ABOUT: Mapping[str, str] = MappingProxyType({"link_closed": "peer", "origin_silent": "origin"})
"""Alarms that maintenance explains, and the field with whom they are about. A link that was closed for another reason
than that nothing came over it, such as a certificate, is always told."""


class Excused:
    """Windows that count, kept by node/maintenance.py, and alarms that wait for their end. Used in the loop, but
    covered_us, put_off and window_of from any thread."""

    def __init__(self, here: str, now: Callable[[], int], core: Callable[[], Core]) -> None:
        self.maintenance = Maintenance()
        self.said: Sequence[Said] = ()
        """What was announced and is remembered, as it was last read; seen: since when; as_of: of which rows; based_on:
        what `maintenance` was last made of."""
        self.seen: Mapping[Announced, Seen] = {}
        self.as_of: int | None = None
        self.based_on: object = None
        self.looking = asyncio.Lock()
        """Held while announcements are taken in: what two at a time found would not fit together."""
        self._here, self._now, self._core = here, now, core
        self._held: dict[tuple[str, str], Alarm] = {}

    def window_of(self, node: str, at: int) -> Window | None:
        """The window in which a node is, or one on the way to it."""
        return self.maintenance.in_force(self._way(node), at) if self.maintenance else None

    def covered_us(self, node: str, since: int, until: int) -> int:
        """How much of a time is excused."""
        return self.maintenance.covered_us(self._way(node), since, until) if self.maintenance else 0

    def put_off(self, node: str, at: int) -> int:
        """When something is due of a node that was due at a moment."""
        return self.maintenance.put_off(self._way(node), at) if self.maintenance else at

    def holds(self, alarm: Alarm) -> bool:
        """Whether an alarm waits for the end of a window. What there is no room for is told at once."""
        about = str(alarm.fields.get(_ABOUT.get(alarm.name, ""), ""))
        is_silence = alarm.name != "link_closed" or alarm.fields.get("reason") == Reason.TIMEOUT.name
        if not about or not is_silence or self.window_of(about, self._now()) is None:
            return False
        if len(self._held) >= HELD_MAX and (alarm.name, about) not in self._held:
            return False
        self._held[alarm.name, about] = alarm
        return True

    def over(self) -> Iterable[tuple[str, Alarm]]:
        """Alarms whose windows are over, with whom each is about; they wait no more."""
        now = self._now()
        for (name, about), alarm in list(self._held.items()):
            if self.window_of(about, now) is None:
                del self._held[name, about]
                yield about, alarm

    def _way(self, node: str) -> tuple[str, ...]:
        return between(self._core().registry.parent, self._here, node)
