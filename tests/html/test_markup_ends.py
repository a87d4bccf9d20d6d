"""The end of raw text (script, style) is found alike in one piece, in chunks, and byte by byte."""

from __future__ import annotations

import random

import pytest

from cookieguard.html.tokenizer.foreign_text import MarkupEnd

SHARDS = [
    *"""<script> <script/> <script/a> </script> <svg:script> </svg:script> </_:script>
    </1:script> <scripts> </scripts> <style> </style> <g> <g/> <_a> </_a> <a' <a=' <a=" ' " > / <!-- --> --!> <!-->
    <!---> <!---- <![CDATA[ ]]> ]] <!x> <!> <!doctype> <!DOCTYPE[]> <? ?> <?> </ </> < <1 <!- -""".split(),
    '<script a="</script>">',
    "<g a='<script>'>",
    "<script a=b/>",
    "<script a />",
    " ",
    "\x00",
    "<script\n/>",
    "</SCRIPT\t>",
    "\xff",
]


def end_of(text: bytes, *, xml: bool, size: int) -> int:
    """Return where the text ends, fed in pieces of this size; -1: nowhere."""
    finder, rest, seen = MarkupEnd(b"script", xml=xml), b"", 0
    for at in range(0, len(text), size):
        window = rest + text[at : at + size]
        found, _ = finder.find(window, 0)
        if found >= 0:
            return seen + found
        carried = finder.carried(window, 0)
        rest, seen = window[carried:], seen + carried
    return -1


@pytest.mark.parametrize("xml", [False, True])
def test_one_piece_ends_where_single_bytes_do(xml: bool) -> None:  # parametrized
    rnd = random.Random(7)
    ended = 0
    for _ in range(4000):
        text = "".join(rnd.choices(SHARDS, k=rnd.randint(1, 12))).encode("latin-1") + b"</script></script>"

        whole = end_of(text, xml=xml, size=len(text))

        assert whole == end_of(text, xml=xml, size=1), text
        ended += whole >= 0
    assert ended > 1000


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b"a<script>b</script>c</script>", 20),
        (b"<!--</script>--></script>", 16),
        (b"<![CDATA[</script>]]></script>", 21),
        (b"<g a='</script>'></script>", 17),
        (b"<script/></script>", 9),
        (b"<script></script>", -1),
    ],
)
def test_markup_inside_raw_text_does_not_end_it(text: bytes, end: int) -> None:
    assert end_of(text, xml=False, size=len(text)) == end
