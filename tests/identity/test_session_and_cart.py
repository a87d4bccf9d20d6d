"""Sessions and carts over several requests: their owner, their lifetime, and how they end."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import timedelta
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.config import CookieSettings, CookieSpec, IdentitySettings
from cookieguard.errors import CookieTooLarge
from cookieguard.identity import Identity, NotJsonError
from cookieguard.keyring import Keyring

SESSION = "__Host-cg_session"
CART = "__Host-cg_cart"
LINES = [{"sku": "lamp", "count": 1}]


class Browser(Protocol):
    """The parts of conftest's Browser that are used here (it cannot be imported under importmode=importlib)."""

    cookies: dict[str, str]
    events: list[str]
    answer: list[str]
    identity: Identity
    now: Any
    host: str

    def request(self, header: str | None = None) -> Any: ...
    def wait(self, **time: float) -> None: ...


def names(browser: Browser) -> list[str]:
    return [line.split("=")[0] + ("-" if "Max-Age=0;" in line else "") for line in browser.answer]


# A dict to the app


def test_untouched_visit_opens_nothing_and_sets_nothing(customer: Browser) -> None:
    customer.cookies[SESSION] = "forged"

    with customer.request() as visit:
        assert "unopened" in repr(visit.session) + repr(visit.cart)
        assert not visit.touched

    assert (customer.answer, customer.events) == ([], [])


def test_reading_touches_but_sets_nothing(customer: Browser, browser: Browser) -> None:
    with customer.request() as visit:
        assert visit.session.get("seen") == ["lamp"]
        assert visit.cart["lines"] == LINES
        assert visit.touched

    assert (customer.answer, customer.events) == ([], [])


def test_first_visit_that_only_reads_gets_no_cookie(browser: Browser) -> None:
    with browser.request() as visit:
        assert (len(visit.session), visit.cart.get("lines"), visit.session.customer) == (0, None, None)

    assert browser.answer == []


def test_session_is_a_dict_to_the_app(customer: Browser) -> None:
    with customer.request() as visit:
        session = visit.session
        session.update({"a": 1}, b=2)
        assert session.setdefault("a", 9) == 1
        assert session.setdefault("c", []) == []
        assert session.pop("b") == 2
        assert session.pop("b", None) is None
        assert "a" in session
        assert sorted(session) == ["a", "c", "seen"]
        assert session == {"a": 1, "c": [], "seen": ["lamp"]}
        assert json.loads(json.dumps(dict(session))) == session.copy()
        del session["a"]
        with pytest.raises(KeyError):
            session["a"]
        session.replace({"only": True})
        session.replace(session)
        assert session == {"only": True}
        session.clear()
        assert not session


@pytest.mark.parametrize("part", ["session", "cart"])
def test_change_deep_inside_is_noticed(customer: Browser, part: str) -> None:
    with customer.request() as visit:
        getattr(visit, part)["list"] = [{"inner": []}]
    with customer.request() as visit:
        getattr(visit, part)["list"][0]["inner"].append("x")
    assert names(customer) == [{"session": SESSION, "cart": CART}[part]]

    with customer.request() as visit:
        assert getattr(visit, part)["list"] == [{"inner": ["x"]}]


@pytest.mark.parametrize("after", [True, 1.0, [1], None], ids=repr)
def test_change_to_an_equal_or_emptier_value_deep_inside_is_noticed(customer: Browser, after: object) -> None:
    with customer.request() as visit:
        visit.session["list"] = [1]
    with customer.request() as visit:
        assert visit.session["list"] == [1]
    assert customer.answer == []
    with customer.request() as visit:
        visit.session["list"][0] = after
    assert names(customer) == [SESSION]

    with customer.request() as visit:
        assert repr(visit.session["list"]) == repr([after])


def test_change_that_was_undone_is_no_change(customer: Browser) -> None:
    with customer.request() as visit:
        visit.session["x"] = 1
        del visit.session["x"]
        visit.cart["lines"].append(2)
        visit.cart["lines"].pop()

    assert customer.answer == []


def test_what_is_no_json_is_told_by_type_before_the_response(browser: Browser) -> None:
    with pytest.raises(NotJsonError, match="not datetime"), browser.request() as visit:
        visit.session["since"] = browser.now
    with pytest.raises(NotJsonError, match="keys must be text, not int"), browser.request() as visit:
        visit.cart[17] = 1
    with pytest.raises(CookieTooLarge, match=CART), browser.request() as visit:
        visit.cart["note"] = "x" * 8192


