"""React, Vue, jQuery and Alpine as published: a page with an embed, a map and a tag manager works guarded.

Where the server wrote the page already, hydration goes on as unguarded: nothing is made anew, nothing is thrown out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import npm
from harness.browser import whole_browser
from harness.servers import serving
from playwright.sync_api import Playwright

from cookieguard import Config, CookieGuard

from .conftest import Visitors, answer
from .others import Others
from .tiny import TinyShop, page

HERE = Path(__file__).parent / "libraries"
PACKAGES = Path(npm.__file__).parent / "libraries"
TAGS = '<script async="" src="https://tags.example/gtm.js"></script>'
HEAD = '<meta charset="utf-8"/><title>Shop</title><link rel="canonical" href="https://brand.example/precommande"/>'
# What a server writes for the page, as React and Vue do.
WRITTEN = (
    '<main><h1>Shop</h1><button id="add">0</button>{gap}<button id="play">Play</button>{gap}'
    '<img src="https://ads.example/p.gif" alt=""/><div><link rel="icon" href="/x"><b>bold</b></div>'
    '<iframe title="Map" width="300" height="200" src="https://film.example/map"></iframe></main>'
)
REACT = (
    "react/cjs/react",
    "scheduler/cjs/scheduler",
    "react-dom/cjs/react-dom",
    "react-dom/cjs/react-dom-client",
)
VUE, JQUERY = "vue/dist/vue.runtime.global.prod.js", "jquery/dist/jquery.min.js"
ALPINE = "alpinejs/dist/cdn.min.js"


@dataclass(frozen=True)
class App:
    """The parts of a page: its library, its script, and the body that the server wrote."""

    library: str
    script: str
    body: str
    is_whole: bool = False


ROOT = '<div id="root">{}</div>'
APPS = {
    "react-document": App("react", "react.js", WRITTEN.format(gap=""), is_whole=True),
    "react-root": App("react", "react.js", ROOT.format(WRITTEN.format(gap=""))),
    "react-client": App("react", "react.js", ROOT.format("")),
    "vue-root": App(VUE, "vue.js", ROOT.format(WRITTEN.format(gap="<!---->"))),
    "vue-client": App(VUE, "vue.js", ROOT.format("")),
    "jquery": App(JQUERY, "jquery.js", ROOT.format("")),
    "alpine": App(ALPINE, "", HERE.joinpath("alpine.html").read_text("utf-8")),
}


def library(packages: Path, name: str) -> str:
    """Return a library as one script; React is published as modules of Node's kind alone."""
    if name != "react":
        return packages.joinpath(name).read_text("utf-8")
    parts = ["const made = {}, require = name => made[name];"]
    for path in REACT:
        text = packages.joinpath(f"{path}.production.js").read_text("utf-8")
        parts.append(f"(exports => {{{text}}})(made['{Path(path).name}'] = {{}});")
    return (
        f"(() => {{{''.join(parts)} window.React = made.react;"
        "window.ReactDOM = made['react-dom-client'];})();"
    )


def written(app: App) -> str:
    """Write the page of an app."""
    scripts = '<script async="" src="/app.js"></script>'
    if app.is_whole:
        return (
            f'<!DOCTYPE html><html lang="en"><head>{HEAD}{TAGS}{scripts}</head><body>{app.body}</body></html>'
        )
    late = '<script src="/app.js" defer></script>'
    return f'<!DOCTYPE html><html lang="en"><head>{HEAD}{TAGS}{late}</head><body>{app.body}</body></html>'


@pytest.fixture(scope="module")
def packages() -> Path:
    """Give the folder of the installed packages."""
    lacks = npm.missing()
    if lacks:
        pytest.skip(f"libraries stay untested: {lacks}")
    return npm.installed(PACKAGES)


@pytest.fixture
def others() -> Iterator[Others]:
    """Serve all foreign hosts."""
    made = Others()
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", APPS)
def test_a_page_of_this_library_works_as_unguarded_and_tells_nobody(
    driver: tuple[Playwright, str], tmp_path: Path, packages: Path, others: Others, name: str
) -> None:
    app = APPS[name]
    own = HERE.joinpath(app.script).read_text("utf-8") if app.script else ""
    files = {"/app.js": library(packages, app.library) + ";" + own, "/lib.js": "window.lib = 'lib'"}
    shop = TinyShop({"/": written(app), "/part": "<h1>x</h1><h2>part</h2>"}, files=files)
    guarded = CookieGuard(shop, Config(state_dir=str(tmp_path / "state")))
    outcomes, heard = [], []
    with ExitStack() as stack:
        for number, served in enumerate((shop, guarded)):
            url = stack.enter_context(serving(served)).at("shop.localhost")
            context = stack.enter_context(whole_browser(*driver, tmp_path / str(number), others.rules))
            context.set_default_timeout(60_000)
            others.forget()
            tab, errors = context.new_page(), list[str]()
            tab.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            tab.goto(url, wait_until="commit")
            tab.wait_for_selector("#live")
            tab.evaluate("document.querySelector('main').mark = 1")
            tab.click("#add")
            tab.click("#add")
            tab.click("#play")
            tab.wait_for_selector("iframe[title='A film']", state="attached")
            outcomes.append(
                {
                    "count": tab.inner_text("#add"),
                    "live": tab.inner_text("#live"),
                    "same": tab.evaluate("document.querySelector('main').mark"),
                    "recovered": tab.evaluate("window.recovered"),
                    "errors": errors,
                    "frames": tab.evaluate("[...document.querySelectorAll('iframe')].map(one => one.title)"),
                    "links": tab.evaluate("document.querySelector('link[rel=canonical]').href"),
                }
            )
            if served is guarded:
                tab.frame_locator("iframe[title='A film']").get_by_role("button", name="Load once").wait_for()
                tab.get_by_role("button", name="Accept all").wait_for()
            heard.append(others.heard())

    assert outcomes[1] == outcomes[0]
    assert (outcomes[0]["count"], outcomes[0]["errors"]) == ("2", [])
    assert {"film.example", "ads.example", "tags.example"} <= {*heard[0]}
    assert heard[1].total() == 0, heard[1]


ON_BODY = """addEventListener("load", () => ReactDOM.createRoot(document.body).render(
  React.createElement("main", null, React.createElement("h1", null, "Made by React"))));"""


def test_a_visitor_who_refused_keeps_the_way_back_where_react_takes_the_body(
    visit: Visitors, tmp_path: Path, packages: Path
) -> None:
    files = {"/app.js": library(packages, "react") + ON_BODY}
    shop = TinyShop({"/": page(), "/app": page('<script src="/app.js"></script>')}, files=files)
    with serving(CookieGuard(shop, Config(state_dir=str(tmp_path / "state")))) as server:
        tab = visit().new_page()
        tab.goto(server.url)
        answer(tab, "reject")
        tab.goto(f"{server.url}/app")
        tab.get_by_role("heading", name="Made by React").wait_for()

        tab.get_by_role("link", name="Privacy choices").click()

        tab.wait_for_url("**/_cg/choices?next=/app")
