"""Take the pictures of the docs from the demo shop, light and dark: `make pictures` renews docs/_static/pictures/.

The demo starts on free ports with a state of its own and two months of made-up visitors. A customer asks the shop for
their data, so that the list of what is due has a request to show.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

from PIL import Image

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "_static" / "pictures"
SCHEMES = ("light", "dark")
SHAPES = {  # the two pages of the staff are shown small, so they are taken narrow
    "banner": {"width": 1100, "height": 600},
    "dashboard": {"width": 820, "height": 860},
    "officer": {"width": 820, "height": 860},
}
SHARP = 1.5  # pixels of a picture for one of the page
DAYS = 60
COLOURS = 256  # a palette takes half of the bytes
MOST_BYTES = 150_000  # of a picture; the README shows three
# Staff pages name the demo by its address, whose port is another one each time.
NAME_THE_SHOP = (
    """document.querySelectorAll(".shop bdi").forEach(name => { name.textContent = "shop.example" })"""
)
CUSTOMER = {"number": "10042", "password": "blue-glaze"}  # as the demo's own login page says
ADDRESS = re.compile(r"The shop, guarded +(\S+)")
TOKEN = re.compile(r"as owner +with +(\S+)")


class Demo(NamedTuple):
    """Hold where the demo is served, and the token that opens its staff pages."""

    address: str
    token: str


def main() -> int:
    """Take each picture in both schemes; return 1 where one is too large for a page."""
    from playwright.sync_api import sync_playwright

    OUT.mkdir(exist_ok=True)
    chromium = subprocess.run(
        [sys.executable, "scripts/find_chromium.py"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    with demo() as shop, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        ask_for_data(browser, shop)
        for scheme in SCHEMES:
            take(browser, shop, scheme)
        browser.close()
    sizes = {path: path.stat().st_size for path in sorted(OUT.glob("*.png"))}
    for path, size in sizes.items():
        print(f"{size:>8,} {path.relative_to(ROOT)}")
    return int(max(sizes.values()) > MOST_BYTES)


@contextmanager
def demo() -> Iterator[Demo]:
    """Start the demo with a state of its own, and stop it."""
    with tempfile.TemporaryDirectory() as folder:
        ports = [word for name in ("shop", "ads", "unguarded", "mail") for word in (f"--{name}-port", "0")]
        places = ["--state-dir", f"{folder}/state", "--database", f"{folder}/shop.sqlite3"]
        command = [sys.executable, "-m", "demo_site", *ports, *places, "--fill", str(DAYS)]
        running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            yield Demo(said(running, ADDRESS), said(running, TOKEN))
        finally:
            running.terminate()
            running.wait(20)


def said(running: subprocess.Popen[str], pattern: re.Pattern[str]) -> str:
    """Return what the demo prints where the pattern matches."""
    assert running.stdout is not None
    for line in running.stdout:
        if found := pattern.search(line):
            return found[1]
    raise SystemExit("the demo ended before it was ready")


def ask_for_data(browser: Browser, shop: Demo) -> None:
    """Sign a customer in, who then asks for a copy of their data."""
    page = browser.new_page()
    page.goto(f"{shop.address}/login")
    for name, value in CUSTOMER.items():
        page.fill(f"#{name}", value)
    press(page, ".login button")
    page.goto(f"{shop.address}/_cg/privacy")
    page.locator("[name=kind]").first.check()
    press(page, "[value=ask]")
    page.close()


def take(browser: Browser, shop: Demo, scheme: Any) -> None:
    """Take all pictures in one colour scheme."""
    context = browser.new_context(color_scheme=scheme, locale="en-GB", device_scale_factor=SHARP)
    page = context.new_page()
    page.goto(f"{shop.address}/")
    save(page, "banner", scheme)
    page.goto(f"{shop.address}/_cg/staff")
    page.fill("#token", shop.token)
    press(page, "form:has(#token) button")
    page.goto(f"{shop.address}/_cg/stats")
    press(page, "a:text-is('Last month')")
    save(page, "dashboard", scheme)
    page.goto(f"{shop.address}/_cg/due")
    save(page, "officer", scheme)
    context.close()


def press(page: Page, selector: str) -> None:
    """Press what leads to another page, and wait for that page."""
    with page.expect_navigation():
        page.click(selector)


def save(page: Page, name: str, scheme: str) -> None:
    """Write what a window of the picture's shape shows."""
    page.set_viewport_size(SHAPES[name])
    page.evaluate(NAME_THE_SHOP)
    taken = Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    few = taken.quantize(COLOURS)
    dithered = taken.quantize(palette=few, dither=Image.Dither.FLOYDSTEINBERG)  # or the vase has stripes
    dithered.save(OUT / f"{name}-{scheme}.png", optimize=True)


if __name__ == "__main__":
    sys.exit(main())
