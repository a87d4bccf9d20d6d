"""The pages that links in marketing mail lead to. Each has one button, and needs neither a login nor a cookie.

Mail gateways follow every link, so a GET changes nothing. One-click clients (RFC 8058) post to the link itself.
"""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import HTMLResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.features.outbox.lists import Act, Decision, MailLists
from cookieguard.features.outbox.order_mail import OrderMail
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.records.values.consents import MAIL_LIST, mail_list_record
from cookieguard.features.records.values.log import Acknowledgement
from cookieguard.features.records.values.records import customer, named, new_id
from cookieguard.features.records.values.shown import text_of
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.mail.headers import LINKS, ORDERS
from cookieguard.web.banner.localized_texts import fill
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import essence
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.http.query import first_values
from cookieguard.web.identity.store_wait import answer_of, is_done
from cookieguard.web.pages.form import FORM_TYPE, BadRequestError, Receive, read_body
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ_AND_POST, Page, Part

MAIL_PAGE = "mail/"
HEADERS = {**PAGE_HEADERS, "vary": "Accept-Language", "referrer-policy": "no-referrer"}
MOST_FIELDS = 10
# The keys of the texts that a page shows: those above the button, then the button's own.
WORDS = {
    Act.STOP: ("stop_text", "stop_button"),
    Act.CONFIRM: ("confirm_text", "confirm_button"),
    Act.BACK: ("stopped_text", "back_text", "back_button"),
}
DONE = {Act.STOP: "stopped", Act.CONFIRM: "confirmed", Act.BACK: "confirmed"}


class OutboxPart(Part):
    """Serves the pages of the lists' links, and offers the helper for order confirmations to the shop."""

    def __init__(self, guard: Guard) -> None:
        config, records = guard.config, guard.find(RecordsPart)
        self._log = None if records is None else records.log
        if records is not None and config.mail.orders:
            ORDERS.offer(guard.helpers, OrderMail(config, records.log.writer, clock=guard.clock))
        if guard.store is not None and config.mail.lists:
            self._lists = MailLists(config, guard.keyring, guard.store.ask, clock=guard.clock)
            LINKS.offer(guard.helpers, self._lists)
            self.pages = [Page(f"{MAIL_PAGE}{act}", READ_AND_POST, self.answer) for act in Act]

    async def answer(self, exchange: Exchange, receive: Receive) -> Response:
        """Answer {prefix}mail/stop, /confirm and /back with t=<token>: GET shows the button, POST acts.

        The status is 410 for a token that does not count, and 503 while the store or the log cannot be written.
        """
        act = Act(exchange.path.rpartition("/")[2])
        linked = _token(exchange.request.query)
        try:
            token = linked or await _posted(exchange, receive)
        except BadRequestError as error:
            return _page(exchange, error.status, "over")
        decision = self._lists.decision_in(act, token)
        if decision is None:
            return _page(exchange, 410, "over")
        if exchange.request.is_read:
            shown = "confirm" if act is Act.BACK else act
            return _page(exchange, 200, shown, decision, button=f"{act}_button", token=token)
        # A link that opts in has one record, whose id follows from its token, so a second click adds none.
        id_ = new_id() if act is Act.STOP else named(MAIL_LIST, token)
        done = await self._apply(exchange, decision, id_, is_one_click=bool(linked))
        if done is None:
            exchange.parts.findings.count("a decision about marketing mail could not be written")
            return _page(exchange, 503, "down", decision)
        if not done:
            return _page(exchange, 410, "over", decision)
        if act is not Act.STOP:
            return _page(exchange, 200, DONE[act], decision)
        back = self._lists.token(Act.BACK, decision.customer, decision.list)
        return _page(exchange, 200, DONE[act], decision, button="back_button", action=Act.BACK, token=back)

    async def _apply(
        self, exchange: Exchange, decision: Decision, id_: str, *, is_one_click: bool
    ) -> bool | None:
        """Store a link's decision; None if that is not possible now. An opt-in counts only once it is in the log."""
        lists, log, is_stop = self._lists, self._log, decision.act is Act.STOP
        effect = await answer_of(lists.effect(decision))
        if effect is None or not effect.counts:
            return None if effect is None else False
        if log is not None and effect.changes and not is_stop:
            if log.writer.is_down:
                return None
            record = _record(exchange, log, decision, id_, is_one_click=is_one_click)
            if not (await is_done(record) and record.is_kept):
                return None
        done = await answer_of(lists.apply(decision))
        if done and log is not None and effect.changes and is_stop:
            await is_done(_record(exchange, log, decision, id_, is_one_click=is_one_click))
        return done


serve = OutboxPart


def _record(
    exchange: Exchange, log: ConsentLog, decision: Decision, id_: str, *, is_one_click: bool
) -> Acknowledgement:
    """Record a decision in the log, with the texts that the page showed; a one-click client showed none of them."""
    lang, now = language_asked(exchange), exchange.now
    shown = "\n".join(fill(texts_of(lang)["mail"][key], "list", decision.list) for key in WORDS[decision.act])
    text = None if is_one_click else text_of(shown.encode())
    texts, notice = log.shown_with_form(text, language=lang, terms=exchange.parts.policy.terms(now))
    record = mail_list_record(
        log.asker(exchange.request.origin.host),
        notice,
        name=decision.list,
        given=decision.act is not Act.STOP,
        method="one click" if is_one_click else "link in a mail",
        time=now,
        subject=customer(decision.customer),
    )
    return log.writer.append_later(id_, lambda: replace(record, id=id_), texts=texts)


async def _posted(exchange: Exchange, receive: Receive) -> str:
    """Return the token of a posted form. One-click clients have theirs in the address, and may post any body."""
    if exchange.request.is_read:
        return ""
    body = await read_body(receive)
    is_form = essence(exchange.request.headers.get(b"content-type", b"")) == FORM_TYPE
    return _token(body.decode("latin-1")) if is_form else ""


def _token(query: str) -> str:
    return first_values(query, MOST_FIELDS).get("t", "")


def _page(
    exchange: Exchange,
    status: int,
    key: str,
    decision: Decision | None = None,
    *,
    button: str = "",
    action: str = "",
    token: str = "",
) -> Response:
    lang = language_asked(exchange)
    page = exchange.parts.renderer.page(
        "mail.html",
        lang,
        base=exchange.own_base,
        posted=not exchange.request.is_read,
        m=texts_of(lang)["mail"],
        key=str(key),
        list=decision.list if decision is not None else "",
        button=button,
        action=action or (decision.act if decision is not None else ""),
        token=token,
    )
    return HTMLResponse(page, status, HEADERS)
