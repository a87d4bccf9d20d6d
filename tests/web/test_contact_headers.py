"""Response headers that make a browser contact a host: which ones stay, and which are removed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cookieguard.html import parse_url, resolve
from cookieguard.web.document.contact_headers import CONTACT_HEADERS, filter_contacts

SHOP = parse_url("https://shop.example/a/b")


def holds(reference: str) -> bool:
    url = resolve(reference, SHOP)
    return url is not None and url.host != SHOP.host


def kept(name: str, value: str) -> str:
    headers = filter_contacts([(name.encode(), value.encode("latin-1"))], holds)
    return headers[0][1].decode("latin-1") if headers else ""


# A browser keeps what an earlier answer said, while that was agreed to, until another one ends it.
ENDED = '{"group": "default", "max_age": 0}'


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("link", "</own.css>; rel=preload, <//ads.example/>; rel=preload", "</own.css>; rel=preload"),
        ("link", '<https://other.example/p>; rel="canonical"', '<https://other.example/p>; rel="canonical"'),
        (
            "link",
            "<//other.example/de>; REL=Alternate; hreflang=de",
            "<//other.example/de>; REL=Alternate; hreflang=de",
        ),
        ("link", '<//ads.example/a.css>; rel="alternate stylesheet"', ""),
        ("link", '<//ads.example/>; title="; rel=canonical"; rel=preconnect', ""),
        ("link", "<//ads.example/>; rel=canonical; rel=preconnect", ""),
        ("link", "<//ads.example/>", ""),
        ("link", '</a.gif>; rel=preload; as=image; imagesrcset="//ad\\s.example/c.gif 2x"', ""),
        ("link", '</a.gif>; rel=preload; as=image; imagesrcset="/b.gif 1x, //ads.example/c.gif 2x"', ""),
        ("link", "</a.gif>; rel=preload; as=image; ImageSrcSet=https://ads.example/b.gif", ""),
        (
            "link",
            '</a.gif>; rel=preload; as=image; imagesrcset="/b.gif 2x"; imagesizes="50vw"',
            '</a.gif>; rel=preload; as=image; imagesrcset="/b.gif 2x"; imagesizes="50vw"',
        ),
        ("link", '<//ads.example/>; rel=""', '<//ads.example/>; rel=""'),
        ("alt-svc", 'h3=":443"; ma=86400, h2=":8443"', 'h3=":443"; ma=86400, h2=":8443"'),
        ("alt-svc", 'h3="ads.example:443"; ma=86400', "clear"),
        ("alt-svc", 'h3="ads.example:443", h2=":443"; persist=1', 'h2=":443"; persist=1'),
        ("alt-svc", r'h3="ads\.example:443"; ma="1,2"', "clear"),
        ("alt-svc", "h3=ads.example:443", "clear"),
        ("alt-svc", 'h3="shop.example:443"', 'h3="shop.example:443"'),
        ("alt-svc", "clear", "clear"),
        ("refresh", "0; url=https://ads.example/", ""),
        ("refresh", "0 url=https://ads.example/", ""),
        ("refresh", "0;https://ads.example/", ""),
        ("refresh", "0 https://ads.example/a;b", ""),
        ("refresh", "soon; url='https://ads.example/'", ""),
        ("refresh", "1e0 https://ads.example/", ""),
        ("refresh", "5; url=/next", "5; url=/next"),
        ("refresh", "5", "5"),
        ("content-security-policy", r"img-src 'none'; report-uri /\ads.example/r", "img-src 'none';"),
        ("reporting-endpoints", r'a="/own", b="/\\ads.example/r"', ""),
        ("reporting-endpoints", 'a="/own"', 'a="/own"'),
        ("report-to", '{"endpoints":[{"url":"https://ads.example/r"}]}', ENDED),
        ("report-to", r'{"endpoints":[{"url":"https:\/\/ads.example\/r"}]}', ENDED),
        ("report-to", r'{"endpoints":[{"url":"https:\u002f\u002fads.example/r"}]}', ENDED),
        (
            "report-to",
            '{"group":"a","endpoints":[{"url":"/own"}]}, {"group":"b\\n","endpoints":[{"url":"//ads.example"}]}',
            '{"group": "a", "endpoints": [{"url": "/own"}]}, {"group": "b\\n", "max_age": 0}',
        ),
        ("report-to", '{"group":"a","max_age":0}', '{"group":"a","max_age":0}'),
        ("report-to", '{"endpoints":"//ads.example"}', ""),
        ("report-to", '{"//ads.example', ""),
        ("report-to", '{"url":"\\\\', ""),
        ("report-to", '{"endpoints":[/**/{"url":"http:ads.example/r"}]}', ""),
        ("report-to", "[" * 9000, "[" * 9000),
        ("report-to", r'{"endpoints":[{"url":"\/own"}]}', r'{"endpoints":[{"url":"\/own"}]}'),
        (
            "content-security-policy",
            "default-src 'self'; report-uri //ads.example/r, script-src 'none'",
            "default-src 'self';, script-src 'none'",
        ),
        (
            "content-security-policy",
            "img-src 'self', report-uri https://ads.example/r; script-src 'none'",
            "img-src 'self', script-src 'none'",
        ),
        ("content-security-policy", "report-uri /own; img-src 'self'", "report-uri /own; img-src 'self'"),
        ("x-own", "https://ads.example/", "https://ads.example/"),
        # Without `<` no browser makes a contact of it.
        ("link", 'https://ads.example/x; rel="alternate"', 'https://ads.example/x; rel="alternate"'),
        ("link", "https://ads.example/x; rel=preload", "https://ads.example/x; rel=preload"),
        ("link", "/a;rel=x,<https://ads.example/>;rel=preload, </b>", "/a;rel=x, </b>"),
        ("link", "/a; rel=x,</b>;rel=preload", "/a; rel=x,</b>;rel=preload"),
        ("link", "/a <https://ads.example/>; rel=preload", ""),
    ],
)
def test_only_what_reaches_nobody_held_stays(name: str, value: str, expected: str) -> None:
    assert kept(name, value) == expected


@given(
    st.sampled_from(sorted(CONTACT_HEADERS.keys() - {b"link"})),
    st.text("ab0,;<>\"'=/ \t", min_size=1, max_size=60),
)
@example(b"alt-svc", " ")
@example(b"alt-svc", 'h3=":443",')
def test_header_without_a_held_host_passes_unchanged(name: bytes, value: str) -> None:
    header = (name, value.encode())

    assert filter_contacts([header], lambda _: False) == [header]


def test_a_header_without_a_value_stays_beside_others() -> None:
    headers = [(b"x-empty", b""), (b"link", b"</own>; rel=preload"), (b"server", b""), (b"link", b"")]

    assert filter_contacts(headers, holds) == headers


def test_refresh_headers_are_judged_as_the_one_that_browsers_make_of_them() -> None:
    split = [(b"refresh", b"0"), (b"x", b"y"), (b"refresh", b"url=//ads.example/")]
    own = [(b"refresh", b"0"), (b"refresh", b"url=/own")]
    assert filter_contacts(split, holds) == [(b"x", b"y")]
    assert filter_contacts(own, holds) == own
