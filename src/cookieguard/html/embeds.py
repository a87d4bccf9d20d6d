"""A held frame as a place on the page: whose it is, whether anybody would see it, and the tag with room left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from cookieguard.html.tokenizer.output import Output
from cookieguard.html.types import Attribute, Edit, Embed, Held

# The attribute that names what an element embeds; where it is held, a placeholder may stand in.
EMBEDS = {b"embed": b"src", b"frame": b"src", b"iframe": b"src", b"object": b"data"}
# What would win over a placeholder, or speak of what is not shown, until the element comes back.
IN_THE_WAY: dict[bytes, frozenset[bytes]] = {
    b"embed": frozenset({b"type"}),
    b"frame": frozenset(),
    b"iframe": frozenset({b"sandbox", b"srcdoc"}),
    b"object": frozenset({b"type"}),
}
# A frame of this many pixels or fewer is a beacon, or has no room for a button.
MOST_PIXELS_UNSEEN = 20
PIXELS = re.compile(r"[\t\n\f\r ]*\+?([0-9]{1,9})(?![0-9]*\.?[0-9]*%)")
# In lower case, each way from a letter on: a search is several times as fast so.
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
HIDING = (b"hidden", b"aria-hidden", b"width", b"height", b"style")  # what tells whether an element is seen
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
    """Return what a placeholder needs to know of a held element; None where nobody would see it."""
    first: dict[bytes, Attribute] = {}
    for attribute in attributes:
        first.setdefault(attribute.name, attribute)
    if _is_unseen({key: first[key].value for key in HIDING if key in first}):
        return None
    embedded = (one for one in held if (one.element, one.attribute) == (name.decode(), EMBEDS[name].decode()))
    moved = [
        (one.start, one.start + len(one.name), b"data-cg-" + one.name)
        for one in attributes
        if one.name in IN_THE_WAY[name]
    ]
    return Embed(
        element=name,
        held=next(embedded, held[0]),  # a document in a data: URL is held for what is in it
        anchor=anchor_of(first, EMBEDS[name]),
        is_sandboxed=b"sandbox" in first,
        title=first[b"title"].value if b"title" in first else None,
        head=raw[:name_end],
        tail=apply_edits(raw, [*edits, *moved])[name_end:],
    )


def anchor_of(first: Mapping[bytes, Attribute], source: bytes) -> str:
    """Name the element in a fragment: by its own id, else by what it embeds; "" where neither will do."""
    own = first.get(b"id")
    if own is not None:
        return own.value if PLAIN_ID.fullmatch(own.value) else ""
    embedded = first.get(source)
    return "" if embedded is None else f"cg-{blake2b(embedded.raw, digest_size=4).hexdigest()}"


def apply_edits(raw: bytes, edits: Iterable[Edit]) -> bytes:
    """Write a tag with its edits, which do not overlap."""
    output = Output(raw)
    for start, end, new in sorted(edits):
        output.replace(start, end, new)
    return output.finish()


def _is_unseen(said: Mapping[bytes, str]) -> bool:
    if b"hidden" in said or said.get(b"aria-hidden", "").strip().lower() == "true":
        return True
    for side in (b"width", b"height"):
        pixels = PIXELS.match(said.get(side, ""))
        if pixels and int(pixels[1]) <= MOST_PIXELS_UNSEEN:
            return True
    return UNSEEN_STYLE.search(said.get(b"style", "").lower()) is not None
