"""Promises that a shop can test in its own suite."""

from __future__ import annotations

from typing import Any

import pytest
from shop import PAGE

from cookieguard.testing import assert_no_third_party, third_parties

PAY = ["*.pay.example"]


@pytest.mark.parametrize("state", [{}, {"consent": "none"}, {"gpc": True}], ids=str)
def test_nobody_hears_of_a_visitor_who_did_not_agree(visitor_page: Any, state: dict[str, Any]) -> None:
    page = visitor_page(**state)
    page.goto("/")

    assert_no_third_party(page, allowed=PAY)


def test_the_check_sees_what_is_there(visitor_page: Any, recorder: Any) -> None:
    page = visitor_page(consent="none")
    page.goto("/")

    with pytest.raises(AssertionError, match=r"contacted third parties:\n  https://js\.pay\.example/pay\.js"):
        assert_no_third_party(page)
    assert recorder.hosts == {"js.pay.example"}


def test_analytics_loads_for_who_agreed(visitor_page: Any, recorder: Any) -> None:
    page = visitor_page(consent=["statistics"])
    page.goto("/")

    assert page.evaluate("cookieguard.state") == "partly"
    assert third_parties(page, allowed=PAY) == ["https://tags.analytics.example/a.js"]
    assert recorder.hosts == {"js.pay.example", "tags.analytics.example"}


def test_a_connection_without_a_request_is_heard(visitor_page: Any) -> None:
    page = visitor_page(profile=True)
    page.route("**/bare", lambda route: route.fulfill(body=PAGE, content_type="text/html"))

    page.goto("/bare")

    assert set(third_parties(page)) == {
        "a connection to fonts.example",
        "https://js.pay.example/pay.js",
        "https://tags.analytics.example/a.js",
    }


def test_a_browser_with_a_profile_connects_to_nobody(visitor_page: Any) -> None:
    page = visitor_page(profile=True, consent="none")
    page.goto("/")

    assert page.locator("#cg").is_visible()
    assert_no_third_party(page, allowed=PAY)


def test_no_banner_is_in_the_way_of_who_chose(visitor_page: Any) -> None:
    page = visitor_page(consent="none", customer=1042)
    page.goto("/")

    assert page.inner_text("#who") == "1042"
    assert page.locator("button[value=accept]").count() == 0


def test_a_client_is_somebody_too(visitor_client: Any) -> None:
    assert "1042" in visitor_client(customer="1042", consent="all").get("/").text
    assert "guest" in visitor_client().get("/").text


def test_a_typing_error_in_a_purpose_is_said(make_visitor: Any) -> None:
    with pytest.raises(
        ValueError, match="consent is 'statistic'; allowed: 'all', 'none', or purposes of nec"
    ):
        make_visitor(consent="statistic")


def test_in_process_without_a_server(guarded_app: Any) -> None:
    from starlette.testclient import TestClient

    from cookieguard.testing import prepare_visitor

    made = prepare_visitor(guarded_app, "https://testserver", customer="7", consent="all")
    answer = TestClient(guarded_app, base_url=made.url, **made.for_httpx).get("/")

    assert ">7<" in answer.text
    assert "tags.analytics.example/a.js" in answer.text
