"""Documents made from the configuration: the record of processing (art. 30 GDPR), and texts for the shop's policy."""

from __future__ import annotations

from datetime import date

from starlette.responses import HTMLResponse, Response

from cookieguard.config import Config
from cookieguard.config.languages import language_of, texts_of
from cookieguard.features.people.staff_guard import StaffGuard
from cookieguard.features.rights.values.processing import facts_of
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, environment, shop_name, staff_page
from cookieguard.office.shell import Shell
from cookieguard.web.banner.localized_texts import shown_purposes
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values
from cookieguard.web.pages.form import Receive

PROCESSING_PAGE, TEXTS_PAGE = "processing", "declaration"
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
MOST_FIELDS = 5


def processing_page(config: Config, *, today: date, shell: Shell | None = None) -> bytes:
    """Return the record of processing as a page to print: in the console's shell, or as a file without links."""
    shown = shell or Shell(shop=config.controller.name or shop_name(config.origins))
    values = {"facts": facts_of(config, today=today), "report": shell is None, "policy": FILE_POLICY}
    return staff_page("processing.html", shown, today=today, **values)


async def show_processing(exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard) -> Response:
    """Answer GET {prefix}processing."""
    shell = staff.shell(exchange, member, "Records")
    page = processing_page(exchange.parts.config, today=exchange.now.date(), shell=shell)
    return HTMLResponse(page, headers=STAFF_HEADERS)


async def show_texts(exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard) -> Response:
    """Answer GET {prefix}declaration?lang=LANGUAGE with the cookie table and the recipients, as HTML and Markdown."""
    config = exchange.parts.config
    asked = first_values(exchange.request.query, MOST_FIELDS).get("lang", "")
    lang = asked if asked in config.languages else language_of(config.consent.language)
    values = {
        "t": texts_of(lang),
        "lang": lang,
        "purposes": shown_purposes(config, lang),
        "stored": exchange.parts.declaration.lines(lang, with_seen=False),
    }
    texts = {kind: environment().get_template(f"declared.{kind}").render(values) for kind in ("html", "md")}
    shell = staff.shell(exchange, member, "Records")
    page = staff_page("declaration.html", shell, lang=lang, languages=sorted(config.languages), texts=texts)
    return HTMLResponse(page, headers=STAFF_HEADERS)
