"""The staff pages {prefix}overview, with a line each for leaks, figures, tasks and failures, and {prefix}health.

Health lists all findings of the doctor with their remedies; failed checks come first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from anyio import to_thread
from starlette.responses import HTMLResponse, Response

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.engines import doctor
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.checks import due_of, quick_of, time_of, today_of
from cookieguard.features.due import DUE_PAGE
from cookieguard.features.feature import Place
from cookieguard.features.hourly_facts import Amount, Facts, read_facts
from cookieguard.features.letter import plain
from cookieguard.features.people.staff_guard import StaffGuard
from cookieguard.identity.staff_token import Member
from cookieguard.office.layout import STAFF_HEADERS, staff_page
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive

ANALYST, SUPPORT, OFFICER = "analyst", "support", "officer"
MOST_DETAILS = 5  # shown below a line; the page behind it has all of them
GOOD, BAD = "good", "bad"
HEALTH_PAGE, CONSENT, VENDORS = "health", "stats?tab=consent", "vendors"
COUNTED = {"Visits": "stats", "Orders": "stats?tab=goals", "Revenue": "stats?tab=goals"}
NOT_YET = "Not known yet. It appears within a minute of the shop's start and is updated every hour."
NOT_COUNTED = "stats.enabled is false, so nothing is counted."
NOT_READ = "The statistics could not be read ({}); see Health."
FEW = {
    "agreed": "Too few answers to be shown: at least five are needed.",
    "Visits": "Too few visitors to be shown: at least five are needed.",
    "Orders": 'To count orders, call visitor.goal("order placed", value=89.90) where one is placed.',
    "Revenue": "Revenue adds up the values of your goals, such as value=89.90. None or too few were counted.",
}
COVERS = (
    "This line covers the requests of the shop's pages, styles and scripts to other hosts. On the shop's own hosts,"
    " cookieguard notices only trackers of its catalogue. To look from outside, run: cookieguard scan."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Hold one line: its title, the page that says more, and its text, which is empty if nothing is known."""

    title: str
    page: str
    text: str = ""
    change: int | None = None
    note: str = ""
    details: Sequence[tuple[str, str]] = ()
    """The single items, each with the page on which staff deal with it."""
    state: str = ""
    """GOOD or BAD; empty for a figure, which is neither."""


async def show_overview(
    exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard, place: Place
) -> Response:
    """Answer GET {prefix}overview with the lines that the member may see."""
    keyring, now = exchange.parts.keyring, exchange.now
    shop = Shop(config=exchange.parts.config, environ=place.environ, now=now, given=keyring)
    facts, lines = await to_thread.run_sync(partial(_read, shop, member))
    shell = staff.shell(exchange, member, "Overview")
    page = staff_page("overview.html", shell, facts=facts, lines=lines)
    return HTMLResponse(page, 200, STAFF_HEADERS)


async def show_health(
    exchange: Exchange, _: Receive, member: Member, *, staff: StaffGuard, place: Place
) -> Response:
    """Answer GET {prefix}health with the last hourly check, and with the quick checks as they are now."""
    shop = Shop(config=place.config, environ=place.environ, now=exchange.now, given=exchange.parts.keyring)
    facts, now = await to_thread.run_sync(lambda: (read_facts(shop.state), quick_of(shop)))
    shell = staff.shell(exchange, member, "Health")
    page = staff_page("health.html", shell, facts=facts, now=now, quick=list(doctor.QUICK))
    return HTMLResponse(page, 200, STAFF_HEADERS)


def _read(shop: Shop, member: Member) -> tuple[Facts | None, Sequence[Line]]:
    facts, lines = read_facts(shop.state), list[Line]()
    if member.may(ANALYST):
        lines += [_left(shop.config, facts), *_figures(shop.config, facts)]
    if member.may(SUPPORT):
        due = due_of(shop, is_quick=True)
        lines.append(_due(shop, due, member))
        if member.may(OFFICER):
            lines.append(_broken(shop, facts, due))
    return facts, lines


