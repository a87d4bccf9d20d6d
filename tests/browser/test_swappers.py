"""Turbo and htmx swap in pages by script: the walls hold, the banner stays, and a choice takes effect.

The document stays, and with it the policy it came with: so a choice has to be a navigation, which the attributes on
our forms see to where our script does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import npm
from harness.browser import Recorder, counting, linger
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard

from .conftest import Visitors
from .tiny import TinyShop

PACKAGES = Path(npm.__file__).parent / "swappers"
# Our own script is shut out: what is left of the banner is a plain form.
OWN_SCRIPTS_ONLY = "script-src http://shop.localhost:*/lib/ http://there.localhost:*"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title><script src="/lib/swapper.js"{defer}></script></head>
<body{body}><h1 id="{name}">{name}</h1><a class="to-one" href="/one">one</a> <a class="to-two" href="/two">two</a>
<a class="to-stream" href="/stream" data-turbo-stream>more</a>
<b class="to-text" hx-get="/piece.txt" hx-target="h1">text</b>
<img src="THERE/{name}.gif" alt=""><script src="THERE/{name}.js"></script>
<iframe src="THERE/{name}.html"></iframe><p style="background:url(THERE/{name}-style.gif)">text</p>
{fragment}</body></html>"""
FRAGMENT = (
    '<p id="piece">a piece</p><img src="THERE/piece.gif" alt=""><iframe src="THERE/piece.html"></iframe>'
)
STREAM = f'<turbo-stream action="append" target="one"><template>{FRAGMENT}</template></turbo-stream>'
FRAME = '<turbo-frame id="frame">{}</turbo-frame>'
EVERYTHING = {
    *(f"/{name}{end}" for name in ("one", "two") for end in (".gif", ".js", ".html", "-style.gif")),
    "/piece.gif",
    "/piece.html",
}
HTMX = '<div hx-get="/piece" hx-trigger="load"></div>'


@dataclass(frozen=True)
class Swapper:
    """How a page loads a page swapper, and how the swapper fetches a piece of a page."""

    file: str
    fragment: str
    piece: str = FRAGMENT
    body: str = ""
    defer: str = " defer"


SWAPPERS = {
    "turbo-8": Swapper(
        "@hotwired/turbo/dist/turbo.es2017-umd.js",
        '<turbo-frame id="frame" src="/piece"></turbo-frame>',
        FRAME.format(FRAGMENT),
    ),
    "htmx-2": Swapper("htmx2/dist/htmx.js", HTMX, body=' hx-boost="true"'),
    "htmx-4": Swapper("htmx.org/dist/htmx.js", HTMX, body=' hx-boost:inherited="true"'),
}


@dataclass(frozen=True)
class World:
    """Hold a guarded shop, its unguarded copy, and the third party their pages name."""

    guarded: str
    bare: str
    there: Recorder


@pytest.fixture(scope="module")
def packages() -> Path:
    """Give the folder of the installed packages."""
    lacks = npm.missing()
    if lacks:
        pytest.skip(f"page swappers stay untested: {lacks}")
    return npm.installed(PACKAGES)


# Two majors of htmx differ in how they read attributes; `make test` takes Turbo.
@pytest.fixture(params=some_of(SWAPPERS, "turbo-8"))
def swapper(request: pytest.FixtureRequest) -> Swapper:
    """Run a test with every swapper."""
    return SWAPPERS[request.param]


@pytest.fixture(params=some_of(["", OWN_SCRIPTS_ONLY], ""), ids=["with-our-script", "plain-form"])
def policy(request: pytest.FixtureRequest) -> str:
    """Run a test with our script in the banner, and where the shop's policy shuts it out."""
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path, packages: Path, swapper: Swapper, policy: str) -> Iterator[World]:
    """Serve both shops and the third party."""
    there = Recorder()
    with ExitStack() as stack:
        server = stack.enter_context(serving(there, http=counting(there.note_connection)))
        origin = server.at("there.localhost")

        def page(name: str) -> str:
            filled = PAGE.format(
                name=name,
                defer=swapper.defer,
                body=swapper.body,
                fragment=swapper.fragment if name == "two" else "",
            )
            return filled.replace("THERE", origin)

        def shop() -> TinyShop:
            pages = {
                "/one": page("one"),
                "/two": page("two"),
                "/piece": swapper.piece.replace("THERE", origin),
                "/stream": STREAM.replace("THERE", origin),
                "/piece.txt": FRAGMENT.replace("THERE", origin),
            }
            library = {"/lib/swapper.js": (packages / swapper.file).read_text("utf-8")}
            return TinyShop(pages, dict.fromkeys(("/one", "/two"), policy) if policy else {}, library)

        guarded = CookieGuard(shop(), Config(state_dir=str(tmp_path / "state")))
        yield World(
            guarded=stack.enter_context(serving(guarded)).at("shop.localhost"),
            bare=stack.enter_context(serving(shop())).at("shop.localhost"),
            there=there,
        )


