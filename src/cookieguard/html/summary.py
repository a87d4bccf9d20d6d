"""Tags that a look at their bytes decides: those that contact nobody else, and those that plainly name a held host.

Rule: the answer is the one of a full hearing (tags.py), or none. `summary.pyx` gives it in C to nearly every tag; here
it is given to what pages load most (pictures, scripts, links, frames and styles with one plain URL), to scripts and
sheets with a text, to a base on the page's own host, and to a frame with a document in which nothing is to be done.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cookieguard.html.css import NO_STRING, NO_URL
from cookieguard.html.grammar import AFTER_NAME, S
from cookieguard.html.harmless import NO_URL_BEHIND, OURS, OWN, VALUE, harmless
from cookieguard.html.hosts import PLAIN_NAME
from cookieguard.html.loads import INERT_RELATIONS, LOADS
from cookieguard.html.model import JUDGED_TEXTS, NO_TEXT, SCRIPT, STYLE, Bench, Held, Room, Tag, Text
from cookieguard.html.quick import quick
from cookieguard.html.runs import UNKNOWN
from cookieguard.html.tags import STOPS_PRELOADS, room_of, script_text
from cookieguard.html.urls import Url


@dataclass(frozen=True, slots=True)
class Form:
    """Describe the tags of an element that load what one attribute names, all others being plain."""

    pattern: re.Pattern[bytes]
    element: bytes
    element_said: str  # both names, as they are told to the owner
    attribute_said: str
    text: Text
    is_script: bool
    is_link: bool
    is_frame: bool


class Summary:
    """Decide about tags by the bench of one page."""

    __slots__ = ("_applies", "_has_host", "_judge", "_passes", "_scheme")

    def __init__(self, bench: Bench) -> None:
        """Take the bench. In XML every tag has its full hearing."""
        self._applies, self._judge, self._scheme = not bench.xml, bench.judge, bench.base.scheme
        self._has_host, self._passes = bool(bench.base.host), bench.passes

    def judge(self, raw: bytes) -> Tag | None:
        """Return what is decided about a tag; None: it takes a full hearing."""
        if not self._applies:
            return None
        begins = raw[:5]
        form = FORMS.get(begins)
        if form is not None and (tag := self._loading(raw, form)) is not None:
            return tag
        decide = WAYS.get(begins)
        if decide is not None:
            return decide(self, raw)
        return self._styled(raw) if form is None and raw.find(b"style=") > 0 else None

    def _loading(self, raw: bytes, form: Form) -> Tag | None:
        """Decide about a tag that loads what one of its attributes names."""
        match = form.pattern.fullmatch(raw)
        if match is None:
            return None
        scheme, host, path, slash = match.group(*PARTS)
        if form.is_link and _is_inert(match[BESIDE_VALUE] or match[BEHIND_VALUE]):
            return None
        held = self._held(form.element_said, form.attribute_said, scheme, host, path)
        if held is None:
            return None
        place, room = match.start(ATTRIBUTE), None
        if form.is_script:
            live = _inert(raw, b"script", (match.start(BESIDE), place, match.start(BEHIND)))
        else:
            live = b"".join((raw[:place], RENAMED, raw[place:]))
            room = _room(raw, place, held) if form.is_frame else None
        closing = near = plain = False
        # By their places: keywords take more than twice as long.
        return Tag(
            form.element, closing, slash == b"/", live, b"", held, form.text, near, (), None, plain, room
        )

    def _script(self, raw: bytes) -> Tag | None:
        return _with_text(raw, SCRIPT_FORM)

    def _sheet(self, raw: bytes) -> Tag | None:
        return _with_text(raw, SHEET_FORM)

    def _held(
        self, element: str, attribute: str, scheme: bytes | None, host: bytes, path: bytes | None
    ) -> tuple[Held] | None:
        """Return what is held of a plain URL; None: nothing, or it takes a closer look."""
        if path and path.find(b"/.") >= 0:
            return None
        said = scheme.decode() if scheme else self._scheme
        url = new(Url, (said, host.decode(), None, path.decode() if path else "/"))
        ruling = self._judge(url)
        if ruling is None:
            return None
        return (new(Held, (element, attribute, url, ruling.purpose, ruling.vendor)),)

    def _styled(self, raw: bytes) -> Tag | None:
        """Decide about a tag of no element in particular, with one URL in its style."""
        match = STYLED.fullmatch(raw)
        if match is None or raw.find(b"/*") >= 0:
            return None
        spelled, quote, _, inner, scheme, host, path, slash = match.groups()
        name = spelled.lower()
        held = self._held(name.decode("latin-1"), "style", scheme, host, path)
        if held is None:
            return None
        start, end = match.span(STYLED_URL)
        live = raw[:start] + (NO_URL if inner is None else NO_STRINGS[quote]) + raw[end:]
        return Tag(name, empty=slash == b"/", live=live, held=held, plain=False)

    def _base(self, raw: bytes) -> Tag | None:
        """Decide about a base on the page's own host."""
        match = BASE.fullmatch(raw)
        if match is None or not self._has_host:
            return None
        value = match[1][1:-1] if match[1][:1] in (b'"', b"'") else match[1]
        base = value.decode("utf-8", "surrogateescape")
        return Tag(b"base", empty=match[2] == b"/", base=base, near=True, plain=False)

    def _nesting(self, raw: bytes) -> Tag | None:
        """Decide about a frame with a document in it."""
        match = NESTING.fullmatch(raw)
        if match is None or not self._passes(match[1] or match[2] or b""):
            return None
        return Tag(b"iframe", empty=match[3] == b"/", text=Text.RAW, near=True, plain=False)


