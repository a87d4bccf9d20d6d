"""Cookies of the shop inside signed ones: the app gets its value back; foreign and copied values are refused."""

from __future__ import annotations

import asyncio
import base64
import tomllib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from harness.asgi import App, ask, scope_of
from harness.shopping import CART, Browser, Guard, Shop, World
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from cookieguard import ConfigError, Vendor, visitor_of
from cookieguard.config import (
    CookieSettings,
    IdentitySettings,
    OwnCookie,
    SignedCookie,
    StoreSettings,
    config_from_mapping,
)
from cookieguard.errors import CookieTooLarge

SESSION = "__Host-cg_session"
TAIL = "; Path=/; HttpOnly; SameSite=Lax"


def login(number: str) -> Callable[[Any], object]:
    return lambda scope: visitor_of(scope).login(number)


def logout(scope: Any) -> None:
    visitor_of(scope).logout()


# The app keeps its value


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    "value",
    ["5", '"a b, \\"c\\" \\303\\244"', "a=b=c==", "Jürgen\x80\xff", "", '""', "x" * 2500, "{'a': [1]}"],
)
def test_the_app_sees_its_own_value_byte_for_byte(world: World, sealed: bool, value: str) -> None:
    browser = world.open(SignedCookie(name="cart", sealed=sealed))

    browser.visit(f"cart={value}{TAIL}")

    assert value not in browser.cookies["cart"] or len(value) < 3
    assert browser.visit() == f"cart={value}"
    assert browser.visit() == f"cart={value}"


def test_a_sealed_value_cannot_be_read_and_a_signed_one_says_no_session_and_no_customer(world: World) -> None:
    browser = world.open(SignedCookie(name="cart"), SignedCookie(name="list", sealed=False))

    browser.visit("cart=lamp-17", "list=lamp-17", act=login("10042"))

    bodies = {name: browser.cookies[name].split(".")[2] + "==" for name in ("cart", "list")}
    texts = {name: base64.urlsafe_b64decode(body) for name, body in bodies.items()}
    assert b"lamp-17" in texts["list"]
    assert b"lamp-17" not in texts["cart"]
    assert b"10042" not in texts["list"]


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "; Path=/shop; Domain=.shop.example; Secure; HttpOnly; SameSite=None; Partitioned",
        "; expires=Wed, 09 Jun 2027 10:18:14 GMT; Max-Age=3600; Path=/; Future=1",
        ";path=/;httponly",
        " ; Path=/",
    ],
)
def test_attributes_pass_as_they_are(world: World, attributes: str) -> None:
    browser = world.open()

    browser.visit(f"cart=5{attributes}")

    assert browser.line("cart").partition(";")[1:] == (
        "" if not attributes else ";",
        attributes.strip(" ")[1:],
    )


@pytest.mark.parametrize(
    "line",
    [
        "cart=; Max-Age=0; Path=/",
        'cart=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax',
        "cart=deleted; Expires=Thu, 01-Jan-1970 00:00:01 GMT",
        "cart=5; Max-Age=-1",
        "theirs=5; Path=/",
    ],
)
def test_removals_and_other_cookies_pass_as_they_are(world: World, line: str) -> None:
    browser = world.open()

    browser.visit(line)

    assert browser.lines == [line]


@pytest.mark.parametrize(
    ("attributes", "lives"),
    [
        ("; Max-Age=3600", timedelta(hours=1)),
        ("; Expires=Tue, 24 Nov 2026 14:00:00 GMT", timedelta(hours=2)),
        ("; Expires=Tue, 24-Nov-26 15:00:00 GMT; Max-Age=60", timedelta(seconds=60)),
        ("; Max-Age=tomorrow", timedelta(days=90)),
        ("", timedelta(days=90)),
        ("; Max-Age=99999999999999999999", timedelta(days=90)),
    ],
)
def test_the_token_ends_when_the_cookie_does(
    world: World, events: Any, attributes: str, lives: timedelta
) -> None:
    browser = world.open(identity=IdentitySettings(idle_days=90, absolute_days=90))
    browser.visit(f"cart=5{attributes}")
    sent = dict(browser.cookies)

    world.now += lives - timedelta(seconds=1)
    assert browser.visit() == "cart=5"
    browser.cookies |= {"cart": sent["cart"]}
    world.now += timedelta(seconds=1)

    assert browser.visit() == ""
    if lives < timedelta(days=90):  # then its session ended at the same moment
        assert events() == ["cart cookie refused (expired): hidden from the app (GET '/')"]
    assert "cart" not in browser.cookies


