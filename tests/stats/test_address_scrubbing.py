"""A client's address is removed in every spelling, and text that only resembles one is kept."""

from __future__ import annotations

import random
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from time import process_time
from urllib.parse import quote

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import example, given
from hypothesis import strategies as st

from cookieguard.stats.address_scrubbing import STRICTEST, Reach, network_of, networks_in, scrubbed
from cookieguard.stats.anonymize import truncate
from cookieguard.stats.full_address import holds_spelling, spellings_of
from cookieguard.stats.log_line import LogLine, combined, json_line
from cookieguard.stats.text_cleaning import cleaned_field, cleaned_path
from cookieguard.stats.user_agents import read_agent

V4, V6 = IPv4Address("203.0.113.77"), IPv6Address("2001:db8:85a3:2::8a2e:7334")
Address = IPv4Address | IPv6Address
NEAR4, NEAR6 = Reach("203.0.113.0", 24, 48), Reach("2001:db8:85a3::", 24, 48)


def percent(text: str, which: str) -> str:
    return "".join(f"%{ord(one):02X}" if one in which else one for one in text)


def encoded(address: Address, encode: Callable[[bytes], bytes]) -> str:
    return encode(address.packed).decode()


def hexed(address: Address, between: str = "") -> str:
    return address.packed.hex(between) if between else address.packed.hex()


