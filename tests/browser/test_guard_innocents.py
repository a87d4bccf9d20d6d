"""What shops' own scripts do comes out the same guarded as unguarded; each snippet says in a value what it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from harness.servers import serving

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors
from .tiny import TinyShop, page

# `make` makes an element with properties, `put` puts it into the page. Nobody here is asked for anything.
HELP = """
let make = (name, said) => Object.assign(document.createElement(name), said);
let put = one => (document.body.append(one), one);
let loaded = one => new Promise(done => one.addEventListener("load", () => done(1), {once: true}));
let away = "https://film.example";
"""
SNIPPETS = {
    "own-frame": 'let f = make("iframe", {src: "/own"}); let l = loaded(f); put(f); await l;'
    "return f.contentDocument.title + f.getAttribute('src')",
    "blank-frame": 'let f = put(document.createElement("iframe")); f.contentDocument.body.textContent = "x";'
    "return f.contentDocument.body.innerHTML + f.outerHTML",
    "srcdoc": 'let f = make("iframe", {srcdoc: "<p id=a>text"}); let l = loaded(f); put(f); await l;'
    "return f.contentDocument.getElementById('a').textContent + f.srcdoc",
    "srcdoc-script": 'let f = make("iframe", {srcdoc: "<script>parent.said = document.write.name<\\/script>"});'
    "let l = loaded(f); put(f); await l; return window.said",
    "blob-frame": 'let f = make("iframe", {src: URL.createObjectURL(new Blob(["<p>text"], {type: "text/html"}))});'
    "let l = loaded(f); put(f); await l; return f.contentDocument.body.innerHTML",
    "blob-download": 'let u = URL.createObjectURL(new Blob(["<p>text"], {type: "text/html"}));'
    "return (await fetch(u)).text()",
    "blob-picture": 'let u = URL.createObjectURL(new Blob([new Uint8Array([1, 2])], {type: "image/png"}));'
    "return (await (await fetch(u)).arrayBuffer()).byteLength",
    "frame-attributes": 'let f = put(document.createElement("iframe")); f.setAttribute("width", 3);'
    'f.toggleAttribute("allowfullscreen"); f.removeAttribute("width"); return f.outerHTML + f.width',
    "frame-children": 'let f = document.createElement("iframe"); let n = f.appendChild(document.createTextNode("x"));'
    "return f.outerHTML + n.data",
    "frame-identity": 'let f = put(document.createElement("iframe")); '
    "return String([f.contentWindow === frames[frames.length - 1], f.contentWindow.frameElement === f])",
    "message": 'let f = make("iframe", {srcdoc: "<script>parent.postMessage(1, \'*\')<\\/script>"});'
    "let m = new Promise(done => addEventListener('message', e => done(e.source === f.contentWindow)));"
    "put(f); return String(await m)",
    "canonical": 'let l = make("link", {rel: "canonical", href: away + "/x"}); document.head.append(l); '
    "return l.outerHTML",
    "alternate": 'let l = document.createElement("link"); l.href = away; l.rel = "alternate"; l.hreflang = "de";'
    "document.head.append(l); return l.outerHTML + l.relList.length",
    "own-hint": 'let l = make("link", {rel: "preconnect", href: "/"}); document.head.append(l); return l.rel + l.href',
    "supports": 'return String(document.createElement("link").relList.supports("modulepreload"))',
    "link-list": 'let l = make("link", {href: "/x"}); l.relList.add("prefetch"); return l.outerHTML',
    "metas": 'let m = make("meta", {name: "description", content: "refresh: " + away}); document.head.append(m);'
    "return m.outerHTML",
    "open-graph": 'let m = document.createElement("meta"); m.setAttribute("property", "og:url");'
    "m.setAttribute('content', away); return m.outerHTML",
    "own-refresh": 'let m = make("meta", {httpEquiv: "refresh", content: "3600; url=/own"}); return m.outerHTML',
    "own-rules": 'let s = make("script", {type: "speculationrules"}); '
    's.textContent = JSON.stringify({prefetch: [{source: "list", urls: ["/own"]}]}); return s.outerHTML',
    "json-ld": 'let s = make("script", {type: "application/ld+json", text: JSON.stringify({sameAs: [away]})});'
    "document.head.append(s); return s.outerHTML",
    "inline-script": 'let s = make("script", {text: "window.ran = 1"}); document.head.append(s); return window.ran',
    "script-parts": 'let s = document.createElement("script"); s.append("window.a", "dded = 2"); '
    "document.head.append(s); return window.added",
    "module": 'let s = make("script", {type: "module", textContent: "window.mod = 3"}); let l = new Promise(d => '
    "{ s.onload = d; setTimeout(d, 500); }); document.head.append(s); await l; return window.mod",
    "links": 'let d = put(document.createElement("div")); d.innerHTML = `<a href="${away}" target="_blank">x</a>`;'
    "return d.innerHTML + d.firstChild.href",
    "markup": 'let d = document.createElement("div"); d.innerHTML = "<ul><li>a<li>b</ul><iframe src=/own></iframe>'
    '<link rel=icon href=/x><base-like>z</base-like><menu><li>c</menu>"; return d.innerHTML',
    "table": 'let t = document.createElement("table"); t.innerHTML = "<tr><td>1"; return t.outerHTML',
    "nothing": 'let d = document.createElement("div"); d.innerHTML = null; d.innerHTML += 5; return d.innerHTML',
    "adjacent": 'document.body.insertAdjacentHTML("beforeend", "<p id=adj>x"); return adj.outerHTML',
    "fragment": 'return document.createRange().createContextualFragment("<b>1</b>").firstChild.outerHTML',
    "parser": 'let d = new DOMParser().parseFromString("<link>https://film.example</link>", "text/xml");'
    "return new XMLSerializer().serializeToString(d)",
    "embed-code": 'let t = document.createElement("textarea"); t.value = "<iframe src=" + away + "></iframe>";'
    "return t.value",
    "shown-code": 'let p = document.createElement("pre"); p.textContent = "<iframe src=" + away + ">"; '
    "return p.innerHTML",
    "template": 'let t = document.createElement("template"); t.innerHTML = "<p>a</p><script>1<\\/script>";'
    "return t.content.childElementCount",
    "shadow": 'let d = put(document.createElement("div")); d.attachShadow({mode: "open"}).innerHTML = "<p>x";'
    "return d.shadowRoot.innerHTML",
    "base": 'let b = make("base", {href: "/deep/"}); document.head.append(b); let u = make("a", {href: "x"}).pathname;'
    "b.remove(); return u",
    "form-frame": 'let f = make("iframe", {name: "t1"}); put(f); let g = make("form", {action: "/own", target: "t1"});'
    "put(g); let l = loaded(f); g.submit(); await l; return f.contentDocument.title",
    "named-window": 'let f = make("iframe", {name: "t2"}); put(f); let l = loaded(f); let w = open("/own", "t2");'
    "await l; return String(w === f.contentWindow)",
    "cookies": 'document.cookie = "cart=1; path=/"; document.cookie = "_gat=2"; return document.cookie',
    "storage": 'localStorage.setItem("a", 1); localStorage.b = 2; sessionStorage.setItem("c", "d");'
    "return JSON.stringify(localStorage) + sessionStorage.c",
    "webrtc": 'let p = new RTCPeerConnection({iceServers: [{urls: "stun:" + location.hostname}]});'
    "p.createDataChannel('x'); await p.setLocalDescription(); return p.getConfiguration().iceServers[0].urls[0]",
    "errors": "try { document.body.appendChild(1); } catch (e) { return e.constructor.name + e.message; }",
    "bad-attribute": 'try { document.createElement("iframe").setAttribute("1", 2); } catch (e) { return e.message; }',
}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    app = TinyShop({"/": page(), "/own": page()})
    vendors = (Vendor(name="Film", purpose="preferences", hosts=("film.example",), cookies=("_film",)),)
    config = Config(
        state_dir=str(tmp_path_factory.mktemp("innocents") / "state"),
        vendors=vendors,
        first_party_hosts=("shop.localhost",),
    )
    with ExitStack() as stack:
        served = [stack.enter_context(serving(one)) for one in (CookieGuard(app, config), app)]
        yield [one.at("shop.localhost") for one in served]


def test_what_a_shop_does_comes_out_the_same(visit: Visitors, shops: list[str]) -> None:
    outcomes: list[dict[str, object]] = []
    guarded = []
    for url in shops:
        tab, found = visit().new_page(), {}
        for name, script in SNIPPETS.items():
            tab.goto(f"{url}/")
            said = tab.evaluate(f"async () => {{ {HELP} {script} }}")
            found[name] = str(said).replace(url, "").replace(url.partition("//")[2], "")
        outcomes.append(found)
        guarded.append(tab.evaluate("Object.hasOwn(HTMLIFrameElement.prototype, 'setAttribute')"))

    assert guarded == [True, False]
    assert outcomes[0] == outcomes[1]
    assert len(set(outcomes[1].values())) > len(SNIPPETS) / 2
