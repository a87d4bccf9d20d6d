"""A customer's refusal follows them to other devices and workers; two guards on one store stand for those."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask
from harness.postgres import postgres
from harness.servers import wait_until
from harness.shops import NOW
from harness.stats_engines import new_database

from cookieguard import CookieGuard, Vendor, visitor_of
from cookieguard.config import ConsentSettings, IdentitySettings, PolicyVersion, StoreSettings
from cookieguard.identity.tokens import from_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory, write_private

Guard = Callable[..., CookieGuard]
POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
GPC = [("sec-gpc", "1")]
SOON = 10.0  # seconds: twice what a worker takes to learn of a refusal
AD, COUNT = b'src="https://ads.example/a.js"', b'src="https://a.count.example/c.js"'
PAGE = b'<!doctype html><html lang="en"><body><script ' + AD + b"></script><script " + COUNT + b"></script>"


async def shop(scope: Any, _: Any, send: Any) -> None:
    visitor = visitor_of(scope)
    if scope["path"].startswith("/login"):
        visitor.login(scope["path"].removeprefix("/login").strip("/") or "10042")
    elif scope["path"] == "/remember":
        visitor.login("10042", remember=True)
    elif scope["path"] == "/logout":
        visitor.logout()
    elif scope["path"] == "/me":
        assert visitor.customer
    elif scope["path"] == "/fill":
        visitor.session["seen"] = visitor.cart["mug"] = 2
    elif scope["path"] == "/full":
        assert (visitor.customer, visitor.session["seen"], visitor.cart["mug"]) == ("10042", 2, 2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": PAGE})


class Device:
    """One browser at one worker."""

    def __init__(self, app: CookieGuard, *headers: tuple[str, str]) -> None:
        self.app = app
        self.headers = list(headers)
        self.cookies: dict[str, str] = {}

    def get(self, path: str = "/") -> Answer:
        """Open a page."""
        return self._take(ask(self.app, path=path, headers=self._headers()))

    def choose(self, choice: str, *purposes: str) -> Answer:
        """Post a choice."""
        body = "&".join([f"choice={choice}", "next=/", *(f"purpose={one}" for one in purposes)]).encode()
        headers = [*POST, *self._headers()]
        return self._take(ask(self.app, path="/_cg/consent", method="POST", headers=headers, body=body))

    def _headers(self) -> list[tuple[str, str]]:
        header = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return [*self.headers, ("cookie", header)] if header else self.headers

    def _take(self, answer: Answer) -> Answer:
        for name, value in answer.cookies().items():
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return answer


def alive(answer: Answer) -> tuple[bool, bool]:
    """Return whether the marketing and the statistics script of a page are."""
    return b"<script " + AD in answer.body, b"<script " + COUNT in answer.body


def is_asked(answer: Answer) -> bool:
    return b'id="cg-t"' in answer.body


@pytest.fixture
def two(guard: Guard) -> tuple[CookieGuard, CookieGuard]:
    """Give two workers on one store."""
    return guard(shop), guard(shop)


def test_a_refusal_applies_on_the_next_device_from_the_login_response_on(
    two: tuple[CookieGuard, CookieGuard],
) -> None:
    one, other = Device(two[0]), Device(two[1])
    one.get("/login")
    one.choose("reject")
    other.choose("accept")
    before = other.get()
    login = other.get("/login")
    after = other.get()
    page = ask(two[1], path="/_cg/choices", headers=other._headers())

    assert alive(before) == (True, True)
    assert alive(login) == alive(after) == (False, False)
    assert login.get("clear-site-data") == '"cache"'
    assert "Your choice from another device applies" in after.text
    assert "You refused this on another device" in page.text
    assert not is_asked(after)


def test_undecided_device_of_a_customer_who_chose_elsewhere_is_not_asked_and_sees_why(
    two: tuple[CookieGuard, CookieGuard],
) -> None:
    one, other = Device(two[0]), Device(two[1])
    one.get("/login")
    one.choose("save", "statistics")
    asked = is_asked(other.get())
    login = other.get("/login")

    assert asked
    assert not is_asked(login)
    assert alive(login) == (False, False)  # what was granted elsewhere is not granted here
    assert "Your choice from another device applies" in login.text


def test_only_what_was_refused_is_taken_out_and_only_for_that_customer(
    two: tuple[CookieGuard, CookieGuard],
) -> None:
    one, other, stranger = Device(two[0]), Device(two[1]), Device(two[1])
    one.get("/login")
    one.choose("save", "statistics", "preferences")
    for device in (other, stranger):
        device.choose("accept")

    assert alive(other.get("/login")) == (False, True)
    assert alive(stranger.get("/login/77")) == (True, True)


def test_a_grant_grants_nothing_elsewhere_and_overrides_no_refusal(
    two: tuple[CookieGuard, CookieGuard],
) -> None:
    one, undecided, refused = Device(two[0]), Device(two[1]), Device(two[1])
    one.get("/login")
    one.choose("accept")
    refused.choose("reject")

    assert is_asked(undecided.get("/login"))
    assert alive(refused.get("/login")) == alive(undecided.get()) == (False, False)


def test_guests_choice_lifts_no_refusal_and_a_later_one_of_the_customer_does(
    two: tuple[CookieGuard, CookieGuard],
) -> None:
    one, other, third = Device(two[0]), Device(two[1]), Device(two[0])
    one.get("/login")
    one.choose("reject")
    other.choose("accept")  # as a guest: it lifts nothing
    held = other.get("/login")
    other.choose("accept")
    third.choose("accept")

    assert alive(held) == (False, False)
    assert alive(other.get("/login")) == alive(third.get("/login")) == (True, True)


def test_the_signal_of_one_device_counts_on_the_others_until_the_customer_chooses_without_it(
    two: tuple[CookieGuard, CookieGuard],
) -> None:
    one, other, third = Device(two[0], *GPC), Device(two[1]), Device(two[1])
    one.get("/login")
    for device in (other, third):
        device.choose("accept")
    held = other.get("/login")
    page = ask(two[1], path="/_cg/choices", headers=other._headers())
    other.choose("accept")

    assert alive(held) == (False, False)
    assert "Another device of yours sends an opt-out signal" in page.text
    assert alive(other.get()) == alive(third.get("/login")) == (True, True)


def test_a_signal_that_is_switched_on_later_in_a_session_is_kept_too_and_stays_through_a_grant(
    two: tuple[CookieGuard, CookieGuard],
) -> None:
    one, other = Device(two[0]), Device(two[1])
    one.get("/login")
    one.headers = GPC
    one.get("/me")
    one.choose("accept")  # knowing of the signal: it counts here
    other.choose("accept")

    assert alive(one.get()) == (True, True)
    assert alive(other.get("/login")) == (False, False)


def test_a_refusal_of_an_older_text_takes_grants_out_and_asks_again(guard: Guard) -> None:
    old, new = guard(shop, policy=PolicyVersion(version="1")), guard(shop, policy=PolicyVersion(version="2"))
    one, granted, undecided = Device(old), Device(new), Device(new)
    one.get("/login")
    one.choose("reject")
    granted.choose("accept")

    assert alive(granted.get("/login")) == (False, False)
    assert is_asked(undecided.get("/login"))


def test_while_the_store_is_down_the_choice_here_counts_and_a_later_request_makes_up_for_it(
    guard: Guard, tmp_path: Path
) -> None:
    times = [NOW]
    store, aside = tmp_path / "state" / "store.db", tmp_path / "aside.db"
    first = guard(shop, clock=lambda: times[0])
    one = Device(first)
    one.get("/login")
    times[0] += timedelta(seconds=5)
    store.rename(aside)
    answer = one.choose("reject")
    aside.rename(store)
    one.get("/me")
    other = Device(guard(shop, clock=lambda: times[0]))
    other.choose("accept")

    assert answer.status == 303
    assert alive(other.get("/login")) == (False, False)


@pytest.mark.parametrize(
    "settings",
    [
        {"consent": ConsentSettings(follow_customer=False)},
        {"store": StoreSettings(enabled=False)},
    ],
)
def test_switched_off_nothing_travels(guard: Guard, settings: dict[str, Any]) -> None:
    one, other = Device(guard(shop, **settings)), Device(guard(shop, **settings))
    one.get("/login")
    one.choose("reject")
    other.choose("accept")

    assert alive(other.get("/login")) == (True, True)


def test_without_sessions_a_choice_is_kept_in_its_browser_alone(guard: Guard) -> None:
    device = Device(guard(shop, identity=IdentitySettings(enabled=False)))

    assert device.choose("reject").status == 303
    assert not is_asked(device.get())


@pytest.mark.parametrize("choice", ["reject", "accept"])
def test_a_choice_takes_nothing_from_session_and_cart(guard: Guard, choice: str) -> None:
    device = Device(guard(shop))
    device.get("/login")
    device.get("/fill")
    device.choose(choice)

    assert device.get("/full").status == 200


def questions_of(app: CookieGuard) -> list[object]:
    """Return what the store is asked about refusals from here on."""
    asked: list[object] = []
    store_sync = app._parts.store_sync
    assert store_sync is not None
    ask_store = store_sync.ask

    def counted(question: Any) -> Any:
        if type(question).__name__ == "_Question":
            asked.append(question)
        return ask_store(question)

    store_sync.ask = counted  # type: ignore[method-assign]  # the real one, counted
    return asked


def test_a_session_asks_the_store_once_and_a_guest_never(guard: Guard) -> None:
    app = guard(shop)
    asked = questions_of(app)
    device, guest = Device(app), Device(app)
    guest.get("/fill")
    guest.choose("reject")
    guest.get("/")
    as_guest = len(asked)
    for path in ("/login", "/me", "/me", "/"):
        device.get(path)

    assert as_guest == 0
    assert len(asked) == 1


def opened(two: tuple[CookieGuard, CookieGuard]) -> tuple[Device, Device]:
    """Return two devices of one customer, each logged in at a worker of its own; the second one agreed to all."""
    one, other = Device(two[0]), Device(two[1])
    for device in (one, other):
        device.get("/login")
    other.choose("accept")
    return one, other


def refused_at(device: Device) -> datetime:
    """Return when the customer last refused something, as far as the worker of a device knows."""
    store_sync = device.app._parts.store_sync
    assert store_sync is not None
    return from_milliseconds(store_sync.revocations.refused_at("10042"))


def is_heard(device: Device) -> bool:
    """Return whether the worker of a device has learnt of its customer's refusal."""
    return refused_at(device).year > 1970


