"""Who a node is: what its whole home says, with all checks of custody, for the start of the node."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509

from certs import files
from certs.anchor import open_anchor
from certs.authority import Authority
from certs.files import HomeFiles
from certs.forms import key_to_pem, micros, public_key_hash, to_der, to_pem
from certs.logkey import LogKey
from certs.proof import short_fingerprint
from certs.verify import Identity, Trust, verify_authority, verify_identity
from node.config import CONFIG_NAME, Config, load_file
from node.enrol.home import NodeKeys, check_finished, custody, load_keys
from node.faults import Code, UserFault
from node.texts import N_
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import AnchorBody
from tiers.profile import PROFILES, TierProfile


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who a node is, as its home says. The text form never shows a private key."""

    node: str
    federation: str
    trust: Trust
    own: Identity
    """The verified certificate; `own.not_after` (microseconds since 1970) is when links will no longer be had."""
    chain: tuple[bytes, ...]
    """DER: the certificate, then its issuers without the root."""
    log_key: LogKey
    authority: Authority | None
    """What this node issues with; None where its profile has no CA."""
    anchor: bytes
    """Serialised, its signature checked. The store may know a newer one."""
    nation: str
    chain_pem: bytes
    root_pem: bytes
    transport_key_pem: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Short, of both keys, for two people on the phone."""
        return short_fingerprint(self.own.key_hash, self.log_key.public_key)

    def renewed(self, own: Identity, chain: tuple[bytes, ...]) -> NodeIdentity:
        """The same node with another certificate for the same key, which was verified."""
        assert own.key_hash == self.own.key_hash
        pem = to_pem([x509.load_der_x509_certificate(der) for der in chain])
        return replace(self, own=own, chain=chain, chain_pem=pem)


def read_home(home: Path, now: int) -> tuple[Config, NodeIdentity]:
    """Configuration and identity of a whole home. `now`: microseconds since 1970.

    Raises UserFault: HOME_MISSING, ENROLMENT_PENDING (a set-up was not finished), what `load_file` and
    `load_identity` raise.
    """
    if not home.is_dir():
        raise UserFault(
            Code.HOME_MISSING,
            N_("There is no folder {home}."),
            N_("Give the node's folder with --home or TIERSYNC_HOME."),
            home=home,
        )
    check_finished(home)
    config = load_file(home / CONFIG_NAME)
    return config, load_identity(home, config, now)


def load_identity(home: Path, config: Config, now: int) -> NodeIdentity:
    """Who the node of a whole home is. `now`: microseconds since 1970.

    An expired certificate is no fault here: the node goes on without its links (`own.not_after` tells).
    Raises UserFault: HOME_PERMISSIONS (open to others), KEY_CUSTODY (missing, open or damaged file),
    CERTIFICATE_UNFIT (what lies in the home does not belong together), ENROLMENT_PENDING (a join was not finished).
    """
    _check_home(home)
    paths = HomeFiles(home)
    profile = PROFILES[config.node.tier]
    keys = load_keys(home, profile.has_own_ca)
    with custody():
        leaf, root = files.load_certificates(paths.leaf), files.load_certificates(paths.root)
        authority = files.load_authority(paths.ca_key, paths.ca) if profile.has_own_ca else None
        anchor = files.load_public(paths.anchor)
        trust = Trust.of(root[0])
    chain = tuple(to_der(c) for c in leaf)
    try:
        own, body = _verified(config, profile, keys, leaf, trust, anchor, authority, now)
    except (RemoteFault, InputFault) as fault:
        raise UserFault(
            Code.CERTIFICATE_UNFIT,
            N_("The keys and certificates in {home} do not belong together: {detail}"),
            N_("Take the home from the last backup; if there is none, join again with a new invite."),
            home=home,
            detail=fault.detail,
        ) from fault
    return NodeIdentity(
        node=config.node.node_id,
        federation=config.node.federation,
        trust=trust,
        own=own,
        chain=chain,
        log_key=keys.log,
        authority=authority,
        anchor=anchor,
        nation=body.nation,
        chain_pem=to_pem(leaf),
        root_pem=to_pem(root[:1]),
        transport_key_pem=key_to_pem(keys.transport),
    )


def _check_home(home: Path) -> None:
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserFault(
            Code.HOME_PERMISSIONS,
            N_("{home} is open to other users (mode {mode})."),
            N_("Run chmod 700 on it, and think about whether somebody has read the keys."),
            home=home,
            mode=f"{mode:04o}",
        )


def _verified(
    config: Config,
    profile: TierProfile,
    keys: NodeKeys,
    leaf: tuple[x509.Certificate, ...],
    trust: Trust,
    anchor: bytes,
    authority: Authority | None,
    now: int,
) -> tuple[Identity, AnchorBody]:
    """Each step must pass, or it raises RemoteFault:

    1. the certificate is this node's, under the home's root, at a moment of its life
    2. it is for the transport key in the home
    3. the CA certificate, if there is one, is this node's
    4. the anchor is signed by the root, of this federation; at the nation it names the keys in the home
    """
    moment = _moment(leaf, now)
    own = verify_identity([to_der(c) for c in leaf], trust, moment, config.node.node_id)
    if own.key_hash != public_key_hash(keys.transport.public_key()):
        raise RemoteFault(Reason.CERTIFICATE_NOT_REGISTERED, "the certificate is not for the transport key beside it")
    if authority is not None:
        chain = [to_der(c) for c in authority.chain]
        verify_authority(chain, trust, _moment(authority.chain, now), config.node.node_id)
    body = open_anchor(anchor, trust.root, config.node.federation)
    if profile.is_root:
        said = (body.nation, body.log_public_key, body.transport_key_hash)
        if said != (config.node.node_id, keys.log.public_key, own.key_hash):
            raise RemoteFault(Reason.NOT_ENROLLED, "the anchor names another nation or other keys than this node's")
    return own, body


def _moment(chain: tuple[x509.Certificate, ...], now: int) -> int:
    """`now`, or the nearest moment of the chain's life: a node whose certificate has run out still starts."""
    since = max(micros(c.not_valid_before_utc) for c in chain)
    until = min(micros(c.not_valid_after_utc) for c in chain)
    return max(since, min(now, until))
