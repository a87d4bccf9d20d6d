"""A tracker behind the shop's own host is reported to the owner once, with the settings that hold it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest
from harness.asgi import ask, page

from cookieguard import CookieGuard
from cookieguard.config import Vendor, config_from_mapping, load_catalogue

Guard = Callable[..., CookieGuard]
SCRIPT = [("content-type", "text/javascript")]
TAG = b"<!doctype html><html><head><script src=https://sst.shop.example/gtm.js></script></head><body></body></html>"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "on the shop's own host" in one.getMessage()]


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("/gtm.js", "id=GTM-ABC123", "Google Tag Manager"),
        ("/metrics/g/collect", "v=2&tid=G-ABC", "Google Analytics"),
        ("/matomo/matomo.php", "action_name=x&idsite=1", "Matomo"),
        ("/fbevents.js", "", "Meta Pixel"),
    ],
)
def test_a_request_for_a_trackers_path_is_told_once(
    guard: Guard, caplog: pytest.LogCaptureFixture, path: str, query: str, name: str
) -> None:
    app = guard(page(b"", headers=SCRIPT))

    for _ in range(2):
        ask(app, path=path, query=query)

    (line,) = told(caplog)
    assert line.startswith(f"shop.example{path} looks like {name} on the shop's own host")


@pytest.mark.parametrize(
    ("path", "query"),
    [("/gtm.js", "v=7"), ("/g/collect", "tid=1"), ("/collect", "v=2"), ("/js/app.js", "id=GTM-A"), ("/", "")],
)
def test_the_shops_own_files_are_not_taken_for_a_tracker(
    guard: Guard, caplog: pytest.LogCaptureFixture, path: str, query: str
) -> None:
    ask(guard(page(b"", headers=SCRIPT)), path=path, query=query)

    assert told(caplog) == []


def test_path_that_the_shop_does_not_have_is_not_reported(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    ask(guard(page(b"", status=404)), path="/gtm.js", query="id=GTM-A")

    assert told(caplog) == []


def test_a_tag_that_leads_to_another_host_of_the_shop_is_told(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    answer = ask(guard(page(TAG)))

    (line,) = told(caplog)
    assert "sst.shop.example/gtm.js looks like Google Tag Manager" in line
    assert b"src=https://sst.shop.example/gtm.js" in answer.body  # told, not held


def test_the_lines_hold_it(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    ask(guard(page(TAG), vendors=()))
    lines = told(caplog)[0].partition("\n")[2]
    caplog.clear()

    answer = ask(guard(page(TAG), vendors=config_from_mapping(tomllib.loads(lines)).vendors))

    assert b"data-cg-src=https://sst.shop.example/gtm.js" in answer.body
    assert told(caplog) == []


def test_the_lines_of_a_vendor_keep_the_hosts_that_it_shares(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(page(b"<!doctype html><title>x</title>"), vendors=(Vendor(catalogue="google-analytics"),))

    ask(app, path="/metrics/g/collect", query="v=2&tid=G-1")

    lines = told(caplog)[0].partition("\n")[2]
    (found,) = config_from_mapping(tomllib.loads(lines)).vendors
    assert set(Vendor(catalogue="google-analytics").hosts) < set(found.hosts)


def test_an_unknown_query_leaves_the_path_to_decide() -> None:
    catalogue = load_catalogue()

    assert (one := catalogue.by_path("/gtm.js")) is not None
    assert one.id == "google-tag-manager"
    assert catalogue.by_path("/gtm.js", "") is None
    assert catalogue.by_path("/app.js") is None
