"""The staff console by keyboard alone, in light and dark, on a phone, on paper, and without data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.parts import part_of
from harness.quick import some_of
from harness.retention import retention_of
from harness.servers import serving, wait_until
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard
from cookieguard.config import DataKind, PolicyVersion
from cookieguard.features.hourly_facts import FACTS_FILE
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_list import change_staff
from cookieguard.features.rights.requests import requests_opener
from cookieguard.features.rights.values.requests import Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.identity.staff_token import Member, staff_codec, write_token
from cookieguard.keyring import Keyring
from cookieguard.stats.hits import Batch
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.state_directory import StateDirectory

from .conftest import Visitors, answer
from .test_axe import BROKEN, axe, violations
from .test_dashboard import of_day
from .tiny import TinyShop, page

__all__ = ["axe"]

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOOKS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": DESK},
    "desk-dark": {"viewport": DESK, "color_scheme": "dark"},
    "phone": {"viewport": PHONE},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}
ID = "a" * 16
PAGES = (
    "overview",
    "stats",
    "stats?tab=consent",
    "stats?tab=held",
    "vendors",
    "vendors?host=spy.example&own=no&name=Spy&purpose=marketing",
    "requests",
    f"requests?id={ID}",
    "record",
)
PAGES += (
    f"file?id={ID}",
    "record?id=none",
    "due",
    "people",
    "health",
    "policies",
    "policies?step=edit",
    "policies?step=changes&version=2026-01-15",
    "policies?step=announced&version=2026-01-15",
    "policies?step=drop",
    "staff",
)
PAGES += ("processing", "declaration", "requests?closed=1", "requests?closed=2")
ROLES = {
    "analyst": ["Overview", "Statistics", "Consent", "Vendors"],
    "support": ["Overview", "Due", "Requests"],
    "owner": [
        "Overview",
        "Due",
        "Statistics",
        "Consent",
        "Vendors",
        "Requests",
        "Policy",
        "Records",
        "People",
        "Health",
    ],
}
IS_WIDE = "document.documentElement.scrollWidth > innerWidth"
# What has the focus: its name, whether an outline shows it, and whether it is in view.
FOCUSED = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one)
    return [one.innerText || one.name || one.id, style.outlineStyle != 'none' && parseFloat(style.outlineWidth) >= 2,
        box.bottom > 0 && box.top < innerHeight && box.width > 0] }"""
STOPS = """[...document.querySelectorAll(
    'a[href],button:enabled,input:not([type=hidden]):enabled,select:enabled,textarea,summary,[tabindex="0"]')]
    .filter(one => one.checkVisibility({contentVisibilityAuto: true})).length"""
MOTION = """[...document.querySelectorAll('*')].filter(one => { const style = getComputedStyle(one)
    return parseFloat(style.transitionDuration) || style.animationName != 'none' }).length"""


class Console:
    """A served shop with a staff token for each role."""

    def __init__(self, guarded: CookieGuard, url: str, state: Path, tokens: dict[str, str]) -> None:
        self.guarded, self.url, self.state, self.tokens = guarded, url, state, tokens

    def sign_in(self, shown: Page, role: str, page: str = "overview") -> None:
        shown.goto(f"{self.url}/_cg/{page}")
        shown.fill("#token", self.tokens[role])
        with shown.expect_navigation():
            shown.keyboard.press("Enter")
        assert shown.url == f"{self.url}/_cg/{page}"


def guarded_in(state: Path) -> CookieGuard:
    config = Config(
        state_dir=str(state),
        dev=True,
        data=(DataKind(id="orders", title="Orders and bills", purpose="To deliver"),),
        policy=PolicyVersion(version="2026-01-15", folder="demo_site/policy"),
    )
    return CookieGuard(TinyShop({"/": page(body="<h1>Shop</h1>"), "/broken": BROKEN}), config)


def console_of(guarded: CookieGuard, url: str, state: Path) -> Console:
    codec = staff_codec(Keyring.loads(beside(state).read_text(), setting="test"))
    now = datetime.now(UTC).replace(microsecond=0)
    members = [
        Member(id=f"{at}" * 12, name=f"{role} person", role=role, made=now, expires=now + timedelta(days=1))
        for at, role in enumerate(ROLES)
    ]
    change_staff(state, lambda before: before | {one.id: one for one in members})
    return Console(guarded, url, state, {one.role: write_token(codec, one) for one in members})


