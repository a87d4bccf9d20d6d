"""From a request to a row of statistics: hostile values raise no error, and personal data are left out."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given, settings
from hypothesis import strategies as st
from user_agents import parse

from cookieguard.stats.full_address import visitor_key
from cookieguard.stats.hits import COLUMNS, DIRECT, TEXT_COLUMNS, BotKind, Hit, HitKind
from cookieguard.stats.raw_hits import RawHit, Reader
from cookieguard.stats.text_cleaning import cleaned_path, referrer_host, utm_fields
from cookieguard.stats.user_agents import MAX_MAJOR, MAX_NAME, read_agent

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CHROME = b"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/156.0 Mobile Safari/537.36"
KEY = bytes(32)


def raw(**facts: object) -> RawHit:
    plain = {
        "kind": HitKind.VIEW,
        "time": NOON,
        "ended": NOON,
        "path": "/",
        "status": 200,
        "bytes_sent": 1,
        "host": "shop.example",
        "site": "",
        "agent": CHROME,
    }
    return RawHit(**plain | facts)  # type: ignore[arg-type]


def read(**facts: object) -> Hit:
    return Reader(own_hosts=frozenset({"shop-cdn.example"})).read(raw(**facts))


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (CHROME, ("Chrome", "156", "Android", "mobile", "")),
        (
            b"Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 Version/16.0 Safari/604.1",
            ("Mobile Safari UI/WKWebView", "16", "iOS", "tablet", ""),
        ),
        (b"Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/90.0 Mobile Safari/537.36", None),
        (b"", ("Other", "", "Other", "other", "other")),
        (b"curl/8.5.0", ("curl", "8", "Other", "other", "tool")),
        (
            b"Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            ("GPTBot", "1", "Other", "other", "ai"),
        ),
        (b"My-Own-Crawler/1.0", ("My-Own-Crawler", "1", "Other", "other", "other")),
        (b"LG-KP330", ("Other", "", "Other", "mobile", "")),
    ],
)
def test_agents_are_read(agent: bytes, expected: tuple[str, ...] | None) -> None:
    found = read_agent(agent)

    assert found.bot == "" if expected is None else found == expected


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
        "Mozilla/5.0 (iPad; U; CPU OS 4_3_2 like Mac OS X; en-us) AppleWebKit/533.17.9 Mobile/8H7 Safari",
        "Mozilla/5.0 (Linux; Android 14; SM-X200) AppleWebKit/537.36 Chrome/156.0 Safari/537.36",
        "Mozilla/5.0 (Linux; U; Android 1.6; de-de; Dell Streak Build/Donut) Version/3.1.2 Mobile Safari/525.20.1",
        "Mozilla/5.0 (PlayStation Vita 1.81) AppleWebKit/531.22.8 (KHTML, like Gecko) Silk/3.2",
        "Safari/10600.3.18 CFNetwork/720.2.4 Darwin/14.1.0 (x86_64)",
        "MyApp/1.0 CFNetwork/1410 Darwin/22.6.0",
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) Chrome/41.0 (compatible; Googlebot/2.1)",
    ],
)
def test_devices_are_those_that_all_patterns_give(agent: str) -> None:
    found = parse(agent)

    device = (
        "tablet" if found.is_tablet else "mobile" if found.is_mobile else "desktop" if found.is_pc else ""
    )
    assert read_agent(agent.encode()).device == (device or "other")
    assert bool(read_agent(agent.encode()).bot) == found.is_bot


def test_every_known_crawler_is_a_bot_of_some_kind() -> None:
    agents = [crawler["instances"][0] for crawler in CRAWLER_USER_AGENTS_DATA if crawler["instances"]][::5]

    kinds = {read_agent(agent.encode("latin-1", "replace")).bot for agent in agents}

    assert kinds == {kind.value for kind in BotKind}
    assert len(agents) > 200


@pytest.mark.parametrize(
    "agent",
    [
        b"Mozilla/5.0 Chrome/" + b"9" * 5000,
        b"Mozilla/5.0 (" + b"(" * 8000,
        b"\xff\x00\x1b[31m" * 500,
        b"Mozilla/5.0 Firefox/\xc2\xb2\xc2\xb3",  # digits that are no decimals
        b"Opera/" + b"1." * 4000,
    ],
)
def test_hostile_agents_cost_little_and_leave_little(agent: bytes) -> None:
    read_agent(b"warm")
    took = []
    for _ in range(3):  # a busy machine's caches are cold now and then
        start = time.thread_time()
        found = read_agent(agent)
        took.append(time.thread_time() - start)

    assert min(took) < 0.05
    assert len(found.browser) <= MAX_NAME
    assert len(found.major) <= MAX_MAJOR
    assert found.browser.isprintable()


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.text(max_size=100),
    st.text(),
)
def test_whatever_comes_becomes_a_row(
    agent: bytes, referrer: bytes, query: bytes, path: str, event: str
) -> None:
    hit = read(
        agent=agent, referrer=referrer, query=query, path=path, language=query, country=path, event=event
    )

    for name, value in zip(COLUMNS, hit, strict=True):
        assert type(value) is (str if name in TEXT_COLUMNS else int), name
        if isinstance(value, str):
            value.encode()  # no lone surrogates: no engine takes them


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/orders/1004217/ada@shop.example", "/orders/{id}/{id}"),
        ("/order-1004217", "/order-{id}"),
        ("/ip/203.0.113.7/x", "/ip/{id}/x"),
        ("/2001:db8::1/", "/{id}/"),
        ("/a/550e8400-e29b-41d4-a716-446655440000", "/a/{id}"),
        ("/reset/Zm9vYmFyMTIzNDU2Nzg5MGFiY2Rl", "/reset/{id}"),
        ("/product/sony-wh-1000xm4", "/product/sony-wh-1000xm4"),
        ("/blog/2026/11/hello", "/blog/2026/11/hello"),
        ("", "/"),
    ],
)
def test_paths_lose_what_names_one_person(path: str, kept: str) -> None:
    assert cleaned_path(path, folds_ids=True) == kept


@pytest.mark.parametrize(
    ("referrer", "host"),
    [
        (b"https://www.Search.example/?q=secret", "search.example"),
        (b"http://203.0.113.7/x", "(address)"),
        (b"http://0xcb007107/", "(address)"),
        (b"http://203-0-113-7.dsl.example/", "(address)"),
        (b"http://[2001:db8::1]/", "(address)"),
        (b"https://ada:secret@evil.example:8/", "evil.example"),
        (b"about:client", ""),
        (b"\xff", ""),
    ],
)
def test_referrers_keep_a_host_that_is_no_address(referrer: bytes, host: str) -> None:
    assert referrer_host(referrer) == host


# One person in many spellings, each as a segment of a path and as a field of a campaign.
PERSONAL = (
    "ada@shop.example",
    "ada%40shop.example",
    "ada%2540shop.example",
    "ada\uff20shop.example",
    "ada(at)shop.example",
    "ada [at] shop.example",
    "203.0.113.7",
    "203%2e0%2e113%2e7",
    "203_0_113_7",
    "203 . 0 . 113 . 7",
    "203 .0.113. 7",
    "203\u202d.0.113.7",
    "203\u2066.0.113.7",
    "203.0\ufe0f.113.7",
    "203\u115f.0.113.7",
    "203\u22c50\u22c5113\u22c57",
    "203\u200b.0.113\u00ad.7",
    "203\u30020\u3002113\u30027",
    "%E2%81%A0203\u00b70\u00b7113\u00b77",
    "0xcb.0.0x71.7 (203.0.113.7)",
    "ada\u200b@\u2060shop.example",
    "2001%3Adb8%3A%3A7",
    "3405803783",
    "10042173",
    "%31%30%30%34%32%31%37%33",
    "\uff11\uff10\uff10\uff14\uff12\uff11\uff17\uff13",
    "+49-151-1234-5678",
    "0151 1234 5678",
    "DE89 3704 0044 0532 0130 00",
    "5f3c9a1b7d2e4f60",
)
LEFT_OF_IT = re.compile(r"ada|example|203|113|2001|3405|1004|1234|0044|5f3c", re.I)


@pytest.mark.parametrize("personal", PERSONAL)
def test_no_spelling_of_a_person_is_kept(personal: str) -> None:
    as_query = quote(personal).encode()

    hit = read(
        path=f"/account/{personal}/orders",
        query=b"&".join(b"utm_%b=%b" % (name, as_query) for name in (b"source", b"campaign", b"content")),
        event=personal,
    )

    kept = [hit.page, hit.source, hit.campaign, hit.content, hit.event]
    assert [text for text in kept if LEFT_OF_IT.search(text)] == []
    assert hit.page.startswith("/account/")


@pytest.mark.parametrize(
    "name", ["Spring Sale 2026", "20261124", "news_2026-11-24", "spring_sale_2026_newsletter_de", "50% off"]
)
def test_names_of_campaigns_stay_readable(name: str) -> None:
    assert read(query=b"utm_campaign=" + quote(name).encode()).campaign == name


@pytest.mark.parametrize(
    "agent",
    [
        b"AdaLovelace4915112345678Bot/1.0",
        b"4915112345678spider/1.0",
        b"Mozilla/5.0 (compatible; 203.0.113.7bot/2.0)",
        b"Mozilla/5.0 (X11; Linux x86_64) Firefox/10042",
    ],
)
def test_an_agent_that_calls_itself_by_a_number_leaves_none(agent: bytes) -> None:
    hit = read(agent=agent)

    assert re.search(r"\d{5}|203", f"{hit.browser} {hit.browser_major} {hit.os}") is None


def test_a_number_in_the_host_of_a_referrer_is_folded() -> None:
    assert referrer_host(b"https://u1004217.customers.example/x") == "u{id}.customers.example"


def test_utm_fields_hold_no_mail_and_no_address() -> None:
    query = (
        b"utm_source=news%20letter&utm_campaign=ada%40b.example&utm_term=203.0.113.7&utm_source=x&id=10042"
    )

    assert utm_fields(query) == {"source": "news letter", "campaign": "(mail)", "term": "(address)"}


@pytest.mark.parametrize(
    ("referrer", "query", "source"),
    [
        (b"", b"", DIRECT),
        (b"https://shop.example/about", b"", ""),
        (b"https://shop-cdn.example/", b"", ""),
        (b"https://search.example/", b"", "search.example"),
        (b"https://shop.example/about", b"utm_source=mail", "mail"),
    ],
)
def test_source_is_where_a_view_came_from(referrer: bytes, query: bytes, source: str) -> None:
    hit = read(referrer=referrer, query=query)

    assert (hit.source, hit.entry) == (source, int(bool(source)))


def test_a_clock_that_was_set_gives_no_negative_duration() -> None:
    assert read(ended=NOON - timedelta(days=1)).duration == 0
    assert read(ended=NOON + timedelta(days=9)).duration == 86_400_000


def test_visitor_keys_differ_by_site_address_agent_and_day() -> None:
    facts = ("a.example", "203.0.113.7", b"x", KEY)
    others = [
        ("b.example", *facts[1:]),
        ("a.example", "203.0.113.8", b"x", KEY),
        ("a.example", "203.0.113.7", b"y", KEY),
        ("a.example", "203.0.113.7", b"x", b"1" * 32),
    ]

    assert visitor_key(*facts) == visitor_key("a.example", "::ffff:203.0.113.7", b"x", KEY)
    assert len({visitor_key(*one) for one in (facts, *others)}) == 5
    assert visitor_key("a", "2001:db8::1", b"", KEY) == visitor_key("a", "2001:db8::2", b"", KEY)  # one /64


@pytest.mark.parametrize(
    ("query", "term"),
    [
        (b"q=Blue++Mug&page=2", "blue mug"),
        (b"page=2&q=caf%C3%A9", "caf\xe9"),
        (b"q=ada%40shop.example", "(mail)"),
        (b"q=order+1004217", "order (number)"),
        (b"q=203.0.113.7", "(address)"),
        (b"q=" + b"x" * 61, ""),
        (b"query=mug", ""),
        (b"q=", ""),
        (b"", ""),
    ],
)
def test_what_was_searched_for_is_kept_without_a_person_in_it(query: bytes, term: str) -> None:
    reader = Reader(search=("q",))

    assert reader.read(raw(query=query)).search == term
    assert Reader().read(raw(query=query)).search == ""
    assert reader.read(raw(query=query, kind=HitKind.ERROR)).search == ""
