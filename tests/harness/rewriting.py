"""Helpers for the tests of the rewriter: one shop, all other hosts held, and ways to cut a page into chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cookieguard.html import InsertContext, Rewriter, Rules, Ruling, Url

HELD = Ruling("marketing", None)
ORIGIN = "https://shop.example/"


def outside(url: Url) -> Ruling | None:
    """Hold every host except the shop's."""
    return None if url.host == "shop.example" else HELD


RULES = Rules(outside, ORIGIN, own_is_free=True)


def rewrite(
    page: bytes,
    cuts: Iterable[int] = (),
    *,
    rules: Rules = RULES,
    url: str = "",
    insert: Callable[[InsertContext], bytes] | None = None,
    head: bytes = b"",
    xml: bool = False,
    is_document: bool = False,
) -> bytes:
    """Rewrite a page in chunks that end at `cuts`."""
    rewriter = Rewriter(rules, url=url, insert=insert, head=head, xml=xml, is_document=is_document)
    out = b""
    position = 0
    for cut in [*cuts, len(page)]:
        out += rewriter.feed(page[position:cut])
        position = cut
    return out + rewriter.close()


def every_byte(page: bytes) -> range:
    """Cut a page into single bytes."""
    return range(1, len(page))