def _is_inert(relations: bytes | None) -> bool:
    """Tell whether no browser fetches for these relations, or that takes a full hearing."""
    if relations is None or b"&" in relations:
        return True
    said = relations.strip(b"\"'")
    return _says_inert(said) if len(said) <= LONGEST_KEPT else _says_inert.__wrapped__(said)


@lru_cache(maxsize=256)
def _says_inert(relations: bytes) -> bool:
    tokens = relations.decode("utf-8", "surrogateescape").lower().split()
    return INERT_RELATIONS.issuperset(tokens)


def _room(raw: bytes, place: int, held: tuple[Held]) -> Room:
    """Return where a placeholder may stand for a frame whose `src` is at `place`."""
    return room_of(raw, b"iframe", len(b"<iframe"), [(place, place + 3, b"data-cg-src")], held, xml=False)


def _with_text(raw: bytes, form: re.Pattern[bytes]) -> Tag | None:
    """Return what is decided about a script or sheet that names nobody, but may in its text."""
    match = form.fullmatch(raw)
    if match is None:
        return None
    element, _, kind, slash = match.groups()
    if kind is not None and kind.find(b"&") >= 0:
        return None
    text = STYLE if element == b"style" else SCRIPT if kind is None else _text_of_kind(kind)
    inert = _inert(raw, element, (match.start(2),)) if text in JUDGED_TEXTS else b""
    if text is STYLE:
        inert += STOPS_PRELOADS
    closing = near = plain = False
    return Tag(element, closing, slash == b"/", None, inert, (), text, near, (), None, plain)


def _text_of_kind(kind: bytes) -> Text:
    return _kept_text(kind) if len(kind) <= LONGEST_KEPT else _kept_text.__wrapped__(kind)


@lru_cache(maxsize=256)
def _kept_text(kind: bytes) -> Text:
    """Say how the text of a script with this type is read."""
    bare = kind[1:-1] if kind[:1] in (b'"', b"'") else kind
    return script_text(bare.decode("utf-8", "surrogateescape"), None)


def _inert(raw: bytes, element: bytes, places: tuple[int, ...]) -> bytes:
    """Return the tag with a type that nobody runs; the attributes at `places`, which only grow, under other names."""
    start = len(element) + 1
    pieces = [raw[:start], NEUTRAL]
    for place in places:
        if place >= 0:
            pieces += (raw[start:place], RENAMED)
            start = place
    pieces.append(raw[start:])
    return b"".join(pieces)


