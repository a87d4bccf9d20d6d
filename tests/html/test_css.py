"""Style sheets: references to held hosts are cut out, and the other rules keep working."""

from __future__ import annotations

import random
import time

import pytest
from harness.rewriting import outside, rewrite
from harness.tags import nothing_nested
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.html import Rules, scanner
from cookieguard.html.css.stylesheet import cut, held_in_sheet, held_parts
from cookieguard.html.element_text import judge_text
from cookieguard.html.fast.tag_summary import Summary
from cookieguard.html.tokenizer.output import Output
from cookieguard.html.types import STYLE

PARTS = (
    r"""url(|URL(|-url(|src(|translatex(|"|'|(|)| |a|@import|@media|@namespace |@-moz-document |@font-face{|/*|*/|*|/|@
{|}|;|//ads.example/p|https://ads.example/x|data:,x|'//ads.example/q'|h:|é|.|ok/a.png|image-set(|//|\|@
inset(|var(|-set(|image-set('|image-set("|]|[|' 1x)|@
url(//ads.example/p)|url("//ads.example/p")|url('//ads.example/p')|url(ok/b)|*/ url(//b.example/c)""".replace(
        "@\n", ""
    )
    + "|\n|\t|\r"
).split("|")


# An icon as tools write it: the address of svg in it is a name.
ICON = (
    """.i{background:url("data:image/svg+xml,%3Csvg xmlns='http://ads.example//ads.example/2000/svg'/%3E")}"""
)


def holds(reference: str) -> bool:
    return "//ads.example" in reference.replace("\\", "/") and not reference.startswith("data:")


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        ("a{color:red}", "a{color:red}"),
        ("a{b:url(/x.png)}", "a{b:url(/x.png)}"),
        ("a{b:url(//ads.example/x)}c{d:e}", "a{b:url(data:,)}c{d:e}"),
        ("a{b:URL( '//ads.example/x' )}", 'a{b:URL( "data:," )}'),
        ('a{b:url("//ads.example/x', 'a{b:url("data:,"'),
        ("a{b:url(//ads.example", "a{b:url(data:,"),
        ("a{b:url(\\2f/ads.example)}", "a{b:url(data:,)}"),
        ("@import '//ads.example/x.css' screen;a{}", '@import "data:," screen;a{}'),
        ('@IMPORT/**/ /* x */"//ads.example";', '@IMPORT/**/ /* x */"data:,";'),
        ("@import url(//ads.example);", "@import url(data:,);"),
        ("a{b:image-set(url(/a) 1x, '//ads.example' 2x)}", "a{b:image-set(url(/a) 1x, 'data:,' 2x)}"),
        ('a{b:-webkit-image-set("//ads.example" 1x)}', 'a{b:-webkit-image-set("data:," 1x)}'),
        (
            "a{filter:progid:X.BasicImage(rotation=1, mirror=.5)}b{content:'//ads.example/'}",
            "a{filter:progid:X.BasicImage(rotation=1, mirror=.5)}b{content:'//ads.example/'}",
        ),
        ("a{b:image-set(/*)*/'//ads.example' 1x)}", "a{b:image-set(/*)*/'data:,' 1x)}"),
        ("a{b:image-set(a(b)'//ads.example' 1x)}", "a{b:image-set(a(b)'data:,' 1x)}"),
        ("a{b:image-set(1x", "a{b:image-set(1x"),
        (f".sr{{clip-path:inset(50%)}}{ICON}", f".sr{{clip-path:inset(50%)}}{ICON}"),
        (f"a{{b:offset('//ads.example')}}{ICON}", f"a{{b:offset('//ads.example')}}{ICON}"),
        (
            f"a{{b:image-set('/a.png' 1x, url('/b') 2x)}}{ICON}",
            f"a{{b:image-set('/a.png' 1x, url('/b') 2x)}}{ICON}",
        ),
        (f"/* image-set( */{ICON}.a{{--b:var(--c)}}", f"/* image-set( */{ICON}.a{{--b:var(--c)}}"),
        (f"{ICON}a{{b:image-set('//ads.example' 1x)}}{ICON}", f"{ICON}a{{b:image-set('data:,' 1x)}}{ICON}"),
        (f"a{{b:image-set(var(--c) 1x)}}{ICON}", f"a{{b:image-set(var(--c) 1x)}}{ICON}"),
        ("a{--c:'//ads.example';b:image-set(var(--c) 1x)}", "a{--c:'data:,';b:image-set(var(--c) 1x)}"),
        ("a{b:image-set(url(')') 1x,'//ads.example' 2x)}", "a{b:image-set(url(')') 1x,'data:,' 2x)}"),
        ("a{b:image-set(url(x'y) 1x,'//ads.example' 2x)}", "a{b:image-set(url(x'y) 1x,'data:,' 2x)}"),
        ("a{b:image-set({)}'//ads.example' 1x)}", "a{b:image-set({)}'data:,' 1x)}"),
        ("a{b:image-set('x\n'//ads.example' 1x)}", "a{b:image-set('x\n'data:,' 1x)}"),
        ("a{b:image-set(--f(x) 1x)}c{d:'//ads.example'}", "a{b:image-set(--f(x) 1x)}c{d:'data:,'}"),
        ("a{c:'image-set(';b:image-set('//ads.example' 1x)}", "a{c:'image-set(';b:image-set('data:,' 1x)}"),
        ('a{b:-WebKit-Image-Set("//ads.example" 1x)}', 'a{b:-WebKit-Image-Set("data:," 1x)}'),
        ("a{b:src('//ads.example')}", 'a{b:src("data:,")}'),
        ("/* url( */a{b:url(//ads.example)}", "/* url( */a{b:url(data:,)}"),
        ("/* ' */a{b:url(//ads.example)}/* ' */", "/* ' */a{b:url(data:,)}/* ' */"),
        ("@namespace url(http://ads.example/ns);", "@namespace url(http://ads.example/ns);"),
        ("a{content:'see //ads.example'}", "a{content:'see //ads.example'}"),
        ("a{b:url(//ads.example/a b)}", "a{b:url(//ads.example/a b)}"),  # a bad url: nobody fetches it
        (
            "@font-face{src:local(X),url(//ads.example/f.woff2) format('woff2')}",
            "@font-face{src:local(X),url(data:,) format('woff2')}",
        ),
    ],
)
def test_held_references_are_cut_out(sheet: str, expected: str) -> None:
    edits = held_parts(sheet, holds)

    assert edits is not None
    assert cut(sheet, edits) == expected


