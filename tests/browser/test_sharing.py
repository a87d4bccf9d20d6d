"""Cookies that hosts of a domain share, cookies doubled by a change of settings, and a shop in a partner's frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from harness.browser import chromium, visitor
from harness.quick import some_of
from harness.servers import Server, serving
from playwright.sync_api import Browser, BrowserContext, Playwright

from cookieguard import Config, CookieGuard, CookieSpec, visitor_of
from cookieguard.config import CookieSettings

from .conftest import answer

DAY = 86400
WWW, PAY, PARTNER = "www.shop.test", "pay.shop.test", "www.partner.test"


async def shop(scope: Any, _: Any, send: Any) -> None:
    """Count the visits of a session, and frame the shop where the host is a partner's."""
    if scope["type"] != "http":
        return
    text = "icon"
    if scope["path"] == "/":
        scope["session"]["visits"] = scope["session"].get("visits", 0) + 1
        text = f"visits {scope['session']['visits']}, {visitor_of(scope).consent.state}"
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    # An icon of its own: the browser asks for /favicon.ico when it likes, and each answer resolves doubled cookies.
    page = f'<!doctype html><link rel="icon" href="data:,"><body><p>{text}</p></body>'
    await send({"type": "http.response.body", "body": page.encode()})


class Partner:
    """Another site that shows the shop in a frame."""

    def __init__(self) -> None:
        self.framed = ""

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        page = f'<!doctype html><iframe name="shop" src="{self.framed}"></iframe>'
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page.encode()})


@pytest.fixture(scope="module")
def faraway(driver: tuple[Playwright, str]) -> Iterator[Browser]:
    """Launch a Chromium that finds *.test here, takes any certificate, and partitions cookies."""
    arguments = (
        "--host-resolver-rules=MAP *.test 127.0.0.1",
        "--ignore-certificate-errors",
        "--test-third-party-cookie-phaseout",
    )
    with chromium(*driver, *arguments) as launched:
        yield launched


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make a certificate, as uvicorn's options."""
    folder = tmp_path_factory.mktemp("tls")
    issued = trustme.CA().issue_cert(WWW)
    issued.private_key_pem.write_to_path(str(folder / "key"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "chain"))
    return {"ssl_keyfile": str(folder / "key"), "ssl_certfile": str(folder / "chain")}


@contextmanager
def guarded(cookies: CookieSettings, tmp_path: Path, tls: dict[str, str]) -> Iterator[Server]:
    config = Config(state_dir=str(tmp_path / "state"), cookies=cookies)
    with serving(CookieGuard(shop, config), **tls) as server:
        yield server


def named(context: BrowserContext, name: str) -> list[str]:
    return [cookie["domain"] for cookie in context.cookies() if cookie["name"] == name]


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_one_answer_and_one_session_count_on_every_host_and_so_does_a_withdrawal(
    faraway: Browser, tmp_path: Path, tls: dict[str, str], javascript: bool
) -> None:
    with (
        guarded(CookieSettings(domain=".shop.test"), tmp_path, tls) as server,
        visitor(faraway, javascript=javascript) as context,
    ):
        page = context.new_page()
        page.goto(server.at(WWW))
        answer(page, "accept")
        page.goto(server.at(PAY))
        on_pay, asked_on_pay = page.inner_text("p"), page.locator("#cg-t").count()
        with page.expect_navigation():
            page.get_by_role("button", name="Withdraw").click()
        page.goto(server.at(WWW))

        assert (on_pay, asked_on_pay) == ("visits 3, all", 0)
        assert page.inner_text("p") == "visits 5, refused"
        assert page.locator("#cg-t").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cg_consent", ""], ids=["same-name", "default-names"])
