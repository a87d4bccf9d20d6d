"""Text that the pure scanner skips in one match is text that would pass tag by tag."""

from __future__ import annotations

import random

import pytest
from harness.quick import some_of
from harness.rewriting import outside
from harness.sources import source_of
from harness.tags import nothing_nested, written

from cookieguard.html import Rewriter, Rules, Ruling
from cookieguard.html.contact_points import LINKS
from cookieguard.html.tags import judge_tag
from cookieguard.html.tokenizer import scanner

SEEDS = some_of(range(6), 0, 1, 2)
TAGS_A_SEED = 2500
PAGES_A_SEED = 250
OWN_FREE = Rules(outside, "https://shop.example/", own_is_free=True)
ALL_HELD = Rules(lambda _: Ruling("marketing", None), "https://shop.example/")
HTML = "DIV A a b body br select template option img input source meta link title area param form x-y".split()
ATTRIBUTES = (
    (
        r"""class="a (b"|id=x|style="color:red"|style='width:calc(1px)'|style="transform: rotate(1deg)"|@
STYLE="a:url(//ads.example)"|style="a:b(c)url(//ads.example)"|style="a:image-set('//ads.example' 1x)"|@
style="a:u\72l(//ads.example)"|style="&#117;rl(//a.b)"|fill="none"|fill="url(#a)"|mask=url(//ads.example)|@
cursor="x(//ads.example)"|background="//ads.example/b"|ping="//ads.example"|referrerpolicy=unsafe-url|@
attributionsrc=//ads.example|href="//ads.example/x"|href=#|src="//ads.example/p"|src="/p"|src="data:,x"|@
SRC="//ads.example/p"|srcset="//ads.example/p 1x"|name=referrer|name="REFERRER"|name="robots"|@
name="&#114;eferrer"|name="a"|content="origin"|content="unsafe-url"|charset="utf-8"|charset=iso-2022-jp|@
charset="hz-gb-2312"|http-equiv=refresh|content="0;url=//ads.example"|rel="canonical"|rel=icon|rel="icon"|@
rel='author'|rel="next"|imagesrcset="//ads.example/a 1x"|data-cg="necessary"|data-x='"'|alt=">"|a=b/|/|="|@
x = "y"|title='a"b'|checked|value="//ads.example/v"|type=hidden|xlink:href="#a"|on='"""
    )
    .replace("@\n", "")
    .split("|")
)
ATTRIBUTES += [
    """onclick="location.href='https://ads.example/'; return false;\"""",
    """ONCLICK='return window.open("//ads.example/?a&amp;b", "x", "width=1");'""",
    """onclick="open('//ads.example/' + x.src)\"""",
    """onclick="a({iceServers:[{urls:'stun:ads.example'}]})\"""",
    """onclick='a({publicKey:{rpId:"ads.example"}})'""",
    """onclick='PublicKeyCredential.a({rpId:"ads.example"})'""",
    """onclick="Select.Key(publicKeys, iceServer)\"""",
    """onclick="open("//ads.example/")\"""",
    """onclick="x.src='//ads.example/'\"""",
    """onload=x.src='//ads.example/'""",
    r"""onload="x.src='\x2f/ads.example/'\"""",
    "onload='own(\"/a\")'",
]
ATTRIBUTES += ['src="/\t/ads.example/p"', 'src="/\n/ads.example/p"', r'src="\/ads.example"', 'src="/a b"']
ATTRIBUTES += [
    'srcset="/a 1x, /b 2x"',
    'srcset="/a 1x,//ads.example/b 2x"',
    'src="&sol;/ads.example"',
    'src="https:own"',
]
DRAWN = (
    (
        r"""<svg>|<svg viewBox="0 0 1 1">|</svg>|</svg >|<g>|<g fill='none'>|</g>|<path d="M0"/>|<path d=M0/>|@
<path d="M0"></path>|<path>|</path>|</circle>|<use href="#a"/>|<use xlink:href="//ads.example/u"/>|@
<use href='#a'></use>|<title>a|<title>|</title>|<symbol>|</symbol>|<!-- c -->|<!-->|<!--|-->|<![CDATA[|]]>|text|@
<p>|<b|<img src="//ads.example/p">|<script>fetch('//ads.example/s')</script>|@
<style>@import '//ads.example/c';</style>|</script>|<noscript>|</noscript>|<select>|</select>|<template>|@
</template>|<math>|</math>|<path style="fill:url(//ads.example)"/>|<desc>|</desc>|<foreignObject>|@
</foreignObject>|<link rel="canonical" href="//ads.example">|<meta name="a" content="b">|@
<link rel=preload href="//ads.example/l">|</head>|<body>|</br>|<head>|<html lang="en">|<!doctype html>|@
<title>a</title>| |<meta http-equiv=content-security-policy content="img-src *">|<base href="//own.example/">|@
<script src="/a"></script>"""
    )
    .replace("@\n", "")
    .split("|")
)


