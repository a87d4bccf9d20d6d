"""The quick decision about a tag, from its bytes, agrees with the full one."""

from __future__ import annotations

import random
from functools import partial

import pytest
from harness.rewriting import HELD, outside
from harness.tags import nothing_nested, written

from cookieguard.html import Rewriter, Rules, Ruling, Url, scanner
from cookieguard.html.fast.tag_summary import Summary
from cookieguard.html.page import Glance
from cookieguard.html.tags import judge_tag
from cookieguard.html.types import Held, Tag, TagContext

SEEDS = 8
TAGS_A_SEED = 1500
FIELDS = "attributes base closing drawn empty has_text held inert is_judged live lost name plain text".split()
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
STYLES = """a:url(//ads.example/a)|a:url(https://ads.example)|a:URL( //ads.example?a;b )|a:url(//ads.example/a b)|@
a:url(^//ads.example/^)|a:url(^//ads.example/ ^)|a:url(^//ads.example|b:calc(1px);a:url(//ads.example/x);c:rgb(1,2,3)|@
a:url(//ads.example/a)url(//ads.example/b)|a:url(//ads.example/%2e)|a:url(//ads.example/../a)|@
a:url(//ads.example:80/)|a:url(//shop.example/a)|a:url(/own)|a:src(//ads.example/a)|a:set(url(//ads.example/a))|@
a:url(//ads.example/a)/*b*/|/*a:url(//ads.example/a)|a:url(//ads.example/a);b:image(c)|a:url(//ads.example/&amp;)|@
a:url(//ads.example/<)|a:url(//ads.example/é)|é:url(//ads.example/a)|a:url(//ads.example/a|a:u\\72l(//ads.example/a)|@
@namespace url(//ads.example/a)|a:url(//1.2.3.4/)|a:url(//ads.example/a)b^c|a^b:url(//ads.example/a)|@
a:url(//ads.example/a)x(/own)""".replace("@\n", "").split("|")
BASES = (
    r"""/|/a/|a|?b|#c|//ads.example/|//shop.example/|https:a|/@/ads.example|/a//b|\\ads.example|/\a|@
&#47;/ads.example/| /|é|/_cg/|/_cg|/a/_cg/consent|_cg/|/_c@g/|/%5fcg/|/a/../_cg/|/a/.|/a?/_cg/|/&#95;cg/|/é/|/a |/own/|@
/own/-|/own|/b/c.d/""".replace("@\n", "")
    .replace("@", "\t")
    .split("|")
)
DOCUMENTS = """<p>a|<img src=/a>|<img src='/a b'>|<img src=//ads.example/a>|<p style='a:url(//ads.example/a)'>|@
<!-- a -->|<!--|<!doctype html>|<b|a<|<script>a</script>|<a href=//ads.example>|<svg><g/></svg>|</p>|<base href=/a>|@
<iframe srcdoc=a>|<meta charset=utf-8>|<meta charset=iso-2022-jp>|<link rel=icon href=/a>|<select>|<p onclick=a()>|@
<![CDATA[|<?a|<title>|é|<img src=a:b>|<img srcset='/a 1x'>|<img src=/a//b>|&lt;|&quot;""".replace(
    "@\n", ""
).split("|")


def acts(url: Url) -> bool:
    return "/_cg/" in f"{url.path}/" or url.path == "/own/-"


RULES = [
    Rules(outside, "https://shop.example/", own_is_free=True, acts=acts),
    Rules(outside, "http://shop.example/", own_is_free=True, marks_links=True, acts=acts),
    Rules(outside, "https://shop.example/", own_is_free=True, is_lifted=lambda url: url.host == "ok.example"),
]


def rewritten(rules: Rules, document: bytes, _is_xml: bool) -> tuple[bytes, tuple[Held, ...]]:
    inner = Rewriter(rules, depth=1, base=rules.url)
    return inner.feed(document) + inner.close(), (*inner.held, *map(str, inner.lost))  # type: ignore[return-value]


def nesting(rules: Rules) -> tuple[TagContext, TagContext]:
    """Return two benches that rewrite what is nested: one that glances at it first, and one that does not."""
    nest = partial(rewritten, rules)
    glance = Glance(rules, rules.url).glance
    return rules.context(rules.url, nest, xml=False, glance=glance), rules.context(rules.url, nest, xml=False)


def told(tag: Tag) -> dict[str, object]:
    """Return all fields of a tag except `near`, which says only where it is cached."""
    return {name: getattr(tag, name) for name in FIELDS} | {"embed": tag.room and tag.room()}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_quick_decision_about_a_tag_equals_the_full_one(seed: int) -> None:
    rnd = random.Random(seed)
    rules = RULES[seed % len(RULES)]
    context = rules.context(rules.url, nothing_nested, xml=False)
    summary, decided, held = Summary(context), 0, 0

    for raw in (written(rnd) for _ in range(TAGS_A_SEED)):
        tag = summary.judge(raw)
        if tag is not None:
            decided, held = decided + 1, held + bool(tag.held)
            assert told(tag) == told(judge_tag(raw, context)), raw

    if scanner() == "compiled":
        assert decided > TAGS_A_SEED // 3
        assert held > TAGS_A_SEED // 50


