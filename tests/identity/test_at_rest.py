"""A session that is only read writes nothing to the store, but still asks it for what is pending."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cookieguard.config import CookieSettings, IdentitySettings
from cookieguard.identity import Identity, Visit, parse_cookies
from cookieguard.identity.carts.stored_carts import MOST_CARRIED, Keeping, Order, StoreFirst, merge_carts
from cookieguard.identity.revocations import Revocations
from cookieguard.keyring import Keyring

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEYRING = Keyring.generate(NOW)


def visit_with(cookies: list[bytes]) -> Visit:
    """Begin a visit of a shop with a store, with the cookies of an answer."""
    revocations, keeping = Revocations(lambda: True), Keeping(keep_carts=True, merge_carts=merge_carts)
    identity = Identity(
        KEYRING, CookieSettings(), IdentitySettings(), revocations=revocations, keeping=keeping
    )
    jar = parse_cookies(line.partition(b";")[0] for line in cookies)
    return identity.open(jar, host="shop.example", now=NOW, on_event=print)


def test_a_session_that_is_only_read_still_asks_the_store_for_what_could_not_be_asked() -> None:
    first = visit_with([])
    first.session.login("17")
    first.hear(None, print)
    first.owed(now=NOW)
    cookies = first.set_cookies(now=NOW)

    visit = visit_with(cookies)
    visit.session.get("x")

    with pytest.raises(StoreFirst):
        visit.set_cookies(now=NOW)


def test_order_too_old_for_the_cookie_is_still_written_to_the_store() -> None:
    first = visit_with([])
    for number in range(MOST_CARRIED):
        first.session.state.add_order(Order(str(number), 1_000 + number))
    first.owed(now=NOW)
    cookies = first.set_cookies(now=NOW)

    visit = visit_with(cookies)
    visit.session.state.add_order(Order("old", 1))

    with pytest.raises(StoreFirst):
        visit.set_cookies(now=NOW)
    assert visit.owed(now=NOW)[1] != []


def test_visit_without_changes_has_no_pending_write() -> None:
    assert visit_with([]).owed(now=NOW) == ([], [])
