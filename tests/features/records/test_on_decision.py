"""The shop's function for decisions is called for each one, after the commit, and delays no request."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask, page
from harness.parts import log_of, part_of
from harness.shops import NOW

from cookieguard import Config, ConfigError, CookieGuard, Decision, visitor_of
from cookieguard.config.proof import ProofSettings
from cookieguard.features.records.erasure_journal import erase_subject
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.records import Record

HEADERS = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
Shop = Callable[..., CookieGuard]
OUT_OF_TURN_SECONDS = 0.3  # a second thread at once would call within milliseconds


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Give shops of one state directory: `shop(on_decision)`."""
    made: list[CookieGuard] = []

    def act(scope: Any) -> None:
        visitor_of(scope).agree("newsletter", text="Yes", given=scope["path"] == "/yes", who="anna")

    app = page(b"{}", headers=[("content-type", "application/json")], act=act)

    def make(on_decision: Any = None, **settings: Any) -> CookieGuard:
        config = Config(state_dir=str(tmp_path / "state"), **settings)
        made.append(CookieGuard(app, config, clock=lambda: NOW, on_decision=on_decision))
        return made[-1]

    yield make
    for one in made:
        one.close()


def choose(app: CookieGuard, choice: str) -> Answer:
    body = f"choice={choice}".encode()
    return ask(app, path="/_cg/consent", method="POST", headers=HEADERS, body=body)


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_choice_and_an_agreement_are_told_and_no_request_waits(shop: Shop) -> None:
    told: list[Decision] = []
    go_on = threading.Event()

    def slow(decision: Decision) -> None:
        go_on.wait(60)
        told.append(decision)

    app = shop(slow)
    assert choose(app, "reject").status == 303
    assert ask(app, path="/yes", method="POST").status == 200
    assert told == []
    go_on.set()

    wait_until(lambda: len(told) == 2)
    choice, agreement = sorted(told, key=lambda one: one.kind, reverse=True)
    assert (choice.kind, choice.topic, choice.given, choice.granted) == (
        "consent",
        "refusal",
        False,
        frozenset({"necessary"}),
    )
    assert (agreement.kind, agreement.topic, agreement.given) == ("agreement", "newsletter", True)
    assert (agreement.subject, agreement.customer) == ("named:anna", "")
    assert agreement.record["cg:given"] is True


@pytest.mark.parametrize("failure", [OSError, asyncio.CancelledError, SystemExit])
def test_an_async_hook_that_fails_is_called_again(shop: Shop, failure: type[BaseException]) -> None:
    told: list[Decision] = []

    async def at_the_second_time(decision: Decision) -> None:
        told.append(decision)
        if len(told) == 1:
            raise failure

    ask(shop(at_the_second_time), path="/no", method="POST")

    wait_until(lambda: len(told) == 2)
    assert told[0].id == told[1].id
    assert not told[0].given


def test_decision_that_a_worker_could_not_report_is_reported_by_another(shop: Shop) -> None:
    told: list[Decision] = []
    failed = threading.Event()

    def down(_: Decision) -> None:
        failed.set()
        raise OSError

    first = shop(down)
    ask(first, path="/yes", method="POST")
    assert failed.wait(30)
    first.close()
    second = shop(told.append)
    ask(second, path="/_cg/choices")

    wait_until(lambda: len(told) == 1)
    assert told[0].topic == "newsletter"


def test_an_app_that_was_closed_and_goes_on_is_told_again_one_at_a_time(shop: Shop) -> None:
    told: list[int] = []
    go_on = threading.Event()

    async def slow_at_first(_: Decision) -> None:
        told.append(threading.get_ident())
        await asyncio.to_thread(go_on.wait, 60 if len(told) == 1 else 0)

    app = shop(slow_at_first)
    ask(app, path="/yes", method="POST")
    wait_until(lambda: len(told) == 1)
    app.close()  # waits for the call no longer than a few seconds
    app._begin()  # its next lifespan
    ask(app, path="/no", method="POST")
    time.sleep(OUT_OF_TURN_SECONDS)
    assert len(told) == 1
    go_on.set()

    wait_until(lambda: len(set(told)) == 2)


def test_a_request_and_its_record_begin_one_thread_together(shop: Shop) -> None:
    """Of two the end stopped the later one, and the other went on calling the hook."""
    before, ready, hook = (
        set(threading.enumerate()),
        threading.Barrier(8),
        part_of(shop(lambda _: None), RecordsPart)._hook,
    )
    assert hook is not None

    def begin() -> None:
        ready.wait(30)
        hook.begin()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        starting = [threading.Thread(target=begin) for _ in range(ready.parties)]
        for one in starting:
            one.start()
        for one in starting:
            one.join()
    finally:
        sys.setswitchinterval(interval)

    assert [one.name for one in set(threading.enumerate()) - before] == ["cookieguard-decisions"]
    hook.close()
    assert set(threading.enumerate()) <= before


def test_a_worker_that_ends_does_not_go_on_for_its_last_record(shop: Shop) -> None:
    before = set(threading.enumerate())
    app = shop(lambda _: None)
    ask(app, path="/yes", method="POST")
    writer, is_busy = log_of(app).writer, threading.Event()
    writer.ask(lambda _: (is_busy.set(), time.sleep(OUT_OF_TURN_SECONDS)))
    assert is_busy.wait(30)
    writer.append(Record(kind="agreement", subject="named:anna", time=NOW, facts={"cg:given": True}))
    app.close()

    assert {one.name for one in set(threading.enumerate()) - before} <= {"cookieguard-retention"}


def test_decisions_of_an_erased_person_are_not_reported(shop: Shop, tmp_path: Path) -> None:
    told: list[Decision] = []
    first = shop(lambda _: time.sleep(0) or 1 / 0)
    ask(first, path="/yes", method="POST")
    first.close()
    place = place_of(first.config, tmp_path / "state", environ={})
    stores = open_stores(place)
    assert erase_subject(stores, "named:anna", erasures=place.erasures, now=NOW) == 1
    stores.close()
    second = shop(told.append)
    choose(second, "reject")

    wait_until(lambda: bool(told))
    assert [one.kind for one in told] == ["consent"]


@pytest.mark.parametrize(
    ("hook", "settings"), [("crm.tell", {}), (print, {"proof": ProofSettings(enabled=False)})]
)
def test_a_hook_that_never_could_be_called_is_an_error_at_the_start(
    shop: Shop, hook: Any, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="on_decision"):
        shop(hook, **settings)
