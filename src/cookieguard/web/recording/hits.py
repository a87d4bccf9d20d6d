"""What statistics get of a request: whether it counts, as what, and references to what it said.

Rule: here the visitor's address becomes the key of the day and a country, and goes no further.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cookieguard.consent import Consent, state_of
from cookieguard.consent.decision import State
from cookieguard.stats.full_address import Spellings, holds_spelling, spellings_of, visitor_key
from cookieguard.stats.hits import NO_KEY, PARTLY_COUNTED, Event, HitKind
from cookieguard.stats.raw_hits import MAX_HEADER, MAX_HELD, RawHit
from cookieguard.stats.user_agents import MAX_AGENT
from cookieguard.stats.visits import PAUSE
from cookieguard.web.app_scope import revalidates_document
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.content_type import BODILESS_STATUSES, NOT_MODIFIED
from cookieguard.web.http.etags import WHOLE
from cookieguard.web.http.routes import route_in
from cookieguard.web.owner_notices import unbelieved
from cookieguard.web.recording.counting import Counting
from cookieguard.web.recording.log_entry import SERVER_ERROR
from cookieguard.web.request import (
    EARLY,
    FORWARDED,
    FRAGMENT,
    FRAME_DESTINATIONS,
    RESOURCE_DESTINATIONS,
    accepts_pages,
    is_ahead,
)

STATISTICS = "statistics"  # the purpose whose consent a visitor key needs
DAY = timedelta(days=1)
SAME_ORIGIN = b"same-origin"
PAST_CACHE = (b"max-age=0", b"no-cache")
WITHIN_VISIT = timedelta(seconds=PAUSE)
# After a choice its page comes again; the answer and the request take that long
RELOADED_WITHIN = timedelta(seconds=10)
CLOCKS_DIFFER = timedelta(seconds=5)
NOT_BUILT = "not built"
WITHOUT_KEY = NO_KEY, NO_KEY
READS = ("GET", "HEAD")
MOST_ROUTES = 1000  # of pages seen lately; goals of others are named by their paths
TAKEN = 303  # how a choice is answered, which is counted before
NO_PAGES = FRAME_DESTINATIONS | RESOURCE_DESTINATIONS
AN_ADDRESS = b"http://0.0.0.0/"  # which is kept of no referrer
# Asked for with each view: what an enumeration is asked for takes ten times as long as a name of the module.
VIEW, ERROR, GOAL, SHOWN = HitKind.VIEW, HitKind.ERROR, HitKind.GOAL, Event.SHOWN.value
UNDECIDED, UNDECIDED_NAME, PARTLY = State.UNDECIDED, State.UNDECIDED.value, State.PARTLY
EVENTS = {State.ALL: Event.ACCEPTED, State.REFUSED: Event.REFUSED, State.PARTLY: Event.PARTLY}


def note(counting: Counting, exchange: Exchange, *, is_document: bool, ended: datetime) -> None:
    """Take note of a request that has ended with a document or an error; never raises."""
    try:
        _note(counting, exchange, is_document=is_document, ended=ended)
    except Exception:  # noqa: BLE001 - an app's route or a database may do what it likes; the hit is dropped and counted
        counting.sink.note_lost(NOT_BUILT, 1)


def note_goals(counting: Counting, exchange: Exchange, *, ended: datetime) -> None:
    """Take note of what the app said was reached in a request that has ended; never raises."""
    try:
        consent = exchange.peek_consent()
        if not _counts(counting, consent):
            return
        hit = _of_page(counting, exchange, _raw_hit(counting, exchange, consent, GOAL, ended=ended))
        for name in exchange.goals:
            counting.pipeline.put(hit._replace(event=name))
    except Exception:  # noqa: BLE001 - as above
        counting.sink.note_lost(NOT_BUILT, len(exchange.goals))


def _note(counting: Counting, exchange: Exchange, *, is_document: bool, ended: datetime) -> None:
    kind = _kind(counting, exchange, is_document=is_document)
    if kind is None:
        return
    consent = exchange.peek_consent()
    if not _counts(counting, consent) or (kind is VIEW and _is_seen_again(counting, exchange, consent)):
        return
    is_asked = kind is VIEW and counting.asks and consent.asks and exchange.request.may_ask
    rewriter, route = exchange.rewriter, _route_of(counting, exchange)
    if kind is VIEW:
        _remember(counting, exchange.path[:MAX_HEADER], route)
    held = () if rewriter is None else tuple(rewriter.held[:MAX_HELD])
    counting.pipeline.put(
        _raw_hit(
            counting,
            exchange,
            consent,
            kind,
            ended=ended,
            route=route,
            event=SHOWN if is_asked else "",
            held=held,
        )
    )


def note_choice(exchange: Exchange, granted: frozenset[str]) -> None:
    """Take note of a choice that is about to be answered, with the page it was made on."""
    counting = exchange.parts.counting
    if counting is None or not (counting.counts_unasked or STATISTICS in granted):
        return
    before = exchange.peek_consent()
    state = state_of(granted, exchange.parts.register.ids)
    # Whose choice it is counts for nothing: a key would tie the answer to the views before it.
    hit = _raw_hit(counting, exchange, replace(before, granted=frozenset(), gpc=True), HitKind.CHOICE)
    path, _, query = exchange.request.referring_path[:MAX_HEADER].partition("?")
    path, asked, *_ = _without_own(
        path, query.encode("latin-1", "ignore"), b"", b"", spellings_of(exchange.full_address)
    )
    event = Event.WITHDRAWN if before.granted - granted else EVENTS[state]
    counting.pipeline.put(
        hit._replace(
            path=path, query=asked, status=TAKEN, consent=state.value, gpc=before.gpc, event=event.value
        )
    )


def note_seen(exchange: Exchange, address: str, route: str, *, led_by: str, comes_again: bool) -> None:
    """Take note of a page that a cache answered, at `address`; `led_by` is an origin, empty where none is known.

    One that comes again after a choice was counted before.
    """
    counting, consent = exchange.parts.counting, exchange.peek_consent()
    if counting is None or not _counts(counting, consent):
        return
    if comes_again and counting.counts_unasked and _is_since_choice(exchange, consent, RELOADED_WITHIN):
        return
    event = SHOWN if counting.asks and consent.asks else ""
    hit = _raw_hit(counting, exchange, consent, VIEW, ended=exchange.now, route=route, event=event)
    path, _, query = address.partition("?")
    path = exchange.request.path_in_app(path)[:MAX_HEADER]
    _remember(counting, path, route)
    path, asked, _, referrer = _without_own(
        path,
        query.encode("latin-1", "ignore")[:MAX_HEADER],
        b"",
        f"{led_by}/".encode("latin-1", "ignore")[:MAX_HEADER] if led_by else b"",
        spellings_of(exchange.full_address),
    )
    is_inside = exchange.request.is_read or led_by == exchange.request.origin.text  # a picture does not know
    counting.pipeline.put(
        hit._replace(path=path, query=asked, referrer=referrer, is_inside=is_inside, status=WHOLE)
    )


def _of_page(counting: Counting, exchange: Exchange, goal: RawHit) -> RawHit:
    """Return a goal with the page that it was reached from: of a form the page that has it."""
    request = exchange.request
    page = "" if request.method in READS else request.own_referrer
    if not page:
        return goal._replace(route=_route_of(counting, exchange))
    path = request.path_in_app(page)[:MAX_HEADER]
    named = _without_own(path, b"", b"", b"", spellings_of(exchange.full_address))[0]
    return goal._replace(path=named, route=counting.routes.get(path, ""))


def _remember(counting: Counting, path: str, route: str) -> None:
    """Remember the route of a page, for goals that are reached from it."""
    if len(counting.routes) >= MOST_ROUTES:
        counting.routes.clear()
    counting.routes[path] = route


def _counts(counting: Counting, consent: Consent) -> bool:
    """Return whether this visitor is counted at all."""
    return counting.counts_unasked or STATISTICS in consent.granted


def _raw_hit(
    counting: Counting,
    exchange: Exchange,
    consent: Consent,
    kind: HitKind,
    ended: datetime | None = None,
    route: str = "",
    event: str = "",
    held: tuple[Any, ...] = (),
) -> RawHit:
    headers, origin, now, address = (
        exchange.headers,
        exchange.request.origin,
        exchange.now,
        exchange.full_address,
    )
    said = headers.get(b"user-agent", b"")[:MAX_AGENT]
    asked = exchange.scope.get("query_string", b"")[:MAX_HEADER]
    led_by = headers.get(b"referer", b"")[:MAX_HEADER]
    path, query, agent, referrer = _without_own(
        exchange.path[:MAX_HEADER], asked, said, led_by, spellings_of(address)
    )
    site = origin.host if origin.authority in exchange.parts.authorities else ""
    key, before = _keys(counting, exchange, consent, site, said)
    return tuple.__new__(  # in the order of its fields: a tenth of what naming them costs
        RawHit,
        (
            kind,
            now,
            ended or now,
            path,
            exchange.status or SERVER_ERROR,
            exchange.bytes_sent,
            origin.host,
            site,
            route,
            key,
            before,
            headers.get(b"sec-fetch-site") == SAME_ORIGIN,
            _has_just_agreed(counting, exchange, consent),
            referrer,
            query,
            agent,
            headers.get(b"accept-language", b"")[:MAX_AGENT],
            _country(counting, exchange),
            _state(consent),
            counting.policy,
            event,
            consent.gpc,
            held,
        ),
    )


def _without_own(
    path: str, query: bytes, agent: bytes, referrer: bytes, own: Spellings
) -> tuple[str, bytes, bytes, bytes]:
    """Leave nothing of a text that holds the client's address as a number: nobody could tell it from others later."""
    texts = f"{path}\n{query.decode('latin-1')}\n{agent.decode('latin-1')}\n{referrer.decode('latin-1')}"
    if not holds_spelling(texts, own):
        return path, query, agent, referrer
    return (
        "/{id}" if holds_spelling(path, own) else path,
        b"" if holds_spelling(query.decode("latin-1"), own) else query,
        b"" if holds_spelling(agent.decode("latin-1"), own) else agent,
        # Of a referrer the host is kept.
        AN_ADDRESS
        if holds_spelling(b"/".join(referrer.split(b"/")[:3]).decode("latin-1"), own)
        else referrer,
    )


