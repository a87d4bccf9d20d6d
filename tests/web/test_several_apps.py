"""Several guarded apps on one host share cookies and keys; on different hosts they share neither."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from anyio import to_thread
from harness.asgi import Answer, ask
from httpx import ASGITransport, AsyncClient

from cookieguard import Config, CookieGuard, Vendor, access, mail, visitor_of
from cookieguard.config import DataKind, MailSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.records import customer
from cookieguard.mail.headers import MailError

SHOP = "shop.example"


async def app(scope: Any, _: Any, send: Any) -> None:
    visitor = visitor_of(scope)
    if scope["path"] == "/login":
        visitor.login("17")
    said = f"{visitor.customer} {sorted(visitor.consent.granted)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": said})


class Browser:
    """A browser with the cookies of one host."""

    def __init__(self) -> None:
        self.jar: dict[str, str] = {}

    def get(self, guard: CookieGuard, path: str = "/", host: str = SHOP) -> str:
        return self._keep(ask(guard, path=path, host=host, headers=self._cookies())).text

    def accept(self, guard: CookieGuard, host: str = SHOP) -> None:
        posted = [
            *self._cookies(),
            ("origin", f"https://{host}"),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ]
        answer = ask(
            guard, path="/_cg/consent", host=host, method="POST", headers=posted, body=b"next=/&choice=accept"
        )
        assert self._keep(answer).status == 303

    def code(self, guard: CookieGuard, host: str) -> str:
        """Ask for the code that opens this customer's orders, as logged in."""
        posted = [
            *self._cookies(),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ]
        path = "/_cg/permission"
        value = re.search(r'name="form" value="([^"]+)"', self.get(guard, path, host))
        assert value is not None
        body = urlencode({"scope": "orders", "form": value[1]}).encode()
        answer = ask(guard, path=path, host=host, method="POST", headers=posted, body=body)
        found = re.search(r'<strong dir="ltr">([0-9A-Z-]{9})</strong>', answer.text)
        assert found is not None
        return found[1]

    def _cookies(self) -> list[tuple[str, str]]:
        return [("cookie", "; ".join(f"{name}={value}" for name, value in self.jar.items() if value))]

    def _keep(self, answer: Answer) -> Answer:
        self.jar |= answer.cookies()
        return answer


def guard(state: Path, host: str = SHOP, *vendors: Vendor) -> CookieGuard:
    return CookieGuard(app, Config(state_dir=str(state), origins=(f"https://{host}",), vendors=vendors))


@pytest.mark.parametrize("is_shared", [True, False])
def test_apps_on_one_host_know_each_others_visitors_by_one_state_directory(
    tmp_path: Path, is_shared: bool
) -> None:
    shop, blog = guard(tmp_path / "state"), guard(tmp_path / ("state" if is_shared else "other"))
    browser = Browser()
    try:
        browser.accept(shop)
        assert browser.get(shop, "/login").startswith("17 ['marketing'")

        # Else as docs/deployment.md says
        assert browser.get(blog, "/blog").startswith("17 ['marketing'") == is_shared
        assert browser.get(shop).startswith("17") == is_shared
    finally:
        shop.close()
        blog.close()


def test_shops_of_two_countries_in_one_process_have_visitors_of_their_own(tmp_path: Path) -> None:
    ads = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",))
    here, there = guard(tmp_path / "state", "shop.de", ads), guard(tmp_path / "state", "shop.fr")
    browser, other = Browser(), Browser()
    try:
        browser.accept(here, "shop.de")
        browser.get(here, "/login", "shop.de")
        other.jar = dict(browser.jar)  # carried there by somebody

        assert browser.get(here, host="shop.de").startswith("17 ['marketing'")
        assert other.get(there, host="shop.fr") == "None ['necessary']"
    finally:
        here.close()
        there.close()