@pytest.fixture(params=["workers", "machines"])
def both(
    request: pytest.FixtureRequest, guard: Guard, tmp_path: Path
) -> Iterator[tuple[CookieGuard, CookieGuard]]:
    """Give two workers on one file, or two machines on one PostgreSQL."""
    if request.param == "workers":
        yield guard(shop), guard(shop)
        return
    keyring = Keyring.generate(NOW).dumps().encode()
    with postgres() as server:
        store, states = StoreSettings(url=new_database(server)), [tmp_path / "one", tmp_path / "other"]
        for state in states:
            write_private(StateDirectory(state).path / "keyring", keyring)
        first, second = (guard(shop, store=store, state_dir=str(state)) for state in states)
        yield first, second
        first.close()
        second.close()


def test_a_refusal_reaches_a_device_that_stays_logged_in(both: tuple[CookieGuard, CookieGuard]) -> None:
    one, other = opened(both)
    before = alive(other.get())
    one.choose("save", "preferences")
    pages: list[Answer] = []

    def is_narrowed() -> bool:
        pages.append(other.get())
        return alive(pages[-1]) == (False, False)

    wait_until(is_narrowed, "the other device refuses too", seconds=SOON)
    after = other.get()

    assert before == (True, True)
    assert alive(after) == (False, False)
    assert pages[-1].get("clear-site-data") == '"cache"'
    assert {"__Host-cg_consent", "__Host-cg_session"} <= pages[-1].cookies().keys()
    assert "Your choice from another device applies" in after.text
    assert (after.get("clear-site-data"), after.cookies()) == ("", {})


