"""What staff refuse for one customer, and what an earlier version kept from one: on every wall of every worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from features.rights.test_requests_page import Queue
from harness.asgi import Answer, ask
from harness.servers import wait_until
from harness.stores import keyring_beside

from cookieguard import CookieGuard, Vendor, visitor_of
from cookieguard.config import ConsentSettings
from cookieguard.features.feature import Place
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.records import read_document
from cookieguard.features.rights.own_terms import TermsCopy, read_terms, write_terms
from cookieguard.features.rights.personal import personal_of
from cookieguard.features.rights.values.requests import Act
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import FOR_EVER

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


def keep(app: CookieGuard, *terms: list[str]) -> None:
    """Store terms of the customer alone, byte for byte as the version wrote them that had a form for it."""
    store = store_opener(app.config, Path(app.config.state_dir).absolute(), environ={})()
    value = json.dumps({CUSTOMER: terms}, separators=(",", ":")).encode()
    assert store.write("own-terms", "all", value, until=FOR_EVER, after=0)
    store.close()
    ask(app, path="/")  # the thread of the store begins with the first request
    wait_until(lambda: bool(app._parts.own_terms.terms), "the worker reads it")


def term(what: str, name: str, *, note: str = "As you asked", until: str = "") -> list[str]:
    return [what, name, note, "Olga", "2026-11-20T12:00:00+00:00", until]


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
def test_what_cannot_be_refused_is_said(workers: tuple[Queue, CookieGuard], what: str) -> None:
    queue, _ = workers
    queue.put("one")

    answer = queue.do(queue.add("officer"), act="refuse-for", id="one", what=what)

    assert (answer.status, "Not done" in answer.text) == (409, True)
    assert queue.found("one").events == ()
    assert recorded(queue) == []


def test_for_who_has_no_number_and_where_no_refusal_follows_nothing_is_refused(
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


def test_vendor_that_an_earlier_version_kept_from_a_customer_stays_kept_whatever_they_agree_to(
    workers: tuple[Queue, CookieGuard],
) -> None:
    queue, other = workers
    customer, stranger = Browser(queue.app, other), Browser(queue.app, other)
    for one in (customer, stranger):
        one.accept()
    customer.get("/login")
    assert [customer.hears(at) for at in (0, 1)] == [(True, True)] * 2  # the control
    queue.put("objection", kind=RequestKind.OBJECT, text="No ads")

    keep(queue.app, term("vendor", "Glimmer Ads", note=HOSTILE, until="2026-12-31"))

    assert customer.hears() == (False, True)
    wait_until(lambda: customer.hears(1) == (False, True), "the other worker obeys")
    assert [stranger.hears(at) for at in (0, 1)] == [(True, True)] * 2
    customer.accept()
    assert customer.hears() == (False, True)
    assert "_gl" not in customer.get("/tagged").cookies()
    assert "_gl" in stranger.get("/tagged").cookies()

    officer = queue.add("officer", name="Olga")
    pages = [customer.get("/_cg/privacy").text, queue.page(officer, "id=objection").text]
    for page in pages:
        assert "Glimmer Ads" in page
        assert "&lt;b&gt;As you asked&lt;/b&gt;" in page
        assert HOSTILE not in page
    assert "Agreed with you alone" not in stranger.get("/_cg/privacy").text

    end = {"act": "end-terms", "id": "objection"}
    assert queue.do(queue.add("support"), **end).status == 403
    assert queue.do(officer, **end).status == 303
    assert customer.hears() == (True, True)
    assert queue.do(officer, **end).status == 409
    assert recorded(queue) == ["terms of this customer alone: ended"]


def test_purpose_kept_from_a_customer_ends_on_its_day_and_counts_with_the_very_login(
    guard: Callable[..., CookieGuard],
) -> None:
    days = [NOW]
    app = guard(shop, vendors=(ADS, MAPS), clock=lambda: days[0])
    keep(app, term("purpose", "marketing", until="2026-11-25"))
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


def test_terms_are_in_the_copy_of_their_data_go_with_the_person_and_are_there_after_a_restart(
    workers: tuple[Queue, CookieGuard], guard: Callable[..., CookieGuard]
) -> None:
    queue, _ = workers
    kept = term("vendor", "Maps")
    keep(queue.app, kept)

    anew = guard(shop, vendors=(ADS, MAPS), clock=lambda: NOW)
    assert anew._parts.own_terms.terms
    assert CUSTOMER.encode() not in (queue.state / "own-terms").read_bytes()
    personal = personal_of(Place(queue.app.config, queue.state, {}))
    (row,) = personal.copy(CUSTOMER)
    assert row == ("own terms", {"JSON": [kept]})
    personal.erase(CUSTOMER, NOW)
    assert personal.copy(CUSTOMER) == []
    wait_until(lambda: not queue.app._parts.own_terms.terms, "the worker hears of it")
    copy = partial(TermsCopy, StateDirectory(queue.state), keyring_beside(queue.state / "own-terms"))
    wait_until(lambda: not copy().read(), "the copy follows")


def test_what_is_written_is_read_back() -> None:
    terms = {"1": (term("vendor", 'A "b" \u2028', note="é"), term("purpose", "x", until="2027-01-31"))}
    value = json.dumps(terms).encode()

    assert read_terms(write_terms(read_terms(value))) == read_terms(value)
    assert json.loads(write_terms(read_terms(value))) == json.loads(value)
    for broken in (
        b"[]",
        b"{",
        b'{"1": [["vendor"]]}',
        b'{"1": [["x", "a", "n", "b", "c", ""]]}',
        b'{"1": [["vendor", "a", "n", "b", "c", "d"]]}',
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever it is, it is caught as this
            read_terms(broken)
