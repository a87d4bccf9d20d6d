"""The page {prefix}permission, where a customer makes a one-time code that lets the shop's staff see their data."""

from __future__ import annotations

from urllib.parse import quote

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config.languages import texts_of
from cookieguard.features.people.access import Access, AccessRefused
from cookieguard.rate_limit import RateLimit
from cookieguard.web.banner.form_value import FIELD, form_value, has_form_value
from cookieguard.web.banner.page_language import language_asked
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.identity.store_gate import customer_here
from cookieguard.web.pages.form import BadRequestError, Receive
from cookieguard.web.pages.post_choice import refusal
from cookieguard.web.pages.same_origin import own_pairs

PERMISSION_PAGE = "permission"
CODES_AN_HOUR = 20  # of one customer; a long call with support needs three
HEADERS = {**PAGE_HEADERS, "cache-control": "private, no-store"}
# The section of the language file, for each sentence that is not in the section of this page.
SECTIONS = {"often": "rights", "down": "rights", "stale": "page"}
NOT_OURS = "a code can only be requested from the page that offers it"


class PermissionPage:
    """Make codes, at most CODES_AN_HOUR for a customer, because each code adds a record to the consent log."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._turns = RateLimit(CODES_AN_HOUR, seconds=3600)

    async def answer(self, exchange: Exchange, receive: Receive) -> Response:
        """Answer {prefix}permission: GET with the form, POST scope=SCOPE with a code; 403 without a login."""
        customer = await _customer(exchange)
        if not customer:
            return _page(exchange, 403, key="login")
        if exchange.request.is_read:
            return _page(exchange, 200, key="ask", customer=customer)
        try:
            fields = dict(await own_pairs(exchange, receive, not_ours=NOT_OURS))
        except BadRequestError as error:
            return refusal(error.status, f"{error}\n")
        if not has_form_value(
            exchange, fields.get(FIELD, ""), PERMISSION_PAGE, *_session(exchange, customer)
        ):
            return _page(exchange, 403, key="stale", customer=customer)
        scope = fields.get("scope", "")
        if scope not in exchange.parts.config.staff.scopes:
            return _page(exchange, 400, key="ask", customer=customer)
        if not self._turns.take(customer, exchange.now):
            return _page(exchange, 429, key="often")
        try:
            code = await to_thread.run_sync(self._access.make, customer, scope)
        except AccessRefused:
            return _page(exchange, 503, key="down")
        return _page(exchange, 200, key="made", code=code, scope=scope, customer=customer)


async def _customer(exchange: Exchange) -> str:
    if exchange.parts.identity is None or not exchange.is_own_host:
        return ""
    return await customer_here(exchange)


def _session(exchange: Exchange, customer: str) -> tuple[str, str]:
    return customer, exchange.session.binding.session_id or ""


def _page(
    exchange: Exchange, status: int, *, key: str, code: str = "", scope: str = "", customer: str = ""
) -> Response:
    lang = language_asked(exchange)
    texts = texts_of(lang)
    said = texts[SECTIONS.get(key, "permission")]
    page = exchange.parts.renderer.page(
        "permission.html",
        lang,
        base=exchange.own_base,
        posted=not exchange.request.is_read,
        shop_home=quote(exchange.request.root_path) + "/",
        p=texts["permission"],
        said=said[key],
        key=key,
        code=code,
        scope=scope,
        form=form_value(exchange, PERMISSION_PAGE, *_session(exchange, customer)) if customer else "",
        scopes=exchange.parts.config.staff.scopes,
    )
    return HTMLResponse(page, status, HEADERS)
