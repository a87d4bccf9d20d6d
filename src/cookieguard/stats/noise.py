"""Noise for published counts: discrete Laplace, exact, and the same for the same figure for ever.

Rule: whole numbers and fractions only. A floating-point Laplace gives the count away by the bits it cannot have
(Mironov 2012); this is the exact sampler of Canonne, Kamath and Steinke (2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b, shake_256

SECRET_BYTES = 32
_FIRST_BYTES = 128  # of a stream; most draws need a few dozen


class Noise:
    """Give noise that nobody without the secret can tell from fresh random numbers, and nobody can average away.

    A draw is derived from the figure's name, its count and its scale. Asking again gives the same number: a mean of
    many exports shows nothing. A count that changed gets another draw, so that the difference of two exports is not
    the change; so does another scale, since two scales of one draw would be two equations for one count.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"the secret has {len(secret)} bytes; allowed: {SECRET_BYTES}")
        self._secret = secret

    def add(self, name: Sequence[str], count: int, *, sensitivity: int, epsilon: Fraction) -> int:
        """Return a count with noise of scale sensitivity / epsilon; below 0 it is 0."""
        scale = sensitivity / epsilon
        seed = self._seed([*name, str(count), str(scale)])
        return max(0, count + discrete_laplace(Bits(seed), scale))

    def _seed(self, parts: Sequence[str]) -> bytes:
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return blake2b(message, key=self._secret, person=b"cg noise").digest()


class Bits:
    """Read whole numbers out of an endless stream that a seed stands for."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._size = _FIRST_BYTES
        self._stream = shake_256(seed).digest(self._size)
        self._at = 0

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit` - 1, all alike likely."""
        width = (limit - 1).bit_length()
        while True:
            number = self._take((width + 7) // 8) >> (-width % 8)
            if number < limit:
                return number

    def _take(self, count: int) -> int:
        while self._at + count > self._size:
            self._size *= 2
            self._stream = shake_256(self._seed).digest(self._size)
        self._at += count
        return int.from_bytes(self._stream[self._at - count : self._at], "big")


def discrete_laplace(bits: Bits, scale: Fraction) -> int:
    """Draw a whole number x with probability proportional to exp(-|x| / scale)."""
    while True:
        start = bits.below(scale.numerator)
        if not _has_happened(bits, Fraction(start, scale.numerator)):
            continue
        rounds = 0
        while _has_happened(bits, Fraction(1)):
            rounds += 1
        size = (start + scale.numerator * rounds) // scale.denominator
        is_negative = bits.below(2) == 1
        if not (is_negative and size == 0):  # else 0 would come twice as often
            return -size if is_negative else size


def _has_happened(bits: Bits, exponent: Fraction) -> bool:
    """Draw true with probability exp(-exponent), for an exponent from 0 to 1."""
    tries = 1
    while bits.below(exponent.denominator * tries) < exponent.numerator:
        tries += 1
    return tries % 2 == 1
