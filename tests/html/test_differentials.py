"""Where parsers differ: whatever the reading, no live element reaches a held host. Checked by html5lib."""

from __future__ import annotations

import random
import warnings

import html5lib
import pytest
from harness.rewriting import every_byte, outside, rewrite

from cookieguard.html import parse_url, resolve
from cookieguard.html.judges import candidates
from cookieguard.html.loads import ANYWHERE, LOADS, Load

BASE = parse_url("https://shop.example/")
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
        "<script>var i=new Image;i.src='//ads.example/s'</script>",
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


RUNS = {"style": '@import"//ads', "script": ".src='//ads"}
SINGLE = (Load.URL, Load.DOCUMENT, Load.LATER)


def reaches(name: str, attribute: str, value: str) -> bool:
    load = LOADS.get(name.encode(), {}).get(attribute.lower().encode(), ANYWHERE.get(attribute.encode()))
    values = candidates(value) if load is Load.SRCSET else [value] if load in SINGLE else []
    return any((url := resolve(reference, BASE)) is not None and outside(url) for reference in values)


I = "<img src=//ads.example>"  # noqa: E741
RUN = "var i=new Image;i.src='//ads.example/s'"
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
    f"<svg><script></</script>{RUN}</script>",
    f"<svg><script><!-- </script> -->{RUN}</script>",
    f"<svg><script><![CDATA[ </script> ]]>{RUN}</script>",
    f"<svg><script><g a='</script>'>{RUN}</script>",
    f"<svg><script><script></script>{RUN}</script>",
    f"<svg><script><script /><script/>{RUN}</script>{RUN}",
    f"<svg><script><script b /></script>{RUN}</script>{RUN}",
    f"<svg><script></></script></script>{RUN}",
    f"<svg><script></x:script>{RUN}</script>",
    f"<svg><a><script></a:script>{RUN}</script></a>",
    f"<svg><script><x:script></script>{I}",
    f"<svg><script><script></x:script></script>{RUN}</script>",
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
