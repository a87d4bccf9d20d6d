"""Browsers' reports of policy violations, and vendors behind a host name of the shop."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from harness.asgi import Answer, App, ask, page

from cookieguard import CookieGuard, Vendor
from cookieguard.web.owner_notices import (
    EVENTS_A_MINUTE,
    HOSTS_OF_NETWORK,
    REPORTED_HOSTS_TOLD,
    REPORTS_A_MINUTE,
)

Guard = Callable[..., CookieGuard]
DOCUMENT = b"<!doctype html><body>x"


def report(
    app: App,
    blocked: object,
    document: str = "https://shop.example/product/7?secret=1",
    *,
    client: str = "203.0.113.9",
    **more: str,
) -> Answer:
    body = json.dumps({"csp-report": {"blocked-uri": blocked, "document-uri": document, **more}}).encode()
    headers = [("content-type", "application/csp-report"), ("sec-fetch-site", "same-origin")]
    return ask(app, path="/_cg/report", method="POST", headers=headers, body=body, client=(client, 4711))


def test_a_violation_becomes_a_line_for_the_owner(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    app = guard(page(DOCUMENT))
    assert "report-uri /_cg/report" in ask(app).get("content-security-policy")

    answer = report(app, "https://late.example/x.js?visitor=7")
    report(app, "https://late.example/y.js")

    assert answer.status == 204
    assert caplog.text.count("held late.example on /product/7: it is not declared") == 1
    assert "secret" not in caplog.text
    assert "visitor" not in caplog.text


def test_a_reported_script_is_named_by_its_path_as_one_in_the_page_is(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    report(guard(page(DOCUMENT), vendors=()), "https://www.googletagmanager.com/gtag/js?id=G-1")

    assert "it is Google Analytics, which the catalogue lists under statistics" in caplog.text
    assert 'vendors = ["google-analytics"]' in caplog.text or 'catalogue = "google-analytics"' in caplog.text


@pytest.mark.parametrize(
    ("directive", "asks"),
    [
        ("img-src", True),
        ("font-src", True),
        ("style-src-elem", True),
        ("script-src-elem", False),
        ("connect-src", False),
    ],
)
def test_report_of_a_picture_asks_the_owner_first_whether_its_host_is_the_shops(
    guard: Guard, caplog: pytest.LogCaptureFixture, directive: str, asks: bool
) -> None:
    report(guard(page(DOCUMENT)), "https://images.mugcdn.example/a", **{"effective-directive": directive})

    assert ("if it is the shop's own host: first_party_hosts" in caplog.text) == asks
    assert "[[vendors]]" in caplog.text


def test_load_that_only_a_strict_page_stops_is_reported(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(page(DOCUMENT), undeclared="report", strict_paths=("/kasse/tür",))

    report(app, "https://open.example/x.js")
    report(app, "https://late.example/x.js", "https://shop.example/kasse/t%C3%BCr/card?order=7")

    assert "open.example" not in caplog.text
    assert "held late.example on /kasse/t%C3%BCr/card: it is not declared" in caplog.text


@pytest.mark.parametrize(
    "blocked", ["inline", "eval", "data", "", "https://ads.example/x", "https://shop.example/", 7]
)
def test_what_needs_no_declaration_is_not_told(
    guard: Guard, blocked: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert report(guard(page()), blocked).status == 204
    assert "is not declared" not in caplog.text


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

    told = [record.getMessage() for record in caplog.records if "is not declared" in record.getMessage()]
    assert len(told) == 2
    for message in told:
        assert len(message.splitlines()) == 6  # the line, its table of four, and the same for a list
        assert message.replace("\n", "").isprintable()


def test_reports_are_read_so_often_a_minute(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    now = [datetime(2026, 11, 24, tzinfo=UTC)]
    app = guard(page(), clock=lambda: now[0])

    for _ in range(REPORTS_A_MINUTE):
        report(app, "https://ads.example/")
    report(app, "https://late.example/")
    report(app, "https://other.example/", client="198.51.100.7")
    now[0] += timedelta(minutes=1)
    report(app, "https://next.example/")

    assert "late.example" not in caplog.text
    assert "held other.example" in caplog.text
    assert "held next.example" in caplog.text


def test_made_up_reports_leave_room_for_what_others_report_and_for_the_pages_own_hosts(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    now = [datetime(2026, 11, 24, tzinfo=UTC)]
    app = guard(page(b"<!doctype html><body><img src=//late.example/p>"), clock=lambda: now[0])

    for number in range(REPORTED_HOSTS_TOLD + 10):
        now[0] += timedelta(minutes=5)  # seventeen hours
        report(app, f"https://made-up{number}.example/", client=f"203.0.113.{number}")
    told = caplog.text.count("reported by a browser")
    report(app, "https://real.example/", client="198.51.100.7")
    # A crowd: the day's room is used up, what pages hold has its own
    for number in range(REPORTED_HOSTS_TOLD):
        report(
            app,
            f"https://made-up{number}.net/",
            f"https://shop.example/{number}",
            client=f"198.51.{number}.9",
        )
    full = caplog.text.count("reported by a browser")
    ask(app)
    now[0] += timedelta(days=1)
    report(app, "https://tomorrow.example/")

    assert told == HOSTS_OF_NETWORK
    assert "held real.example" in caplog.text
    assert full == REPORTED_HOSTS_TOLD
    assert (
        "held late.example on /: it is not declared (<img src=https://late.example/p> in line 1); if it is the"
        in caplog.text
    )
    assert "held tomorrow.example" in caplog.text


@pytest.mark.parametrize(
    "more",
    [
        {"effective-directive": "frame-ancestors"},
        {"violated-directive": "plugin-types x"},
        {"original-policy": "default-src 'none'; report-uri /mine"},
        {"disposition": "report"},
    ],
)
def test_a_report_of_what_our_policy_cannot_have_stopped_is_dropped(
    guard: Guard, caplog: pytest.LogCaptureFixture, more: dict[str, str]
) -> None:
    app = guard(page())

    report(app, "https://late.example/", **more)
    assert "late.example" not in caplog.text

    policy = "default-src 'self'; report-uri https://shop.example/_cg/report"
    fine = {"effective-directive": "script-src-elem", "original-policy": policy, "disposition": "enforce"}
    report(app, "https://late.example/", **fine)
    assert "held late.example" in caplog.text


def test_who_agreed_to_everything_has_nothing_to_report(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    report(guard(page(), undeclared="report"), "https://late.example/")

    assert "late.example" not in caplog.text


@pytest.mark.parametrize(
    ("blocked", "told"),
    [
        ("http://203.0.113.77/x", "203.0.113.0"),
        ("http://[2001:db8:1:2::7]/x", "2001:db8:1::"),
        ("https://p203-0-113-77.dsl.example/x", "*.dsl.example"),
        ("https://100421739.track.example/x", "*.track.example"),
    ],
)
def test_an_address_that_is_reported_is_told_shortened(
    guard: Guard, caplog: pytest.LogCaptureFixture, blocked: str, told: str
) -> None:
    report(guard(page()), blocked)

    assert f"held {told} on" in caplog.text
    assert blocked.split("/")[2].strip("[]").split(".")[0] not in caplog.text.replace(told, "")


def test_many_forged_cookies_are_summed_up(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    now = [datetime(2026, 11, 24, tzinfo=UTC)]
    app = guard(page(DOCUMENT), clock=lambda: now[0])

    for number in range(500):
        ask(app, headers=[("cookie", f"__Host-cg_consent=forged{number}")])
    lines = [record.getMessage() for record in caplog.records if "malformed" in record.getMessage()]
    now[0] += timedelta(minutes=1)
    ask(app, headers=[("cookie", "__Host-cg_consent=forged")])

    assert len(lines) == EVENTS_A_MINUTE
    assert f"{500 - EVENTS_A_MINUTE} more in one minute" in caplog.text


def test_cookie_name_is_logged_without_the_part_of_one_visitor(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    names = (
        "visit_203.0.113.77",
        "basket_10042173",
        "seen_0123456789abcdef0",
        "from_ada@shop.invalid",
        "_pk_id.1.1fff",
    )

    ask(guard(page(DOCUMENT)), headers=[("cookie", "; ".join(f"{name}=1" for name in names))])

    told = [
        record.getMessage().split()[1].rstrip(",")
        for record in caplog.records
        if "cookie " in record.getMessage()
    ]
    assert told == ["visit_*", "basket_*", "seen_*", "from_*", "_pk_id.1.1fff"]
    assert 'name = "basket_*"' in caplog.text


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