def ask_for_a_copy(guarded: CookieGuard, state: Path) -> None:
    keyring = Keyring.loads(beside(state).read_text(), setting="test")
    asked = Request(
        id=ID,
        kind=RequestKind.EXPORT,
        law=Law.GDPR,
        customer="10042",
        received=datetime.now(UTC) - timedelta(days=40),
        via=Via.LOGIN,
    )
    with closing(requests_opener(guarded.config, keyring, StateDirectory(state), environ={})()) as requests:
        requests.add(asked, has_work=False)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Serve a shop with statistics, a late request and the facts of this hour."""
    state = tmp_path_factory.mktemp("console") / "state"
    guarded = guarded_in(state)
    with closing(SqliteHits(state / STATS_FILE)) as engine:
        for ago in (0, 1, 2, 5, 40):
            engine.write(Batch(f"b{ago}", sorted(of_day(ago, 1000 * ago + 1)), {}, {}))
    ask_for_a_copy(guarded, state)
    retention_of(guarded.config, lambda: datetime.now(UTC)).look()
    with serving(guarded) as server:
        yield console_of(guarded, server.at("shop.localhost"), state)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Serve a shop in which nothing has happened yet."""
    state = tmp_path_factory.mktemp("empty") / "state"
    guarded = guarded_in(state)
    with serving(guarded) as server:
        yield console_of(guarded, server.at("shop.localhost"), state)


@pytest.mark.parametrize("look", some_of(LOOKS, "desk-dark", "phone"))
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    visit: Visitors, console: Console, empty: Console, axe: str, look: str
) -> None:
    found: dict[str, list[tuple[str, str]]] = {}
    wide, moving = [], []

    for shop, name in ((console, "full"), (empty, "empty")):
        shown = visit(**LOOKS[look], locale="en", bypass_csp=True).new_page()
        shown.goto(f"{shop.url}/_cg/staff")
        found[f"{name} sign-in"] = violations(shown, axe)
        shop.sign_in(shown, "owner")
        for path in PAGES:
            shown.goto(f"{shop.url}/_cg/{path}")
            found[f"{name} {path}"] = violations(shown, axe)
            wide += [f"{name} {path}"] if shown.evaluate(IS_WIDE) else []
            moving += [f"{name} {path}"] if shown.evaluate(MOTION) else []
    shown.goto(f"{console.url}/broken")

    assert {name: broken for name, broken in found.items() if broken} == {}
    assert (wide, moving) == ([], [])
    assert violations(shown, axe)  # the control


@pytest.mark.parametrize("look", some_of(LOOKS, "desk", "phone-dark"))
def test_record_and_receipt_show_the_banner_with_its_style_on_screen_and_paper_and_axe_finds_nothing(
    visit: Visitors, console: Console, axe: str, look: str
) -> None:
    customer, officer = (visit(**LOOKS[look], locale="en", bypass_csp=False).new_page() for _ in range(2))
    customer.goto(console.url)
    answer(customer, "accept")
    seen = f"{console.url}/_cg/receipt"
    wait_until(lambda: getattr(customer.goto(seen), "status", 0) == 200, "the choice is in the log")
    console.sign_in(officer, "owner", "record")
    with officer.expect_navigation():
        officer.locator(".log a:text-is('Agreed to everything')").first.click()

    for shown in (customer, officer):
        button = shown.frame_locator("iframe.replay").locator("button[value=accept]")
        for media in ("print", "screen"):
            shown.emulate_media(media=media)
            if media == "print":
                assert "Accept all" in shown.locator(".paper").inner_text()
            if media == "print" and shown is customer and look.startswith("phone"):
                continue  # a frame on narrow paper would be cut, so the receipt has the words alone
            shown.locator("iframe.replay").scroll_into_view_if_needed()
            assert button.is_visible()
            assert button.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(31, 41, 55)"
            if media == "print":  # else the button is white on white paper
                assert button.evaluate("one => getComputedStyle(one).printColorAdjust") == "exact"
            assert not shown.evaluate(IS_WIDE)
        shown.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        assert "dpv:" not in shown.inner_text("main")
        assert violations(shown, axe) == []


