"""axe finds no violation in the banner, the placeholders and the pages of visitors, in any look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from harness import npm
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Error, Page

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import Controller, DataKind, RightsSettings, ShopForm

from .conftest import Visitors, answer
from .tiny import TinyShop, page

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
LOOKS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": DESK, "locale": "en"},
    "desk-dark": {"viewport": DESK, "locale": "en", "color_scheme": "dark"},
    "desk-rtl": {"viewport": DESK, "locale": "ar"},
    "phone": {"viewport": PHONE, "locale": "en"},
    "phone-dark-rtl": {"viewport": PHONE, "locale": "ar", "color_scheme": "dark"},
}
# A page that says how it is to be shown, with embeds of three sizes.
HEAD = (
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    "<style>:root{color-scheme:light dark}</style>"
)
EMBEDS = "".join(
    f'<iframe title="Film {height}" src="https://film.example/{height}" width="300" height="{height}"></iframe>'
    for height in (60, 120, 315)
)
BROKEN = page(HEAD, '<img src="/a.png"><button></button><p style="color:#eee;background:#fff">pale</p>')
AXE = "axe.run(document, {resultTypes: ['violations']})"
OWN_PAGES = ("choices", "cookies", "privacy", "nowhere", "consent")  # the last two are refused: 404, 405


@pytest.fixture(scope="module")
def axe() -> str:
    """Give the script of axe."""
    lacks = npm.missing()
    if lacks:
        pytest.skip(f"axe was not asked: {lacks}")
    packages = npm.installed(Path(npm.__file__).parent / "axe")
    return packages.joinpath("axe-core/axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a shop in two directions of writing, where /login logs in."""
    config = Config(
        state_dir=str(tmp_path_factory.mktemp("axe") / "state"),
        dev=True,
        vendors=(
            Vendor(
                name="Film",
                purpose="preferences",
                hosts=("film.example",),
                cookies=("_film",),
                privacy_url="https://film.example/privacy",
            ),
            Vendor(catalogue="google-analytics"),
        ),
        data=(
            DataKind(id="orders", title="Orders and bills", purpose="To deliver", recipients=("Parcels",)),
            DataKind(id="mail", title="Letters", purpose="News", basis="interest", reason="You bought here"),
        ),
        forms=(
            ShopForm(page="/checkout", asks=("name", "card number"), leads_to="pay.example"),
            ShopForm(page="/", asks=("email",)),
        ),
        controller=Controller(name="Kiln & Co", address=("Ovenstraat 1", "1011 AA Amsterdam")),
        rights=RightsSettings(login_url="/login", account_url="/account"),
    )
    pages = {
        f"/{lang}": page(HEAD, EMBEDS, lang=lang, attributes=f' dir="{way}"') for lang, way in WAYS.items()
    }
    shop = TinyShop({"/broken": BROKEN, "/login": pages["/en"], **pages}, logins={"/login": "10001"})

    with serving(CookieGuard(shop, config)) as server:
        yield server.at("shop.localhost")


WAYS = {"en": "ltr", "ar": "rtl"}


def violations(shown: Page, axe: str) -> list[tuple[str, str]]:
    """Return the rules that are broken, and where."""
    for frame in shown.frames:
        with suppress(Error):  # one that went meanwhile
            frame.evaluate(axe)
    found = shown.evaluate(AXE)["violations"]
    return [(one["id"], str(node["target"])) for one in found for node in one["nodes"]]


@pytest.mark.parametrize("look", some_of(LOOKS, "phone-dark-rtl"))
def test_axe_finds_nothing_in_what_a_visitor_sees(visit: Visitors, shop: str, axe: str, look: str) -> None:
    shown, lang = visit(**LOOKS[look]).new_page(), LOOKS[look]["locale"]
    found: dict[str, list[tuple[str, str]]] = {}

    shown.goto(f"{shop}/broken")
    control = {rule for rule, _ in violations(shown, axe)}
    shown.goto(f"{shop}/{lang}")
    shown.frame_locator("iframe >> nth=2").locator("button").first.wait_for()
    found["banner"] = violations(shown, axe)
    shown.locator("#cg summary").click()
    found["by purpose"] = violations(shown, axe)
    answer(shown, "reject")
    found["saved"] = violations(shown, axe)
    shown.goto(f"{shop}/{lang}")
    found["control"] = violations(shown, axe)
    for name in OWN_PAGES:
        shown.goto(f"{shop}/_cg/{name}?lang={lang}")
        found[name] = violations(shown, axe)
    shown.goto(f"{shop}/login")
    shown.goto(f"{shop}/_cg/privacy?lang={lang}")
    found["privacy of a customer"] = violations(shown, axe)
    shown.check("input[value=erase]")
    with shown.expect_navigation():
        shown.click("button[value=ask]")
    found["erasure"] = violations(shown, axe)

    assert control >= {"image-alt", "button-name", "color-contrast"}
    assert {name: broken for name, broken in found.items() if broken} == {}
