"""Addresses: truncation, the client behind proxies, and keys for rate limits."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cookieguard.stats.anonymize import (
    FORWARDING_HEADERS,
    MAX_FORWARDED,
    MAX_HOPS,
    UNKNOWN,
    Networks,
    client_address,
    read_client,
    throttle_key,
    truncate,
    without_forwarding,
)

PROXIES = Networks(("10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"))
PROXY = "10.0.0.1"
KEY = bytes(range(32))

addresses4 = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
addresses6 = st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number)))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.0"),
        ("255.255.255.255", "255.255.255.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:0DB8:0001::1", "2001:db8:1::"),
        ("::ffff:203.0.113.7", "203.0.113.0"),
        ("::FFFF:cb00:7107", "203.0.113.0"),
        ("0:0:0:0:0:ffff:203.0.113.7", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("2002:cb00:7107:1::1", "2002:cb00:7100::"),  # 6to4: 48 bits would be 203.0.113.7 whole
        ("203.0.113.7 ", UNKNOWN),
        ("203.0.113", UNKNOWN),
        ("0xcb.0.113.7", UNKNOWN),
        ("203.0.113.07", UNKNOWN),
        ("[2001:db8::1]", UNKNOWN),
        ("testclient", UNKNOWN),
        ("unix:", UNKNOWN),
        ("", UNKNOWN),
        ("1.2.3.4\x00", UNKNOWN),
        ("\ud800", UNKNOWN),
        ("١.٢.٣.٤", UNKNOWN),
    ],
)
def test_truncation_keeps_the_network_only(address: str, expected: str) -> None:
    assert truncate(address) == expected


@given(address=st.one_of(addresses4, addresses6), bits4=st.integers(0, 24), bits6=st.integers(0, 48))
@example(address="::ffff:1.2.3.4", bits4=16, bits6=48)
@example(address="2002:102:304::", bits4=24, bits6=48)
def test_truncation_equals_the_standard_library(address: str, bits4: int, bits6: int) -> None:
    plain = ip_address(address)
    if isinstance(plain, IPv6Address) and plain.ipv4_mapped:
        plain = plain.ipv4_mapped
    is_six_to_four = isinstance(plain, IPv6Address) and plain.sixtofour is not None
    bits = bits4 if plain.version == 4 else min(bits6, 16 + bits4) if is_six_to_four else bits6

    expected = ip_network(f"{plain}/{bits}", strict=False).network_address

    assert ip_address(truncate(address, ipv4_prefix=bits4, ipv6_prefix=bits6)) == expected


@given(st.text())
def test_text_becomes_an_address_whatever_it_is(text: str) -> None:
    ip_address(truncate(text))


@pytest.mark.parametrize(
    ("address", "is_inside"),
    [
        ("10.200.0.1", True),
        ("11.0.0.1", False),
        ("::ffff:10.0.0.1", True),
        ("2001:db8:ffff:1::1", True),
        ("2001:db8:fffe::1", False),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("a00::1", False),  # 10.0.0.0's bytes at the front of an IPv6 address
        ("nonsense", False),
    ],
)
def test_networks_hold_their_addresses(address: str, is_inside: bool) -> None:
    assert (address in PROXIES) is is_inside


def test_mapped_network_holds_plain_addresses() -> None:
    assert "10.1.2.3" in Networks(("::ffff:10.0.0.0/104",))
    assert "203.0.113.7" not in Networks(("::/0",))


def xff(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


def forwarded(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"forwarded", value.encode("latin-1")) for value in values]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], PROXY),
        (xff("203.0.113.7"), "203.0.113.7"),
        (xff("198.51.100.1, 203.0.113.7"), "203.0.113.7"),  # the left one is the client's own claim
        (xff("198.51.100.1, 203.0.113.7, 10.0.0.9"), "203.0.113.7"),
        (xff("198.51.100.1", "203.0.113.7, 10.0.0.9", "10.0.0.8"), "203.0.113.7"),
        (xff("10.0.0.7, 10.0.0.9"), "10.0.0.7"),  # nothing but trusted hops: the first of them
        (xff("203.0.113.7:4711"), "203.0.113.7"),
        (xff("[2001:db8::1]:4711"), "2001:db8::1"),
        (xff("[2001:db8::1]"), "2001:db8::1"),
        (xff("2001:DB8:0::1"), "2001:db8::1"),
        (xff('"203.0.113.7"'), "203.0.113.7"),
        (xff("::ffff:203.0.113.7, ::ffff:10.0.0.2"), "203.0.113.7"),
        (xff("\t203.0.113.7 \t"), "203.0.113.7"),
        (xff("198.51.100.1, unknown"), UNKNOWN),
        (xff("198.51.100.1, _hidden, 10.0.0.9"), UNKNOWN),
        (xff("198.51.100.1, "), UNKNOWN),
        (xff("203.0.113.7\xa0"), UNKNOWN),
        (xff("<script>"), UNKNOWN),
        (forwarded("for=203.0.113.7"), "203.0.113.7"),
        (forwarded('For="[2001:db8::1]:4711"'), "2001:db8::1"),
        (forwarded("for=198.51.100.1, for=203.0.113.7;proto=https;by=10.0.0.1"), "203.0.113.7"),
        (forwarded("for=198.51.100.1", "proto=http; for=203.0.113.7", "for=10.0.0.9"), "203.0.113.7"),
        (forwarded(r'for="203\.0.113.7"'), "203.0.113.7"),
        (forwarded('for="a,b", for=203.0.113.7'), "203.0.113.7"),
        (forwarded("for=_hidden"), UNKNOWN),
        (forwarded("for=unknown"), UNKNOWN),
        (forwarded("for=198.51.100.1, proto=https"), UNKNOWN),  # the nearest hop does not say
        (forwarded('for="198.51.100.1, for=203.0.113.7'), UNKNOWN),  # the client opened a quote
        (forwarded('for="198.51.100.1', "for=203.0.113.7"), "203.0.113.7"),
        (forwarded("for=198.51.100.1 for=198.51.100.2"), UNKNOWN),
        (forwarded("proto=https"), PROXY),
        (forwarded("proto=https") + xff("203.0.113.7"), "203.0.113.7"),
        (forwarded("for=203.0.113.7") + xff("203.0.113.7"), "203.0.113.7"),
        (forwarded("for=198.51.100.1") + xff("203.0.113.7"), PROXY),  # one is invented, and which is unknown
        ([(b"x-real-ip", b"203.0.113.7")], PROXY),
    ],
)
def test_client_is_found_from_the_right(headers: list[tuple[bytes, bytes]], expected: str) -> None:
    assert client_address(PROXY, headers, PROXIES) == expected


@pytest.mark.parametrize("peer", ["203.0.113.99", "2001:db8::99"])
def test_headers_of_untrusted_peers_are_ignored(peer: str) -> None:
    headers = xff("198.51.100.1") + forwarded("for=198.51.100.1;proto=https")

    client = read_client(peer, headers, PROXIES)

    assert (client.address, client.scheme, client.host) == (peer, None, None)


def test_no_proxy_is_trusted_by_default() -> None:
    assert client_address(PROXY, xff("203.0.113.7"), Networks(())) == PROXY


@pytest.mark.parametrize("peer", [None, ""])
def test_unix_socket_counts_as_loopback(peer: str | None) -> None:
    assert client_address(peer, xff("203.0.113.7"), PROXIES) == "203.0.113.7"
    assert client_address(peer, xff("203.0.113.7"), Networks(("10.0.0.0/8",))) == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "scheme", "host"),
    [
        (forwarded("for=203.0.113.7;proto=https;host=Shop.Example"), "https", "shop.example"),
        (forwarded("for=1.2.3.4;proto=http, for=203.0.113.7;proto=https"), "https", None),
        (
            [(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"shop.example:8443")],
            "https",
            "shop.example:8443",
        ),
        ([(b"x-forwarded-proto", b"http, WSS")], "https", None),
        ([(b"x-forwarded-proto", b"javascript"), (b"x-forwarded-host", b'"><script>')], None, None),
        ([(b"x-forwarded-host", b"[2001:db8::1]:80")], None, "[2001:db8::1]:80"),
        ([], None, None),
    ],
)
def test_scheme_and_host_are_the_nearest_proxys(
    headers: list[tuple[bytes, bytes]], scheme: str | None, host: str | None
) -> None:
    client = read_client(PROXY, headers, PROXIES)

    assert (client.scheme, client.host) == (scheme, host)


hostile = st.one_of(
    st.binary(max_size=200),
    st.text('for="[]:,;\\ 10.0.0.1_abc%', max_size=80).map(lambda text: text.encode("latin-1")),
)
names = st.sampled_from(
    [b"x-forwarded-for", b"forwarded", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"]
)


@given(st.lists(st.tuples(names, hostile), max_size=6), st.one_of(st.none(), st.text(), st.just(PROXY)))
def test_hostile_headers_give_an_address(headers: list[tuple[bytes, bytes]], peer: str | None) -> None:
    client = read_client(peer, headers, PROXIES)

    ip_address(client.address)
    assert client.scheme in {None, "http", "https"}


@given(st.lists(hostile, max_size=4), addresses4.filter(lambda one: one not in PROXIES))
def test_forwarding_headers_of_a_client_never_choose_its_address(claims: list[bytes], real: str) -> None:
    headers = [(b"x-forwarded-for", claim) for claim in claims]
    headers += [(b"x-forwarded-for", real.encode())]

    assert client_address(PROXY, headers, PROXIES) == real


@given(hostile, addresses4.filter(lambda one: one not in PROXIES))
@example(b'for="', "203.0.113.7")
@example(b'for="\\', "203.0.113.7")
@example(b"for=198.51.100.1;x", "203.0.113.7")
def test_appended_forwarded_element_is_found_or_nothing_is(claim: bytes, real: str) -> None:
    headers = [(b"forwarded", claim + b", for=" + real.encode())]

    assert client_address(PROXY, headers, PROXIES) in {real, UNKNOWN, PROXY}


def test_endless_chains_are_not_followed() -> None:
    commas = [(b"x-forwarded-for", b"10.0.0.1," * 100_000)]
    lines = xff("203.0.113.7") + [(b"x-forwarded-for", b"10.0.0.1")] * (MAX_HOPS + 1)
    padded = [(b"forwarded", b"for=198.51.100.1," * MAX_FORWARDED + b"for=203.0.113.7")]

    assert client_address(PROXY, commas, PROXIES) == UNKNOWN
    assert client_address(PROXY, lines, PROXIES) == UNKNOWN
    assert client_address(PROXY, padded, PROXIES) == UNKNOWN


def test_client_shows_no_address() -> None:
    assert "203.0.113" not in repr(read_client("203.0.113.7", [], PROXIES))


@pytest.mark.parametrize("name", sorted(FORWARDING_HEADERS))
def test_forwarding_headers_are_dropped(name: bytes) -> None:
    kept = [
        (b"host", b"shop.example"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"shop.example"),
    ]

    assert (
        without_forwarding([kept[0], (name, b"203.0.113.7"), (name.title(), b"203.0.113.7"), *kept[1:]])
        == kept
    )


def test_headers_without_addresses_are_the_same_object() -> None:
    headers = [(b"host", b"shop.example"), (b"x-forwarded-proto", b"https")]

    assert without_forwarding(headers) is headers


def test_throttle_key_is_one_clients_for_one_purpose_and_hour() -> None:
    key = throttle_key("203.0.113.7", "login", KEY)

    assert key == throttle_key("::ffff:203.0.113.7", "login", KEY)
    assert key != throttle_key("203.0.113.8", "login", KEY)
    assert key != throttle_key("203.0.113.7", "checkout", KEY)
    assert key != throttle_key("203.0.113.7", "login", KEY[::-1])
    assert len(key) == 32


def test_throttle_key_takes_ipv6_by_64_bits() -> None:
    assert throttle_key("2001:db8:1:2::1", "login", KEY) == throttle_key("2001:db8:1:2:ffff::9", "login", KEY)
    assert throttle_key("2001:db8:1:2::1", "login", KEY) != throttle_key("2001:db8:1:3::1", "login", KEY)


@given(st.tuples(addresses4, st.text(max_size=8)), st.tuples(addresses4, st.text(max_size=8)))
def test_throttle_keys_differ_where_anything_does(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (throttle_key(*one, KEY) == throttle_key(*other, KEY)) is (one == other)


def test_throttle_key_keeps_purpose_and_address_apart() -> None:
    # Joined without a length, "login" + 1.2.3.4 in bytes would be "login\x01" + 2.3.4.x one byte on.
    assert throttle_key("65.66.67.68", "login", KEY) != throttle_key("66.67.68.69", "loginA", KEY)
    assert throttle_key("nonsense", "login", KEY) == throttle_key(UNKNOWN, "login", KEY)
