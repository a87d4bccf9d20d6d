"""Requests are entered after a login, by a code, or from a letter of doubtful origin, and duplicates are merged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from features.rights.test_work import ANNA, FAR, NOW, Shop

from cookieguard import Config
from cookieguard.features.rights.enqueue import NewRequest, ask
from cookieguard.features.rights.values.by_staff import Said, acted
from cookieguard.features.rights.values.requests import Act, Request, RequestRefused, State, Via, noted
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.identity.carts.stored_carts import StoreNamespace
from cookieguard.storage.store.open import store_opener


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a shop."""
    return Shop(Config(state_dir=str(tmp_path / "state")))


def asked(shop: Shop, via: Via, *, at: datetime = NOW, **values: object) -> Request:
    asking = NewRequest(via=via, **{"kind": RequestKind.ERASE, "customer": ANNA, **values})  # type: ignore[arg-type]
    with closing(shop.queue()) as queue:
        return ask(queue, shop.config, asking, now=at)[0]


def test_letter_in_doubt_is_not_worked_at_before_the_person_showed_who_they_are(shop: Shop) -> None:
    letter = asked(shop, Via.STAFF, entered_by="mira", in_doubt=True)

    shop.work()

    assert shop.hooks.called == []
    found = shop.found(letter.id)
    assert (found.state, found.events[0].by) == (State.IDENTITY, "mira")
    assert found.due(NOW + timedelta(days=9)) == found.due(NOW) + timedelta(days=9)
    shop.change(lambda one: noted(one, Act.IDENTITY_SHOWN, now=NOW, by="mira"), letter.id)
    shop.change(approved_by("Olga Officer"), letter.id)
    shop.work()
    assert shop.hooks.called == [f"erase {ANNA}"]


def test_clock_of_a_letter_in_doubt_stands_from_the_day_it_is_entered_not_from_the_day_it_came_in(
    shop: Shop,
) -> None:
    came_in = NOW - timedelta(days=5)

    letter = asked(shop, Via.STAFF, in_doubt=True, received=came_in)

    assert letter.due(NOW) == date(2026, 12, 23)


def test_stranger_s_letter_holds_up_no_request_that_the_customer_sends_themselves(shop: Shop) -> None:
    letter = asked(shop, Via.STAFF, contact="stranger@mail.example", in_doubt=True)

    own = asked(shop, Via.LOGIN)
    again = asked(shop, Via.CODE)
    shop.work()

    assert own.id != letter.id
    assert own.contact == ""
    assert again.id == own.id
    assert shop.found(own.id).state is State.DONE
    assert shop.found(letter.id).state is State.IDENTITY


def test_letter_about_what_the_customer_asked_themselves_adds_nothing(shop: Shop) -> None:
    own = asked(shop, Via.LOGIN)

    letter = asked(shop, Via.STAFF, contact="stranger@mail.example", in_doubt=True)
    shop.work()

    assert letter.id == own.id
    assert shop.found(own.id).contact != "stranger@mail.example"
    assert shop.found(own.id).state is State.DONE


def test_two_letters_in_doubt_are_one_and_neither_skips_the_other_s_question(shop: Shop) -> None:
    first = asked(shop, Via.STAFF, in_doubt=True)
    second = asked(shop, Via.STAFF, in_doubt=False)

    shop.work()

    assert second.id == first.id
    assert shop.hooks.called == []


@pytest.mark.parametrize("number", ["K-4711  ", " 4711", "a\u2029b"])
def test_customer_whose_number_has_spaces_is_erased_and_no_other_one(shop: Shop, number: str) -> None:
    store = store_opener(shop.config, shop.state.path, environ={})()
    for one in (number, number.strip(), "a b"):
        store.write(StoreNamespace.CART, f"c:{one}", b"{}", until=FAR)

    own = asked(shop, Via.LOGIN, customer=number)
    again = asked(shop, Via.LOGIN, customer=number)
    shop.work()

    assert (own.customer, again.id) == (number, own.id)
    assert shop.hooks.called == [f"erase {number}"]
    assert store.read(StoreNamespace.CART, f"c:{number}") is None
    assert store.read(StoreNamespace.CART, "c:a b") is not None
    store.close()


def test_erasure_entered_by_staff_waits_for_a_second_person(shop: Shop) -> None:
    letter = asked(shop, Via.STAFF, entered_by="Sam Support")
    shop.work()
    assert (shop.hooks.called, shop.found(letter.id).done_steps) == ([], ())

    with pytest.raises(RequestRefused, match="a second person"):
        shop.change(approved_by("sam support"), letter.id)
    shop.change(approved_by("Olga Officer"), letter.id)
    shop.work()

    assert shop.hooks.called == [f"erase {ANNA}"]
    with pytest.raises(RequestRefused, match=r"waits for no approval|only open"):
        shop.change(approved_by("Owen Owner"), letter.id)


def approved_by(name: str) -> Callable[[Request], Request]:
    return partial(acted, act=Act.APPROVED, said=Said(name, NOW), has_hooks=True)


@pytest.mark.parametrize("via", [Via.LOGIN, Via.CODE])
def test_customer_s_own_request_confirms_an_erasure_entered_by_staff(shop: Shop, via: Via) -> None:
    letter = asked(shop, Via.STAFF, entered_by="Sam Support")

    own = asked(shop, via)
    shop.work()

    assert own.id != letter.id
    assert [shop.found(one.id).may_change for one in (letter, own)] == [False, False]


def test_only_erasures_wait_for_a_second_person(shop: Shop) -> None:
    letter = asked(shop, Via.STAFF, entered_by="Sam Support", kind=RequestKind.DEACTIVATE)

    shop.work()

    assert shop.hooks.called == [f"deactivate {ANNA}"]
    assert not shop.found(letter.id).may_change
