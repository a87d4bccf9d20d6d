"""A tag decided by a look at its bytes is decided as by a full hearing."""

from __future__ import annotations

import random

import pytest
from harness.rewriting import HELD, outside
from harness.tags import nothing_nested, written

from cookieguard.html import Rules, Ruling, Url, scanner
from cookieguard.html.model import Tag
from cookieguard.html.summary import Summary
from cookieguard.html.tags import judge_tag

SEEDS = 8
TAGS_A_SEED = 1500
FIELDS = "attributes base closing embed empty has_text held inert is_judged live lost name plain text".split()
LOADERS = {
    "img": (
        "src",
        ["//ads.example/p", "https://ads.example/a/p?b&c", "http://ads.example", "//own.ads.example#x"],
    ),
    "script": (
        "src",
        ["//ads.example/p", "https://ads.example/a/./p", r"//ads.example/\x", "//ads.example/é"],
    ),
    "iframe": (
        "src",
        ["//ads.example/p", "https://ads.example/v?a=1&amp;b", "//ads.example/&#47;", "//shop.example/"],
    ),
    "object": ("data", ["//ads.example/p", "http://ads.example/x.swf", "data:text/html,<p>", "/own"]),
    "embed": ("src", ["//ads.example/p", "https://ads.example/x.swf#a", "/own"]),
    "frame": ("src", ["//ads.example/p", "javascript:1", "/own"]),
    "link": ("href", ["//ads.example/p", "https://ads.example#x", "//ads.example:80/", "//shop.example/"]),
}
BESIDE = """rel=stylesheet|rel="stylesheet"|rel="next icon"|rel='canonical'|rel="canon&#105;cal"|rel|@
type="text/javascript"|type=module|type|async|class="a"|alt='x "y"'|alt=x/|style="color:red"|@
style="background:url(//ads.example/b)"|STYLE='a:url( "//ads.example/b" ) b url(/own) url(//ads.example/c)'|@
style="b:url(&quot;//ads.example/b&quot;) c"|style="a:url('//ads.example/b url(//ads.example/b) x')"|@
style="a:url(//ads.example/é)"|style="b:url('//ads.example/&amp;')"|style=b:url(//ads.example/)|@
style="b:url(//shop.example/);content:'//ads.example/'"|style="b:image-set('//ads.example/' 1x)"|@
style='b:url("//ads.example/)'|style="b:url('//ads.example/>')"|style="/* url(//ads.example/) */ b:url(data:,x)"|@
style="a:\\75rl(//ads.example/)"|style="a:BasicImage(b=1)"|data-cg="necessary"|DATA-CG=necessary|data-x="1"|@
src="//own.ads.example/"|srcset="//ads.example/s 1x"|href="/own"|integrity=x|language=x|@
imagesrcset="//ads.example/i"|xlink:href="//ads.example/h"|crossorigin|=|/|referrerpolicy=unsafe-url|lang=en|@
media="(a)"|x|hidden|aria-hidden=true|width=1|height="300"|WIDTH="0"|style="display:none"|title="A &amp; b"|id=a|@
id="1 a"|sandbox|sandbox="allow-scripts"|srcdoc|type="image/png"|title|style="opacity: 0"|height=20px|name=f""".replace(
    "@\n", ""
).split("|")
RULES = [
    Rules(outside, "https://shop.example/", own_is_free=True),
    Rules(outside, "http://shop.example/", own_is_free=True, marks_links=True),
    Rules(outside, "https://shop.example/", own_is_free=True, is_lifted=lambda url: url.host == "ok.example"),
]


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


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_pages_load_most_is_decided_by_its_bytes(seed: int) -> None:
    rnd, rules = random.Random(seed), RULES[seed % len(RULES)]
    bench = rules.bench(rules.url, nothing_nested, xml=False)
    summary, held = Summary(bench), 0

    for _ in range(TAGS_A_SEED):
        element, (name, urls) = rnd.choice(list(LOADERS.items()))
        quote = rnd.choice('""\'')
        said = [f"{name}={quote}{rnd.choice(urls)}{quote}", *rnd.choices(BESIDE, k=rnd.randint(0, 4))]
        rnd.shuffle(said)
        raw = f"<{element} {' '.join(said)}{rnd.choice(['', ' ', '/', ' /'])}>".encode()
        tag = summary.judge(raw)
        if tag is not None:
            held += bool(tag.held)
            assert told(tag) == told(judge_tag(raw, bench)), raw

    assert held > TAGS_A_SEED // 20


def test_where_the_pages_own_may_be_held_every_tag_has_its_full_hearing() -> None:
    def declared(url: Url) -> Ruling | None:
        return HELD if url.path.startswith("/matomo/") else None

    rules = Rules(declared, "https://shop.example/")
    bench = rules.bench(rules.url, nothing_nested, xml=False)

    assert Summary(bench).judge(b"<img src=/matomo/p>") is None
