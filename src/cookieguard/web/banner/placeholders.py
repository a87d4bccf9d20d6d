"""What a page shows where something embedded is held: who it is, for what purpose, "load once" and "always".

An iframe becomes its own placeholder by a `srcdoc` of ours, free of scripts; an object, embed or frame, which
hold no document of their own, load one of our pages. The element keeps its name, size and place.
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
PLACED_KEPT = 64  # for each wall, of some KB each: those on the pages asked for last
MOST_WHOLE = 30  # frames of a page that get 1.7 KB each: 64 KB of held ones would become 3 MB
SHORT = b"<a referrerpolicy='same-origin' href='%b'>%b</a>"  # what the others get
LONGEST_TITLE = 120  # characters: three lines in a small frame
FILE = Allowance(Way.FILE)
# Nothing in the placeholder runs scripts. It posts as the shop's own page and opens what it links to.
SANDBOX = (
    "allow-forms allow-popups allow-popups-to-escape-sandbox allow-same-origin"
    " allow-top-navigation-by-user-activation"
)


def offer_for(exchange: Exchange, verdict: Verdict) -> Offer:
    """Return what can be done about a held party: each action only where it would let the party in."""
    offers, granted = exchange.wall.offers, exchange.wall.granted
    if STRICT not in granted:  # who is let in for this document alone is offered for the next one
        granted = exchange.consent.in_force
    offer = offers.get((verdict, granted))
    if offer is None:  # pages hold the same again
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
        # a path of the shop's own is asked for by its own address, which brings no grant
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
        self._frames = 0  # so far

    def __call__(self, embed: Embed, context: InsertContext) -> bytes:
        """Return the attributes that make a held element its own placeholder; none where nothing can be offered."""
        exchange = self._exchange()
        if exchange is None:  # its request is over: nobody gets this page
            return b""
        self._frames += embed.element == b"iframe"
        is_short = self._frames > MOST_WHOLE
        request = exchange.request
        # a piece of a page does not know the page; what is posted from it does
        next_ = request.return_path if request.is_navigation and not request.is_fragment else ""
        if self._policies or context.policies:  # with a nonce in most
            # Else the link of a short one would lead to an error.
            is_short = is_short and self._allowance(exchange, "frame", context.policies).way is not Way.NONE
            return self._written(exchange, embed, context, next_, is_short=is_short)
        placed = exchange.wall.placed
        # all that it says, beside what a wall is made for
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
        """Load what is ours as a file, which is kept by the browser, unless the shop's policies say otherwise."""
        if not self._policies and not metas:
            return FILE
        origin, base = str(exchange.request.origin), exchange.own_base
        return allowance(self._policies, kind, origin=origin, path=base, metas=metas)


def shown_title(title: str) -> str:
    """Return a title as it may be shown; nothing of one that is not UTF-8, and never more than a line."""
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
    """Return a srcdoc that leads to the placeholder; the Referer says which page it is on."""
    name = escape(place.offer.name).encode("ascii", "xmlcharrefreplace")
    return (SHORT % (_address(place._replace(next="", lang="")), name)).replace(b"&", b"&amp;")