def test_its_session_is_kept_while_only_signed_cookies_are_used(world: World) -> None:
    browser = world.open()
    browser.visit("cart=5")

    for _ in range(6):
        world.now += timedelta(days=13)
        assert browser.visit() == "cart=5"


def test_reading_one_leaves_responses_to_shared_caches_and_setting_one_does_not(world: World) -> None:
    browser = world.open()
    world.shop.headers = [("cache-control", "public, max-age=60")]

    browser.visit("cart=5")
    assert browser.answer.get("cache-control") == "max-age=60, no-store, private"
    browser.visit()

    assert browser.answer.get("cache-control") == "public, max-age=60"
    assert "set-cookie" not in dict(browser.answer.headers)


def test_other_pairs_stay_as_they_came(world: World) -> None:
    browser = world.open()
    browser.visit("cart=5")

    session, cart = f"{SESSION}={browser.cookies[SESSION]}", browser.cookies["cart"]
    browser.visit(cookie=f"a=1;b = 2; {session};cart={cart} ;c")

    assert world.shop.seen == [f"a=1;b = 2; {session};cart=5;c"]


# Attacks


def flipped(token: str) -> str:
    return token[:-3] + ("A" if token[-3] != "A" else "B") + token[-2:]


def recoded(token: str) -> str:
    """Write another last character of the signature that decodes to the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


@pytest.mark.parametrize(
    ("change", "event"),
    [
        (flipped, "forged"),
        (recoded, "forged"),
        (lambda token: token + "=", "forged"),
        (lambda token: token[:-5], "forged"),
        (lambda token: token[:20], "not signed"),
        (lambda token: "5", "not signed"),
        (lambda token: "", "not signed"),
        (lambda token: f'"{token}"', "not signed"),
        (lambda token: "9" + token[1:], "not signed"),
        (lambda token: "2.unknown." + token.split(".", 2)[2], "signed with an unknown key"),
        (lambda token: token + "A" * 8192, "too long"),
        (lambda token: f"{token}; cart={flipped(token)}", "sent twice"),
        (lambda token: f"5; cart={token}", "sent twice"),
    ],
)
def test_what_does_not_verify_is_hidden_with_one_event_and_no_value(
    world: World, events: Any, change: Callable[[str], str], event: str
) -> None:
    browser = world.open()
    browser.visit("cart=5")
    sent = change(browser.cookies["cart"])

    seen = browser.visit(cookie=f"a=1; {SESSION}={browser.cookies[SESSION]}; cart={sent}")

    assert seen == "a=1"
    assert events() == [f"cart cookie refused ({event}): hidden from the app (GET '/')"]
    assert browser.answer.status == 200


@pytest.mark.parametrize(
    "pair",
    [
        "\xa0cart=9",
        "cart\xa0=9",
        "\x0bcart=9",
        "\xc2\xa0cart=9",
        "\xe3\x80\x80cart=9",
        "=cart=9",
        "cart",
        '"cart"=9',
        "a=1 cart=9",
        'a="1" cart =9',
    ],
)
def test_another_spelling_that_some_reader_takes_for_it_is_hidden(
    world: World, events: Any, pair: str
) -> None:
    browser = world.open()
    browser.visit("cart=5")
    ours = f"{SESSION}={browser.cookies[SESSION]}; cart={browser.cookies['cart']}"

    assert browser.visit(cookie=f"{pair}; {ours}") == "cart=5"

    assert events() == ["cart cookie refused (spelled differently): hidden from the app (GET '/')"]


@pytest.mark.parametrize("pair", ["cart2=9", "my-cart=9", "Cart=9", "a=cart", "a=x-cart=9", "a=1,cart=9"])
def test_what_only_looks_similar_is_left_alone(world: World, events: Any, pair: str) -> None:
    browser = world.open()

    assert browser.visit(cookie=pair) == pair
    assert events() == []


def test_a_thousand_cookies_are_hidden_with_one_event(world: World, events: Any) -> None:
    browser = world.open()
    browser.visit("cart=5")
    ours = f"{SESSION}={browser.cookies[SESSION]}; cart={browser.cookies['cart']}"

    seen = browser.visit(cookie="; ".join([f"a{n}=1" for n in range(1000)] + [ours]))

    assert "cart" not in seen
    assert len(events()) == 1


def test_another_name_another_host_and_another_kind_do_not_open(world: World, events: Any) -> None:
    browser = world.open(CART, SignedCookie(name="list"))
    browser.visit("cart=5", "list=6")
    cart, session = browser.cookies["cart"], browser.cookies[SESSION]

    assert browser.visit(cookie=f"{SESSION}={session}; list={cart}") == ""
    assert browser.visit(cookie=f"{SESSION}={session}; cart={session}") == ""
    assert events() == [
        f"{name} cookie refused (forged): hidden from the app (GET '/')" for name in ("list", "cart")
    ]
    ask(world.app, host="other.example", headers=[("cookie", f"{SESSION}={session}; cart={cart}")])
    assert not any("cart" in one for one in world.shop.seen)


def test_another_session_and_another_customer_do_not_open_it(world: World, events: Any) -> None:
    thief, victim = world.open(), world.another()
    for browser, number in ((thief, "17"), (victim, "18")):
        browser.visit("cart=5", act=login(number))

    seen = thief.visit(cookie=f"{SESSION}={thief.cookies[SESSION]}; cart={victim.cookies['cart']}")

    assert seen == ""
    assert events() == ["cart cookie refused (from another session): hidden from the app (GET '/')"]


def test_without_its_session_it_does_not_open(world: World, events: Any) -> None:
    browser = world.open()
    browser.visit("cart=5")

    assert browser.visit(cookie=f"cart={browser.cookies['cart']}") == ""
    assert events() == ["cart cookie refused (without its session): hidden from the app (GET '/')"]


def test_a_forged_session_is_one_event_though_its_cookies_are_hidden_too(world: World, events: Any) -> None:
    browser = world.open()
    browser.visit("cart=5")

    assert (
        browser.visit(cookie=f"{SESSION}={flipped(browser.cookies[SESSION])}; cart={browser.cookies['cart']}")
        == ""
    )
    assert events() == ["session cookie refused (forged): it counts as empty (GET '/')"]


@pytest.mark.parametrize(
    ("site", "is_removed"), [("same-origin", True), ("none", True), ("cross-site", False), ("", False)]
)
def test_what_lost_its_session_is_removed_where_the_session_would_have_been_sent(
    world: World, site: str, is_removed: bool
) -> None:
    browser = world.open()
    browser.visit("cart=5; Path=/shop; Secure; SameSite=None; Partitioned; Max-Age=60")

    browser.visit(cookie=f"cart={browser.cookies['cart']}", sec_fetch_site=site)

    removal = "cart=; Max-Age=0; Path=/shop; Secure; SameSite=None; Partitioned"
    assert browser.lines == ([removal] if is_removed else [])


# Login and logout


@pytest.mark.parametrize("attributes", [TAIL, "; Domain=.shop.example; Path=/shop; Secure; Partitioned"])
def test_the_guests_cookie_follows_at_login_as_it_was_set(world: World, attributes: str) -> None:
    browser = world.open()
    browser.visit(f"cart=5{attributes}")
    before = browser.cookies["cart"]

    assert browser.visit(act=login("17")) == "cart=5"

    assert browser.cookies["cart"] != before
    assert browser.line("cart").endswith(attributes)
    assert "Max-Age" not in browser.line("cart")
    assert browser.visit() == "cart=5"
    assert browser.visit(cookie=f"{SESSION}={browser.cookies[SESSION]}; cart={before}") == ""


def test_cookie_that_is_signed_again_at_login_keeps_its_expiry(world: World) -> None:
    browser = world.open()
    browser.visit("cart=5; Max-Age=3600; Path=/")
    world.now += timedelta(minutes=20)

    browser.visit(act=login("17"))

    assert browser.line("cart").endswith("; Max-Age=2400; Path=/")


def test_what_the_app_sets_at_login_wins(world: World) -> None:
    browser = world.open()
    browser.visit("cart=5; Path=/")

    browser.visit("cart=6; Path=/", act=login("17"))

    assert len([line for line in browser.lines if line.startswith("cart=")]) == 1
    assert browser.visit() == "cart=6"


def test_it_follows_a_new_session_id_too(world: World) -> None:
    browser = world.open()
    browser.visit("cart=5")

    browser.visit(act=lambda scope: visitor_of(scope).session.renew_id())

    assert browser.visit() == "cart=5"


@pytest.mark.parametrize("goodbye", [logout, login("18")])
def test_after_goodbye_it_is_removed_and_its_copy_does_not_open(
    world: World, events: Any, goodbye: Callable[[Any], object]
) -> None:
    browser = world.open()
    browser.visit(f"cart=5{TAIL}", act=login("17"))
    copy = dict(browser.cookies)

    browser.visit(act=goodbye)

    assert browser.line("cart") == f"cart=; Max-Age=0{TAIL}"
    world.now += timedelta(minutes=2)
    events()
    browser.cookies = copy
    assert browser.visit() == ""
    assert events() == ["session cookie refused (ended): it counts as empty (GET '/')"]


def test_a_request_in_flight_at_login_takes_nothing_away(world: World) -> None:
    browser = world.open()
    browser.visit("cart=5")
    late = dict(browser.cookies)
    browser.visit(act=login("17"))

    browser.visit(cookie="; ".join(f"{name}={value}" for name, value in late.items()))

    assert browser.lines == []
    assert browser.visit() == "cart=5"


@pytest.mark.parametrize(
    "act",
    [
        lambda scope: scope["session"].setdefault("csrf", "b"),
        lambda scope: visitor_of(scope).cart.update(tea=1),
        lambda scope: visitor_of(scope).session.id,
    ],
)
@pytest.mark.parametrize(
    ("before", "deed"),
    [
        (lambda scope: scope["session"].update(csrf="a"), login("17")),
        (login("17"), login("17")),
        (login("17"), lambda scope: scope["session"].renew_id()),
    ],
)
def test_a_script_that_asked_before_the_login_was_answered_logs_nobody_out(
    world: World, before: Any, deed: Any, act: Any
) -> None:
    browser, seen = world.open(), list[Any]()
    browser.visit("cart=5", act=before)
    late = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    browser.visit(act=deed)

    browser.visit("cart=6", act=act, cookie=late, sec_fetch_dest="empty")

    assert browser.lines == []
    shown = browser.visit(act=lambda scope: seen.append(visitor_of(scope).customer))
    assert (shown, seen) == ("cart=5", ["17"])


@pytest.mark.parametrize(
    ("destination", "seconds", "act"),
    [
        ("document", 0, lambda scope: scope["session"].update(a=1)),
        ("", 0, lambda scope: scope["session"].update(a=1)),
        ("empty", 61, lambda scope: scope["session"].update(a=1)),
        ("empty", 0, login("17")),
    ],
)
def test_whoever_is_left_with_an_ended_session_begins_another(
    world: World, destination: str, seconds: int, act: Any
) -> None:
    browser = world.open()
    browser.visit("cart=5", act=login("17"))
    late = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    browser.visit(act=login("17"))  # this answer got lost
    world.now += timedelta(seconds=seconds)

    browser.visit("cart=6", act=act, cookie=late, sec_fetch_dest=destination)

    assert browser.line("__Host-cg_session")
    assert browser.visit() == "cart=6"


def test_a_session_that_is_emptied_is_kept_for_what_belongs_to_it(world: World) -> None:
    browser = world.open()
    browser.visit("cart=5", act=lambda scope: scope["session"].update(a=1))

    browser.visit(act=lambda scope: scope["session"].clear())

    assert browser.visit() == "cart=5"


def test_what_is_bound_to_nobody_outlives_session_and_logout(world: World, events: Any) -> None:
    browser = world.open(SignedCookie(name="lang", binding="none"))

    browser.visit("lang=de; Max-Age=31536000")

    assert SESSION not in browser.cookies
    browser.visit(act=login("17"))
    browser.visit(act=logout)
    world.now += timedelta(days=300)
    assert browser.visit() == "lang=de"
    assert browser.visit(cookie=f"lang={flipped(browser.cookies['lang'])}") == ""
    assert events() == ["lang cookie refused (forged): hidden from the app (GET '/')"]


def test_while_the_store_is_down_a_customers_cookies_are_hidden_and_not_lost(world: World) -> None:
    browser = world.open(store=StoreSettings())
    browser.visit("cart=5", act=login("17"))
    guest = world.another()
    guest.visit("cart=6")

    # What the watch says when nothing is heard
    world.app._parts.identity.revocations._is_certain = lambda: False

    assert (browser.visit(), browser.lines, guest.visit()) == ("", [], "cart=6")
    world.app._parts.identity.revocations._is_certain = lambda: True
    assert browser.visit() == "cart=5"


# Size


def test_a_value_too_large_is_a_clear_error_before_the_start_and_the_error_page_passes(world: World) -> None:
    world.open()
    value = "x" * 3000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        world.shop.lines = [f"cart={value}"]
        with pytest.raises(
            CookieTooLarge, match=r"cookie cart: \d+ bytes of name and value; allowed: at most 4096"
        ):
            await world.shop(scope, receive, send)
        await world.shop(scope, receive, send)

    world.app.app = app

    assert not any(line.startswith("cart=") for line in ask(world.app).all("set-cookie"))


def test_cookie_of_the_largest_size_still_fits_after_login(world: World, events: Any) -> None:
    browser = world.open()
    browser.visit(f"cart={'x' * 2948}")
    assert len(browser.cookies["cart"]) > 4000

    browser.visit(act=login("1" * 128))  # whom it belongs to is a digest: it does not grow

    assert browser.visit().startswith("cart=xxx")
    assert events() == []


# Migration


@pytest.mark.parametrize(("day", "seen"), [("2026-11-24", "cart=5"), ("2026-11-23", ""), ("", "")])
def test_a_value_from_before_counts_until_the_day_that_is_set(
    world: World, events: Any, day: str, seen: str
) -> None:
    browser = world.open(SignedCookie(name="cart", accept_unsigned_until=day))

    assert browser.visit(cookie="cart=5") == seen

    assert events() == ([] if seen else ["cart cookie refused (not signed): hidden from the app (GET '/')"])


def test_forged_cookie_is_hidden_also_while_unsigned_ones_are_accepted(world: World) -> None:
    browser = world.open(SignedCookie(name="cart", accept_unsigned_until="2026-12-24"))
    browser.visit("cart=5")

    browser.cookies["cart"] = flipped(browser.cookies["cart"])

    assert browser.visit() == ""


# Beside the other parts


def test_what_is_held_is_neither_opened_nor_wrapped(world: World, events: Any) -> None:
    cookies = CookieSettings(sign=(CART,), undeclared="marketing")
    browser = world.open(cookies=cookies)

    assert browser.visit("cart=5") == ""
    assert browser.lines == []
    assert browser.visit(cookie="cart=forged") == ""
    assert events() == []


def test_starlettes_own_session_lies_inside_a_token(guard: Guard) -> None:
    async def count(request: Request) -> JSONResponse:
        request.session["n"] = request.session.get("n", 0) + 1
        return JSONResponse(request.session)

    own = Middleware(SessionMiddleware, secret_key="starlette's own")
    inner = Starlette(routes=[Route("/", count)], middleware=[own])

    # Where it is in sight it is refused at start
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    app = guard(
        mounted,
        cookies=CookieSettings(sign=(SignedCookie(name="session"),)),
    )
    browser = Browser(app, Shop())

    for expected in (1, 2, 3):
        browser.visit()
        assert browser.answer.text == f'{{"n":{expected}}}'
    browser.cookies.pop(SESSION)
    browser.visit()
    assert browser.answer.text == '{"n":1}'


def websocket(app: App, *headers: tuple[str, str]) -> list[dict[str, Any]]:
    scope = {**scope_of(headers=headers, scheme="wss"), "type": "websocket", "subprotocols": []}
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]
    return sent


def test_websockets_open_and_set_them_too(world: World) -> None:
    browser = world.open()
    world.shop.lines = ["cart=5; Path=/"]

    (accept,) = websocket(world.app)

    for _, line in accept["headers"]:
        browser.keep(line.decode())
    assert set(browser.cookies) == {"cart", SESSION}
    world.shop.lines = []
    websocket(world.app, ("cookie", "; ".join(f"{name}={value}" for name, value in browser.cookies.items())))
    assert world.shop.seen[0].startswith("cart=5; ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cookies.sign.name is ''; allowed: the name of one cookie"),
        (
            'name = "cart*"\nbinding = "customer"',
            "cookies.sign.cart*.binding is 'customer'; allowed: 'session', 'none'",
        ),
        ('name = "a b"', "cookies.sign.name is 'a b'; allowed: the name of one cookie"),
        (
            'name = "c"\naccept_unsigned_until = "soon"',
            "cookies.sign.c.accept_unsigned_until is 'soon'; allowed: a day",
        ),
        (
            'name = "c"\naccept_unsigned_until = 2026-12-24',
            "cookies.sign.c.accept_unsigned_until is a date; allowed: text",
        ),
        (
            'name = "c"\n[[cookies.sign]]\nname = "c"',
            "cookies.sign is 'c' twice; allowed: each value only once",
        ),
        (
            'name = "__Host-cg_cart"',
            "cookies.sign.name is '__Host-cg_cart'; allowed: the name of a cookie that the shop sets",
        ),
        (
            'name = "cg_cart"',
            "cookies.sign.name is 'cg_cart'; allowed: the name of a cookie that the shop sets",
        ),
        (
            'name = "c"\n[identity]\nenabled = false',
            "cookies.sign.c.binding is 'session'; allowed: 'none' while",
        ),
        (
            'name = "c"\n[identity]\ncustomer_header = "Set-Cookie"',
            "identity.customer_header is 'Set-Cookie'; allowed",
        ),
    ],
)
def test_a_mistake_names_its_setting(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_mapping(tomllib.loads(f"[[cookies.sign]]\n{text}"))

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "settings",
    [
        {"cookies": CookieSettings(sign=(CART,), own=(OwnCookie(name="ca*", purpose="preferences"),))},
        {
            "cookies": CookieSettings(sign=(CART,)),
            "vendors": (Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), cookies=("cart",)),),
        },
    ],
)
def test_what_is_declared_as_not_needed_cannot_be_signed(guard: Guard, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"cookies\.sign\.name is 'cart', declared for"):
        guard(Shop(), **settings)


def test_a_shop_that_signs_nothing_has_the_plain_gate(guard: Guard) -> None:
    assert not guard(Shop())._flow.signs
    assert guard(Shop(), cookies=CookieSettings(sign=(CART,)))._flow.signs
