"""Where parsers differ, no reading has a live element that reaches a held host; html5lib checks it."""

from __future__ import annotations

import random
import warnings

import html5lib
import pytest
from harness.oracle import html5lib_elements, turbo_elements
from harness.rewriting import ORIGIN, every_byte, outside, rewrite

from cookieguard.html import Rules, parse_url, resolve
from cookieguard.html.attributes import candidates
from cookieguard.html.contact_points import ANYWHERE, LOADS, Load

BASE = parse_url("https://shop.example/")
NOBODY = Rules(lambda url: None, ORIGIN)
XLINK = "{http://www.w3.org/1999/xlink}"
SEEDS = 4
PAGES_PER_SEED = 250

ATOMS = [
    *"""
<img src=//ads.example/a> <img src="//ads.example/b"> <script src=//ads.example/c></script> <script> </script> <style>
</style> <title> </title> <textarea> </textarea> <xmp> </xmp> <iframe> </iframe> <noembed> </noembed> <noframes>
</noframes> <noscript> </noscript> <!-- --> --!> <!--> <!---> <!- -> <!x <?x > <svg> </svg> <math> </math> <desc>
</desc> <foreignObject> </foreignObject> <mi> </mi> <mtext> </mtext> <mglyph> <![CDATA[ ]]> <select> </select>
<option> <template> </template> <table> </table> <tr> <td> <col> <colgroup> </colgroup> <caption> <frameset> </frameset>
<frame src=//ads.example/f> <p> </p> <div> </div> </br> <font> <a " ' = / x <body> </body> <html> </html> <head> </head>
<image href="//ads.example/i"/> <image src=//ads.example/j> <use href=//ads.example/k> <input> <button> <b> </b> <g>
</g> <svg/> <title/> <style/> <script/> @import"//ads.example/u"; <!doctype> <br> <li> <h1> <form> </form> <object> <hr>
<!--<script> <script </script </title </noscript <style <svg><style> <svg><title> <math><mi> <select><style>
<template><col> <annotation-xml> </annotation-xml> <plaintext>
""".split(),
    *[
        "</ ",
        " ",
        '<a href="',
        '">',
        "'>",
        "<font color=x>",
        '<annotation-xml encoding="text/html">',
        "<object data=//ads.example/o>",
        "<script>var i=1</script>",
        '<style>@import "//ads.example/t"</style>',
    ],
]


