"""Property: for any order of a browser's visits to two workers, no acknowledged change of its cart is lost."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from harness.two_workers import Browser, Shop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RUNS = int(os.environ.get("COOKIEGUARD_CART_RUNS", "25"))
KEYS = st.sampled_from(["lamp", "vase", "bowl"])
WORKERS = st.integers(0, 1)
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.integers(1, 9)),
    st.tuples(st.just("large"), st.sampled_from(["note", "essay"]), st.integers(1_000, 5_000)),
    st.tuples(st.just("drop"), KEYS, st.none()),
    st.tuples(st.just("empty"), st.none(), st.none()),
    st.tuples(st.just("login"), st.sampled_from(["17", "18"]), st.none()),
    st.tuples(st.just("logout"), st.none(), st.none()),
    st.tuples(st.just("renew"), st.none(), st.none()),
    st.tuples(st.just("clear"), st.none(), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1, 50, 3_600, 3 * 86_400]), st.none()),
    st.tuples(st.just("lose"), st.sampled_from(["put"]), st.integers(1, 9)),
    st.tuples(st.just("read"), st.none(), st.none()),
)


class Model:
    """The expected carts: this browser's, and the one that each customer left."""

    def __init__(self) -> None:
        self.customer: str | None = None
        self.cart: dict[str, Any] = {}
        self.left: dict[str, dict[str, Any]] = {}

    def login(self, number: str) -> None:
        if self.customer not in (None, number):
            self.logout()
        self.customer = number
        elsewhere = self.left.get(number, {})
        both = {key: _larger(self.cart.get(key), elsewhere.get(key)) for key in {*self.cart, *elsewhere}}
        self.cart = both
        self.keep()

    def logout(self) -> None:
        self.customer, self.cart = None, {}

    def keep(self) -> None:
        if self.customer is not None:
            self.left[self.customer] = dict(self.cart)


def _larger(here: Any, elsewhere: Any) -> Any:
    if here is None or elsewhere is None:
        return here if elsewhere is None else elsewhere
    return max(here, elsewhere) if isinstance(here, int) else here


@settings(
    max_examples=int(os.environ.get("COOKIEGUARD_CART_RUNS", "25")),
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
@given(steps=st.lists(st.tuples(STEPS, WORKERS), max_size=12))
def test_no_acknowledged_change_is_lost(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder) / "state")
        try:
            _run(shop, steps)
        finally:
            shop.close()


def _run(shop: Shop, steps: list[Any]) -> None:
    browser, model = Browser(shop), Model()
    for (kind, what, value), worker in steps:
        shop.hear()  # what is promised within 5 s: an ended session is over on the other worker
        if kind == "wait":
            shop.wait(seconds=what)
        elif kind == "lose":
            # An answer that never came was not acknowledged, yet the next page shows what it did or what was.
            _lose(shop, browser, model, value, worker)
        elif kind != "read":
            browser.do(lambda visitor, step=(kind, what, value): _do(visitor, step), worker=worker)
            _apply(model, kind, what, value)
        seen = browser.do(lambda visitor: (visitor.customer, dict(visitor.cart)), worker=1 - worker)
        assert seen == (model.customer, model.cart), (kind, what, value)
        assert browser.events == []


def _lose(shop: Shop, browser: Browser, model: Model, value: int, worker: int) -> None:
    browser.do(lambda visitor: visitor.cart.update(lost=value), worker=worker, keeps=False)
    if not model.cart and not browser.cookies:
        return  # nobody can know a visitor who got no cookie
    shop.hear()
    shop.wait(minutes=5)
    browser.do(lambda visitor: dict(visitor.cart), worker=worker)
    found = browser.cart(worker)
    assert {key: one for key, one in found.items() if key != "lost"} == {
        key: one for key, one in model.cart.items() if key != "lost"
    }
    if model.customer is not None:  # the shop did it, and may show it at the next login
        model.left[model.customer] = {**model.cart, "lost": value}
    model.cart = found


def _do(visitor: Any, step: tuple[str, Any, Any]) -> None:
    kind, what, value = step
    deeds = {
        "put": lambda: visitor.cart.update({what: value}),
        "large": lambda: visitor.cart.update({what: "x" * value}),
        "drop": lambda: visitor.cart.pop(what, None),
        "empty": visitor.cart.clear,
        "login": lambda: visitor.login(what),
        "logout": visitor.logout,
        "renew": visitor.session.renew_id,
        "clear": lambda: (
            visitor.session.replace({"n": 1}) if not visitor.session else visitor.session.clear()
        ),
    }
    deeds[kind]()


def _apply(model: Model, kind: str, what: Any, value: Any) -> None:
    if kind in ("login", "logout"):
        model.login(what) if kind == "login" else model.logout()
        return
    if kind == "put":
        model.cart[what] = value
    elif kind == "large":
        model.cart[what] = "x" * value
    elif kind == "drop":
        model.cart.pop(what, None)
    elif kind == "empty":
        model.cart.clear()
    model.keep()
