"""Ended sessions stay ended: copies of cookies fail on workers that read the revocation and on those that could not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cookieguard.config import CookieSettings, IdentitySettings
from cookieguard.errors import CookieGuardError
from cookieguard.identity import Identity
from cookieguard.identity.revocations import Revocation, Revocations, Revoked

SESSION = "__Host-cg_session"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Worker:
    """One worker's memory of revocations; `is_certain` stands for its engine's answer."""

    def __init__(self, browser: Any) -> None:
        self.is_certain = True
        self.revocations = Revocations(lambda: self.is_certain)
        self.identity = Identity(
            browser.keyring, CookieSettings(), IdentitySettings(), revocations=self.revocations
        )

    def hear(self, visit: Any) -> None:
        """Do what the door does before a response starts."""
        self.revocations.add(visit.session.take_news())
        visit.session.settle()


@pytest.fixture
def worker(browser: Any) -> Worker:
    """Return a worker, which serves the browser."""
    worker = Worker(browser)
    browser.identity = worker.identity
    return worker


def log_in(browser: Any, worker: Worker, number: str = "17") -> None:
    with browser.request() as visit:
        visit.session.login(number)
        visit.session["seen"] = ["lamp"]
        visit.cart["lamp"] = 1
        worker.hear(visit)


def test_a_copy_of_a_session_is_dead_after_logout_and_says_so_once(worker: Worker, browser: Any) -> None:
    log_in(browser, worker)
    copy = dict(browser.cookies)
    with browser.request() as visit:
        visit.session.logout()
        worker.hear(visit)
    browser.wait(minutes=2)

    browser.cookies = dict(copy)
    with browser.request() as visit:
        assert (visit.session.customer, dict(visit.session), dict(visit.cart)) == (None, {}, {})
    assert browser.events == ["session cookie refused (ended): it counts as empty"]
    assert browser.cookies == {}


def test_without_a_store_the_copy_still_opens(customer: Any) -> None:
    copy = dict(customer.cookies)
    with customer.request() as visit:
        visit.session.logout()

    customer.cookies = copy
    with customer.request() as visit:
        assert visit.session.customer == "17"


def test_logging_out_everywhere_ends_every_session_of_this_customer_only(
    worker: Worker, browser: Any, make_browser: Any
) -> None:
    others = {"17": make_browser(), "18": make_browser()}
    for number, other in others.items():
        other.identity = worker.identity
        log_in(other, worker, number)
    log_in(browser, worker)
    browser.wait(hours=1)
    with browser.request() as visit:
        visit.session.logout_everywhere()
        worker.hear(visit)

    with others["17"].request() as visit:
        assert visit.session.customer is None
    with others["18"].request() as visit:
        assert visit.session.customer == "18"


@pytest.mark.parametrize("behind", [0, 50])
def test_a_login_after_logging_out_everywhere_counts_on_a_clock_that_is_behind_too(
    worker: Worker, browser: Any, behind: int
) -> None:
    log_in(browser, worker)
    with browser.request() as visit:
        visit.session.logout_everywhere()
        worker.hear(visit)
    browser.wait(seconds=-behind)
    log_in(browser, worker)

    with browser.request() as visit:
        assert visit.session.customer == "17"
        assert visit.session.auth_age == timedelta(0)


def test_a_change_of_password_keeps_the_browser_it_was_made_in(worker: Worker, browser: Any) -> None:
    log_in(browser, worker)
    copy = dict(browser.cookies)
    with browser.request() as visit:
        visit.session.logout_everywhere()
        visit.session.login("17")
        worker.hear(visit)

    with browser.request() as visit:
        assert visit.session.customer == "17"
    browser.cookies = copy
    with browser.request() as visit:
        assert visit.session.customer is None


@pytest.mark.parametrize("change", ["renew_id", "login_again", "login_as_another"])
def test_a_new_id_ends_the_old_one(worker: Worker, browser: Any, change: str) -> None:
    log_in(browser, worker)
    copy = dict(browser.cookies)
    with browser.request() as visit:
        before = visit.session.id
        if change == "renew_id":
            visit.session.renew_id()
        else:
            visit.session.login("17" if change == "login_again" else "18")
        assert visit.session.id != before
        worker.hear(visit)

    browser.cookies = copy
    with browser.request() as visit:
        assert visit.session.customer is None


def test_a_request_that_left_before_the_new_id_came_does_not_take_it_away(
    worker: Worker, browser: Any
) -> None:
    log_in(browser, worker)
    old = browser.header
    with browser.request() as visit:
        visit.session.renew_id()
        worker.hear(visit)
    browser.wait(seconds=5)

    with browser.request(old) as visit:
        assert visit.session.customer is None
        assert dict(visit.cart) == {}
    assert browser.answer == []
    with browser.request() as visit:
        assert (visit.session.customer, dict(visit.cart)) == ("17", {"lamp": 1})


def test_while_the_store_is_down_nobody_is_a_customer_and_the_cart_is_readable(
    worker: Worker, browser: Any
) -> None:
    log_in(browser, worker)
    worker.is_certain = False

    with browser.request() as visit:
        session = visit.session
        assert (session.customer, session.auth_age, session.is_uncertain) == (None, None, True)
        assert dict(session) == {}
        assert dict(visit.cart) == {"lamp": 1}
    assert browser.answer == []
    worker.is_certain = True
    with browser.request() as visit:
        assert (visit.session.customer, dict(visit.session)) == ("17", {"seen": ["lamp"]})


def test_what_is_written_while_the_store_is_down_is_kept(worker: Worker, browser: Any) -> None:
    log_in(browser, worker)
    worker.is_certain = False
    with browser.request() as visit:
        visit.session["note"] = "ring twice"
        visit.cart["vase"] = 2

    worker.is_certain = True
    with browser.request() as visit:
        assert dict(visit.session) == {"seen": ["lamp"], "note": "ring twice"}
        assert dict(visit.cart) == {"lamp": 1, "vase": 2}


def test_store_that_returns_during_a_request_leaves_its_visitor_a_guest(worker: Worker, browser: Any) -> None:
    log_in(browser, worker)
    worker.is_certain = False
    with browser.request() as visit:
        assert dict(visit.session) == {}
        worker.is_certain = True
        assert visit.session.customer is None


def test_content_cleared_while_the_store_is_down_is_not_restored(worker: Worker, browser: Any) -> None:
    log_in(browser, worker)
    copy = dict(browser.cookies)
    worker.is_certain = False
    with browser.request() as visit:
        visit.session.clear()
        visit.session["note"] = "ring twice"
        worker.hear(visit)

    worker.is_certain = True
    with browser.request() as visit:
        assert (visit.session.customer, dict(visit.session)) == ("17", {"note": "ring twice"})
    browser.cookies = copy
    with browser.request() as visit:
        assert (visit.session.customer, dict(visit.session)) == (None, {})


def test_a_guest_keeps_what_the_session_holds_while_the_store_is_down(worker: Worker, browser: Any) -> None:
    with browser.request() as visit:
        visit.session["seen"] = ["lamp"]
    worker.is_certain = False

    with browser.request() as visit:
        assert dict(visit.session) == {"seen": ["lamp"]}
        assert visit.session.is_uncertain


def test_a_session_known_to_be_ended_stays_so_while_the_store_is_down(worker: Worker, browser: Any) -> None:
    log_in(browser, worker)
    copy = dict(browser.cookies)
    with browser.request() as visit:
        visit.session.logout()
        worker.hear(visit)
    worker.is_certain = False

    browser.cookies = copy
    with browser.request() as visit:
        assert dict(visit.cart) == {}


def test_logging_out_everywhere_without_a_store_is_an_error_that_names_the_setting(customer: Any) -> None:
    with (
        customer.request() as visit,
        pytest.raises(CookieGuardError, match=r"store\.enabled"),
    ):
        visit.session.logout_everywhere()


def test_an_ending_is_kept_until_the_last_copy_is_over(worker: Worker, browser: Any) -> None:
    log_in(browser, worker)
    copy = dict(browser.cookies)
    with browser.request() as visit:
        visit.session.logout()
        worker.hear(visit)
    browser.wait(days=13, hours=23)
    worker.revocations.prune(browser.now)

    browser.cookies = dict(copy)
    with browser.request() as visit:
        assert visit.session.customer is None
    browser.wait(hours=2)
    worker.revocations.prune(browser.now)
    assert not any(worker.revocations.counts().values())
    browser.cookies = dict(copy)
    with browser.request() as visit:
        assert visit.session.customer is None
    assert browser.events == ["session cookie refused (expired): it counts as empty"]


def test_too_many_revocations_refuse_what_is_as_old_as_those_let_go(browser: Any) -> None:
    worker = Worker(browser)
    worker.revocations = Revocations(lambda: True, limit=2)
    browser.identity = Identity(
        browser.keyring, CookieSettings(), IdentitySettings(), revocations=worker.revocations
    )
    log_in(browser, worker)
    start = round(browser.now.timestamp() * 1000)
    far = start + 10**9
    hour = 3_600_000
    worker.revocations.add(
        Revocation(Revoked.SESSION, f"s{number}", start + number * hour, far) for number in range(4)
    )
    worker.revocations.prune(browser.now)

    with browser.request() as visit:
        assert visit.session.customer is None
    browser.cookies.clear()
    browser.wait(hours=2)
    log_in(browser, worker)
    with browser.request() as visit:
        assert visit.session.customer == "17"


def test_later_of_two_revocations_of_a_customer_is_used() -> None:
    revocations = Revocations(lambda: True)
    revocations.add([Revocation(Revoked.CUSTOMER, "17", 5, 9), Revocation(Revoked.CUSTOMER, "17", 3, 9)])

    assert (revocations.not_before("17"), revocations.not_before("18")) == (5, 0)
