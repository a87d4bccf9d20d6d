"""Fill in what differs from page to page: a text is rendered once with markers, which each page's values replace."""

from __future__ import annotations

import re
from urllib.parse import quote

from markupsafe import escape

# Markers need no escaping, and do not occur in our texts.
NEXT, NEXT_QUERY, STYLE_NONCE, SCRIPT_NONCE = b"CG-NEXT", b"CG-NQUERY", b"CG-SNONCE", b"CG-JNONCE"
ANCHOR, TITLE, VALUE = b"CG-AT", b"CG-TITLE", b"CG-VALUE"
MARKERS = re.compile(
    b"(" + b"|".join((NEXT, NEXT_QUERY, STYLE_NONCE, SCRIPT_NONCE, ANCHOR, TITLE, VALUE)) + b")"
)
PLAIN = re.compile(r"[A-Za-z0-9/._~-]*")  # escaping and quoting leave such a text unchanged


def filled(
    pieces: list[bytes],
    next_: str,
    style_nonce: str,
    script_nonce: str,
    *,
    anchor: str = "",
    title: str = "",
    form: str = "",
) -> bytes:
    """Return a text that MARKERS has split, with its values; a marker inside a value is left as it is."""
    if len(pieces) == 1:
        return pieces[0]
    full, values = pieces.copy(), {VALUE: form.encode("ascii")}
    for place in range(1, len(pieces), 2):  # `split` returns text and markers in turn
        marker = pieces[place]
        if marker not in values:  # encoded only if needed, since most texts have one or two of the markers
            if marker == NEXT:
                value = _escaped(next_)
            elif marker == NEXT_QUERY:
                value = (next_ if PLAIN.fullmatch(next_) else quote(next_, safe="/")).encode("ascii")
            elif marker == TITLE:
                value = _escaped(title)
            elif marker == ANCHOR:
                value = anchor.encode("ascii", "xmlcharrefreplace")
            else:  # a nonce is base64 by the grammar of CSP, so it needs no escaping
                nonce = style_nonce if marker == STYLE_NONCE else script_nonce
                value = nonce.encode("ascii", "xmlcharrefreplace")
            values[marker] = value
        full[place] = values[marker]
    return b"".join(full)


def _escaped(text: str) -> bytes:
    if PLAIN.fullmatch(text):  # most paths match, and take a third of the time
        return text.encode("ascii")
    return str(escape(text)).encode("ascii", "xmlcharrefreplace")


def choices_url(base: str, also: str) -> str:
    """Return the address of the page of choices, with a marker for the page to return to."""
    return f"{base}choices?next={NEXT_QUERY.decode()}" + (f"&{also}" if also else "")


def in_attribute(document: str) -> str:
    """Return a document escaped for an attribute in double quotes; `to_ascii` replaces the non-ASCII characters."""
    return str(escape(str(document)))


def to_ascii(text: str) -> bytes:
    """Return a text with its non-ASCII characters as character references."""
    return text.encode("ascii", "xmlcharrefreplace")