def _state(consent: Consent) -> str:
    """Name the state, and whether statistics are among some purposes: keys that would tell are gone in two days."""
    state = consent.state
    if state is UNDECIDED:  # most are
        return UNDECIDED_NAME
    return PARTLY_COUNTED if state is PARTLY and STATISTICS in consent.granted else state.value


def _has_just_agreed(counting: Counting, exchange: Exchange, consent: Consent) -> bool:
    """Return whether a visitor has a key since a moment ago, and was counted without one until then."""
    if counting.keys_unasked or not counting.counts_unasked:
        return False
    return _is_since_choice(exchange, consent, WITHIN_VISIT)


def _is_since_choice(exchange: Exchange, consent: Consent, limit: timedelta) -> bool:
    receipt = consent.receipt
    return receipt is not None and -CLOCKS_DIFFER <= exchange.now - receipt.decided <= limit


def _kind(counting: Counting, exchange: Exchange, *, is_document: bool) -> HitKind | None:
    """Return what a request counts as; None for what is no page to its visitor."""
    request, status = exchange.request, exchange.status or SERVER_ERROR
    if exchange.path.startswith(counting.prefix) or exchange.parts.is_console(exchange.request.origin):
        return None
    if status >= 400:
        is_met = (is_document or request.is_navigation) and not _is_ahead(exchange)
        return ERROR if is_met else None
    if status == NOT_MODIFIED:
        is_sent = revalidates_document(exchange)
    else:
        is_sent = status < 300 and status not in BODILESS_STATUSES
    if not (is_document and is_sent):
        return None
    return VIEW if request.method == "GET" and _is_shown(exchange) else None


