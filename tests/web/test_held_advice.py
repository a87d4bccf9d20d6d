"""For each held element, the log names the element, page and vendor, and the settings that change it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator

import pytest
from harness.asgi import App, ask, page

from cookieguard import CookieGuard, Vendor
from cookieguard.config import config_from_mapping, load_catalogue

Guard = Callable[..., CookieGuard]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.getMessage().startswith("held ")]


def shown(body: str) -> App:
    return page(f"<!doctype html><html><head></head><body>{body}</body></html>".encode())


def test_a_known_vendor_is_named_with_its_element_and_declared_by_its_name(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    ask(guard(shown('<script src="https://js.stripe.com/v3/?x=1"></script>'), vendors=()), path="/checkout")

    (line,) = told(caplog)
    assert line.startswith(
        "held js.stripe.com on /checkout: it is not declared (<script src=https://js.stripe.com/v3/> in line 1); "
        "it is Stripe, which the catalogue lists as necessary where the visitor pays with it"
    )
    assert line.endswith('; to declare it:\nvendors = ["stripe"]')


def test_the_lines_take_up_the_names_that_are_there(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    app = guard(shown("<img src=//bat.bing.com/x>"), vendors=(Vendor(catalogue="stripe"),))

    ask(app)

    assert told(caplog)[0].endswith('\nvendors = ["stripe", "microsoft-ads"]')


def test_the_last_line_about_known_vendors_names_all_that_were_held(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever pastes a line for each has the list twice, and the shop does not start."""
    ask(guard(shown("<img src=//bat.bing.com/x><img src=//js.stripe.com/x>"), vendors=()))

    assert [one.rpartition("\n")[2] for one in told(caplog)] == [
        'vendors = ["microsoft-ads"]',
        'vendors = ["microsoft-ads", "stripe"]',
    ]