@pytest.mark.parametrize(
    ("states", "origins", "warnings"),
    [
        (("state", "state"), (["https://shop.de"], ["https://shop.fr"]), 1),
        (("state", "state"), (["https://shop.de"], ["https://shop.de"]), 0),
        (("state", "state"), (["https://shop.de", "https://shop.fr"], ["https://shop.fr"]), 0),
        (("state", "state"), ([], ["https://shop.fr"]), 0),
        (("state", "./state"), (["https://shop.de"], ["https://shop.fr"]), 1),
        (("state", "other"), (["https://shop.de"], ["https://shop.fr"]), 0),
    ],
)
def test_two_shops_that_share_their_customers_unawares_are_told_so(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    states: tuple[str, str],
    origins: tuple[Sequence[str], Sequence[str]],
    warnings: int,
) -> None:
    configs = [
        Config(state_dir=f"{tmp_path}/{at}", origins=tuple(of))
        for at, of in zip(states, origins, strict=True)
    ]
    with caplog.at_level(logging.WARNING, logger="cookieguard"):
        made = [CookieGuard(app, config) for config in configs]

    for one in made:
        one.close()
    told = [
        record.getMessage() for record in caplog.records if "share the state directory" in record.getMessage()
    ]
    assert len(told) == warnings
    assert all("https://shop.de and https://shop.fr" in line for line in told)


KIND = DataKind(id="order-mail", title="Order mail", purpose="To confirm orders", retention="10 years")


async def back_office(scope: Any, _: Any, send: Any) -> None:
    """Answer as a shop whose code calls functions that take no request."""
    query, said = scope["query_string"].decode(), ""
    if scope["path"] == "/login":
        visitor_of(scope).login("17")
    elif scope["path"] == "/stop":
        said = mail.headers("17", query)["List-Unsubscribe"]
    elif scope["path"] == "/confirm":
        headers = await to_thread.run_sync(mail.order_headers)
        await mail.order_sent("17", query, headers)
        said = headers["Message-ID"]
    elif scope["path"] == "/open":
        said = (await access.open("17", code=query, scope="orders", by="Sam")).scope
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": said.encode()})


def office(state: Path, host: str, list_: str) -> CookieGuard:
    config = Config(
        state_dir=str(state),
        origins=(f"https://{host}",),
        data=(KIND,),
        mail=MailSettings(orders="order-mail", sender=f"Kiln <orders@{host}>", lists=(list_,)),
        staff=StaffSettings(scopes=("orders",)),
    )
    return CookieGuard(back_office, config)


def test_calls_without_a_request_use_the_guard_whose_request_they_are_made_in(tmp_path: Path) -> None:
    one, other = office(tmp_path / "a", "shop.de", "news"), office(tmp_path / "b", "shop.fr", "offers")
    orders: dict[str, list[str]] = {}

    for guarded, host, list_ in ((one, "shop.de", "news"), (other, "shop.fr", "offers")):
        browser = Browser()
        browser.get(guarded, "/login", host)
        assert f"https://{host}/" in ask(guarded, path="/stop", query=list_, host=host).text
        assert ask(guarded, path="/confirm", query=host, host=host).text.endswith(f".order@{host}>")
        code = browser.code(guarded, host)
        assert ask(guarded, path="/open", query=code, host=host).text == "orders"
    for guarded, folder in ((one, "a"), (other, "b")):
        guarded.close()
        with closing(open_stores(place_of(guarded.config, tmp_path / folder, environ={}))) as stores:
            found = [json.loads(kept.record) for kept in read_subject(stores, customer("17")) if kept.record]
        orders[folder] = [record["cg:order"] for record in found if "cg:order" in record]

    assert orders == {"a": ["shop.de"], "b": ["shop.fr"]}


def test_an_app_that_asks_another_one_in_its_process_keeps_its_own_lists(tmp_path: Path) -> None:
    asked = office(tmp_path / "b", "shop.fr", "offers")

    async def asks(scope: Any, receive: Any, send: Any) -> None:
        async with AsyncClient(transport=ASGITransport(asked), base_url="https://shop.fr") as client:
            await client.get("/stop?offers")
        await back_office(scope, receive, send)

    config = Config(
        state_dir=str(tmp_path / "a"), origins=("https://shop.de",), mail=MailSettings(lists=("news",))
    )
    asking = CookieGuard(asks, config)
    try:
        assert "https://shop.de/" in ask(asking, path="/stop", query="news", host="shop.de").text
    finally:
        asking.close()
        asked.close()


def test_a_guard_without_lists_has_none_of_the_next_guards(tmp_path: Path) -> None:
    plain = CookieGuard(back_office, Config(state_dir=str(tmp_path / "a")))
    other = office(tmp_path / "b", "shop.fr", "offers")

    with pytest.raises(MailError, match="has no mailing lists"):
        ask(plain, path="/stop", query="offers")
    assert "https://shop.fr/" in mail.headers("17", "offers")["List-Unsubscribe"]  # a job beside the requests

    plain.close()
    other.close()
