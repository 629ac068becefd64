"""The parent's operator at work: invites made, listed, withdrawn, approved. Each a job of the writer, each audited."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from certs.enrol import InviteState, Status, approved, withdrawn
from certs.forms import lies_in, to_der
from certs.invite import SECRET_BYTES, TOKEN_BYTES, Approval, Invite, write_invite, write_invite_file
from node.audit import AuditLog, Event
from node.clock import Randomness, iso
from node.config import Config
from node.divisions import divisions
from node.enrol.jobs import AddJob, ChangeJob, UnknownInvite, make_room
from node.enrol.lists import DAYS, Wish, wishes_from_csv
from node.faults import Code, Mistakes, UserFault
from node.identity import NodeIdentity
from node.link.v1.link_pb2 import SubmitReply
from node.settings import split_address
from node.store.faults import InviteSpent
from node.store.invites import KeptInvite
from node.texts import N_, Text
from node.writer import Writer
from sync.core import Core
from sync.errors import InputFault, LocalFault
from sync.reasons import Reason
from sync.scope import Scope
from tiers.division_scopes import dated_scope
from tiers.profile import PROFILES, TierProfile, carrying_scope, node_id, signing_scope

TITLE_LETTERS_MAX: Final = 60
"""As node.toml of the invited node takes it."""
_DAY_US: Final = 86_400 * 1_000_000
_ADVERTISE: Final = {"exchange": "advertise_exchange", "enrolment": "advertise_enrolment"}


@dataclass(frozen=True, slots=True)
class Made:
    """An invite to be handed over. `line` and `file` hold the secret: shown once, to the operator alone."""

    token: str
    node: str
    title: str
    expires: int
    line: str = field(repr=False)
    file: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InviteView:
    """An invite as lists show it, without its secret. Times in microseconds since 1970."""

    token: str
    node: str
    profile: str
    region: str
    title: str
    status: str
    """open, pending, approved, used, withdrawn; or expired; or awaiting: used, and its certificate has yet to come from
    above."""
    approval: str
    fingerprint: str
    expires: int
    changed: int
    created: int


def advertised(config: Config, sort: str, port: int = 0) -> str:
    """host:port that children are told; `sort`: 'exchange' or 'enrolment'; `port`: the one really listened on.

    Raises UserFault CONFIG_INVALID if the configuration names none that could be dialled.
    """
    said = getattr(config.listen, _ADVERTISE[sort]) or getattr(config.listen, sort)
    if said:
        host, configured = split_address(said)
        if _dialable(host) and (configured or port):
            return f"[{host}]:{configured or port}" if ":" in host else f"{host}:{configured or port}"
    raise UserFault(
        Code.CONFIG_INVALID,
        N_("The configuration names no {sort} address that children could dial (found: '{said}')."),
        N_("Set [listen] {setting} in node.toml to the host and port under which servers below reach this one."),
        sort=sort,
        said=said,
        setting=_ADVERTISE[sort],
    )


def _dialable(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_unspecified
    except ValueError:
        return True


class Invitations:
    """What the command line and the control service do with invites. Used in the asyncio loop.

    address: host:port of the enrolment service as children dial it (`advertised`).
    core: the replica's state (registry), for questions in the writer's thread.
    """

    def __init__(
        self,
        writer: Writer,
        core: Callable[[], Core],
        identity: NodeIdentity,
        config: Config,
        address: str,
        randomness: Randomness,
        audit: AuditLog,
    ) -> None:
        self._writer = writer
        self._core = core
        self._identity = identity
        self._config = config
        self._address = address
        self._randomness = randomness
        self._audit = audit

    async def make(self, wish: Wish, again: bool = False, dry_run: bool = False) -> Made:
        """One invite. `again`: for a node that is enrolled already and is installed anew. `dry_run`: nothing is made,
        and the answer has no token and no secrets.

        Raises UserFault BAD_ARGUMENT for what cannot be wished, WRONG_STATE for what cannot be now.
        """
        try:
            invite = self._invite(wish, self._writer.now())
        except InputFault as fault:
            raise _not_done(Code.BAD_ARGUMENT, fault.detail) from fault
        return (await self._make([invite], again, dry_run))[0]

    async def make_many(self, name: str, text: str, again: bool = False, dry_run: bool = False) -> list[Made]:
        """Invites from a CSV list (node/enrol/lists.py): all of them, or none and every mistake with its line."""
        wishes = wishes_from_csv(name, text)
        now, mistakes = self._writer.now(), Mistakes()
        invites: list[Invite] = []
        for place, wish in enumerate(wishes, start=1):
            where = f"invite {place} ({wish.region})"
            try:
                invite = self._invite(wish, now)
            except InputFault as fault:
                mistakes.add(where, Text("{detail}", detail=fault.detail))
                continue
            if any(invite.node == i.node for i in invites):
                mistakes.add(where, Text(N_("is in the list twice")))
            invites.append(invite)
        todo = N_("Correct these lines and give the list again: nothing was made.")
        mistakes.raise_any(Code.MAPPING_INVALID, name, todo)
        return await self._make(invites, again, dry_run)

    async def all(self) -> list[InviteView]:
        """Every invite, oldest first."""
        now = self._writer.now()
        return [_view(kept, now) for kept in await self._writer.ask(lambda _, store: store.invites.all())]

    async def withdraw(self, which: str) -> InviteView:
        """Takes back an invite, by token or node id. Raises UserFault INVITE_UNKNOWN, WRONG_STATE (it was used)."""
        now = self._writer.now()
        state = await self._change(which, lambda s: withdrawn(s, now))
        await self._note(Event.INVITE_WITHDRAWN, invite_id=state.invite.token, node=state.invite.node)
        return _view(KeptInvite(state, b"", 0), now)

    async def approve(self, which: str, fingerprint: str) -> InviteView:
        """Says yes to the keys that wait, by token or node id, after a person compared `fingerprint`.

        Raises UserFault FINGERPRINT_MISMATCH, INVITE_UNKNOWN, WRONG_STATE (nothing waits).
        """
        now = self._writer.now()
        try:
            state = await self._change(which, lambda s: _approved(s, fingerprint, now))
        except UserFault as fault:
            await self._note(Event.ENROLMENT_REFUSED, node_or_id=which, reason=fault.code.name)
            raise
        await self._note(
            Event.ENROLMENT_APPROVED,
            invite_id=state.invite.token,
            node=state.invite.node,
            fingerprint=state.fingerprint,
        )
        return _view(KeptInvite(state, b"", 0), now)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _invite(self, wish: Wish, now: int) -> Invite:
        """The invite that a wish amounts to. Raises InputFault."""
        profile = self._profile(wish)
        title = wish.title.strip()
        if not 0 < len(title) <= TITLE_LETTERS_MAX:
            raise InputFault(Reason.TOO_LONG, f"a title has 1 to {TITLE_LETTERS_MAX} letters")
        if not DAYS[0] <= wish.days <= DAYS[1]:
            raise InputFault(Reason.LIMIT_EXCEEDED, f"an invite lives {DAYS[0]} to {DAYS[1]} days")
        automatic = self._config.run.approval == Approval.AUTOMATIC.value
        return Invite(
            federation=self._identity.federation,
            parent=self._identity.node,
            address=self._address,
            root=to_der(self._identity.trust.root),
            token=self._randomness.bytes(TOKEN_BYTES).hex(),
            secret=self._randomness.bytes(SECRET_BYTES),
            node=self._node(wish, profile),
            profile=profile.id,
            region=wish.region,
            title=title,
            signing=wish.signing or self._dated(signing_scope(profile, wish.region), now),
            carrying=wish.carrying or self._dated(carrying_scope(profile, wish.region), now),
            expires=now + wish.days * _DAY_US,
            approval=wish.approval or (Approval.AUTOMATIC if automatic else Approval.PERSON),
        )

    def _dated(self, scope: Scope, now: int) -> Scope:
        """A default scope with the codes that its places had before, as far as this node may grant them."""
        mine = self._core().registry.newest(self._identity.node)
        found = dated_scope(divisions(), scope, iso(now)[:10]).items
        granted = mine.carrying if mine is not None else Scope()
        return Scope(tuple(i for i in found if not (i.since or i.until) or granted.holds(Scope((i,)))))

    def _profile(self, wish: Wish) -> TierProfile:
        profile = PROFILES.get(wish.profile)
        if profile is None or profile.is_root:
            raise InputFault(Reason.NOT_ENROLLED, f"'{wish.profile}' is not a profile of a node below another")
        authority = self._identity.authority
        if profile.has_own_ca and (authority is None or authority.depth < 1):
            raise InputFault(Reason.OUT_OF_SCOPE, "this node issues certificates of nodes at most, not of CAs below it")
        return profile

    def _node(self, wish: Wish, profile: TierProfile) -> str:
        """The node id, made from the profile and region: no other would count in the registry."""
        node, authority = node_id(profile, wish.region, self._identity.node), self._identity.authority
        if authority is not None and not lies_in(node, authority.domain):
            raise InputFault(Reason.OUT_OF_SCOPE, f"'{node}' lies outside {authority.domain}, where this CA may issue")
        return node

    async def _make(self, invites: Sequence[Invite], again: bool, dry_run: bool) -> list[Made]:
        now = self._writer.now()
        if dry_run:
            try:
                await self._writer.ask(lambda _, store: make_room(store, self._core(), invites, again, now))
            except InputFault as fault:
                raise _may_not(fault) from fault
            return [Made("", i.node, i.title, i.expires, "", "") for i in invites]
        lines = [Made(i.token, i.node, i.title, i.expires, write_invite(i), write_invite_file(i)) for i in invites]
        # Before they count: what cannot be audited must not happen.
        for invite in invites:
            await self._note(
                Event.INVITE_MADE,
                invite_id=invite.token,
                node=invite.node,
                profile=invite.profile,
                signing=str(invite.signing),
                carrying=str(invite.carrying),
                approval=invite.approval.value,
                again=again,
            )
        try:
            await self._writer.call(lambda t: AddJob(t, invites, self._core, again, now))
        except InputFault as fault:
            for invite in invites:
                await self._note(Event.INVITE_REFUSED, invite_id=invite.token, node=invite.node, detail=fault.detail)
            raise _may_not(fault) from fault
        return lines

    async def _change(self, which: str, step: Callable[[InviteState], InviteState]) -> InviteState:
        try:
            state: InviteState = await self._writer.call(lambda t: ChangeJob(t, which, step))
        except _Differs as fault:
            raise UserFault(
                Code.FINGERPRINT_MISMATCH,
                N_("The fingerprint differs from the one that waits."),
                N_(
                    "Do not approve. Here: telephone the other end and read it out again; if it still differs, "
                    "withdraw the invite and make a new one. There: `tiersync join` shows the fingerprint."
                ),
            ) from fault
        except UnknownInvite as fault:
            raise UserFault(
                Code.INVITE_UNKNOWN,
                N_("There is no invite of this id or for this node: {which}"),
                N_("`tiersync invite list` shows all invites, with their ids and nodes."),
                which=which,
            ) from fault
        except (InputFault, InviteSpent) as fault:
            detail = fault.detail if isinstance(fault, InputFault) else str(fault)
            raise _not_done(Code.WRONG_STATE, detail) from fault
        return state

    async def _note(self, event: Event, **fields: object) -> None:
        await asyncio.to_thread(self._audit.append, event, **fields)


class _Differs(LocalFault):
    """The fingerprint that was given is not the one that waits."""


def _may_not(fault: InputFault) -> UserFault:
    """An invite may not be made as things stand."""
    return _not_done(Code.BAD_ARGUMENT if fault.reason is Reason.OUT_OF_SCOPE else Code.WRONG_STATE, fault.detail)


def _not_done(code: Code, detail: str) -> UserFault:
    return UserFault(
        code,
        N_("The invite was not made or changed: {detail}"),
        N_("Do what the message says and try again; `tiersync invite list` shows all invites."),
        detail=detail,
    )


def _approved(state: InviteState, fingerprint: str, now: int) -> InviteState:
    if state.status is Status.PENDING and "".join(fingerprint.split()) != "".join(state.fingerprint.split()):
        raise _Differs(state.invite.node)
    return approved(state, fingerprint, now)


def _view(kept: KeptInvite, now: int) -> InviteView:
    state, invite = kept.state, kept.state.invite
    status = state.status.value
    if state.status is Status.OPEN and invite.expires <= now:
        status = "expired"
    elif state.status is Status.USED and not SubmitReply.FromString(kept.reply).chain:
        status = "awaiting"
    return InviteView(
        token=invite.token,
        node=invite.node,
        profile=invite.profile,
        region=invite.region,
        title=invite.title,
        status=status,
        approval=invite.approval.value,
        fingerprint=state.fingerprint,
        expires=invite.expires,
        changed=state.changed,
        created=kept.created,
    )
