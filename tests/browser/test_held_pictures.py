"""Pictures that are held keep their size and alt text, and contact no host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from harness.browser import Recorder, counting
from harness.servers import serving
from playwright.sync_api import Page, Route

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors, answer
from .tiny import TinyShop, page

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="600"/>'
SHAPES = {
    "with-a-size": '<img src="$U/a" width="400" height="300" alt="A pot">',
    "without-alt": '<img src="$U/a" width="400" height="300">',
    "lazy": '<img src="$U/a" width="400" height="300" alt="A pot" loading="lazy">',
    "fluid": '<img src="$U/a" width="800" height="600" alt="A pot" style="max-width:100%;height:auto">',
    "sized-by-css": '<img src="$U/a" alt="A pot" style="width:200px;height:100px">',
    "ratio-by-css": '<img src="$U/a" alt="A pot" style="width:100%;aspect-ratio:16/9;object-fit:cover">',
    "by-a-class": '<img src="$U/a" class="card" alt="A pot">',
    "srcset": '<img srcset="$U/a 1x, $U/b 2x" width="400" height="300" alt="A pot">',
    "picture": '<picture><source srcset="$U/a"><img src="$U/b" width="400" height="300" alt="A pot"></picture>',
    "in-a-line": '<p>Pay <img src="$U/a" width="40" height="30" alt="A long name of a card"> here</p>',
    "in-a-row": '<div style="display:flex"><img src="$U/a" width="400" height="300" alt="A pot"></div>',
    "not-shown": '<img src="$U/a" width="400" height="300" alt="A pot" class="gone">',
}
STYLE = "<style>.card{inline-size:120px;block-size:90px;border-radius:9px}.gone{display:none}</style>"
STATES = {"undecided": (), "refused": ("reject",), "partly": ("save", "statistics")}
BOXES = """() => [...document.querySelectorAll('[data-shape]')].map(one => {
  let inner = one.querySelector('img').getBoundingClientRect(), outer = one.getBoundingClientRect();
  return [one.dataset.shape, inner.width, inner.height, inner.x - outer.x, inner.y - outer.y, outer.height].join(' ');
})"""


@dataclass(frozen=True)
class Shops:
    """The addresses of a shop, guarded and not, and the requests to the host of its pictures."""

    guarded: str
    unguarded: str
    pictures: Recorder


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    """Serve a page of all shapes, and the third party that has its pictures."""
    pictures = Recorder()
    with ExitStack() as stack:
        server = stack.enter_context(serving(pictures, http=counting(pictures.note_connection)))
        held = server.at("pictures.localhost")
        body = "".join(
            f'<div data-shape="{name}" style="width:600px">{markup.replace("$U", f"{held}/{name}")}</div>'
            for name, markup in SHAPES.items()
        )
        app = TinyShop({"/": page(STYLE, body)})
        vendors = (Vendor(name="Pictures", purpose="preferences", hosts=("pictures.localhost",)),)
        state = str(tmp_path_factory.mktemp("pictures") / "state")
        guard = CookieGuard(app, Config(state_dir=state, vendors=vendors))
        guarded, plain = (stack.enter_context(serving(one)) for one in (guard, app))
        yield Shops(guarded.at("shop.localhost"), plain.at("plain.localhost"), pictures)


def boxes(shown: Page) -> list[str]:
    """Return the box of each shape's picture, and its place in the shape's own."""
    shown.evaluate("scrollTo(0, 1e5)")  # what is lazy
    shown.wait_for_load_state("networkidle")
    shown.evaluate("scrollTo(0, 0)")
    found: list[str] = shown.evaluate(BOXES)
    return found


def test_held_pictures_have_the_boxes_of_loaded_ones(visit: Visitors, shops: Shops, javascript: bool) -> None:
    asked: list[str] = []
    context = visit()

    def give(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(body=PICTURE, content_type="image/svg+xml")

    context.route(lambda url: "pictures.localhost" in url, give)
    loaded = context.new_page()
    loaded.goto(shops.unguarded)
    expected = boxes(loaded)
    found = {}
    for state, choice in STATES.items():
        shown = visit(javascript=javascript).new_page()
        shown.goto(shops.guarded)
        if choice:
            answer(shown, *choice)
        found[state] = boxes(shown)

    assert len({*asked}) == len(SHAPES)
    assert found == dict.fromkeys(found, expected)
    assert (shops.pictures.requests, shops.pictures.connections) == ([], 0)
