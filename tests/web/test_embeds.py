"""Placeholders, "load once" and "always": their texts, what a grant allows, and what it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from harness.asgi import HTML, Answer, App, ask, page
from harness.shops import NOW, VENDORS

from cookieguard import CookieGuard, Vendor

Guard = Callable[..., CookieGuard]
FORM = ("content-type", "application/x-www-form-urlencoded")
OWN = ("sec-fetch-site", "same-origin")
OPENED = [OWN, ("sec-fetch-dest", "document"), ("accept", "text/html")]
CAME_FROM = ("referer", "https://shop.example/p")
COOKIE = "__Host-cg_consent"
VIDEO = Vendor(
    name="Reel & Co", purpose="preferences", hosts=("video.example",), privacy_url="https://v.example/p"
)
ALL = (*VENDORS, VIDEO)
FRAME = b'<iframe id="film" title="A film" src="https://video.example/1" width="560" height="315"></iframe>'
PAGE = (
    b"<!doctype html><html lang=en><head></head><body>"
    + FRAME
    + b'<script src="//ads.example/a.js"></script>'
)
ONCE = {"act": "once", "party": "@vendor Reel & Co", "next": "/p?a=1", "at": "film"}


def frame(answer: Answer, tag: str = "iframe") -> dict[str, str]:
    found = re.search(rf"<{tag}([^>]*)>", answer.text)
    assert found
    return {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', found[1])}


def show(app: App, path: str = "/", **options: Any) -> Answer:
    return ask(app, path=path, headers=OPENED, **options)


def place(answer: Answer) -> ElementTree.Element:
    return ElementTree.fromstring(frame(answer)["srcdoc"].removeprefix("<!doctype html>"))


def fields(form: ElementTree.Element) -> dict[str, str]:
    return {one.get("name", ""): one.get("value", "") for one in form.iter("input")}


def post(app: App, said: Mapping[str, str], *headers: tuple[str, str], **options: Any) -> Answer:
    options.setdefault("path", "/_cg/embed")
    sent = [FORM, *(headers or (OWN,))]
    return ask(app, method="POST", headers=sent, body=urlencode(said).encode(), **options)


def follow(app: App, location: str, headers: Any = OPENED, **options: Any) -> Answer:
    path, _, query = location.partition("#")[0].partition("?")
    return ask(app, path=path, query=query, headers=headers, **options)


def once(app: App, **said: str) -> str:
    return post(app, ONCE | said).get("location")


def is_let_in(answer: Answer) -> bool:
    policy, is_live = answer.get("content-security-policy"), ' src="https://video.example/1"' in answer.text
    assert is_live == (" video.example:*" in policy), "the walls do not agree"
    return is_live


def test_a_placeholder_says_what_is_held_whose_it_is_for_what_and_offers_both_actions(guard: Guard) -> None:
    answer = show(guard(page(PAGE), vendors=ALL), "/p", query="a=1")

    document = place(answer)
    text = " ".join("".join(document.itertext()).split())
    form = document.find(".//form")
    assert form is not None
    assert "A film" in text
    assert re.search("From .?Reel & Co.?. Purpose: .?Preferences", text)
    assert [one.get("value") for one in form.iter("button")] == ["once", "always"]
    assert {name: fields(form)[name] for name in ("party", "next", "at")} == {
        name: ONCE[name] for name in ("party", "next", "at")
    }
    assert (form.get("method"), form.get("action"), form.get("target")) == ("post", "/_cg/embed", "_parent")
    assert (form.get("data-turbo"), form.get("hx-boost")) == ("false", "false")
    assert document.find(".//a[@href='https://v.example/p']") is not None
    assert not list(document.iter("script"))
    assert frame(answer)["width"] == "560"
    assert not is_let_in(answer)


@pytest.mark.parametrize(
    ("lang", "says", "way"), [("de", "Einmal laden", "ltr"), ("ar", "التحميل هذه المرة", "rtl")]
)
def test_a_placeholder_speaks_the_language_of_its_page(guard: Guard, lang: str, says: str, way: str) -> None:
    app = guard(page(PAGE.replace(b"lang=en", b"lang=" + lang.encode())), vendors=ALL)

    document = place(ask(app))

    assert (document.get("lang"), document.get("dir")) == (lang, way)
    assert says in "".join(document.itertext())


@pytest.mark.parametrize(
    ("says", "colours"),
    [
        (b"", "light"),
        (b'<meta name="color-scheme" content="light dark">', "light dark"),
        (b"<meta content='DARK' name=Color-Scheme />", "dark"),
        (
            b'<meta name="color-scheme" content="only light"><meta name="color-scheme" content="dark">',
            "light",
        ),
        (b'<meta name="color-scheme" content="&quot;><script>">', "light"),
    ],
)
def test_a_placeholder_has_the_colours_that_its_page_can_have(
    guard: Guard, says: bytes, colours: str
) -> None:
    """A frame is told what the system likes: a dark box in a light shop."""
    app = guard(page(PAGE.replace(b"<head>", b"<head><meta charset=utf-8>" + says)), vendors=ALL)

    document = place(ask(app))

    assert [one.get("content") for one in document.iter("meta") if one.get("name") == "color-scheme"] == [
        colours
    ]
    shown = ask(app, path="/_cg/place", query=f"party=@vendor+Reel+%26+Co&scheme={colours.replace(' ', '+')}")
    assert f'<meta name="color-scheme" content="{colours}"/>' in shown.text


def test_title_and_path_are_escaped_in_the_placeholder(guard: Guard) -> None:
    hostile = b"&quot;>&lt;/title>&lt;script>alert(1)&lt;/script>CG-NEXT"
    app = guard(page(PAGE.replace(b"A film", hostile)), vendors=ALL)

    answer = show(app, "/<script>", query='"><script>')

    document = place(answer)
    assert '"></title><script>alert(1)</script>CG-NEXT' in "".join(document.itertext())
    assert not list(document.iter("script"))
    assert fields(document)["next"] == "/%3Cscript%3E?%22%3E%3Cscript%3E"


def test_load_once_leads_back_with_a_grant_that_this_page_alone_honours(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []
    app = guard(page(PAGE, seen=seen), vendors=ALL)

    answer = post(app, ONCE)
    location = answer.get("location")
    opened = follow(app, location)

    assert answer.status == 303
    assert not answer.all("set-cookie")
    assert re.fullmatch(r"/p\?a=1&cg-once=[A-Za-z0-9._-]+#film", location)
    assert is_let_in(opened)
    assert FRAME.decode() in opened.text
    assert "data-cg-src" in opened.text  # the advertising stays held
    assert "ads.example" not in opened.get("content-security-policy")
    assert opened.get("cache-control") == "private, no-store"
    assert seen[-1]["query_string"] == opened.scope["query_string"] == b"a=1"
    assert not is_let_in(follow(app, "/p?a=1"))


@pytest.mark.parametrize(
    "change",
    [
        lambda location: location.replace("/p?", "/other?"),
        lambda location: location.replace("a=1", "a=2"),
        lambda location: location.replace("a=1&", ""),
        lambda location: location.replace("#film", "x#film"),
        lambda location: re.sub("cg-once=.", "cg-once=9", location),
        lambda location: location.replace("&cg-once=", "&cg-once=&cg-once="),
        lambda location: location.replace("#", "&cg-once=2.x.y.z#"),
        lambda location: "/p?a=1&cg-once=",
        lambda location: "/p?a=1&cg-once=" + "A" * 5000,
        lambda location: "/p?a=1&cg-once=%00%0d%0a",
    ],
)
def test_a_grant_that_is_not_genuine_or_not_for_this_page_lets_nobody_in(
    guard: Guard, change: Callable[[str], str]
) -> None:
    app = guard(page(PAGE), vendors=ALL)
    location = once(app)

    answer = follow(app, change(location))

    assert is_let_in(follow(app, location))
    assert answer.status == 303
    assert "cg-once" not in answer.get("location")
    assert not is_let_in(follow(app, answer.get("location")))


def test_a_grant_lasts_sixty_seconds(guard: Guard) -> None:
    now = [NOW]
    app = guard(page(PAGE), vendors=ALL, clock=lambda: now[0])
    location = once(app)

    now[0] = NOW + timedelta(seconds=59)
    early = follow(app, location)
    now[0] = NOW + timedelta(seconds=60)
    late = follow(app, location)

    assert is_let_in(early)
    assert (late.status, late.get("location")) == (303, "/p?a=1")


def test_a_grant_is_good_on_its_own_host_and_under_its_own_keys_only(guard: Guard, tmp_path: Path) -> None:
    app = guard(page(PAGE), vendors=ALL)
    elsewhere = guard(page(PAGE), vendors=ALL, state_dir=str(tmp_path / "other"))
    location = once(app)

    assert follow(app, location, host="other.example").status == 303
    assert follow(elsewhere, location).status == 303
    assert is_let_in(follow(elsewhere, once(elsewhere)))


@pytest.mark.parametrize(
    "headers",
    [
        [("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")],
        [("sec-fetch-site", "same-site"), ("sec-fetch-dest", "document")],
        [("sec-fetch-site", "none"), ("sec-fetch-dest", "document")],
        [("accept", "text/html")],
        [("accept", "text/html"), ("referer", "https://evil.example/")],
    ],
)
def test_a_link_from_elsewhere_with_somebody_elses_grant_lets_nobody_in(
    guard: Guard, headers: list[tuple[str, str]]
) -> None:
    app = guard(page(PAGE), vendors=ALL)
    location = once(app)

    answer = follow(app, location, headers=headers)

    assert (answer.status, answer.get("location")) == (303, "/p?a=1")
    assert is_let_in(
        follow(app, location, headers=[("accept", "text/html"), ("referer", "https://shop.example/p")])
    )


def test_page_that_a_script_fetches_gets_no_load_once_grant(guard: Guard) -> None:
    app = guard(page(PAGE), vendors=ALL)
    location = once(app)

    assert not is_let_in(follow(app, location, headers=[OWN, ("sec-fetch-dest", "empty")]))
    # As a script it passes as it is, should a cache show it then.
    as_script = follow(app, location, headers=[OWN, ("sec-fetch-dest", "script")])
    assert "video.example" not in as_script.get("content-security-policy") != ""


def test_a_grant_for_a_post_lets_nobody_in(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []
    app = guard(page(PAGE, seen=seen), vendors=ALL)

    answer = follow(app, once(app), method="POST")

    assert not is_let_in(answer)
    assert seen[-1]["query_string"] == b"a=1"


def test_the_grant_is_in_no_address_the_app_or_a_log_sees(guard: Guard, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    app = guard(page(PAGE, seen=seen), vendors=ALL)
    location = once(app).partition("#")[0]
    from_there = [
        ("referer", f"https://shop.example{location}"),
        ("hx-current-url", f"https://shop.example{location}"),
    ]

    follow(app, location)
    ask(app, path="/next", headers=from_there)
    app.close()

    assert len(seen) == 2
    assert "cg-once" not in str(seen)
    assert dict(seen[1]["headers"])[b"referer"] == b"https://shop.example/p?a=1"
    logs = b"".join(log.read_bytes() for log in (tmp_path / "state" / "logs").iterdir())
    assert b"/next" in logs
    assert b"cg-once" not in logs


def test_no_cache_takes_a_page_with_a_grant_for_another(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []
    app = guard(
        page(PAGE, seen=seen, headers=[*HTML, ("etag", '"x"'), ("cache-control", "public, max-age=60")]),
        vendors=ALL,
    )

    plain, lifted = follow(app, "/p?a=1"), follow(app, once(app))
    again = follow(app, once(app), headers=[*OPENED, ("if-none-match", plain.get("etag"))])

    assert plain.get("etag") != lifted.get("etag")
    assert lifted.get("cache-control") == "max-age=60, private, no-store"
    assert plain.get("cache-control") == "max-age=60, private"
    assert b"if-none-match" not in dict(seen[-1]["headers"])
    assert is_let_in(again)


def test_an_address_that_says_the_words_but_holds_no_grant_is_the_apps(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []
    app = guard(page(PAGE, seen=seen), vendors=ALL)

    assert follow(app, "/p?x=cg-once=1&xcg-once=2").status == 200
    assert seen[-1]["query_string"] == b"x=cg-once=1&xcg-once=2"


def test_always_is_consent_for_the_purpose_and_keeps_what_was_agreed_to(guard: Guard) -> None:
    app = guard(page(PAGE), vendors=ALL)
    consent = ask(
        app, path="/_cg/consent", method="POST", headers=[FORM, OWN], body=b"choice=save&purpose=statistics"
    )
    before = ("cookie", f"{COOKIE}={consent.cookies()[COOKIE]}")

    answer = post(app, ONCE | {"act": "always"}, OWN, before)
    cookie = ("cookie", f"{COOKIE}={answer.cookies()[COOKIE]}")
    opened = follow(app, "/p?a=1", headers=[*OPENED, cookie])

    assert (answer.status, answer.get("location")) == (303, "/p?a=1#film")
    assert is_let_in(opened)
    assert "*.count.example" in opened.get("content-security-policy")
    assert "ads.example" not in opened.get("content-security-policy")
    assert FRAME.decode() in opened.text


def test_under_an_opt_out_signal_both_actions_count_since_the_visitor_chose_them(guard: Guard) -> None:
    app, signal = guard(page(PAGE), vendors=ALL), ("sec-gpc", "1")

    answer = post(app, ONCE | {"act": "always"}, OWN, signal)
    cookie = ("cookie", f"{COOKIE}={answer.cookies()[COOKIE]}")

    assert not is_let_in(follow(app, "/p?a=1", headers=[*OPENED, signal]))
    assert is_let_in(follow(app, once(app), headers=[*OPENED, signal]))
    assert is_let_in(follow(app, "/p?a=1", headers=[*OPENED, signal, cookie]))


@pytest.mark.parametrize(
    "headers",
    [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("referer", "https://shop.example/")],
    ],
)
@pytest.mark.parametrize("act", ["once", "always"])
def test_only_a_page_of_the_shop_may_post(guard: Guard, act: str, headers: list[tuple[str, str]]) -> None:
    answer = post(guard(page(PAGE), vendors=ALL), ONCE | {"act": act}, *headers)

    assert answer.status == 403
    assert not answer.all("location")
    assert not answer.all("set-cookie")


@pytest.mark.parametrize(
    "next_", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example"]
)
def test_the_way_back_is_local(guard: Guard, next_: str) -> None:
    app = guard(page(PAGE), vendors=ALL)

    assert once(app, next=next_).startswith("/?cg-once=")
    assert once(app, at="x\r\nset-cookie: a=b").count("#") == 0
    assert once(app, next="/p#//evil").startswith("/p?cg-once=")
    assert follow(app, "//evil.example/?cg-once=x").get("location") == "/"


def test_load_once_without_a_named_page_returns_to_the_referer(guard: Guard) -> None:
    app = guard(page(b"<p>" + FRAME), vendors=ALL)
    piece = ask(app, headers=[("hx-request", "true"), ("accept", "text/html")])
    named = {**ONCE, "next": fields(place(piece))["next"]}

    answer = post(app, named, OWN, ("referer", "https://shop.example/list?page=2"))

    assert named["next"] == ""
    assert answer.get("location").startswith("/list?page=2&cg-once=")
    assert post(app, named).get("location").startswith("/?cg-once=")


@pytest.mark.parametrize(
    "party",
    [
        "",
        "@vendor Nobody",
        "@host ",
        "@host shop.example",
        "@host www.shop.example",
        "@host ads.example",
        "statistics",
        "@host video.example:1",
        "@host x;script-src *",
        "@host [::1]",
        "@host " + "a" * 300,
        "@host A.example",
    ],
)
def test_load_once_of_an_unknown_or_malformed_party_is_a_bad_request(guard: Guard, party: str) -> None:
    assert post(guard(page(PAGE), vendors=ALL), ONCE | {"party": party}).status == 400


@pytest.mark.parametrize("act", ["", "accept", "ONCE"])
def test_what_is_no_action_is_refused_in_one_line(guard: Guard, act: str) -> None:
    answer = post(guard(page(PAGE), vendors=ALL), ONCE | {"act": act})

    assert answer.status == 400
    assert answer.text.count("\n") == 1


def test_undeclared_host_can_be_loaded_once_and_always_only_if_that_would_allow_it(
    guard: Guard,
) -> None:
    app = guard(page(PAGE))
    buttons = [one.get("value") for one in place(ask(app)).iter("button")]
    alone = guard(page(PAGE), vendors=())
    both = [one.get("value") for one in place(ask(alone)).iter("button")]
    opened = follow(app, once(app, party="@host video.example"))

    assert buttons == ["once"]
    assert place(ask(app)).find(".//a[@href='/_cg/choices']") is not None
    assert both == ["once", "always"]
    assert is_let_in(opened)
    assert "data-cg-src" in opened.text


@pytest.mark.parametrize(
    ("host", "name", "whose"),
    [
        ("www.youtube.com", "YouTube", "YouTube (www.youtube.com)"),
        ("www.google.com", "www.google.com", "www.google.com"),  # of several, by their paths
        ("video.example", "video.example", "video.example"),
    ],
)
def test_undeclared_host_of_the_catalogue_is_shown_with_its_name(
    guard: Guard, host: str, name: str, whose: str
) -> None:
    document = place(
        ask(guard(page(f'<iframe src="https://{host}/1" width="560" height="315"></iframe>'.encode())))
    )
    said = [
        re.sub("[\u2066-\u2069]", "", "".join(one.itertext())).strip()
        for one in document.iter()
        if one.tag in ("h1", "p")
    ]

    assert said[0] == name
    assert said[1] == f"From {whose}. Purpose: Marketing."
    assert said[2].startswith(f"Once loaded, {name} learns")
    assert fields(document.find(".//form"))["party"] == f"@host {host}"


def test_blocked_undeclared_hosts_get_no_placeholder(guard: Guard) -> None:
    app = guard(page(PAGE), undeclared="block")

    assert ' srcdoc="' not in ask(app).text
    assert " data-cg-src=" in ask(app).text
    assert post(app, ONCE | {"party": "@host video.example"}).status == 400


def test_without_consent_of_ours_there_is_no_placeholder_and_nowhere_to_post(guard: Guard) -> None:
    from cookieguard.config import ConsentSettings

    app = guard(page(PAGE), vendors=ALL, consent=ConsentSettings(enabled=False))

    assert ' srcdoc="' not in ask(app).text
    assert " data-cg-src=" in ask(app).text
    assert post(app, ONCE).status == 404


@pytest.mark.parametrize(
    ("policy", "style"),
    [
        ("", '<link rel="stylesheet" href="/_cg/embed.'),
        ("default-src 'self'", '<link rel="stylesheet" href="/_cg/embed.'),
        ("style-src 'nonce-abc'", '<style nonce="abc">'),
        ("style-src 'unsafe-inline'", "<style>"),
        ("style-src 'none'", "<title>"),
    ],
)
def test_a_placeholder_is_styled_as_the_shops_own_policy_allows(
    guard: Guard, policy: str, style: str
) -> None:
    headers = [*HTML, *([("content-security-policy", policy)] if policy else [])]

    assert style in frame(ask(guard(page(PAGE, headers=headers), vendors=ALL)))["srcdoc"]


def test_under_a_foreign_base_and_a_root_path_the_form_still_leads_home(guard: Guard) -> None:
    based = PAGE.replace(b"<head>", b"<head><base href=https://cdn.shop.example/x/>")
    app = guard(page(based), vendors=ALL)

    document = place(show(app, "/eu/p", root_path="/eu"))

    assert document.find(".//form[@action='https://shop.example/eu/_cg/embed']") is not None
    assert fields(document)["next"] == "/eu/p"
    location = post(app, ONCE | {"next": "/eu/p"}, path="/eu/_cg/embed", root_path="/eu").get("location")
    assert is_let_in(follow(app, location, root_path="/eu"))


@pytest.mark.parametrize("path", ["/caf\u00e9/a%2Fb", "/a b", "/a'(b)"])
def test_a_path_of_any_spelling_is_come_back_to(guard: Guard, path: str) -> None:
    app = guard(page(PAGE), vendors=ALL)
    next_ = fields(place(show(app, path)))["next"]

    location = once(app, next=next_)

    assert is_let_in(follow(app, location.replace(next_, path)))


def test_an_object_loads_the_placeholder_as_a_page_of_ours(guard: Guard) -> None:
    tag = b'<object data="https://video.example/1" type="application/pdf" width="500"></object>'
    app = guard(page(b"<!doctype html><body>" + tag), vendors=ALL)

    said = frame(show(app, "/p"), "object")
    shown = follow(app, said["data"], headers=[OWN, ("sec-fetch-dest", "object")])

    assert said["data-cg-type"] == "application/pdf"
    assert said["title"].startswith("Not loaded: ")
    assert fields(ElementTree.fromstring(shown.body.removeprefix(b"<!doctype html>")))["next"] == "/p"
    assert "frame-ancestors 'self'" in shown.get("content-security-policy")
    assert "default-src 'none'" in shown.get("content-security-policy")
    assert "no-store" in shown.get("cache-control")
    assert follow(app, said["data"], headers=OPENED).status == 404
    assert (
        follow(app, "/_cg/place?party=@vendor+Nobody", headers=[("sec-fetch-dest", "object")]).status == 404
    )


def test_after_thirty_placeholders_a_frame_holds_a_link_to_its_own(guard: Guard) -> None:
    tags = [b'<iframe src="//a%d.example/"></iframe>' % number for number in range(1800)]
    written = b"<!doctype html><html lang=en><body>" + b"".join(tags)
    app = guard(page(written), vendors=ALL)

    answer = ask(app, headers=[*OPENED, ("accept-language", "de")], path="/p")

    found = [unescape(one) for one in re.findall(r' srcdoc="([^"]*)"', answer.text)]
    assert ["<form" in one for one in found] == [True] * 30 + [False] * 1770
    assert len(answer.body) < 7 * len(written)
    inner = ElementTree.fromstring(found[30])
    assert inner.text == "a30.example"
    shown = follow(
        app,
        inner.attrib["href"],
        headers=[OWN, ("sec-fetch-dest", "iframe"), ("accept-language", "de"), CAME_FROM],
    )
    document = ElementTree.fromstring(shown.body.removeprefix(b"<!doctype html>"))
    assert document.get("lang") == "de"
    assert fields(document) | {"banner": ""} == {
        "party": "@host a30.example",
        "next": "/p",
        "at": re.findall(r"at=(cg-[0-9a-f]{8})", answer.text)[0],
        "banner": "",
    }


@pytest.mark.parametrize(
    ("policy", "short"),
    [
        ("default-src 'none'; style-src 'self'; frame-src https://video.example", 0),
        ("child-src 'none'", 0),
        ("frame-src 'self' https://video.example", 1),
        ("default-src https:", 1),
        ("script-src 'none'", 1),
    ],
)
def test_a_placeholder_is_short_where_the_shops_policy_lets_its_link_open_in_the_frame(
    guard: Guard, policy: str, short: int
) -> None:
    body = b"<!doctype html><body>" + FRAME * 31
    app = guard(page(body, headers=[*HTML, ("content-security-policy", policy)]))

    found = [unescape(one) for one in re.findall(r' srcdoc="([^"]*)"', ask(app, headers=OPENED).text)]

    assert ["<form" in one for one in found] == [True] * (31 - short) + [False] * short


def test_the_short_placeholder_escapes_what_it_names(guard: Guard) -> None:
    named = Vendor(name="A \"b\" 'c' & <i>", purpose="preferences", hosts=("video.example",))
    sandboxed = b'<iframe sandbox title="A film" src="https://video.example/1"></iframe>'
    app = guard(page(b"<!doctype html><body>" + FRAME * 30 + sandboxed), vendors=(*VENDORS, named))

    last = ask(app, headers=OPENED).text.rpartition("<iframe")[2]

    inner = ElementTree.fromstring(unescape(re.findall(r' srcdoc="([^"]*)"', last)[0]))
    assert inner.text == named.name
    assert "allow-scripts" not in last
    assert "allow-forms" in last
    assert last.count(' title="') == 1


def test_a_page_that_somebody_is_let_in_to_takes_the_grant_out_of_its_address_first(guard: Guard) -> None:
    app = guard(page(PAGE), vendors=ALL)

    head = follow(app, once(app)).body.partition(b"<head>")[2]
    *ours, first = head[: head.index(b"replaceState")].split(b"</script>")
    assert len(ours) == 3  # the guard, who answers in Google's place, what tells of the choice
    assert all(one.startswith(b"<script data-cg=") for one in ours)
    assert first.startswith(b"<script>")
    assert b"replaceState" in follow(app, once(app)).body
    assert b"replaceState" not in follow(app, "/p?a=1").body


def test_a_referrer_policy_header_tells_no_more_than_browsers_do_by_default(guard: Guard) -> None:
    app = guard(page(PAGE, headers=[*HTML, ("referrer-policy", "unsafe-url")]), vendors=ALL)

    assert ask(app).get("referrer-policy") == "strict-origin-when-cross-origin"
    picture = guard(page(b"x", headers=[("content-type", "image/png"), ("referrer-policy", "unsafe-url")]))
    assert ask(picture).get("referrer-policy") == "unsafe-url"


def test_links_that_lead_away_are_marked_where_the_shop_wants_it(guard: Guard) -> None:
    from cookieguard.config import HtmlSettings

    links = page(b"<!doctype html><body><a href=/x>in</a><a href=//else.example>out</a>")
    marked = ask(guard(links, html=HtmlSettings(noreferrer=True)))

    assert '<a href=/x>in</a><a rel="noreferrer" href=//else.example>' in marked.text
    assert "<a href=/x>in</a><a href=//else.example>" in ask(guard(links)).text


def test_a_placeholder_shown_again_leads_to_its_own_page_in_its_own_language(guard: Guard) -> None:
    app = guard(page(PAGE.replace(b" lang=en", b"")), vendors=ALL)
    seen = {}
    for path, lang in [(path, lang) for path in ("/a", "/b") for lang in ("en", "de")] * 2:
        answer = ask(app, path=path, headers=[*OPENED, ("accept-language", lang)])
        root = place(answer)
        assert {fields(form)["next"] for form in root.iter("form")} == {path}
        text = "".join(root.itertext())
        assert seen.setdefault((path, lang), text) == text
    assert seen["/a", "en"] != seen["/a", "de"]
