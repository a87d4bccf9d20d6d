"""Cookies shared with a domain: which may be shared, which hosts use them, and how duplicate names are resolved."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from harness.asgi import Answer, ask

from cookieguard import Config, ConfigError, CookieGuard, CookieSpec, visitor_of
from cookieguard.config import CookieSettings, config_from_mapping

Guard = Callable[..., CookieGuard]
SHARED = CookieSettings(domain=".shop.example")
SESSION, CONSENT = "__Secure-cg_session", "__Secure-cg_consent"
POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]


async def shop(scope: Any, _: Any, send: Any) -> None:
    visitor = visitor_of(scope)
    if scope["path"] == "/login":
        visitor.login("10042")
    text = f"<!doctype html><p>{visitor.customer or 'guest'}, {visitor.consent.state}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": text.encode()})


def cookie_header(answer: Answer) -> list[tuple[str, str]]:
    kept = [f"{name}={value}" for name, value in answer.cookies().items() if value]
    return [("cookie", "; ".join(kept))]


def choose(app: CookieGuard, choice: str, *, host: str, cookie: str = "") -> Answer:
    headers = [*POST, ("cookie", cookie)] if cookie else POST
    body = f"choice={choice}&next=/".encode()
    return ask(app, path="/_cg/consent", method="POST", host=host, headers=headers, body=body)


def test_a_session_and_a_choice_of_one_host_count_on_the_others_and_nowhere_else(guard: Guard) -> None:
    app = guard(shop, cookies=SHARED)
    login = ask(app, path="/login", host="www.shop.example")
    choice = choose(app, "accept", host="www.shop.example")
    both = [("cookie", f"{cookie_header(login)[0][1]}; {cookie_header(choice)[0][1]}")]

    for host in ("pay.shop.example", "shop.example", "a.b.shop.example", "pay.shop.example:8443"):
        assert "<p>10042, all" in ask(app, host=host, headers=both).text
    for host in ("evilshop.example", "shop.example.evil.example", "example", "other.example"):
        elsewhere = ask(app, host=host, headers=both)
        assert "<p>guest, undecided" in elsewhere.text
        assert elsewhere.all("set-cookie") == []
    assert choose(app, "accept", host="other.example").status == 403


def test_what_is_shared_says_so_when_it_is_set_and_when_it_is_removed(guard: Guard) -> None:
    app = guard(shop, cookies=SHARED)
    login = ask(app, path="/login", host="www.shop.example")
    forged = ask(app, headers=[("cookie", f"{SESSION}=2.x.y.z")], host="www.shop.example")

    revocation = "; Path=/; Domain=shop.example; Secure; HttpOnly; SameSite=Lax"
    assert login.all("set-cookie")[0].startswith(f"{SESSION}=")
    assert login.all("set-cookie")[0].endswith(revocation)
    assert forged.all("set-cookie")[-1] == f"{SESSION}=; Max-Age=0{revocation}"


def test_a_cookie_of_one_host_does_not_open_as_one_of_its_domain_nor_the_other_way(guard: Guard) -> None:
    """Show it for a name without a prefix, which stays the same through the change, on the domain's own host."""
    plain = CookieSpec(name="sid", max_age=600)
    alone = guard(shop, cookies=CookieSettings(session=plain))
    shared = guard(shop, cookies=CookieSettings(session=plain, domain="shop.example"))
    for one, other in ((alone, shared), (shared, alone)):
        login = ask(one, path="/login")
        assert "<p>10042" in ask(one, headers=cookie_header(login)).text
        assert "<p>guest" in ask(other, headers=cookie_header(login)).text


