"""Insert the banner at the end of a document while the visitor is undecided, and the small control afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import ref

from cookieguard.consent import INLINE, LATER, Allowance, allowance
from cookieguard.html import InsertContext
from cookieguard.web.banner.dev_tag import panel_tag
from cookieguard.web.banner.form_value import form_value
from cookieguard.web.banner.page_scripts import seen_mark
from cookieguard.web.banner.renderer import LONGEST_LANGUAGES
from cookieguard.web.banner.slots import filled
from cookieguard.web.exchange import Exchange

BANNERS_KEPT = 64  # per wall, one for each language and Accept-Language; the renderer owns the texts
NOT_KEPT = "not_kept"  # name of the note: over plain http, your browser does not keep your choice
NOT_KEPT_EVENT = (
    "a page was requested over plain http on a host that is not loopback: browsers drop Secure cookies there, so no "
    "choice, session or cart is kept; serve the shop over https, or, if a proxy does that, name it in trusted_proxies"
)


class Insertion:
    """Render our part of a document, once the rewriter knows the document's language and policies."""

    __slots__ = ("_exchange", "_is_xml", "_policies")

    def __init__(self, exchange: Exchange, *, policies: Sequence[bytes], is_xml: bool = False) -> None:
        # A rewriter is part of reference cycles. A weak reference frees the visitor's address without the collector.
        self._exchange = ref(exchange)
        self._is_xml = is_xml
        self._policies = tuple([policy.decode("latin-1") for policy in policies]) if policies else ()

    def __call__(self, context: InsertContext) -> bytes:
        """Return the markup for this page in pure ASCII, if possible in a form that the shop's own policies allow."""
        exchange = self._exchange()
        if exchange is None:  # the request has ended, so this page is not sent
            return b""
        panel = b""
        if exchange.parts.config.dev:
            base, script = _base(exchange, context), self._allowance(exchange, "script", context.policies)
            panel = panel_tag(exchange, base=base, script=script)
        if exchange.shared_for:
            base, script = _base(exchange, context), self._allowance(exchange, "script", context.policies)
            panel = seen_mark(exchange, base=base, script=script)
        asks = exchange.consent.asks
        return panel + (self._banner(exchange, context) if asks else self._control(exchange, context))

    def _control(self, exchange: Exchange, context: InsertContext) -> bytes:
        lang, links_say = _language(exchange, context)
        return exchange.parts.renderer.control(
            lang,
            exchange.consent,
            base=_base(exchange, context),
            next_=exchange.request.return_path,
            news=exchange.parts.policy.upcoming(exchange.now.date()),
            style=self._allowance(exchange, "style", context.policies),
            shadow=not self._is_xml and exchange.request.is_parsed_as_page,
            is_new=exchange.consent.is_new(exchange.now),
            links_say=links_say,
            holds=not exchange.wall.is_open,
            value=form_value(exchange) if exchange.consent.is_beyond_necessary else "",
        )

    def _banner(self, exchange: Exchange, context: InsertContext) -> bytes:
        """Return the banner with this page's path in it; without policies of the shop, the rest comes from the wall.

        Choosing language, links and wording takes ten times as long as a look-up of the finished banner.
        """
        request = exchange.request
        note = None if request.is_secure_context else NOT_KEPT
        if note is not None:
            exchange.parts.findings.count(NOT_KEPT_EVENT)
        if self._policies or context.policies:
            style = self._allowance(exchange, "style", context.policies)
            script = self._allowance(exchange, "script", context.policies)
            pieces = self._pieces(exchange, context, note, style, script)
            return filled(pieces, request.return_path, style.nonce, script.nonce, form=form_value(exchange))
        accepted, news = (
            exchange.headers.get(b"accept-language"),
            exchange.parts.policy.upcoming(exchange.now.date()),
        )
        shadow = not self._is_xml and request.is_parsed_as_page
        # Visitors who are asked again have granted something, so they have another wall than undecided ones.
        key = (context.lang, context.has_base, accepted, note, None if news is None else news.name, shadow)
        banners = exchange.wall.banners
        known = banners.get(key)
        if known is not None:
            return filled(known, request.return_path, "", "", form=form_value(exchange))
        pieces = self._pieces(exchange, context, note, INLINE, LATER)
        if len(banners) >= BANNERS_KEPT:
            del banners[next(iter(banners))]
        if len(context.lang) + len(accepted or b"") <= LONGEST_LANGUAGES:
            banners[key] = pieces
        return filled(pieces, request.return_path, "", "", form=form_value(exchange))

    def _pieces(
        self,
        exchange: Exchange,
        context: InsertContext,
        note: str | None,
        style: Allowance,
        script: Allowance,
    ) -> list[bytes]:
        lang, links_say = _language(exchange, context)
        return exchange.parts.renderer.banner_pieces(
            lang,
            base=_base(exchange, context),
            news=exchange.parts.policy.upcoming(exchange.now.date()),
            note=note,
            style=style,
            script=script,
            shadow=not self._is_xml and exchange.request.is_parsed_as_page,
            links_say=links_say,
            again=exchange.consent.is_asked_anew,
        )

    @property
    def head(self) -> bytes:
        """Return the scripts for the start of the head.

        A page with our control has one that keeps the control in place and, if there is consent to withdraw, notices
        a withdrawal. A page that was opened with "load once" has one that removes the grant from the address. After a
        refusal, one clears the browser's storage.
        """
        exchange = self._exchange()
        if exchange is None:
            return b""
        consent, is_lifted, to_forget = exchange.consent, exchange.is_lifted, exchange.to_forget
        if consent.asks and not (is_lifted or to_forget):
            return b""
        renderer, base, script = (
            exchange.parts.renderer,
            exchange.own_base,
            self._allowance(exchange, "script", ()),
        )
        once = renderer.once_script(base=base, script=script) if is_lifted else b""
        forget = renderer.forget_script(to_forget, base=base, script=script) if to_forget else b""
        if consent.asks:
            return once + forget
        posted = not exchange.request.is_read
        stamp = consent.stamp if consent.is_beyond_necessary else ""
        return once + forget + renderer.live_script(base=base, script=script, stamp=stamp, posted=posted)

    def _allowance(self, exchange: Exchange, kind: str, metas: Sequence[str]) -> Allowance:
        if not (self._policies or metas):
            return INLINE
        origin, base = exchange.request.origin.text, exchange.own_base
        return allowance(self._policies, kind, origin=origin, path=base, metas=metas)


def _language(exchange: Exchange, context: InsertContext) -> tuple[str, bool]:
    """Return the page's language, and whether links must name it, since Accept-Language would give another one."""
    renderer, accepted = exchange.parts.renderer, exchange.request.text(b"accept-language")
    lang = renderer.pick_language(context.lang, accepted)
    return lang, exchange.variant is not None or lang != renderer.pick_language("", accepted)


def _base(exchange: Exchange, context: InsertContext) -> str:
    return exchange.request.own_base(exchange.parts.config.prefix, is_foreign=context.has_base)
