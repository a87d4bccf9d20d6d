"""A shop's service worker outlives every page, yet its policy follows the visitor's consent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.browser import Recorder
from harness.quick import some_of
from harness.servers import serving, wait_until
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors
from .tiny import TinyShop, page

# Tells the vendor of every visit to /beacon; takes over at once, as most do.
WORKER = """
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.url.endsWith('/beacon')) fetch('THERE/told', { mode: 'no-cors' }).catch(() => {});
});
"""
REGISTERS = "<script>navigator.serviceWorker.register('/worker.js')</script>"
TAKING_OVER = 0.5  # seconds
CONTROLLED = "navigator.serviceWorker.controller !== null"


PASSES_ON = """
self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.mode == 'navigate') event.respondWith(fetch(event.request));
});
"""
# Their policy is longer than headers take: it stands in the page.
MANY = tuple(
    Vendor(name=f"V{number}", purpose="marketing", hosts=(f"cdn.vendor{number:03}.example",))
    for number in range(60)
)


@pytest.fixture
def vendor() -> Iterator[tuple[Recorder, str]]:
    """Serve a recorder as the host of a vendor."""
    recorder = Recorder()
    with serving(recorder) as server:
        yield recorder, server.at("ads.localhost")


def open_under_new_worker(opened: Page, shop: str, app: TinyShop) -> None:
    """Open the shop, and return once the worker with the policy of this visit has taken over."""
    asked = app.asked.count("/worker.js")
    opened.goto(shop)
    opened.wait_for_function(CONTROLLED)
    wait_until(lambda: app.asked.count("/worker.js") > asked, "the browser looks for a new script")
    time.sleep(TAKING_OVER)


def test_a_service_worker_gets_the_policy_of_each_choice(
    visit: Visitors, vendor: tuple[Recorder, str], tmp_path: Path
) -> None:
    recorder, there = vendor
    app = TinyShop(
        {"/": page(body=REGISTERS)}, files={"/worker.js": WORKER.replace("THERE", there), "/beacon": "1"}
    )
    vendors = (Vendor(name="Ads", purpose="marketing", hosts=("ads.localhost",)),)
    guarded = CookieGuard(app, Config(state_dir=str(tmp_path / "state"), vendors=vendors))

    def told(opened: Page) -> bool:
        open_under_new_worker(opened, shop, app)
        recorder.forget()
        opened.evaluate("fetch('/beacon').then(() => 1)")
        recorder.wait()
        return "/told" in recorder.paths

    with serving(guarded) as server:
        shop, opened = server.at("shop.localhost"), visit().new_page()

        undecided = told(opened)
        with opened.expect_navigation():
            opened.get_by_role("button", name="Accept all").click()
        accepted = told(opened)
        with opened.expect_navigation():
            opened.get_by_role("button", name="Withdraw").click()
        withdrawn = told(opened)

    assert (undecided, accepted, withdrawn) == (False, True, False)


# It asks for the script as for data: as itself, it would be asked for like a worker's.
ANSWERS = """
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.destination === 'worker') event.respondWith(fetch('/work.txt'));
});
"""
WORK = "new Promise((done) => { new Worker('/any.js').onmessage = done; }).then(() => 1)"


@pytest.mark.parametrize(
    "policies", some_of([{}, {"/work.txt": "object-src 'none'"}], {}), ids=["without", "with"]
)
def test_a_worker_whose_script_a_service_worker_answers_with_gets_the_policy_of_each_choice(
    visit: Visitors, vendor: tuple[Recorder, str], tmp_path: Path, policies: dict[str, str]
) -> None:
    """A policy of the shop's own is none of ours."""
    recorder, there = vendor
    work = f"fetch('{there}/worked', {{ mode: 'no-cors' }}).catch(() => 0).then(() => postMessage(1))"
    app = TinyShop({"/": page(body=REGISTERS)}, policies, files={"/worker.js": ANSWERS, "/work.txt": work})
    vendors = (Vendor(name="Ads", purpose="marketing", hosts=("ads.localhost",)),)
    guarded = CookieGuard(app, Config(state_dir=str(tmp_path / "state"), vendors=vendors))

    def worked(opened: Page, shop: str) -> bool:
        open_under_new_worker(opened, shop, app)
        recorder.forget()
        opened.evaluate(WORK)
        recorder.wait()
        return "/worked" in recorder.paths

    with serving(app) as bare, serving(guarded) as server:
        shop, opened = server.at("shop.localhost"), visit().new_page()

        assert worked(visit().new_page(), bare.at("bare.localhost"))
        undecided = worked(opened, shop)
        with opened.expect_navigation():
            opened.get_by_role("button", name="Accept all").click()
        accepted = worked(opened, shop)

    assert (undecided, accepted) == (False, True)


