"""Making a node's home.

    found_nation    the root, the nation's CA, keys, certificate, anchor: a federation begins
    found_child     the home of a node whose parent has enrolled it (node/enrol/client.py)

Who the node of a whole home is, node/identity.py reads.

Each step writes one file whole and durably; what is found half made is gone on with, keys first of all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography import x509

from certs import files
from certs.anchor import open_anchor, sign_anchor
from certs.authority import Authority, issue_ca, issue_leaf, make_root
from certs.files import HomeFiles, RootFiles
from certs.forms import PrivateKey, fingerprint, micros, new_key, public_key_hash
from certs.invite import Invite
from certs.join import Enrolled, Reply
from certs.proof import short_fingerprint
from node import config as configs
from node.clock import Clock, Randomness
from node.config import CONFIG_NAME, Config, ListenSection, NodeSection, ParentSection
from node.enrol.home import (
    Begun,
    NodeKeys,
    check_free,
    custody,
    drop_marker,
    keep_keys,
    locked_home,
    make_store,
    write_marker,
)
from node.faults import Code, UserFault
from node.golive import drop_kept, put_back, with_kept
from node.identity import NodeIdentity, load_identity, read_home
from node.store.home import write_durably
from node.texts import N_
from sync.errors import InputFault, RemoteFault
from sync.wire.v1.entry_pb2 import AnchorBody
from tiers.profile import PROFILES, node_id

__all__ = [
    "Founded",
    "NodeIdentity",
    "check_config",
    "child_config",
    "found_child",
    "found_nation",
    "load_identity",
    "read_home",
]

SERIAL_BYTES: Final = 16
ROOT_ANCHOR: Final = "anchor.bin"
"""The newest anchor, kept beside the root too: whoever holds the root must know what it has signed."""


@dataclass(frozen=True, slots=True)
class Founded:
    """A federation that has begun. Fingerprints: of the root (SHA-256, hex), and the nation's keys for the phone."""

    node: str
    root_fingerprint: str
    fingerprint: str
    not_after: int


# --- the nation -------------------------------------------------------------------------------------------------------


def found_nation(
    home: Path,
    root_dir: Path,
    federation: str,
    region: str,
    title: str,
    listen: ListenSection,
    clock: Clock,
    randomness: Randomness,
    passphrase: bytes = b"",
    approval: str = "by_hand",
) -> Founded:
    """Makes the home of the topmost node, and the off-line root in `root_dir` unless one is there already.

    Given again after a crash it goes on with the keys that were made. Raises UserFault: FILE_EXISTS (a node is there,
    or this root has anchored other keys), CONFIG_INVALID, BAD_ARGUMENT, KEY_CUSTODY, PASSPHRASE, HOME_IN_USE; OSError.
    """
    profile = next(p for p in PROFILES.values() if p.is_root)
    try:
        node = node_id(profile, region, federation)
    except InputFault as fault:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("No node can have this name: {detail}."),
            N_("Give a division code of this tier, and a federation of lower-case letters, digits and hyphens."),
            detail=fault.detail,
        ) from fault
    config = Config(NodeSection(federation, node, profile.id, region, title), listen=listen)
    config = with_kept(home, replace(config, run=replace(config.run, approval=approval)))
    check_config(home, config)
    if root_dir.absolute().is_relative_to(home.absolute()):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("The root's folder {folder} lies inside the node's home."),
            N_("Choose a folder elsewhere, best on a medium that is kept in a safe: the root stays off-line."),
            folder=root_dir,
        )
    with locked_home(home, clock):
        check_free(home, Begun.FOUNDING)
        write_marker(home, Begun.FOUNDING, {"federation": federation, "node": node})
        now = clock.now_us()
        root = _root(root_dir, federation, passphrase, now, randomness)
        keys = keep_keys(home, with_ca=True)
        anchor = _anchor(root_dir, root, config, keys)
        leaf = _issue_own(home, root, node, keys, now, randomness)
        _write_home(home, config, root.certificate, anchor, randomness)
        drop_marker(home, Begun.FOUNDING)
    transport_hash = public_key_hash(keys.transport.public_key())
    return Founded(
        node,
        fingerprint(root.certificate).hex(),
        short_fingerprint(transport_hash, keys.log.public_key),
        micros(leaf.not_valid_after_utc),
    )


def _root(folder: Path, federation: str, passphrase: bytes, now: int, randomness: Randomness) -> Authority:
    """The root of the folder, made now if there is none."""
    paths = RootFiles(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with custody():
        if not paths.key.exists():
            if paths.certificate.exists():
                raise files.CustodyFault(f"{paths.certificate} is there, and its key {paths.key} is missing")
            files.save_private_key(paths.key, new_key(), passphrase)
        key = _root_key(paths.key, passphrase)
        if not paths.certificate.exists():
            made = make_root(federation, key, now, randomness.bytes(SERIAL_BYTES))
            files.save_certificates(paths.certificate, made.certificate)
        root = Authority(key, files.load_certificates(paths.certificate))
    if root.federation != federation:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("The root in {folder} is of the federation '{found}', not '{wanted}'."),
            N_("Give that federation's name, or another folder for a new root."),
            folder=folder,
            found=root.federation,
            wanted=federation,
        )
    return root


