"""The prefix-preserving cipher agrees with the draft's vectors and another implementation, and preserves prefixes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from ipcrypt import pfx

from cookieguard.stats.anonymize import UNKNOWN
from cookieguard.stats.prefix_cipher import prefix_cipher

ONE = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301"
TWO = "2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a"
# draft-denis-ipcrypt, test vectors of ipcrypt-pfx.
VECTORS = [
    (ONE, "0.0.0.0", "151.82.155.134"),
    (ONE, "255.255.255.255", "94.185.169.89"),
    (ONE, "192.0.2.1", "100.115.72.131"),
    (ONE, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
    (TWO, "10.0.0.47", "19.214.210.244"),
    (TWO, "10.0.0.129", "19.214.210.80"),
    (TWO, "10.0.0.234", "19.214.210.30"),
    (TWO, "172.16.5.193", "210.78.229.136"),
    (TWO, "172.16.97.42", "210.78.179.241"),
    (TWO, "172.16.248.177", "210.78.121.215"),
    (TWO, "2001:db8::a5c9:4e2f:bb91:5a7d", "7cec:702c:1243:f70:1956:125:b9bd:1aba"),
    (TWO, "2001:db8::7234:d8f1:3c6e:9a52", "7cec:702c:1243:f70:a3ef:c8e:95c1:cd0d"),
    (TWO, "2001:db8::f1e0:937b:26d4:8c1a", "7cec:702c:1243:f70:443c:c8e:6a62:b64d"),
    (TWO, "2001:db8:3a5c::e7d1:4b9f:2c8a:f673", "7cec:702c:3503:bef:e616:96bd:be33:a9b9"),
]
KEYS = st.binary(min_size=32, max_size=32).filter(lambda key: key[:16] != key[16:])
NUMBERS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("key", "address", "expected"), VECTORS)
def test_vectors_of_the_draft(key: str, address: str, expected: str) -> None:
    assert prefix_cipher(bytes.fromhex(key))(address) == expected


@examples(max_examples=40)
@given(KEYS, NUMBERS, st.integers(0, 2**128 - 1))
def test_another_implementation_says_the_same(key: bytes, ipv4: int, ipv6: int) -> None:
    encipher = prefix_cipher(key)

    for address in (IPv4Address(ipv4), IPv6Address(ipv6)):
        if address.version == 6 and address.ipv4_mapped:
            continue
        assert encipher(str(address)) == str(pfx.encrypt(str(address), key))


@given(KEYS, NUMBERS, st.integers(0, 31))
def test_two_addresses_share_as_many_bits_as_before(key: bytes, number: int, shared: int) -> None:
    encipher = prefix_cipher(key)
    other = number ^ (1 << (31 - shared))  # the first bit that differs

    one, two = (int(IPv4Address(encipher(str(IPv4Address(each))))) for each in (number, other))

    assert 32 - (one ^ two).bit_length() == shared


def test_mapped_address_is_the_ipv4_one() -> None:
    encipher = prefix_cipher(bytes.fromhex(ONE))

    assert encipher("::ffff:192.0.2.1") == encipher("192.0.2.1") == "100.115.72.131"


@pytest.mark.parametrize("text", ["", "unix:/run/shop.sock", "192.0.2.1.5", "a" * 5000, "\0", "unknown"])
def test_what_is_no_address_is_unknown_never_the_text(text: str) -> None:
    assert prefix_cipher(bytes.fromhex(ONE))(text) == UNKNOWN


@pytest.mark.parametrize("key", [bytes(32), b"", bytes(range(16)), bytes(range(33))])
def test_weak_key_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="halves"):
        prefix_cipher(key)
