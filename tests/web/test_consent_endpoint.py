"""POST /_cg/consent: the sites that may post a choice, its form, and the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from harness.asgi import Answer, App, ask, page

from cookieguard import CookieGuard, CookieSpec
from cookieguard.config import CookieSettings, Purpose
from cookieguard.config.purposes import NECESSARY

Guard = Callable[..., CookieGuard]
FORM = ("content-type", "application/x-www-form-urlencoded")
OWN = ("sec-fetch-site", "same-origin")
COOKIE = "__Host-cg_consent"


def post(
    app: App, body: str, *headers: tuple[str, str], path: str = "/_cg/consent", **options: str
) -> Answer:
    return ask(app, path=path, method="POST", headers=[FORM, *headers], body=body.encode(), **options)


def test_a_choice_answers_303_with_the_signed_cookie_and_the_way_back(guard: Guard) -> None:
    answer = post(guard(page()), "choice=accept&next=/product/7?a=b", OWN)

    assert answer.status == 303
    assert answer.get("location") == "/product/7?a=b"
    assert "no-store" in answer.get("cache-control")
    (line,) = answer.all("set-cookie")
    assert line.startswith(f"{COOKIE}=")
    for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax", f"Max-Age={180 * 86400}"):
        assert attribute in line
    assert "marketing" not in line


def test_a_choice_kept_until_the_browser_closes_counts_until_then(guard: Guard) -> None:
    spec = CookieSpec(name=COOKIE, max_age=0)
    app = guard(page(b"<!doctype html><body>x"), cookies=CookieSettings(consent=spec))

    chosen = post(app, "choice=accept", OWN)
    answer = ask(app, headers=[("cookie", f"{COOKIE}={chosen.cookies()[COOKIE]}")])

    assert "Max-Age" not in chosen.get("set-cookie")
    assert "<h2" not in answer.text
    assert 'value="reject"' in answer.text


def test_each_of_thirty_purposes_may_be_ticked(guard: Guard) -> None:
    ids = ["statistics", "marketing", *(f"purpose-{number}" for number in range(28))]
    own = tuple(Purpose(id=one, title=one, description=one) for one in (NECESSARY, *ids))

    answer = post(
        guard(page(), purposes=own), "choice=save&" + "&".join(f"purpose={one}" for one in ids), OWN
    )

    assert answer.status == 303
    assert answer.cookies()[COOKIE]


def test_a_choice_in_json_is_answered_in_json(guard: Guard) -> None:
    body = json.dumps({"choice": "save", "purpose": ["statistics"], "next": "/"})
    headers = [("content-type", "application/json"), ("accept", "application/json"), OWN]
    answer = ask(guard(page()), path="/_cg/consent", method="POST", headers=headers, body=body.encode())

    assert answer.status == 200
    assert json.loads(answer.body) == {"ok": True, "state": "partly", "granted": ["necessary", "statistics"]}
    assert answer.cookies()[COOKIE]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("sec-fetch-site", "same-origin"), ("origin", "null")], 303),
        ([("sec-fetch-site", "same-origin")], 303),
        ([("sec-fetch-site", "same-origin"), ("origin", "https://shop.example")], 303),
        ([("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], 403),
        ([("sec-fetch-site", "same-origin"), ("origin", "https://shop.example.evil.example")], 403),
        ([("sec-fetch-site", "same-origin"), ("origin", "")], 403),
        ([("sec-fetch-site", "same-site")], 403),
        ([("sec-fetch-site", "cross-site")], 403),
        ([("sec-fetch-site", "none")], 403),
        ([("sec-fetch-site", "Same-Origin")], 403),
        ([("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], 403),
        ([("origin", "https://shop.example")], 303),
        ([("origin", "http://shop.example")], 303),
        ([("origin", "https://shop.example:8443")], 403),
        ([("origin", "https://shop.example.evil.example")], 403),
        ([("origin", "https://evil.example")], 403),
        ([("origin", "null")], 403),
        ([("origin", "file://shop.example")], 403),
        ([], 403),
        ([("referer", "https://shop.example/")], 403),
    ],
)
def test_only_a_page_of_the_shop_may_post_a_choice(
    guard: Guard, headers: list[tuple[str, str]], status: int
) -> None:
    answer = post(guard(page()), "choice=accept", *headers)

    assert answer.status == status
    assert bool(answer.all("set-cookie")) == (status == 303)


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://shop.example", "shop.example", 303),
        ("https://shop.example", "other.example", 403),
        ("https://other.example", "other.example", 403),
        ("http://shop.example", "shop.example", 403),
    ],
)
def test_with_origins_configured_only_they_may_post(
    guard: Guard, origin: str, host: str, status: int
) -> None:
    app = guard(page(), origins=("https://shop.example",))

    assert post(app, "choice=accept", ("origin", origin), host=host).status == status


@pytest.mark.parametrize(
    ("headers", "host", "reason"),
    [
        ([], "shop.example", "neither Origin nor Sec-Fetch-Site"),
        ([("origin", "null")], "shop.example", "null Origin alone"),
        ([("sec-fetch-site", "cross-site")], "shop.example", "Sec-Fetch-Site is not same-origin"),
        ([OWN, ("origin", "https://evil.example")], "shop.example", "Origin is not in `origins`"),
        (
            [OWN, ("origin", "http://localhost:8001")],
            "localhost:8001",
            "add the address that browsers show",
        ),
    ],
)
def test_a_refused_choice_is_answered_and_logged_once_with_what_is_wrong(
    guard: Guard, caplog: pytest.LogCaptureFixture, headers: list[tuple[str, str]], host: str, reason: str
) -> None:
    app = guard(page(), origins=("https://shop.example",))

    answers = [post(app, "choice=accept", *headers, host=host) for _ in range(2)]

    assert [one.status for one in answers] == [403, 403]
    assert reason in answers[0].text
    (line,) = [one.getMessage() for one in caplog.records if "a choice" in one.getMessage()]
    assert reason in line
    assert not {"evil.example", "localhost:8001"} & set(re.split(r"[ /]", line))  # a client's own text


def test_a_choice_behind_a_proxy_that_keeps_the_host_is_refused_with_the_remedy(guard: Guard) -> None:
    answer = post(guard(page()), "choice=accept", OWN, ("origin", "https://public.example"))

    assert "have the proxy pass on the Host header" in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "\\/evil.example",
        "/%0d%0aset-cookie:x=1\r\nx: y",
        "/\t/evil.example",
        "",
        "/" + "a" * 3000,
    ],
)
def test_the_way_back_is_a_local_path_or_the_home_page(guard: Guard, target: str) -> None:
    from urllib.parse import urlencode

    answer = post(guard(page()), urlencode({"choice": "reject", "next": target}), OWN)

    assert answer.status == 303
    assert answer.get("location") == "/"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("choice=maybe", FORM[1], 400),
        ("", FORM[1], 400),
        ("choice=accept&" + "&".join(f"purpose=p{n}" for n in range(100)), FORM[1], 413),
        ("choice=accept&x=" + "y" * 25_000, FORM[1], 413),
        ("choice=acc\u00e9pt", FORM[1], 400),
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ('{"choice": 1}', "application/json", 400),
        ("[" * 10000, "application/json", 400),
        ("choice=accept", "multipart/form-data; boundary=x", 415),
        ("choice=accept", "text/plain", 415),
    ],
)
def test_a_choice_that_cannot_be_read_is_refused_with_one_line(
    guard: Guard, body: str, content_type: str, status: int
) -> None:
    answer = ask(
        guard(page()),
        path="/_cg/consent",
        method="POST",
        headers=[("content-type", content_type), OWN],
        body=body.encode(),
    )

    assert answer.status == status
    assert answer.text.count("\n") == 1
    assert not answer.all("set-cookie")


def test_only_post_changes_a_choice(guard: Guard) -> None:
    answer = ask(guard(page()), path="/_cg/consent", headers=[OWN])

    assert answer.status == 405
    assert answer.get("allow") == "POST"


def test_under_a_root_path_the_endpoint_is_below_it(guard: Guard) -> None:
    app = guard(page(b"<!doctype html><body>shop"))

    assert b'action="/eu/_cg/consent"' in ask(app, path="/eu/", root_path="/eu").body
    assert post(app, "choice=accept", OWN, path="/eu/_cg/consent", root_path="/eu").status == 303


def test_gpc_support_is_announced(guard: Guard) -> None:
    answer = ask(guard(page()), path="/.well-known/gpc.json")

    assert answer.get("content-type") == "application/json"
    assert json.loads(answer.body)["gpc"] is True


def test_an_unknown_page_of_ours_is_a_plain_404(guard: Guard) -> None:
    assert ask(guard(page()), path="/_cg/nothing").status == 404


def test_the_files_of_the_banner_are_cached_for_ever_under_their_hash(guard: Guard) -> None:
    app = guard(page())
    names = [name for name in app._parts.renderer.assets if name.endswith((".css", ".js"))]

    for name in names:
        answer = ask(app, path=f"/_cg/{name}")
        assert answer.status == 200
        assert "immutable" in answer.get("cache-control")
        assert not answer.all("vary")
    assert names


def test_the_page_of_choices_shows_what_is_in_force(guard: Guard) -> None:
    app = guard(page())
    token = post(app, "choice=save&purpose=statistics", OWN).cookies()[COOKIE]

    before = ask(app, path="/_cg/choices")
    after = ask(app, path="/_cg/choices", query="next=/cart", headers=[("cookie", f"{COOKIE}={token}")])

    assert 'data-state="undecided"' in before.text
    assert 'data-state="partly"' in after.text
    assert 'name="next" value="/cart"' in after.text
    assert "default-src 'none'" in after.get("content-security-policy")


def test_the_way_back_on_the_page_of_choices_is_local(guard: Guard) -> None:
    answer = ask(guard(page()), path="/_cg/choices", query="next=//evil.example")

    assert "evil" not in answer.text


def test_a_withdrawal_clears_the_browsers_cache_and_other_choices_do_not(guard: Guard) -> None:
    app = guard(page())
    granted = post(app, "choice=accept", OWN)
    cookie = ("cookie", f"{COOKIE}={granted.cookies()[COOKIE]}")

    assert not granted.all("clear-site-data")
    assert not granted.all("nel")
    assert post(app, "choice=reject", OWN, cookie).get("nel") == '{"max_age":0}'
    assert post(app, "choice=reject", OWN, cookie).get("clear-site-data") == '"cache"'
    assert post(app, "choice=save&purpose=statistics", OWN, cookie).get("clear-site-data") == '"cache"'
    assert not post(app, "choice=accept", OWN, cookie).all("clear-site-data")


def test_only_pages_with_something_to_withdraw_carry_the_script_that_notices_it(guard: Guard) -> None:
    app = guard(page(b"<!doctype html><head><title>x</title></head><body>"))
    token = post(app, "choice=accept", OWN).cookies()[COOKIE]

    live = ask(app, headers=[("cookie", f"{COOKIE}={token}")])
    strict = guard(
        page(
            b"<!doctype html><head></head>",
            headers=[("content-type", "text/html"), ("content-security-policy", "default-src 'self'")],
        )
    )
    by_file = ask(strict, headers=[("cookie", f"{COOKIE}={token}")])

    told, live_script = live.body.split(b"</script>")[:2]
    assert told.startswith(b"<!doctype html><head><script data-cg=")
    assert live_script.startswith(b'<script data-cg="/_cg/state?')
    assert b"BroadcastChannel" in live_script
    assert b'</script><script data-cg="/_cg/state?' in by_file.body
    assert b' src="/_cg/stale.' in by_file.body
    assert b"BroadcastChannel" not in ask(app).body


def test_a_page_asks_whether_what_it_came_with_is_still_in_force(guard: Guard) -> None:
    app = guard(page(b"<!doctype html><head><title>x</title></head><body>"))
    cookies = {
        choice: [("cookie", f"{COOKIE}={post(app, f'choice={choice}', OWN).cookies()[COOKIE]}")]
        for choice in ("accept", "reject", "save&purpose=statistics")
    }
    found = re.search(r'data-cg="/_cg/state\?([0-9a-f]{12})"', ask(app, headers=cookies["accept"]).text)
    assert found

    def answered(query: str, cookie: list[tuple[str, str]]) -> int:
        said = ask(app, method="HEAD", path="/_cg/state", query=query, headers=cookie)
        assert (said.get("cache-control"), said.body) == ("private, no-store", b"")
        return said.status

    assert answered(found[1], cookies["accept"]) == 204
    assert [answered(found[1], cookies[one]) for one in cookies if one != "accept"] == [200, 200]
    assert [answered(query, cookies["accept"]) for query in ("", "x", f"{found[1]}&")] == [200, 200, 200]
    assert answered(found[1], []) == 200
