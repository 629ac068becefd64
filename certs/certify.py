"""A certificate for a node whose parent has no CA: asked for up the tree, issued by the first CA on the way. Pure.

The parent is the registrar: it decides and vouches. It enrols the node first, so its registry feed, which it seals and
every node above checks, says under which TLS key. A CA issues for that key and no other; so nothing in a request needs
to be believed, and whoever asks can bring about no more than one more certificate of what is registered anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from certs.authority import Authority, issue_leaf
from certs.forms import PublicKey, public_key_hash
from certs.requests import open_request
from certs.verify import Identity, Trust, verify_identity
from sync.errors import RemoteFault
from sync.reasons import Reason
from sync.registry import Enrolment, Registry


def check_wanted(registry: Registry, caller: str, node: str, csr: bytes) -> PublicKey:
    """The TLS key for which `node` may have a certificate, when `caller` asks. Each step must pass:

    1. the registry has come so far as to know the node                        UNKNOWN_ENROLMENT
    2. it is the caller, or stands somewhere below it                          NOT_OWNER
    3. it, the caller, and all between them are enrolled                       SUSPENDED
    4. the request is a sound one, made for this node                          MALFORMED, LIMIT_EXCEEDED
    5. its key is the one that the node's parent has registered                CERTIFICATE_NOT_REGISTERED

    Raises RemoteFault.
    """
    found = registry.newest(node)
    if found is None:
        raise RemoteFault(Reason.UNKNOWN_ENROLMENT, "the enrolment of the node has not come here yet")
    for enrolment in _way(registry, found, caller):
        if not enrolment.is_living:
            raise RemoteFault(Reason.SUSPENDED, f"{enrolment.node} is suspended, retired or succeeded")
    request = open_request(csr)
    if request.said != node:
        raise RemoteFault(Reason.MALFORMED, f"the request is not for {node}")
    if public_key_hash(request.public_key) != found.transport_key_hash:
        raise RemoteFault(
            Reason.CERTIFICATE_NOT_REGISTERED, f"the request is for another TLS key than {found.parent} registered"
        )
    return request.public_key


def certify(authority: Authority, node: str, key: PublicKey, now: int, serial: bytes) -> tuple[bytes, ...]:
    """The chain (DER, without the root) for a key that `check_wanted` gave. Raises InputFault as `issue_leaf`."""
    return authority.chain_of(issue_leaf(authority, node, key, now, serial))


def open_certificate(trust: Trust, now: int, node: str, key_hash: bytes, chain: Sequence[bytes]) -> Identity:
    """Checks a chain that came from above before it is passed on or kept. Raises RemoteFault as `verify_identity`, and
    CERTIFICATE_NOT_REGISTERED if it is for another key."""
    identity = verify_identity(chain, trust, now, node)
    if identity.key_hash != key_hash:
        raise RemoteFault(Reason.CERTIFICATE_NOT_REGISTERED, f"the certificate for {node} is for another TLS key")
    return identity


def _way(registry: Registry, found: Enrolment, caller: str) -> Sequence[Enrolment]:
    """The node's enrolment, then those above it up to the caller's. The registry takes no circle."""
    way = [found]
    while way[-1].node != caller:
        above = registry.newest(way[-1].parent) if way[-1].parent else None
        if above is None:
            raise RemoteFault(Reason.NOT_OWNER, f"{found.node} does not stand below {caller}")
        way.append(above)
    return way