def test_no_repr_shows_what_a_visitor_has(customer: Browser) -> None:
    with customer.request() as visit:
        visit.session["seen"].append("secret")
        shown = repr(visit) + repr(visit.session) + repr(visit.cart)

    assert not any(word in shown for word in ("secret", "seen", "17", "lamp"))


# Whose it is


def test_cart_gives_an_anonymous_visitor_a_session(browser: Browser) -> None:
    with browser.request() as visit:
        visit.cart["lines"] = LINES
    assert names(browser) == [SESSION, CART]

    with browser.request() as visit:
        assert visit.cart == {"lines": LINES}
        assert visit.session.customer is None


def test_anonymous_cart_becomes_the_customers_at_login(browser: Browser) -> None:
    with browser.request() as visit:
        visit.session["seen"] = 1
        visit.cart["lines"] = LINES
        anonymous = visit.session.id
    with browser.request() as visit:
        visit.session.login(17)
        assert visit.session.id != anonymous
    assert names(browser) == [SESSION, CART]

    with browser.request() as visit:
        assert (visit.session.customer, dict(visit.session), dict(visit.cart)) == (
            "17",
            {"seen": 1},
            {"lines": LINES},
        )
        assert visit.session.auth_time == browser.now
    assert browser.events == []


def test_cart_of_one_customer_never_moves_to_another(customer: Browser) -> None:
    with customer.request() as visit:
        assert visit.cart
        visit.session.login("18")
        assert visit.cart == {}
    assert names(customer) == [SESSION, CART + "-"]

    with customer.request() as visit:
        assert (visit.session.customer, len(visit.session), len(visit.cart)) == ("18", 0, 0)


def test_logging_in_again_as_the_same_customer_keeps_all_under_a_new_id(customer: Browser) -> None:
    customer.wait(hours=1)
    with customer.request() as visit:
        before = visit.session.id
        visit.session.login("17")
        assert visit.session.id != before

    with customer.request() as visit:
        assert dict(visit.cart) == {"lines": LINES}
        assert visit.session.auth_time == customer.now


@pytest.mark.parametrize("is_cart_read", [True, False])
def test_logout_leaves_nothing(customer: Browser, is_cart_read: bool) -> None:
    with customer.request() as visit:
        before = visit.session.id
        if is_cart_read:
            visit.cart["lines"].append(1)
        visit.session.logout()
        assert (visit.session.customer, visit.session.auth_time, len(visit.session), len(visit.cart)) == (
            None,
            None,
            0,
            0,
        )
        if is_cart_read:
            assert visit.session.id != before
            visit.session.logout()
    assert names(customer) == [SESSION + "-", CART + "-"]
    assert customer.cookies == {}


def test_what_is_written_after_logout_belongs_to_a_new_session(customer: Browser) -> None:
    old = dict(customer.cookies)
    with customer.request() as visit:
        before = visit.session.id
        visit.session.logout()
        visit.session["flash"] = "bye"
        visit.cart["lines"] = []
    assert names(customer) == [SESSION, CART]

    with customer.request() as visit:
        assert visit.session == {"flash": "bye"}
        assert visit.cart == {"lines": []}
        assert visit.session.customer is None
        assert visit.session.id != before
    with customer.request(f"{SESSION}={customer.cookies[SESSION]}; {CART}={old[CART]}") as visit:
        assert visit.cart == {}
    assert customer.events == ["cart cookie refused (from another customer): it counts as empty"]


def test_new_id_by_request_keeps_customer_entries_and_cart(customer: Browser) -> None:
    with customer.request() as visit:
        before = visit.session.id
        visit.session.renew_id()
        assert visit.session.id != before
    assert names(customer) == [SESSION, CART]

    with customer.request() as visit:
        assert (visit.session.customer, len(visit.session), len(visit.cart)) == ("17", 1, 1)


def test_session_whose_id_was_asked_for_is_kept(browser: Browser) -> None:
    with browser.request() as visit:
        asked = visit.session.id
    with browser.request() as visit:
        assert len(visit.session) == 0
    with browser.request() as visit:
        assert visit.session.id == asked
    assert len(asked) == 24


def test_emptied_anonymous_session_is_removed_unless_a_cart_needs_it(browser: Browser) -> None:
    with browser.request() as visit:
        visit.session["a"] = 1
    with browser.request() as visit:
        visit.session.clear()
    assert names(browser) == [SESSION + "-"]

    with browser.request() as visit:
        visit.session["a"] = 1
        visit.cart["lines"] = LINES
    with browser.request() as visit:
        visit.session.clear()
    with browser.request() as visit:
        assert visit.cart == {"lines": LINES}


