"""What is agreed with one customer alone: kept from them on every wall of every worker, whatever they agree to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask
from harness.servers import wait_until
from web.test_requests_page import Queue

from cookieguard import CookieGuard, Vendor, visitor_of
from cookieguard.consent.own_terms import OwnTerm, What, read_terms, with_term, write_terms
from cookieguard.engines.proof.log_reader import read_subject
from cookieguard.engines.proof.open import open_stores, place_of
from cookieguard.engines.rights.own_data import end_stored, stored_of
from cookieguard.proof.records import read_document
from cookieguard.rights.requests import Act
from cookieguard.rights.rules import RequestKind

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ADS = Vendor(name="Glimmer Ads", purpose="marketing", hosts=("ads.example",), cookies=("_gl",))
MAPS = Vendor(name="Maps", purpose="marketing", hosts=("maps.example",))
PAGE = (
    b"<!doctype html><head></head><body>"
    b'<script src="https://ads.example/a.js"></script><script src="https://maps.example/m.js"></script>'
)
HOSTILE = "<b>As you asked</b>"


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
    """Be a browser that keeps its cookies, and asks any worker."""

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
    """Return what the log says was agreed with the customer."""
    stores = open_stores(place_of(queue.app.config, queue.state, environ={}))
    found = [read_document(one.record) for one in read_subject(stores, "customer:number-4711") if one.record]
    stores.close()
    return [one["cg:said"] for one in found]


@pytest.fixture
def workers(guard: Callable[..., CookieGuard], tmp_path: Path) -> Iterator[tuple[Queue, CookieGuard]]:
    made = [guard(shop, vendors=(ADS, MAPS), clock=lambda: NOW) for _ in range(2)]
    queue = Queue(made[0], tmp_path / "state")
    yield queue, made[1]
    queue.requests.close()


def test_vendor_kept_by_an_officer_is_held_on_every_worker_and_from_this_customer_alone(
    workers: tuple[Queue, CookieGuard],
) -> None:
    queue, other = workers
    customer, stranger = Browser(queue.app, other), Browser(queue.app, other)
    for one in (customer, stranger):
        one.accept()
    customer.get("/login")
    assert [customer.hears(at) for at in (0, 1)] == [(True, True)] * 2  # the control
    queue.put("objection", kind=RequestKind.OBJECT, text="No ads")
    keep = {"act": "keep-from", "id": "objection", "what": "vendor Glimmer Ads", "text": HOSTILE}

    assert queue.do(queue.add("support"), **keep).status == 403
    assert queue.do(queue.add("officer", name="Olga"), **keep, until="2026-12-31").status == 303

    assert customer.hears() == (False, True)
    wait_until(lambda: customer.hears(1) == (False, True), "the other worker obeys")
    assert [stranger.hears(at) for at in (0, 1)] == [(True, True)] * 2
    customer.accept()  # whatever they agree to
    assert customer.hears() == (False, True)
    assert "_gl" not in customer.get("/tagged").cookies()
    assert "_gl" in stranger.get("/tagged").cookies()
    assert [one.act for one in queue.found("objection").events] == [Act.NOTE]

    page = customer.get("/_cg/privacy").text
    assert "Glimmer Ads" in page
    assert "&lt;b&gt;As you asked&lt;/b&gt;" in page
    assert HOSTILE not in page
    assert "Agreed with you alone" not in stranger.get("/_cg/privacy").text

    again = {"act": "let-again", "id": "objection", "what": "vendor Glimmer Ads"}
    assert queue.do(queue.add("officer", name="Olga"), **again).status == 303
    assert customer.hears() == (True, True)


def test_purpose_kept_from_a_customer_ends_on_its_day_and_counts_with_the_very_login(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    days = [NOW]
    app = guard(shop, vendors=(ADS, MAPS), clock=lambda: days[0])
    queue = Queue(app, tmp_path / "state")
    queue.put("objection", kind=RequestKind.OBJECT, text="No ads")
    officer = queue.add("officer", days=400)
    kept = queue.do(
        officer, act="keep-from", id="objection", what="purpose marketing", text="x", until="2026-11-25"
    )
    assert kept.status == 303
    browser = Browser(app)
    browser.accept()

    assert browser.hears() == (True, True)  # nobody yet
    login = browser.get("/login").text
    assert ' src="https://ads.example' not in login
    assert browser.hears() == (False, False)
    own = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]
    asked = {"method": "POST", "headers": [*own, ("accept", "application/json")], "body": b"choice=accept"}
    told = json.loads(browser.get("/_cg/consent", **asked).text)["granted"]
    assert ("statistics" in told, "marketing" in told) == (True, False)
    days[0] = datetime(2026, 11, 26, 0, 0, tzinfo=UTC)
    assert browser.hears() == (True, True)
    queue.requests.close()


@pytest.mark.parametrize(
    ("what", "text", "until"),
    [
        ("vendor Nobody", "x", ""),
        ("purpose necessary", "x", ""),
        ("x", "x", ""),
        ("vendor Maps", " ", ""),
        ("vendor Maps", "x", "2026-01-01"),
    ],
)
def test_what_cannot_be_agreed_is_said(
    workers: tuple[Queue, CookieGuard], what: str, text: str, until: str
) -> None:
    queue, _ = workers
    queue.put("one")

    answer = queue.do(queue.add("officer"), act="keep-from", id="one", what=what, text=text, until=until)

    assert (answer.status, "Not done" in answer.text) == (409, True)
    assert queue.found("one").events == ()
    assert recorded(queue) == []


def test_the_log_has_what_was_agreed_and_nothing_that_was_not(workers: tuple[Queue, CookieGuard]) -> None:
    queue, _ = workers
    queue.put("one")
    officer = queue.add("officer")
    term = {"id": "one", "what": "vendor Maps"}

    assert queue.do(officer, act="let-again", **term).status == 409
    assert queue.do(officer, act="keep-from", **term, text="As you asked").status == 303
    assert queue.do(officer, act="let-again", **term).status == 303
    assert queue.do(officer, act="let-again", **term).status == 409
    assert recorded(queue) == ["vendor Maps: kept from them", "vendor Maps: let again"]


def test_terms_are_in_the_copy_of_their_data_go_with_the_person_and_are_there_after_a_restart(
    workers: tuple[Queue, CookieGuard], guard: Callable[..., CookieGuard]
) -> None:
    queue, _ = workers
    queue.put("one", kind=RequestKind.ERASE, steps=("by hand",))
    officer = queue.add("officer")
    assert queue.do(officer, act="keep-from", id="one", what="vendor Maps", text="As you asked").status == 303
    sync = queue.app._parts.store_sync
    assert sync is not None

    anew = guard(shop, vendors=(ADS, MAPS), clock=lambda: NOW)
    assert anew._parts.own_terms
    config = queue.app.config
    assert "own terms" in sync.ask(lambda store: stored_of(store, "number-4711", config)).result(60)
    sync.ask(lambda store: end_stored(store, "number-4711", config)).result(60)
    assert "own terms" not in sync.ask(lambda store: stored_of(store, "number-4711", config)).result(60)
    wait_until(lambda: not queue.app._parts.own_terms, "the worker hears of it")
    wait_until(lambda: b"4711" not in (queue.state / "own-terms").read_bytes(), "the copy follows")


def test_what_is_written_is_read_back() -> None:
    term = OwnTerm(what=What.VENDOR, name='A "b" \u2028', note="é", by="O", at=NOW)
    terms = with_term({}, "1", term)

    assert read_terms(write_terms(terms)) == terms
    for broken in (b"[]", b"{", b'{"1": [["vendor"]]}', b'{"1": [["x", "a", "n", "b", "c", "d"]]}'):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever it is, it is caught as this
            read_terms(broken)