def live(page: bytes, *, scripting: bool) -> list[tuple[str, ...]]:
    """List what the page would load from a held host, as html5lib reads it."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = parser.parse(page, scripting=scripting, transport_encoding="utf-8")
    found: list[tuple[str, ...]] = []
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        name = element.tag.rpartition("}")[2].lower()
        found += [
            (name, k, v) for k, v in element.attrib.items() if reaches(name, k.replace(XLINK, "xlink:"), v)
        ]
        # its own text, without that of comments and elements in it
        text = "".join([element.text or "", *(child.tail or "" for child in element)])
        if element.get("type") != "text/plain" and RUNS.get(name, "\0") in text.replace(" ", ""):
            found.append((name, text))
    return found


RUNS = {"style": '@import"//ads'}
SINGLE = (Load.URL, Load.DOCUMENT, Load.LATER)


def reaches(name: str, attribute: str, value: str) -> bool:
    load = LOADS.get(name.encode(), {}).get(attribute.lower().encode(), ANYWHERE.get(attribute.encode()))
    values = candidates(value) if load is Load.SRCSET else [value] if load in SINGLE else []
    return any((url := resolve(reference, BASE)) is not None and outside(url) for reference in values)


I = "<img src=//ads.example>"  # noqa: E741
SHEET = '@import"//ads.example/t";'
CASES = [
    f"<noscript>{I}</noscript>",
    f"<noscript><!-- </noscript>{I}-->",
    f"<noscript><style></noscript>{I}</style>",
    f"<noscript><style><!-- </noscript>{I} --></style>",
    f'<noscript><p title="</noscript>{I}">',
    f"<noscript><p a=</noscript>{I}>",
    f"<noscript><p </noscript>{I}>",
    f"<noscript><!x </noscript>{I}>",
    f"<noscript><svg><![CDATA[ </noscript>{I} ]]>",
    f"<noscript><script><!--<script> </noscript>{I}</script>",
    f"<noscript><svg><desc></noscript><style>{I}</style>",
    f"<noscript><textarea></noscript>{I}</textarea>",
    f"<svg><style>{I}</style></svg>",
    f"<svg><title><style>{I}</style></title></svg>",
    f"<svg><desc><div></svg><style>{I}</style>",
    f"<svg></div><style>{I}</style>",
    f"<div><svg></div><style>{I}</style>",
    f"<svg></p><style><!--</style>{I}--></style>",
    f"<div><svg></div><style><!--</style>{I}--></style>",
    f"<svg></div><style><!--</style>{I}--></style>",
    f"<div><svg></div><title>{I}</title>",
    f"<form><svg></form><style><!--</style>{I}--></style>",
    f"<p><svg><g></p><![CDATA[<p>]]>{I}",
    f"<div><svg></div><svg><style>{I}</style></svg><style>{I}</style>{I}",
    f"<div><svg><desc></div><style>{I}</style></desc><style>{I}</style>",
    f"<svg><foreignObject><div></foreignObject></svg><style>{I}</style>{I}",
    f"<svg><foreignObject><div></div><![CDATA[<p>]]>{I}</foreignObject><style>{I}</style></svg>{I}",
    f"<svg><foreignObject><p><div></div><![CDATA[<p>]]>{I}</p></foreignObject><style>{I}</style></svg>",
    f"<svg><mi><style><!--</style>{I}--></style></mi><style>{I}</style></svg>",
    f"<table><td><svg><desc></td><style>{I}</style>",
    f"<svg><title><script></title>{I}</script></title>{I}",
    f"<svg><p><style><!--</style>{I}-->",
    f"<svg><font size=1><style><!--</style>{I}-->",
    f"<svg><font><style><!--</style>{I}--></style>",
    f"<svg><![CDATA[<p>]]>{I}",
    f"<svg><desc><![CDATA[<p>]]>{I}",
    f"<svg><desc><p><![CDATA[<p>]]>{I}",
    f"<svg><desc><p><![CDATA[x>{I}]]>",
    f"<![CDATA[x>{I}]]>",
    f"<math><mi><![CDATA[x>{I}]]>",
    f"<math><annotation-xml encoding=text/html><style><!--</style>{I}-->",
    f"<math><annotation-xml><style>{I}</style>",
    f"<select><style></select>{I}</style>",
    f"<select><title>{I}</select></title>{I}",
    f"<select><svg><style>{I}</select>",
    f"<select><template></select><style>{I}</style>",
    f"<select><noscript><!-- </noscript></select>{I}-->",
    "<frameset><style><frame src=//ads.example></style>",
    "<frameset><noframes><style></noframes><frame src=//ads.example>",
    f"<template><col><style>{I}</style></template>",
    f"<table><style>{I}</table></style>",
    f"<title>{I}</title{I}></title>{I}",
    f"<title></title/><x>{I}",
    f"<xmp></xmpx>{I}</xmp>{I}",
    f"<script><!--<script></script>{I}--></script>{I}",
    f"<script><!--<script></script>{I}</script>{I}",
    f"<script><!--></script>{I}",
    f"<script><!--<script><!--></script>{I}",
    f"<svg><desc><p><script><!--<script --!></script><!-- </script>{I}-->",
    f"<!-->{I}-->",
    f"<!--->{I}-->",
    f"<!--x--!>{I}-->",
    f"<!--x--!x>{I}-->{I}",
    f"<!---!>{I}-->{I}",
    f"<?x>{I}",
    f"</ x>{I}",
    f"</>{I}",
    f"<>{I}",
    f"<a x='{I}'>{I}",
    f"<a x= >{I}",
    f'<a ">{I}',
    f"<a =>{I}",
    f"<a/='>{I}'>",
    f"<a b=c'>{I}'>",
    f"<plaintext>{I}",
    f"<iframe>{I}</iframe>{I}",
    f"<noembed>{I}</noembed>{I}",
    f"<svg/><style><!--</style>{I}-->",
    f"<svg a=/><style><!--</style>{I}-->",
    f"<svg><style/>{I}",
    f"<svg><script/>{I}",
    f"<style/>{I}</style>{I}",
    f"<svg><script></</script>{I}</script>",
    f"<svg><script><!-- </script> -->{I}</script>",
    f"<svg><script><![CDATA[ </script> ]]>{I}</script>",
    f"<svg><script><script></script>{I}</script>",
    f"<svg><script><script /><script/>{I}</script>{I}",
    f"<svg><script><script b /></script>{I}</script>{I}",
    f"<svg><script></></script></script>{I}",
    f"<svg><script></x:script>{I}</script>",
    f"<svg><a><script></a:script>{I}</script></a>",
    f"<svg><script><x:script></script>{I}",
    f"<svg><script><script></x:script></script>{I}</script>",
    f"<svg><style></x:style>{SHEET}</style>",
    f"<svg><style></</style>{SHEET}</style>",
    f"<svg><style><!-- </style> -->{SHEET}</style>",
    f"<svg><style><g></style>{SHEET}</style>",
    f"<svg><style><?x </style ?>{SHEET}</style>",
    "<body><frameset><frame src=//ads.example>",
    f"<table><tr><noscript><td>{I}</noscript>",
    f"<img src=/a\x00 srcset=//ads.example>{I}",
    f"<textarea>\n{I}</textarea>",
]


LOOP = "<script>for(i=0;i<n.length;i++){}</script>"
SCRIPTS = f"{LOOP}<p>x<script>/* <![CDATA[ */a<b/* ]]> */</script>{LOOP}"
# What a page had open before: an svg that is never closed, or HTML within one.
OPENED = (
    """<div><svg></div>|<div><svg><path/><g></div>|<p><svg></p>|<a><svg></a>|<ul><li><svg><g></li>|<button><svg></button>
