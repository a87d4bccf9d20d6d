"""`cookieguard check`: purposes called necessary, dark patterns, notice, the shop's own policy, exit codes for CI."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.commands import Shop
from harness.servers import wait_until

from cookieguard import Config, PolicyVersion
from cookieguard.check import examine
from cookieguard.check.settings import examine_banner
from cookieguard.config import (
    ConsentSettings,
    Controller,
    CookieSettings,
    OwnCookie,
    RightsSettings,
    Vendor,
)
from cookieguard.web.banner.renderer import Renderer

TODAY = datetime(2026, 11, 28, tzinfo=UTC).date()
SHOP = """
import os
from cookieguard import CookieGuard, Config

POLICY = os.environ.get("SHOP_POLICY", "")
PAGE = os.environ.get("SHOP_PAGE", "<!doctype html><html><head></head><body><h1>Mugs</h1></body></html>").encode()


async def shop(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan here")
    headers = [(b"content-type", os.environ.get("SHOP_TYPE", "text/html; charset=utf-8").encode())]
    headers += [(b"content-security-policy", POLICY.encode())] if POLICY else []
    status = 200 if scope["path"] == "/" else 404
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


app = CookieGuard(shop, Config(state_dir="state"), vendors=["youtube", "stripe"])
"""


pytestmark = pytest.mark.shop(files={"shop_to_check.py": SHOP})


def wrong(config: Config) -> dict[str, str]:
    return {one.check: f"{one.found}; {one.mend}" for one in examine(config, today=TODAY) if not one.is_fine}


def advised(config: Config) -> dict[str, str]:
    return {one.check: f"{one.found}; {one.advice}" for one in examine(config, today=TODAY) if one.advice}


def test_check_asks_for_the_controller_if_a_page_must_name_it() -> None:
    named = Controller(name="Mugs Ltd")
    whole = Controller(name="Mugs Ltd", address=("1 High Street", "Utrecht"))

    assert (
        "it lacks name and address; set both in [controller], the address as a list"
        in advised(Config())["controller"]
    )
    assert "it lacks address" in advised(Config(controller=named))["controller"]
    assert "controller" not in advised(Config(controller=whole))
    assert "controller" not in advised(Config(rights=RightsSettings(enabled=False)))


def test_a_shop_that_shows_no_way_to_ask_is_told_of_it() -> None:
    mail, login = Controller(email="privacy@shop.example"), RightsSettings(login_url="/login")

    assert "set rights.login_url" in advised(Config())["requests"]
    assert "requests" not in advised(Config(controller=mail))
    assert "requests" not in advised(Config(rights=login))


def test_the_defaults_and_a_list_of_names_are_fine() -> None:
    assert wrong(Config()) == {}
    assert wrong(Config(vendors=(Vendor(catalogue="stripe"), Vendor(catalogue="youtube")))) == {}


def test_necessary_without_a_reason_is_wrong_and_with_one_fine() -> None:
    pay = {"name": "Pay", "purpose": "necessary", "hosts": ("pay.example",)}

    assert wrong(Config(vendors=(Vendor(**pay),))) == {
        "vendor Pay": 'necessary without a reason; say why, reason = "..."'
    }
    assert wrong(Config(vendors=(Vendor(**pay, reason="visitors pay with it"),))) == {}


def test_a_captcha_is_necessary_only_with_the_owners_reason_and_the_catalogue_says_when() -> None:
    found = wrong(Config(vendors=(Vendor(catalogue="recaptcha", purpose="necessary"),)))

    assert "the French authority" in found["vendor Google reCAPTCHA"]


def test_what_the_catalogue_never_holds_for_necessary_is_doubted() -> None:
    pixel = Vendor(catalogue="meta-pixel", purpose="necessary", reason="sales")

    assert "knows no case" in advised(Config(vendors=(pixel,)))["vendor Meta Pixel"]


@pytest.mark.parametrize(
    ("origins", "told"),
    [
        ((), "they name the consent log for good"),
        (("https://shop.example", "http://localhost:8000"), ""),
        (("http://shop.localhost:8000", "http://127.0.0.1", "http://[::1]:8000"), ""),
        (("http://localhost.example",), "browsers drop Secure cookies"),
        (("http://notlocalhost",), "browsers drop Secure cookies"),
        (("http://shop.example", "http://localhost:8000"), "browsers drop Secure cookies"),
    ],
)
def test_origins_are_asked_for_before_anybody_chooses_and_a_developers_own_are_fine(
    origins: tuple[str, ...], told: str
) -> None:
    advice = advised(Config(origins=origins)).get("origins", "")

    assert told in advice
    assert bool(told) == bool(advice)


def test_a_trackers_host_among_the_shops_own_is_wrong_and_a_cdn_is_not() -> None:
    found = wrong(Config(first_party_hosts=("www.google-analytics.com", "res.cloudinary.com")))

    assert list(found) == ["first_party_hosts"]
    assert "Google Analytics" in found["first_party_hosts"]


@pytest.mark.parametrize("pattern", ["*.com", "*.co.uk", "*.localhost"])
def test_a_pattern_that_is_everybodys_is_wrong(pattern: str) -> None:
    of_vendor = wrong(Config(vendors=(Vendor(name="Ads", purpose="marketing", hosts=(pattern,)),)))
    of_shop = wrong(Config(first_party_hosts=(pattern,)))

    assert "covers the hosts of every owner below" in of_vendor["vendor Ads"]
    assert "first_party_hosts" in of_shop
    assert wrong(Config(first_party_hosts=("*.shop-assets.example",))) == {}


def test_a_domain_with_trackers_below_it_is_not_the_shops() -> None:
    assert (
        "belongs to Meta Pixel, not to the shop"
        in wrong(Config(first_party_hosts=("*.facebook.net",)))["first_party_hosts"]
    )


@pytest.mark.parametrize(
    ("policy", "is_wrong"),
    [
        ("form-action 'none'", True),
        ("form-action https://pay.example", True),
        ("sandbox allow-scripts", True),
        ("form-action 'self'", False),
        ("sandbox allow-forms", False),
        ("default-src 'self'", False),
    ],
)
def test_a_policy_of_the_shop_that_lets_nobody_answer_is_wrong(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, policy: str, is_wrong: bool
) -> None:
    monkeypatch.setenv("SHOP_POLICY", policy)

    done = shop.run("check", "shop_to_check:app")

    assert ("visitors can neither accept nor refuse" in done.stdout) == is_wrong
    assert done.returncode == int(is_wrong), done.stdout


def test_a_trackers_cookie_that_is_called_necessary_is_wrong() -> None:
    own = CookieSettings(own=(OwnCookie(name="_ga", purpose="necessary"),))

    assert "_ga is called necessary, but is Google Analytics's" in wrong(Config(cookies=own))["cookies.own"]


def test_settings_that_let_more_through_are_warned_of() -> None:
    found = advised(Config(undeclared="report", consent=ConsentSettings(gpc=False)))

    assert {"undeclared", "consent.gpc"} <= set(found)


@pytest.mark.parametrize(("days", "is_late"), [(3, True), (13, True), (14, False), (-1, None)])
def test_a_policy_that_comes_soon_is_to_be_announced(days: int, is_late: bool | None) -> None:
    policy = PolicyVersion(version="2", effective=TODAY + timedelta(days=days))
    found = [one for one in examine(Config(policy=policy), today=TODAY) if one.check == "policy notice"]

    assert [bool(one.advice) for one in found] == ([] if is_late is None else [is_late])


BANNER = Renderer(Config()).banner("en", base="/_cg/", next_="/").decode()
REFUSE = '<button name="choice" value="reject">'


def test_our_own_banner_is_fine() -> None:
    (found,) = examine_banner(BANNER)

    assert found.is_fine


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (REFUSE, '<button name="choice" value="later">', "first layer has no button that refuses"),
        (REFUSE, '<button hidden name="choice" value="reject">', "first layer has no button that refuses"),
        (REFUSE, '<button style="opacity:0" name="choice" value="reject">', "no button that refuses"),
        (
            REFUSE,
            '<button class="small" name="choice" value="reject">',
            "two buttons look different",
        ),
        (REFUSE, '<a name="choice" value="reject">', "two buttons look different"),
        (REFUSE, f"<details><summary></summary>{REFUSE}</details>", "refuses is inside <details>"),
        (
            'value="statistics"',
            'value="statistics" checked=""',
            "the box for statistics is ticked in advance",
        ),
        ("#cg summary{", "#cg [value=reject]{font-size:9px}#cg summary{", "may apply to one button only"),
        (
            "#cg summary{",
            "#cg .cg-a button:first-child{color:#ddd}#cg summary{",
            "may apply to one button only",
        ),
    ],
)
def test_each_dark_pattern_is_seen(before: str, after: str, fault: str) -> None:
    assert before in BANNER

    found = [one.found for one in examine_banner(BANNER.replace(before, after)) if not one.is_fine]

    assert any(fault in one for one in found), found


def test_an_app_is_asked_for_a_page_and_its_banner_is_looked_at(shop: Shop) -> None:
    done = shop.run("check", "shop_to_check:app")

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("refusing is as easy as accepting") == 2  # as configured, and in the page
    assert "Content-Security-Policy: the shop sends none" in done.stdout


def test_the_shops_own_policy_is_held_against_the_vendors(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "SHOP_POLICY", "default-src 'self'; script-src 'self' https://js.stripe.com; style-src 'self'"
    )

    done = shop.run("check", "shop_to_check:app", "--json")

    found = {one["check"]: one for one in json.loads(done.stdout)["checks"]}["Content-Security-Policy"]
    assert found["found"] == "it blocks YouTube"
    assert done.returncode == 0
    assert shop.run("check", "shop_to_check:app", "--strict").returncode == 1


def test_a_policy_that_shuts_out_the_banner_is_wrong(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_POLICY", "style-src 'none'")

    done = shop.run("check", "shop_to_check:app")

    assert done.returncode == 1
    assert "WRONG Content-Security-Policy: it blocks the banner's style" in done.stdout


def test_a_page_without_a_banner_is_wrong(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # Which the guard reads no more than browsers do
    monkeypatch.setenv("SHOP_TYPE", "text/html; charset=utf-7")

    done = shop.run("check", "shop_to_check:app")

    assert (done.returncode, "WRONG banner on /: the page has none" in done.stdout) == (1, True)


def test_a_page_that_asks_for_its_visitor_is_answered(shop: Shop) -> None:
    asking = """
from cookieguard import CookieGuard, visitor_of


async def app(scope, receive, send):
    page = f"<!doctype html><h1>{visitor_of(scope).customer or 'a guest'}</h1>".encode()
    headers = [(b"content-type", b"text/html"), (b"content-security-policy", b"default-src 'self'")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page})


