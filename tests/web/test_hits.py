"""Statistics record pages, errors and choices of visitors, as far as each has agreed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, App, ask, page, scope_of
from harness.mmdb import country_database
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from cookieguard import CookieGuard
from cookieguard.config import StatsSettings
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TODAY = int(NOW.timestamp()) // 86_400
DAYS = Days(TODAY - 1, TODAY + 1)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
BROWSING = (("accept", "text/html"), ("sec-fetch-dest", "document"), ("user-agent", FIREFOX))
DOCUMENT = page(b"<!doctype html><p>Hello")

Guard = Callable[..., CookieGuard]
Rows = list[dict[str, Any]]


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[CookieGuard], Rows]:
    """Return what was written, as `rows(guarded)`."""

    def read(guarded: CookieGuard) -> Rows:
        guarded.close()
        connection = sqlite3.connect(tmp_path / "state" / "stats.db")
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM hit ORDER BY id")]

    return read


def visit(app: App, path: str = "/", *more: tuple[str, str], **options: Any) -> Answer:
    """Open a page as a browser does."""
    return ask(app, scope_of(path, headers=[*BROWSING, *more], **options))


def choose(app: App, choice: str, *more: tuple[str, str], **options: Any) -> tuple[str, str]:
    """Answer the banner; return the header that brings the cookie back."""
    headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        ("user-agent", FIREFOX),
        *(
            more
            if "referer" in dict(more)
            else (*more, ("referer", "https://shop.example/about?mail=a@b.example"))
        ),
    ]
    scope = scope_of("/_cg/consent", method="POST", headers=headers, **options)
    answer = ask(app, scope, body=f"choice={choice}".encode())
    assert answer.status == 303
    return "cookie", "; ".join(f"{name}={value}" for name, value in answer.cookies().items() if value)


def test_a_view_is_one_row_without_a_person_in_it(guard: Guard, rows: Callable[..., Rows]) -> None:
    tags = page(b'<!doctype html><script src="https://ads.example/t.js"></script><img src="//spy.example/p">')
    guarded = guard(tags)

    visit(
        guarded,
        "/product/1004217",
        ("referer", "https://www.search.example/?q=secret"),
        ("accept-language", "de-AT,de;q=0.9"),
        query="utm_campaign=autumn&customer=10042",
    )

    (row,) = rows(guarded)
    assert row.pop("id") == 1
    assert row.pop("bytes") > 100
    assert row == {
        "time": int(NOW.timestamp()),
        "site": "",
        "kind": "view",
        "page": "/product/{id}",
        "status": 200,
        "duration": 0,
        "source": "search.example",
        "referrer": "search.example",
        "medium": "",
        "campaign": "autumn",
        "term": "",
        "content": "",
        "browser": "Firefox",
        "browser_major": "153",
        "os": "Linux",
        "device": "desktop",
        "language": "de",
        "country": "",
        "entry": 1,
        "consent": "undecided",
        "policy": "1",
        "event": "shown",
        "gpc": 0,
        "held": '[["ads.example",1,"Ads","marketing"],["spy.example",1,"","marketing"]]',
        "bot": "",
        "search": "",
        "key": 0,
    }


@pytest.mark.parametrize("own", ["cb00abcd", "CDAB00CB", "3405818829", "ywCrzQ"])
def test_nothing_keeps_the_clients_own_address_as_a_number(
    guard: Guard, rows: Callable[..., Rows], own: str
) -> None:
    guarded, client = guard(DOCUMENT), ("203.0.171.205", 4711)
    links, named = f"https://{own}.nip.example/", f"utm_campaign=for-{own}"

    visit(guarded, f"/for-{own}", ("referer", links), query=named, client=client)
    choose(guarded, "reject", ("referer", f"https://shop.example/for-{own}"), client=client)
    visit(guarded, f"/for-{own}", ("referer", links), query=named)  # somebody else's: nobody can tell

    view, choice, others = rows(guarded)
    assert (view["kind"], choice["kind"], view["referrer"]) == ("view", "choice", "(address)")
    kept = [str(value).lower() for row in (view, choice) for value in row.values()]
    assert [one for one in kept if own.lower() in one] == []
    assert "nip.example" in others["referrer"]


def test_pages_are_called_by_the_apps_route(guard: Guard, rows: Callable[..., Rows]) -> None:
    async def show(_: object) -> HTMLResponse:
        return HTMLResponse("<!doctype html>")

    routes = [Route("/product/{id:int}", show), Route("/cms/{path:path}", show)]
    guarded = guard(Starlette(routes=[*routes, Mount("/shop", Starlette(routes=routes))]))
    for path in ("/product/7", "/shop/product/8", "/cms/about/us"):
        visit(guarded, path)

    assert [row["page"] for row in rows(guarded)] == ["/product/{id}", "/shop/product/{id}", "/cms/about/us"]


def test_pages_of_a_named_route_are_called_by_their_paths(guard: Guard, rows: Callable[..., Rows]) -> None:
    async def show(_: object) -> HTMLResponse:
        return HTMLResponse("<!doctype html>")

    routes = [Route("/product/{slug}", show), Route("/account/{name}", show)]
    guarded = guard(Starlette(routes=routes), stats=StatsSettings(named_pages=("/product/{slug}",)))
    for path in ("/product/moon-plate", "/product/1004217", "/account/anna"):
        visit(guarded, path)

    assert [row["page"] for row in rows(guarded)] == [
        "/product/moon-plate",
        "/product/{id}",
        "/account/{name}",
    ]


@pytest.mark.parametrize(
    ("app", "options", "headers"),
    [
        (page(b"{}", headers=[("content-type", "application/json")]), {}, ()),
        (page(b"GIF", headers=[("content-type", "image/gif")]), {}, ()),
        (page(b"<li>", headers=[("content-type", "text/vnd.turbo-stream.html")]), {}, ()),
        (page(status=303, headers=[("location", "/x")]), {}, ()),
        (page(status=204, headers=[]), {}, ()),
        (DOCUMENT, {"method": "POST"}, ()),
        (DOCUMENT, {}, (("hx-request", "true"),)),
        (DOCUMENT, {}, (("sec-purpose", "prefetch;prerender"),)),
        (page(status=500), {}, (("sec-purpose", "prefetch"),)),  # the click asks again
        (page(status=302, headers=[("location", "//ads.example/")]), {}, (("sec-purpose", "prefetch"),)),
    ],
)
def test_what_is_no_page_is_no_hit(
    guard: Guard, rows: Callable[..., Rows], app: App, options: Any, headers: Any
) -> None:
    guarded = guard(app)
    control = guard(DOCUMENT)

    visit(guarded, "/", *headers, **options)
    ask(guarded, scope_of("/_cg/choices", headers=BROWSING))
    visit(control)
    guarded.close()

    assert len(rows(control)) == 1


def test_a_page_that_is_opened_inside_an_app_is_a_view(guard: Guard, rows: Callable[..., Rows]) -> None:
    guarded = guard(DOCUMENT)

    for said in ("com.facebook.katana", "XMLHttpRequest"):
        visit(guarded, "/", ("x-requested-with", said))

    assert len(rows(guarded)) == 1


def test_frames_and_fetched_documents_are_no_views(guard: Guard, rows: Callable[..., Rows]) -> None:
    guarded = guard(DOCUMENT)

    for destination in ("iframe", "empty", "image", "script", "document"):
        ask(guarded, scope_of(headers=[("sec-fetch-dest", destination), ("accept", "*/*")]))

    assert len(rows(guarded)) == 1


def test_errors_count_as_errors_and_a_crash_too(guard: Guard, rows: Callable[..., Rows]) -> None:
    async def crash(*_: object) -> None:
        raise RuntimeError

    lost = guard(page(b"no", status=404, headers=[("content-type", "text/plain")]))
    visit(lost)
    with pytest.raises(RuntimeError):
        visit(guard(crash))
    lost.close()
    broken = guard(crash)
    with pytest.raises(RuntimeError):
        visit(broken)

    assert {(row["kind"], row["status"]) for row in rows(broken)} == {("error", 404), ("error", 500)}


def test_only_who_agreed_to_statistics_has_a_key(guard: Guard, rows: Callable[..., Rows]) -> None:
    guarded = guard(DOCUMENT)
    accepted, refused = choose(guarded, "accept"), choose(guarded, "reject")

    for cookie in ([], [accepted], [accepted], [refused], [accepted, ("sec-gpc", "1")]):
        visit(guarded, "/", *cookie)
    visit(guarded, "/", accepted, client=("198.51.100.8", 1))

    found = rows(guarded)
    assert [(row["event"], row["page"]) for row in found[:2]] == [
        ("accepted", "/about"),
        ("refused", "/about"),
    ]
    keys = [row["key"] for row in found]
    assert [bool(key) for key in keys] == [False, False, False, True, True, False, False, True]
    assert keys[3] == keys[4] != keys[7]
    assert [row["gpc"] for row in found] == [0, 0, 0, 0, 0, 0, 1, 0]


def test_before_consent_hashed_gives_keys_to_who_has_not_answered_only(
    guard: Guard, rows: Callable[..., Rows]
) -> None:
    guarded = guard(DOCUMENT, stats=StatsSettings(before_consent="hashed"))
    refused = choose(guarded, "reject")

    for cookie in ([], [refused], [("sec-gpc", "1")]):
        visit(guarded, "/", *cookie)

    assert [bool(row["key"]) for row in rows(guarded)[1:]] == [True, False, False]


def test_before_consent_none_counts_only_who_agreed(guard: Guard, rows: Callable[..., Rows]) -> None:
    guarded = guard(DOCUMENT, stats=StatsSettings(before_consent="none"))
    accepted = choose(guarded, "accept")

    visit(guarded)
    visit(guarded, "/", accepted)

    assert [row["kind"] for row in rows(guarded)] == ["choice", "view"]


def test_withdrawing_is_an_event(guard: Guard, tmp_path: Path) -> None:
    guarded = guard(DOCUMENT)
    choose(guarded, "reject", choose(guarded, "accept"))
    guarded.close()

    counts = SqliteFigures(tmp_path / "state" / "stats.db").consent(DAYS)
    assert {one.event: one.times for one in counts} == {"accepted": 1, "withdrawn": 1}


def test_a_choice_is_no_error_in_the_rows_of_the_owner(guard: Guard, rows: Callable[..., Rows]) -> None:
    guarded = guard(DOCUMENT)
    choose(guarded, "accept")

    assert [(row["kind"], row["status"]) for row in rows(guarded)] == [("choice", 303)]


def test_a_visit_goes_on_across_midnight_under_another_key(guard: Guard, tmp_path: Path) -> None:
    now = [datetime(2026, 11, 24, 23, 50, tzinfo=UTC)]
    guarded = guard(DOCUMENT, clock=lambda: now[0])
    accepted = choose(guarded, "accept")
    visit(guarded, "/", accepted)
    guarded.close()
    now[0] += timedelta(minutes=25)
    visit(guarded, "/", accepted)
    now[0] += timedelta(hours=1)
    visit(guarded, "/", accepted)
    guarded.close()

    totals = SqliteFigures(tmp_path / "state" / "stats.db").by_day(DAYS)
    assert [(one.views, one.visits, one.visitors) for one in totals] == [(1, 1, 1), (2, 1, 1)]


def test_bots_are_kept_and_labelled(guard: Guard, tmp_path: Path) -> None:
    guarded = guard(DOCUMENT)
    visit(guarded)
    ask(guarded, scope_of(headers=[("user-agent", GOOGLEBOT)]))
    guarded.close()

    figures = SqliteFigures(tmp_path / "state" / "stats.db")
    assert [tuple(one) for one in figures.bots(DAYS)] == [("search", "Googlebot", 1)]
    assert [(one.views, one.bots) for one in figures.by_day(DAYS)] == [(1, 1)]


def test_country_header_counts_from_a_trusted_proxy_only(guard: Guard, rows: Callable[..., Rows]) -> None:
    settings = StatsSettings(country_header="CF-IPCountry")
    guarded = guard(DOCUMENT, stats=settings, trusted_proxies=("10.0.0.0/8",))

    for peer in ("10.0.0.1", "198.51.100.7"):
        visit(guarded, "/", ("cf-ipcountry", "FR"), client=(peer, 1))

    assert [row["country"] for row in rows(guarded)] == ["FR", ""]


def test_ignored_country_header_is_logged_once(
    guard: Guard, rows: Callable[..., Rows], caplog: pytest.LogCaptureFixture
) -> None:
    """uvicorn reads X-Forwarded-For itself where the proxy is on its machine: the peer is the visitor then."""
    settings = StatsSettings(country_header="CF-IPCountry")
    guarded = guard(DOCUMENT, stats=settings, trusted_proxies=("127.0.0.1",))

    for _ in range(2):
        visit(
            guarded,
            "/",
            ("cf-ipcountry", "FR"),
            ("x-forwarded-for", "198.51.100.7"),
            client=("198.51.100.7", 0),
        )
    visit(guarded, "/", ("x-forwarded-for", "198.51.100.7"), client=("198.51.100.7", 0))

    assert [row["country"] for row in rows(guarded)] == ["", "", ""]
    assert caplog.text.count("stats.country_header came with X-Forwarded-For from a peer that is not in") == 1


def test_country_header_without_a_proxy_does_not_start(guard: Guard) -> None:
    with pytest.raises(
        ConfigError, match=r"stats\.country_header is 'CF-IPCountry'; allowed: only with trusted_proxies set"
    ):
        guard(DOCUMENT, stats=StatsSettings(country_header="CF-IPCountry"))


def test_country_comes_from_the_owners_file_and_no_address_stays(
    guard: Guard, rows: Callable[..., Rows], tmp_path: Path
) -> None:
    file = tmp_path / "countries.mmdb"
    file.write_bytes(country_database({"198.51.100.0/24": "DE", "2001:db8::/32": "FR", "10.0.0.0/8": "??"}))
    guarded = guard(DOCUMENT, stats=StatsSettings(mmdb=str(file)), trusted_proxies=("192.0.2.0/24",))
    clients = ("198.51.100.213", "2001:db8::a:b:c", "10.20.30.40", "203.0.113.213")

    for client in clients:
        visit(guarded, "/", client=(client, 1))
    visit(guarded, "/", ("x-forwarded-for", clients[0]), client=("192.0.2.1", 1))

    assert [row["country"] for row in rows(guarded)] == ["DE", "FR", "", "", "DE"]
    written = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert b"198.51.100.0" in written
    assert not any(client.encode() in written for client in clients)


def test_a_country_database_that_is_missing_does_not_start(guard: Guard, tmp_path: Path) -> None:
    missing = tmp_path / "none.mmdb"

    with pytest.raises(
        ConfigError, match=rf"^stats\.mmdb is {missing} \(No such file or directory\); allowed: "
    ):
        guard(DOCUMENT, stats=StatsSettings(mmdb=str(missing)))


def test_a_route_that_raises_costs_a_hit_and_no_page(guard: Guard, tmp_path: Path) -> None:
    class Odd:
        @property
        def path(self) -> str:
            raise KeyError("path")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = Odd()
        await DOCUMENT(scope, receive, send)

    guarded = guard(app)
    assert visit(guarded).status == 200
    guarded.close()
    control = guard(DOCUMENT)
    visit(control)
    control.close()

    assert SqliteFigures(tmp_path / "state" / "stats.db").span() is not None
    assert guarded._parts.counting is not None
    assert list(guarded._parts.counting.sink._noted) == [("not built", 1)]


def test_switched_off_there_is_no_file_and_no_thread(guard: Guard, tmp_path: Path) -> None:
    guarded = guard(DOCUMENT, stats=StatsSettings(enabled=False))
    visit(guarded)
    guarded.close()

    assert not (tmp_path / "state" / "stats.db").exists()


def test_a_database_that_cannot_be_opened_costs_no_page(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "stats.db").mkdir()
    guarded = guard(DOCUMENT)

    assert visit(guarded).status == 200
    guarded.close()

    assert list((tmp_path / "state" / "spool").iterdir())