@pytest.mark.skipif(scanner() == "pure", reason="only the compiled build looks")
@pytest.mark.parametrize(
    "raw",
    [
        b"<img " + b"src=//ads.example " * 1000 + b">",
        b"<script type=module src=//ads.example a TYPE=b SRC type src='//ads.example'>",
        b"<iframe src=/own src=//ads.example>",
        b"<p style='a:url(//ads.example/)' style=b>",
    ],
)
def test_repeated_attributes_are_decided_quickly(raw: bytes) -> None:
    """It makes some objects of each: a tag of 2 MB of them took four times as long."""
    context = RULES[0].context(RULES[0].url, nothing_nested, xml=False)
    tag = Summary(context).judge(raw)

    assert tag is not None
    assert told(tag) == told(judge_tag(raw, context))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_pages_load_most_is_decided_by_its_bytes(seed: int) -> None:
    rnd, rules = random.Random(seed), RULES[seed % len(RULES)]
    context = rules.context(rules.url, nothing_nested, xml=False)
    summary, held = Summary(context), 0

    for _ in range(TAGS_A_SEED):
        element, (name, urls) = rnd.choice(list(LOADERS.items()))
        quote = rnd.choice('""\'')
        said = [f"{name}={quote}{rnd.choice(urls)}{quote}", *rnd.choices(BESIDE, k=rnd.randint(0, 4))]
        rnd.shuffle(said)
        raw = f"<{element} {' '.join(said)}{rnd.choice(['', ' ', '/', ' /'])}>".encode()
        tag = summary.judge(raw)
        if tag is not None:
            held += bool(tag.held)
            assert told(tag) == told(judge_tag(raw, context)), raw

    assert held > TAGS_A_SEED // 20 or scanner() == "pure"


def test_every_tag_is_decided_in_full_if_paths_of_the_shop_may_be_held() -> None:
    def declared(url: Url) -> Ruling | None:
        return HELD if url.path.startswith("/matomo/") else None

    rules = Rules(declared, "https://shop.example/")
    context = rules.context(rules.url, nothing_nested, xml=False)

    assert Summary(context).judge(b"<img src=/matomo/p>") is None


@pytest.mark.parametrize(
    "pages",
    [
        {
            "/a/p": b"""<img src="x.png"><iframe srcdoc='<img src="x.png">'></iframe>""",
            "/dir/matomo/p": b"""<iframe srcdoc='<img src="x.png">'></iframe>""",
        },
        {"/dir/p": b"""<base href="'/../matomo/"><img src="x.png">"""},
    ],
)
def test_a_path_of_the_shop_that_is_a_vendors_is_held_from_any_directory(pages: dict[str, bytes]) -> None:
    """What one page got by a look must not be taken for another's, which lies elsewhere."""

    def declared(url: Url) -> Ruling | None:
        return HELD if url.path.startswith("/dir/matomo/") else None

    rules = Rules(declared, "https://shop.example/")
    for path, page in pages.items():
        rewriter = Rewriter(rules, url=f"https://shop.example{path}")
        rewriter.feed(page)
        rewriter.close()

    assert rewriter.held


@pytest.mark.parametrize("seed", range(SEEDS))
def test_quick_decision_about_styles_bases_and_documents_equals_the_full_one(seed: int) -> None:
    rnd, rules = random.Random(seed), RULES[seed % len(RULES)]
    glancing, full = nesting(rules)
    summary, held, bases, passed, away = Summary(glancing), 0, 0, 0, 0

    for _ in range(TAGS_A_SEED):
        quote, other = rnd.choice(["\"'", "'\""])
        name, value = rnd.choice(
            [
                ("style", rnd.choice(STYLES).replace("^", other)),
                ("href", rnd.choice(BASES)),
                ("srcdoc", "".join(rnd.choices(DOCUMENTS, k=rnd.randint(0, 3))).replace(quote, other)),
            ]
        )
        element = {"style": rnd.choice(["p", "DIV", "x-y", "td"]), "href": "base", "srcdoc": "iframe"}[name]
        said = [f"{name}={quote}{value}{quote}", *rnd.choices(BESIDE, k=rnd.choice([0, 0, 1, 2]))]
        if rnd.random() < 0.2:
            said[0] = f"{name}={value.partition(' ')[0]}"
        rnd.shuffle(said)
        raw = f"<{element} {' '.join(said)}{rnd.choice(['', ' ', '/', ' /'])}>".encode()
        judged = judge_tag(raw, full)  # first: what is inside of it is known from now on
        tag = summary.judge(raw)
        away += element == "base" and bool(judged.lost)
        if tag is not None:
            held, bases = held + bool(tag.held), bases + (tag.base is not None)
            passed += b" srcdoc=" in raw.lower() and not tag.held
            assert told(tag) == told(judged), raw

    assert min(held, bases, passed) > TAGS_A_SEED // 50 or scanner() == "pure"
    assert away or seed % len(RULES) == 2  # those rules know of no page that acts


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_document_that_passes_at_a_glance_passes_as_it_is(seed: int) -> None:
    rnd, rules = random.Random(seed), RULES[seed % len(RULES)]
    glance, passed = Glance(rules, rules.url), 0

    for _ in range(TAGS_A_SEED):
        document = "".join(rnd.choices(DOCUMENTS, k=rnd.randint(0, 4))).encode()
        if glance.glance(document) == (document, ()):
            passed += 1
            assert rewritten(rules, document, False) == (document, ()), document

    assert passed > TAGS_A_SEED // 10


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_document_whose_tags_are_only_written_anew_becomes_what_a_rewriter_makes_of_it(seed: int) -> None:
    rnd, rules = random.Random(seed), RULES[seed % len(RULES)]
    unsure = (b"unsure", ())
    nested, made = Glance(rules, rules.url, lambda _document, _is_xml: unsure), 0

    for _ in range(TAGS_A_SEED):
        parts = [
            rnd.choice([*DOCUMENTS, *(f"<img src=//ads.example/{n}>" for n in range(9))]) for _ in range(4)
        ]
        document = "".join(parts[: rnd.randint(0, 4)]).encode()
        found = nested.rewrite(document, False)
        if found != unsure:
            made += bool(found[1])
            assert found == rewritten(rules, document, False), document

    assert made > TAGS_A_SEED // 20 or scanner() == "pure"
