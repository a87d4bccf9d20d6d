"""The page {prefix}privacy: a visitor's data, who gets them, and the visitor's requests; works without JavaScript."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from heapq import nlargest
from typing import Any
from urllib.parse import quote

from starlette.responses import HTMLResponse

from cookieguard.config import DataKind, ShopForm
from cookieguard.config.languages import nearest_text, texts_of
from cookieguard.config.purposes import NECESSARY
from cookieguard.features.records.log_reader import newest_rows, opened
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.consents import CONSENT, counting_purposes
from cookieguard.features.records.values.decisions import Decision, read_decision
from cookieguard.features.records.values.records import browser, customer
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.features.rights.values.answers import RightsTexts, has_copy, retained_lines
from cookieguard.features.rights.values.requests import Request, State
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.features.rights.web.desk import Room
from cookieguard.storage.store.logins import Login, logins_of
from cookieguard.web.banner.form_value import ERASURE, form_value
from cookieguard.web.banner.localized_texts import date_text, duration_text, shown_purposes
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.http.policy_texts import PolicyTexts
from cookieguard.web.identity.store_gate import hear_first, must_wait
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.pages.privacy_choices import COPY_PAGE

PRIVACY_PAGE = "privacy"
MOST_SHOWN = 20  # choices and requests: the newest
# The key of the text about each thing that a form can ask for.
FIELD_TEXTS = {
    "email": "form_email",
    "phone": "form_phone",
    "password": "form_password",
    "file": "form_file",
    "card number": "form_card_number",
    "card code": "form_card_code",
    "card expiry": "form_card_expiry",
    "name": "form_person",
    "address": "form_postal",
    "birthday": "form_birthday",
    "sex": "form_sex",
    "bank account": "form_bank",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Hold who asks and whether their login is fresh; each form of a guest with a valid code carries `proof`."""

    number: str = ""
    is_fresh: bool = False
    proof: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Hold the parts of the page that differ from one answer to the next."""

    asker: Asker
    status: int = 200
    message: str = ""
    is_wrong: bool = False
    address: str = ""
    """The address to which a code was sent; if set, the page has the form for the code."""
    ticket: str = ""
    """The value that binds the code to the browser that asked for it."""
    requests: list[Request] | None = None
    """The newest requests of the person; None if they have not been read yet."""


async def asker_of(exchange: Exchange) -> Asker:
    """Return whose session this is, and whether its login is fresh."""
    identity = exchange.parts.identity
    if identity is None or not exchange.is_own_host or not identity.is_presented(exchange.jar):
        return Asker()
    if must_wait(exchange):
        await hear_first(exchange)
    session = exchange.session
    number, age = session.customer, session.auth_age
    if not number or age is None:
        return Asker()
    minutes = exchange.parts.config.rights.fresh_minutes
    return Asker(number=number, is_fresh=age.total_seconds() <= minutes * 60 and not session.is_remembered)


async def session_of(exchange: Exchange) -> tuple[str, ...]:
    """Return the customer's session that forms are bound to; empty for a guest."""
    number = (await asker_of(exchange)).number
    return (number, exchange.session.binding.session_id or "") if number else ()