def _root_key(path: Path, passphrase: bytes) -> PrivateKey:
    try:
        return files.load_private_key(path, passphrase)
    except InputFault as fault:
        raise UserFault(
            Code.PASSPHRASE,
            N_("The root key {file} cannot be opened: {detail}"),
            N_("Give the root's passphrase as it was set; without it this root cannot be used."),
            file=path,
            detail=fault.detail,
        ) from fault


def _issue_own(
    home: Path, root: Authority, node: str, keys: NodeKeys, now: int, randomness: Randomness
) -> x509.Certificate:
    """The nation's CA certificate and its own leaf."""
    assert keys.authority is not None
    paths = HomeFiles(home)
    certificate = issue_ca(root, node, keys.authority.public_key(), now, randomness.bytes(SERIAL_BYTES))
    authority = Authority(keys.authority, (certificate, *root.issuers))
    leaf = issue_leaf(authority, node, keys.transport.public_key(), now, randomness.bytes(SERIAL_BYTES))
    files.save_certificates(paths.ca, *authority.chain)
    files.save_certificates(paths.leaf, leaf, *authority.issuers)
    return leaf


def _anchor(folder: Path, root: Authority, config: Config, keys: NodeKeys) -> bytes:
    """The first anchor, signed by the root; the same one again if it was signed before.

    Two anchors of one serial would be a fork at the very top, so what was signed lies beside the root.
    """
    node = config.node
    body = AnchorBody(
        federation=node.federation,
        nation=node.node_id,
        enrolment=1,
        suite=keys.log.suite,
        log_public_key=keys.log.public_key,
        serial=1,
        profile=node.tier,
        region=node.region,
        title=node.title,
        transport_key_hash=public_key_hash(keys.transport.public_key()),
    )
    kept = folder / ROOT_ANCHOR
    if not kept.exists():
        data = sign_anchor(body, root.key).SerializeToString()
        files.save_public(kept, data)
        return data
    data = files.load_public(kept)
    try:
        held = open_anchor(data, root.certificate, node.federation)
    except RemoteFault as fault:
        raise UserFault(
            Code.CERTIFICATE_UNFIT,
            N_("The anchor beside the root ({file}) does not verify: {detail}"),
            N_("Take the root's folder from its backup; do not use this copy."),
            file=kept,
            detail=fault.detail,
        ) from fault
    if (held.log_public_key, held.transport_key_hash) != (body.log_public_key, body.transport_key_hash):
        raise UserFault(
            Code.FILE_EXISTS,
            N_("This root has anchored {node} with other keys already."),
            N_("Put that node's home back from its backup, or found a federation of another name with a new root."),
            node=held.nation,
        )
    return data


# --- the others -------------------------------------------------------------------------------------------------------


def found_child(
    home: Path,
    invite: Invite,
    reply: Reply,
    enrolled: Enrolled,
    keys: NodeKeys,
    exchange_address: str,
    listen: ListenSection,
    randomness: Randomness,
) -> None:
    """Writes the home of a node that was enrolled; `reply` is what `enrolled` was opened from.

    The caller holds the home's lock, and the keys lie in the home. Given again it writes the same again.
    Raises UserFault FILE_EXISTS, CONFIG_INVALID; HomeFault, StoreFault, OSError.
    """
    check_free(home, Begun.JOINING)
    config = with_kept(home, child_config(invite, exchange_address, listen))
    check_config(home, config)
    assert keys.log.public_key == enrolled.record.log_public_key
    paths = HomeFiles(home)
    if enrolled.authority:
        files.save_certificates(paths.ca, *enrolled.authority)
    files.save_certificates(paths.leaf, *(x509.load_der_x509_certificate(der) for der in reply.chain))
    _write_home(home, config, invite.root, reply.anchor.SerializeToString(), randomness)
    drop_marker(home, Begun.JOINING)


def child_config(invite: Invite, exchange_address: str, listen: ListenSection) -> Config:
    """The configuration that an invite and the parent's reply amount to."""
    return Config(
        NodeSection(invite.federation, invite.node, invite.profile, invite.region, invite.title),
        ParentSection(invite.parent, exchange_address),
        listen,
    )


def check_config(home: Path, config: Config) -> None:
    """Raises UserFault CONFIG_INVALID with everything that is wrong: what is written must be readable."""
    configs.load(str(home / CONFIG_NAME), configs.render(config))


def _write_home(
    home: Path, config: Config, root: x509.Certificate | bytes, anchor: bytes, randomness: Randomness
) -> None:
    """What every home has beside keys and certificates; node.toml last, for it makes the home whole."""
    paths = HomeFiles(home)
    certificate = x509.load_der_x509_certificate(root) if isinstance(root, bytes) else root
    files.save_certificates(paths.root, certificate)
    files.save_public(paths.anchor, anchor)
    make_store(home, randomness)
    put_back(home)
    write_durably(home / CONFIG_NAME, configs.render(config).encode())
    drop_kept(home)
