"""Several guarded apps: on one host they share cookies and so keys, on hosts of their own nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask

from cookieguard import Config, CookieGuard, Vendor, visitor_of

SHOP = "shop.example"


async def app(scope: Any, _: Any, send: Any) -> None:
    visitor = visitor_of(scope)
    if scope["path"] == "/login":
        visitor.login("17")
    said = f"{visitor.customer} {sorted(visitor.consent.granted)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": said})


class Browser:
    """Be a browser with the cookies of one host."""

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