def test_beside_a_vendor_of_the_shops_own_the_lines_fit_a_table_and_a_list(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    """`cookieguard init` and `scan --write` write a list, with tables in it: a table behind it does not load."""
    ask(guard(shown("<img src=//bat.bing.com/x><img src=//tracker.example/x>")))

    known, unknown = told(caplog)
    table, _, entry = known.partition("to declare it:\n")[2].partition(
        "# or, if there is a vendors list already, add to it: "
    )
    assert table == '[[vendors]]\ncatalogue = "microsoft-ads"\n'
    other = unknown.rpartition("add to it: ")[2]
    (ads, tracker) = config_from_mapping(tomllib.loads(f"vendors = [\n{entry}\n{other}\n]")).vendors
    assert (ads.catalogue, tracker.hosts) == ("microsoft-ads", ("tracker.example",))


def test_beside_a_list_of_names_the_lines_of_a_host_that_nobody_knows_are_the_list_with_it(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("stripe", "google-analytics")
    ask(guard(shown("<img src=//tracker.example/x>"), vendors=tuple(Vendor(catalogue=one) for one in names)))

    lines = told(caplog)[0].partition("\n")[2]
    vendors = config_from_mapping(tomllib.loads(lines)).vendors
    assert [one.name for one in vendors][-1] == "tracker.example"
    assert [one.catalogue for one in vendors[:-1]] == list(names)


PICTURES = "https://images.mugcdn.example/mug.jpg"


@pytest.mark.parametrize(
    "body",
    [
        f"<img src={PICTURES}>",
        f"<link rel=stylesheet href={PICTURES}>",
        f"<style>h1{{background:url({PICTURES})}}</style>",
        f"<h1 style='background:url({PICTURES})'>",
        f"<picture><source srcset={PICTURES}>",
    ],
)
def test_log_asks_the_owner_first_whether_a_host_of_pictures_is_the_shops(
    guard: Guard, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    ask(guard(shown(body), vendors=()))

    line, _, lines = told(caplog)[0].partition("\n")
    own = line.partition("if it is the shop's own host: ")[2].removesuffix("; if it is a vendor:")
    assert config_from_mapping(tomllib.loads(own)).first_party_hosts == ("images.mugcdn.example",)
    assert config_from_mapping(tomllib.loads(lines)).vendors[0].hosts == ("images.mugcdn.example",)


@pytest.mark.parametrize(
    "body",
    [
        "<script src=https://assets.mugcdn.example/a.js></script>",
        "<iframe src=https://images.mugcdn.example/></iframe>",
        "<img src=https://pixel.adnet.example/p.gif>",
        "<img src=https://bat.bing.com/x>",
    ],
)
def test_draft_never_suggests_a_script_frame_tracker_or_known_vendor_as_the_shops_own(
    guard: Guard, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    ask(guard(shown(body), vendors=()))

    assert "to declare it:\n" in told(caplog)[0]
    assert "first_party_hosts" not in told(caplog)[0]


@pytest.mark.parametrize(
    ("place", "pattern"), [("ads.example:8443", "ads.example:8443"), ("ads.example:443", "ads.example")]
)
@pytest.mark.parametrize("body", ["<script src=https://{}/a.js></script>", "<img src=https://{}/a.png>"])
def test_the_lines_keep_a_port_that_is_no_default_one(
    guard: Guard, caplog: pytest.LogCaptureFixture, body: str, place: str, pattern: str
) -> None:
    ask(guard(shown(body.format(place)), vendors=()))

    (line,) = told(caplog)
    assert f'hosts = ["{pattern}"]' in line.partition("\n")[2]
    assert ("first_party_hosts" not in line) or f'first_party_hosts = ["{pattern}"]' in line


@pytest.mark.parametrize("vendors", [(), (Vendor(name="A", purpose="marketing", hosts=("a.example",)),)])
def test_the_lines_do_what_they_say(
    guard: Guard, caplog: pytest.LogCaptureFixture, vendors: tuple[Vendor, ...]
) -> None:
    ask(guard(shown("<iframe src=https://www.youtube.com/embed/x></iframe>"), vendors=vendors))

    lines = told(caplog)[0].partition("\n")[2]
    (declared,) = config_from_mapping(tomllib.loads(lines)).vendors
    assert declared.name == "YouTube"


def test_a_host_that_several_share_is_told_apart_by_the_path(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    ask(guard(shown("<script src=https://www.google.com/recaptcha/api.js></script>"), vendors=()))

    assert "it is Google reCAPTCHA" in told(caplog)[0]


def test_unknown_path_on_a_shared_host_names_all_vendors_that_share_it(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    ask(guard(shown("<img src=https://www.google.com/images/x.png>"), vendors=()))

    sharing = load_catalogue().sharing("www.google.com")
    assert len(sharing) > 1
    assert all(one.id in told(caplog)[0] for one in sharing)


def test_a_style_sheet_in_the_page_is_told_as_such(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    ask(guard(shown("<style>@import url(https://fonts.googleapis.com/css);</style>"), vendors=()))

    assert "(<style>... https://fonts.googleapis.com/css in line 1); it is Google Fonts" in told(caplog)[0]


def test_what_may_be_of_one_visitor_in_an_address_is_not_logged(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    ask(guard(shown("<img src=https://pixel.example/c/1004217/ada@shop.example>"), vendors=()))

    assert "1004217" not in caplog.text
    assert "ada" not in caplog.text
    assert "<img src=https://pixel.example/c/{id}/{id}>" in told(caplog)[0]


PAGE = b"""<!doctype html><html><head><title>bat.bing.com</title>
</head><body>
<p>bat.bing.com</p>
<IMG alt=""
 src="https://BAT.bing.com/x"><script>"bat.bing.com"</script>
</body></html>"""


@pytest.mark.parametrize("size", [7, 100, 1000])
def test_the_line_is_that_where_the_held_element_begins(
    guard: Guard, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    chunks = [PAGE[start : start + size] for start in range(0, len(PAGE), size)]

    answer = ask(guard(page(*chunks), vendors=()), path="/mugs")

    assert b"data-cg-src" in answer.body
    assert "(<img src=https://bat.bing.com/x> in line 4)" in told(caplog)[0]


def test_lines_are_told_of_the_first_documents_and_in_dev_mode_of_all(
    guard: Guard, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cookieguard.web.owner_notices.MOST_DOCUMENTS", 2)
    late = {}
    for dev in (False, True):
        bodies = iter([b"<p>", b"<p>", PAGE])
        shop = guard(_each(bodies), vendors=(), dev=dev, origins=("http://localhost",))
        for _ in range(3):
            ask(shop, host="localhost", scheme="http")
        late[dev] = " in line " in told(caplog)[-1]

    assert late == {False: False, True: True}


def _each(bodies: Iterator[bytes]) -> App:
    return page(act=lambda _: next(bodies))
