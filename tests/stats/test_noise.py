"""Noise on published counts: the distribution it claims, and never a second draw for the same figure."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.stats.noise import Bits, Noise, discrete_laplace

NOISE = Noise(bytes(range(32)))
NAME = ("2026-11-20", "page", "/", "views")
DRAWS = 20_000


@pytest.mark.parametrize("scale", [Fraction(1), Fraction(5, 2), Fraction(12)])
def test_draws_are_distributed_as_the_discrete_laplace_says(scale: Fraction) -> None:
    drawn = Counter(discrete_laplace(Bits(number.to_bytes(8, "big")), scale) for number in range(DRAWS))

    ratio = math.exp(-1 / scale)
    for size in range(-4, 5):
        expected = DRAWS * (1 - ratio) / (1 + ratio) * ratio ** abs(size)
        assert abs(drawn[size] - expected) < 5 * math.sqrt(expected) + 1, size  # five standard deviations
    mean = sum(size * count for size, count in drawn.items()) / DRAWS
    assert abs(mean) < 5 * math.sqrt(2) * float(scale) / math.sqrt(DRAWS)


@given(st.integers(1, 2**40), st.binary(min_size=1, max_size=8))
def test_numbers_of_a_stream_are_below_their_limit(limit: int, seed: bytes) -> None:
    bits = Bits(seed)

    assert all(0 <= bits.below(limit) < limit for _ in range(50))


def test_the_same_figure_gets_the_same_noise_so_that_nobody_averages_it_away() -> None:
    once = [NOISE.add(NAME, 500, sensitivity=10, epsilon=Fraction(1, 3)) for _ in range(20)]

    assert len(set(once)) == 1
    assert Noise(bytes(range(32))).add(NAME, 500, sensitivity=10, epsilon=Fraction(1, 3)) == once[0]


def test_another_cell_count_scale_or_secret_draws_anew() -> None:
    def drawn(**changed: object) -> list[int]:
        found = []
        for number in range(40):
            name = changed.get("name", "views")
            count, epsilon = (
                1000 + number + int(str(changed.get("more", 0))),
                changed.get("epsilon", Fraction(1, 9)),
            )
            noise = changed.get("noise", NOISE)
            assert isinstance(noise, Noise)
            assert isinstance(epsilon, Fraction)
            noised = noise.add(["a", str(number), str(name)], count, sensitivity=10, epsilon=epsilon)
            found.append(noised - count)
        return found

    plain = drawn()

    assert drawn() == plain  # the control
    for changed in (
        {"name": "visits"},
        {"more": 1},
        {"epsilon": Fraction(1, 8)},
        {"noise": Noise(bytes(32))},
    ):
        assert sum(a == b for a, b in zip(drawn(**changed), plain, strict=True)) < 10


def test_names_cannot_be_shifted_into_each_other() -> None:
    pairs = [
        [NOISE.add(name, 9000 + number, sensitivity=10, epsilon=Fraction(1, 9)) for number in range(20)]
        for name in (("ab", "c"), ("a", "bc"))
    ]

    assert pairs[0] != pairs[1]


def test_a_noised_count_is_not_below_zero() -> None:
    assert {min(NOISE.add([str(n)], 0, sensitivity=10, epsilon=Fraction(1)), 0) for n in range(50)} == {0}


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed: 32"):
        Noise(b"short")
