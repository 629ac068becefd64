"""What `tiersync doctor` looks at beside the node itself: the systems that it reads, and what other systems and people
meet when they come over HTTPS."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node.cli.doctor import Finding, expiry, mode_of
from node.cli.output import moment
from node.cli.session import Session
from node.faults import UserFault, translated
from node.texts import N_, Text
from sync.errors import LocalFault

if TYPE_CHECKING:
    from node.settings import HttpSection

ROUNDS_MISSED = 3
"""Of a source's own cadence: after so many it is not read any more, whatever the reason."""
OVERDUE_LEAST_US = 3_600_000_000


# --- sources ----------------------------------------------------------------------------------------------------------


def sources(session: Session, now: int) -> Iterator[Finding]:
    """Each declared source: whether its file can be read, whether it ever was, and whether it still is."""
    from node.cli.asking import ask
    from node.sources import declared

    names = declared.names(session.home)
    if not names:
        return
    try:
        known = {one["source"]: one for one in ask(session, "sources", limit=1)["sources"]}
    except (LocalFault, UserFault, OSError):
        known = None
    for name in names:
        title = Text(N_("source {name}"), name=name)
        try:
            every_s = declared.read(session.home, name).every_s
        except UserFault as fault:
            yield Finding(title, "bad", fault.message, fault.next_step)
            continue
        if known is not None:
            yield _source(title, name, known.get(name), every_s, now, session.zone)


def _source(title: Text, name: str, state: dict[str, Any] | None, every_s: int, now: int, zone: str) -> Finding:
    service = Text(
        N_("Is `tiersync source run` running (systemctl status tiersync-sources)? Then its journal says why.")
    )
    if state is None or not (state["contact"] or state["fault"]):
        trial = Text(
            N_("`tiersync source check {name}` tries it; `tiersync source run` reads it by schedule."), name=name
        )
        return Finding(title, "odd", Text(N_("was never read")), trial)
    if state["fault"]:
        return Finding(title, "odd", Text("{fault}", fault=state["fault"]), service)
    contact = int(datetime.fromisoformat(state["contact"]).timestamp() * 1e6)
    found = Text(N_("last answered {at}"), at=moment(contact, zone))
    if now - contact > max(ROUNDS_MISSED * every_s * 1_000_000, OVERDUE_LEAST_US):
        return Finding(title, "odd", found, service)
    return Finding(title, "good", found)


# --- HTTPS ------------------------------------------------------------------------------------------------------------


def https(home: Path, settings: HttpSection, now: int, zone: str) -> Iterator[Finding]:
    """The certificate of the API and the pages: its key for its owner alone, the two together, until when, for whom."""
    if not settings.listen or not settings.certificate:
        return
    from certs.forms import micros
    from node.http.listen import tls_context

    name, key = Text(N_("HTTPS certificate")), home / settings.key
    if key.is_file():
        yield mode_of(Text(N_("HTTPS key {file}"), file=settings.key), key, "600")
    try:
        tls_context(home, settings)
        leaf = _leaf(home / settings.certificate)
    except (UserFault, LocalFault, OSError, ValueError) as error:
        fault = translated(error) if isinstance(error, UserFault | LocalFault) else None
        said = fault.message if fault is not None else Text("{detail}", detail=error)
        todo = fault.next_step if fault is not None else Text(N_("Put the files there that [http] of node.toml names."))
        yield Finding(name, "bad", said, todo)
        return
    renew = Text(N_("Get a new one from who issued it, put it in its place, and restart the node."))
    yield expiry(name, micros(leaf.not_valid_after_utc), now, zone, renew)
    yield _names(leaf, settings)


def _leaf(path: Path) -> Any:
    from cryptography import x509

    return x509.load_pem_x509_certificates(path.read_bytes())[0]


def _names(leaf: Any, settings: HttpSection) -> Finding:
    """For which names it is good: a browser takes it for no other."""
    from cryptography import x509

    from node.settings import split_address

    title = Text(N_("HTTPS names"))
    try:
        said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        said = []
    names = [str(one.value) for one in said if isinstance(one, x509.DNSName | x509.IPAddress)]
    if not names:
        todo = Text(N_("Ask its issuer for one with the name of this server as subject alternative name."))
        return Finding(title, "bad", Text(N_("the certificate names no server: no browser takes it")), todo)
    found = Text(N_("good for {names}"), names=", ".join(names))
    host = split_address(settings.listen)[0]
    if _is_certain(host) and host not in names:
        todo = Text(N_("Who comes by the address {host} is warned; use a name of the certificate."), host=host)
        return Finding(title, "odd", found, todo)
    return Finding(title, "good", found)


def _is_certain(host: str) -> bool:
    """Whether the address says by what name others come: not one that stands for every address, nor this machine's."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return not (address.is_unspecified or address.is_loopback)