SPELLINGS: dict[str, Callable[[Address], str]] = {
    "plain": str,
    "exploded": lambda one: one.exploded,
    "upper": lambda one: str(one).upper(),
    "dots and colons encoded": lambda one: percent(str(one), ".:"),
    "encoded in lower case": lambda one: percent(str(one), ".:").lower(),
    "all encoded": lambda one: percent(str(one), "0123456789abcdef.:"),
    "encoded twice": lambda one: quote(percent(str(one), ".:")),
    "encoded three times": lambda one: quote(quote(percent(str(one), ".:"))),
    "full-width": lambda one: quote(
        str(one).translate({ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789.:"})
    ),
    "zero-width": lambda one: quote(str(one).replace(".", ".\u200b").replace(":", ":\u200b")),
    "dashed": lambda one: re.sub("[.:]", "-", str(one)),
    "dashed and exploded": lambda one: re.sub("[.:]", "-", one.exploded),
    "in a host's name": lambda one: f"ec2-{re.sub('[.:]', '-', str(one))}.provider.example",
    "dashed, behind a date": lambda one: f"2026-11-24-{re.sub('[.:]', '-', str(one))}",
    "dashed, behind two dates": lambda one: f"2026-11-24--2026-11-25-{re.sub('[.:]', '-', str(one))}",
    "dashed, before more groups": lambda one: f"{re.sub('[.:]', '-', str(one))}-1-2-3-4-5-6-8-9",
    "dashed, before a gap": lambda one: f"{re.sub('[.:]', '-', str(one))}-1--1",
    "underscored": lambda one: re.sub("[.:]", "_", str(one)),
    "integer": lambda one: str(int(one)),
    "integer, in an id": lambda one: f"id-{int(one)}.html",
    "integer, backwards": lambda one: str(int.from_bytes(one.packed, "little")),
    "hex": hexed,
    "upper hex": lambda one: hexed(one).upper(),
    "0x": lambda one: f"0x{hexed(one)}",
    "hex with dashes": lambda one: hexed(one, "-"),
    "hex with colons": lambda one: hexed(one, ":"),
    "hex among more": lambda one: f"00ff{hexed(one)}ff",
    "base64": lambda one: encoded(one, b64encode).replace("/", "%2F").replace("+", "%2B"),
    "base64 without padding": lambda one: encoded(one, urlsafe_b64encode).rstrip("="),
    "base64 of the text": lambda one: b64encode(str(one).encode()).decode(),
    "base64 of more text": lambda one: urlsafe_b64encode(f"from {one}, now".encode()).decode().rstrip("="),
}
ONLY_IPV4: dict[str, Callable[[IPv4Address], str]] = {
    "octal": lambda one: ".".join(f"0{octet:o}" for octet in one.packed),
    "hex octets": lambda one: ".".join(hex(octet) for octet in one.packed),
    "three parts": lambda one: f"{one.packed[0]}.{one.packed[1]}.{int.from_bytes(one.packed[2:], 'big')}",
    "two parts": lambda one: f"{one.packed[0]}.{int.from_bytes(one.packed[1:], 'big')}",
    "leading zeros": lambda one: ".".join(f"{octet:03}" for octet in one.packed),
    "mapped": lambda one: f"::ffff:{one}",
    "backwards": lambda one: "-".join(str(one).split(".")[::-1]),
    "reverse name": lambda one: one.reverse_pointer,
}
CASES = [(name, address, write(address)) for name, write in SPELLINGS.items() for address in (V4, V6)]
CASES += [(name, V4, write(V4)) for name, write in ONLY_IPV4.items()]


def left_of(written: bytes, address: Address, spelled: str) -> list[str]:
    """Return what a line still says: the spelling itself, the last octet, the household."""
    text = written.decode("ascii")
    last = ["7334", "8a2e"] if address.version == 6 else [r"(?<![0-9])0*77(?![0-9])"]
    known = [spelled] if spelled not in ("", "-") else []
    return [one for one in [*map(re.escape, known), *last] if re.search(one, text)]


@pytest.mark.parametrize(
    ("name", "address", "spelled"), CASES, ids=[f"{one[0]} {one[1].version}" for one in CASES]
)
@pytest.mark.parametrize("around", ["{}", "x/{}/y", "from {}.", "a={};b"])
def test_no_spelling_of_the_clients_address_stays_in_path_agent_or_referrer(
    name: str, address: Address, spelled: str, around: str
) -> None:
    text = around.format(spelled).encode()
    line = LogLine(
        address=truncate(str(address)),
        time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        method="GET",
        path=b"/" + text.replace(b" ", b"%20"),
        http_version="1.1",
        status=200,
        bytes_sent=1,
        referrer=b"https://shop.example/" + text.replace(b" ", b"%20"),
        user_agent=b"Me " + text,
        host=b"shop.example",
    )

    for _ in range(2):  # the second time from what is remembered
        for form in (combined, json_line):
            assert left_of(form(line), address, spelled) == [], form(line)
            enciphered = form(
                line._replace(address="9.9.9.9"), ipv4_prefix=0, ipv6_prefix=0, own=str(address)
            )
            assert left_of(enciphered, address, spelled) == [], enciphered


@given(st.integers(1 << 24, (224 << 24) - 1), st.sampled_from(sorted({**SPELLINGS, **ONLY_IPV4})))
def test_no_spelling_of_any_ipv4_address_stays(number: int, name: str) -> None:
    address = IPv4Address(number | 1)
    spelled = {**SPELLINGS, **ONLY_IPV4}[name](address)

    found = scrubbed(f"/a/{spelled}/b".encode(), Reach(truncate(str(address)), 24, 48))

    assert f"/{spelled}/".encode() not in found


@given(st.integers(1 << 125, (1 << 126) - 1), st.sampled_from(sorted(SPELLINGS)))
@example(1 << 125, "in a host's name")
def test_no_spelling_of_any_global_ipv6_address_stays(number: int, name: str) -> None:
    address = IPv6Address(number | 1)
    spelled = SPELLINGS[name](address)

    found = scrubbed(f"/a/{spelled}/b".encode(), Reach(truncate(str(address)), 24, 48))

    assert f"/{spelled}/".encode() not in found


@pytest.mark.parametrize("spelled", ["2400--1", "ec2-2400--1.provider.example", "2400__1"])
def test_two_groups_with_dashes_go_where_they_are_the_clients_own(spelled: str) -> None:
    text = f"/a/{spelled}/b".encode()

    own, other = Reach(truncate("2400::1"), 24, 48), Reach(truncate("2600:1f18::1"), 24, 48)
    assert b"2400" not in scrubbed(text, own)
    assert scrubbed(text, other) == text
    assert network_of(own.own) in networks_in(text)


@pytest.mark.parametrize("clean", [partial(scrubbed, reach=NEAR4), lambda text: cleaned_field(text.decode())])
@pytest.mark.parametrize(
    "piece", ["a-", "2-1-", "a_", "ab-", "a--", "2001-", "ab", "1", "1-", "1.", "a:", "QUFB-", "/%61"]
)
def test_time_grows_with_the_length_of_a_hostile_text_not_with_its_square(
    piece: str, clean: Callable[[bytes], object]
) -> None:
    def cpu(length: int) -> float:
        text = (piece * length).encode()[:length]
        return min(timed(partial(clean, text)) for _ in range(5))

    cpu(100)  # warm
    assert cpu(4000) < 9 * cpu(1000) + 0.001  # linear 4, its square 16


def timed(act: Callable[[], object]) -> float:
    began = process_time()
    act()
    return process_time() - began


USUAL = [
    "/",
    "/products/blue-shirt-xl",
    "/orders/1004217",
    "/orders/2026-11-24-1004217",
    "/orders/3405803783-A",
    "/blog/2026/11/24/black-friday",
    "/export/2026-11-24--2026-11-25",
    "/rooms/2026-11-24--2026-11-25--2-0",
    "/rooms/2026-11-24_2026-11-25--2",
    "/report/2026-11-24-2026-11-25-10-30-00-1-2",
    "/backup-2026-11-24-12-30-05.zip",
    "/at/12:30:45",
    "/season/2024--2025",
    "/ring-sizes-10-12-14-16",
    "/static/app.3f2a9c81d4e5.js",
    "/static/d41d8cd98f00b204e9800998ecf8427e.css",
    "/u/550e8400-e29b-41d4-a716-446655440000",
    "/jquery-3.7.1.min.js",
    "/caf%C3%A9/gr%C3%B6%C3%9Fe",
    "/search/%22new%20shoes%22",
    "/image/w_300,h_200,c_fill/shoe.jpg",
    "/isbn/978-3-16-148410-0",
    "/ean/4006381333931",
    "/token/eyJhbGciOiJIUzI1NiJ9",
    "/added-decade-facade",
    "/block__element--modifier",
    "/dead-beef--cafe",
    "/accessories",
    "/search",
    "/1732450000",
    "/card/1111-2222-3333-4444",
    "/apple-iphone-15-pro-max-256-gb",
    "/%E2%9C%93",
    "/a+b_c",
]
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007) AppleWebKit/537.36 Chrome/131.0.6778.86 Mobile",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148",
    "curl/8.5.0",
    "python-requests/2.32.3",
]