def test_cart_counts_its_changes_and_an_emptied_one_counts_on(browser: Browser) -> None:
    versions = []
    for lines in (LINES, LINES, [1], None, [2]):
        with browser.request() as visit:
            versions.append(visit.cart.version)
            visit.cart.clear()
            if lines is not None:
                visit.cart["lines"] = lines

    with browser.request() as visit:
        assert [*versions, visit.cart.version] == [0, 1, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("number", "error"),
    [(None, TypeError), (True, TypeError), (1.5, TypeError), ("", ValueError), ("9" * 129, ValueError)],
)
def test_customer_number_is_text_or_a_whole_number(
    browser: Browser, number: Any, error: type[Exception]
) -> None:
    with browser.request() as visit, pytest.raises(error) as caught:
        visit.session.login(number)

    assert "9" * 129 not in str(caught.value)
    assert browser.answer == []


# How long it lives


def test_session_slides_as_long_as_it_is_used_and_its_cart_with_it(customer: Browser) -> None:
    written = 0
    for _ in range(80):
        customer.wait(days=1)
        with customer.request() as visit:
            assert visit.session.customer == "17"
        written += bool(customer.answer)
        assert names(customer) in ([], [SESSION, CART])

    with customer.request() as visit:
        assert visit.cart == {"lines": LINES}
    assert 35 <= written <= 45  # every second day: 10 % of 14 days are 1.4 days


def test_unused_session_ends_after_the_idle_time_with_one_event(customer: Browser) -> None:
    customer.wait(days=14)

    with customer.request() as visit:
        assert (visit.session.customer, len(visit.session), len(visit.cart)) == (None, 0, 0)

    assert customer.events == ["session cookie refused (expired): it counts as empty"]
    assert customer.cookies == {}


def test_session_ends_after_the_absolute_time_however_much_it_is_used(customer: Browser) -> None:
    for _ in range(89):
        customer.wait(days=1)
        with customer.request() as visit:
            assert visit.session.customer == "17"
            visit.session["n"] = visit.session.get("n", 0) + 1
    customer.wait(hours=23, minutes=59)
    with customer.request() as visit:
        assert visit.session.customer == "17"
        visit.session["n"] += 1
    assert "Max-Age=60;" in customer.answer[0]

    customer.wait(minutes=1)
    with customer.request() as visit:
        assert visit.session.customer is None
    assert customer.events == ["session cookie refused (expired): it counts as empty"]


def test_login_begins_the_absolute_time_anew(customer: Browser) -> None:
    customer.wait(days=13)
    with customer.request() as visit:
        visit.session.login("17")
    with customer.request() as visit:
        assert visit.session.created == visit.session.auth_time == customer.now


def test_shop_sets_both_limits(customer: Browser) -> None:
    keyring = Keyring.generate(customer.now)
    customer.identity = Identity(keyring, CookieSettings(), IdentitySettings(idle_days=1, absolute_days=2))
    customer.cookies.clear()
    with customer.request() as visit:
        visit.session.login("17")
    customer.wait(hours=23)
    with customer.request() as visit:
        assert visit.session.customer == "17"
    customer.wait(hours=24)
    with customer.request() as visit:
        assert visit.session.customer is None


@pytest.mark.parametrize(("seconds", "customer_number"), [(-50, "17"), (-61, None)])
def test_worker_with_a_slow_clock_keeps_the_session_for_a_minute(
    customer: Browser, seconds: int, customer_number: str | None
) -> None:
    customer.wait(seconds=seconds)

    with customer.request() as visit:
        assert visit.session.customer == customer_number

    told = [] if customer_number else ["session cookie refused (from the future): it counts as empty"]
    assert customer.events == told


# Names and attributes


def test_dev_mode_uses_names_and_attributes_that_need_no_https(browser: Browser) -> None:
    browser.identity = Identity(Keyring.generate(browser.now), CookieSettings(), IdentitySettings(), dev=True)
    with browser.request() as visit:
        visit.cart["lines"] = LINES
    assert names(browser) == ["cg_session", "cg_cart"]
    assert not any("Secure" in line for line in browser.answer)

    with browser.request() as visit:
        assert visit.cart == {"lines": LINES}


def test_attributes_are_the_safe_ones_and_the_browser_forgets_when_the_token_ends(customer: Browser) -> None:
    with customer.request() as visit:
        visit.session["a"] = 1
        visit.cart["a"] = 1

    attributes = [line.partition("; ")[2] for line in customer.answer]
    assert attributes == [
        f"Max-Age={days * 86400}; Path=/; Secure; HttpOnly; SameSite=Lax" for days in (14, 90)
    ]


