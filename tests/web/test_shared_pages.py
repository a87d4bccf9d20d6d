"""Pages for shared caches depend on address and variant alone, and are private if they depend on the visitor."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from harness.asgi import HTML, Answer, App, ask, hidden_fields, page

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import PolicyVersion
from cookieguard.config.cache import CacheSettings
from cookieguard.errors import ConfigError
from cookieguard.web.visitor import SCOPE_KEY

Guard = Callable[..., CookieGuard]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BODY = b"<!doctype html><html lang=de><head><title>x</title></head><body>%s<h1>Kettle</h1></body></html>"
ADS = BODY % b'<script src="https://ads.example/a.js"></script><img src="https://n.count.example/p.gif">'
PROXY = ("203.0.113.9", 443)
BROWSER = [
    ("accept", "text/html,*/*"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "none"),
]
FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
CHOICES = {
    "n": b"choice=reject",
    "a": b"choice=accept",
    "p": b"choice=save&purpose=statistics",
}
KEPT = "public, s-maxage=300, max-age=0, must-revalidate"


class Edge:
    """Ask as a cache does that is configured as docs/caches.md says, and as one that lacks a line."""

    def __init__(self, guard: Guard, app: App, **settings: Any) -> None:
        settings.setdefault("cache", CacheSettings(mode="shared"))
        self.app = guard(app, trusted_proxies=("203.0.113.0/24",), **settings)

    def choose(self, body: bytes, *, gpc: bool = False) -> dict[str, str]:
        """Make a choice, and return the cookies that it sets."""
        signal = [("sec-gpc", "1")] if gpc else []
        return ask(
            self.app, path="/_cg/consent", method="POST", headers=[*FORM, *signal], body=body
        ).cookies()

    def variant(self, state: str) -> str:
        """Return the variant of a state, as the cookie of a choice names it."""
        name, _, signal = state.partition("-")
        if name == "u":
            return state
        value = self.choose(CHOICES[name])["__Host-cg_v"]
        return f"{value}-{signal}" if signal else value

    def ask(
        self, variant: str = "", *, cookies: dict[str, str] | None = None, headers: Any = (), **options: Any
    ) -> Answer:
        """Ask for a page as the cache asks the origin."""
        sent = [("cg-variant", variant)] if variant else []
        if cookies:
            sent.append(("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        options.setdefault("client", PROXY)
        return ask(self.app, headers=[*BROWSER, *sent, *headers], **options)


@pytest.fixture
def edge(guard: Guard) -> Edge:
    """Give a shop whose page names two vendors, behind a cache."""
    return Edge(guard, page(ADS))


def alike(body: bytes) -> bytes:
    """Return a page without what only shared pages have."""
    return re.sub(rb"<cg-seen.*?</cg-seen>", b"", body, flags=re.DOTALL)


def held(answer: Answer) -> list[bytes]:
    """Return the shop's own elements as they became, and whether banner or control follows."""
    shops = re.findall(rb"<(?:script|img)[^>]*(?:ads|count)\.example/[ap][^>]*>", answer.body)
    return [*shops, *re.findall(rb'name="choice" value="[a-z]+"', answer.body)]


def unsampled(answer: Answer) -> list[tuple[str, str]]:
    """Return the headers without those of the policy that is tried on a sample of pages."""
    return [one for one in answer.headers if one[0] != "content-security-policy-report-only"]


@pytest.mark.parametrize("state", ["u", "n", "a", "p", "u-g", "n-g", "a-g", "p-g"])
def test_a_variant_is_the_page_that_its_visitor_gets_alone(edge: Edge, state: str) -> None:
    name, _, signal = state.partition("-")
    cookies = {} if name == "u" else edge.choose(CHOICES[name])
    gpc = [("sec-gpc", "1")] if signal else []

    shared = edge.ask(edge.variant(state))
    # An hour later, no page says that the choice was just saved, and none clears storage any more.
    alone = edge.ask(cookies=cookies, headers=gpc)

    assert shared.get("cache-control") == KEPT
    assert shared.get("content-security-policy") == alone.get("content-security-policy")
    assert "private" in alone.get("cache-control")
    assert held(shared) == held(alone) != []
    assert shared.get("set-cookie") == ""


def test_a_shared_page_says_to_caches_what_it_depends_on(edge: Edge) -> None:
    first, again, other = (edge.ask(edge.variant(one)) for one in ("u", "u", "n"))

    assert "cookie" not in first.get("vary").lower()
    assert first.get("vary").startswith("CG-Variant, Sec-Fetch-Dest")
    assert len(first.get("vary")) <= 128  # nginx keeps no page with a longer one
    assert first.get("etag") == again.get("etag") != other.get("etag") != ""
    assert first.body == again.body != other.body


