"""The access log's line: its form, what it leaves out, and how hostile values are escaped."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.config.log import PRESETS
from cookieguard.stats import log_line as accesslog
from cookieguard.stats.anonymize import truncation
from cookieguard.stats.log_line import LogLine, combined, json_line
from cookieguard.stats.prefix_cipher import prefix_cipher

LINE = LogLine(
    address="203.0.113.0",
    time=datetime(2026, 11, 4, 5, 6, 7, tzinfo=UTC),
    method="GET",
    path=b"/products/7",
    http_version="1.1",
    status=200,
    bytes_sent=5120,
    host=b"shop.example",
)
# Apache's own grammar: no bare quote or control inside a quoted field.
QUOTED = rb'"((?:[^"\\\x00-\x1f\x7f-\xff]|\\["\\]|\\x[0-9a-f]{2})*)"'
COMBINED = re.compile(
    rb"(\S+) - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
    + QUOTED
    + rb" (\d+) (\d+) "
    + QUOTED
    + rb" "
    + QUOTED
    + rb"\n"
)


def fields(line: LogLine) -> tuple[bytes, ...]:
    match = COMBINED.fullmatch(combined(line))
    assert match, combined(line)
    return match.groups()


def test_line_is_combined_log_format() -> None:
    line = LINE._replace(referrer=b"https://shop.example/", user_agent=b"Mozilla/5.0 (X11)")

    assert combined(line) == (
        b'203.0.113.0 - - [04/Nov/2026:05:06:07 +0000] "GET /products/7 HTTP/1.1" 200 5120 '
        b'"https://shop.example/" "Mozilla/5.0 (X11)"\n'
    )


def test_missing_referrer_and_agent_are_dashes() -> None:
    assert combined(LINE).endswith(b'200 5120 "-" "-"\n')


def test_time_is_written_in_utc() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=timezone(timedelta(hours=-2)))

    assert b"[01/Jan/2027:01:30:00 +0000]" in combined(LINE._replace(time=late))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/caf%C3%A9/a%20b%22", b"/caf%C3%A9/a%20b%22"),
        (b"/a b", b"/a%20b"),
        (b"/search?q=anna@example.com", b"/search"),
        (b'/"x\\y', rb"/\"x\\y"),
        (b"/a\r\nb\x00\x85\xe2\x80\xa8", rb"/a\x0d\x0ab\x00\x85\xe2\x80\xa8"),
        (b"", b"-"),
        (b"/hosts/203.0.113.77", b"/hosts/203.0.113.0"),
        (b"/a .203.0.113.77", b"/a%20.203.0.113.0"),
    ],
)
def test_path_is_kept_without_query(path: bytes, expected: bytes) -> None:
    assert fields(LINE._replace(path=path))[1] == b"GET " + expected + b" HTTP/1.1"


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        (b"https://shop.example/a/b?q=1#f", b"https://shop.example/a/b"),
        (b"HTTPS://SHOP.example/A", b"https://shop.example/A"),
        (b"https://shop.example:443/a", b"https://shop.example:443/a"),
        (b"https://shop.example:8443/a", b"https://shop.example:8443/"),  # another port may be another's
        (b"https://news.example/a/b?q=1#f", b"https://news.example/"),
        (b"https://news.example", b"https://news.example/"),
        (b"https://news.example?q=anna", b"https://news.example/"),
        (b"https://news.example#anna", b"https://news.example/"),
        (b"https://sub.shop.example/a", b"https://sub.shop.example/"),
        (b"https://shop.example.evil.example/a", b"https://shop.example.evil.example/"),
        (b"https://anna:secret@news.example/a", b"https://news.example/"),
        (b"https://anna@shop.example@news.example/a", b"https://news.example/"),
        (b"https://news.example\\@shop.example/a", b"-"),
        (b"android-app://com.example.app/x", b"android-app://com.example.app/"),
        (b"http://203.0.113.77/a", b"http://203.0.113.0/"),
        (b"http://203.0.113.77:8080/a", b"http://203.0.113.0:8080/"),
        (b"http://[2001:db8:1:2::3]:80/a", b"http://[2001:db8:1::]:80/"),
        (b"http://[::ffff:203.0.113.77]/", b"http://[203.0.113.0]/"),
        (b"http://3405803853/a", b"http://0.0.0.0/"),
        (b"http://0xCB00714D/a", b"http://0.0.0.0/"),
        (b"http://203.113.77/", b"http://0.0.0.0/"),
        (b"about:client", b"-"),
        (b"/local", b"-"),
        (b"anna@example.com", b"-"),
        (b"https:///a", b"-"),
        (b"", b"-"),
    ],
)
def test_referrer_is_reduced(referrer: bytes, expected: bytes) -> None:
    assert fields(LINE._replace(referrer=referrer))[4] == expected


def test_own_referrer_is_told_by_host_and_port() -> None:
    line = LINE._replace(host=b"Shop.Localhost:8000", referrer=b"http://shop.localhost:8000/cart?x=1")

    assert fields(line)[4] == b"http://shop.localhost:8000/cart"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (
            b"Mozilla/5.0 Chrome/131.0.6778.86 Safari/537.36",
            b"Mozilla/5.0 Chrome/131.0.6778.86 Safari/537.36",
        ),
        (b"Chrome/120.0.0.0", b"Chrome/120.0.0.0"),
        (b"at 12:30:45", b"at 12:30:45"),
        (b"I am 203.0.113.77.", b"I am 203.0.113.0."),
        (b"999.203.0.113.77", b"999.203.0.0.77"),
        (b"1203.0.113.77", b"1203.0.113.0"),
        (b"203.000.113.077", b"203.0.113.0"),
        (b"[2001:DB8:1:2::3]", b"[2001:db8:1::]"),
        (b"2001:db8:1:2:3:4:5:6", b"2001:db8:1::"),
        (b":2001:db8:1:2::3", b"::"),
        (b"::ffff:203.0.113.77", b"203.0.113.0"),
        (b'"\\\r\n\x85\xe2\x80\xa8\x1b[31m', rb"\"\\\x0d\x0a\x85\xe2\x80\xa8\x1b[31m"),
    ],
)
def test_agent_is_kept_without_addresses(agent: bytes, expected: bytes) -> None:
    assert fields(LINE._replace(user_agent=agent))[5] == expected


def test_addresses_in_fields_are_cut_as_far_as_the_clients() -> None:
    line = LINE._replace(user_agent=b"203.0.113.77 2001:db8:1:2::3")

    assert combined(line, ipv4_prefix=16, ipv6_prefix=32).endswith(b'"203.0.0.0 2001:db8::"\n')


@given(st.integers(0, 2**32 - 1), st.binary(max_size=8), st.binary(max_size=8))
def test_no_ipv4_address_survives_in_any_field(number: int, before: bytes, after: bytes) -> None:
    address = str(IPv4Address(number)).encode()
    if address.endswith(b".0"):
        return
    text = before + b"/" + address + b"/" + after

    written = combined(LINE._replace(path=text, user_agent=text, referrer=b"https://shop.example/" + text))

    assert b"/" + address + b"/" not in written


@given(st.integers(2**100, 2**128 - 1))
def test_no_ipv6_address_survives_in_any_field(number: int) -> None:
    address = str(IPv6Address(number | 1)).encode()
    text = b"/" + address

    written = combined(LINE._replace(path=text, user_agent=text, referrer=b"https://shop.example/" + text))

    assert address not in written


junk = st.one_of(st.binary(max_size=120), st.text('"\\ \r\n?#@:/[].0f', max_size=60).map(str.encode))


@given(
    path=junk,
    referrer=junk,
    user_agent=junk,
    host=junk,
    method=st.text(max_size=8),
    version=st.text(max_size=4),
)
def test_any_request_is_one_line_of_ascii(
    path: bytes, referrer: bytes, user_agent: bytes, host: bytes, method: str, version: str
) -> None:
    line = LINE._replace(
        path=path,
        referrer=referrer,
        user_agent=user_agent,
        host=host,
        method=method,
        http_version=version,
    )

    request = fields(line)[1]

    assert request.count(b" ") == 2


@given(st.binary(min_size=3000, max_size=4000))
def test_line_stays_below_what_goaccess_reads_at_once(noise: bytes) -> None:
    line = LINE._replace(
        path=noise, referrer=b"https://shop.example/" + noise, user_agent=noise, method="M" * 99
    )

    fields(line)
    assert len(combined(line)) < 4096


PIECES = st.sampled_from(
    [
        b"203.0.113.7",
        b"2001:db8::7",
        b":",
        b"::",
        b"1:2:3:4:5:6",
        b"a",
        b"/",
        b"?q",
        b" ",
        b'"',
        b"\xff",
        b".",
    ]
)
TEXTS = st.lists(PIECES, max_size=6).map(b"".join)


@given(TEXTS, TEXTS, TEXTS)
def test_a_text_that_was_seen_before_is_written_as_the_first_time(
    path: bytes, referrer: bytes, agent: bytes
) -> None:
    line = LINE._replace(
        path=b"/" + path, referrer=b"http://shop.example/" + referrer, user_agent=b"x" + agent
    )
    known = accesslog._clean, accesslog._whole
    for one in known:
        one.clear()

    first = combined(line), json_line(line)

    assert (combined(line), json_line(line)) == first
    kept = b" ".join([*accesslog._clean, *(b" ".join(pair) for pair in accesslog._whole)])
    assert b"203.0.113.7" not in kept
    assert b"2001:db8::7" not in kept


def test_cache_of_known_texts_is_bounded() -> None:
    for number in range(3 * accesslog.TEXTS_KEPT):
        combined(LINE._replace(path=b"/%d" % number, referrer=b"http://shop.example/%d" % number))
        assert 0 < len(accesslog._clean) <= accesslog.TEXTS_KEPT
        assert 0 < len(accesslog._whole) <= accesslog.TEXTS_KEPT


def test_repr_shows_nothing_a_client_wrote() -> None:
    line = LINE._replace(path=b"/anna", referrer=b"https://anna.example", user_agent=b"anna", host=b"anna")

    assert "anna" not in repr(line)


HOSTILE = [
    *(b"/", b'/"', b"/\\", b'/\\"', b"/\\\\", b"/a b", b"/\r\n1.2.3.4 - - [x]", b"/\x00", b"/\xff\xfe"),
    *(b"/%22%5C", b"*", b"", b'/" 200 1 "', b"/\xe2\x80\xa8\xc2\x85", b"/<script>alert(1)</script>"),
    *(b"/" * 9000, b"/" + b"\x00" * 9000, b"/%s%n{}", b"/" + b'"' * 9000),
]


# How GoAccess is told of our JSON lines; the README has the same.
JSON_FORMAT = (
    '{"time":"%x","client":"%h","request":"%r","status":"%s","bytes":"%b","referrer":"%R","agent":"%u"}'
)
READ_BY: dict[str, tuple[str, ...]] = {
    "combined": ("--log-format=COMBINED",),
    "json": (f"--log-format={JSON_FORMAT}", "--datetime-format=%Y-%m-%dT%H:%M:%SZ"),
}
WRITE = {"combined": combined, "json": json_line}
MODES = {name: truncation(*bits) for name, bits in PRESETS.items()} | {
    "prefix-daily": prefix_cipher(bytes(range(32)))
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", WRITE)
def test_goaccess_reads_every_hostile_line(form: str, mode: str, tmp_path: Path) -> None:
    goaccess = shutil.which("goaccess")
    if goaccess is None:
        pytest.skip(
            "goaccess is not installed: nothing shows that it reads our lines (apt-get install goaccess)"
        )
    lines = [
        LINE._replace(
            address=MODES[mode](address),
            path=path,
            referrer=referrer,
            user_agent=path or agent,
            method=method,
            http_version=version,
        )
        for path in HOSTILE
        for referrer in (b"", b"https://shop.example" + path, b'https://x"y\\.example/', path)
        for agent in (b"", b"Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0")
        for address, method, version in (
            ("203.0.113.77", "GET", "1.1"),
            ("2001:db8:1::7", "FOO", "2"),
            ("nowhere", 'G"', "9"),
        )
    ]
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(map(WRITE[form], lines)))
    report = tmp_path / "report.json"

    command = [goaccess, str(log), *READ_BY[form], "-o", str(report), "--no-global-config"]
    subprocess.run(command, check=True, capture_output=True, timeout=240, stdin=subprocess.DEVNULL)

    general = json.loads(report.read_text(encoding="utf-8", errors="replace"))["general"]
    assert (general["failed_requests"], general["total_requests"]) == (0, len(lines))


def test_json_line_says_the_same() -> None:
    line = LINE._replace(referrer=b"https://shop.example/a?q=1", user_agent=b'A "quoted" \x1b agent')

    written = json_line(line)

    assert json.loads(written) == {
        "time": "2026-11-04T05:06:07Z",
        "client": "203.0.113.0",
        "request": "GET /products/7 HTTP/1.1",
        "status": 200,
        "bytes": 5120,
        "referrer": "https://shop.example/a",
        "agent": 'A "quoted" \\x1b agent',
    }


@given(path=junk, referrer=junk, agent=junk, method=st.text(max_size=8), version=st.text(max_size=4))
def test_any_request_is_one_json_object_on_one_line_of_ascii(
    path: bytes, referrer: bytes, agent: bytes, method: str, version: str
) -> None:
    line = LINE._replace(path=path, referrer=referrer, user_agent=agent, method=method, http_version=version)

    written = json_line(line)

    assert written.isascii()
    assert written.endswith(b"}\n")
    assert written.count(b"\n") == 1
    assert isinstance(json.loads(written), dict)


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_json_line_stays_below_what_goaccess_reads_at_once(path: bytes, agent: bytes) -> None:
    for filling in (b'"', b"\\", b"\x00", b"\xff"):
        long = filling * 3000

        line = LINE._replace(
            path=long + path, user_agent=long + agent, referrer=b"https://shop.example/" + long
        )

        assert len(json_line(line)) < 4096


def test_full_address_is_not_in_the_repr_of_a_line() -> None:
    assert "203.0.113.77" not in repr(LINE._replace(address="203.0.113.77"))


@pytest.mark.parametrize(
    ("preset", "ipv4", "ipv6"),
    [
        ("ga", "203.0.113.0", "2001:db8:1::"),
        ("cnil", "203.0.0.0", "2001:db8::"),
        ("zero", "0.0.0.0", "0.0.0.0"),
    ],
)
def test_presets_cut_as_far_as_their_rules_say(preset: str, ipv4: str, ipv6: str) -> None:
    cut = truncation(*PRESETS[preset])

    assert (cut("203.0.113.77"), cut("2001:db8:1:2:3::4")) == (ipv4, ipv6)
