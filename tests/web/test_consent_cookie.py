"""Consent cookies that were read before are cached by their text, but still checked for age, host and signal."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask, page

from cookieguard import Config, CookieGuard, PolicyVersion, visitor_of
from cookieguard.keyring import Keyring, new_key
from cookieguard.storage.keyring_file import LOOK_EVERY, change_keyring
from cookieguard.storage.keyring_source import beside
from cookieguard.web.cookies import consent_cookie as consents
from cookieguard.web.exchange import Exchange

Guard = Callable[..., CookieGuard]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
COOKIE = "__Host-cg_consent"
FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]


said_state = page(
    headers=[("content-type", "text/plain")], act=lambda scope: visitor_of(scope).consent.state.encode()
)


def accepted(app: CookieGuard) -> tuple[str, str]:
    answer = ask(app, path="/_cg/consent", method="POST", headers=FORM, body=b"choice=accept")
    return "cookie", f"{COOKIE}={answer.cookies()[COOKIE]}"


def test_a_consent_read_before_is_refused_once_its_time_is_over(guard: Guard) -> None:
    clock = [NOW]
    app = guard(said_state, clock=lambda: clock[0])
    cookie = accepted(app)

    states = []
    for day in (0, 0, 179, 181, 179):
        clock[0] = NOW + timedelta(days=day)
        states.append(ask(app, headers=[cookie]).text)

    assert states == ["all", "all", "all", "undecided", "all"]


def test_a_consent_read_before_does_not_count_at_a_time_before_it_was_given(guard: Guard) -> None:
    clock = [NOW]
    app = guard(said_state, clock=lambda: clock[0])
    cookie = accepted(app)
    assert ask(app, headers=[cookie]).text == "all"

    clock[0] = NOW - timedelta(minutes=5)  # a clock that was set back: this worker saw the later time itself
    assert ask(app, headers=[cookie]).text == "all"

    clock[0] = NOW - timedelta(hours=26)

    assert ask(app, headers=[cookie]).text == "undecided"


def test_a_consent_read_before_is_refused_once_its_key_is_retired(tmp_path: Path) -> None:
    """Whoever has a key that leaked can write one that agrees to everything."""
    app = CookieGuard(said_state, Config(state_dir=str(tmp_path / "state")))
    cookie = accepted(app)
    assert ask(app, headers=[cookie]).text == "all"
    file = beside(tmp_path / "state")
    old = Keyring.loads(file.read_text()).signing.id
    now = datetime.now(UTC)

    def replace(before: Keyring | None) -> Keyring:
        assert before is not None
        new = new_key(now)
        after = before.with_key(new).promoted(new.id, now=now, force=True)
        return after.retired(old, now=now, life=timedelta(days=400), force=True)

    change_keyring(file, "keys", replace)
    time.sleep(LOOK_EVERY.total_seconds())

    assert ask(app, headers=[cookie]).text == "undecided"
    assert ask(app, headers=[accepted(app)]).text == "all"
    app.close()


def test_a_consent_read_before_counts_for_its_host_only(guard: Guard) -> None:
    app = guard(said_state)
    cookie = accepted(app)
    assert ask(app, headers=[cookie]).text == "all"

    assert ask(app, headers=[cookie], host="other.example").text == "undecided"


def test_a_signal_overrules_a_consent_read_before_without_it(guard: Guard) -> None:
    app = guard(said_state)
    cookie = accepted(app)
    assert ask(app, headers=[cookie]).text == "all"

    assert ask(app, headers=[cookie, ("sec-gpc", "1")]).text == "undecided"
    assert ask(app, headers=[cookie]).text == "all"


def test_a_consent_read_before_ends_on_the_day_a_new_version_takes_effect(guard: Guard) -> None:
    clock = [NOW]
    policy = PolicyVersion(version="2", effective=date(2026, 11, 25))
    app = guard(said_state, clock=lambda: clock[0], policy=policy)
    cookie = accepted(app)
    assert ask(app, headers=[cookie]).text == "all"

    clock[0] = NOW + timedelta(days=1)

    assert ask(app, headers=[cookie]).text == "undecided"


def test_more_consents_than_are_kept_are_all_read_right(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consents, "COOKIES_KEPT", 2)
    app = guard(said_state)
    cookies = [accepted(app) for _ in range(4)]

    assert [ask(app, headers=[cookie]).text for cookie in cookies + cookies] == ["all"] * 8


PAGE = b"<!doctype html><body><iframe src=//ads.example/a></iframe><img src=//ads.example/b>"


@pytest.mark.parametrize(("content_type", "content"), [(b"text/plain", b"rows"), (b"text/html", PAGE)])
def test_exchange_of_a_request_is_freed_when_it_ends(
    guard: Guard, content_type: bytes, content: bytes
) -> None:
    seen: list[weakref.ref[Exchange]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["seen"] = True
        visitor_of(scope).cart["mug"] = 1
        # A test before, which ended in an error of its own, may still hold the exchange of another path.
        every = (one for one in gc.get_objects() if isinstance(one, Exchange))
        seen.extend(weakref.ref(one) for one in every if one.path == "/of-this-test")
        headers = [(b"content-type", content_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    shop = guard(app)
    gc.disable()
    try:
        answer: Answer = ask(shop, path="/of-this-test")
        answer.scope.clear()  # the test's own hold on the scope
        assert [one() for one in seen] == [None]
    finally:
        gc.enable()


def test_visitors_of_many_threads_have_their_consent_though_more_come_than_are_kept(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flask behind a2wsgi and Django's plain views ask in threads: two let go of one entry, and a page was a 500."""
    monkeypatch.setattr(consents, "COOKIES_KEPT", 16)
    app, failed = guard(said_state), list[Exception]()
    known = app._parts.consents
    cookies = [accepted(app)[1].partition("=")[2] for _ in range(25)]

    def read() -> None:
        for cookie in cookies * 60:
            try:
                assert known.read(cookie, host="shop.example", gpc=False, now=NOW).state == "all"
            except (KeyError, RuntimeError) as error:
                failed.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        readers = [threading.Thread(target=read) for _ in range(8)]
        for one in readers:
            one.start()
        for one in readers:
            one.join()
    finally:
        sys.setswitchinterval(before)

    assert failed == []
