"""Runs of what is passed over in one match: text, comments, end tags, and tags that have nothing to do on any page.

Rule: a run takes only what a full hearing (tags.py) lets pass as it is, wherever the page is and whoever is held, and
leaves off before all else. `tests/html/test_runs.py` holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from cookieguard.html.grammar import AFTER_NAME, TEXT_PIECE, S, any_case
from cookieguard.html.loads import ANYWHERE, INERT_RELATIONS, LINKS, LOADS, SPECIAL_NAMES, Load


def _choice(names: Iterable[bytes], spell: Callable[[bytes], bytes] = re.escape) -> bytes:
    """Spell a choice of names as a pattern that reads each letter once."""
    by_letter: dict[bytes, list[bytes]] = {}
    for name in names:
        by_letter.setdefault(name[:1], []).append(name[1:])
    is_optional = by_letter.pop(b"", None) is not None
    ways = [spell(letter) + _choice(rest, spell) for letter, rest in by_letter.items()]
    if not is_optional and len(ways) == 1:
        return ways[0]
    return (rb"(?:" + b"|".join(ways) + rb")" + b"?+" * is_optional) if ways else b""


def _attributes(names: Iterable[bytes] = (), also: bytes = b"") -> bytes:
    """Write the pattern of attributes that mean nothing, where those of `names` mean something, and of `also`."""
    judged = sorted({*ANYWHERE, *names})
    first = b"".join(sorted({any_case(name[:1])[1:-1] for name in judged}))
    name = (
        rb"(?:[^\t\n\f\r />=" + first + rb"]|"
        rb"(?!" + _choice(judged, any_case) + rb"[\t\n\f\r />=])[" + first + rb"])[^\t\n\f\r />=]*+"
    )
    valued = name + rb"(?:=" + VALUE + rb"|(?=[\t\n\f\r />]))"
    return rb"(?:" + S + rb"++(?:" + FREQUENT + rb"|" + valued + rb"|" + STYLE + also + rb"))*+"


def _tag(name: bytes, attributes: bytes) -> bytes:
    return rb"<" + name + AFTER_NAME + attributes + S + rb"*+/?>"


VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)"
FREQUENT = (
    rb"(?:class|id|data-[a-z\-]++|title|target|itemprop|type)=\"[^\"]*+\""  # a quick way over most of them
)
# No reference, no escape and no `url(`, `src(`, `x(`, `-set(`, `image(` or `-fade(`.
STYLE = (
    _choice(sorted(name for name, load in ANYWHERE.items() if load is Load.CSS))
    + rb"=(?:\"[^\"(\\&@]*+(?:(?<=[^lLcCxXtTeE])\([^\"(\\&@]*+)*+\"|'[^'(\\&@]*+(?:(?<=[^lLcCxXtTeE])\([^'(\\&@]*+)*+')"
)
# The elements pages are made of, and any that nothing is known of.
DULL = (
    b"a div li span p ul i h1 h2 h3 h4 h5 h6 hr b br button blockquote strong em section small sup sub summary s td tr "
    b"th tbody thead table time dd dt dl ol label article aside abbr address area figure figcaption footer form "
    b"fieldset font header nav main ins option u pre picture code center cite details"
).split()
UNKNOWN = (
    rb"(?!" + _choice(sorted(SPECIAL_NAMES | LINKS), any_case) + AFTER_NAME + rb")[a-zA-Z][^\t\n\f\r />]*+"
)
COMMENT = rb"<!--(?:-?>|(?:[^\-]++|-(?!-!?>))*+--!?>)"
END_TAG = rb"</[a-zA-Z][^>=]*+>"


def _quoted(inside: bytes) -> bytes:
    """Write the pattern of a quoted value; `~` in `inside` stands for its quote."""
    return b"(?:" + b"|".join(q + inside.replace(b"~", q) + q for q in (b'"', b"'")) + b")"


PICTURE = _tag(
    _choice([b"img", b"input", b"source"]), _attributes(LOADS[b"img"], rb"|src=" + _quoted(rb"data:[^~]*+"))
)
META = _tag(
    rb"meta",
    _attributes(
        (b"charset", b"http-equiv", b"name"),  # a name is nothing but for `referrer`, in whatever spelling
        rb"|name=" + _quoted(rb"(?![rR][eE][fF])[^~&]*+") + rb"|charset=" + _quoted(rb"[uU][tT][fF]-8"),
    ),
)
INERT = sorted((name.encode() for name in INERT_RELATIONS if name.isalpha()), reverse=True)
LINK = _tag(
    rb"link",
    _attributes((b"href", b"imagesrcset", b"rel"))
    + S
    + rb"++rel="
    + _quoted(rb"(?:" + b"|".join(INERT) + rb")")
    + _attributes((b"imagesrcset",)),
)


SHAPES = b"path use circle rect polygon ellipse line polyline stop".split()


def _drawing(depth: int) -> bytes:
    """Write the pattern of what is in a drawing that loads nothing, with groups in each other `depth` deep."""
    attributes = (
        _attributes((b"href", b"xlink:href"), rb"|(?:xlink:)?+href=" + _quoted(rb"#[^~]*+")) + S + rb"*+"
    )
    content = [
        rb"[^<]++",
        rb"<" + _choice(SHAPES) + AFTER_NAME + attributes + rb"/>",
        *(_element(name, attributes, S + rb"*+") for name in SHAPES[:5]),
        _element(rb"title", attributes, rb"[^<]*+"),
        COMMENT,
    ]
    if depth:
        content += [_element(name, attributes, _drawing(depth - 1)) for name in (b"g", b"symbol")]
    return rb"(?:" + b"|".join(content) + rb")*+"


def _element(name: bytes, attributes: bytes, content: bytes) -> bytes:
    return rb"<" + name + AFTER_NAME + attributes + rb">" + content + rb"</" + name + S + rb"*+>"


# A whole drawing: where it ends, everything is as it was before it.
DRAWING = rb"<svg" + AFTER_NAME + _attributes() + S + rb"*+>" + _drawing(2) + rb"</svg" + S + rb"*+>"


@lru_cache(maxsize=2)
def run(marks_links: bool) -> re.Pattern[bytes]:  # noqa: FBT001  # positional for the cache
    """Return the pattern of a run; where links are marked, it may not pass over them."""
    dull = (name for name in DULL if not (marks_links and name in LINKS))
    names = rb"(?:" + _choice(dull) + AFTER_NAME + rb"|" + UNKNOWN + rb")"
    passed = (TEXT_PIECE, END_TAG, _tag(names, _attributes()), PICTURE, DRAWING, META, LINK, COMMENT)
    return re.compile(rb"(?:" + b"|".join(passed) + rb")*+")


DRAWING_RUN = re.compile(_drawing(2))
# In the head of a document, before what is inserted into its body.
TITLE = rb"<title" + AFTER_NAME + rb"[^>=]*+>[^<]*+</title" + S + rb"*+>"
HEAD_END_TAG = rb"</(?:meta|link|title|script|style)" + S + rb"*+>"
HEAD_RUN = re.compile(rb"(?:" + b"|".join((S + rb"++", META, LINK, COMMENT, TITLE, HEAD_END_TAG)) + rb")*+")
