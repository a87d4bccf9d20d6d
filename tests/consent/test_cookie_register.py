"""The register of cookies: names and patterns, which cookies are held, and the headers that remove them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard import ConfigError, Vendor
from cookieguard.config import OwnCookie
from cookieguard.consent import CookieRegister, site_of
from cookieguard.consent.cookie_register import (
    MOST_REMOVAL_BYTES,
    NAMES_KEPT,
    cookie_name_of,
    is_removal,
    paths_above,
    removal_lines,
)
from cookieguard.identity import parse_cookies

REFUSED = frozenset({"necessary"})
COUNT = Vendor(name="Count", purpose="statistics", hosts=("count.example",), cookies=("_ga", "_ga_*"))
ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), cookies=("_ga_ads*", "_ad"))
OWN = (
    OwnCookie(name="sessionid", purpose="necessary"),
    OwnCookie(name="lang", purpose="preferences"),
    OwnCookie(name="_ga_needed", purpose="necessary"),
)


def register(undeclared: str = "report") -> CookieRegister:
    return CookieRegister(vendors=(COUNT, ADS), own=OWN, ours=("__Host-cg_consent",), undeclared=undeclared)


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        (b"_ga", "statistics"),
        (b"_ga_", "statistics"),
        (b"_ga_ABC", "statistics"),
        (b"_ga_ads1", "marketing"),  # the longest pattern
        (b"_ga_needed", "necessary"),  # the exact name before any pattern
        (b"_gat", "!report"),
        (b"_GA", "!report"),  # names know capitals
        (b"lang", "preferences"),
        (b"lang2", "!report"),
        (b"__Host-cg_consent", "necessary"),
    ],
)
def test_a_cookie_is_what_its_most_exact_declaration_says(name: bytes, purpose: str) -> None:
    assert register().use_of(name).purpose == purpose


@pytest.mark.parametrize(("undeclared", "held"), [("report", False), ("marketing", True), ("block", True)])
def test_undeclared_cookie_is_held_as_the_setting_says(undeclared: str, held: bool) -> None:
    known = register(undeclared)

    assert known.holds(b"mystery", REFUSED) is held
    assert known.holds(b"mystery", REFUSED | {"marketing"}) is (undeclared == "block")
    assert not known.holds(b"__Host-cg_consent", REFUSED)
    assert not known.holds(b"sessionid", REFUSED)


def test_the_names_browsers_send_are_remembered_within_bounds() -> None:
    known = register()

    for number in range(2 * NAMES_KEPT):
        known.use_of(b"n%d" % number)

    assert len(known._known) <= NAMES_KEPT


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (b"sessionid=1; _ga=2; x=3", b"sessionid=1; x=3"),
        (b"_ga=2;sessionid=1", b"sessionid=1"),
        (b'  _ga =2; sessionid="a=b"  ', b'sessionid="a=b"'),
        (b"_ga=1; _ga_X=2; _ga", b""),
        (b"=_ga=1; a", b"a"),  # a nameless cookie that looks like one
        (b"a=1;; b=2;", b"a=1;; b=2;"),
        (b"\xa0_ga=1; x=3", b"x=3"),  # another name, but not to Starlette and Django
        (b"x=3; a=1 _ga=1; $x _ga=2", b"x=3"),  # to http.cookies
        (b"x=3; a=1 b=_ga", b"x=3; a=1 b=_ga"),
    ],
)
def test_the_header_shown_holds_the_others_byte_for_byte(header: bytes, shown: bytes) -> None:
    assert register().shown(header, REFUSED) == shown
    assert register().shown(header, REFUSED | {"statistics"}) == header.strip(b" ")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"_ga=1; Path=/", b"_ga"),
        (b" _ga = 1", b"_ga"),
        (b"=_ga=1", b"_ga"),
        (b"_ga", b"_ga"),
        (b"_ga; Path=/", b"_ga"),
        (b"", b""),
    ],
)
def test_a_line_is_known_by_what_the_browser_will_send_back(line: bytes, name: bytes) -> None:
    assert cookie_name_of(line) == name


@pytest.mark.parametrize(
    ("line", "removes"),
    [
        (b"a=; Max-Age=0", True),
        (b"a=; path=/;max-age = -1", True),
        (b"a=1; Max-Age=00; Path=/", True),
        (b"a=1; Max-Age=0; Max-Age=100", False),
        (b"a=1; Max-Age=100", False),
        (b"a=1; Max-Age=0x10", False),
        (b"Max-Age=0", False),
        (b"a=1", False),
        (b"a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        (b"a=; expires = Thursday, 01-Jan-70 00:00:10 UTC;Path=/", True),
        (b"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=100", False),
        (b"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=Thu, 01 Jan 2070 00:00:00 GMT", False),
        (b"a=1; Expires=Thu, 01 Jan 2070 00:00:00 GMT", False),
        (b"a=1; Expires=2070 Thu, 01 Jan 1970 00:00:00 GMT", False),
        (b"a=1; Expires=Thu, 01-Jan-69 00:00:00 GMT", False),
    ],
)
def test_only_a_line_that_ends_the_cookie_counts_as_a_removal(line: bytes, removes: bool) -> None:
    assert is_removal(line) is removes


def test_a_cookie_is_removed_on_each_domain_and_path_it_can_lie_on() -> None:
    lines = removal_lines(
        [b"_ga"],
        site=site_of("www.shop.example"),
        paths=paths_above("/en/cart"),
        secure=True,
        turn=0,
        most=MOST_REMOVAL_BYTES,
    )

    assert lines[0] == b"_ga=; Max-Age=0; Path=/; Secure"
    assert b"_ga=; Max-Age=0; Path=/; Domain=www.shop.example; Secure" in lines
    assert b"_ga=; Max-Age=0; Path=/; Domain=shop.example; Secure" in lines
    assert b"_ga=; Max-Age=0; Path=/en; Domain=shop.example; Secure" in lines
    assert b"_ga=; Max-Age=0; Path=/; Domain=shop.example; Secure; Partitioned" in lines
    assert not any(b"Domain=example" in line for line in lines)
    assert len(set(lines)) == len(lines) == 3 * (4 + 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "github.io", "shop"])
def test_a_host_without_a_site_has_no_domain_to_remove_from(host: str) -> None:
    lines = removal_lines(
        [b"_ga"], site=site_of(host), paths=(), secure=False, turn=0, most=MOST_REMOVAL_BYTES
    )

    assert lines == [b"_ga=; Max-Age=0; Path=/"]


def test_a_prefixed_name_is_removed_only_as_its_prefix_allows() -> None:
    options = {"site": site_of("shop.example"), "paths": ("/a",), "turn": 0, "most": MOST_REMOVAL_BYTES}

    assert removal_lines([b"__Host-x"], secure=True, **options) == [
        b"__Host-x=; Max-Age=0; Path=/; Secure",
        b"__Host-x=; Max-Age=0; Path=/; Secure; Partitioned",
    ]
    assert removal_lines([b"__Secure-x"], secure=False, **options) == []


def test_removals_stay_within_what_proxies_take_and_everything_gets_its_turn() -> None:
    names = [b"_ga_%02d" % number for number in range(40)]
    options = {"site": site_of("www.shop.example"), "paths": paths_above("/a/b/c"), "secure": True}

    tried: set[bytes] = set()
    for turn in range(80):
        lines = removal_lines(names, turn=turn, most=MOST_REMOVAL_BYTES, **options)
        assert 0 < sum(len(f"set-cookie: {line!r}\r\n") - 3 for line in lines) <= MOST_REMOVAL_BYTES
        tried.update(lines)

    assert len(tried) == 40 * 3 * (6 + 1)


@pytest.mark.parametrize("name", [b"a b", b"a\r\nx: y", b"a;b", b"a,b\x00", b"x" * 300])
def test_a_name_that_would_break_a_header_is_not_written(name: bytes) -> None:
    assert (
        removal_lines(
            [name], site=site_of("shop.example"), paths=(), secure=True, turn=0, most=MOST_REMOVAL_BYTES
        )
        == []
    )


@pytest.mark.parametrize(
    ("path", "above"),
    [
        ("/", []),
        ("/a", ["/a"]),
        ("/a/b", ["/a", "/a/", "/a/b"]),
        ("/a/b/", ["/a/b", "/a/b/", "/a", "/a/"]),
        ("/a;Domain=evil.example/b", []),
    ],
)
def test_the_paths_a_request_shows_cookies_of(path: str, above: list[str]) -> None:
    assert paths_above(path) == above


def test_one_cookie_for_two_purposes_does_not_start() -> None:
    other = Vendor(name="Other", purpose="marketing", hosts=("other.example",), cookies=("_ga",))

    with pytest.raises(ConfigError, match=r"vendors\.Other\.cookies is '_ga'.*statistics"):
        CookieRegister(vendors=(COUNT, other), own=(), ours=(), undeclared="report")


PIECES = st.sampled_from(
    [
        b"sessionid",
        b"_ga",
        b"_ga_needed",
        b"lang",
        b"=",
        b";",
        b" ",
        b"\t",
        b"\xa0",
        b"\x0b",
        b",",
        b'"',
        b"a",
        b"\xc3",
    ]
)


@given(st.lists(PIECES, max_size=14).map(b"".join))
def test_cookie_header_judged_necessary_holds_no_other_cookie(header: bytes) -> None:
    known = register()

    if parse_cookies([header]).has_only(known.necessary):
        assert known.beyond_necessary(header) == []
        assert known.shown(header, REFUSED) == header.strip(b" \t")


def test_the_plain_case_is_seen() -> None:
    assert parse_cookies([b"sessionid=1; _ga_needed=2"]).has_only(register().necessary)
    assert not parse_cookies([b"sessionid=1; _ga=2"]).has_only(register().necessary)
