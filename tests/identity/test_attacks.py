"""Invalid cookies start an empty session, log one event without a value, and are removed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cookieguard.config import CookieSettings, IdentitySettings
from cookieguard.identity import Identity, TokenCodec, TokenKind
from cookieguard.keyring import Key, Keyring, KeyState

SESSION = "__Host-cg_session"
CART = "__Host-cg_cart"
KINDS = {"session": SESSION, "cart": CART}


def flip(token: str, place: int) -> str:
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


TAMPERED: dict[str, tuple[Any, str]] = {
    "signature": (lambda token: flip(token, -9), "forged"),
    "body": (lambda token: flip(token, 40), "forged"),
    "truncated": (lambda token: token[:-9], "forged"),
    "padded": (lambda token: token + "=", "forged"),
    "garbage": (lambda token: "garbage", "malformed"),
    "empty": (lambda token: "", "malformed"),
    "binary": (lambda token: "\xff\x00\x80", "malformed"),
    "quoted": (lambda token: f'"{token}"', "in an unknown format"),
    "format 3": (lambda token: "3" + token[1:], "in an unknown format"),
    "unknown key": (lambda token: token.replace(".k1.", ".k9."), "signed with an unknown key"),
    "8 KB": (lambda token: token + "A" * 8192, "too long"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", TAMPERED)
def test_tampered_cookie_starts_empty(customer: Any, kind: str, case: str) -> None:
    tamper, told = TAMPERED[case]
    customer.cookies[KINDS[kind]] = tamper(customer.cookies[KINDS[kind]])

    with customer.request() as visit:
        assert visit.cart == {}
        assert visit.session.customer == (None if kind == "session" else "17")

    assert customer.events == [f"{kind} cookie refused ({told}): it counts as empty"]
    assert KINDS[kind] not in customer.cookies
    with customer.request() as visit:
        assert visit.cart == {}
    assert customer.events == []


@pytest.mark.parametrize("kind", KINDS)
def test_tampered_cookie_is_overwritten_by_what_the_app_writes(customer: Any, kind: str) -> None:
    customer.cookies[KINDS[kind]] = "garbage"
    with customer.request() as visit:
        visit.session["a"] = 1
        visit.cart["lines"] = [2]

    with customer.request() as visit:
        assert visit.session["a"] == 1
        assert visit.cart == {"lines": [2]}
    assert customer.events == []


def swap_kinds(browser: Any) -> None:
    browser.cookies[SESSION] = browser.cookies[CART]


def change_host(browser: Any) -> None:
    browser.host = "other.example"


def change_secret(browser: Any) -> None:
    other = Key(id="k1", secret=b"other".ljust(32), state=KeyState.SIGNING, created=browser.now)
    browser.identity = Identity(Keyring([other]), CookieSettings(), IdentitySettings())


@pytest.mark.parametrize("borrow", [swap_kinds, change_host, change_secret])
def test_genuine_cookie_of_another_use_is_forged_here(customer: Any, borrow: Any) -> None:
    borrow(customer)

    with customer.request() as visit:
        assert (visit.session.customer, dict(visit.session), dict(visit.cart)) == (None, {}, {})

    assert customer.events == ["session cookie refused (forged): it counts as empty"]
    assert customer.cookies == {}


def test_cart_of_another_customer_or_session_starts_empty(make_browser: Any, customer: Any) -> None:
    for number, told in (("18", "customer"), ("17", "session")):
        thief = make_browser()
        with thief.request() as visit:
            visit.session.login(number)
        thief.cookies[CART] = customer.cookies[CART]

        with thief.request() as visit:
            assert visit.cart == {}
        assert thief.events == [f"cart cookie refused (from another {told}): it counts as empty"]
        assert CART not in thief.cookies


@pytest.mark.parametrize("is_cart_read", [True, False])
def test_cart_without_its_session_starts_empty(customer: Any, is_cart_read: bool) -> None:
    del customer.cookies[SESSION]

    with customer.request() as visit:
        assert (visit.cart if is_cart_read else visit.session) == {}

    assert customer.events == ["cart cookie refused (without its session): it counts as empty"]
    assert customer.cookies == {}


def test_old_cart_after_login_as_another_is_no_way_back(customer: Any) -> None:
    old = customer.cookies[CART]
    with customer.request() as visit:
        visit.session.login("18")
    customer.cookies[CART] = old

    with customer.request() as visit:
        assert visit.cart == {}
    assert customer.events == ["cart cookie refused (from another customer): it counts as empty"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_first", [True, False])
def test_planted_double_takes_the_cookie_out(customer: Any, kind: str, is_first: bool) -> None:
    planted = f"{KINDS[kind]}=planted"
    header = f"{planted}; {customer.header}" if is_first else f"{customer.header}; {planted}"

    with customer.request(header) as visit:
        assert visit.cart == {}
        assert visit.session.customer == (None if kind == "session" else "17")

    assert customer.events == [f"{kind} cookie refused (sent twice): it counts as empty"]
    assert KINDS[kind] not in customer.cookies


def test_name_behind_a_no_break_space_is_no_cookie_of_ours(customer: Any) -> None:
    with customer.request(f"\xa0{SESSION}=planted; {customer.header}") as visit:
        assert visit.session.customer == "17"
    with customer.request("\xa0" + customer.header.replace("; ", "; \xa0")) as visit:
        assert (visit.session.customer, len(visit.cart)) == (None, 0)

    assert customer.events == []


def test_a_thousand_cookies_start_empty_with_one_event(customer: Any) -> None:
    junk = "; ".join(f"c{number}=1" for number in range(1000))

    with customer.request(f"{customer.header}; {junk}") as visit:
        assert (visit.session.customer, len(visit.cart)) == (None, 0)

    assert customer.events == ["cookie header over the limit: all of cookieguard's cookies count as empty"]
    assert customer.answer == []  # the customer's own cookies survive the junk


def test_six_hundred_cookies_change_nothing(customer: Any) -> None:
    junk = "; ".join(f"c{number}={'x' * 60}" for number in range(590))

    with customer.request(f"{junk}; {customer.header}") as visit:
        assert visit.session.customer == "17"


GENUINE_BUT_STRANGE: list[dict[str, Any]] = [
    {},
    {"i": None},
    {"i": 5},
    {"c": 17},
    {"b": True},
    {"e": 10**40},
    {"e": "later"},
    {"a": []},
    {"d": []},
    {"d": None},
]


@pytest.mark.parametrize("change", GENUINE_BUT_STRANGE)
def test_genuine_session_of_a_strange_shape_starts_empty(browser: Any, change: dict[str, Any]) -> None:
    stamp = int(browser.now.timestamp() * 1000)
    good = {"i": "id", "c": "17", "b": stamp, "e": stamp + 86_400_000, "a": None, "d": {}}
    browser.cookies[SESSION] = write(browser, TokenKind.SESSION, SESSION, good)
    with browser.request() as visit:
        assert visit.session.customer == "17"

    browser.cookies[SESSION] = write(browser, TokenKind.SESSION, SESSION, (good | change) if change else {})
    with browser.request() as visit:
        assert visit.session.customer is None

    assert browser.events == ["session cookie refused (malformed): it counts as empty"]


@pytest.mark.parametrize("change", [{"v": "1"}, {"v": None}, {"d": []}, {"d": "x"}])
def test_genuine_cart_of_a_strange_shape_starts_empty(customer: Any, change: dict[str, Any]) -> None:
    with customer.request() as visit:
        good = {"s": visit.session.id, "c": "17", "v": 1, "d": {"a": 1}}
    customer.cookies[CART] = write(customer, TokenKind.CART, CART, good)
    with customer.request() as visit:
        assert visit.cart == {"a": 1}

    customer.cookies[CART] = write(customer, TokenKind.CART, CART, good | change)
    with customer.request() as visit:
        assert visit.cart == {}

    assert customer.events == ["cart cookie refused (malformed): it counts as empty"]


def test_absolute_end_counts_whatever_the_token_says(browser: Any) -> None:
    stamp = int(browser.now.timestamp() * 1000)
    ended = {"i": "id", "c": "17", "b": stamp, "e": stamp, "a": None, "d": {}}
    browser.cookies[SESSION] = write(browser, TokenKind.SESSION, SESSION, ended)

    with browser.request() as visit:
        assert visit.session.customer is None

    assert browser.events == ["session cookie refused (expired): it counts as empty"]


def write(browser: Any, kind: TokenKind, name: str, payload: dict[str, Any]) -> str:
    codec = TokenCodec(browser.keyring, kind=kind, name=name, sealed=True)
    expires = browser.now.replace(year=browser.now.year + 1)
    return codec.dumps(payload, host=browser.host, issued=browser.now, expires=expires)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1e308", "-1"])
@pytest.mark.parametrize("member", ["b", "e", "a", "w", "f", "n", "o", "r", "d"])
def test_a_genuine_session_with_a_number_without_end_is_malformed_and_never_an_error(
    browser: Any, member: str, number: str
) -> None:
    stamp = int(browser.now.timestamp() * 1000)
    begun = {"i": "id", "c": "17", "b": stamp, "e": stamp + 1000, "a": stamp, "d": {}}
    pairs = {
        "n": f'["k",{number}]',
        "o": f'[["o",{number}]]',
        "r": f'["s",{number}]',
        "d": f'{{"x":{number}}}',
    }
    text = json.dumps({key: value for key, value in begun.items() if key != member})
    text = f'{text[:-1]},"{member}":{pairs.get(member, number)}}}'
    codec = TokenCodec(browser.keyring, kind=TokenKind.SESSION, name=SESSION, sealed=True)
    expires = browser.now.replace(year=browser.now.year + 1)
    token = codec.dumps_text(text.encode(), host=browser.host, issued=browser.now, expires=expires)
    browser.cookies[SESSION] = token

    with browser.request() as visit:
        assert visit.session.customer in (None, "17")
        assert visit.session.auth_time is None or visit.session.customer == "17"
        assert len(visit.session.warnings) <= 1
        assert visit.session.created is not None

    if "999" in number:
        assert browser.events == ["session cookie refused (malformed): it counts as empty"]


def test_rotation_logs_nobody_out_and_renews_the_cookies_of_those_who_come(
    customer: Any, make_keyring: Any
) -> None:
    def worker(*keys: str) -> Identity:
        return Identity(make_keyring(*keys), CookieSettings(), IdentitySettings())

    customer.identity = worker("k1", "k2")  # the new key arrives, checking only
    with customer.request() as visit:
        assert visit.session.customer == "17"
    assert customer.answer == []

    customer.identity = worker("k2", "k1")  # it signs
    with customer.request() as visit:
        assert visit.session.customer == "17"
    assert [line.split(".")[1] for line in customer.answer] == ["k2", "k2"]

    customer.identity = worker("k1", "k2")  # a worker that has not heard of it yet
    with customer.request() as visit:
        assert len(visit.cart) == 1

    customer.identity = worker("k2", "k1")
    with customer.request() as visit:
        assert len(visit.cart) == 1
    customer.identity = worker("k2")  # the old one is gone
    with customer.request() as visit:
        assert (visit.session.customer, len(visit.cart)) == ("17", 1)
    assert customer.events == []


def test_cart_under_an_old_key_is_renewed_though_its_session_was_before(
    customer: Any, make_keyring: Any
) -> None:
    old = customer.cookies[CART]
    customer.identity = Identity(make_keyring("k2", "k1"), CookieSettings(), IdentitySettings())
    with customer.request() as visit:
        assert visit.session.customer == "17"
    customer.cookies[CART] = old  # the browser gave up before it had the second cookie

    with customer.request() as visit:
        assert (len(visit.cart), visit.cart.version) == (1, 1)

    assert [line.split(".")[:2] for line in customer.answer] == [[f"{CART}=2", "k2"]]
    with customer.request() as visit:
        assert visit.cart.version == 1