@pytest.mark.parametrize("near", [NEAR4, NEAR6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("text", USUAL + AGENTS)
def test_what_only_looks_like_an_address_stays(text: str, near: Reach) -> None:
    if text != "/orders/3405803783-A":  # the one that is this client's very address
        assert scrubbed(text.encode(), near) == text.encode()
    assert scrubbed(text.encode(), STRICTEST) == text.encode()
    elsewhere = Reach("198.51.100.0", near.ipv4, near.ipv6)
    assert scrubbed(text.encode(), elsewhere) == text.encode()


def test_thousands_of_usual_texts_are_left_unchanged() -> None:
    source = random.Random(3)
    days = [
        datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=source.randrange(4_000_000)) for _ in range(500)
    ]
    texts = [f"/report/{day:%Y-%m-%d}/{day:%Y-%m-%d-%H-%M-%S}/{day:%Y%m%d%H%M%S}" for day in days]
    texts += [f"/order/{source.randrange(10**6, 10**12)}" for _ in range(3000)]
    texts += [
        f"/static/{source.randbytes(size).hex()}.js" for size in (4, 8, 10, 16, 20, 32) for _ in range(500)
    ]
    texts += [
        f"/s/{urlsafe_b64encode(source.randbytes(size)).decode()}"
        for size in (12, 15, 18, 24)
        for _ in range(500)
    ]
    texts += [f"lib-{source.randrange(20)}.{source.randrange(30)}.{source.randrange(99)}" for _ in range(500)]
    agents = [one for crawler in CRAWLER_USER_AGENTS_DATA for one in crawler["instances"] if one.isascii()]

    changed = [text for text in texts if scrubbed(text.encode(), NEAR4) != text.encode()]
    changed_agents = [text for text in agents if scrubbed(text.encode(), NEAR4) != text.encode()]

    print(
        f"{len(changed)} of {len(texts)} texts and {len(changed_agents)} of {len(agents)} agents of bots changed"
    )
    print(changed[:5], changed_agents[:20])
    assert changed == []
    # Long versions of old phones
    assert [one for one in changed_agents if not re.search(r"\d(\.\d{1,3}){3}|::", one)] == []
    assert len(changed_agents) <= len(agents) // 50


@pytest.mark.parametrize(
    "spelled", ["2001-db8-85a3-2--8a2e-7334", "MjAzLjAuMTEzLjc3", "ywBxTQ==", "203%252E0%252E113%252E77"]
)
def test_statistics_keep_no_spelling_as_a_page_a_campaign_or_the_name_of_a_bot(spelled: str) -> None:
    page, campaign = cleaned_path(f"/from/{spelled}", folds_ids=True), cleaned_field(f"from {spelled}")
    bot = read_agent(f"{spelled}-bot/1.0 (+https://bots.example)".encode())

    assert (page, campaign) == ("/from/{id}", "from (address)")
    assert spelled not in bot.browser


@pytest.mark.parametrize("address", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("name", ["integer", "hex", "upper hex", "base64 without padding"])
def test_a_text_tells_the_clients_own_address(name: str, address: Address) -> None:
    text = f"x {SPELLINGS[name](address)} y"

    assert holds_spelling(text, spellings_of(str(address)))
    assert not holds_spelling(text, spellings_of(str(ip_address(int(address) + 1))))
