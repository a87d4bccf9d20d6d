"""A reduced user agent names browser, major version and system, and no model, build or app."""

from __future__ import annotations

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.stats.reduced_user_agent import reduced
from cookieguard.stats.user_agents import read_agent

MOZILLA, WEBKIT = "Mozilla/5.0 ", "AppleWebKit/537.36 (KHTML, like Gecko) "
SAME = [
    MOZILLA + "(X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    MOZILLA + f"(Windows NT 10.0; Win64; x64) {WEBKIT}Chrome/142.0.0.0 Safari/537.36",
    MOZILLA + f"(Linux; Android 10; K) {WEBKIT}Chrome/142.0.0.0 Mobile Safari/537.36",
    MOZILLA
    + "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    MOZILLA + "(Android 14; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0",
    MOZILLA + "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
    "I am nobody",
    "-",
    "",
]
CUT = {
    MOZILLA
    + f"(Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) {WEBKIT}Version/4.0 Chrome/131.0.6778.86 Mobile "
    "Safari/537.36 [FB_IAB/FB4A;FBAV/300.0.0.29.110;FBDV/SM-S918B]": MOZILLA
    + f"(Linux; Android 14; wv) {WEBKIT}Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A]",
    MOZILLA
    + "(iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "Instagram 300.0.0.29.110 (iPhone15,2; iOS 17_5_1; de_DE; scale=3.00; 1179x2556; 523711)": MOZILLA
    + "(iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "Instagram 300.0.0.29.110",
    MOZILLA + f"(X11; CrOS x86_64 14541.23.5) {WEBKIT}Chrome/120.0.6099.235 Safari/537.36": MOZILLA
    + f"(X11; CrOS x86_64 14541.0.0) {WEBKIT}Chrome/120.0.0.0 Safari/537.36",
    "ShopApp/3.12.7 (de.shop.app; build:8812; iOS 17.5.1) Alamofire/5.9.1": "ShopApp/3.12.0 Alamofire/5.9.0",
}
IN_AN_APP, *OTHERS = CUT
BROWSERS = [*SAME[:5], *OTHERS[:2]]


@pytest.mark.parametrize("agent", SAME)
def test_user_agent_that_the_browser_already_reduced_is_unchanged(agent: str) -> None:
    assert reduced(agent.encode()).decode() == agent


@pytest.mark.parametrize("agent", CUT)
def test_models_builds_and_small_versions_go(agent: str) -> None:
    assert reduced(agent.encode()).decode() == CUT[agent]


@pytest.mark.parametrize("agent", BROWSERS)
def test_a_parser_sees_the_same_browser_system_and_device(agent: str) -> None:
    assert read_agent(reduced(agent.encode())) == read_agent(agent.encode())


def test_user_agent_of_an_app_is_reduced_to_its_browser() -> None:
    found = read_agent(reduced(IN_AN_APP.encode()))

    assert found[2:] == read_agent(IN_AN_APP.encode())[2:] == ("Android", "mobile", "")
    assert found.browser == "Chrome Mobile WebView"


def test_every_known_bot_is_still_one() -> None:
    agents = [
        one.encode() for crawler in CRAWLER_USER_AGENTS_DATA for one in crawler["instances"] if one.isascii()
    ][::7]

    lost = [agent for agent in agents if read_agent(agent).bot and not read_agent(reduced(agent)).bot]

    print(f"{len(lost)} of {len(agents)} bots are none any more", lost[:9])
    assert len(lost) <= len(agents) // 100


@given(st.text("()[];/. aZ09_Chrome", max_size=60).map(str.encode))
def test_an_agent_that_was_reduced_is_not_reduced_further(agent: bytes) -> None:
    once = reduced(agent)

    assert len(once) <= len(agent)