def tags_of(seed: int) -> list[bytes]:
    rnd = random.Random(seed)
    spelled = (
        f"<{rnd.choice(HTML)} {' '.join(rnd.choices(ATTRIBUTES, k=rnd.randint(0, 3)))}{rnd.choice(['', ' ', '/'])}>"
        for _ in range(TAGS_A_SEED)
    )
    return [*map(str.encode, spelled), *(written(rnd) for _ in range(TAGS_A_SEED))]


def is_passed(raw: bytes, *, marks_links: bool = False) -> bool:
    """Return whether a run passes over a tag: the one it leaves off before is its group."""
    match = source_of(scanner).run(marks_links, False).fullmatch(raw)
    return match is not None and match[1] is None


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_of_the_scanner_skip_no_tag_that_the_full_decision_changes(seed: int) -> None:
    own, others = (rules.context(rules.url, nothing_nested, xml=False) for rules in (OWN_FREE, ALL_HELD))
    passed = 0

    for raw in tags_of(seed):
        if not raw[1:2].isalpha() or not is_passed(raw):
            continue
        passed += 1
        for tag in (judge_tag(raw, context) for context in (own, others)):
            assert (tag.live, tag.held, tag.base, tag.lost, tag.has_text) == (None, (), None, "", False), raw
            assert tag.plain or tag.name == b"meta", raw
            assert dict(tag.attributes).get(b"http-equiv") is None, raw

    assert passed > TAGS_A_SEED // 4


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_of_the_scanner_skip_no_link_if_links_are_marked(seed: int) -> None:
    tags = [raw for raw in tags_of(seed) if raw[1:2].isalpha()]
    passed = [raw for raw in tags if is_passed(raw, marks_links=True)]

    assert passed
    assert not [raw for raw in passed if raw[1:].split()[0].lower().rstrip(b"/>") in LINKS]


def rewritten(page: bytes, size: int, head: bytes) -> tuple[bytes, list[str], set[str]]:
    rules = Rules(outside, "https://shop.example/", own_is_free=True)
    rewriter = Rewriter(rules, insert=lambda seen: f"<b>{seen}</b>".encode(), head=head)
    out = [rewriter.feed(page[at : at + size]) for at in range(0, len(page), size)]
    return b"".join([*out, rewriter.close()]), [one.url.path for one in rewriter.held], rewriter.lost


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("start", ["<!doctype html><body><svg>", "<!doctype html><head>", "", "<svg>"])
def test_drawings_and_heads_pass_in_runs_as_they_pass_byte_by_byte(start: str, seed: int) -> None:
    rnd, held = random.Random(seed), 0

    for _ in range(PAGES_A_SEED):
        page = (start + "".join(rnd.choices(DRAWN, k=rnd.randint(2, 14)))).encode()
        head = rnd.choice([b"", b"<i></i>"])
        whole = rewritten(page, len(page), head)
        held += len(whole[1])

        assert whole == rewritten(page, 1, head), page

    assert held > PAGES_A_SEED // 4