async def show(exchange: Exchange, shown: Shown, room: Room) -> HTMLResponse:
    """Return the page."""
    parts, config = exchange.parts, exchange.parts.config
    lang = language_asked(exchange)
    texts = RightsTexts.of(lang)
    desk, number = room.desk, shown.asker.number
    requests = await requests_of(room, number) if shown.requests is None else shown.requests
    page = parts.renderer.page(
        "privacy.html",
        lang,
        base=exchange.own_base,
        posted=not exchange.request.is_read,
        r=texts.texts,
        shown=shown,
        asker=shown.asker,
        form=form_value(exchange, PRIVACY_PAGE, *(await session_of(exchange) if number else ())),
        shop_home=quote(exchange.request.root_path) + "/",
        state=exchange.consent.state.value,
        gpc=exchange.has_gpc,
        history=await _history(exchange, room.log, number, lang),
        copy=f"{exchange.own_base}{COPY_PAGE}?lang={lang}" if room.log is not None else "",
        receipt=exchange.consent.receipt,
        choices=config.consent.enabled,
        logins=await logins_shown(exchange, shown.asker, texts),
        data=[_kind(kind, lang, texts) for kind in config.data],
        forms=[_form(form, exchange, texts) for form in config.forms],
        stored=parts.declaration.lines(lang),
        vendors=config.vendors,
        controller=config.controller,
        policy=_policy(exchange, lang),
        kinds=[(kind.value, kind.value.replace("-", "_")) for kind in RequestKind],
        login=_login(exchange),
        account=config.rights.account_url,
        has_desk=desk is not None,
        knows_guests=desk is not None and desk.knows_guests,
        requests=[request_shown(request, exchange, texts) for request in reversed(requests)],
    )
    return HTMLResponse(page, shown.status, PAGE_HEADERS)


async def show_erasure(exchange: Exchange, asker: Asker, text: str) -> HTMLResponse:
    """Ask once more, on a page of its own, before a customer is erased."""
    lang = language_asked(exchange)
    page = exchange.parts.renderer.page(
        "erasure.html",
        lang,
        base=exchange.own_base,
        posted=True,
        r=RightsTexts.of(lang).texts,
        asker=asker,
        text=text,
        form=form_value(exchange, ERASURE, *await session_of(exchange)),
    )
    return HTMLResponse(page, 200, PAGE_HEADERS)


async def logins_of_customer(exchange: Exchange, number: str) -> list[Login]:
    """Return a customer's current logins, the newest first; none if the store does not answer."""
    sync = exchange.parts.store_sync
    if sync is None or not number:
        return []
    found = await answer_of(sync.ask(partial(logins_of, customer=number))) or []
    ended = sync.revocations
    return [
        login
        for login in reversed(found)
        if login.at > ended.not_before(number)
        and not ended.is_ended(login.session)
        and ended.end_of_series(login.series) is None
    ]


async def logins_shown(exchange: Exchange, asker: Asker, texts: RightsTexts) -> list[dict[str, Any]]:
    """Return a customer's logins as the page shows them; none for a person who was identified by a code."""
    found = [] if asker.proof else await logins_of_customer(exchange, asker.number)
    own = exchange.session.binding.session_id if found else None
    return [
        {
            "handle": login.handle,
            "agent": login.agent or texts.line("unstated"),
            "since": texts.line("since", date=login.began.date()),
            "is_own": login.session == own,
        }
        for login in found
    ]


async def requests_of(room: Room, number: str) -> list[Request]:
    """Return the newest requests of a customer; none if the queue does not answer."""
    desk = room.desk
    if desk is None or not number:
        return []
    return (await answer_of(desk.ask(lambda queue: queue.of_customer(number))) or [])[-MOST_SHOWN:]


async def _history(
    exchange: Exchange, log: ConsentLog | None, number: str, lang: str
) -> list[tuple[str, str, str]]:
    """Return the newest choices: the day, the purposes that were agreed to, and the record's id."""
    receipt = exchange.consent.receipt
    subjects = [customer(number)] if number else []
    subjects += [browser(receipt.subject)] if receipt is not None and receipt.subject else []
    if log is None or not subjects:
        return []
    found = await log.read(partial(_choices, subjects=subjects))
    # Also the titles of purposes that the shop no longer asks for
    titles = {id_: texts["title"] for id_, texts in texts_of(lang)["purposes"].items()}
    titles |= {purpose.id: purpose.title for purpose in shown_purposes(exchange.parts.config, lang)}
    comma, none = texts_of(lang)["meta"]["comma"], titles.get(NECESSARY, NECESSARY)
    lines = []
    for choice in found or ():
        agreed = [titles.get(purpose, purpose) for purpose in counting_purposes(choice.record)]
        lines.append((date_text(choice.time, lang), comma.join(agreed) or none, choice.id))
    return lines


