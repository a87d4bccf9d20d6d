"""Cookies without consent are not set, not passed to the app, and removed from the browser."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import HTML, Answer, ask, page, scope_of

from cookieguard import Config, ConfigError, CookieGuard, Vendor
from cookieguard.config import CookieSettings, OwnCookie, config_from_mapping, load_config

Guard = Callable[..., CookieGuard]
OURS = "__Host-cg_consent"
COUNT = Vendor(name="Count", purpose="statistics", hosts=("count.example",), cookies=("_ga", "_ga_*"))
COOKIES = CookieSettings(
    own=(OwnCookie(name="sessionid", purpose="necessary"), OwnCookie(name="lang", purpose="preferences"))
)
SENT = "sessionid=s; _ga=1; lang=de; mystery=4"
LINES = [
    "sessionid=s; Path=/; HttpOnly; SameSite=None; Secure; Partitioned",
    "_ga=GS1.1; Path=/; Domain=.shop.example; Max-Age=63072000",
    'lang="d e"; eXpires=Wed, 09 Jun 2027 10:18:14 GMT; Path=/en',
    "mystery=4; Future-Attribute",
    "_ga_X=; Max-Age=0; Path=/",
]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
JPEG = [("content-type", "image/jpeg"), ("cache-control", "public, max-age=60")]


@pytest.fixture
def shop(guard: Guard) -> Callable[..., CookieGuard]:
    """Guard an app under the declarations above: `shop(app, **settings)`."""

    def wrap(app: Any, **settings: Any) -> CookieGuard:
        return guard(app, **{"vendors": (COUNT,), "cookies": COOKIES} | settings)

    return wrap


def chosen(app: CookieGuard, body: str, *headers: tuple[str, str]) -> Answer:
    sent = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        *headers,
    ]
    return ask(app, path="/_cg/consent", method="POST", headers=sent, body=body.encode())


def state(app: CookieGuard, body: str) -> str:
    """Make a choice, and return the cookie that says so."""
    return f"{OURS}={chosen(app, body).cookies()[OURS]}"


def cookies_seen(seen: list[dict[str, Any]]) -> list[str]:
    return [value.decode() for name, value in seen[-1]["headers"] if name == b"cookie"]


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        (None, "sessionid=s; mystery=4"),
        ("choice=reject", "sessionid=s; mystery=4"),
        ("choice=save&purpose=statistics", "sessionid=s; _ga=1; mystery=4"),
        ("choice=accept", SENT),
    ],
)
def test_the_app_sees_what_was_agreed_to(shop: Guard, choice: str | None, shown: str) -> None:
    seen: list[dict[str, Any]] = []
    app = shop(page(b"x", seen=seen))
    ours = state(app, choice) if choice else "cg=0"

    ask(app, headers=[("cookie", f"{SENT}; {ours}")])

    assert cookies_seen(seen) == [f"{shown}; {ours}"]


def test_cookies_in_several_headers_are_filtered_in_each_and_an_empty_one_goes(shop: Guard) -> None:
    seen: list[dict[str, Any]] = []

    ask(shop(page(b"x", seen=seen)), headers=[("cookie", "_ga=1"), ("cookie", "sessionid=s; _ga_Y=2")])

    assert cookies_seen(seen) == ["sessionid=s"]


@pytest.mark.parametrize("kind", [HTML, JPEG, [("content-type", "application/json")]])
@pytest.mark.parametrize("status", [200, 302, 304, 404, 500])
def test_no_response_of_any_kind_sets_what_was_not_agreed_to(
    shop: Guard, kind: list[tuple[str, str]], status: int
) -> None:
    headers = [*kind, *(("set-cookie", line) for line in LINES)]
    app = shop(page(b"" if status == 304 else b"x", headers=headers, status=status))

    undecided = ask(app).all("set-cookie")
    accepted = ask(app, headers=[("cookie", state(app, "choice=accept"))]).all("set-cookie")

    # What passes passes byte for byte, and what only removes always does.
    assert undecided == [LINES[0], LINES[3], LINES[4]]
    assert accepted == LINES


def test_capitalized_headers_are_filtered_too(shop: Guard) -> None:
    async def app(_: Any, __: Any, send: Any) -> None:
        headers = iter([(b"Content-Type", b"text/plain"), (b"Set-Cookie", b"_ga=1"), (b"SET-COOKIE", b"a=1")])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    assert ask(shop(app)).all("set-cookie") == ["a=1"]


def test_a_websocket_is_filtered_both_ways(shop: Guard) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"set-cookie", b"_ga=1"), (b"x-a", b"b")]})

    sent: list[Any] = []

    async def connect() -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = scope_of(headers=[("cookie", SENT)], scheme="wss") | {"type": "websocket"}
        await shop(app)(scope, receive, send)

    asyncio.run(connect())

    assert cookies_seen(seen) == ["sessionid=s; mystery=4"]
    assert sent[0]["headers"] == [(b"x-a", b"b")]


@pytest.mark.parametrize("way", ["form", "json"])
def test_a_refusal_removes_what_the_browser_holds_on_each_domain(shop: Guard, way: str) -> None:
    accept = [("accept", "application/json")] if way == "json" else []

    answer = chosen(shop(page()), "choice=reject&next=/en/cart", ("cookie", SENT), *accept)

    removed = answer.all("set-cookie")
    for name in ("_ga", "lang"):
        for where in ("Path=/", "Path=/; Domain=shop.example"):
            assert f"{name}=; Max-Age=0; {where}; Secure" in removed
        assert f"{name}=; Max-Age=0; Path=/; Secure; Partitioned" in removed
    assert not any(line.startswith(("sessionid", "mystery", f"{OURS}=;")) for line in removed)


def test_accepting_removes_nothing(shop: Guard) -> None:
    answer = chosen(shop(page()), "choice=accept", ("cookie", SENT))

    assert [line.partition("=")[0] for line in answer.all("set-cookie")] == [OURS]


def test_a_cookie_declared_with_a_path_is_removed_there_unseen(shop: Guard) -> None:
    own = (OwnCookie(name="tour", purpose="preferences", path="/account"),)

    answer = chosen(shop(page(), cookies=CookieSettings(own=own)), "choice=reject")

    assert "tour=; Max-Age=0; Path=/account; Secure" in answer.all("set-cookie")


@pytest.mark.parametrize(
    ("choice", "headers", "removes"),
    [
        (None, (), False),  # nothing is answered yet: hidden, and kept until it is
        (None, (("sec-gpc", "1"),), True),
        ("choice=accept", (), False),
        ("choice=accept", (("sec-gpc", "1"),), True),
        ("choice=reject", (), True),
        ("choice=save&purpose=preferences", (), True),
        ("choice=save&purpose=preferences&purpose=statistics", (), False),
    ],
)
def test_pages_remove_what_came_back_after_the_answer(
    shop: Guard, choice: str | None, headers: tuple[tuple[str, str], ...], removes: bool
) -> None:
    app = shop(page(b"<!doctype html><body>x", headers=HTML))
    ours = state(app, choice) if choice else "cg=0"

    answer = ask(app, path="/en/cart", headers=[("cookie", f"sessionid=s; _ga=1; {ours}"), *headers])

    removed = [line for line in answer.all("set-cookie") if line.startswith("_ga=;")]
    assert bool(removed) is removes
    assert ("_ga=; Max-Age=0; Path=/en; Domain=shop.example; Secure" in removed) is removes
    assert ("no-store" in answer.get("cache-control")) is removes


def test_a_picture_stays_in_shared_caches_whatever_cookies_ask_for_it(shop: Guard) -> None:
    app = shop(page(b"x", headers=JPEG))

    for choice in ("choice=accept", "choice=reject"):
        cookie = f"{SENT}; {state(app, choice)}"
        answer = ask(app, headers=[("cookie", cookie), ("sec-fetch-dest", "image")])
        assert answer.headers == JPEG


def test_a_response_whose_cookies_were_judged_stays_out_of_shared_caches(shop: Guard) -> None:
    app = shop(page(b"x", headers=[*JPEG, ("set-cookie", "_ga=1")]))

    answer = ask(app)

    assert answer.all("set-cookie") == []
    assert answer.get("cache-control") == "max-age=60, private"
    assert "Cookie" in answer.get("vary")


@pytest.mark.parametrize("undeclared", ["report", "marketing", "block"])
def test_undeclared_cookies_are_treated_as_the_setting_says(shop: Guard, undeclared: str) -> None:
    seen: list[dict[str, Any]] = []
    app = shop(
        page(b"x", headers=[*JPEG, ("set-cookie", "mine=1")], seen=seen),
        cookies=CookieSettings(undeclared=undeclared),
    )
    kept = {}

    for choice in ("choice=reject", "choice=accept"):
        answer = ask(app, headers=[("cookie", f"mine=0; {state(app, choice)}")])
        kept[choice] = ("mine=1" in answer.all("set-cookie"), "mine=0" in cookies_seen(seen)[0])

    expected = {"report": (True, True), "marketing": (False, True), "block": (False, False)}[undeclared]
    assert kept == {choice: (value, value) for choice, value in zip(kept, expected, strict=True)}


def test_undeclared_cookies_are_told_of_once_escaped_and_within_bounds(
    shop: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "cookieguard")
    app = shop(page(b"x", headers=[*JPEG, ("set-cookie", "mine=secret; Path=/")]))

    for number in range(300):
        ask(app, path="/a\n", headers=[("cookie", f"sessionid=s; b\x1b[2J=secret; n{number}=secret")])

    told = [record.getMessage() for record in caplog.records if "is not declared" in record.getMessage()]
    assert [line for line in told if line.startswith("cookie mine, set by the shop on /a\\n: ")] == [
        (
            "cookie mine, set by the shop on /a\\n: it is not declared; to declare it, "
            "as necessary or with its real purpose:\n"
            '[[cookies.own]]\nname = "mine"\npurpose = "necessary"'
        )
    ]
    assert sum("sent by a browser (cookies can be forged)" in line for line in told) == 200
    assert any(line.startswith("cookie b\\x1b[2J, sent") and "[[" not in line for line in told)
    assert "secret" not in caplog.text
    assert "sessionid" not in caplog.text


def test_a_cookie_that_the_catalogue_knows_is_told_of_as_its_vendors(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    ask(guard(page(b"x"), vendors=()), headers=[("cookie", "_ga=GA1.1; _ga_MUGS=GS1")])

    told = [record.getMessage() for record in caplog.records if "is not declared" in record.getMessage()]
    whose, lines = (
        "it belongs to Google Analytics, which the catalogue lists for statistics",
        'vendors = ["google-analytics"]',
    )
    assert {line.partition("it is not declared; ")[2] for line in told} == {
        f"{whose}; to declare the vendor with its cookies:\n{lines}"
    }


def test_a_cookie_of_a_vendor_that_was_declared_without_it_is_never_called_necessary(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    own = Vendor(name="Counter", purpose="statistics", hosts=("*.google-analytics.com",))
    ask(guard(page(b"x"), vendors=(own,)), headers=[("cookie", "_ga=GA1.1")])

    assert (
        "it belongs to Google Analytics, which the catalogue lists for statistics; to declare it:\n"
        in caplog.text
    )
    assert '[[cookies.own]]\nname = "_ga"\npurpose = "statistics"' in caplog.text


def test_shop_without_consent_gets_no_report_about_undeclared_cookies(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(page(b"x", headers=[*JPEG, ("set-cookie", "mine=1")]), consent=Config().consent)
    quiet = guard(
        page(b"x", headers=[*JPEG, ("set-cookie", "mine=1")]),
        consent=config_from_mapping({"consent": {"enabled": False}}).consent,
    )

    ask(quiet)
    before = caplog.text
    ask(app)

    assert "is not declared" not in before
    assert "is not declared" in caplog.text


@pytest.mark.parametrize("choice", ["choice=reject", "choice=save&purpose=preferences"])
def test_pages_clear_storage_for_a_while_after_a_choice(guard: Guard, choice: str) -> None:
    time = [NOW]
    app = guard(page(b"<!doctype html><head></head><body>x"), vendors=(COUNT,), clock=lambda: time[0])
    ours = state(app, choice)

    fresh = ask(app, headers=[("cookie", ours)])
    time[0] += timedelta(minutes=6)
    later = ask(app, headers=[("cookie", ours)])

    assert '<script data-k="_ga _ga_*">' in fresh.text
    assert fresh.text.index("data-k") < fresh.text.index("</head>")
    assert "data-k" not in later.text


def test_pages_clear_no_storage_where_nothing_was_refused(shop: Guard) -> None:
    app = shop(page(b"<!doctype html><head></head><body>x", headers=HTML))

    assert "data-k" not in ask(app).text
    assert "data-k" not in ask(app, headers=[("cookie", state(app, "choice=accept"))]).text


def test_the_clearing_script_fits_the_shops_own_policy(shop: Guard) -> None:
    policy = ("content-security-policy", "script-src 'nonce-abcdefgh'")
    app = shop(page(b"<!doctype html><head></head><body>x", headers=[*HTML, policy]))

    answer = ask(app, headers=[("cookie", state(app, "choice=reject"))])

    assert '<script data-k="_ga _ga_* lang" nonce="abcdefgh">' in answer.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cookies": {"own": [{"name": "a*b", "purpose": "marketing"}]}}, r"cookies\.own\.name is 'a\*b'"),
        ({"cookies": {"own": [{"name": "*", "purpose": "marketing"}]}}, r"cookies\.own\.name is '\*'"),
        (
            {"cookies": {"own": [{"name": "a", "purpose": "fun"}]}},
            r"cookies\.own\.a\.purpose is 'fun'; allowed: 'n",
        ),
        (
            {"cookies": {"own": [{"name": "a", "purpose": "marketing", "path": "/;x"}]}},
            r"cookies\.own\.a\.path",
        ),
        (
            {"cookies": {"own": [{"name": OURS, "purpose": "marketing"}]}},
            r"cookies\.own\.name is '__Host-cg_c",
        ),
        ({"cookies": {"own": [{"name": "a", "purpose": "marketing"}] * 2}}, r"cookies\.own is 'a' twice"),
        (
            {"cookies": {"undeclared": "drop"}},
            r"cookies\.undeclared is 'drop'; allowed: 'report', 'marketing'",
        ),
        (
            {
                "vendors": [
                    {"name": "V", "purpose": "marketing", "hosts": ["v.example"], "cookies": ["_*_id"]}
                ]
            },
            r"vendors\.V\.cookies is '_\*_id'",
        ),
    ],
)
def test_a_declaration_that_cannot_be_is_one_clear_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        config_from_mapping(settings)

    assert "\n" not in str(raised.value)


def test_the_shops_own_cookies_are_declared_in_toml(tmp_path: Path) -> None:
    file = tmp_path / "cookieguard.toml"
    file.write_text(
        '[cookies]\nundeclared = "block"\n'
        '[[cookies.own]]\nname = "lang"\npurpose = "preferences"\n'
        '[[cookies.own]]\nname = "tour_*"\npurpose = "preferences"\npath = "/en"\n'
    )

    cookies = load_config(file).cookies

    assert cookies.undeclared == "block"
    assert [(one.name, one.path) for one in cookies.own] == [("lang", "/"), ("tour_*", "/en")]
    assert cookies.session.name == "__Host-cg_session"


def test_two_purposes_for_one_cookie_do_not_start(tmp_path: Path) -> None:
    cookies = CookieSettings(own=(OwnCookie(name="_ga", purpose="preferences"),))

    with pytest.raises(ConfigError, match=r"cookies\.own\.name is '_ga'.*declared for statistics"):
        CookieGuard(page(), Config(state_dir=str(tmp_path / "s"), vendors=(COUNT,), cookies=cookies))


def test_the_declaration_shows_no_visitors_number_in_a_name_that_nobody_declared(shop: Guard) -> None:
    named = [("set-cookie", f"{name}=1; Path=/") for name in ("basket_10042", "basket_77", "t-9f3a", "theme")]
    app = shop(page(b"x", headers=[*JPEG, *named]))

    ask(app)
    text = ask(app, path="/_cg/cookies", query="fragment").text

    assert [text.count(f"<bdi>{name}</bdi>") for name in ("basket_*", "t-*", "theme")] == [1, 1, 1]
    assert not any(part in text for part in ("10042", "77", "9f3a"))