def test_unsealed_cookies_by_choice_work_alike(browser: Browser) -> None:
    plain = CookieSettings(
        session=CookieSpec(name=SESSION, max_age=86400, sealed=False),
        cart=CookieSpec(name=CART, max_age=0, sealed=False),
    )
    browser.identity = Identity(Keyring.generate(browser.now), plain, IdentitySettings())
    with browser.request() as visit:
        visit.session.login("17")
        visit.cart["lines"] = LINES
    assert "Max-Age=86400" in browser.answer[0]
    assert "Max-Age" not in browser.answer[1]

    with browser.request() as visit:
        assert (visit.session.customer, dict(visit.cart)) == ("17", {"lines": LINES})


# Any order of events


class Model:
    """A simple model of session and cart."""

    def __init__(self) -> None:
        self.customer: str | None = None
        self.session: dict[str, Any] = {}
        self.cart: dict[str, Any] = {}

    def do(self, action: str, number: int) -> None:
        if action == "login" and self.customer not in (None, str(number)):
            self.do("logout", 0)
        match action:
            case "login":
                self.customer = str(number)
            case "logout":
                self.__init__()  # type: ignore[misc]
            case "cart":
                self.cart.setdefault("lines", []).append(number)
            case "session":
                self.session["n"] = number
            case "clear":
                self.cart.clear()
                self.session.clear()


def act(visit: Any, action: str, number: int) -> None:
    match action:
        case "login":
            visit.session.login(number)
        case "logout":
            visit.session.logout()
        case "cart":
            visit.cart.setdefault("lines", []).append(number)
        case "session":
            visit.session["n"] = number
        case "clear":
            visit.cart.clear()
            visit.session.clear()


steps = st.tuples(
    st.sampled_from(["login", "logout", "cart", "session", "clear", "look"]), st.integers(0, 1), st.booleans()
)


@given(st.lists(steps, max_size=14))
def test_after_any_sequence_session_and_cart_are_what_they_should_be(
    make_browser: Any, sequence: list[tuple[str, int, bool]]
) -> None:
    browser, model = make_browser(), Model()

    for action, number, is_last in [*sequence, ("look", 0, True)]:
        if not (visit := getattr(browser, "_visit", None)):
            browser._context = browser.request()
            visit = browser._visit = browser._context.__enter__()
        act(visit, action, number)
        model.do(action, number)
        if is_last:
            browser._context.__exit__(None, None, None)
            browser._visit = None
            browser.now += timedelta(hours=30)
            with browser.request() as look:
                found = (look.session.customer, dict(look.session), dict(look.cart))
                assert found == (model.customer, model.session, model.cart)
            assert browser.events == []


READS: list[tuple[str, Any]] = [
    ("isinstance", lambda session: isinstance(session, dict)),
    ("len", len),
    ("bool", bool),
    ("in", lambda session: "name" in session),
    ("iter", list),
    ("reversed", lambda session: list(reversed(session))),
    ("keys", lambda session: list(session.keys())),
    ("values", lambda session: list(session.values())),
    ("items", lambda session: list(session.items())),
    ("get", lambda session: session.get("name")),
    ("copy", lambda session: session.copy()),
    ("dict", dict),
    ("unpacked", lambda session: {**session}),
    ("or", lambda session: session | {"x": 1}),
    ("ror", lambda session: {"x": 1} | session),
    ("eq", lambda session: session == {"name": "Mara", "n": 1}),
    ("ne", lambda session: session != {"name": "Mara", "n": 1}),
    ("deepcopy", copy.deepcopy),
    ("pickle", lambda session: pickle.loads(pickle.dumps(session))),
]


@pytest.mark.parametrize(("name", "read"), READS, ids=[name for name, _ in READS])
@pytest.mark.parametrize("part", ["session", "cart"])
def test_each_way_to_read_opens_first_and_sees_what_a_dict_would(
    browser: Browser, part: str, name: str, read: Any
) -> None:
    plain = {"name": "Mara", "n": 1}
    with browser.request() as visit:
        getattr(visit, part).update(plain)

    with browser.request() as visit:
        seen = read(getattr(visit, part))

        assert seen == read(plain)
        if name != "isinstance":
            assert visit.touched
        assert type(seen) is type(read(plain))


def test_an_encoder_that_looks_past_python_sees_an_accessed_session(browser: Browser) -> None:
    with browser.request() as visit:
        visit.session["name"] = "Mara"

    with browser.request() as visit:
        visit.session.mark_accessed()

        assert json.dumps(visit.session) == '{"name": "Mara"}'