@pytest.mark.parametrize(
    "headers",
    [
        [("accept-language", "fr")],
        [("user-agent", "Mozilla/5.0")],
        [("sec-gpc", "1")],
        [("referer", "https://elsewhere.example/")],
        [("sec-purpose", "prefetch")],
        [("x-forwarded-for", "198.51.100.20")],
        [("accept", "*/*")],
    ],
)
@pytest.mark.parametrize("state", ["u", "n", "a"])
def test_nothing_else_of_a_request_changes_a_shared_page(
    edge: Edge, state: str, headers: list[tuple[str, str]]
) -> None:
    plain, other = edge.ask(edge.variant(state)), edge.ask(edge.variant(state), headers=headers)

    assert other.body == plain.body
    assert unsampled(other) == unsampled(plain)


def test_the_language_is_the_page_s_or_the_configured_one(guard: Guard) -> None:
    german, french = [("accept-language", "de")], [("accept-language", "fr")]
    edge = Edge(guard, page(ADS.replace(b" lang=de", b"")))

    assert edge.ask("u", headers=german).body == edge.ask("u", headers=french).body
    assert edge.ask(headers=german).body != edge.ask(headers=french).body  # a private page asks the browser


@pytest.mark.parametrize(
    ("client", "variant", "cookie"),
    [
        (("198.51.100.7", 4711), "a", False),  # no proxy of the shop's
        (PROXY, "a", True),  # the cache has let Cookie through
        (PROXY, "a, n", False),  # two, joined
        (PROXY, "A", False),
        (PROXY, "p0", False),
        (PROXY, "p00000001", False),
        (PROXY, "pf", False),
        (PROXY, "x", False),
    ],
)
def test_a_forged_variant_loosens_nothing_and_is_not_kept(
    edge: Edge, client: tuple[str, int], variant: str, cookie: bool
) -> None:
    generation = edge.variant("a").partition(".")[2]

    answer = edge.ask(f"{variant}.{generation}", cookies={"theme": "dark"} if cookie else None, client=client)

    assert "ads.example" not in answer.get("content-security-policy")
    assert "private" in answer.get("cache-control")


def test_a_choice_made_under_other_terms_is_asked_again_and_its_cookie_removed(edge: Edge) -> None:
    answer = edge.ask("a.00000000")

    assert answer.get("cache-control") == "private, no-store"
    assert answer.body.count(b"cg-part") == edge.ask("u").body.count(b"cg-part")
    assert answer.cookies() == {"__Host-cg_v": ""}


@pytest.mark.parametrize("gpc", [False, True])
@pytest.mark.parametrize("name", sorted(CHOICES))
def test_a_choice_sets_the_variant_beside_the_consent_cookie(edge: Edge, name: str, gpc: bool) -> None:
    answer = edge.choose(CHOICES[name], gpc=gpc)
    under = "g" if gpc and name != "n" else ""

    assert re.fullmatch(f"{name}[0-9a-f]*{under}\\.[0-9a-f]{{8}}", answer["__Host-cg_v"])
    shared = edge.ask(answer["__Host-cg_v"] + "-g" * gpc)
    alone = edge.ask(cookies=answer, headers=[("sec-gpc", "1")] if gpc else [])
    assert shared.get("content-security-policy") == alone.get("content-security-policy")


def test_a_private_page_sets_the_variant_right_and_a_right_one_is_left_alone(edge: Edge) -> None:
    refused, accepted = edge.choose(CHOICES["n"]), edge.choose(CHOICES["a"])
    consent = {"__Host-cg_consent": refused["__Host-cg_consent"]}

    missing = edge.ask(cookies=consent)
    wrong = edge.ask(cookies={**consent, "__Host-cg_v": accepted["__Host-cg_v"]})
    stray = edge.ask(cookies={"__Host-cg_v": accepted["__Host-cg_v"]})

    assert missing.cookies() == wrong.cookies() == {"__Host-cg_v": refused["__Host-cg_v"]}
    assert "no-store" in missing.get("cache-control")
    assert stray.cookies() == {"__Host-cg_v": ""}
    for _ in range(3):  # also of a page that is known
        assert edge.ask(cookies=refused).cookies() == {}
        assert edge.ask(cookies=consent).cookies() == missing.cookies()


def opens_session(scope: Any) -> None:
    scope["session"]["seen"] = 1


def reads_consent(scope: Any) -> None:
    _ = scope[SCOPE_KEY].consent


def opens_cart(scope: Any) -> None:
    scope[SCOPE_KEY].cart["kettle"] = 1


def counts_goal(scope: Any) -> None:
    scope[SCOPE_KEY].goal("seen")


def counts_attempts(scope: Any) -> None:
    scope[SCOPE_KEY].throttle_key("login")


def nothing(scope: Any) -> None:
    _ = scope


