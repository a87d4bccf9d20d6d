"""The fast path for IPv4 addresses truncates them as the full parser does, or leaves them to it."""

import random

import pytest

from cookieguard.stats.anonymize import truncation
from cookieguard.web.http import dotted_quad
from cookieguard.web.http.dotted_quad import network_24

FULL = truncation(24, 48)
QUADS = ["203.0.113.77", "198.51.100.0", "0.0.0.0", "255.255.255.255", "10.1.2.3", "1.0.10.100", "127.0.0.1"]
LEFT = [
    "",
    ".",
    "...",
    "1.2.3",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    "1.2.3.4.5",
    "1.2.3.4.",
    "1.2.3.256",
    "256.2.3.4",
    "1.2.3.4294967300",
    "1.2.3.18446744073709551620",
    "01.2.3.4",
    "1.2.3.04",
    "1.2.3.00",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4\0",
    "1.2.3.4\n",
    "+1.2.3.4",
    "1.2.3.-4",
    "1.2.3.4:80",
    "0x1.2.3.4",
    "1.2.3.\N{ARABIC-INDIC DIGIT FOUR}",
    "1.2.3.\N{FULLWIDTH DIGIT FOUR}",
    "1.2.3.4\N{GRINNING FACE}",
    "\ud800.2.3.4",
    "::1",
    "::ffff:203.0.113.9",
    "2001:db8::7",
    "testclient",
    "1" * 5000,
    "." * 5000,
]


@pytest.mark.parametrize("address", QUADS)
def test_quad_loses_its_last_number(address: str) -> None:
    short = network_24(address)

    assert short in ("", FULL(address))
    if dotted_quad.__file__.endswith(".so"):
        assert short == address.rpartition(".")[0] + ".0"


@pytest.mark.parametrize("address", LEFT)
def test_anything_else_is_left_to_the_full_reading(address: str) -> None:
    assert network_24(address) == ""


def test_any_address_is_truncated_as_by_the_full_parser_or_left_to_it() -> None:
    rnd = random.Random(24)
    pieces = ["0", "1", "9", "25", "255", "256", "00", "007", ".", ".", ".", ":", "a", "", " ", "1.2.3.4"]

    for _ in range(20_000):
        address = "".join(rnd.choices(pieces, k=rnd.randrange(1, 9)))
        assert network_24(address) in ("", FULL(address)), address
