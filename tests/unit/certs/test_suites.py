"""Suite 1 and the log key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.forms import key_to_pem, new_key
from certs.logkey import LogKey
from certs.suites import SUITES, is_sound_key
from sync.errors import InputFault
from sync.suites import Signer, Suite, key_id

KEY = LogKey.from_seed(bytes(range(32)))
SUITE: Suite = SUITES[1]


def test_golden_key_and_signature() -> None:
    """RFC 8032, section 7.1, test 2: the suite is plain Ed25519 and plain SHA-256."""
    key = LogKey.from_seed(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert key.public_key.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert SUITE.hash(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.binary(max_size=200))
def test_what_a_key_signs_verifies_under_it_alone(message: bytes) -> None:
    """A signature holds for its message and key, and for no other."""
    signature = KEY.sign(message)
    assert SUITE.verify(KEY.public_key, signature, message)
    assert not SUITE.verify(KEY.public_key, signature, message + b"\0")
    assert not SUITE.verify(LogKey.from_seed(bytes(32)).public_key, signature, message)


@given(st.integers(0, 63), st.integers(1, 255))
def test_a_changed_signature_does_not_verify(place: int, change: int) -> None:
    """No byte of a signature is free."""
    signature = bytearray(KEY.sign(b"head"))
    signature[place] ^= change
    assert not SUITE.verify(KEY.public_key, bytes(signature), b"head")


@given(st.binary(max_size=70), st.binary(max_size=130), st.binary(max_size=10))
def test_verifying_noise_is_false_and_never_raises(key: bytes, signature: bytes, message: bytes) -> None:
    """Keys and signatures of any length are an answer, not an exception."""
    assert SUITE.verify(key, signature, message) is False


def test_the_key_travels_through_pem() -> None:
    """PKCS #8 and back is the same key; it is a Signer of suite 1 with a key id."""
    again = LogKey.from_pem(KEY.to_pem())
    signer: Signer = again
    assert again == KEY
    assert signer.suite == SUITE.number == 1
    assert again.sign(b"x") == KEY.sign(b"x")
    assert len(key_id(SUITE, signer.public_key)) == 32
    assert LogKey.generate() != LogKey.generate()


@pytest.mark.parametrize("pem", [b"", b"nonsense", key_to_pem(new_key())])
def test_other_files_are_not_log_keys(pem: bytes) -> None:
    """A P-256 key or nonsense in the place of the log key is named."""
    with pytest.raises(InputFault, match="log key file"):
        LogKey.from_pem(pem)


def test_the_private_half_never_shows() -> None:
    """Text forms, also in errors and logs, hold the public half only."""
    for text in (repr(KEY), str(KEY), f"{KEY}"):
        assert bytes(range(32)).hex() not in text
        assert repr(bytes(range(32))) not in text
        assert "PrivateKey" not in text


SOUND = {
    "a key of suite 1": (1, KEY.public_key, True),
    "a suite that is not known": (2, KEY.public_key, False),
    "a key that is too short": (1, KEY.public_key[:-1], False),
    "the neutral point": (1, b"\x01" + bytes(31), False),
    "a point of order four": (1, bytes(32), False),
    "a point of order eight with its sign": (
        1,
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
        False,
    ),
}


@pytest.mark.parametrize("case", SOUND)
def test_keys_that_may_be_enrolled(case: str) -> None:
    """Keys under which one signature fits many messages are not enrolled."""
    suite, key, sound = SOUND[case]
    assert is_sound_key(suite, key) is sound
