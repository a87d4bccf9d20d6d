"""Vendors embedded as their documentation says are held before consent, work after it, and break no shop code.

Each has a page of a shop that calls it (`vendor_world.py`), opened unguarded and in every state. A whole Chromium is
used, which preconnects: of whom nothing is agreed to nobody may hear even a connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness.browser import whole_browser
from harness.quick import FOR_RELEASE
from playwright.sync_api import Page, Playwright

from .conftest import answer
from .vendor_world import OWN_KEYS, REPLAYS, World, vendor_of, vendor_of_key, world

# A link that leads on in a callback; a map that is drawn by one, and has a way on without.
FEW = ("google-ads", "google-maps")
QUICK_AND_WHOLE = [FEW, pytest.param(tuple(REPLAYS), marks=FOR_RELEASE)]
PURPOSES = ("statistics", "marketing", "preferences")


@dataclass
class Visit:
    """Hold what happened on the pages of these vendors in one state."""

    shops: dict[str, Any] = field(default_factory=dict)
    shows: dict[str, Any] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)
    asked: dict[str, Counter[str]] = field(default_factory=dict)
    kept: dict[str, set[str]] = field(default_factory=dict)
    connections: Counter[str] = field(default_factory=Counter)


STORED = "[...Object.keys(localStorage), ...Object.keys(sessionStorage)]"


def kept(tab: Page) -> set[str]:
    """Name what vendors left in the browser."""
    names = {one["name"] for one in tab.context.cookies(tab.url)} | set(tab.evaluate(STORED))
    return {name for name in names if name not in OWN_KEYS and not name.startswith(("__Host-", "cg"))}


def toured(tab: Page, url: str, place: World, names: Iterable[str]) -> Visit:
    """Open the page of each vendor, shop there, and return what happened."""
    visit, errors = Visit(), list[str]()
    note = errors.append
    tab.on("pageerror", lambda error: note(str(error)))
    place.internet.forget()
    for name in names:
        errors.clear()
        before = len(place.internet.asked)
        tab.goto(f"{url}/{name}", wait_until="load")
        visit.shops[name] = tab.evaluate("shopping().catch(String)"), list(errors)
        place.internet.wait()
        visit.asked[name] = Counter(place.internet.asked[before:])
        visit.shows[name] = tab.evaluate(REPLAYS[name].shows)
        visit.kept[name] = kept(tab)
        visit.told[name] = place.internet.told(f"/{name}")
        visit.shops[name] = (*visit.shops[name], list(errors))
    visit.connections = place.internet.connections
    return visit


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Serve both shops and everybody else."""
    with world(tmp_path_factory.mktemp("replays") / "state") as served:
        yield served


@contextmanager
def visitor(driver: tuple[Playwright, str], folder: Path, place: World) -> Iterator[Page]:
    """Launch a browser that nobody used before, and give its tab."""
    with whole_browser(*driver, folder, place.rules, ignore_https_errors=True) as context:
        yield context.pages[0]


Names = tuple[str, ...]
Control = Callable[[Names], Visit]


@pytest.fixture(scope="module")
def control(
    driver: tuple[Playwright, str], place: World, tmp_path_factory: pytest.TempPathFactory
) -> Control:
    """Visit pages unguarded, once."""

    @cache
    def visited(names: Names) -> Visit:
        with visitor(driver, tmp_path_factory.mktemp("control") / "profile", place) as tab:
            found = toured(tab, place.unguarded, place, names)
        assert not [name for name, (said, *errors) in found.shops.items() if type(said) is str or any(errors)]
        assert not [name for name in names if not found.asked[name]]
        return found

    return visited


def is_loaded(name: str, granted: Iterable[str]) -> bool:
    """Return whether what a page begins with is let in: Google's one script serves two, of two purposes."""
    first = next(iter(REPLAYS[name].loads), "")
    loader = vendor_of(first.partition("//")[2]) if first else REPLAYS[name]
    return loader.purpose in granted


def assert_as(control: Visit, found: Visit, *granted: str) -> None:
    """Hold a visit against the one that was unguarded: each is let in whose purpose was granted, and nobody else."""
    granted = ("necessary", *granted)
    assert found.shops == control.shops
    wanted = {key for key in [*control.kept.values()][-1] if vendor_of_key(key).purpose in granted}
    for name, asked in control.asked.items():
        loaded = is_loaded(name, granted)
        expected = {
            one: count for one, count in asked.items() if loaded and vendor_of(one).purpose in granted
        }
        assert (name, found.asked[name]) == (name, expected)
        assert (name, found.told[name]) == (name, control.told[name] if loaded else [])
        if REPLAYS[name].purpose in granted:
            assert (name, found.shows[name]) == (name, control.shows[name])
        assert (name, found.kept[name] - wanted) == (name, set())
    names = {one.partition("/")[0] for asked in found.asked.values() for one in asked}
    assert not [one for one in found.connections if one not in {*names, "plain"}]
    if granted == ("necessary",):
        assert found.connections["plain"] == 0


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("names", QUICK_AND_WHOLE, ids=["few", "all"])
def test_held_before_working_after_and_gone_when_withdrawn(
    driver: tuple[Playwright, str], tmp_path: Path, place: World, control: Control, names: Names
) -> None:
    expected = control(names)
    with visitor(driver, tmp_path / "profile", place) as tab:
        undecided = toured(tab, place.guarded, place, names)
        answer(tab, "accept")
        accepted = toured(tab, place.guarded, place, names)
        left = kept(tab)
        with tab.expect_navigation():
            tab.get_by_role("button", name="Withdraw").click()
        withdrawn = toured(tab, place.guarded, place, names)

    assert_as(expected, undecided)
    assert_as(expected, accepted, *PURPOSES)
    assert left == expected.kept[names[-1]]
    assert_as(expected, withdrawn)
    assert expected.connections.total() > len(names)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "granted",
    [pytest.param(names, marks=FOR_RELEASE) for names in ((), *[(one,) for one in PURPOSES])],
    ids=["refused", *PURPOSES],
)
def test_only_vendors_of_accepted_purposes_are_contacted(
    driver: tuple[Playwright, str], tmp_path: Path, place: World, control: Control, granted: Names
) -> None:
    names = tuple(REPLAYS)
    with visitor(driver, tmp_path / "profile", place) as tab:
        tab.goto(f"{place.guarded}/")
        answer(tab, *(("save", *granted) if granted else ("reject",)))
        found = toured(tab, place.guarded, place, names)

    assert_as(control(names), found, *granted)


def test_there_are_enough_vendors() -> None:
    assert len(REPLAYS) >= 50