def test_after_a_change_to_a_domain_and_back_one_answer_is_enough(
    faraway: Browser, tmp_path: Path, tls: dict[str, str], name: str
) -> None:
    """Show it with both copies in the browser: shadowing each other they would ask for ever."""
    own = {"name": name} if name else {"name": "__Host-cg_consent"}
    alone = CookieSettings(consent=CookieSpec(max_age=DAY, **own))
    shared = CookieSettings(consent=CookieSpec(max_age=DAY, domain="shop.test", **own))
    states, asked = [], []
    with visitor(faraway) as context:
        page = context.new_page()
        for cookies, choice in ((alone, "accept"), (shared, "reject"), (alone, "accept"), (shared, "reject")):
            with guarded(cookies, tmp_path, tls) as server:
                page.goto(server.at(WWW))
                if page.locator("#cg-t").count():
                    answer(page, choice)
                page.goto(server.at(WWW))
                states.append(page.inner_text("p").rpartition(" ")[2])
                asked.append(page.locator("#cg-t").count())

    assert states == ["all", "refused", "all", "refused"]
    assert asked == [0, 0, 0, 0]


def test_two_copies_of_one_name_are_resolved_by_one_answer(
    faraway: Browser, tmp_path: Path, tls: dict[str, str]
) -> None:
    shared = CookieSettings(consent=CookieSpec(name="cg_consent", max_age=DAY, domain="shop.test"))
    with guarded(shared, tmp_path, tls) as server, visitor(faraway) as context:
        page = context.new_page()
        page.goto(server.at(WWW))
        answer(page, "accept")
        context.add_cookies(
            [{"name": "cg_consent", "value": "planted", "url": server.at(WWW), "secure": True}]
        )
        both = sorted(named(context, "cg_consent"))
        page.goto(server.at(WWW))
        asked = page.locator("#cg-t").count()
        answer(page, "reject")
        page.reload()

        assert both == [".shop.test", WWW]
        assert asked == 1
        assert page.locator("#cg-t").count() == 0
        assert page.inner_text("p").endswith("refused")
        assert named(context, "cg_consent") == [".shop.test"]


def test_a_session_survives_inside_the_frame_of_another_site_only_where_it_was_made_for_it(
    faraway: Browser, tmp_path: Path, tls: dict[str, str]
) -> None:
    def second_load(cookies: CookieSettings) -> tuple[str, set[str]]:
        partner = Partner()
        with (
            guarded(cookies, tmp_path, tls) as server,
            serving(partner, **tls) as site,
            visitor(faraway) as context,
        ):
            partner.framed = server.at(WWW)
            page = context.new_page()
            page.goto(site.at(PARTNER))
            page.reload()
            frame = page.frame("shop")
            assert frame is not None
            return frame.inner_text("p"), {one["name"] for one in context.cookies()}

    def framed(name: str) -> CookieSettings:
        return CookieSettings(session=CookieSpec(name=name, max_age=DAY, same_site="None", partitioned=True))

    assert second_load(CookieSettings()) == ("visits 1, undecided", set())
    for name in ("__Host-s", "__Host-Http-s", "__Http-s"):
        assert second_load(framed(name)) == ("visits 2, undecided", {name})


@pytest.mark.slow
def test_a_change_to_partitioned_cookies_leaves_no_double_on_the_shops_own_pages(
    faraway: Browser, tmp_path: Path, tls: dict[str, str]
) -> None:
    """Show it for a choice: outside a frame a browser sends the copy in the partition and the one from before."""
    before = CookieSpec(name="__Host-cg_consent", max_age=DAY)
    after = CookieSpec(name="__Host-cg_consent", max_age=DAY, same_site="None", partitioned=True)
    with visitor(faraway) as context:
        page = context.new_page()
        with guarded(CookieSettings(consent=before), tmp_path, tls) as server:
            page.goto(server.at(WWW))
            answer(page, "accept")
        with guarded(CookieSettings(consent=after), tmp_path, tls) as server:
            page.goto(server.at(WWW))
            with page.expect_navigation():
                page.get_by_role("button", name="Withdraw").click()
            page.goto(server.at(WWW))
            if page.locator("#cg-t").count():
                answer(page, "reject")
            page.goto(server.at(WWW))

            assert page.locator("#cg-t").count() == 0
            assert page.inner_text("p").endswith("refused")
