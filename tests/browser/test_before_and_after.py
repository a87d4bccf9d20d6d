"""Requests that reach the ad network in each state of consent, each 0 with the same visit unguarded as control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.browser import Contact, linger, whole_browser
from harness.quick import some_of
from playwright.sync_api import BrowserContext, Playwright

from .conftest import HOSTS, RICHEST, Demo, Visitors, answer, page_by_page, tour

Unguarded = Callable[[bool], dict[str, Counter[Contact]]]
NOBODY: Counter[Contact] = Counter()
# What the demo's tags reach where no script runs: the analytics and the widget are nothing but script.
STATIC_LABELS = {"ads", "video"}


def decided(visit: Visitors, demo: Demo, button: str, *purposes: str, javascript: bool) -> BrowserContext:
    """Give a visitor who answered the banner of the home page."""
    context = visit(javascript=javascript)
    page = context.new_page()
    page.goto(demo.guarded)
    answer(page, button, *purposes)
    page.close()
    return context


def test_unguarded_every_page_reaches_the_ad_network(unguarded: Unguarded, javascript: bool) -> None:
    heard = unguarded(javascript)

    assert all(heard.values())
    told = {contact.host.partition(".")[0] for page in heard.values() for contact in page}
    assert told == ({*HOSTS.values(), "widget"} if javascript else STATIC_LABELS)


def test_nothing_leaves_before_a_choice(
    visit: Visitors, demo: Demo, unguarded: Unguarded, javascript: bool
) -> None:
    heard = tour(visit(javascript=javascript), demo, demo.guarded)

    assert all(unguarded(javascript).values())
    assert heard == NOBODY


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_nothing_leaves_after_refusing(
    visit: Visitors, demo: Demo, unguarded: Unguarded, javascript: bool
) -> None:
    context = decided(visit, demo, "reject", javascript=javascript)

    heard = tour(context, demo, demo.guarded)

    assert all(unguarded(javascript).values())
    assert heard == NOBODY


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_nothing_leaves_under_global_privacy_control(visit: Visitors, demo: Demo, javascript: bool) -> None:
    control = tour(visit(javascript=javascript, gpc=True), demo, demo.unguarded, RICHEST)
    heard = tour(visit(javascript=javascript, gpc=True), demo, demo.guarded)

    assert control
    assert heard == NOBODY


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_after_accepting_every_page_sends_what_it_sends_unguarded(
    visit: Visitors, demo: Demo, unguarded: Unguarded, javascript: bool
) -> None:
    context = decided(visit, demo, "accept", javascript=javascript)

    heard = page_by_page(context, demo, demo.guarded)

    assert heard == unguarded(javascript)


@pytest.mark.parametrize("javascript", some_of([True, False], False), ids=["with-script", "without-script"])
def test_one_click_withdraws_and_nothing_leaves_again(visit: Visitors, demo: Demo, javascript: bool) -> None:
    context = decided(visit, demo, "accept", javascript=javascript)
    page = context.new_page()
    demo.network.forget()
    page.goto(f"{demo.guarded}/journal")
    demo.network.wait()
    before = demo.network.contacts

    demo.network.forget()
    with page.expect_navigation():
        page.get_by_role("button", name="Withdraw").click()
    linger([page])
    demo.network.wait()
    parting = demo.network.contacts
    demo.network.forget()
    page.reload()
    linger([page])

    assert before
    # The page that was left says good-bye (it was agreed to); the one that came says nothing.
    assert {contact.via for contact in parting} <= {"submit", "pagehide"}
    assert demo.network.contacts == NOBODY


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_after_withdrawal_no_page_sends_anything(
    visit: Visitors, demo: Demo, unguarded: Unguarded, javascript: bool
) -> None:
    context = decided(visit, demo, "accept", javascript=javascript)
    page = context.new_page()
    page.goto(demo.guarded)
    with page.expect_navigation():
        page.get_by_role("button", name="Withdraw").click()
    page.close()

    heard = tour(context, demo, demo.guarded)

    assert all(unguarded(javascript).values())
    assert heard == NOBODY


TWO = ["preferences", "statistics"]


@pytest.mark.parametrize("purposes", some_of([*([one] for one in HOSTS), TWO], TWO), ids="-".join)
def test_a_choice_by_purpose_reaches_exactly_these_purposes_hosts(
    visit: Visitors, demo: Demo, unguarded: Unguarded, purposes: list[str]
) -> None:
    context = decided(visit, demo, "save", *purposes, javascript=True)

    heard = tour(context, demo, demo.guarded)

    every = {contact for page in unguarded(True).values() for contact in page}
    expected = {contact for contact in every if contact.host in demo.of(*purposes)}
    # What one script would tell several vendors waits for all of them.
    together = {contact for contact in expected if contact.via.startswith("inline-")}
    assert expected - together
    assert expected - together <= set(heard) <= expected
    assert {contact.host for contact in heard} == demo.of(*purposes)


@pytest.mark.slow
def test_a_choice_by_purpose_holds_without_script(visit: Visitors, demo: Demo, unguarded: Unguarded) -> None:
    context = decided(visit, demo, "save", "preferences", javascript=False)

    heard = tour(context, demo, demo.guarded)

    every = {contact for page in unguarded(False).values() for contact in page}
    assert {contact.host for contact in every} > demo.of("preferences")
    assert set(heard) == {contact for contact in every if contact.host in demo.of("preferences")}


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_not_even_a_connection_is_opened_before_a_choice(
    driver: tuple[Playwright, str], demo: Demo, tmp_path: Path, javascript: bool
) -> None:
    connections = {}
    for shop in (demo.unguarded, demo.guarded):
        with whole_browser(*driver, tmp_path / shop[-6:], javascript=javascript) as context:
            tour(context, demo, shop)
            connections[shop] = demo.network.connections

    assert connections[demo.unguarded] > 0
    assert connections[demo.guarded] == 0


def test_connections_are_counted_that_ask_nothing(
    driver: tuple[Playwright, str], demo: Demo, tmp_path: Path
) -> None:
    """Show that the test above sees more than requests: without script nothing asks the metrics host."""
    with whole_browser(*driver, tmp_path, javascript=False) as context:
        page = context.new_page()
        demo.network.forget()
        page.goto(f"{demo.guarded}/privacy")
        demo.network.wait()
        before = demo.network.connections
        answer(page, "save", "statistics")
        demo.network.wait()

    assert demo.network.contacts == NOBODY
    assert before == 0
    assert demo.network.connections > 0
