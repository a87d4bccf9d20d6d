"""The table at the top of the guard's source names exactly what is patched in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.servers import serving

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors
from .tiny import TinyShop, page

SOURCE = Path(__file__).parents[2] / "static" / "src" / "guard.js"
ROW = re.compile(r"^//   [\w ]+\| [^|]+\| (.+)$", re.MULTILINE)
ALSO = re.compile(r"The short patterns match `(\w+)`, `(\w+)` and `(\w+)` as well")
EVERYTHING = "everything, such as get and create"
# Notes each function that gets a Proxy, before the guard runs: "set src", "get relList", "open".
WATCH = """window.patched = []; window.Proxy = new Proxy(Proxy, {construct(proxy, given) {
  if (given[1].apply) patched.push(given[0].name.replace(/^[gs]et /, "")); return new proxy(...given); }});"""
OF_PASSKEYS = """() => [CredentialsContainer.prototype, PublicKeyCredential, PublicKeyCredential.prototype]
  .flatMap(owner => Object.keys(owner))"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    vendor = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",))
    config = Config(state_dir=str(tmp_path_factory.mktemp("table") / "state"), vendors=(vendor,))
    with serving(CookieGuard(TinyShop({"/": page("", "<p>shop</p>")}), config)) as server:
        yield server.at("shop.localhost")


def test_the_table_of_the_guard_is_what_a_browser_says_is_patched(visit: Visitors, shop: str) -> None:
    source = SOURCE.read_text("utf-8")
    cells = [cell.strip() for cell in ROW.findall(source) if "---" not in cell]
    also = ALSO.search(source.replace("\n//", ""))
    assert also
    assert EVERYTHING in cells
    told = {
        name
        for cell in cells
        if cell != EVERYTHING
        for name in re.findall(r"\w+", cell.partition(", when")[0])
    }
    told -= {"what", "is", "patched"}  # the head of the column

    tab = visit().new_page()
    tab.add_init_script(WATCH)
    tab.goto(shop)
    patched, passkeys = set(tab.evaluate("patched")), set(tab.evaluate(OF_PASSKEYS))

    assert len(told) > 30
    assert {"get", "create"} <= passkeys <= patched
    assert patched - passkeys - set(also.groups()) == told - passkeys
