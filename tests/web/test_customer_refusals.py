"""A refusal follows its customer: two instances on one store, as two devices and two workers have them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask

from cookieguard import CookieGuard, visitor_of
from cookieguard.config import ConsentSettings, IdentitySettings, PolicyVersion, StoreSettings

from .conftest import NOW

Guard = Callable[..., CookieGuard]
POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
GPC = [("sec-gpc", "1")]
AD, COUNT = b'src="https://ads.example/a.js"', b'src="https://a.count.example/c.js"'
PAGE = b'<!doctype html><html lang="en"><body><script ' + AD + b"></script><script " + COUNT + b"></script>"


async def shop(scope: Any, _: Any, send: Any) -> None:
    visitor = visitor_of(scope)
    if scope["path"].startswith("/login"):
        visitor.login(scope["path"].removeprefix("/login").strip("/") or "10042")
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
    """Be one browser at one worker."""

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


def test_who_decided_nothing_is_asked_nothing_and_told_why(two: tuple[CookieGuard, CookieGuard]) -> None:
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


def test_a_choice_of_a_guest_is_nobodys_and_a_later_one_of_the_customer_lifts_the_refusal(
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


def test_a_session_asks_the_store_once_and_a_guest_never(guard: Guard) -> None:
    app = guard(shop)
    asked: list[object] = []
    store_sync = app._parts.store_sync
    assert store_sync is not None
    ask_store = store_sync.ask

    def counted(question: Any) -> Any:
        asked.append(question)
        return ask_store(question)

    store_sync.ask = counted  # type: ignore[method-assign]  # the real one, counted
    device, guest = Device(app), Device(app)
    guest.get("/fill")
    guest.choose("reject")
    guest.get("/")
    as_guest = len([one for one in asked if type(one).__name__ == "_Question"])
    for path in ("/login", "/me", "/me", "/"):
        device.get(path)

    assert as_guest == 0
    assert len([one for one in asked if type(one).__name__ == "_Question"]) == 1
