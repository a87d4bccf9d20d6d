"""An officer declares an undeclared third party, from the list to the file, by keyboard and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard.config import load_config
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch

from .conftest import Visitors
from .test_console import DESK, FOCUSED, Console, console_of, guarded_in
from .test_dashboard import of_day

MOST_STOPS = 40


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    state = tmp_path_factory.mktemp("vendors") / "state"
    guarded = guarded_in(state)
    with closing(SqliteHits(state / STATS_FILE)) as engine:
        engine.write(Batch("b", sorted(of_day(0, 1)), {}, {}))
    with serving(guarded) as server:
        yield console_of(guarded, server.at("shop.localhost"), state)


def tab_to(shown: Page, name: str) -> None:
    """Press Tab until the element of this text or name has the focus, and see that an outline shows it."""
    for _ in range(MOST_STOPS):
        shown.keyboard.press("Tab")
        found, is_outlined, is_in_view = shown.evaluate(FOCUSED)
        if found == name:
            assert (is_outlined, is_in_view) == (True, True)
            return
    raise AssertionError(f"{name} was not reached in {MOST_STOPS} stops")


def test_a_stranger_is_declared_by_keyboard_without_a_script(
    visit: Visitors, console: Console, tmp_path: Path
) -> None:
    shown = visit(javascript=False, viewport=DESK).new_page()
    console.sign_in(shown, "owner", "vendors")
    tab_to(shown, "spy.example")
    with shown.expect_navigation():
        shown.keyboard.press("Enter")
    tab_to(shown, "name")
    shown.keyboard.type("Spy & Sons")
    tab_to(shown, "purpose")
    shown.keyboard.press("ArrowDown")
    tab_to(shown, "Show the lines")
    with shown.expect_navigation():
        shown.keyboard.press("Enter")
    assert shown.url.endswith("#answer")
    assert "Spy & Sons" in shown.locator(".draft").inner_text()
    assert shown.locator("main button:not(.quiet)").all_inner_texts() == ["Download the lines"]

    tab_to(shown, "Download the lines")
    with shown.expect_download() as download:
        shown.keyboard.press("Enter")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)

    assert file.name == "cookieguard-vendor.toml"
    assert [(one.name, one.hosts) for one in load_config(file).vendors] == [("Spy & Sons", ("spy.example",))]