@pytest.mark.parametrize("page", ["choices", "privacy"])
def test_our_own_pages_say_so_first_and_write_it_into_the_browser(
    two: tuple[CookieGuard, CookieGuard], page: str
) -> None:
    one, other = opened(two)
    one.choose("reject")
    wait_until(lambda: is_heard(other), "the worker heard", seconds=SOON)
    said = other.get(f"/_cg/{page}")

    assert (said.status, said.get("clear-site-data")) == (200, '"cache"')
    assert (
        "You refused this on another device" if page == "choices" else 'data-state="refused"'
    ) in said.text
    assert "__Host-cg_consent" in said.cookies()
    assert alive(other.get()) == (False, False)


def test_a_grant_made_after_the_refusal_counts_on_its_own_device_and_there_alone(guard: Guard) -> None:
    times = [NOW]
    one, other = opened((guard(shop, clock=lambda: times[0]), guard(shop, clock=lambda: times[0])))
    times[0] += timedelta(seconds=2)
    one.choose("reject")
    times[0] += timedelta(seconds=2)
    other.choose("accept")  # before its worker has learnt of the refusal, and newer all the same
    wait_until(lambda: is_heard(other), "the worker heard", seconds=SOON)
    unheard = alive(other.get())
    one.choose("reject")
    wait_until(lambda: alive(other.get()) == (False, False), "the other device refuses too", seconds=SOON)
    times[0] += timedelta(seconds=2)
    one.choose("reject")
    wait_until(lambda: refused_at(other) == times[0], "the worker heard", seconds=SOON)
    times[0] += timedelta(seconds=2)
    asked = questions_of(other.app)
    other.choose("accept")
    knowing = [alive(other.get()) for _ in range(3)]

    assert unheard == (True, True)
    # The page with the form asks for the refusal, and the choice is told; no later page asks.
    assert (knowing, len(asked)) == ([(True, True)] * 3, 2)
    assert alive(one.get("/me")) == (False, False)


