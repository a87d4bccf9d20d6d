"""What differs from page to page in a text that is rendered once: put in last, where the markers are."""

from __future__ import annotations

import re
from urllib.parse import quote

from markupsafe import escape

# They need no escaping, and no text of ours holds one.
NEXT, NEXT_QUERY, STYLE_NONCE, SCRIPT_NONCE = b"CG-NEXT", b"CG-NQUERY", b"CG-SNONCE", b"CG-JNONCE"
ANCHOR, TITLE, VALUE = b"CG-AT", b"CG-TITLE", b"CG-VALUE"
MARKERS = re.compile(
    b"(" + b"|".join((NEXT, NEXT_QUERY, STYLE_NONCE, SCRIPT_NONCE, ANCHOR, TITLE, VALUE)) + b")"
)
PLAIN = re.compile(r"[A-Za-z0-9/._~-]*")  # nothing in it that escaping or quoting changes


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
    """Fill in a text that MARKERS has split; a path that names a marker is not filled in turn."""
    if len(pieces) == 1:
        return pieces[0]
    full, values = pieces.copy(), {VALUE: form.encode("ascii")}
    for place in range(1, len(pieces), 2):  # every other one is a marker: what `split` leaves
        marker = pieces[place]
        if marker not in values:  # each is written where it first stands: most texts hold but one or two
            if marker == NEXT:
                value = _escaped(next_)
            elif marker == NEXT_QUERY:
                value = (next_ if PLAIN.fullmatch(next_) else quote(next_, safe="/")).encode("ascii")
            elif marker == TITLE:
                value = _escaped(title)
            elif marker == ANCHOR:
                value = anchor.encode("ascii", "xmlcharrefreplace")
            else:  # nonces are base64 by the grammar that found them
                nonce = style_nonce if marker == STYLE_NONCE else script_nonce
                value = nonce.encode("ascii", "xmlcharrefreplace")
            values[marker] = value
        full[place] = values[marker]
    return b"".join(full)


def _escaped(text: str) -> bytes:
    if PLAIN.fullmatch(text):  # most paths: a third of the time
        return text.encode("ascii")
    return str(escape(text)).encode("ascii", "xmlcharrefreplace")


def choices_url(base: str, also: str) -> str:
    """Return the address of the page of choices, with a slot for the way back."""
    return f"{base}choices?next={NEXT_QUERY.decode()}" + (f"&{also}" if also else "")


def in_attribute(document: str) -> str:
    """Escape a document for an attribute in double quotes; what is beyond ASCII is left to `to_ascii`."""
    return str(escape(str(document)))


def to_ascii(text: str) -> bytes:
    """Write what is beyond ASCII as references."""
    return text.encode("ascii", "xmlcharrefreplace")
