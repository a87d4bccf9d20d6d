"""Thirty vendors embedded as documented are held before consent, unchanged after it, and lose their cookies on refusal.

What a browser does with them is shown elsewhere; here the bytes of each page are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from harness.asgi import Answer, ask, page

from cookieguard import CookieGuard, Vendor
from cookieguard.config import load_catalogue

Guard = Callable[..., CookieGuard]
# Name in the catalogue, what its documentation says to put into a page, a cookie it sets there ("" for none).
EMBEDS = {
    "google-analytics": (
        '<script async src="https://www.googletagmanager.com/gtag/js?id=G-A"></script>',
        "_ga_X1",
    ),
    "google-tag-manager": (
        '<noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-A"></iframe></noscript>',
        "",
    ),
    "google-ads": (
        '<img src="//www.googleadservices.com/pagead/conversion/1/?label=a&amp;guid=ON" alt="">',
        "_gcl_au",
    ),
    "meta-pixel": (
        '<noscript><img src="https://www.facebook.com/tr?id=1&ev=PageView&noscript=1"/></noscript>',
        "_fbp",
    ),
    "microsoft-ads": ('<script src="//bat.bing.com/bat.js" async></script>', "_uetsid"),
    "tiktok-pixel": (
        '<script src="https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=A"></script>',
        "_ttp",
    ),
    "linkedin-insight": ('<img src="https://px.ads.linkedin.com/collect/?pid=1&fmt=gif" />', "li_fat_id"),
    "pinterest-tag": ('<script src="https://s.pinimg.com/ct/core.js"></script>', "_pin_unauth"),
    "criteo": ('<script src="//dynamic.criteo.com/js/ld/ld.js?a=1" async="true"></script>', "cto_bundle"),
    "microsoft-clarity": ('<script async src="https://www.clarity.ms/tag/abc"></script>', "_clck"),
    "hotjar": (
        '<script async src="https://static.hotjar.com/c/hotjar-1.js?sv=6"></script>',
        "_hjSessionUser_1",
    ),
    "matomo-cloud": (
        '<img src="https://a.matomo.cloud/matomo.php?idsite=1&rec=1" style="border:0" alt="" />',
        "_pk_id.1.abcd",
    ),
    "plausible": (
        '<script defer data-domain="shop.example" src="https://plausible.io/js/script.js"></script>',
        "",
    ),
    "posthog": (
        '<script src="https://eu-assets.i.posthog.com/static/array.js"></script>',
        "ph_phc_a_posthog",
    ),
    "optimizely": ('<script src="https://cdn.optimizely.com/js/1.js"></script>', "optimizelyEndUserId"),
    "vwo": ('<link rel="preconnect" href="https://dev.visualwebsiteoptimizer.com" />', "_vwo_uuid_v2"),
    "hubspot": (
        '<script id="hs-script-loader" async defer src="//js.hs-scripts.com/1.js"></script>',
        "__hstc",
    ),
    "klaviyo": (
        '<script async src="https://static.klaviyo.com/onsite/js/A/klaviyo.js"></script>',
        "__kla_id",
    ),
    "mailchimp": ('<script src="https://chimpstatic.com/mcjs-connected/js/users/a.js"></script>', "_mcid"),
    "intercom": ('<script async src="https://widget.intercom.io/widget/abc"></script>', "intercom-id-abc"),
    "zendesk": (
        '<script id="ze-snippet" src="https://static.zdassets.com/ekr/snippet.js?key=a"></script>',
        "__zlcmid",
    ),
    "crisp": ('<script async src="https://client.crisp.chat/l.js"></script>', "crisp-client%2Fsession%2Fa"),
    "youtube": (
        '<iframe width="560" height="315" src="https://www.youtube-nocookie.com/embed/a"></iframe>',
        "",
    ),
    "vimeo": ('<iframe src="https://player.vimeo.com/video/1" width="640" height="360"></iframe>', ""),
    "google-maps": (
        '<iframe src="https://www.google.com/maps/embed?pb=a" width="600" height="450"></iframe>',
        "",
    ),
    "google-fonts": ('<link href="https://fonts.googleapis.com/css2?family=Inter" rel="stylesheet">', ""),
    "recaptcha": ('<script src="https://www.google.com/recaptcha/api.js" async defer></script>', ""),
    "x-embeds": ('<script async src="https://platform.twitter.com/widgets.js"></script>', ""),
    "trustpilot": (
        '<script src="//widget.trustpilot.com/bootstrap/v5/tp.widget.bootstrap.min.js" async></script>',
        "",
    ),
    "sentry": ('<script src="https://browser.sentry-cdn.com/8.0.0/bundle.min.js"></script>', ""),
}
# An attribute that loads: whatever its quotes, but none of ours.
LIVE = re.compile(rb"""(?<![\w-])(?:src|href)=["'][^"']*""")
OWN = b"shop.example"
AGREED = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]


def shop_with(snippet: str) -> bytes:
    head = '<!doctype html><html lang="en"><head><title>Mugs</title><script src="/shop.js"></script>'
    return f"{head}</head><body><h1>Mugs</h1>{snippet}<a href=/cart>Cart</a></body></html>".encode()


def contacts(answer: Answer, name: str) -> list[bytes]:
    """Return what in a page still leads to the vendor's hosts."""
    hosts = [host.removeprefix("*.").partition("/")[0].encode() for host in Vendor(catalogue=name).hosts]
    return [one for one in LIVE.findall(answer.body) if any(host in one for host in hosts)]


def test_there_are_thirty() -> None:
    assert len(EMBEDS) == 30
    assert all(load_catalogue().find(name) for name in EMBEDS)


@pytest.mark.parametrize("name", EMBEDS)
def test_an_embed_is_held_then_as_written_and_its_cookie_goes_on_refusal(guard: Guard, name: str) -> None:
    snippet, cookie = EMBEDS[name]
    seen: list[dict[str, object]] = []
    shop = guard(page(shop_with(snippet), seen=seen), vendors=(Vendor(catalogue=name),))

    before = ask(shop)
    chosen = ask(shop, path="/_cg/consent", method="POST", headers=AGREED, body=b"choice=accept&next=/")
    after = ask(shop, headers=[("cookie", _cookies_of(chosen))])
    refusing = ask(shop, headers=[("cookie", f"{cookie or 'none'}=1; basket=7"), ("sec-gpc", "1")])

    assert contacts(before, name) == []
    assert b'<script src="/shop.js"></script>' in before.body
    assert snippet.encode() in after.body
    assert contacts(after, name) != []
    if cookie:
        assert dict(seen[-1]["headers"])[b"cookie"] == b"basket=7"  # type: ignore[call-overload]
        assert any(line.startswith(f"{cookie}=;") for line in refusing.all("set-cookie"))


def _cookies_of(answer: Answer) -> str:
    return "; ".join(f"{name}={value}" for name, value in answer.cookies().items())
