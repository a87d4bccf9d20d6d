"""Held frames and other embedded elements: whether visitors would see one, and its tag with room for a placeholder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from cookieguard.html.tokenizer.output import Output
from cookieguard.html.types import Attribute, Edit, Embed, Held

# The attribute that names what an element embeds. If it is held, a placeholder may replace the element.
EMBEDS = {b"embed": b"src", b"frame": b"src", b"iframe": b"src", b"object": b"data"}
# Attributes that would override the placeholder or break it; they are renamed while it is shown.
IN_THE_WAY: dict[bytes, frozenset[bytes]] = {
    b"embed": frozenset({b"type"}),
    b"frame": frozenset(),
    b"iframe": frozenset({b"sandbox", b"srcdoc"}),
    b"object": frozenset({b"type"}),
}
# A frame of at most this width or height is a beacon, or has no room for a button.
MOST_PIXELS_UNSEEN = 20
PIXELS = re.compile(r"[\t\n\f\r ]*\+?([0-9]{1,9})(?![0-9]*\.?[0-9]*%)")
# It is searched in lower case, and each alternative begins with a letter, which makes the search several times faster.
UNSEEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0?\.?0*\s*(?:;|!|\Z)"
    + "".join(
        rf"|{first}(?<![\w-]{first}){rest}\s*:\s*0*1?(?:px)?\s*(?:;|!|\Z)"
        for first, rest in (("w", "idth"), ("h", "eight"), ("max-", "(?:width|height)"))
    )
    + "".join(
        rf"|{first}(?<![\w-]{first}){rest}\s*:\s*-[0-9]{{3}}"
        for first, rest in (("l", "eft"), ("r", "ight"), ("t", "op"), ("b", "ottom"))
    )
)
HIDING = (b"hidden", b"aria-hidden", b"width", b"height", b"style")  # attributes that can hide an element
PLAIN_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")


def place_in(
    raw: bytes,
    name: bytes,
    name_end: int,
    *,
    attributes: list[Attribute],
    edits: list[Edit],
    held: tuple[Held, ...],
) -> Embed | None:
    """Return what a placeholder needs to know about a held element, or None if the element is not visible."""
    first: dict[bytes, Attribute] = {}
    for attribute in attributes:
        first.setdefault(attribute.name, attribute)
    if _is_unseen({key: first[key].value for key in HIDING if key in first}):
        return None
    own = (
        entry for entry in held if (entry.element, entry.attribute) == (name.decode(), EMBEDS[name].decode())
    )
    moved = [
        (attribute.start, attribute.start + len(attribute.name), b"data-cg-" + attribute.name)
        for attribute in attributes
        if attribute.name in IN_THE_WAY[name]
    ]
    return Embed(
        element=name,
        held=next(own, held[0]),  # a document in a data: URL is held because of URLs inside it
        anchor=anchor_of(first, EMBEDS[name]),
        is_sandboxed=b"sandbox" in first,
        title=first[b"title"].value if b"title" in first else None,
        head=raw[:name_end],
        tail=apply_edits(raw, [*edits, *moved])[name_end:],
    )


def anchor_of(first: Mapping[bytes, Attribute], source: bytes) -> str:
    """Return a fragment for the element: its own id, or one made from its address; "" if neither is usable."""
    own = first.get(b"id")
    if own is not None:
        return own.value if PLAIN_ID.fullmatch(own.value) else ""
    embedded = first.get(source)
    return "" if embedded is None else f"cg-{blake2b(embedded.raw, digest_size=4).hexdigest()}"


def apply_edits(raw: bytes, edits: Iterable[Edit]) -> bytes:
    """Return a tag with edits applied, which must not overlap."""
    output = Output(raw)
    for start, end, new in sorted(edits):
        output.replace(start, end, new)
    return output.finish()


def _is_unseen(values: Mapping[bytes, str]) -> bool:
    if b"hidden" in values or values.get(b"aria-hidden", "").strip().lower() == "true":
        return True
    for side in (b"width", b"height"):
        pixels = PIXELS.match(values.get(side, ""))
        if pixels and int(pixels[1]) <= MOST_PIXELS_UNSEEN:
            return True
    return UNSEEN_STYLE.search(values.get(b"style", "").lower()) is not None