@pytest.mark.parametrize(
    "sheet",
    [
        "a{b:u\\72l(//ads.example)}",
        "@\\69mport '//ads.example';",
        "@imp\\6f rt '//ads.example'",
        "a{b:image\\2d set('//ads.example' 1x)}",
        "a{b:-webkit\\-image-set('//ads.example' 1x)}",
        "a{b:image-\\000073et('//ads.example' 1x)}",
        "a{b:\\22 url(x)}c{d:u\\72l(//ads.example)}",
        "a{b:\\61 url(x)}c{d:im\\61ge-set('//ads.example' 1x)}",
    ],
)
def test_a_sheet_that_spells_its_words_with_escapes_is_held_whole(sheet: str) -> None:
    assert held_parts(sheet, holds) is None


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        (
            b"a{b:image-set('/a' 1x)}c{d:url('//ads.example/x')}",
            b"a{b:image-set('/a' 1x)}c{d:url(\"data:,\")}",
        ),
        (b"c{d:url('//ads.example/x url(//ads.example/y) z')}", b'c{d:url("data:,")}'),
    ],
)
def test_edits_of_a_sheet_do_not_overlap(sheet: bytes, expected: bytes) -> None:
    edits = held_in_sheet(sheet, holds)
    output = Output(sheet)

    for edit in edits or ():
        output.replace(*edit)

    assert output.finish() == expected


def test_every_string_in_an_image_set_of_an_svg_sheet_is_judged() -> None:
    sheet = """a{b:image-set("x<!-- " -->" '//ads.example/' 1x)}"""

    assert held_parts(sheet, holds, True) != []  # as compiled functions want it
    assert rewrite(f"<svg><style>{sheet}".encode()) == f'<svg><style type="text/plain">-->{sheet}'.encode()


def test_functions_that_are_never_closed_are_not_read_again_and_again() -> None:
    sheet = "a{b:" + "image-set('x' " * 20_000
    start = time.process_time()

    assert held_parts(sheet, holds) == []
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "sheet",
    [
        "a::before{content:'\\201C \\75 r'}.w\\:x{b:c}",
        "/* //ads.example */a{b:u\\72l(/x)}",
        ".b\\-\\[url\\(/x\\)\\]{b:url(/x)}/* //ads.example */",
        f"a{{b:im\\61ge-set('/x' 1x)}}{ICON}",
    ],
)
def test_escapes_that_reach_no_held_host_change_nothing(sheet: str) -> None:
    assert held_parts(sheet, holds) == []


@given(
    st.lists(
        st.sampled_from(
            ["url(", "//ads.example", '"', "'", ")", "/*", "*/", "@import", " ", "image-set(", "\\", ";", "}"]
        ),
        max_size=12,
    )
)
def test_edits_are_in_order_and_inside(parts: list[str]) -> None:
    sheet = "".join(parts)

    for start, end, _ in held_parts(sheet, holds) or []:
        assert 0 <= start < end <= len(sheet)


@pytest.mark.parametrize("seed", range(4))
def test_a_sheet_told_at_a_look_is_judged_like_its_text(seed: int) -> None:
    rnd, rules = random.Random(seed), Rules(outside, "https://shop.example/", own_is_free=True)
    summary = Summary(rules.context(rules.url, nothing_nested, xml=False))
    told = cuts = 0

    for _ in range(4000):
        parts = "".join(rnd.choices(PARTS, k=rnd.randint(0, 25)))
        sheet = parts.encode(rnd.choice(["latin-1", "utf-8"]))
        decision = summary.sheet(sheet)
        if decision is None:
            continue
        told, cuts = told + 1, cuts + bool(decision.edits)
        slowly = judge_text(STYLE, sheet, rules.url, rules.judge)
        assert (decision.held, decision.hold, decision.edits) == (slowly.held, slowly.hold, slowly.edits), (
            sheet
        )

    if scanner() == "compiled":
        assert told > 1000
        assert cuts > 200


def test_a_long_comment_is_not_read_again_for_each_url_behind_it() -> None:
    sheet = b"/*" + b"* " * 60_000 + b"*/" + b"a{b:url(//shop.example/x)}" * 6_000
    start = time.process_time()

    assert rewrite(b"<style>" + sheet + b"</style>") == b"<style>" + sheet + b"</style>"
    assert time.process_time() - start < 2
