"""Visitors' pages report hosts that allowed scripts load without a declaration, and the owner sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.asgi import Answer, App, ask, page

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.consent import Register, declared_policy, site_of
from cookieguard.engines.files.undeclared_loads import read_undeclared_loads
from cookieguard.features.checks import examine
from cookieguard.web.undeclared_loads import HOSTS_A_DAY, LOADS_OF_NETWORK, VISITORS
from cookieguard.web.walls import MOST_DECLARED, WATCHED

Guard = Callable[..., CookieGuard]
CHAT = Vendor(name="Example Chat", purpose="preferences", hosts=("*.chat.example",))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
REPORT_ONLY = "content-security-policy-report-only"


def accepted(app: App, choice: bytes = b"choice=accept") -> tuple[str, str]:
    form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
    cookies = ask(app, path="/_cg/consent", method="POST", headers=form, body=choice).cookies()
    return "cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())


def report(
    app: App,
    cookie: tuple[str, str],
    blocked: str = "https://x.example/late.js?visitor=7",
    source: str = "https://js.chat.example/chat.js",
    *,
    client: str = "203.0.113.9",
    **more: str,
) -> Answer:
    facts = {
        "blocked-uri": blocked,
        "source-file": source,
        "document-uri": "https://shop.example/product/7?secret=1",
        "disposition": "report",
        "effective-directive": "script-src-elem",
        "original-policy": "default-src 'self'; report-uri /_cg/report",
    } | more
    headers = [("content-type", "application/csp-report"), ("sec-fetch-site", "same-origin"), cookie]
    body = json.dumps({"csp-report": facts}).encode()
    return ask(app, path="/_cg/report", method="POST", headers=headers, body=body, client=(client, 4711))


@pytest.fixture
def shop(guard: Guard, tmp_path: Path) -> Callable[..., CookieGuard]:
    def made(**settings: object) -> CookieGuard:
        return guard(
            page(b"<!doctype html><body>x"), **{"vendors": (CHAT,), "clock": lambda: NOW, **settings}
        )

    return made


def state_of(app: CookieGuard) -> Path:
    return Path(app._parts.config.state_dir)


def test_accepted_visitors_get_a_report_only_policy_on_one_document_of_ten(shop: Guard) -> None:
    app = shop()
    before = ask(app)
    cookie = accepted(app)

    answers = [ask(app, headers=[cookie]) for _ in range(2 * WATCHED)]

    found = [one.get(REPORT_ONLY) for one in answers if one.get(REPORT_ONLY)]
    assert not before.all(REPORT_ONLY)
    assert len(found) == 2
    assert "*.chat.example:*" in found[0]
    assert found[0].endswith("report-uri /_cg/report")


def test_partly_accepted_visits_and_shops_without_vendors_get_no_report_only_policy(shop: Guard) -> None:
    for settings, choice in (({}, b"choice=save&purpose=preferences"), ({"vendors": ()}, b"choice=accept")):
        app = shop(**settings)
        cookie = accepted(app, choice)

        assert not ask(app, headers=[cookie]).all(REPORT_ONLY)


def test_the_owner_hears_since_when_a_vendor_loads_what_it_did_not_declare(
    shop: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    app = shop()
    cookie = accepted(app)

    assert report(app, cookie).status == 204
    report(app, cookie)

    found = read_undeclared_loads(state_of(app))
    assert [one.line for one in found] == [
        "Example Chat has loaded x.example (/product/7) since Tuesday 2026-11-24"
    ]
    assert caplog.text.count("Example Chat loads x.example on /product/7") == 1
    assert (
        "first_party_hosts" not in caplog.text
    )  # nobody is asked to call what a vendor's script loads the shop's own
    assert "secret" not in caplog.text + (state_of(app) / "beyond").read_text()
    assert "visitor=7" not in (state_of(app) / "beyond").read_text()
    findings = examine(app._parts.config, environ={}, now=NOW + timedelta(days=1))
    told = [one for one in findings if one.check == "declarations"]
    assert told[0].is_fine
    assert "Example Chat has loaded x.example" in told[0].found
    assert told[0].advice


@pytest.mark.parametrize(
    "more",
    [
        {"blocked": "chrome-extension://abcdef/inject.js"},
        {"source": "moz-extension"},
        {"source": "safari-web-extension://7/x.js"},
        {"blocked": "https://gc.kis.v2.scr.kaspersky-labs.com/x/main.js"},
        {"blocked": "https://js.chat.example/more.js"},
        {"blocked": "https://shop.example/own.js"},
        {"blocked": "http://192.168.1.1/x"},
        {"blocked": "inline"},
        {"original-policy": "default-src 'none'; report-uri /mine"},
    ],
)
def test_what_extensions_put_into_a_page_and_what_is_declared_is_not_told(
    shop: Guard, more: dict[str, str]
) -> None:
    app = shop()
    cookie = accepted(app)

    report(app, cookie, **more)  # type: ignore[arg-type]

    assert read_undeclared_loads(state_of(app)) == []


def test_a_host_that_no_declared_script_asked_for_counts_once_several_visitors_report_it(shop: Guard) -> None:
    app = shop()
    cookie = accepted(app)
    for number in range(VISITORS - 1):
        for _ in range(3):
            report(app, cookie, source="", client=f"203.0.{number}.9")
    before = read_undeclared_loads(state_of(app))

    report(app, cookie, source="", client="198.51.100.7")

    assert before == []
    assert [(one.host, one.by) for one in read_undeclared_loads(state_of(app))] == [("x.example", "")]


def test_a_report_from_who_did_not_agree_to_everything_counts_for_nothing(shop: Guard) -> None:
    app = shop()

    report(app, accepted(app, b"choice=reject"))

    assert read_undeclared_loads(state_of(app)) == []


def test_made_up_reports_fill_neither_the_day_nor_the_disk(shop: Guard) -> None:
    now = [NOW.replace(hour=0)]
    app = shop(clock=lambda: now[0])
    cookie = accepted(app)

    for number in range(LOADS_OF_NETWORK + 5):
        now[0] += timedelta(minutes=20)  # eight hours
        report(app, cookie, f"https://made-up{number}.example/", client=f"203.0.113.{number}")
    one = len(read_undeclared_loads(state_of(app)))
    for number in range(HOSTS_A_DAY + 20):
        report(app, cookie, f"https://made{number}.example/", client=f"198.{number}.100.7")

    assert one == LOADS_OF_NETWORK
    assert len(read_undeclared_loads(state_of(app))) == HOSTS_A_DAY


def test_the_policy_that_reports_is_bounded_by_naming_domains_and_then_not_at_all() -> None:
    def policy(hosts: list[str]) -> bytes:
        vendor = Vendor(name="V", purpose="marketing", hosts=tuple(hosts))
        register = Register(purposes=Config().purposes, vendors=[vendor])
        return declared_policy(
            register, shop=site_of("shop.example"), report="/_cg/report", most=MOST_DECLARED
        )

    many_of_one = policy([f"host-number-{number}.vendor.example" for number in range(60)])

    assert b" vendor.example *.vendor.example " in many_of_one
    assert len(many_of_one) <= MOST_DECLARED
    assert policy([f"vendor-number-{number}.example" for number in range(90)]) == b""
