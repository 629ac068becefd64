"""Why the parent could not be reached. grpc says no more than 'unavailable', so we try each step by itself."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Final

from cryptography import x509

from certs.forms import to_pem
from certs.invite import Invite
from node.enrol.words import of_parent
from node.faults import Code, UserFault
from node.settings import split_address
from node.texts import N_
from sync.errors import RemoteFault
from sync.reasons import Reason

STEP_S: Final = 5.0
_NOT_YET_VALID, _HAS_EXPIRED, _OTHER_NAME = 9, 10, 62
"""OpenSSL's numbers of what a certificate's check found."""


async def why_unreachable(invite: Invite, said: str) -> UserFault:
    """Looks at name, port and TLS of the invite's address, and says what to do at both ends. `said`: grpc's words."""
    host, port = split_address(invite.address)
    try:
        await _connected(host, port, None, "")
    except socket.gaierror:
        return _unreachable(
            invite,
            N_("The name in the parent's address {address} is not known here."),
            N_(
                "Here: check the name service of this server (try `getent hosts` with the name). At the parent "
                "({parent}): if servers below cannot know the name, put the IP address into node.toml "
                "([listen] advertise_enrolment) and make a new invite."
            ),
        )
    except ConnectionRefusedError:
        return _unreachable(
            invite,
            N_("Nothing listens at {address}."),
            N_(
                "Here: nothing to do. At the parent ({parent}): check that the node runs and that [listen] enrolment "
                "in node.toml is the port of this address."
            ),
        )
    except (TimeoutError, OSError):
        return _unreachable(
            invite,
            N_("No answer from {address}: the way there is closed or the line is down."),
            N_(
                "Here: ask the network's administrator to open TCP from this server to {address}. At the parent "
                "({parent}): check its firewall and that the node runs."
            ),
        )
    return await _why_no_tls(invite, host, port, said)


async def _why_no_tls(invite: Invite, host: str, port: int, said: str) -> UserFault:
    """The port is open; what of TLS does not fit?"""
    root = to_pem([x509.load_der_x509_certificate(invite.root)]).decode()
    context = ssl.create_default_context(cadata=root)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    try:
        await _connected(host, port, context, invite.parent)
    except ssl.SSLCertVerificationError as error:
        expired = error.verify_code in (_NOT_YET_VALID, _HAS_EXPIRED)
        reason = Reason.CERTIFICATE_EXPIRED if expired else Reason.NOT_ENROLLED
        detail = "another name in it" if error.verify_code == _OTHER_NAME else error.verify_message
        return of_parent(invite, RemoteFault(reason, detail))
    except (TimeoutError, OSError):
        return _unreachable(
            invite,
            N_("What answers at {address} does not speak the enrolment protocol."),
            N_(
                "Here: look for a proxy or firewall that changes traffic. At the parent ({parent}): check that this "
                "is the port of [listen] enrolment in node.toml, not another service."
            ),
        )
    return _unreachable(
        invite,
        N_("The parent at {address} answers, but not to the enrolment ({said})."),
        N_(
            "Here: run the command again in a minute. At the parent ({parent}): read its log and `tiersync doctor`; "
            "check that this is the port of [listen] enrolment."
        ),
        said,
    )


async def _connected(host: str, port: int, context: ssl.SSLContext | None, name: str) -> None:
    """Connects and hangs up. Raises OSError (ssl.SSLError is one) or asyncio.TimeoutError."""
    opening = asyncio.open_connection(host, port, ssl=context, server_hostname=name if context else None)
    _, writer = await asyncio.wait_for(opening, STEP_S)
    writer.close()
    with suppress(OSError, asyncio.TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), STEP_S)


def _unreachable(invite: Invite, what: str, todo: str, said: str = "") -> UserFault:
    return UserFault(Code.PARENT_UNREACHABLE, what, todo, address=invite.address, parent=invite.parent, said=said)