def swap(opened: Page, name: str) -> None:
    """Follow a link, and see that the page was swapped in: a mark on the window would not outlive a navigation."""
    opened.evaluate("window.mark = 'same document'")
    opened.click(f".to-{name}")
    opened.locator(f"h1#{name}").wait_for()
    if name == "two":
        opened.locator("#piece").wait_for()
    assert opened.evaluate("window.mark") == "same document"


def heard(world: World, visit: Callable[[], object]) -> set[str]:
    """Return the paths the third party was asked for meanwhile, `+` for connections without any."""
    world.there.forget()
    visit()
    world.there.wait()
    return world.there.paths or ({"+"} if world.there.connections else set())


def round_trip(opened: Page, shop: str) -> None:
    opened.goto(f"{shop}/one")
    swap(opened, "two")
    linger([opened])  # the piece's frame is asked for later: whoever leaves calls it off
    swap(opened, "one")
    linger([opened])


def asks(opened: Page) -> bool:
    return opened.get_by_role("button", name="Accept all").count() == 1


def test_swapped_pages_tell_nobody_before_a_choice_and_everybody_after(
    visit: Visitors, world: World, policy: str
) -> None:
    control, opened = visit().new_page(), visit().new_page()
    assert heard(world, lambda: round_trip(control, world.bare)) == EVERYTHING

    assert heard(world, lambda: round_trip(opened, world.guarded)) == set()

    assert asks(opened)
    assert (opened.locator("#cg .cg-k").count() == 0) == bool(policy)
    swap(opened, "two")
    assert asks(opened)
    assert opened.locator("#cg").count() == 1
    with opened.expect_navigation(url="**/two"):
        opened.get_by_role("button", name="Accept all").click()
    opened.locator("#piece").wait_for()
    assert opened.evaluate("window.mark") is None
    assert not asks(opened)
    assert heard(world, lambda: round_trip(opened, world.guarded)) == EVERYTHING


@pytest.mark.parametrize("policy", [""])
def test_banner_and_control_are_there_when_a_swapper_brings_a_page_back_from_its_memory(
    visit: Visitors, world: World
) -> None:
    opened, errors = visit().new_page(), list[str]()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.set_default_timeout(60_000)  # a machine that has too much to do

    def there_and_back() -> None:
        opened.goto(f"{world.guarded}/one")
        swap(opened, "two")
        opened.go_back()
        opened.locator("h1#one").wait_for()

    there_and_back()
    with opened.expect_navigation():
        opened.get_by_role("button", name="Accept all").click()
    there_and_back()
    with opened.expect_navigation():
        opened.get_by_role("button", name="Withdraw").click()

    assert errors == []
    assert opened.evaluate("window.mark") is None


@pytest.mark.parametrize(("swapper", "by"), [(SWAPPERS["turbo-8"], "stream"), (SWAPPERS["htmx-4"], "text")])
@pytest.mark.parametrize("policy", [""])
def test_turbo_streams_and_plain_text_contact_no_vendor_before_a_choice(
    visit: Visitors, world: World, by: str
) -> None:
    def more(opened: Page, shop: str) -> None:
        opened.goto(f"{shop}/one")
        opened.click(f".to-{by}")
        opened.locator("#piece").wait_for()
        linger([opened])

    own = {"/one.gif", "/one.js", "/one.html", "/one-style.gif"}
    control, opened = visit().new_page(), visit().new_page()
    assert heard(world, lambda: more(control, world.bare)) == own | {"/piece.gif", "/piece.html"}

    assert heard(world, lambda: more(opened, world.guarded)) == set()

    with opened.expect_navigation():
        opened.get_by_role("button", name="Accept all").click()
    assert heard(world, lambda: more(opened, world.guarded)) == own | {"/piece.gif", "/piece.html"}


def test_a_withdrawal_on_a_swapped_page_takes_effect_at_once(visit: Visitors, world: World) -> None:
    opened = visit().new_page()
    opened.goto(f"{world.guarded}/one")
    with opened.expect_navigation():
        opened.get_by_role("button", name="Accept all").click()
    swap(opened, "two")
    assert opened.locator("#cg").count() == 1

    with opened.expect_navigation(url="**/two"):
        opened.get_by_role("button", name="Withdraw").click()

    opened.locator("#piece").wait_for()
    assert opened.evaluate("window.mark") is None
    assert heard(world, lambda: round_trip(opened, world.guarded)) == set()


def test_the_page_of_choices_works_when_it_was_swapped_in(visit: Visitors, world: World) -> None:
    opened = visit().new_page()
    opened.goto(f"{world.guarded}/one")
    with opened.expect_navigation():
        opened.get_by_role("button", name="Refuse all").click()
    assert heard(world, lambda: round_trip(opened, world.guarded)) == set()

    opened.get_by_role("link", name="Privacy choices").click()
    opened.locator("label[for=p-marketing]").click()
    with opened.expect_navigation(url="**/one"):
        opened.get_by_role("button", name="Save choices").click()

    assert heard(world, lambda: round_trip(opened, world.guarded)) == EVERYTHING