def test_a_page_that_a_service_worker_passes_on_lets_in_who_is_agreed_to_and_nobody_else(
    visit: Visitors, vendor: tuple[Recorder, str], tmp_path: Path
) -> None:
    recorder, there = vendor
    asks = f"<script>for (const host of ['ads', 'other']) new Image().src = '{there}/'.replace('ads', host)</script>"
    app = TinyShop(
        {"/": page(body=REGISTERS), "/more": page(body=asks), "/bare": asks}, files={"/worker.js": PASSES_ON}
    )
    ads = Vendor(name="Ads", purpose="statistics", hosts=("ads.localhost",))
    settings = Config(state_dir=str(tmp_path / "state"), vendors=(*MANY, ads), undeclared="block")

    def heard(opened: Page, path: str) -> list[str]:
        recorder.forget()
        opened.goto(shop + path)
        recorder.wait()
        return [one.host for one in recorder.requests]

    with serving(CookieGuard(app, settings)) as server:
        shop, opened = server.at("shop.localhost"), visit().new_page()
        opened.goto(shop)
        opened.wait_for_function(CONTROLLED)
        undecided = [heard(opened, path) for path in ("/more", "/bare")]
        with opened.expect_navigation():
            opened.get_by_role("button", name="Accept all").click()
        accepted = [heard(opened, path) for path in ("/more", "/bare")]

    assert undecided == [[], []]
    assert accepted == [["ads.localhost"]] * 2


STORES_AHEAD = """
self.addEventListener('install', (event) => event.waitUntil(
  caches.open('v1').then((cache) => cache.addAll(['/offline', '/logo.svg', '/app.js'])).then(() => skipWaiting())));
self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
self.addEventListener('fetch', (event) => event.respondWith(event.request.mode == 'navigate'
  ? fetch(event.request).catch(() => caches.match('/offline'))
  : caches.match(event.request).then((found) => found || fetch(event.request))));
"""
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"><rect width="5" height="5"/></svg>'


@pytest.mark.parametrize("is_guarded", [False, True])
def test_a_shop_without_a_network_shows_what_its_worker_stored_ahead(
    visit: Visitors, tmp_path: Path, *, is_guarded: bool
) -> None:
    offline = page(body='<img src="/logo.svg" alt="Logo"><script src="/app.js"></script>')
    files = {"/worker.js": STORES_AHEAD, "/app.js": "window.ran = 1", "/logo.svg": LOGO}
    app = TinyShop({"/": page(body=REGISTERS), "/offline": offline}, files=files)
    shown = CookieGuard(app, Config(state_dir=str(tmp_path / "state"))) if is_guarded else app
    with serving(shown) as server:
        context = visit()
        opened = context.new_page()
        opened.goto(server.at("shop.localhost"))
        opened.wait_for_function(CONTROLLED)

        context.set_offline(True)
        opened.goto(server.at("shop.localhost") + "/elsewhere")
        opened.wait_for_function("window.ran && document.querySelector('img').complete")
        assert opened.evaluate("document.querySelector('img').naturalWidth") == 5
