"""What the doctor finds of sources and of the HTTPS certificate."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from node.cli.doctor import Finding
from node.cli.examining import OVERDUE_LEAST_US, _source, https
from node.clock import SystemClock, iso
from node.settings import HttpSection
from node.texts import Text
from tests.unit.cli.conftest import Call, Country

DAY = dt.timedelta(days=1)
FOLDER = 'kind = "folder"\ndataset = "case"\nmapping = "template"\nevery = "15m"\n[folder]\npath = "/srv/in"\n'


def certificate(home: Path, *names: x509.GeneralName, days: int = 90, listen: str = "0.0.0.0:8443") -> HttpSection:
    """A certificate of its own making, with its key, as [http] names them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")]), dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - 400 * DAY).not_valid_after(now + days * DAY)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    (home / "http.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (home / "http.key").write_bytes(private)
    (home / "http.key").chmod(0o600)
    return HttpSection(listen, "http.pem", "http.key")


def found(home: Path, settings: HttpSection) -> dict[str, Finding]:
    return {str(one.name): one for one in https(home, settings, SystemClock().now_us(), "UTC")}


HOST = x509.DNSName("platform.example")
ADDRESS = x509.IPAddress(ipaddress.ip_address("10.0.0.7"))


def test_a_certificate_that_is_good_is_told_with_its_names(tmp_path: Path) -> None:
    told = found(tmp_path, certificate(tmp_path, HOST, ADDRESS))
    assert {one.verdict for one in told.values()} == {"good"}
    assert "platform.example, 10.0.0.7" in str(told["HTTPS names"].found)
    assert "days" in str(told["HTTPS certificate"].found)
    assert found(tmp_path, HttpSection("127.0.0.1:8080")) == {}
    assert found(tmp_path, HttpSection()) == {}


@pytest.mark.parametrize(
    ("names", "days", "listen", "check", "verdict"),
    [
        ((HOST,), -1, "0.0.0.0:8443", "HTTPS certificate", "bad"),
        ((HOST,), 5, "0.0.0.0:8443", "HTTPS certificate", "odd"),
        ((), 90, "0.0.0.0:8443", "HTTPS names", "bad"),
        ((HOST,), 90, "10.0.0.7:8443", "HTTPS names", "odd"),
        ((ADDRESS,), 90, "10.0.0.7:8443", "HTTPS names", "good"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_named(
    tmp_path: Path, names: tuple[x509.GeneralName, ...], days: int, listen: str, check: str, verdict: str
) -> None:
    one = found(tmp_path, certificate(tmp_path, *names, days=days, listen=listen))[check]
    assert one.verdict == verdict
    assert (one.todo is None) == (verdict == "good")


def test_a_key_open_to_others_or_of_another_certificate_is_bad(tmp_path: Path) -> None:
    settings = certificate(tmp_path, HOST)
    (tmp_path / "http.key").chmod(0o644)
    assert {name: one.verdict for name, one in found(tmp_path, settings).items()}["HTTPS key http.key"] == "bad"
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other", HOST)
    (tmp_path / "http.key").unlink()
    (tmp_path / "other" / "http.key").rename(tmp_path / "http.key")
    assert found(tmp_path, settings)["HTTPS certificate"].verdict == "bad"
    (tmp_path / "http.key").unlink()
    assert found(tmp_path, settings)["HTTPS certificate"].verdict == "bad"


NOW = 1_790_000_000_000_000


@pytest.mark.parametrize(
    ("contact", "fault", "verdict", "said"),
    [
        (0, "", "odd", "was never read"),
        (NOW - OVERDUE_LEAST_US, "", "good", "last answered"),
        (NOW - OVERDUE_LEAST_US - 1_000_000, "", "odd", "last answered"),
        (NOW, "the database is away", "odd", "the database is away"),
    ],
)
def test_a_source_that_is_not_read_is_told(contact: int, fault: str, verdict: str, said: str) -> None:
    state = {"contact": iso(contact) if contact else "", "fault": fault}
    one = _source(Text("source s"), "s", state, 900, NOW, "UTC")
    assert (one.verdict, said in str(one.found)) == (verdict, True)


def test_declared_sources_are_examined(call: Call, country: Country) -> None:
    """One that never ran, and one whose file cannot be read."""
    home = country.home("city")
    folder = Path(home) / "sources"
    folder.mkdir(exist_ok=True)
    files = {"calls-x": FOLDER, "broken-x": "nonsense = 1\n"}
    try:
        for name, text in files.items():
            (folder / f"{name}.toml").write_text(text, "utf-8")
        checks = call("--home", home, "doctor", "--json").json["checks"]
        verdicts = {one["check"]: one["verdict"] for one in checks}
        assert (verdicts["source calls-x"], verdicts["source broken-x"]) == ("odd", "bad")
        said = call("--home", home, "--lang", "zh", "doctor").out
        assert "从未读取" in said
    finally:
        for name in files:
            (folder / f"{name}.toml").unlink()
