"""The dashboard page {prefix}stats for analysts, rendered on the server without scripts and third parties."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from cookieguard.config import StatsSettings
from cookieguard.errors import ConfigError, KeyringFixed
from cookieguard.features.people.staff_guard import StaffGuard, has_staff_form, staff_form
from cookieguard.features.statistics.asked import read_asked
from cookieguard.features.statistics.dashboard.overview import Overview, read_overview
from cookieguard.features.statistics.dashboard.render import details_page, message_page, overview_page
from cookieguard.features.statistics.dashboard.selection import (
    COMPARED,
    BadSelection,
    Selection,
    read_selection,
)
from cookieguard.features.statistics.dashboard.sheets import table_file
from cookieguard.features.statistics.dashboard.tabs import Details, read_details
from cookieguard.features.statistics.engines.protocol import EngineDown, HitReader
from cookieguard.features.statistics.notes import (
    NOTES_FILE,
    Note,
    change_notes,
    new_note,
    read_notes,
    with_note,
)
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS
from cookieguard.office.shell import Shell
from cookieguard.stats.hits import SECONDS_OF_DAY
from cookieguard.web.banner.form_value import STALE
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.page_headers import PAGE_HEADERS
from cookieguard.web.pages.form import BadRequestError, Receive
from cookieguard.web.pages.same_origin import own_pairs

logger = logging.getLogger("cookieguard")

STATS_PAGE = "stats"
STATISTICS = "Statistics"
PLACES_OF_TABS = {"consent": "Consent"}
DOWN = (
    "There are no figures to show. In a new shop, they appear within a minute of the first visit. In any other, they"
    " cannot be read at the moment: visits are still counted, and the shop's log says what is wrong."
)
NOT_OURS = "this note was not sent from a page of this shop"
# Requests that read figures at once, in one worker: a year takes seconds, and the shop's functions need threads too.
MOST_AT_ONCE = 4
_AT_ONCE: RunVar[CapacityLimiter] = RunVar("requests that read figures")
OpenReader = Callable[[], HitReader]


async def answer_stats(
    exchange: Exchange, receive: Receive, member: Member, *, staff: StaffGuard, open_figures: OpenReader
) -> Response:
    """Answer {prefix}stats: GET shows the dashboard, POST adds or removes a note."""
    shell = staff.shell(exchange, member, STATISTICS)
    if exchange.request.is_read:
        return await _show(exchange, shell, open_figures)
    return await _change_notes(exchange, receive, member, shell)


async def _show(exchange: Exchange, shell: Shell, open_figures: OpenReader) -> Response:
    """Answer with the page; with 400 and one line for an impossible selection, and 503 if figures cannot be read."""
    settings = exchange.parts.config.stats
    try:
        selection = read_selection(exchange.request.query)
        ask = partial(_page, open_figures, selection, exchange.now, settings, _state(exchange))
        shell = replace(shell, here=PLACES_OF_TABS.get(selection.tab, STATISTICS))
        return await _in_turn(partial(ask, shell=shell, form=staff_form(exchange, STATS_PAGE)))
    except BadSelection as error:
        page = message_page(str(error), shell=shell, selection=error.selection)
        return HTMLResponse(page, 400, STAFF_HEADERS)
    except EngineDown as error:
        return _down(exchange, shell, str(error))
    except Exception as error:  # noqa: BLE001 - a database driver may raise anything; logged, never a 500
        return _down(exchange, shell, type(error).__name__)


async def _in_turn(ask: Callable[[], Response]) -> Response:
    """Run a reading request in a thread, at most MOST_AT_ONCE of them in this event loop."""
    limiter = _AT_ONCE.get(None)
    if limiter is None:
        limiter = CapacityLimiter(MOST_AT_ONCE)
        _AT_ONCE.set(limiter)
    return await to_thread.run_sync(ask, limiter=limiter)


def _page(
    open_figures: OpenReader,
    selection: Selection,
    now: datetime,
    settings: StatsSettings,
    state: Path,
    *,
    shell: Shell,
    form: str,
) -> Response:
    with closing(open_figures()) as reader:
        marks, trouble = _notes(state)
        if selection.tab not in COMPARED:
            asked, before = read_asked(state), settings.before_consent
            details = read_details(
                reader, selection, now=now, asked=asked, marks=marks, before_consent=before
            )
            return _file(details, now) if selection.table else _html(details_page(details, shell=shell))
        overview = read_overview(
            reader,
            selection,
            now=now,
            hit_days=settings.hit_days,
            steps=settings.funnel,
            zone=settings.zone,
            marks=marks,
            before_consent=settings.before_consent,
        )
        if selection.table:
            return _file(overview, now)
        overview = replace(overview, notes=(*trouble, *overview.notes))
        return _html(overview_page(overview, shell=shell, form=form))


def _notes(state: Path) -> tuple[Sequence[Note], Sequence[str]]:
    """Return the staff's notes, or a message for the page if their file cannot be read."""
    try:
        return read_notes(state), ()
    except (ConfigError, OSError) as error:
        return (), (str(error) if isinstance(error, ConfigError) else f"{NOTES_FILE}: {error.strerror}",)


def _html(page: bytes) -> Response:
    return HTMLResponse(page, 200, STAFF_HEADERS)


def _file(figures: Overview | Details, now: datetime) -> Response:
    """Answer with one table of the page as a file."""
    name, media_type, content = table_file(figures, int(now.timestamp()) // SECONDS_OF_DAY)
    headers = {**STAFF_HEADERS, "content-disposition": f'attachment; filename="{name}"'}
    return Response(content, 200, headers, media_type=media_type)


def _state(exchange: Exchange) -> Path:
    return Path(exchange.parts.config.state_dir).absolute()


async def _change_notes(exchange: Exchange, receive: Receive, member: Member, shell: Shell) -> Response:
    """Add or remove a note; answer with 400 or 403 and one line if that is not possible."""
    try:
        fields = dict(await own_pairs(exchange, receive, not_ours=NOT_OURS))
        if not has_staff_form(exchange, fields, STATS_PAGE):
            return HTMLResponse(message_page(STALE, shell=shell), 403, STAFF_HEADERS)
        query = read_selection(fields.get("selection", "").removeprefix("?")).query()
        await to_thread.run_sync(change_notes, _state(exchange), _change(fields, member.name))
    except BadRequestError as error:
        return PlainTextResponse(f"{error}\n", error.status, PAGE_HEADERS)
    except (BadSelection, ConfigError, KeyringFixed) as error:
        return HTMLResponse(message_page(str(error), shell=shell), 400, STAFF_HEADERS)
    return RedirectResponse(f"{exchange.own_base}{STATS_PAGE}{query}", 303, PAGE_HEADERS)


def _change(fields: Mapping[str, str], by: str) -> Callable[[Sequence[Note]], Sequence[Note]]:
    """Return the function that changes the notes; raises ConfigError for a text that cannot be a note."""
    if removed := fields.get("remove"):
        return lambda before: [note for note in before if note.id != removed]
    made = new_note(fields.get("day", ""), fields.get("text", ""), by)
    return lambda before: with_note(before, made)


def _down(exchange: Exchange, shell: Shell, reason: str) -> Response:
    exchange.parts.findings.count("statistics could not be read")
    logger.warning("statistics cannot be shown (%s)", reason)
    return HTMLResponse(message_page(DOWN, shell=shell), 503, STAFF_HEADERS)