app = CookieGuard(app, "cookieguard.toml")
"""
    (shop.directory / "asking_mugs.py").write_text(asking)
    (shop.directory / "cookieguard.toml").write_text('vendors = ["stripe"]')

    done = shop.run("check", "asking_mugs:app")

    assert (done.returncode, "WRONG" in done.stdout) == (0, False), done.stdout
    assert (
        "Content-Security-Policy: it blocks Stripe" in done.stdout
    )  # the shop's own policy was seen, not ours


def test_check_reports_an_answer_that_breaks_off(shop: Shop) -> None:
    broken = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    raise LookupError("mug")


app = CookieGuard(app, "cookieguard.toml")
"""
    (shop.directory / "broken_mugs.py").write_text(f"from cookieguard import CookieGuard\n\n{broken}")
    (shop.directory / "cookieguard.toml").touch()

    done = shop.run("check", "broken_mugs:app")

    assert (
        "WRONG page: GET / was not answered in full (LookupError: mug, in broken_mugs.py line " in done.stdout
    )
    assert done.returncode == 1


def test_a_host_that_the_app_does_not_take_for_its_own_is_told_with_the_setting(shop: Shop) -> None:
    """A fresh Django project takes localhost alone, and a check asks as the first of `origins`."""
    strict = """
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware

from cookieguard import CookieGuard

app = CookieGuard(TrustedHostMiddleware(Starlette(), allowed_hosts=["localhost"]), "cookieguard.toml")
"""
    (shop.directory / "strict_mugs.py").write_text(strict)
    (shop.directory / "cookieguard.toml").write_text('origins = ["https://shop.example"]')

    done = shop.run("check", "strict_mugs:app")

    assert (
        "WRONG page: GET / was answered with 400; let the app answer for shop.example (Django: ALLOWED_HOSTS), or "
        "choose a page that the app has: --page /path"
    ) in done.stdout