def _left(config: Config, facts: Facts | None) -> Line:
    """Return the leaks before consent: those that settings allow, and trackers on the shop's own hosts."""
    found = [*_openings(config), *([] if facts is None else facts.trackers)]
    notes = [NOT_YET] if facts is None else []
    if facts is not None and facts.held:
        notes.append(f"Held until consent: {_count(facts.held, 'third party', 'third parties')}.")
    names = [vendor.name for vendor in config.vendors if vendor.purpose == NECESSARY]
    if names:
        notes.append(f"Loaded for everybody, because you declared them as necessary: {', '.join(names)}.")
    return Line(
        title="Left the shop before consent",
        page=VENDORS,
        text=_count(len(found)) if found else "Nothing that cookieguard knows of" if facts else "",
        note=" ".join([*notes, COVERS]),
        details=[(text, VENDORS) for text in found],
        state=BAD if found else GOOD if facts else "",
    )


def _openings(config: Config) -> Iterator[str]:
    walls = {
        "consent.enabled": config.consent.enabled,
        "html.enabled": config.html.enabled,
        "html.guard": config.html.guard,
        "csp.enabled": config.csp.enabled,
    }
    yield from (f"{name} is false, so a wall is missing" for name, is_on in walls.items() if not is_on)
    if config.undeclared == "report":
        yield 'undeclared is "report", so undeclared hosts load before consent'


def _figures(config: Config, facts: Facts | None) -> Iterator[Line]:
    why = "" if facts is None or not facts.trouble else NOT_READ.format(facts.trouble)
    why = why or (NOT_YET if facts is None else "" if config.stats.enabled else NOT_COUNTED)
    answers = {} if facts is None else facts.answers
    parts = ", ".join(f"{name.lower()} {share} %" for name, share in answers.items())
    yield Line(
        title="Visitors who agreed",
        page=CONSENT,
        text=f"{answers.get('Accepted', 0) + answers.get('Partly', 0)} %" if answers else "",
        note=why or (f"Of all answers: {parts}." if answers else FEW["agreed"]),
    )
    for name, page in COUNTED.items():
        amount = Amount("") if facts is None else facts.figures.get(name, Amount(""))
        note = why or ("" if amount.text else FEW[name])
        yield Line(title=name, page=page, text=amount.text, change=amount.change, note=note)


def _due(shop: Shop, due: Sequence[Finding], member: Member) -> Line:
    today = today_of(shop)
    found = [task for task in due if task.is_due and member.may(task.role or OFFICER)]
    whens = [f" ({when})" if (when := time_of(task, today)) else "" for task in found]
    lines = [(task.what + when, task.page or DUE_PAGE) for task, when in zip(found, whens, strict=True)]
    return Line(
        title="Due",
        page=DUE_PAGE,
        text=_count(len(found)) if found else "Nothing",
        details=_shown(lines, DUE_PAGE),
        state=BAD if found else GOOD,
    )


def _broken(shop: Shop, facts: Facts | None, due: Sequence[Finding]) -> Line:
    """Return the failed checks: the slow ones as of the last hour, the quick ones as of now."""
    now = quick_of(shop)
    known = {finding.check for finding in (*now, *due)}  # tasks have a line of their own
    hourly = [] if facts is None else [f"{name}: {said}" for name, said in facts.broken if name not in known]
    found = [*(finding.what for finding in now if not finding.is_fine), *hourly]
    is_checked = facts is not None
    return Line(
        title="Broken",
        page=HEALTH_PAGE,
        text=_count(len(found)) if found else "Nothing" if is_checked else "",
        note=f"Last checked at {facts.at:%H:%M} UTC. Checked every hour." if facts else NOT_YET,
        details=_shown([(text, HEALTH_PAGE) for text in found], HEALTH_PAGE),
        state=BAD if found else GOOD if is_checked else "",
    )


def _shown(lines: Sequence[tuple[str, str]], page: str) -> Sequence[tuple[str, str]]:
    more = len(lines) - MOST_DETAILS
    shown = [(plain(text), place) for text, place in lines[:MOST_DETAILS]]
    return [*shown, *([(f"and {more} more", page)] if more > 0 else [])]


def _count(number: int, one: str = "thing", many: str = "things") -> str:
    return f"1 {one}" if number == 1 else f"{number} {many}"