def _choices(stores: Stores, subjects: list[str]) -> list[Decision]:
    rows = [row for subject in subjects for row in newest_rows(stores, subject, CONSENT, MOST_SHOWN)]
    newest = nlargest(MOST_SHOWN, rows, key=lambda row: row.about)
    return [read_decision(record) for row in newest if (record := opened(stores, row).record)]


def _kind(kind: DataKind, lang: str, texts: RightsTexts) -> dict[str, Any]:
    length = kind.length
    kept = texts.texts["account"] if length is None else duration_text(*length, lang)
    return {
        "title": _localized(kind.title, lang),
        "purpose": _localized(kind.purpose, lang),
        "basis": texts.texts[kind.basis],
        "reason": kind.reason,
        "kept": texts_of(lang)["durations"]["session"] if kind.retention == "session" else kept,
        "recipients": kind.recipients,
    }


def _form(form: ShopForm, exchange: Exchange, texts: RightsTexts) -> dict[str, Any]:
    """Return a form as visitors read of it; a form on every page is named by the shop's host."""
    return {
        "page": exchange.request.origin.host + form.page.removesuffix("/"),
        "link": f"{quote(exchange.request.root_path)}{form.page}",
        "asks": [texts.texts[FIELD_TEXTS[field]] for field in form.asks],
        "leads_to": form.leads_to,
    }


def _localized(texts: Any, lang: str) -> dict[str, str]:
    """Return the nearest text, and its language if it is not the page's, for the voice of a screen reader."""
    text, language = nearest_text(texts, lang, "en")
    return {"text": text, "lang": "" if language == lang else language}


def request_shown(request: Request, exchange: Exchange, texts: RightsTexts) -> dict[str, Any]:
    """Return a request as its person reads it: without the names of staff and without errors."""
    is_answered = request.state in (State.DONE, State.REFUSED)
    return {
        "id": request.id,
        "kind": texts.texts[request.kind.value.replace("-", "_")],
        "state": request.state.value,
        "said": texts.texts[request.state.value],
        "received": texts.line("received", date=request.day(request.received)),
        "due": texts.line("due", date=request.due(exchange.now)) if request.may_change else "",
        "delay": request.delay if request.may_change else "",
        "answer": request.answer if is_answered else "",
        "kept": retained_lines(request, exchange.parts.config, texts) if request.may_change else [],
        "may_withdraw": request.may_change and not request.done_steps,
        "has_copy": _has_copy(request, exchange),
    }


def _has_copy(request: Request, exchange: Exchange) -> bool:
    """Return whether the copy can be downloaded, which is possible for `rights.export_days`."""
    days, closed = timedelta(days=exchange.parts.config.rights.export_days), request.closed_at
    is_done = request.state is State.DONE and has_copy(request)
    return is_done and closed is not None and exchange.now < closed + days


def _login(exchange: Exchange) -> str:
    url = exchange.parts.config.rights.login_url
    if not url:
        return ""
    mark = "&" if "?" in url else "?"
    here = quote(f"{exchange.own_base}{PRIVACY_PAGE}", safe="/")
    return f"{quote(exchange.request.root_path)}{url}{mark}next={here}"


def _policy(exchange: Exchange, lang: str) -> dict[str, Any] | None:
    """Return the policy's version in force and the next one; None if the shop has no policy here."""
    policy, today = exchange.parts.policy, exchange.now.date()
    if not policy.is_on:
        return None
    texts = PolicyTexts.of(lang)
    version, ahead = policy.in_force(today), policy.upcoming(today)
    return {
        "in_force": None if version is None else texts.line("in_force", date=version.effective),
        "next": None if ahead is None else texts.line("next", date=ahead.effective),
        "next_name": None if ahead is None else ahead.name,
    }
