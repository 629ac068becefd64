"""The anchor: signed by the root, well formed, of this federation, and the newest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.anchor import newer, open_anchor, sign_anchor
from certs.logkey import LogKey
from sync.errors import InputFault, RemoteFault
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody
from tests.unit.certs.country import FEDERATION, NATION, country, foreign_root

LOG = LogKey.from_seed(bytes(32)).public_key


def body(**changes: object) -> AnchorBody:
    """A lawful body, with changes."""
    made = AnchorBody(
        federation=FEDERATION,
        nation=NATION,
        enrolment=2,
        suite=1,
        log_public_key=LOG,
        serial=5,
        profile="national",
        region="000000",
        title="国家平台",
        transport_key_hash=bytes(32),
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def signed(**changes: object) -> Anchor:
    """Signed by the federation's root."""
    return sign_anchor(body(**changes), country().root.key)


SIGNED = signed()


def refused(anchor: Anchor | bytes) -> Reason:
    """Why an anchor is refused."""
    with pytest.raises(RemoteFault) as caught:
        open_anchor(anchor, country().root.certificate, FEDERATION)
    return caught.value.reason


def test_an_anchor_opens_to_what_was_signed() -> None:
    """As a message or as bytes."""
    for form in (SIGNED, SIGNED.SerializeToString()):
        assert open_anchor(form, country().root.certificate, FEDERATION) == body()


def test_unknown_fields_are_under_the_signature_too() -> None:
    """The signature is over the bytes as carried, so a field of a newer version does not break it."""
    future = body()
    future.MergeFromString(b"\xf2\x3f\x03new")
    anchor = sign_anchor(future, country().root.key)
    assert open_anchor(anchor, country().root.certificate, FEDERATION).serial == 5
    assert refused(Anchor(body=body().SerializeToString(), signature=anchor.signature)) is Reason.BAD_SEAL


EVIL: dict[str, tuple[Callable[[], Anchor | bytes], Reason]] = {
    "by another root": (lambda: sign_anchor(body(), foreign_root().key), Reason.BAD_SEAL),
    "by the nation's issuing CA": (lambda: sign_anchor(body(), country().nation.key), Reason.BAD_SEAL),
    "of another federation": (lambda: signed(federation="cn-trial"), Reason.FEDERATION_MISMATCH),
    "without a signature": (lambda: Anchor(body=SIGNED.body), Reason.BAD_SEAL),
    "empty": (lambda: b"", Reason.BAD_SEAL),
    "noise": (lambda: b"\xff\xff\xff", Reason.MALFORMED),
    "too large": (lambda: bytes(300_000), Reason.LIMIT_EXCEEDED),
    "too large a body": (lambda: Anchor(body=bytes(300_000)), Reason.LIMIT_EXCEEDED),
}


@pytest.mark.parametrize("case", EVIL)
def test_is_refused(case: str) -> None:
    """Every anchor that the root did not sign for this federation is refused."""
    make, reason = EVIL[case]
    assert refused(make()) is reason


@pytest.mark.parametrize(
    "changes",
    [
        {"federation": ""},
        {"nation": "nation"},
        {"serial": 0},
        {"enrolment": 0},
        {"suite": 9},
        {"log_public_key": bytes(32)},
        {"log_public_key": LOG[:31]},
        {"transport_key_hash": b""},
    ],
    ids=str,
)
def test_an_unfit_anchor_is_not_signed(changes: dict[str, object]) -> None:
    """The root's keeper is told before the signature, not the country after it."""
    with pytest.raises(InputFault):
        signed(**changes)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_byte_of_an_anchor_is_free(place: int, change: int) -> None:
    """Whatever one byte becomes, the anchor is refused."""
    data = bytearray(SIGNED.SerializeToString())
    data[place % len(data)] ^= change
    with pytest.raises(RemoteFault):
        open_anchor(bytes(data), country().root.certificate, FEDERATION)


def test_newer_takes_the_place_of_older_and_never_back() -> None:
    """Serials decide; the same is no news; an older one, which may name a lost key, is refused."""
    assert newer(body(), None)
    assert newer(body(serial=6), body())
    assert not newer(body(), body())
    for offered, reason in (
        (body(serial=4), Reason.STALE_VERSION),
        (body(title="别名"), Reason.FORK),
        (body(serial=6, enrolment=1), Reason.ENROLMENT_FELL),
    ):
        with pytest.raises(RemoteFault) as caught:
            newer(offered, body())
        assert caught.value.reason is reason
