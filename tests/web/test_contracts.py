"""A vendor whose contract has ended is held for everybody, on every wall, until the contract is renewed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from harness.asgi import Answer, ask

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.check import examine
from cookieguard.consent import Register, site_of
from cookieguard.engines.doctor_settings import ending
from cookieguard.errors import ConfigError
from cookieguard.features.checks import examine as examine_shop

Guard = Callable[..., CookieGuard]
END = date(2026, 11, 24)
LAST = datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)
NEXT = LAST + timedelta(seconds=1)
ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), cookies=("_ad",), contract_end=END)
COUNT = Vendor(
    name="Count", purpose="statistics", hosts=("count.example",), inline=("ping()",), contract_end=None
)
PAGE = (
    b'<!doctype html><html><head><script src="https://ads.example/a.js"></script>'
    b'<script src="https://count.example/c.js"></script></head><body>Shop</body></html>'
)
POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]


async def shop(scope: Any, _: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/html")]
    if scope["path"] == "/seen":
        headers, body = [], dict(scope["headers"]).get(b"cookie", b"none")
    else:
        body = PAGE
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Clock:
    """A clock that stands still until a test sets it."""

    now = LAST

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def who_agreed(app: CookieGuard) -> str:
    answer = ask(app, path="/_cg/consent", method="POST", headers=POST, body=b"choice=accept&next=/")
    return answer.cookies()["__Host-cg_consent"] + "; _ad=1"


def shown(app: CookieGuard, cookie: str, path: str = "/") -> Answer:
    return ask(
        app, path=path, headers=[("cookie", f"__Host-cg_consent={cookie}"), ("sec-fetch-dest", "document")]
    )


def test_vendor_is_held_from_who_agreed_from_the_day_after_its_contract_ended(
    guard: Guard, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(shop, vendors=(ADS, COUNT), clock=clock)
    cookie = who_agreed(app)

    before, sees = shown(app, cookie), shown(app, cookie, "/seen")
    clock.now = NEXT
    with caplog.at_level(logging.WARNING, logger="cookieguard"):
        after, sees_then = shown(app, cookie), shown(app, cookie, "/seen")

    assert b'<script src="https://ads.example/a.js"' in before.body
    assert b'<script src="https://ads.example/a.js"' not in after.body
    assert b'<script src="https://count.example/c.js"' in after.body  # whose contract goes on
    policy = after.get("content-security-policy")
    assert "ads.example" not in policy
    assert "count.example" in policy
    assert (b"_ad=1" in sees.body, b"_ad=1" in sees_then.body) == (True, False)
    (line,) = [one.getMessage() for one in caplog.records if "contract_end" in one.getMessage()]
    assert "vendors.Ads.contract_end was 2026-11-24" in line
    assert "enter the new contract_end" in line


def test_shop_that_starts_after_the_end_holds_the_vendor_too(guard: Guard, clock: Clock) -> None:
    clock.now = NEXT + timedelta(days=400)
    app = guard(shop, vendors=(ADS, COUNT), clock=clock)

    assert b'<script src="https://ads.example/a.js"' not in shown(app, who_agreed(app)).body


def test_page_kept_from_the_day_before_is_not_shown_again(guard: Guard, clock: Clock) -> None:
    app = guard(shop, vendors=(ADS, COUNT), clock=clock)
    cookie = who_agreed(app)
    pages = [shown(app, cookie).body for _ in range(3)]  # a page that came before is kept
    clock.now = NEXT

    assert all(b'<script src="https://ads.example/a.js"' in one for one in pages)
    assert b'<script src="https://ads.example/a.js"' not in shown(app, cookie).body


def test_necessary_vendor_is_held_as_well_and_nobody_can_load_one_once() -> None:
    pay = Vendor(name="Pay", purpose="necessary", hosts=("pay.example",), reason="pays", contract_end=END)
    register = Register(purposes=Config().purposes, vendors=(pay, ADS), today=END + timedelta(days=1))
    site = site_of("shop.example")
    for host in ("pay.example", "ads.example"):
        verdict = register.judge(host, None, "/", shop=site)
        assert register.holds(verdict, frozenset(["necessary", "marketing", verdict.alone]))
        assert register.party(verdict.alone, shop=site) is None


def test_cookie_that_another_vendor_sets_too_stays(guard: Guard, clock: Clock) -> None:
    other = Vendor(name="Other", purpose="marketing", hosts=("other.example",), cookies=("_ad",))
    app = guard(shop, vendors=(ADS, other), clock=clock)
    cookie = who_agreed(app)
    clock.now = NEXT

    assert b"_ad=1" in shown(app, cookie, "/seen").body


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ({"basis": "law"}, "basis"),
        ({"purpose": "necessary", "basis": "contract"}, "reason"),
        ({"basis": "whim"}, "basis"),
        ({"role": "friend"}, "role"),
        ({"country": "de"}, "country"),
        ({"transfer": "hope"}, "transfer"),
        ({"retention": "a\nb"}, "retention"),
        ({"data": ("name", "name")}, "data"),
    ],
)
def test_what_the_register_cannot_hold_is_refused_by_name(field: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Vendor(**{"name": "Pay", "purpose": "marketing", "hosts": ("pay.example",), **field})

    assert refused.value.setting == f"vendors.Pay.{told}"


def test_basis_and_what_a_vendor_gets_are_shown_where_visitors_choose(guard: Guard) -> None:
    pay = Vendor(
        name="Pay",
        purpose="necessary",
        hosts=("pay.example",),
        basis="law",
        reason="§ 14 <b>GwG</b>",
        data=("name", "<i>address</i>"),
        retention="5 years",
        country="US",
    )
    app = guard(shop, vendors=(pay,))

    page = ask(app, path="/_cg/choices").text

    assert "Required by law: <bdi>&#167; 14 &lt;b&gt;GwG&lt;/b&gt;</bdi>" in page
    for told in ("&lt;i&gt;address&lt;/i&gt;", "5 years", ">US<"):
        assert told in page


def test_banner_names_who_is_always_on_by_law_or_contract(guard: Guard) -> None:
    pay = Vendor(
        name="Pay & Co", purpose="necessary", hosts=("pay.example",), basis="law", reason="§ 14 <b>GwG</b>"
    )
    asked = [("sec-fetch-dest", "document"), ("accept-language", "de")]

    banner = ask(guard(shop, vendors=(pay,)), headers=asked).text
    plain = ask(guard(shop, vendors=(replace(pay, basis=""),)), headers=asked).text

    said = "<bdi>Pay &amp; Co</bdi>: Gesetzlich vorgeschrieben (<bdi>&#167; 14 &lt;b&gt;GwG&lt;/b&gt;</bdi>)"
    assert said in banner
    assert "Pay &amp; Co" not in plain


def test_check_and_doctor_name_contracts_that_ended_or_end_soon(tmp_path: Any) -> None:
    soon = Vendor(
        name="Soon", purpose="marketing", hosts=("soon.example",), contract_end=END + timedelta(days=31)
    )
    abroad = Vendor(name="Abroad", purpose="marketing", hosts=("abroad.example",), country="US")
    config = Config(state_dir=str(tmp_path), vendors=(ADS, soon, abroad))
    today = END + timedelta(days=1)

    for found in (
        examine(config, today=today),
        examine_shop(config, environ={}, now=datetime(2026, 11, 25, tzinfo=UTC)),
    ):
        told = {one.check: one for one in found if one.check.startswith("vendor ")}
        assert (told["vendor Ads"].is_fine, told["vendor Soon"].is_fine) == (False, True)
        assert "ended on 2026-11-24" in told["vendor Ads"].found
        assert "contract_end" in told["vendor Ads"].mend
        assert "ends on 2026-12-25" in told["vendor Soon"].found
        assert "transfer = " in told["vendor Abroad"].advice
    assert ending(config, today=today - timedelta(days=1)) == [ADS]
