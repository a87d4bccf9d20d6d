"""The purposes that visitors are asked for; if they change, stored consent never covers more than before."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from harness.asgi import Answer, ask, page

from cookieguard import CookieGuard, Vendor
from cookieguard.config import Purpose, StatsSettings

Guard = Callable[..., CookieGuard]
FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
COOKIE = "__Host-cg_consent"
ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",))
MAPS = Vendor(name="Maps", purpose="preferences", hosts=("maps.example",))
CHAT = Vendor(catalogue="intercom")  # preferences; relations in the preset
POLLS = Vendor(catalogue="survicate")  # statistics; surveys in the preset
HOSTS = ("ads.example", "maps.example", "widget.intercom.io", "survey.survicate.com")
MARKED = '<script data-cg="hold">'
PAGE = page(
    b"<!doctype html><body>%s%s</script>"
    % (b"".join(b'<script src="https://%s/x.js"></script>' % one.encode() for one in HOSTS), MARKED.encode())
)
SHOP = {"purpose_preset": "shop"}


@pytest.fixture
def shop(guard: Guard) -> Callable[..., CookieGuard]:
    """Open the shop with these vendors and settings, always with the same keys: as after a restart."""
    return lambda *vendors, **settings: guard(PAGE, vendors=vendors, **settings)


def choose(app: CookieGuard, fields: str) -> str:
    answer = ask(app, path="/_cg/consent", method="POST", headers=FORM, body=fields.encode())
    return answer.cookies()[COOKIE]


def visit(app: CookieGuard, cookie: str = "", path: str = "/", *headers: tuple[str, str]) -> Answer:
    return ask(app, path=path, headers=[("cookie", f"{COOKIE}={cookie}"), *headers])


def asks(answer: Answer) -> bool:
    return 'value="accept"' in answer.text


def loads(answer: Answer) -> set[str]:
    return set(re.findall(r'<script src="https://([a-z.]+)/x\.js"', answer.text))


def boxes(answer: Answer) -> list[str]:
    return re.findall(r'name="purpose" value="([a-z]+)"', answer.text)


@pytest.mark.parametrize("path", ["/", "/_cg/choices"])
def test_visitors_see_only_purposes_in_use(shop: Callable[..., CookieGuard], path: str) -> None:
    assert boxes(visit(shop(ADS), path=path)) == ["necessary", "statistics", "marketing"]
    with_maps = visit(shop(ADS, MAPS), path=path)
    assert boxes(with_maps) == ["necessary", "preferences", "statistics", "marketing"]
    by_preset = visit(shop(CHAT, undeclared="block", **SHOP), path=path)
    assert boxes(by_preset) == ["necessary", "relations", "statistics"]


def test_accepting_everything_grants_only_what_was_asked(shop: Callable[..., CookieGuard]) -> None:
    cookie = choose(shop(ADS), "choice=accept")

    later = visit(shop(ADS, CHAT), cookie)

    assert loads(visit(shop(ADS), cookie)) >= {"ads.example"}
    assert (asks(later), loads(later)) == (True, set())


def test_ticking_a_purpose_that_nobody_asked_for_grants_nothing(shop: Callable[..., CookieGuard]) -> None:
    cookie = choose(shop(ADS), "choice=save&purpose=preferences&purpose=statistics")

    later = visit(shop(ADS, CHAT), cookie)

    assert (asks(later), loads(later)) == (True, set())


def test_a_choice_from_before_counts_on_and_is_not_asked_again(
    shop: Callable[..., CookieGuard], guard: Guard
) -> None:
    """Before, all four purposes were asked for, whatever the shop declared: as here with titles."""
    titles = tuple(Purpose(id=one, title=one) for one in ("preferences", "statistics", "marketing"))
    everything = choose(shop(ADS, purposes=titles), "choice=accept")
    some = choose(shop(ADS, purposes=titles), "choice=save&purpose=marketing")

    for cookie in (everything, some):
        answer = visit(shop(ADS, undeclared="block"), cookie)
        assert (asks(answer), loads(answer)) == (False, {"ads.example"})


def test_script_marked_for_everything_stays_held_after_a_refusal_of_a_purpose_no_longer_asked_for(
    shop: Callable[..., CookieGuard],
) -> None:
    titles = tuple(Purpose(id=one, title=one) for one in ("preferences", "statistics", "marketing"))
    some = choose(shop(purposes=titles, undeclared="block"), "choice=save&purpose=statistics")
    everything = choose(shop(purposes=titles, undeclared="block"), "choice=accept")

    now = shop(undeclared="block")

    assert (asks(visit(now, some)), MARKED in visit(now, some).text) == (False, False)
    assert MARKED in visit(now, everything).text
    assert MARKED in visit(now, choose(now, "choice=accept")).text


@pytest.mark.parametrize(
    "fields",
    ["choice=accept", "choice=save&purpose=preferences", "choice=save&purpose=statistics"],
)
def test_the_preset_asks_again_where_its_purposes_differ(
    shop: Callable[..., CookieGuard], fields: str
) -> None:
    vendors = (ADS, MAPS, CHAT, POLLS)
    cookie = choose(shop(*vendors), fields)

    answer = visit(shop(*vendors, **SHOP), cookie)

    assert loads(visit(shop(*vendors), cookie))
    assert (asks(answer), loads(answer)) == (True, set())


def test_the_preset_keeps_choices_where_its_purposes_are_the_same(shop: Callable[..., CookieGuard]) -> None:
    cookie = choose(shop(ADS, undeclared="block"), "choice=save&purpose=marketing")

    answer = visit(shop(ADS, undeclared="block", **SHOP), cookie)

    assert (asks(answer), loads(answer)) == (False, {"ads.example"})


def test_whoever_refused_chat_alone_does_not_get_it_when_the_preset_is_left(
    shop: Callable[..., CookieGuard],
) -> None:
    vendors = (MAPS, CHAT)
    cookie = choose(shop(*vendors, **SHOP), "choice=save&purpose=preferences")

    answer = visit(shop(*vendors), cookie)

    assert loads(visit(shop(*vendors, **SHOP), cookie)) == {"maps.example"}
    assert (asks(answer), loads(answer)) == (True, set())


def test_a_refusal_of_everything_stays_one_when_purposes_come_and_go(
    shop: Callable[..., CookieGuard],
) -> None:
    cookie = choose(shop(ADS), "choice=reject")

    for app in (shop(ADS, CHAT), shop(ADS, CHAT, **SHOP), shop()):
        answer = visit(app, cookie)
        assert (asks(answer), loads(answer)) == (False, set())


def test_a_purpose_whose_last_vendor_left_takes_no_choice_with_it(shop: Callable[..., CookieGuard]) -> None:
    cookie = choose(shop(ADS, MAPS, undeclared="block"), "choice=accept")

    answer = visit(shop(ADS, undeclared="block"), cookie)

    assert (asks(answer), loads(answer)) == (False, {"ads.example"})


def test_shop_without_purposes_asks_no_visitor_and_allows_no_vendor(shop: Callable[..., CookieGuard]) -> None:
    app = shop(undeclared="block", stats=StatsSettings(enabled=False))

    answer = visit(app)

    assert not asks(answer)
    assert "/_cg/choices" in answer.text
    assert (loads(answer), MARKED in answer.text) == (set(), False)
    assert boxes(visit(app, path="/_cg/choices")) == ["necessary"]


def test_an_earlier_choice_is_shown_in_words_after_its_purpose_left(shop: Callable[..., CookieGuard]) -> None:
    cookie = choose(shop(MAPS), "choice=save&purpose=preferences")

    answer = visit(shop(ADS), cookie, "/_cg/privacy", ("accept-language", "de"))

    history = answer.text.partition("<details><summary>")[2].partition("</details>")[0]
    assert "Pr&#228;ferenzen" in history