@pytest.mark.parametrize(
    ("act", "headers", "asked"),
    [
        (opens_session, [], {}),
        (opens_cart, [], {}),
        (reads_consent, [], {}),
        (counts_goal, [], {}),
        (counts_attempts, [], {}),
        (nothing, [("set-cookie", "theme=dark")], {}),
        (nothing, [("cache-control", "private")], {}),
        (nothing, [("cache-control", "no-store")], {}),
        (nothing, [("cache-control", "max-age=0")], {}),
        (nothing, [("vary", "Accept-Encoding, Cookie")], {}),
        (nothing, [("content-security-policy", "script-src 'nonce-abc'")], {}),
        (nothing, [], {"headers": [("authorization", "Basic eDp5")]}),
        (nothing, [], {"headers": [("sec-fetch-dest", "iframe")]}),
        (nothing, [], {"headers": [("hx-request", "true")]}),
        (nothing, [], {"query": "cg-once=abc"}),
        (nothing, [], {"path": "/checkout/card"}),
        (nothing, [], {"path": "/_cg/choices"}),
        (nothing, [], {"method": "POST"}),
        (nothing, [], {"scheme": "http"}),
    ],
)
def test_a_page_with_a_visitor_in_it_stays_private(
    guard: Guard, act: Callable[[Any], None], headers: list[tuple[str, str]], asked: dict[str, Any]
) -> None:
    app = page(ADS, headers=[*HTML, *headers], act=act)

    edge = Edge(guard, app, strict_paths=("/checkout",))

    answer = edge.ask("u", **asked)

    assert not re.search("public|s-maxage", answer.get("cache-control")), answer.get("cache-control")
    assert edge.ask("u").get("cache-control") == KEPT or act is not nothing or headers


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("public, max-age=3600", 300),
        ("max-age=20", 20),
        ("max-age=20, s-maxage=90", 90),
        ("s-maxage=oops", 0),
    ],
)
def test_an_app_may_shorten_how_long_its_page_is_kept(guard: Guard, said: str, seconds: int) -> None:
    edge = Edge(
        guard, page(ADS, headers=[*HTML, ("cache-control", said), ("cdn-cache-control", "max-age=9")])
    )

    answer = edge.ask("u")

    assert (f"public, s-maxage={seconds}," in answer.get("cache-control")) == bool(seconds)
    assert "cdn-cache-control" not in dict(answer.headers)


def test_no_page_is_kept_beyond_the_day_on_which_contracts_end_and_policies_begin(guard: Guard) -> None:
    edge = Edge(guard, page(ADS), clock=lambda: NOW.replace(hour=23, minute=59, second=20))

    assert "s-maxage=40," in edge.ask("u").get("cache-control")


def test_what_a_choice_is_made_under_names_its_variant(guard: Guard) -> None:
    def generation(**settings: Any) -> str:
        return Edge(guard, page(ADS), **settings).variant("n").partition(".")[2]

    ads = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",))
    tomorrow = PolicyVersion(version="2", effective=date(2026, 11, 25))
    first = generation()

    assert first == generation()
    assert first != generation(vendors=(ads,))
    assert first != generation(policy=PolicyVersion(version="2"))
    assert generation(policy=tomorrow) != generation(policy=tomorrow, clock=lambda: NOW + timedelta(days=1))


def test_without_the_setting_no_variant_counts_and_no_cookie_is_set(guard: Guard) -> None:
    edge = Edge(guard, page(ADS), cache=CacheSettings())

    assert set(edge.choose(CHOICES["a"])) == {"__Host-cg_consent"}
    assert "private" in edge.ask("u").get("cache-control")


def test_a_withdrawal_changes_the_variant_at_once_and_state_sets_a_wrong_one_right(edge: Edge) -> None:
    accepted, refused = edge.choose(CHOICES["a"]), edge.choose(CHOICES["n"])
    mixed = {"__Host-cg_consent": refused["__Host-cg_consent"], "__Host-cg_v": accepted["__Host-cg_v"]}

    state = edge.ask(cookies=mixed, path="/_cg/state", query="0" * 12, method="HEAD")

    assert state.status == 200
    assert state.cookies() == {"__Host-cg_v": refused["__Host-cg_v"]}


def test_a_form_on_a_shared_page_is_taken(edge: Edge) -> None:
    shown = edge.ask("u")

    body = b"choice=accept" + hidden_fields(shown.body)
    posted = ask(edge.app, path="/_cg/consent", method="POST", headers=FORM, body=body, client=PROXY)

    assert posted.status == 303


@pytest.mark.parametrize("missing", ["trusted_proxies", "consent.enabled", "html.enabled"])
def test_a_shop_without_what_shared_pages_need_does_not_start(missing: str) -> None:
    from cookieguard.config import ConsentSettings, HtmlSettings

    settings: dict[str, Any] = {
        "trusted_proxies": ("127.0.0.1",),
        "consent": ConsentSettings(),
        "html": HtmlSettings(),
    }
    without = {
        "trusted_proxies": (),
        "consent.enabled": ConsentSettings(enabled=False),
        "html.enabled": HtmlSettings(enabled=False),
    }
    settings[missing.partition(".")[0]] = without[missing]

    with pytest.raises(ConfigError, match=missing):
        Config(cache=CacheSettings(mode="shared"), **settings)
