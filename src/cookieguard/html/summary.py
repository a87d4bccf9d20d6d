"""Tags that a look at their bytes decides: those that contact nobody else, and those that plainly name a held host.

Rule: the answer is the one of a full hearing (tags.py), or none. `summary.pyx` gives it in C to nearly every tag; here
it is given to what pages load most: pictures, scripts and links with one plain URL.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cookieguard.html.grammar import AFTER_NAME, S
from cookieguard.html.harmless import VALUE, harmless
from cookieguard.html.known import record
from cookieguard.html.loads import INERT_RELATIONS, LOADS
from cookieguard.html.model import NO_TEXT, Bench, Held, Tag, Text
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

    __slots__ = ("_applies", "_judge", "_scheme")

    def __init__(self, bench: Bench) -> None:
        """Take the bench. In XML every tag has its full hearing."""
        self._applies, self._judge, self._scheme = not bench.xml, bench.judge, bench.base.scheme

    def judge(self, raw: bytes) -> Tag | None:
        """Return what is decided about a tag; None: it takes a full hearing."""
        form = FORMS.get(raw[:5])
        match = form.pattern.fullmatch(raw) if form is not None and self._applies else None
        if form is None or match is None or raw.lower().find(b"data-cg") >= 0:
            return None
        _, beside, _, _, scheme, host, path, _, behind, slash = match.groups()
        if path.find(b"/.") >= 0 or (form.is_link and _is_inert(beside or behind)):
            return None
        own_path = path.decode() if path else "/"
        url = record(Url, (scheme.decode() if scheme else self._scheme, host.decode(), None, own_path))
        ruling = self._judge(url)
        if ruling is None:
            return None
        held = record(Held, (*form.said, url, ruling.purpose, ruling.vendor))
        live = _inert(raw, match) if form.is_script else _renamed(raw, match.start(ATTRIBUTE))
        return Tag(form.element, empty=slash == b"/", live=live, held=(held,), text=form.text, plain=False)


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
