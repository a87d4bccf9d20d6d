"""What browsers report of our policy, and vendors behind the shop's own name."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from harness.asgi import Answer, App, ask, page

from cookieguard import CookieGuard, Vendor
from cookieguard.web.findings import HOSTS_TOLD, REPORTED_HOSTS_TOLD

Guard = Callable[..., CookieGuard]
DOCUMENT = b"<!doctype html><body>x"


def report(app: App, blocked: object, document: str = "https://shop.example/product/7?secret=1") -> Answer:
    body = json.dumps({"csp-report": {"blocked-uri": blocked, "document-uri": document}}).encode()
    headers = [("content-type", "application/csp-report"), ("sec-fetch-site", "same-origin")]
    return ask(app, path="/_cg/report", method="POST", headers=headers, body=body)


def test_a_violation_becomes_a_line_for_the_owner(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    app = guard(page(DOCUMENT))
    assert "report-uri /_cg/report" in ask(app).get("content-security-policy")

    answer = report(app, "https://late.example/x.js?visitor=7")
    report(app, "https://late.example/y.js")

    assert answer.status == 204
    assert caplog.text.count("held late.example on /product/7: nobody declared it") == 1
    assert "secret" not in caplog.text
    assert "visitor" not in caplog.text


@pytest.mark.parametrize(
    "blocked", ["inline", "eval", "data", "", "https://ads.example/x", "https://shop.example/", 7]
)
def test_what_needs_no_declaration_is_not_told(
    guard: Guard, blocked: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert report(guard(page()), blocked).status == 204
    assert "nobody declared" not in caplog.text


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"csp-report": 1}', b'{"csp-report": {}}', b"[" * 9000, b"x" * 20000, b"\xff"],
)
def test_a_report_that_cannot_be_read_is_dropped(guard: Guard, body: bytes) -> None:
    assert ask(guard(page()), path="/_cg/report", method="POST", body=body).status == 204


def test_a_report_about_somebody_elses_page_is_dropped(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    report(guard(page()), "https://late.example/", "https://evil.example/")

    assert "late.example" not in caplog.text


@pytest.mark.parametrize("path", ["/account/ada@shop.invalid/7", "/account/10042173"])
def test_a_path_that_names_a_person_is_told_without_the_person(
    guard: Guard, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    app = guard(page(b"<!doctype html><body><img src=//late.example/p>"))

    ask(app, path=path, headers=[("cookie", "unheard=1")])
    report(app, "https://later.example/", "https://shop.example" + path)

    assert caplog.text.count("on /account/{id}") == 3
    assert "ada@" not in caplog.text
    assert "10042173" not in caplog.text


@pytest.mark.parametrize("path", ["/x\nheld fake.example", "/x\x1b[2J", "/x\x85y", "/x\u2028y"])
def test_a_path_never_ends_the_line_it_is_told_in(
    guard: Guard, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    app = guard(page(b"<!doctype html><body><img src=//late.example/p>"))

    ask(app, path=path)
    report(app, "https://later.example/", "https://shop.example" + path)

    told = [record.getMessage() for record in caplog.records if "nobody declared" in record.getMessage()]
    assert len(told) == 2
    for message in told:
        assert len(message.splitlines()) == 5  # the line and its four of TOML
        assert message.replace("\n", "").isprintable()


def test_reports_are_limited_per_minute(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    now = [datetime(2026, 11, 24, tzinfo=UTC)]
    app = guard(page(), clock=lambda: now[0])

    for number in range(100):
        report(app, f"https://h{number}.late{number}.example/")
    told = caplog.text.count("nobody declared it")
    now[0] += timedelta(minutes=1)
    report(app, "https://next.example/")

    assert told == 60
    assert "held next.example" in caplog.text


def test_made_up_reports_do_not_keep_the_owner_from_hearing_of_the_pages_own_hosts(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    app = guard(page(b"<!doctype html><body><img src=//late.example/p>"), clock=lambda: now)

    for number in range(HOSTS_TOLD + 10):
        now += timedelta(seconds=2)
        report(app, f"https://made-up{number}.example/")
    ask(app)

    assert caplog.text.count("reported by a browser") == REPORTED_HOSTS_TOLD
    assert "held late.example on /: nobody declared it; to declare it" in caplog.text


def test_a_vendor_behind_the_shops_own_name_hears_nothing_before_consent(guard: Guard) -> None:
    seen: list[dict[str, object]] = []
    vendor = Vendor(name="Matomo", purpose="statistics", hosts=("shop.example/matomo/",))
    app = guard(page(DOCUMENT + b'<script src="/matomo/m.js"></script>', seen=seen), vendors=(vendor,))
    form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
    accepted = ask(app, path="/_cg/consent", method="POST", headers=form, body=b"choice=accept").cookies()
    cookie = ("cookie", "; ".join(f"{name}={value}" for name, value in accepted.items()))

    other = ("/MATOMO/../matomo/m.php", "//matomo/m.js", "/Matomo/m.js", "/shop/..//matomo/m.js")
    for path in ("/matomo/m.js", "/matomo/", "/matomo/%2e/x", *other):
        answer = ask(app, path=path, query="a=1")
        assert answer.status == 403
        assert answer.get("cache-control") == "no-store"
    held = ask(app, path="/product")
    alive = ask(app, path="/product", headers=[cookie])

    assert b'data-cg-src="/matomo/m.js"' in held.body
    assert b' src="/matomo/m.js"' in alive.body
    assert ask(app, path="/matomo/m.js", headers=[cookie]).status == 200
    assert ask(app, path="/matomoto").status == 200
