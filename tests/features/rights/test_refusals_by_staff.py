"""A refusal that staff enter for a customer applies on every wall of every worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from features.rights.test_requests_page import Queue
from harness.asgi import Answer, ask
from harness.servers import wait_until

from cookieguard import CookieGuard, Vendor, visitor_of
from cookieguard.config import ConsentSettings
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.records import read_document
from cookieguard.features.rights.values.requests import Act
from cookieguard.features.rights.values.rules import RequestKind

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ADS = Vendor(name="Glimmer Ads", purpose="marketing", hosts=("ads.example",), cookies=("_gl",))
MAPS = Vendor(name="Maps", purpose="marketing", hosts=("maps.example",))
PAGE = (
    b"<!doctype html><head></head><body>"
    b'<script src="https://ads.example/a.js"></script><script src="https://maps.example/m.js"></script>'
)
HOSTILE = "<b>As you asked</b>"
CUSTOMER = "number-4711"


async def shop(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/login":
        visitor_of(scope).login("number-4711")
    elif scope["path"] == "/logout":
        visitor_of(scope).logout()
    headers = [(b"content-type", b"text/html")]
    if scope["path"] == "/tagged":
        headers.append((b"set-cookie", b"_gl=1; Path=/"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


class Browser:
    """A browser that keeps its cookies and visits any worker."""

    def __init__(self, *workers: CookieGuard) -> None:
        self.workers = workers
        self.jar: dict[str, str] = {}

    def get(self, path: str, worker: int = 0, **values: Any) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        headers = [("cookie", cookie), ("sec-fetch-dest", "document"), *values.pop("headers", [])]
        answer = ask(self.workers[worker], path=path, headers=headers, **values)
        self.jar |= answer.cookies()
        return answer

    def accept(self) -> None:
        own = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]
        assert self.get("/_cg/consent", method="POST", headers=own, body=b"choice=accept").status in (
            204,
            303,
        )

    def hears(self, worker: int = 0) -> tuple[bool, bool]:
        """Return whether markup and policy let each vendor's script load."""
        answer = self.get("/", worker)
        policy = answer.get("content-security-policy")
        return tuple(  # type: ignore[return-value]
            f' src="https://{host}' in answer.text and ("default-src" not in policy or host in policy)
            for host in ("ads.example", "maps.example")
        )


def recorded(queue: Queue) -> list[str]:
    """Return what the log says that staff did for the customer."""
    stores = open_stores(place_of(queue.app.config, queue.state, environ={}))
    found = [read_document(one.record) for one in read_subject(stores, f"customer:{CUSTOMER}") if one.record]
    stores.close()
    return [one["cg:said"] for one in found if "cg:said" in one]


@pytest.fixture
def workers(guard: Callable[..., CookieGuard], tmp_path: Path) -> Iterator[tuple[Queue, CookieGuard]]:
    made = [guard(shop, vendors=(ADS, MAPS), clock=lambda: NOW) for _ in range(2)]
    queue = Queue(made[0], tmp_path / "state")
    yield queue, made[1]
    queue.requests.close()


def test_purpose_that_an_officer_refuses_for_a_customer_is_held_on_every_worker_and_for_this_customer_alone(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    times = [NOW]
    apps = [guard(shop, vendors=(ADS, MAPS), clock=lambda: times[0]) for _ in range(2)]
    queue = Queue(apps[0], tmp_path / "state")
    customer, second, stranger = Browser(*apps), Browser(*apps), Browser(*apps)
    for one in (customer, second, stranger):
        one.accept()
    times[0] += timedelta(minutes=1)
    for one in (customer, second):
        one.get("/login")
    assert [customer.hears(at) for at in (0, 1)] == [(True, True)] * 2  # the control
    queue.put("objection", kind=RequestKind.OBJECT, text="No ads")
    refuse = {"act": "refuse-for", "id": "objection", "what": "marketing"}
    times[0] += timedelta(minutes=1)

    assert queue.do(queue.add("support"), **refuse).status == 403
    assert queue.do(queue.add("officer", name="Olga"), **refuse).status == 303

    for browser, worker in ((customer, 0), (second, 1)):
        wait_until(lambda b=browser, w=worker: b.hears(w) == (False, False), "the worker obeys")  # type: ignore[misc]
    assert [stranger.hears(at) for at in (0, 1)] == [(True, True)] * 2
    assert "_gl" not in customer.get("/tagged").cookies()
    assert [(one.act, one.by) for one in queue.found("objection").events] == [(Act.NOTE, "Olga")]
    assert recorded(queue) == ["purpose marketing: refused for them"]
    times[0] += timedelta(minutes=1)
    customer.accept()  # as after a refusal of their own, they may agree again
    assert customer.hears() == (True, True)
    queue.requests.close()


@pytest.mark.parametrize("what", ["nobody", "necessary", "", "vendor Maps", "x" * 9000])
def test_staff_refusal_of_an_invalid_choice_is_answered_as_not_done(
    workers: tuple[Queue, CookieGuard], what: str
) -> None:
    queue, _ = workers
    queue.put("one")

    answer = queue.do(queue.add("officer"), act="refuse-for", id="one", what=what)

    assert (answer.status, "Not done" in answer.text) == (409, True)
    assert queue.found("one").events == ()
    assert recorded(queue) == []


def test_staff_cannot_refuse_for_a_guest_or_in_a_shop_where_refusals_do_not_follow_customers(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    app = guard(shop, vendors=(ADS,), clock=lambda: NOW, consent=ConsentSettings(follow_customer=False))
    queue = Queue(app, tmp_path / "state")
    queue.put("guest", customer="")
    queue.put("one")
    officer, refuse = queue.add("officer"), {"act": "refuse-for", "what": "marketing"}

    answers = [queue.do(officer, **refuse, id=one) for one in ("guest", "one")]

    assert [one.status for one in answers] == [404, 409]
    assert "consent.follow_customer" in answers[1].text
    assert "refuse-for" not in queue.page(officer, "id=one").text
    queue.requests.close()