def test_texts_for_the_policy_do_not_scroll_sideways_on_a_phone_in_languages_with_long_words(
    visit: Visitors, console: Console
) -> None:
    shown = visit(javascript=False, locale="en", viewport=PHONE).new_page()
    console.sign_in(shown, "owner", "declaration")
    wide = {}

    for lang in ("de", "fi", "hu", "el"):
        shown.goto(f"{console.url}/_cg/declaration?lang={lang}")
        wide[lang] = shown.locator(".shown").evaluate("one => one.scrollWidth - one.clientWidth")

    assert wide == dict.fromkeys(wide, 0)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_walks_its_navigation_without_a_script(
    visit: Visitors, console: Console, role: str
) -> None:
    shown = visit(javascript=False, locale="en", viewport=DESK).new_page()
    console.sign_in(shown, role)
    places = shown.locator("nav[aria-label=Console] a")

    assert places.all_inner_texts() == ROLES[role]
    for at, title in enumerate(ROLES[role]):
        with shown.expect_navigation() as led:
            places.nth(at).click()
        assert led.value.url == shown.url
        assert shown.locator("nav[aria-label=Console] [aria-current=page]").inner_text() == title
        assert shown.locator("h1").count() == 1
        assert shown.locator(".member").inner_text().split() == [
            role,
            "person",
            role,
            "Account",
            "Sign",
            "out",
        ]
    with shown.expect_navigation():
        shown.click("text=Sign out")
    assert shown.locator("#token").count() == 1
    answered = shown.goto(f"{console.url}/_cg/overview")
    assert answered is not None
    assert answered.status == 403


@pytest.mark.parametrize(
    "path",
    [
        *("overview", "due", "stats", "requests", f"requests?id={ID}", f"file?id={ID}"),
        *("people", "policies?step=edit", "health"),
    ],
)
def test_keyboard_reaches_everything_and_shows_where_it_is(
    visit: Visitors, console: Console, path: str
) -> None:
    shown = visit(javascript=False, locale="en", viewport=DESK).new_page()
    console.sign_in(shown, "owner")
    shown.goto(f"{console.url}/_cg/{path}")
    shown.keyboard.press("Tab")
    first = shown.evaluate(FOCUSED)
    count, reached = shown.evaluate(STOPS), [first]
    while len(reached) < count:
        shown.keyboard.press("Tab")
        reached.append(shown.evaluate(FOCUSED))

    assert first[0] == "Skip to content"
    assert [one for one in reached if not (one[1] and one[2])] == []
    shown.reload()
    for key in ("Tab", "Enter", "Tab"):
        shown.keyboard.press(key)
    assert shown.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_each_place_is_reached_from_the_navigation_by_keyboard_alone(
    visit: Visitors, console: Console
) -> None:
    shown = visit(javascript=False, locale="en", viewport=DESK).new_page()
    console.sign_in(shown, "owner")

    for name in ROLES["owner"]:
        press(shown, name)
        assert shown.locator("nav[aria-label=Console] [aria-current]").inner_text() == name


BUTTONS = """[...document.querySelectorAll('main :is(button,input,.pair a,.notes a)')]
  .filter(one => one.checkVisibility()).map(one => one.textContent || one.name)"""


@pytest.mark.parametrize("path", ["overview", "due", "policies", "people", "health"])
def test_paper_has_no_button_and_no_field(visit: Visitors, console: Console, path: str) -> None:
    shown = visit(javascript=True, locale="en", viewport=DESK).new_page()
    console.sign_in(shown, "owner")
    shown.goto(f"{console.url}/_cg/{path}")

    shown.emulate_media(media="print")

    assert shown.evaluate(BUTTONS) == []


def press(shown: Page, name: str, *, leads: bool = True) -> None:
    """Tab to what has this name, and press it."""
    for _ in range(shown.evaluate(STOPS)):
        shown.keyboard.press("Tab")
        if shown.evaluate(FOCUSED)[0].strip() == name:
            break
    else:
        raise AssertionError(f"no Tab leads to {name!r}")
    if not leads:
        shown.keyboard.press("Enter")
        return
    with shown.expect_navigation():
        shown.keyboard.press("Enter")