def test_a_refusal_that_was_lifted_is_not_told_once_more_with_another_devices_refusal(guard: Guard) -> None:
    times = [NOW]
    two = guard(shop, clock=lambda: times[0]), guard(shop, clock=lambda: times[0])
    one, other = opened(two)
    for device, choice in (
        (other, ("save", "statistics")),
        (one, ("accept",)),
        (one, ("save", "marketing", "preferences")),
    ):
        times[0] += timedelta(seconds=2)
        device.choose(*choice)
    wait_until(lambda: alive(other.get()) == (False, False), "the other device refuses too", seconds=SOON)
    third = Device(two[0])
    third.choose("accept")

    assert alive(third.get("/login")) == (True, False)


def test_device_that_was_notified_queries_the_store_once(two: tuple[CookieGuard, CookieGuard]) -> None:
    one, other = opened(two)
    one.choose("reject")
    wait_until(lambda: is_heard(other), "the worker heard", seconds=SOON)
    asked = {device: questions_of(device.app) for device in (one, other)}
    for device in (one, other):
        for path in ("/", "/me", "/", "/_cg/choices"):
            device.get(path)

    assert (len(asked[one]), len(asked[other])) == (0, 1)


def test_a_worker_that_starts_holds_the_first_page_until_it_knows(
    two: tuple[CookieGuard, CookieGuard], guard: Guard
) -> None:
    one, other = opened(two)
    one.choose("reject")
    other.app = guard(shop)

    assert alive(other.get()) == (False, False)


def test_a_refusal_whose_extent_the_store_cannot_say_counts_as_one_of_all(
    two: tuple[CookieGuard, CookieGuard], tmp_path: Path
) -> None:
    one, other = opened(two)
    one.choose("save", "statistics", "preferences")
    wait_until(lambda: is_heard(other), "the worker heard", seconds=SOON)
    store, aside = tmp_path / "state" / "store.db", tmp_path / "aside.db"
    store.rename(aside)
    unsure = other.get()
    aside.rename(store)

    assert (unsure.status, alive(unsure)) == (200, (False, False))
    assert "__Host-cg_consent" not in unsure.cookies()
    wait_until(lambda: alive(other.get()) == (False, True), "what was not refused is back", seconds=SOON)