# The groups of a form. Beside or behind the attribute may stand one that has to be known, too, with its value.
BESIDE, BESIDE_VALUE, ATTRIBUTE, BEHIND, BEHIND_VALUE = 1, 2, 3, 8, 9
PARTS = 5, 6, 7, 10  # scheme, host and path of what is loaded, and the slash of a tag that closes itself
# A host and a path that are compared as they stand (glances.PLAIN), whatever follows.
PLAIN_URL = (
    rb"(?:([\"'])|)(?:(https?):|)//(" + PLAIN_NAME + rb")(?=[/?#\"'\t\n\f\r >])"
    rb"((?:/(?(4)[^?#\\%&\t\n\r\"'\x80-\xff]*+|[^?#\\%&\t\n\f\r >\"'\x80-\xff]*+)|))"
    rb"(?(4)(?:[?#][^\"']*+|)\4|(?:[?#][^\t\n\f\r >\"']*+|)(?=[\t\n\f\r >]))"
)
new = tuple.__new__  # what known.record does: a call of its own would take as long again
RENAMED = b"data-cg-"
LONGEST_KEPT = 64  # bytes of relations, or of a type, that are kept
NEUTRAL = b' type="text/plain"'
TEXT_OF = {b"script": Text.DATA, b"iframe": Text.RAW}


def _form(element: bytes, attribute: bytes, beside: bytes) -> Form:
    others = harmless({*LOADS[element], beside, OURS})
    known = rb"(?:" + S + rb"++(" + beside + rb")=(" + VALUE + rb")" + others + rb"|)"
    pattern = (
        rb"<"
        + element
        + AFTER_NAME
        + others
        + known
        + S
        + rb"++("
        + attribute
        + rb")="
        + PLAIN_URL
        + others
        + known
        + S
        + rb"*+(/?+)>"
    )
    return Form(
        quick(pattern),
        element,
        element.decode("ascii"),
        attribute.decode("ascii"),
        text=TEXT_OF.get(element, NO_TEXT),
        is_script=element == b"script",
        is_link=element == b"link",
        is_frame=element == b"iframe",
    )


FORMS = {
    b"<img ": _form(b"img", b"src", b"type"),
    b"<scri": _form(b"script", b"src", b"type"),
    b"<link": _form(b"link", b"href", b"rel"),
    b"<ifra": _form(b"iframe", b"src", b"type"),
}

STYLED_URL = 3  # the group of the URL with its quotes
NO_STRINGS = {b'"': b"&quot;data:,&quot;", b"'": NO_STRING}
# A style without references, escapes and comments, with one URL and no other function that takes any.
STYLED = quick(
    rb"<("
    + UNKNOWN
    + rb")"
    + harmless((OURS,), styled=False)
    + S
    + rb"++style=([\"'])"
    + NO_URL_BEHIND
    + rb"\((?<=[uU][rR][lL]\()"
    + S
    + rb"*+(((?!\2)[\"'])?(?:(https?):)?//("
    + PLAIN_NAME
    + rb")"
    + rb"(/[^?#%\\&\t\n\f\r \"'()<>\x80-\xff]*+)?(?:[?#][^\\&\t\n\f\r \"'()<>\x80-\xff]*+)?(?(4)\4|(?="
    + S
    + rb"*+\))))"
    + NO_URL_BEHIND
    + rb"\2"
    + harmless((OURS,), styled=False)
    + S
    + rb"*+(/?+)>"
)
BASE = quick(
    rb"<base"
    + harmless((b"href", OURS))
    + S
    + rb"++href=("
    + OWN
    + rb")"
    + harmless((b"href", OURS))
    + S
    + rb"*+(/?+)>"
)
NESTING = quick(
    rb"<iframe"
    + harmless((*LOADS[b"iframe"], OURS))
    + S
    + rb"++srcdoc=(?:\"([^\"&]*+)\"|'([^'&]*+)')"
    + harmless((*LOADS[b"iframe"], OURS))
    + S
    + rb"*+(/?+)>"
)


def _text_form(element: bytes) -> re.Pattern[bytes]:
    others = harmless({*LOADS.get(element, ()), b"type", b"language", OURS})
    kind = rb"(?:" + S + rb"++(type)=(" + VALUE + rb"))?"
    return quick(rb"<(" + element + rb")" + AFTER_NAME + others + kind + others + S + rb"*+(/?+)>")


SCRIPT_FORM, SHEET_FORM = _text_form(b"script"), _text_form(b"style")
# What is decided about in another way, or where the form does not tell.
WAYS: dict[bytes, Callable[[Summary, bytes], Tag | None]] = {
    b"<base": Summary._base,
    b"<scri": Summary._script,
    b"<styl": Summary._sheet,
    b"<ifra": Summary._nesting,
}
