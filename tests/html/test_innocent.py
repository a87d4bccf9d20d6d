"""Shop code and vendors' snippets inside scripts pass byte for byte, wherever they are on the page.

The policy stops what they ask of held hosts, in the browser. Before, one address in a script held the whole script, and
the shop's menu or checkout with it. What an owner wants held all the same (`inline`, `data-cg="hold"`) is.
"""

# ruff: noqa: E501  # scripts as they stand in pages

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest
from harness.asgi import HTML, ask, page
from harness.rewriting import ORIGIN, every_byte, outside, rewrite

from cookieguard import Config, ConfigError, CookieGuard, Vendor
from cookieguard.html import Held, Rewriter, Rules, Url

SHOP_CODE = {
    "a payment redirect": 'go.onclick=function(e){e.target.disabled=true;f.action="https://pay.vendor.example/";f.submit()}',
    "a payment redirect out of a frame": 'f.target="_top";f.action="https://pay.vendor.example/";f.submit()',
    "a 3-D Secure form": 'document.body.insertAdjacentHTML("beforeend",\'<form id=acs method=post action="https://acs.bank.example/"><input name=creq></form>\');acs.submit()',
    "a newsletter at a list host": 'signup.action="https://list.vendor.example/subscribe";signup.requestSubmit()',
    "a country switcher": 'land.onchange=()=>{location.href={de:"https://shop-de.example/",fr:"https://shop-fr.example/"}[land.value]}',
    "addresses to come back to": 'axios.post("/api/checkout",{success_url:"https://pay.vendor.example/ok",cancel_url:"https://pay.vendor.example/no"})',
    "jQuery with data": '$.post("/api/cart",{ref:"https://social.example/"});$.get("/api/x",{from:"//social.example/"})',
    "ky with data": 'ky.post("/api/share",{json:{url:"https://social.example/post"}})',
    "a checkout of its own": 'loadCheckout({returnUrl:"https://pay.vendor.example/back"})',
    "linked data": 'injectJsonLd({"@context":"https://schema.org",sameAs:["https://social.example/shop"]})',
    "a lazy loader": 'lazyload({placeholder:"https://cdn.vendor.example/blank.gif"})',
    "a canonical link": 'var l=document.createElement("link");l.rel="canonical";l.href="https://brand.example/p/1";document.head.append(l)',
    "a link around a picture": "box.innerHTML='<a href=\"'+url+'\"><img src=\"/own.png\"></a>';var url='https://social.example/'",
    "a data layer": 'dataLayer.push({item:{src:"https://img.vendor.example/1.png",url:"https://brand.example/"}})',
    "a host for development": 'var api=location.hostname==="localhost"?"http://localhost:3000":"/api";fetch(api+"/cart")',
    "a menu with a pixel in it": 'menu.onclick=function(){menu.classList.toggle("open");new Image().src="https://ads.example/p?e=menu"}',
    "a variant picker with a tag": 'pick.onchange=e=>{price.textContent=e.target.selectedOptions[0].dataset.price;cart.value=e.target.value;fbq("track","ViewContent");new Image().src="//ads.example/v?"+cart.value}',
    "an embed made by a click": 'yt.onclick=()=>{var f=document.createElement("iframe");f.src="https://video.example/embed/1";yt.replaceWith(f)}',
    "share links": 'document.querySelectorAll(".share").forEach(a=>{a.href="https://social.example/sharer?u="+encodeURIComponent(location.href)})',
    "state": 'window.__STATE__={"page":"/","seller":"https:\\/\\/brand.example\\/","rp":{"id":"row-17"},"publicKey":"pk_live_1"}',
    "markup as text": 'code.textContent="<iframe src=\\"https://video.example/e/1\\"></iframe>"',
}
VENDORS = {
    "a tag manager": "(function(w,d,s,l,i){w[l]=w[l]||[];w[l].push({'gtm.start':1});var f=d.getElementsByTagName(s)[0],j=d.createElement(s);j.async=true;j.src='https://tags.example/gtm.js?id='+i;f.parentNode.insertBefore(j,f)})(window,document,'script','dataLayer','X-1')",
    "a tag and its queue": "window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments)}gtag('js',new Date());gtag('config','G-1',{transport_url:'https://tags.example'})",
    "a pixel": "!function(f,b,e,v,n,t,s){if(f.fbq)return;n=f.fbq=function(){n.callMethod?n.callMethod.apply(n,arguments):n.queue.push(arguments)};n.queue=[];t=b.createElement(e);t.async=!0;t.src=v;s=b.getElementsByTagName(e)[0];s.parentNode.insertBefore(t,s)}(window,document,'script','https://pixel.example/ev.js');fbq('init','1');fbq('track','Purchase',{value:3})",
    "a heat map": "(function(h,o,t,j,a,r){h.hj=h.hj||function(){(h.hj.q=h.hj.q||[]).push(arguments)};a=o.getElementsByTagName('head')[0];r=o.createElement('script');r.src=t+1+j;a.appendChild(r)})(window,document,'https://heat.example/c/h-','.js?sv=')",
    "own statistics": "var _paq=window._paq=window._paq||[];_paq.push(['trackPageView']);(function(){var u='//stats.example/';_paq.push(['setTrackerUrl',u+'m.php']);var g=document.createElement('script');g.src=u+'m.js';document.head.append(g)})()",
    "a hint": "var l=document.createElement('link');l.rel='preconnect';l.href='https://fonts.example';document.head.append(l)",
    "a relay of peers": "new RTCPeerConnection({iceServers:[{urls:'stun:stun.example'}]})",
    "a passkey": "navigator.credentials.get({publicKey:{challenge:c,rpId:'id.example'}})",
    "two readings": "var a='\\x83\\\\';f.src='//ads.example'",
}
INNOCENT = SHOP_CODE | VENDORS
PLACES = {
    "in the page": "<p>a</p><script>{text}</script>",
    "as a module": "<script type=module>{text}</script>",
    "with a type": '<script type="text/javascript" async>{text}</script>',
    "beside its source": '<script src="/own.js">{text}</script>',
    "where nobody runs it": '<script type="application/json">{text}</script>',
    "in a drawing": "<svg><script>{attribute}</script></svg>",
    "in a handler": '<button onclick="{attribute}" data-x=1>go</button>',
    "in a form's handler": "<form action=/pay onsubmit='{attribute}'><input></form>",
    "as an address": '<a href="javascript:{attribute}">go</a>',
    "in a frame's address": '<iframe src="javascript:{address}"></iframe>',
    "as a script's address": '<script src="data:text/javascript,{address}"></script>',
    "in a document of a frame": '<iframe srcdoc="&lt;script&gt;{attribute}&lt;/script&gt;"></iframe>',
}