<b><svg><svg></b>|<svg></script><img>|<svg></form><p>|<form><svg></form><p>|<svg></title></textarea></img><p>|<svg></body><p>
<svg><title>|<svg><title>x|<svg><title>x<path/></svg>|<svg><title><b>x</b></title></svg>|<svg><desc><p>x</p></desc></svg>
<svg><foreignObject><div><p>x</p></div></foreignObject></svg>|<svg><foreignObject><div>|<svg></p><p>|<svg></div><p>|<select>
<div><math></div>|<div><svg></div><section>|<div><svg></div><svg><path></svg>|<div><svg></div></svg>|<table><td><svg></td><td>
<svg><foreignObject><svg></foreignObject></svg>|<math><mi><b>x</b></mi></math>|<div><div><svg></div><svg></div>
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("opened", OPENED)
def test_scripts_behind_an_unclosed_drawing_stay_as_they_are(opened: str) -> None:
    page = (opened + SCRIPTS).encode()

    out = rewrite(page, rules=NOBODY)

    assert out.replace(b"</svg>", b"").replace(b"</math>", b"") == page.replace(b"</svg>", b"").replace(
        b"</math>", b""
    )
    for read in (turbo_elements, html5lib_elements):
        before, after = (list(read(text.decode(), True)) for text in (page, out))
        assert before == after
    assert rewrite(page, every_byte(page), rules=NOBODY) == out


@pytest.mark.parametrize("page", CASES)
@pytest.mark.parametrize("scripting", [True, False])
def test_no_reading_of_a_page_finds_a_live_element(page: str, scripting: bool) -> None:
    out = rewrite(page.encode())

    assert live(out, scripting=scripting) == []
    assert rewrite(page.encode(), every_byte(page.encode())) == out


def test_the_oracle_sees_what_is_live() -> None:
    assert live(f"<p>{I}".encode(), scripting=True)
    assert live(f"<noscript>{I}</noscript>".encode(), scripting=False)
    assert not live(f"<noscript>{I}</noscript>".encode(), scripting=True)
    assert live(b"<style>@import '//ads.example/t'</style>".replace(b"'", b'"'), scripting=True)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_pages_leave_no_element_alive(seed: int) -> None:
    rnd = random.Random(seed)
    for _ in range(PAGES_PER_SEED):
        page = "".join(rnd.choice(ATOMS) for _ in range(rnd.randint(2, 14))).encode()
        out = rewrite(page)
        cuts = sorted(rnd.sample(range(len(page)), min(len(page) - 1, 4)))

        assert rewrite(page, cuts) == out, page
        assert rewrite(page, every_byte(page)) == out, page
        for scripting in (True, False):
            assert live(out, scripting=scripting) == [], (page, out)
