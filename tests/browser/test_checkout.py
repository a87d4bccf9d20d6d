"""A checkout that redirects to a payment host works in every state of consent, and a banner under any policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.browser import Recorder, linger
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import Vendor
from cookieguard.config import CspSettings

from .conftest import Visitors, answer
from .tiny import page

STATES = {"undecided": (), "refused": ("reject",), "partly": ("save", "statistics"), "all": ("accept",)}
VENDORS = (Vendor(name="Count", purpose="statistics", hosts=("count.example",)),)
FORM = '<form method="post" action="/pay"><button>Pay now</button></form>'


class Checkout:
    """A shop whose /pay redirects a POST to a payment host; each of its pages has `policy`."""

    def __init__(self, payment: str, policy: str = "") -> None:
        self._payment = payment
        self._policy = policy

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        if self._policy:
            headers.append((b"content-security-policy", self._policy.encode()))
        is_paying = scope["path"] == "/pay" and scope["method"] == "POST"
        if is_paying:
            headers.append((b"location", f"{self._payment}/session".encode()))
        await send({"type": "http.response.start", "status": 303 if is_paying else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if is_paying else page(body=FORM).encode()})


@pytest.fixture
def payment() -> Iterator[tuple[Recorder, str]]:
    """Serve a recorder as the payment host."""
    recorder = Recorder()
    with serving(recorder) as server:
        yield recorder, server.at("payment.localhost")


def pays(opened: Page, shop: str, recorder: Recorder) -> bool:
    recorder.forget()
    opened.goto(f"{shop}/cart")
    opened.get_by_role("button", name="Pay now").click()
    linger([])
    recorder.wait()
    return "/session" in recorder.paths


@pytest.mark.parametrize("state", some_of(STATES, *list(STATES)[:2]))
def test_checkout_works_in_every_state_without_configuration(
    visit: Visitors, guarded: Callable[..., str], payment: tuple[Recorder, str], state: str
) -> None:
    recorder, there = payment
    shop, opened = guarded(Checkout(there), vendors=VENDORS), visit().new_page()
    if STATES[state]:
        opened.goto(shop)
        answer(opened, *STATES[state])

    assert pays(opened, shop, recorder)


def test_under_a_strict_form_action_only_a_declared_payment_host_is_reached(
    visit: Visitors, guarded: Callable[..., str], payment: tuple[Recorder, str]
) -> None:
    recorder, there = payment
    strict = CspSettings(form_action="strict")
    declared = Vendor(name="Payment", purpose="necessary", hosts=("payment.localhost",))
    undeclared_shop = guarded(Checkout(there), csp=strict, vendors=VENDORS)
    declared_shop = guarded(Checkout(there), csp=strict, vendors=(declared,))

    assert not pays(visit().new_page(), undeclared_shop, recorder)
    assert pays(visit().new_page(), declared_shop, recorder)


# (the shop's own policy, with JavaScript, whether the banner's buttons work; its link always leads to a page of ours)
@pytest.mark.parametrize(
    ("policy", "javascript", "works"),
    [
        pytest.param("form-action 'none'", True, True, marks=pytest.mark.slow),  # our script posts by fetch
        ("form-action 'none'", False, False),
        pytest.param(
            "sandbox allow-scripts allow-forms allow-same-origin", True, True, marks=pytest.mark.slow
        ),
        ("sandbox", True, False),
    ],
)
def test_our_own_page_takes_the_choice_if_the_shops_policy_forbids_forms(
    visit: Visitors, guarded: Callable[..., str], policy: str, javascript: bool, works: bool
) -> None:
    shop = guarded(Checkout("http://payment.localhost", policy), vendors=VENDORS)
    opened = visit(javascript=javascript).new_page()

    opened.goto(shop)
    opened.get_by_role("button", name="Accept all").focus()
    opened.keyboard.press("Enter")  # a click would wait for the navigation that the policy stops
    linger([])
    opened.goto(shop)
    assert (opened.get_by_role("button", name="Withdraw").count() == 1) == works

    opened.goto(f"{shop}/_cg/choices")
    with opened.expect_navigation():
        opened.get_by_role("button", name="Refuse all").click()
    opened.goto(shop)
    assert opened.get_by_role("button", name="Accept all").count() == 0
    assert opened.get_by_role("link", name="Privacy choices").count() == 1


# What a wallet is called in the Payment Request API. A policy that does not name it makes the constructor throw.
METHODS = ("https://google.com/pay", "https://apple.com/apple-pay")
ASK_WALLETS = """methods => methods.map(one => {
  try {
    new PaymentRequest([{supportedMethods: one}], {total: {label: "Tea", amount: {currency: "EUR", value: "1"}}});
    return "made";
  } catch (error) { return error.name; }
})"""


def test_a_wallet_that_is_declared_by_its_name_can_be_paid_with(
    visit: Visitors, guarded: Callable[..., str]
) -> None:
    wallets = tuple(Vendor(catalogue=one, purpose="necessary") for one in ("google-pay", "apple-pay"))
    found = []
    for vendors in ((), wallets):
        opened = visit().new_page()
        opened.goto(guarded(Checkout("http://payment.localhost"), vendors=vendors))
        found.append(opened.evaluate(ASK_WALLETS, METHODS))

    assert found == [["RangeError"] * 2, ["made"] * 2]