@pytest.mark.parametrize("look", some_of(LOOKS, "desk", "phone-dark"))
def test_officer_finds_what_is_due_reads_the_words_first_and_opens_the_file_by_keyboard_alone(
    visit: Visitors, console: Console, axe: str, look: str
) -> None:
    shown = visit(**LOOKS[look], locale="en", bypass_csp=True).new_page()
    console.sign_in(shown, "owner")
    found = dict[str, list[tuple[str, str]]]()

    press(shown, "Due")
    press(shown, "Answer the request for a copy")
    press(shown, "Something else: a note, refuse, more time, a hold", leads=False)
    found["request"] = violations(shown, axe)
    for _ in range(3):  # past the note
        shown.keyboard.press("Tab")
    shown.keyboard.type("It was sent to you in May.")
    press(shown, "Refuse and close")
    assert "It was sent to you in May." in shown.inner_text("main blockquote")
    assert shown.locator("h1").inner_text() == "What the person reads"
    assert shown.locator("main button:not(.quiet):visible").count() == 1
    found["words"] = violations(shown, axe)
    press(shown, "No, go back")
    press(shown, "This customer's file")
    for _ in range(shown.evaluate(STOPS)):
        shown.keyboard.press("Tab")
        if shown.evaluate(FOCUSED)[0] == "code":
            break
    shown.keyboard.type(part_of(console.guarded, PeoplePart).access.make("10042", "file"))
    with shown.expect_navigation():
        shown.keyboard.press("Enter")
    found["file"] = violations(shown, axe)

    assert shown.locator("h1").inner_text() == "Customer 10042"
    assert not shown.evaluate(IS_WIDE)
    assert {name: broken for name, broken in found.items() if broken} == {}


def test_breadcrumbs_lead_back_and_paper_has_no_navigation(visit: Visitors, console: Console) -> None:
    shown = visit(javascript=False, locale="en", viewport=DESK).new_page()
    console.sign_in(shown, "owner")
    shown.goto(f"{console.url}/_cg/requests?id={ID}")

    trail = shown.locator("nav[aria-label=Breadcrumb]")
    assert trail.inner_text().split() == ["Requests", ID]
    shown.emulate_media(media="print")
    assert [shown.locator(one).is_visible() for one in (".shell", ".skip", ".trail", "h1")] == [
        *[False] * 3,
        True,
    ]
    shown.emulate_media(media="screen")
    with shown.expect_navigation():
        trail.locator("a").first.click()
    assert shown.url == f"{console.url}/_cg/requests"


def test_empty_console_says_what_appears_and_how(visit: Visitors, empty: Console) -> None:
    shown = visit(javascript=False, locale="en", viewport=PHONE).new_page()
    (empty.state / FACTS_FILE).unlink(missing_ok=True)  # the hourly job may have run meanwhile
    empty.sign_in(shown, "owner")

    assert shown.inner_text("main").count("It appears within a minute of the shop's start") == 6
    shown.goto(f"{empty.url}/_cg/requests")
    assert "What customers ask for at /_cg/privacy appears here" in shown.inner_text("main")
    shown.goto(f"{empty.url}/_cg/record")
    assert "Visitors find its number on their receipt at /_cg/receipt" in shown.inner_text("main")


def test_lines_of_the_overview_lead_to_the_figures_they_show(visit: Visitors, console: Console) -> None:
    shown = visit(javascript=False, locale="en", viewport=DESK).new_page()
    console.sign_in(shown, "owner")
    visits = shown.locator("section:has(a:text-is('Visits')) .value").inner_text().split()[0]

    with shown.expect_navigation():
        shown.click("main a:text-is('Visits')")
    assert shown.locator("div:has(> dt:text-is('Visits')) dd").first.inner_text().split()[0] == visits
    shown.go_back()
    with shown.expect_navigation():
        shown.get_by_role("link", name="Answer the request for a copy (9 days late)").click()
    assert shown.url.endswith(f"/_cg/requests?id={ID}")