def test_check_reports_an_answer_of_another_type_as_no_page(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TYPE", "text/plain")

    done = shop.run("check", "shop_to_check:app")

    assert (done.returncode, "WRONG page: GET / was answered with text/plain" in done.stdout) == (1, True)


def test_a_tag_manager_behind_the_shops_own_host_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "<!doctype html><html><head></head><body><script src='/gtm.js?id=GTM-AB'></script></body></html>"
    monkeypatch.setenv("SHOP_PAGE", page)

    assert (
        "own hosts: / loads Google Tag Manager from the shop/gtm.js"
        in shop.run("check", "shop_to_check:app").stdout
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere:app"], 3, "app is nowhere:app (no module nowhere in"),
        (["shop_to_check:shop"], 3, "app is a function; allowed: what CookieGuard"),
        (["shop_to_check"], 3, "app is 'shop_to_check'; allowed: module:app"),
        (["shop_to_check:app", "--config", "x.toml"], 3, "--config is given with an app"),
    ],
)
def test_what_is_no_guarded_app_is_one_line(
    shop: Shop, arguments: list[str], code: int, message: str
) -> None:
    done = shop.run("check", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


def test_a_page_that_the_app_does_not_have_is_wrong(shop: Shop) -> None:
    done = shop.run("check", "shop_to_check:app", "--page", "/nowhere")

    assert done.returncode == 1
    assert "WRONG page: GET /nowhere was answered with 404; choose a page" in done.stdout


@pytest.mark.parametrize("path", ["/_cg/privacy", "/_cg/nothing"])
def test_a_page_of_ours_tells_nothing_of_the_app(shop: Shop, path: str) -> None:
    done = shop.run("check", "shop_to_check:app", "--page", path)

    assert done.returncode == 1
    assert (
        f"WRONG page: GET {path} was answered by cookieguard itself; choose a page that the app"
        in done.stdout
    )


def test_a_mistake_in_the_file_is_a_finding(shop: Shop) -> None:
    (shop.directory / "cookieguard.toml").write_text('vendors = ["google-analitics"]')

    done = shop.run("check")

    assert done.returncode == 1
    assert (
        "WRONG configuration: vendors is 'google-analitics'; allowed: a vendor in the catalogue"
        in done.stdout
    )


def test_no_state_directory_is_made_for_a_file(shop: Shop) -> None:
    (shop.directory / "cookieguard.toml").write_text('vendors = ["stripe"]')

    assert shop.run("check").returncode == 0
    assert not (shop.directory / ".cookieguard").exists()


TEXT = """---
announced: {announced}
effective: {effective}
material: true
summary:
  - More vendors.
---
# Privacy
"""


def test_the_texts_of_a_policy_are_read_and_too_short_a_notice_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    days = {"2026-01-01": "2026-01-01", "2026-12-20": "2026-12-01"}
    for effective, announced in days.items():
        (folder / effective).mkdir(parents=True)
        (folder / effective / "en.md").write_text(TEXT.format(announced=announced, effective=effective))
    config = Config(policy=PolicyVersion(folder=str(folder)))

    found = {one.check: one for one in examine(config, today=TODAY)}
    (folder / "2026-12-20" / "en.md").write_text(TEXT.format(announced="2026-12-10", effective="2026-12-20"))

    assert found["policy notice"].found == "2026-12-20 takes effect in 22 days, announced 2026-12-01"
    assert found["policy"].is_fine
    assert "at least 14 days after it" in wrong(config)["policy"]


LISTENS = """
import asyncio
from cookieguard import CookieGuard, Config


async def shop(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")
    assert (await receive())["type"] == "http.request"
    listening = asyncio.create_task(receive())
    await asyncio.sleep(0)
    assert not listening.done(), "a body of a request that has ended"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"<!doctype html><title>Mugs</title><h1>Mugs</h1>"})
    listening.cancel()


app = CookieGuard(shop, Config(state_dir="state"))
"""


def test_an_app_that_listens_for_who_goes_away_is_answered_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_that_listens.py").write_text(LISTENS)
    monkeypatch.syspath_prepend(str(tmp_path))

    done = Shop(tmp_path).run("check", "shop_that_listens:app")
    sys.modules.pop("shop_that_listens", None)

    assert "banner on /: refusing is as easy as accepting" in done.stdout
    assert done.returncode == 0, done.stdout


def test_a_scan_of_an_app_without_a_lifespan_ends_what_the_guard_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "shop_that_listens.py").write_text(LISTENS)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(threading.enumerate())

    done = Shop(tmp_path).run("scan", "shop_that_listens:app", "--no-browser")
    sys.modules.pop("shop_that_listens", None)

    assert done.returncode == 0, done.stderr
    # Each by itself: nobody waits for one that is at something.
    wait_until(lambda: not guards_of(set(threading.enumerate()) - before), "what the guard runs ends")
    assert not [one for one in caplog.records if "down" in one.getMessage()]


def guards_of(threads: set[threading.Thread]) -> list[threading.Thread]:
    return [one for one in threads if "cookieguard" in one.name.lower()]


def test_a_check_is_no_visit_and_needs_no_key(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOKIEGUARD_ENV", "production")

    done = shop.run("check", "shop_to_check:app")

    assert done.returncode == 0, done.stdout
    assert not (shop.directory / "state").exists()


def test_a_page_is_asked_for_with_its_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_that_searches.py").write_text(
        LISTENS.replace("assert (await", "assert scope['query_string'] == b'q=mug'\n    assert (await")
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    done = Shop(tmp_path).run("check", "shop_that_searches:app", "--page", "/search?q=mug")
    sys.modules.pop("shop_that_searches", None)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "5 warnings, nothing wrong"), ('first_party_hosts = ["*.com"]', "5 warnings, 2 wrong")],
)
def test_it_ends_with_the_count_of_warnings_and_of_what_is_wrong(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "cookieguard.toml").write_text(text)

    done = Shop(tmp_path).run("check")

    lines = done.stdout.splitlines()
    assert lines[-1] == told
    assert sum(line.startswith("warn ") for line in lines) == int(told[0])
    assert sum(line.startswith("WRONG") for line in lines) == 2 * done.returncode


