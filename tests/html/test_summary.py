"""A tag decided by a look at its bytes is decided as by a full hearing."""

from __future__ import annotations

import random

import pytest
from harness.rewriting import HELD, outside

from cookieguard.html import Rules, Ruling, Url, scanner
from cookieguard.html.loads import ANYWHERE, LOADS, SPECIAL_NAMES
from cookieguard.html.model import Held, Tag
from cookieguard.html.summary import Summary
from cookieguard.html.tags import judge_tag

SEEDS = 8
TAGS_A_SEED = 1500
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
FIELDS = "attributes base closing embed empty has_text held inert is_judged live lost name plain text".split()
RULES = [
    Rules(outside, "https://shop.example/", own_is_free=True),
    Rules(outside, "http://shop.example/", own_is_free=True, marks_links=True),
    Rules(outside, "https://shop.example/", own_is_free=True, is_lifted=lambda url: url.host == "ok.example"),
]


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
    return (tag + rnd.choice(["", " ", "/", " /"]) + ">").encode()


def nothing_nested(_: bytes) -> tuple[bytes, tuple[Held, ...]]:
    return b"", ()


def told(tag: Tag) -> dict[str, object]:
    """Tell all of a tag but `near`, which says only where it is kept."""
    return {name: getattr(tag, name) for name in FIELDS}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_summary_judgment_is_that_of_a_full_hearing(seed: int) -> None:
    rnd = random.Random(seed)
    rules = RULES[seed % len(RULES)]
    bench = rules.bench(rules.url, nothing_nested, xml=False)
    summary, decided, held = Summary(bench), 0, 0

    for raw in (written(rnd) for _ in range(TAGS_A_SEED)):
        tag = summary.judge(raw)
        if tag is not None:
            decided, held = decided + 1, held + bool(tag.held)
            assert told(tag) == told(judge_tag(raw, bench)), raw

    if scanner() == "compiled":
        assert decided > TAGS_A_SEED // 3
        assert held > TAGS_A_SEED // 50


def test_where_the_pages_own_may_be_held_every_tag_has_its_full_hearing() -> None:
    def declared(url: Url) -> Ruling | None:
        return HELD if url.path.startswith("/matomo/") else None

    rules = Rules(declared, "https://shop.example/")
    bench = rules.bench(rules.url, nothing_nested, xml=False)

    assert Summary(bench).judge(b"<img src=/matomo/p>") is None