def _is_seen_again(counting: Counting, exchange: Exchange, consent: Consent) -> bool:
    """Return whether a view is the page that a choice was made on, loaded again by it: it was counted then.

    It comes within seconds and says that it comes from itself or from our page of choices. A script's reload keeps the
    foreign Referer of the first load. Without any Referer it is known where the browser asks past its cache.
    """
    if not counting.counts_unasked or not _is_since_choice(exchange, consent, RELOADED_WITHIN):
        return False
    request, headers = exchange.request, exchange.headers
    site = headers.get(b"sec-fetch-site")
    if site is not None and site != SAME_ORIGIN:
        return False
    path = request.own_referrer.partition("?")[0]
    if path:
        return path in (exchange.path, request.path) or path.startswith(counting.prefix)
    return site == SAME_ORIGIN and (b"referer" in headers or headers.get(b"cache-control") in PAST_CACHE)


def _is_shown(exchange: Exchange) -> bool:
    """Return whether a document is a page of its own: no frame, no picture, no piece, not fetched ahead."""
    headers = exchange.headers
    destination = headers.get(b"sec-fetch-dest", b"document")
    if destination in NO_PAGES or (exchange.marks & FRAGMENT and exchange.request.is_fragment):
        return False
    if destination == b"empty" and not accepts_pages(headers):
        return False
    return not _is_ahead(exchange)


def _is_ahead(exchange: Exchange) -> bool:
    return exchange.marks & EARLY != 0 and is_ahead(exchange.headers)


def _keys(
    counting: Counting, exchange: Exchange, consent: Consent, site: str, agent: bytes
) -> tuple[int, int]:
    """Make the visitor's key of the day, and within the first half hour the one of the day before too."""
    is_unasked = counting.keys_unasked and consent.state is UNDECIDED and not consent.gpc
    if not (is_unasked or STATISTICS in consent.granted):
        return WITHOUT_KEY
    now, address = exchange.now, exchange.full_address
    today, before = counting.keys.key(now.date()), None
    if now.hour == 0 and now.minute * 60 < PAUSE:
        before = counting.keys.key(now.date() - DAY)
    return (
        visitor_key(site, address, agent, today) if today else NO_KEY,
        visitor_key(site, address, agent, before) if before else NO_KEY,
    )


def _country(counting: Counting, exchange: Exchange) -> str:
    via = exchange.forwarded
    if counting.country_header and via is not None:
        found = exchange.headers.get(counting.country_header, b"")
        if via.is_trusted:
            return found[:8].decode("latin-1")
        if found and exchange.marks & FORWARDED:
            exchange.parts.findings.count(unbelieved("stats.country_header"))
    return counting.country_of(exchange.full_address) if counting.country_of is not None else ""


def _route_of(counting: Counting, exchange: Exchange) -> str:
    """Return what a page is named by: its route, empty where that has none or each page of it has a name of its own."""
    route = route_in(exchange.given_scope, exchange.scope.get("root_path", ""))
    return "" if route in counting.named_pages else route
