"""Runs of what is passed over in one match: text, comments, end tags, and tags that have nothing to do on any page.

Rule: a run takes only what the full decision (tags.py) lets pass as it is, wherever the page is and whoever is held.
It stops before all else. `tests/html/test_runs.py` holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from cookieguard.html.contact_points import INERT_RELATIONS, LINKS, LOADS, SPECIAL_NAMES
from cookieguard.html.fast.harmless_attributes import OWN, by_letter, choice, harmless, quoted
from cookieguard.html.grammar import AFTER_NAME, TAG, XML_TAG, S, any_case
from cookieguard.html.quick_patterns import quick


def _series(text: bytes, elements: Iterable[bytes]) -> bytes:
    """Write the pattern of elements in a row, with `text` before, between and behind them.

    All elements are spelled from behind their `<` on: by the sign there most ways are left untried."""
    return text + rb"(?:<(?:" + b"|".join(elements) + rb")" + text + rb")*+"


def _tag(name: bytes, attributes: bytes) -> bytes:
    """Write the pattern of a tag: what ends its name begins `attributes` or ends it."""
    return name + attributes + S + rb"*+/?>"


# The elements pages are made of, and any that nothing is known of.
DULL = (
    b"div li span a p ul i h1 h2 h3 h4 h5 h6 hr b br button blockquote strong em section small sup sub summary s td tr "
    b"th tbody thead table time dd dt dl ol label article aside abbr address area figure figcaption footer form "
    b"fieldset font header nav main ins option u pre picture code center cite details"
).split()
UNKNOWN = (
    rb"(?!" + choice(sorted(SPECIAL_NAMES | LINKS), any_case) + AFTER_NAME + rb")[a-zA-Z][^\t\n\f\r />]*+"
)
TEXT = rb"[^<]*+"
NO_TAG = rb"(?=[^a-zA-Z/!?])"  # `<` before anything else is text
COMMENT = rb"!--(?:-?>|[^\-]*+(?:-(?!-!?>)[^\-]*+)*+--!?>)"
END_TAG = rb"/[a-zA-Z][^>=]*+>"


def _picture(*, own_is_free: bool) -> bytes:
    also = rb"src=" + quoted(rb"data:[^~]*+") + (rb"|src(?:set)?+=" + OWN) * own_is_free
    return _tag(choice([b"img", b"input", b"source"]), harmless(LOADS[b"img"], also))


META = _tag(
    rb"meta",
    harmless(
        (b"charset", b"http-equiv", b"name"),  # a name is nothing but for `referrer` and `color-scheme`
        rb"|name="
        + quoted(rb"(?![rR][eE][fF]|[cC][oO][lL])[^~&]*+")
        + rb"|charset="
        + quoted(rb"[uU][tT][fF]-8"),
    ),
)
INERT = sorted((name.encode() for name in INERT_RELATIONS if name.isalpha()), reverse=True)
LINK = _tag(
    rb"link",
    harmless((b"href", b"imagesrcset", b"rel"))
    + S
    + rb"++rel="
    + quoted(rb"(?:" + b"|".join(INERT) + rb")")
    + harmless((b"imagesrcset",)),
)


SHAPES = b"path use circle rect polygon ellipse line polyline stop".split()


def _drawing(depth: int) -> bytes:
    """Write the pattern of what is in a drawing that loads nothing, with groups in each other `depth` deep."""
    attributes = harmless((b"href", b"xlink:href"), rb"|(?:xlink:)?+href=" + quoted(rb"#[^~]*+")) + S + rb"*+"
    content = [
        choice(SHAPES) + AFTER_NAME + attributes + rb"/>",
        *(_element(name, attributes, S + rb"*+") for name in SHAPES[:5]),
        _element(rb"title", attributes, TEXT),
        COMMENT,
    ]
    if depth:
        content += [_element(name, attributes, _drawing(depth - 1)) for name in (b"g", b"symbol")]
    return _series(TEXT, content)


def _element(name: bytes, attributes: bytes, content: bytes) -> bytes:
    return name + AFTER_NAME + attributes + rb">" + content + rb"</" + name + S + rb"*+>"


# A whole drawing: where it ends, everything is as it was before it.
DRAWING = rb"svg" + AFTER_NAME + harmless() + S + rb"*+>" + _drawing(2) + rb"</svg" + S + rb"*+>"


@lru_cache(maxsize=8)
def run(marks_links: bool, own_is_free: bool, xml: bool = False) -> re.Pattern[bytes]:  # noqa: FBT001, FBT002  # positional for the cache
    """Return the pattern of a run, with the complete tag behind it as its group: where links are marked it may not
    pass over them, and over pictures of the page's own host only where nothing of that is held."""
    dull = [name for name in DULL if not (marks_links and name in LINKS)]
    passed = (
        END_TAG,
        _tag(rb"(?:" + b"|".join((*dull[:4], *by_letter(dull[4:]))) + rb")", harmless()),
        _picture(own_is_free=own_is_free),
        DRAWING,
        META,
        LINK,
        COMMENT,
        _tag(UNKNOWN, harmless()),
        NO_TAG,
    )
    return quick(_series(TEXT, passed) + rb"(?:(" + (XML_TAG if xml else TAG).pattern + rb")|)")


DRAWING_RUN = re.compile(_drawing(2))
# In the head of a document, before what is inserted into its body.
TITLE = rb"title" + AFTER_NAME + rb"[^>=]*+>[^<]*+</title" + S + rb"*+>"
HEAD_END_TAG = rb"/(?:meta|link|title|script|style)" + S + rb"*+>"
HEAD_RUN = re.compile(_series(S + rb"*+", (META, LINK, COMMENT, TITLE, HEAD_END_TAG)))
