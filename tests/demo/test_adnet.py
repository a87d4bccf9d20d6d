"""The ad network in process: it serves every tag and records each request except those for its own log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from demo_site.adnet import create_app
from demo_site.adnet.log import MOST_RECORDS, Log
from demo_site.adnet.profile import profiles_of

SERVED = [
    ("/tag.js?id=GL-4711", "script", "text/javascript"),
    ("/audience.js", "script", "text/javascript"),
    ("/analytics.js", "script", "text/javascript"),
    ("/widget.js", "script", "text/javascript"),
    ("/pixel.gif?ev=PageView", "pixel", "image/gif"),
    ("/embed/video?v=x", "frame", "text/html"),
    ("/embed/map?q=x", "frame", "text/html"),
    ("/embed/sync", "frame", "text/html"),
    ("/style.css", "style", "text/css"),
    ("/font/reel-hand.ttf", "font", "font/ttf"),
    ("/banner.svg", "image", "image/svg+xml"),
    ("/avatar.svg", "image", "image/svg+xml"),
]


Site = Callable[[Any, str], Any]


@pytest.fixture
def client(browser_for: Site) -> Any:
    """Give a browser that speaks to a fresh ad network."""
    return browser_for(create_app(), "http://ads.localhost:8001")


def records(client: Any) -> list[dict[str, Any]]:
    """Read the log as tests do."""
    listed: list[dict[str, Any]] = client.get("/_log.json").json()
    return listed


@pytest.mark.parametrize(("path", "kind", "media_type"), SERVED)
def test_what_tags_ask_for_is_served_uncached_and_recorded(
    client: Any, path: str, kind: str, media_type: str
) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.headers["cache-control"] == "no-store"
    assert [(one["kind"], one["path"]) for one in records(client)] == [(kind, path.partition("?")[0])]


@pytest.mark.parametrize("path", ["/nope", "/embed/nope", "/embed/../log", "/log.js", "/favicon.ico", "/"])
def test_other_paths_are_not_found_but_recorded(client: Any, path: str) -> None:
    assert client.get(path).status_code == 404

    assert len(records(client)) == 1


def test_a_beacon_is_recorded_with_host_page_cookie_and_body(client: Any) -> None:
    headers = {
        "host": "metrics.localhost:8001",
        "referer": "http://shop.localhost:8000/",
        "cookie": "gl_uid=abc",
    }

    answer = client.post("/collect?via=beacon", content=b"dl=%2Fcart&uid=7", headers=headers)

    [record] = records(client)
    assert answer.status_code == 204
    assert record["method"] == "POST"
    assert (record["host"], record["site"], record["kind"]) == (
        "metrics.localhost",
        "shop.localhost",
        "beacon",
    )
    assert (record["query"], record["body"], record["cookie"]) == (
        "via=beacon",
        "dl=%2Fcart&uid=7",
        "gl_uid=abc",
    )


def test_the_log_does_not_record_itself(client: Any) -> None:
    for path in ("/_log", "/_log.json", "/_log/log.css", "/_log/log.js", "/_log/nope"):
        client.get(path)

    assert records(client) == []


def test_clearing_forgets_everything(client: Any) -> None:
    client.get("/pixel.gif")

    page = client.post("/_log/clear")

    assert page.url.path == "/_log"
    assert "Nothing at all" in page.text
    assert records(client) == []


def test_every_origin_may_read_and_is_told_so(client: Any) -> None:
    asked = client.send("OPTIONS", "/collect", headers={"origin": "http://shop.localhost:8000"})

    assert asked.headers["access-control-allow-origin"] == "http://shop.localhost:8000"
    assert asked.headers["access-control-allow-credentials"] == "true"
    assert records(client)[0]["kind"] == "preflight"


def test_a_new_browser_gets_a_cookie_once(client: Any) -> None:
    first = client.get("/pixel.gif")
    second = client.get("/pixel.gif", headers={"cookie": "gl_uid=abc"})

    assert "gl_uid=" in first.headers["set-cookie"]
    assert "set-cookie" not in second.headers


def test_the_log_page_escapes_what_strangers_send(client: Any) -> None:
    evil = "<script>alert(1)</script>"
    client.post(
        f"/collect?uid={evil}&via={evil}",
        content=f"dl={evil}".encode(),
        headers={"referer": evil, "cookie": evil},
    )

    page = client.get("/_log").text

    assert "alert(1)" in page
    assert evil not in page


def test_the_log_page_counts_silent_shops_too(browser_for: Site) -> None:
    client = browser_for(create_app(shops={"shop.localhost": "Guarded shop"}), "http://ads.localhost:8001")
    client.get("/pixel.gif", headers={"referer": "http://unguarded.localhost:8002/"})

    page = " ".join(client.get("/_log").text.split())

    assert '<div class="card none"><b>0</b><span>Guarded shop</span>' in page
    assert '<div class="card some"><b>1</b><span>unguarded.localhost</span>' in page


def test_frames_and_style_sheets_pass_on_which_shop_embedded_them(client: Any) -> None:
    headers = {"referer": "http://shop.localhost:8000/"}

    for path in ("/embed/video?v=x", "/embed/map?q=x", "/embed/sync", "/style.css"):
        assert "site=shop.localhost" in client.get(path, headers=headers).text


def test_the_log_is_bounded_but_counts_all(client: Any) -> None:
    log: Log = client.app.state.log
    client.get("/pixel.gif")
    log.records.extend([log.records[0]] * (MOST_RECORDS + 10))

    client.post("/collect", content=b"x" * 100_000)

    assert len(log.records) == MOST_RECORDS
    assert log.total == 2
    assert len(log.records[-1].body) <= 600


def test_a_profile_gathers_pages_deeds_and_the_customer_number(client: Any) -> None:
    for told in (
        "dl=http://s/cart",
        "dl=http://s/cart",
        "dl=http://s/account&customer=10042",
        "did=/cart/add KK-101",
    ):
        client.get(f"/pixel.gif?uid=7&{told}")
    client.get("/pixel.gif?ev=PageView")

    [profile] = profiles_of(client.app.state.log.records)

    assert (profile.id, profile.requests, profile.customer) == ("7", 4, "10042")
    assert profile.pages == ["/cart", "/account"]
    assert profile.events == ["/cart/add KK-101"]
