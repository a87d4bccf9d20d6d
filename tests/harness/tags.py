"""Random start tags, with attributes that load and attributes that only look like it."""

from __future__ import annotations

import random

from cookieguard.html.contact_points import ANYWHERE, LOADS, SPECIAL_NAMES
from cookieguard.html.types import Held

ELEMENTS = [name.decode() for name in sorted(SPECIAL_NAMES)] + ["div", "A", "IMG", "x:a", "sPaN", "é"]
NAMES = sorted(
    {name.decode() for loads in LOADS.values() for name in loads} | {name.decode() for name in ANYWHERE}
)
NAMES += ["type", "language", "rel", "lang", "class", "data-cg", "http-equiv", "name", "SRC", "=", "é", "src"]
VALUES = (
    (
        r"""//ads.example/p|https://ads.example/a/b?c&d#e|http://own.ads.example|/own/p.png|own.png|#x|@
data:,//x|data:image/png;base64,AA//|//ads.example:8080/|//u@ads.example/|//ads.example/%2e/a|//ads.example/./a|@
//ads.example?q|//shop.example/x|https:own|https://ok.example/|\\ads.example|&#47;/ads.example|//ads.example/?a&amp;b|@
/a 1x, //ads.example/b 2x|/a, /b|//ads.example/a, |(,//ads.example/x) 1x,/y|, //shop.example/a w,x|@
color:red|fill:url(#a)|url(//ads.example/x)|background:URL('//ads.example')|x\28|@import '//x'|image-set(a)|calc(1px)|@
stylesheet|canonical|next|preload ICON|text/javascript|module|text/template; x|importmap|unsafe-url|no-referrer|@
necessary|é|//ads.example/é|//é.example/|javascript:fetch('//ads.example')|<p>|//ads.example/a|" ' `"""
    )
    .replace("@\n", "")
    .split("|")
)

EVENTS = ["onclick", "ONLOAD", "on", "one", "on-x", "onsecuritypolicyviolation"]
SCRIPTS = (
    (
        r"""x.src='//ads.example/e'|x.src='/own'|fetch('https:\x2f\x2fads.example')|x.src=&quot;//ads.example&quot;|@
x.src='&#47;/ads.example'|open('//ads.example')|new Image().src='//shop.example/'|x('\'&amp;b')|@
x.src='\57/ads.example'|x.src='&sol;/ads.example'|x.src='/\/ads.example'|//|/|\|&|x.src='//ads.example/é'"""
    )
    .replace("@\n", "")
    .split("|")
)


def written(rnd: random.Random) -> bytes:
    """Write one tag."""
    element = rnd.choice(ELEMENTS)
    loading = [name.decode() for name in LOADS.get(element.lower().encode(), ANYWHERE)]
    tag = "<" + rnd.choice(["", "", "", "/"]) + element
    for _ in range(rnd.randint(0, 4)):
        tag += rnd.choice([" ", "\n", "/", " / "]) + rnd.choice([rnd.choice(NAMES), rnd.choice(loading)])
        value = rnd.choice(VALUES)
        if rnd.random() < 0.9:
            quote = rnd.choice(['"', "'", ""])
            value = (
                value.replace(quote, "")
                if quote
                else value.translate(dict.fromkeys(map(ord, " >\t\n\"'"), ""))
            )
            tag += rnd.choice(["=", " = "]) + quote + value + quote
    if rnd.random() < 0.2:
        tag += f' {rnd.choice(EVENTS)}="{rnd.choice(SCRIPTS)}"'
    return (tag + rnd.choice(["", " ", "/", " /"]) + ">").encode()


def nothing_nested(_: bytes) -> tuple[bytes, tuple[Held, ...]]:
    return b"", ()