@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("cg_consent", ["; Path=/; Secure", "; Path=/; Domain=shop.example; Secure"]),
        (CONSENT, ["; Path=/; Secure", "; Path=/; Domain=shop.example; Secure"]),
    ],
)
def test_two_consent_cookies_are_ignored_and_removed_and_the_next_choice_is_kept(
    guard: Guard, name: str, variants: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    spec = CookieSpec(name=name, max_age=600, domain="shop.example")
    app = guard(shop, cookies=CookieSettings(consent=spec))
    first = choose(app, "accept", host="www.shop.example").cookies()[name]
    doubled = f"{name}=older; {name}={first}"
    with caplog.at_level(logging.WARNING, "cookieguard"):
        shown = ask(app, host="www.shop.example", headers=[("cookie", doubled)])
    answer = choose(app, "reject", host="www.shop.example", cookie=doubled)

    assert "undecided" in shown.text
    assert 'id="cg-t"' in shown.text
    for response in (shown, answer):
        for variant in variants:
            assert f"{name}=; Max-Age=0{variant}" in response.all("set-cookie")
    last = answer.all("set-cookie")[-1]
    assert last.startswith(f"{name}=2.")
    assert "Domain=shop.example" in last
    assert (
        caplog.text.count("consent cookie refused (sent twice): the visitor counts as undecided") == 2
    )  # one for each request
    assert "older" not in caplog.text


def test_a_doubled_session_is_removed_in_every_variant_and_a_login_sticks(guard: Guard) -> None:
    app = guard(shop, cookies=SHARED)
    header = [("cookie", f"{SESSION}=a; {SESSION}=b")]
    login = ask(app, path="/login", host="www.shop.example", headers=header)

    lines = login.all("set-cookie")
    assert f"{SESSION}=; Max-Age=0; Path=/; Secure" in lines
    assert f"{SESSION}=; Max-Age=0; Path=/; Domain=www.shop.example; Secure" in lines
    assert f"{SESSION}=; Max-Age=0; Path=/; Secure; Partitioned" in lines
    assert lines[-1].startswith(f"{SESSION}=2.")


def test_what_is_left_of_the_other_setting_goes_with_the_first_cookie_that_is_set(guard: Guard) -> None:
    """Show it both ways: else changing back would bring an old grant, or an old login, to life again."""
    for settings, former in ((SHARED, "__Host-cg_consent"), (CookieSettings(), CONSENT)):
        app = guard(shop, cookies=settings)
        answer = choose(app, "reject", host="www.shop.example", cookie=f"{former}=2.old.grant.x")
        quiet = ask(app, host="www.shop.example", headers=[("cookie", f"{former}=2.old.grant.x")])

        assert any(line.startswith(f"{former}=; Max-Age=0") for line in answer.all("set-cookie"))
        assert quiet.all("set-cookie") == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"cookies": {"domain": "co.uk"}},
            "cookies.session.domain is 'co.uk'; allowed: a domain of",
        ),
        ({"cookies": {"domain": ".github.io"}}, "domain is 'github.io'"),
        ({"cookies": {"domain": "localhost"}}, "domain is 'localhost'"),
        ({"cookies": {"domain": "127.0.0.1"}}, "domain is '127.0.0.1'"),
        ({"cookies": {"domain": "shop.example; Secure"}}, "cookies.domain is 'shop.example; Secure'"),
        ({"cookies": {"domain": "shop.example\r\nX: y"}}, "cookies.domain is"),
        ({"cookies": {"domain": "..shop.example"}}, "cookies.domain is"),
        ({"cookies": {"domain": "Shop.Example"}}, "cookies.domain is 'Shop.Example'"),
        (
            {"cookies": {"domain": "shop.example", "session": {"name": "__Host-mine"}}},
            "name is '__Host-mine' with a domain; allowed: a name that begins with __Secure-",
        ),
        (
            {"cookies": {"consent": {"name": "__Host-Http-c", "domain": "shop.example"}}},
            "name is '__Host-Http-c' with a domain",
        ),
        (
            {"cookies": {"session": {"domain": "shop.example"}}},
            "cookies.cart.domain is ''; allowed: the domain of",
        ),
        (
            {"cookies": {"domain": "shop.example"}, "origins": ["https://shop.example", "https://shop.test"]},
            "origins is 'https://shop.test'; allowed: hosts inside 'shop.example'",
        ),
    ],
)
def test_what_cannot_be_shared_does_not_start(settings: dict[str, Any], message: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        CookieGuard(shop, config_from_mapping({"state_dir": str(tmp_path / "state"), **settings}))

    assert message in str(caught.value)


def test_a_domain_renames_what_nobody_named_and_one_cookie_can_be_shared_alone() -> None:
    toml = {"cookies": {"domain": ".shop.example", "consent": {"name": "c"}}}
    shared = config_from_mapping(toml).cookies
    alone = config_from_mapping({"cookies": {"consent": {"domain": "shop.example"}}}).cookies

    assert [one.name for one in shared.specs] == [SESSION, "__Secure-cg_cart", "c", "__Secure-cg_remember"]
    assert {one.domain for one in shared.specs} == {"shop.example"}
    assert [one.name for one in alone.specs][2] == CONSENT
    assert alone.session == Config().cookies.session