def test_a_grant_made_after_the_refusal_counts_while_the_store_is_down(guard: Guard, tmp_path: Path) -> None:
    times = [NOW]
    one, other = opened((guard(shop, clock=lambda: times[0]), guard(shop, clock=lambda: times[0])))
    one.choose("reject")
    wait_until(lambda: is_heard(other), "the worker heard", seconds=SOON)
    (tmp_path / "state" / "store.db").rename(tmp_path / "aside.db")
    times[0] += timedelta(seconds=2)
    other.choose("accept")

    assert alive(other.get()) == (True, True)


def test_remembered_customer_is_notified_once_too(two: tuple[CookieGuard, CookieGuard]) -> None:
    one, other = Device(two[0]), Device(two[1])
    one.get("/login")
    other.get("/remember")
    other.choose("accept")
    one.choose("reject")
    wait_until(lambda: is_heard(other), "the worker heard", seconds=SOON)
    asked = questions_of(other.app)
    for _ in range(3):
        other.get()

    assert "__Host-cg_remember" in other.cookies
    assert (len(asked), alive(other.get())) == (1, (False, False))


def test_a_page_of_ours_that_anybody_may_keep_is_kept_by_nobody_with_a_cookie_in_it(
    two: tuple[CookieGuard, CookieGuard],
) -> None:
    one, other = opened(two)
    before = other.get("/.well-known/gpc.json")
    one.choose("reject")
    wait_until(lambda: is_heard(other), "the worker heard", seconds=SOON)
    told = other.get("/.well-known/gpc.json")

    assert "public" in before.get("cache-control")
    assert "__Host-cg_consent" in told.cookies()
    assert "private" in told.get("cache-control")
    assert "public" not in told.get("cache-control")


def test_a_signal_that_a_choice_answered_is_not_told_once_more_with_that_choice(guard: Guard) -> None:
    times = [NOW]
    two = guard(shop, clock=lambda: times[0]), guard(shop, clock=lambda: times[0])
    one, other = Device(two[0], *GPC), Device(two[1])
    one.get("/login")
    other.get("/login")
    times[0] += timedelta(seconds=2)
    other.choose("save", "statistics")
    wait_until(lambda: refused_at(one) == times[0], "the worker heard", seconds=SOON)
    times[0] += timedelta(seconds=2)
    one.get("/me")
    third = Device(two[0])
    third.choose("accept")

    assert alive(third.get("/login")) == (False, True)
    assert alive(other.get()) == (False, True)


def test_pictures_and_guests_ask_for_no_refusal(two: tuple[CookieGuard, CookieGuard]) -> None:
    one, other = opened(two)
    guest, stranger = Device(two[1]), Device(two[1])
    guest.choose("accept")
    stranger.get("/login/77")
    stranger.choose("accept")
    one.choose("reject")
    wait_until(lambda: is_heard(other), "the worker heard", seconds=SOON)
    asked = questions_of(other.app)
    other.headers = [("sec-fetch-dest", "image")]
    picture = other.get("/me")

    assert alive(guest.get()) == alive(stranger.get()) == (True, True)
    assert (asked, picture.cookies()) == ([], {})


def test_a_refusal_reaches_a_purpose_that_nothing_uses_at_the_moment(guard: Guard) -> None:
    """Its vendor may come back: what was agreed to before counts then, but for whoever refused it since."""
    count = Vendor(name="Count", purpose="preferences", hosts=("a.count.example",))
    with_vendor, without = guard(shop, vendors=(count,)), guard(shop, vendors=(), undeclared="block")
    other = Device(with_vendor)
    other.choose("accept")
    assert alive(other.get())[1]
    Device(without, *GPC).get("/login")

    other.app = without
    other.get("/login")
    other.app = with_vendor

    assert not alive(other.get())[1]
