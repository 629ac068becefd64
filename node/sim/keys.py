"""Signatures that are real and made once: what one simulated node has checked, the others need not compute again."""

from __future__ import annotations

from hashlib import sha256

from certs.logkey import LogKey
from certs.suites import ED25519_SHA256, SUITES
from sync.suites import Suite, Suites

REMEMBERED_MAX = 200_000


class RememberingSuite:
    """A suite whose answers are kept: verification is a function of its three arguments."""

    def __init__(self, below: Suite) -> None:
        self._below = below
        self._answers: dict[tuple[bytes, bytes, bytes], bool] = {}

    @property
    def number(self) -> int:
        return self._below.number

    def hash(self, data: bytes) -> bytes:
        """32 bytes."""
        return sha256(data).digest()

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """As the suite below, computed once."""
        question = (public_key, signature, message)
        answer = self._answers.get(question)
        if answer is None:
            answer = self._below.verify(public_key, signature, message)
            self.learn(question, answer)
        return answer

    def learn(self, question: tuple[bytes, bytes, bytes], answer: bool) -> None:
        """Remembers an answer, within bounds."""
        if len(self._answers) >= REMEMBERED_MAX:
            self._answers.clear()
        self._answers[question] = answer


class SimKey:
    """A log key from a seed, whose own signatures the suite need not verify again. Implements sync.suites.Signer."""

    def __init__(self, seed: bytes, suite: RememberingSuite) -> None:
        self._key = LogKey.from_seed(sha256(seed).digest())
        self._suite = suite
        self.public_key = self._key.public_key
        self.suite = ED25519_SHA256

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        signature = self._key.sign(message)
        self._suite.learn((self.public_key, signature, message), True)
        return signature


def make_suites() -> tuple[RememberingSuite, Suites]:
    """A fresh table of suites for one simulation."""
    suite = RememberingSuite(SUITES[ED25519_SHA256])
    return suite, {ED25519_SHA256: suite}
