"""In dev mode, an asset server and its socket on another port of this machine work before consent."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.servers import serving
from playwright.sync_api import expect

from cookieguard import Config, CookieGuard

from .conftest import Visitors
from .tiny import TinyShop, page

CLIENT = """
document.querySelector('h1').textContent = 'module ran';
const socket = new WebSocket(document.currentScript.src.replace('http', 'ws'));
socket.onopen = () => socket.send('hot update');
socket.onmessage = (event) => { document.querySelector('h1').textContent = event.data; };
"""


@pytest.mark.parametrize(("dev", "title"), [(True, "hot update"), (False, "Tiny shop")])
def test_the_client_of_a_dev_server_runs_and_hears_its_updates(
    visit: Visitors, tmp_path: Path, dev: bool, title: str
) -> None:
    assets = TinyShop({}, files={"/client": CLIENT})
    with serving(assets) as server:
        shop = TinyShop({"/": page(body=f'<script src="{server.at("localhost")}/client"></script>')})
        with serving(CookieGuard(shop, Config(state_dir=str(tmp_path / "state"), dev=dev))) as guarded:
            opened = visit().new_page()
            opened.goto(guarded.at("localhost"))

            expect(opened.locator("h1")).to_have_text(title)
            assert ("/client" in assets.asked) is dev
