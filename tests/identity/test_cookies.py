"""Cookies on the wire: which ones of a request are used, and how ours are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.config import CookieSpec
from cookieguard.errors import ConfigError, CookieTooLarge
from cookieguard.identity import MAX_COOKIE_BYTES, cookie_name, expire_cookie, parse_cookies, set_cookie
from cookieguard.identity.cookies import MAX_COOKIES

NAME = "__Host-cg_session"


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([], None),
        ([b""], None),
        ([b"__Host-cg_session=a"], "a"),
        ([b"x=1; __Host-cg_session=a; y=2"], "a"),
        ([b"x=1;__Host-cg_session=a;y=2"], "a"),
        ([b" \t__Host-cg_session \t=\t a \t"], "a"),
        ([b"x=1", b"__Host-cg_session=a"], "a"),
        ([b"__Host-cg_session=a=b"], "a=b"),
        ([b'__Host-cg_session="a"'], '"a"'),
        ([b"__Host-cg_session="], ""),
        ([b"__Host-cg_session"], None),
        ([b"=__Host-cg_session=a"], None),
        ([b"__host-cg_session=a"], None),
        ([b"\xa0__Host-cg_session=a"], None),
        ([b"__Host-cg_session\xa0=a"], None),
        ([b"\x0b__Host-cg_session=a"], None),
        ([b"\x85__Host-cg_session=a"], None),
        ([b"\xa0__Host-cg_session=evil; __Host-cg_session=a"], "a"),
        ([b"x__Host-cg_session=a"], None),
        ([b"x=__Host-cg_session=a"], None),
        ([b"__Host-cg_session=a; __Host-cg_session=a"], "a"),
        ([b"__Host-cg_session=a; __Host-cg_session=b"], None),
        ([b"__Host-cg_session=a", b"__Host-cg_session=b"], None),
        ([b"__Host-cg_session=a; __Host-cg_session=b; __Host-cg_session=a"], None),
        ([b"__Host-cg_session=a; __Host-cg_session="], None),
        ([b"__Host-cg_session=\xff\x00"], "\xff\x00"),
    ],
)
def test_a_cookie_counts_once_by_its_exact_name(headers: list[bytes], value: str | None) -> None:
    assert parse_cookies(headers).get(NAME) == value


def test_doubled_cookies_are_listed_and_others_beside_them_count() -> None:
    jar = parse_cookies([b"a=1; b=2; a=3; c=4; c=4"])

    assert jar.doubled == {"a"}
    assert jar.has("a")
    assert jar.is_doubled("a")
    assert (jar.get("a"), jar.get("b"), jar.get("c")) == (None, "2", "4")


@pytest.mark.parametrize(
    ("header", "is_over"),
    [
        (b"; ".join(b"c%d=1" % number for number in range(599)) + b"; mine=1", False),
        (b"mine=1; " + b"; ".join(b"c%d=1" % number for number in range(999)), True),
        (b"mine=1; x=" + b"x" * (64 * 1024 - 10), False),
        (b"mine=1; x=" + b"x" * (64 * 1024 - 9), True),
        (b"mine=1" + b";" * 50_000, True),
    ],
    ids=["600 cookies", "1,000 cookies", "64 KB", "64 KB and a byte", "50,000 semicolons"],
)
def test_beyond_the_limits_no_cookie_counts(header: bytes, is_over: bool) -> None:
    jar = parse_cookies([header])

    assert jar.is_over_limit == is_over
    assert jar.get("mine") == (None if is_over else "1")
    assert jar.has("mine") != is_over


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_no_header_raises_and_no_name_comes_with_blanks(headers: list[bytes]) -> None:
    jar = parse_cookies(headers)

    assert all(jar.get(name) is None and name == name.strip(" \t") for name in jar.doubled)


names = st.text("abc-_", min_size=1, max_size=4)
values = st.text("xyz=\"'", max_size=4)


@given(st.lists(st.tuples(names, values), max_size=8))
def test_written_pairs_come_back_unless_they_differ(pairs: list[tuple[str, str]]) -> None:
    jar = parse_cookies(["; ".join(f"{name}={value}" for name, value in pairs).encode()])

    for name in {name for name, _ in pairs}:
        found = {value for one, value in pairs if one == name}
        assert jar.get(name) == (found.pop() if len(found) == 1 else None)


def spec(name: str = NAME, **changes: object) -> CookieSpec:
    return CookieSpec(**({"name": name, "max_age": 600} | changes))  # type: ignore[arg-type]


PLAIN = b"__Host-cg_session=v; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (set_cookie(spec(), "v"), PLAIN),
        (set_cookie(spec(), "v", max_age=60), PLAIN.replace(b"600", b"60")),
        (set_cookie(spec(), "v", max_age=6000), PLAIN),
        (set_cookie(spec(max_age=0), "v", max_age=60), PLAIN.replace(b"; Max-Age=600", b"")),
        (
            set_cookie(spec(same_site="None", partitioned=True), "v"),
            PLAIN.replace(b"Lax", b"None") + b"; Partitioned",
        ),
        (
            set_cookie(spec(same_site="None", partitioned=True), "v", dev=True),
            b"cg_session=v; Max-Age=600; Path=/; HttpOnly; SameSite=Lax",
        ),
        (
            set_cookie(spec("sid", secure=False, same_site="Strict"), "v"),
            b"sid=v; Max-Age=600; Path=/; HttpOnly; SameSite=Strict",
        ),
        (expire_cookie(spec()), PLAIN.replace(b"=v; Max-Age=600", b"=; Max-Age=0")),
        (expire_cookie(spec(), dev=True), b"cg_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"),
    ],
)
def test_set_cookie_is_written_as_browsers_want_it(line: bytes, expected: bytes) -> None:
    assert line == expected


@pytest.mark.parametrize("prefix", ["__Host-", "__Host-Http-", "__Http-", "__Secure-", ""])
def test_dev_name_has_no_prefix_that_requires_secure(prefix: str) -> None:
    assert cookie_name(spec(prefix + "cg_x"), dev=True) == "cg_x"
    assert cookie_name(spec(prefix + "cg_x"), dev=False) == prefix + "cg_x"


def test_4096_bytes_of_name_and_value_are_written_and_one_more_is_not() -> None:
    room = MAX_COOKIE_BYTES - len(NAME)

    assert len(set_cookie(spec(), "v" * room)) > MAX_COOKIE_BYTES
    with pytest.raises(CookieTooLarge) as caught:
        set_cookie(spec(), "v" * (room + 1))
    assert (caught.value.size, caught.value.limit) == (4097, 4096)


@pytest.mark.parametrize(
    "value", ["a;b", "a\r\nSet-Cookie: x=1", "a b", 'a"', "a,b", "a\\b", "\xe4", "a\x00", "a\n"]
)
def test_value_that_would_leave_its_cookie_is_refused_unseen(value: str) -> None:
    with pytest.raises(ValueError, match="a character that cookies cannot hold") as caught:
        set_cookie(spec(), value)

    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "__Host-x"},
        {"name": "__HOST-x"},
        {"name": "__Secure-x"},
        {"name": "__Http-x"},
        {"name": "__Host-Http-x"},
        {"name": "x", "same_site": "None"},
        {"name": "x", "partitioned": True},
    ],
)
def test_cookie_settings_that_browsers_require_secure_for_are_refused_without_it(
    changes: dict[str, object],
) -> None:
    spec(**changes)

    with pytest.raises(ConfigError, match=r"secure is False; allowed: true"):
        spec(secure=False, **changes)


def test_a_domain_is_written_without_its_dot_and_renames_only_a_default_name() -> None:
    shared = spec("__Host-cg_cart", domain=".shop.example")

    assert set_cookie(shared, "v").startswith(
        b"__Secure-cg_cart=v; Max-Age=600; Path=/; Domain=shop.example;"
    )
    assert b"; Domain=shop.example;" in expire_cookie(shared)
    assert spec("sid", domain="shop.example").name == "sid"
    with pytest.raises(ConfigError, match="allowed: a name that begins with __Secure-"):
        spec("__Host-sid", domain="shop.example")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"a=1", True),
        (b"a=1; b=2", True),
        (b"a=1;b=", True),
        (b"\ta=1 ;b=", False),  # as no browser writes them: for the longer look
        (b"a=1 c=1", False),  # http.cookies finds two
        (b"a=1;b=x c=1", False),
        (b"a=1\x0bc=1", False),
        (b"", False),
        (b"c=1", False),
        (b"a=1; c=1", False),
        (b"a", False),
        (b"a=1; c", False),
        (b"a=1; =c=1", False),
        (b"a=1; a=1", False),
        (b"a=1; a=2", False),
        (b"a=1;" * MAX_COOKIES, False),
        (b"\xa0a=1", False),
    ],
)
def test_a_jar_says_whether_it_holds_cookies_of_these_names_alone(header: bytes, expected: bool) -> None:
    assert parse_cookies([header]).has_only(frozenset({"a", "b"})) is expected
