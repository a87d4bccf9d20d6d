"""Placeholders for held embeds: they name the vendor and the purpose, and offer "load once" and "always".

An iframe gets a `srcdoc` without scripts. An object, embed or frame has no `srcdoc`, so it loads one of our pages. The
element keeps its name, size and place.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode
from weakref import ref

from markupsafe import escape

from cookieguard.config import load_catalogue
from cookieguard.consent import Allowance, Verdict, Way, allowance
from cookieguard.consent.vendors import STRICT
from cookieguard.html import InsertContext
from cookieguard.html.embeds import EMBEDS
from cookieguard.html.types import Embed
from cookieguard.web.banner.form_value import form_value
from cookieguard.web.banner.placeholder_values import LIGHT, Offer, Place, page_scheme
from cookieguard.web.exchange import Exchange
from cookieguard.web.walls import HOSTS_KNOWN

EMBED_PAGE, PLACE_PAGE = "embed", "place"  # below the prefix
PLACED_KEPT = 64  # placeholders in the cache of a wall, of some KB each
MOST_WHOLE = 30  # frames that get 1.7 KB each; without a limit, a page of 64 KB could become 3 MB
SHORT = b"<a referrerpolicy='same-origin' href='%b'>%b</a>"  # all other frames get this link
LONGEST_TITLE = 120  # characters: three lines in a small frame
FILE = Allowance(Way.FILE)
# The placeholder runs no scripts. It posts forms with the shop's origin, and its links open new windows.
SANDBOX = (
    "allow-forms allow-popups allow-popups-to-escape-sandbox allow-same-origin"
    " allow-top-navigation-by-user-activation"
)


def offer_for(exchange: Exchange, verdict: Verdict) -> Offer:
    """Return the buttons for a held party; a button is offered only if it would let the party in."""
    offers, granted = exchange.wall.offers, exchange.wall.granted
    if STRICT not in granted:  # a grant of "load once" is left out, since it ends with this document
        granted = exchange.consent.in_force
    offer = offers.get((verdict, granted))
    if offer is None:
        if len(offers) >= HOSTS_KNOWN:
            offers.clear()
        offer = offers[verdict, granted] = _offer(exchange, verdict, granted)
    return offer


def _offer(exchange: Exchange, verdict: Verdict, granted: frozenset[str]) -> Offer:
    register = exchange.parts.register
    known = load_catalogue().by_host(verdict.host, "/") if verdict.is_undeclared else None
    return Offer(
        party=verdict.alone,
        name=verdict.vendor or (known.name if known else verdict.host),
        host=verdict.host if known else "",
        purpose=verdict.purpose,
        # A request for a vendor's path on the shop's own host carries no grant, so "once" could not let it in.
        once=verdict.host != exchange.request.origin.host
        and register.party(verdict.alone, shop=exchange.wall.site) is not None
        and not register.holds(verdict, granted | {verdict.alone}),
        always=verdict.purpose in register.ids and not register.holds(verdict, granted | {verdict.purpose}),
    )


class Placeholders:
    """Write the placeholders of one response."""

    __slots__ = ("_exchange", "_frames", "_policies")

    def __init__(self, exchange: Exchange, *, policies: Sequence[bytes]) -> None:
        self._exchange = ref(exchange)  # weak, as in insertion.py
        self._policies = [policy.decode("latin-1") for policy in policies]
        self._frames = 0  # seen so far in the page

    def __call__(self, embed: Embed, context: InsertContext) -> bytes:
        """Return the attributes that turn a held element into its placeholder; empty if no button can be offered."""
        exchange = self._exchange()
        if exchange is None:  # the request has ended, so this page is not sent
            return b""
        self._frames += embed.element == b"iframe"
        is_short = self._frames > MOST_WHOLE
        request = exchange.request
        # A fragment does not know its page; the Referer of the posted form names it.
        next_ = request.return_path if request.is_navigation and not request.is_fragment else ""
        if self._policies or context.policies:  # most have a nonce, so the cache would not help
            # A short placeholder links to a page of ours, which a policy for frames may block.
            is_short = is_short and self._allowance(exchange, "frame", context.policies).way is not Way.NONE
            return self._written(exchange, embed, context, next_, is_short=is_short)
        placed = exchange.wall.placed
        # Everything on which the placeholder depends, except what is the same for the whole wall.
        accepted, value = request.text(b"accept-language"), form_value(exchange)
        key = (embed, context, next_, is_short, accepted, exchange.consent.granted, value)
        attributes = placed.get(key)
        if attributes is None:
            attributes = self._written(exchange, embed, context, next_, is_short=is_short)
            if len(placed) >= PLACED_KEPT:
                del placed[next(iter(placed))]
            placed[key] = attributes
        return attributes

    def _written(
        self, exchange: Exchange, embed: Embed, context: InsertContext, next_: str, *, is_short: bool
    ) -> bytes:
        offer = offer_for(exchange, exchange.wall.verdict(embed.held.url))
        if not (offer.once or offer.always):
            return b""
        request, renderer = exchange.request, exchange.parts.renderer
        accepted = request.text(b"accept-language")
        lang = renderer.pick_language(context.lang, accepted)
        place = Place(
            lang=lang,
            links_say=lang != renderer.pick_language("", accepted),
            base=request.own_base(exchange.parts.config.prefix, is_foreign=context.has_base),
            offer=offer,
            next=next_,
            anchor=embed.anchor,
            title=shown_title(embed.title or ""),
            scheme=page_scheme(context.scheme),
            value=form_value(exchange),
        )
        title = b"" if embed.title is not None else b' title="%b"' % renderer.place_title(place)
        if embed.element != b"iframe":
            return b' %b="%b"%b' % (EMBEDS[embed.element], _address(place), title)
        sandbox = b' sandbox="%b"' % SANDBOX.encode() if embed.is_sandboxed else b""
        style = self._allowance(exchange, "style", context.policies)
        srcdoc = _link(place) if is_short else renderer.srcdoc(place, style=style)
        return b' srcdoc="%b"%b%b' % (srcdoc, sandbox, title)

    def _allowance(self, exchange: Exchange, kind: str, metas: Sequence[str]) -> Allowance:
        """Return how the page may load our file of this kind: by its address, unless the shop's policies forbid it."""
        if not self._policies and not metas:
            return FILE
        origin, base = str(exchange.request.origin), exchange.own_base
        return allowance(self._policies, kind, origin=origin, path=base, metas=metas)


def shown_title(title: str) -> str:
    """Return a title that can be shown; empty if it is too long, not printable or not UTF-8."""
    is_text = title.isprintable() and len(title) <= LONGEST_TITLE
    return title.strip() if is_text else ""


def _address(place: Place) -> bytes:
    scheme = "" if place.scheme == LIGHT else place.scheme
    asked = {
        "party": place.offer.party,
        "next": place.next,
        "at": place.anchor,
        "lang": place.lang,
        "scheme": scheme,
    }
    query = urlencode({name: value for name, value in asked.items() if value})
    return str(escape(f"{place.base}{PLACE_PAGE}?{query}")).encode("ascii")


def _link(place: Place) -> bytes:
    """Return a short srcdoc with a link to the placeholder's page; the Referer names the page it is on."""
    name = escape(place.offer.name).encode("ascii", "xmlcharrefreplace")
    return (SHORT % (_address(place._replace(next="", lang="")), name)).replace(b"&", b"&amp;")