def test_shop_without_consent_needs_no_banner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_that_asks_nobody.py").write_text(
        LISTENS.replace("Config(", "Config(consent=ConsentSettings(enabled=False), ").replace(
            "import asyncio", "import asyncio\nfrom cookieguard.config import ConsentSettings"
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    done = Shop(tmp_path).run("check", "shop_that_asks_nobody:app")
    sys.modules.pop("shop_that_asks_nobody", None)

    assert done.returncode == 0, done.stdout
    assert "warn  banner: visitors are not asked" in done.stdout


def test_a_policy_in_a_folder_is_linked_by_itself(tmp_path: Path) -> None:
    assert "privacy policy" not in advised(Config(policy=PolicyVersion(folder=str(tmp_path))))


def test_an_app_that_does_not_start_is_told_for_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_that_does_not_start.py").write_text(
        "from cookieguard import CookieGuard\nfrom starlette.applications import Starlette\n\n"
        "class Lifespan:\n    def __init__(self, app):\n        pass\n    async def __aenter__(self):\n"
        "        raise ConnectionError('no database')\n    async def __aexit__(self, *_):\n        pass\n\n"
        "app = CookieGuard(Starlette(lifespan=Lifespan))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    done = Shop(tmp_path).run("check", "shop_that_does_not_start:app")
    sys.modules.pop("shop_that_does_not_start", None)

    assert done.returncode == 1
    assert "the app did not start: ConnectionError: no database" in done.stdout