def written(place: str, script: str) -> bytes:
    texts = {"text": script, "attribute": escape(script), "address": quote(script)}
    return PLACES[place].format(**texts).encode()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", INNOCENT)
def test_a_script_passes_byte_for_byte(name: str, place: str) -> None:
    document = written(place, INNOCENT[name])

    assert rewrite(document) == document
    assert rewrite(document, every_byte(document)) == document


def test_the_same_pages_are_altered_where_their_markup_loads() -> None:
    document = b"<script src=//ads.example></script><iframe src=//ads.example></iframe>"

    assert rewrite(document).count(b"data-cg-src") == 2


def test_a_file_of_the_shop_passes_byte_for_byte(tmp_path: Path) -> None:
    script = ";\n".join(INNOCENT.values()).encode()
    guard = CookieGuard(
        page(script, headers=[("content-type", "text/javascript")]), Config(state_dir=str(tmp_path))
    )

    assert ask(guard).body == script
    guard.close()


# -- held because the owner says so


ADS = Held("script", "", Url("https", "ads.example", None, "/"), "marketing", "Ads")
HOLDS = Rules(outside, ORIGIN, inline=[("fbq(*'init'", ADS), ("AdsQueue", ADS)])


@pytest.mark.parametrize(
    ("document", "is_held"),
    [
        (b"<script>fbq('init', 1)</script>", True),
        (b"<script type=module>window.AdsQueue = []</script>", True),
        (b"<svg><script>fbq(&#39;init&#39;)</script></svg>", True),
        (b"<script src=/own.js>fbq('init')</script>", False),
        (b'<script type=application/json>{"a": "AdsQueue"}</script>', False),
        (b"<script>'init'; fbq('track')</script>", False),
        (b"<p onclick=\"fbq('init')\">", False),
        (b"<script data-cg=necessary>AdsQueue</script>", False),
    ],
)
def test_an_inline_script_with_a_vendors_pattern_is_held(document: bytes, is_held: bool) -> None:
    rewriter = Rewriter(HOLDS)
    out = rewriter.feed(document) + rewriter.close()

    assert (out != document) is is_held
    assert rewriter.held == [ADS] * is_held
    assert (b'<script type="text/plain"' in out) is is_held
    assert rewrite(document, every_byte(document), rules=HOLDS) == out


@pytest.mark.parametrize("tag", [b"<script data-cg=hold>", b'<script type=module data-cg="hold">'])
def test_an_inline_script_that_its_owner_marks_is_held_while_anybody_is(tag: bytes) -> None:
    document = tag + b"own()</script>"

    assert b' type="text/plain"' in rewrite(document)
    assert rewrite(document, rules=Rules(outside, ORIGIN, holds_marked=False)) == document


def test_a_vendors_inline_scripts_are_held_until_its_purpose_is_agreed_to(tmp_path: Path) -> None:
    vendor = Vendor(name="Ads", purpose="marketing", hosts=("*.ads.example",), inline=("AdsQueue",))
    document = (
        b"<!doctype html><html><head></head><body><script>AdsQueue</script><script data-cg=hold>a()</script>"
    )
    guard = CookieGuard(page(document, headers=HTML), Config(state_dir=str(tmp_path), vendors=(vendor,)))

    assert ask(guard).text.count('<script type="text/plain"') == 2
    guard.close()


@pytest.mark.parametrize("pattern", ["", "a", "*", "a*b", "  x"])
def test_a_pattern_that_stands_in_nearly_every_script_is_none(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"vendors\.Ads\.inline"):
        Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), inline=(pattern,))
