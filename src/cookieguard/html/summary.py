"""Tags that a look at their bytes decides: those that contact nobody else, and those that plainly name a held host.

Rule: the answer is the one of a full hearing (tags.py), or none. `summary.pyx` gives it in C to nearly every tag; here
it is given to what pages load most (pictures, scripts, links and styles with one plain URL), to a base on the page's
own host, and to a frame with a document in which nothing is to be done.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from cookieguard.html.css import NO_STRING, NO_URL
from cookieguard.html.grammar import AFTER_NAME, S
from cookieguard.html.harmless import NO_URL_BEHIND, OWN, VALUE, harmless
from cookieguard.html.known import record
from cookieguard.html.loads import INERT_RELATIONS, LOADS
from cookieguard.html.model import NO_TEXT, Bench, Held, Tag, Text
from cookieguard.html.runs import UNKNOWN
from cookieguard.html.urls import Url


class Form(NamedTuple):
    """Describe the tags of an element that load what one attribute names, all others being plain."""

    pattern: re.Pattern[bytes]
    element: bytes
    said: tuple[str, str]  # both names, as they are told to the owner
    text: Text
    is_script: bool
    is_link: bool


class Summary:
    """Decide about tags by the bench of one page."""

    __slots__ = ("_applies", "_has_host", "_judge", "_passes", "_scheme")

    def __init__(self, bench: Bench) -> None:
        """Take the bench. In XML every tag has its full hearing."""
        self._applies, self._judge, self._scheme = not bench.xml, bench.judge, bench.base.scheme
        self._has_host, self._passes = bool(bench.base.host), bench.passes

    def judge(self, raw: bytes) -> Tag | None:
        """Return what is decided about a tag; None: it takes a full hearing."""
        decide = WAYS.get(raw[:5]) or (Summary._styled if raw.find(b"style=") > 0 else None)
        if decide is None or not self._applies:
            return None
        tag = decide(self, raw)
        return None if tag is None or raw.lower().find(b"data-cg") >= 0 else tag

    def _loading(self, raw: bytes) -> Tag | None:
        """Decide about a tag that loads what one of its attributes names."""
        form = FORMS[raw[:5]]
        match = form.pattern.fullmatch(raw)
        if match is None:
            return None
        _, beside, _, _, scheme, host, path, _, behind, slash = match.groups()
        if form.is_link and _is_inert(beside or behind):
            return None
        held = self._held(*form.said, scheme, host, path)
        if held is None:
            return None
        live = _inert(raw, match) if form.is_script else _renamed(raw, match.start(ATTRIBUTE))
        return Tag(form.element, empty=slash == b"/", live=live, held=held, text=form.text, plain=False)

    def _held(
        self, element: str, attribute: str, scheme: bytes | None, host: bytes, path: bytes | None
    ) -> tuple[Held] | None:
        """Return what is held of a plain URL; None: nothing, or it takes a closer look."""
        if path and path.find(b"/.") >= 0:
            return None
        own_path = path.decode() if path else "/"
        url = record(Url, (scheme.decode() if scheme else self._scheme, host.decode(), None, own_path))
        ruling = self._judge(url)
        if ruling is None:
            return None
        return (record(Held, (element, attribute, url, ruling.purpose, ruling.vendor)),)

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
        base = match[1].strip(b"\"'").decode("utf-8", "surrogateescape")
        return Tag(b"base", empty=match[2] == b"/", base=base, near=True, plain=False)

    def _nesting(self, raw: bytes) -> Tag | None:
        """Decide about a frame with a document in it."""
        match = NESTING.fullmatch(raw)
        if match is None or not self._passes(match[1] or match[2] or b""):
            return None
        return Tag(b"iframe", empty=match[3] == b"/", text=Text.RAW, plain=False)


def _is_inert(relations: bytes | None) -> bool:
    """Tell whether no browser fetches for these relations, or that takes a full hearing."""
    if relations is None or b"&" in relations:
        return True
    tokens = relations.strip(b"\"'").decode("utf-8", "surrogateescape").lower().split()
    return INERT_RELATIONS.issuperset(tokens)


def _renamed(raw: bytes, start: int) -> bytes:
    """Return the tag with the attribute at `start` under another name."""
    return raw[:start] + b"data-cg-" + raw[start:]


def _inert(raw: bytes, match: re.Match[bytes]) -> bytes:
    """Return the tag as that of a script that nobody runs."""
    for group in (BEHIND, ATTRIBUTE, BESIDE):  # from the last on: so what is before stays where it is
        start = match.start(group)
        if start >= 0:
            raw = _renamed(raw, start)
    return NEUTRAL + raw[len(b"<script") :]


# The groups of a form. Beside or behind the attribute may stand one that has to be known, too, with its value.
BESIDE, ATTRIBUTE, BEHIND = 1, 3, 8
# A host and a path that are compared as they stand (glances.PLAIN), whatever follows.
PLAIN_URL = (
    rb"([\"'])?(?:(https?):)?//((?:[a-z0-9\-]++\.)++[a-z]{2,24})(?=[/?#\"'\t\n\f\r >])"
    rb"((?:/(?(4)[^?#\\%&\t\n\r\"'\x80-\xff]*+|[^?#\\%&\t\n\f\r >\"'\x80-\xff]*+))?)"
    rb"(?(4)(?:[?#][^\"']*+)?\4|(?:[?#][^\t\n\f\r >\"']*+)?(?=[\t\n\f\r >]))"
)
NEUTRAL = b'<script type="text/plain"'


def _form(element: bytes, attribute: bytes, beside: bytes) -> Form:
    others = harmless({*LOADS[element], beside})
    known = rb"(?:" + S + rb"++(" + beside + rb")=(" + VALUE + rb"))?" + others
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
        re.compile(pattern),
        element,
        (element.decode("ascii"), attribute.decode("ascii")),
        text=Text.DATA if element == b"script" else NO_TEXT,
        is_script=element == b"script",
        is_link=element == b"link",
    )


FORMS = {
    b"<img ": _form(b"img", b"src", b"type"),
    b"<scri": _form(b"script", b"src", b"type"),
    b"<link": _form(b"link", b"href", b"rel"),
}

STYLED_URL = 3  # the group of the URL with its quotes
NO_STRINGS = {b'"': b"&quot;data:,&quot;", b"'": NO_STRING}
# A style without references, escapes and comments, with one URL and no other function that takes any.
STYLED = re.compile(
    rb"<("
    + UNKNOWN
    + rb")"
    + harmless(styled=False)
    + S
    + rb"++style=([\"'])"
    + NO_URL_BEHIND
    + rb"\((?<=[uU][rR][lL]\()"
    + S
    + rb"*+(((?!\2)[\"'])?(?:(https?):)?//((?:[a-z0-9\-]++\.)++[a-z]{2,24})"
    + rb"(/[^?#%\\&\t\n\f\r \"'()<>\x80-\xff]*+)?(?:[?#][^\\&\t\n\f\r \"'()<>\x80-\xff]*+)?(?(4)\4|(?="
    + S
    + rb"*+\))))"
    + NO_URL_BEHIND
    + rb"\2"
    + harmless(styled=False)
    + S
    + rb"*+(/?+)>"
)
BASE = re.compile(
    rb"<base"
    + harmless((b"href",))
    + S
    + rb"++href=("
    + OWN
    + rb")"
    + harmless((b"href",))
    + S
    + rb"*+(/?+)>"
)
NESTING = re.compile(
    rb"<iframe"
    + harmless(LOADS[b"iframe"])
    + S
    + rb"++srcdoc=(?:\"([^\"&]*+)\"|'([^'&]*+)')"
    + harmless(LOADS[b"iframe"])
    + S
    + rb"*+(/?+)>"
)
WAYS: dict[bytes, Callable[[Summary, bytes], Tag | None]] = {
    **dict.fromkeys(FORMS, Summary._loading),
    b"<base": Summary._base,
    b"<ifra": Summary._nesting,
}
