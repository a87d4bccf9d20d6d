"""`cookieguard convert` turns files of other consent tools into vendors that load, and refuses others in one line."""

from __future__ import annotations

import time
import tomllib

import pytest
from harness.commands import Shop

from cookieguard.config import config_from_mapping
from cookieguard.convert.object_literal import TooDeep, objects_in
from cookieguard.convert.sources import Service, read_source

KLARO = """
// Our privacy settings
import x from "./x";
var klaroConfig = {
    version: 1,
    elementID: 'klaro',
    translations: { de: { privacyPolicyUrl: '/datenschutz', purposes: { analytics: "Besucher-Statistiken" } } },
    services: [
        {
            name: 'google-analytics', title: "Google Analytics", purposes: ['analytics'],
            cookies: [[/^_ga(_.*)?$/, '/', 'shop.example'], '_gid', /^_gat$/],
            callback: function (consent, service) { if (!consent) { console.log({ a: 1 }); } },
            default: false, /* off */
        },
        { name: "stripe", purposes: ["payment"], required: true },
        { name: 'inhouse-chat', title: 'Häuslicher Chat', purposes: ['livechat'], cookies: [/^hc_/], onAccept: `go()` },
    ],
};
"""
VANILLA = r"""
CookieConsent.run({
  categories: {
    necessary: { enabled: true, readOnly: true },
    analytics: {
      autoClear: { cookies: [{ name: /^(_ga|_gid)/ }, { name: /^_hj/ }, { name: 'plain_one' }] },
      services: { ga: { label: 'Google Analytics', onAccept: () => { start({ x: [1, 2] }) } } },
    },
    ads: { services: { "meta-pixel": { cookies: [{ name: "_fbp" }] } } }
  },
  language: { default: 'en', translations: { en: { consentModal: { title: 'We use cookies' } } } }
});
"""
COOKIEBOT = """Name;Provider;Category;Expiry;Type
_ga;google.com;Statistics;2 years;HTTP Cookie
_ga_#;google.com;Statistics;2 years;HTTP Cookie
__stripe_mid;stripe.com;Necessary;1 year;HTTP Cookie
zz_id;tracker.example;Marketing;1 day;Pixel
"""
COOKIEBOT_JSON = """{"domains": [{"domain": "shop.example", "cookies": [
  {"name": "_fbp", "provider": "facebook.com", "category": "Marketing", "purpose": "Used by Facebook"},
  {"name": "sid", "provider": "shop.example", "category": "Necessary"}]}]}"""


def converted(shop: Shop, text: str, name: str = "config.js") -> str:
    (shop.directory / name).write_text(text)
    done = shop.run("convert", name)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def vendors(text: str) -> dict[str, str]:
    return {one.name: one.purpose for one in config_from_mapping(tomllib.loads(text)).vendors}


def test_klaros_services_become_vendors_of_the_catalogue_and_the_rest_is_named(shop: Shop) -> None:
    text = converted(shop, KLARO)

    assert vendors(text) == {"Google Analytics": "statistics", "Stripe": "necessary"}
    assert "not in the catalogue. Its hosts are missing: cookieguard scan finds them." in text
    assert 'purpose = "preferences", hosts = ["..."], cookies = ["hc_*"]' in text


def test_vanilla_cookieconsents_categories_are_read_by_service_and_by_cookie(shop: Shop) -> None:
    text = converted(shop, VANILLA)

    assert vendors(text) == {
        "Google Analytics": "statistics",
        "Hotjar": "statistics",
        "Meta Pixel": "marketing",
    }
    assert "plain_one" in text


@pytest.mark.parametrize(
    "text",
    [
        "run({categories: {ads: {autoClear: {cookies: [{name: /^_ga/}]}, services: {youtube: {label: 'Our films'}}}}})",
        "x = {services: [{name: 'youtube', title: 'Our films'}, {name: 'stats', cookies: [/^_ga.*$/]}]}",
    ],
    ids=["vanilla", "klaro"],
)
def test_a_vendor_is_found_by_its_key_and_by_the_start_of_its_cookies(shop: Shop, text: str) -> None:
    assert vendors(converted(shop, text)).keys() == {"YouTube", "Google Analytics"}


@pytest.mark.parametrize("name", ["export.csv", "export.txt"])
def test_cookiebots_table_is_read_by_cookie_and_by_provider(shop: Shop, name: str) -> None:
    text = converted(shop, COOKIEBOT, name)

    assert vendors(text) == {"Google Analytics": "statistics", "Stripe": "necessary"}
    assert 'hosts = ["tracker.example"], cookies = ["zz_id"]' in text


def test_cookiebots_json_leaves_the_shops_own_cookie_out(shop: Shop) -> None:
    text = converted(shop, COOKIEBOT_JSON, "export.json")

    assert vendors(text) == {"Meta Pixel": "marketing"}
    assert "sid" not in text


def test_a_purpose_that_visitors_were_told_stays_and_necessary_is_not_taken_over(shop: Shop) -> None:
    klaro = """klaroConfig = {services: [{name: "google-analytics", purposes: ["marketing"]},
        {name: "hotjar", required: true}]}"""

    text = converted(shop, klaro)

    assert vendors(text) == {"Google Analytics": "marketing", "Hotjar": "statistics"}
    assert "Hotjar: it was under necessary; the catalogue lists it under statistics." in text


@pytest.mark.parametrize(
    "text",
    ["", "hello", "{", "[]", "null", "{}", "a,b\n1,2\n", "function f() { return 1 }", '{"services": []}'],
)
def test_what_is_no_such_file_gets_one_line(shop: Shop, text: str) -> None:
    (shop.directory / "odd.txt").write_text(text)

    done = shop.run("convert", "odd.txt")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "no third party in it" in done.stderr
    assert "Klaro" in done.stderr


@pytest.mark.parametrize(("content", "told"), [(None, "No such file"), (b"\xff\xfe\x00", "not UTF-8 text")])
def test_what_cannot_be_read_gets_one_line(shop: Shop, content: bytes | None, told: str) -> None:
    if content is not None:
        (shop.directory / "odd.js").write_bytes(content)

    done = shop.run("convert", "odd.js")

    assert done.returncode == 3
    assert told in done.stderr


@pytest.mark.parametrize("text", ["{" * 100_000, "{a:[" * 50_000, "[{" * 200, '{"a":' * 100_000])
def test_a_file_that_is_nested_without_end_is_refused_at_once(shop: Shop, text: str) -> None:
    (shop.directory / "deep.js").write_text(text)
    began = time.process_time()

    done = shop.run("convert", "deep.js")

    assert done.returncode == 3
    assert "nested too deep" in done.stderr
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "text",
    ["{a:}", "{a:1,,b:2}", "{a:[1,,2}", "{a:(1]}", "{a:1 b:2}", "x={a:/[/]}/g,b:'\\u0041'}", "{'a':`\\`b`,}"],
)
def test_text_that_is_out_of_step_is_read_to_its_end(text: str) -> None:
    objects_in(text)


def test_values_that_are_no_data_read_as_none() -> None:
    (found,) = objects_in(
        "var c = {a: f(1, {b: 2}), c: 'it\\'s', d: [1, x.y, /a\\/b/], e: a ? b : c, f: -1.5}"
    )

    assert found == {"a": None, "c": "it's", "d": [1, None, "a\\/b"], "e": None, "f": -1.5}


def test_too_many_levels_are_told() -> None:
    with pytest.raises(TooDeep):
        objects_in("{a:" * 70 + "1" + "}" * 70)


def test_a_regular_expression_becomes_the_start_it_asks_for() -> None:
    found = read_source(
        '{services: [{name: "x", cookies: [/^_ga/, /^_gid$/, /^a\\.b_\\d+$/, /(a|b)/, "c"]}]}'
    )

    assert found is not None
    assert found.services == (Service("x", "marketing", ("_ga*", "_gid", "a.b_*", "c")),)


@pytest.mark.parametrize(
    "word", ["non-essential", "nonessential", "non_essential", "unnecessary", "not required", "optional"]
)
def test_what_is_not_necessary_is_not_read_as_necessary(word: str) -> None:
    found = read_source(f'x = {{ services: [{{ name: "zz-tracker", purposes: ["{word}"] }}] }}')

    assert found is not None
    assert [one.purpose for one in found.services] == ["marketing"]


def test_all_rows_of_one_party_count_and_the_purpose_that_asks_for_most(shop: Shop) -> None:
    rows = (
        "Name;Provider;Category\nseen;tracker.example;Statistics\nads;cdn.tracker.example, tracker.example;Marketing\n"
        "more;tracker.example;Marketing\n__hssc;hubspot.com;Statistics\nhubspotutk;hubspot.com;Marketing\n"
    )

    text = converted(shop, rows, "export.csv")

    assert 'purpose = "marketing", hosts = ["tracker.example"], cookies = ["seen", "more"]' in text
    assert "tracker.example: it was under statistics and marketing." in text
    assert vendors(text) == {"HubSpot": "marketing"}


def test_a_file_with_a_mark_of_windows_is_read_to_its_end(shop: Shop) -> None:
    rows = '[{"name": "_ga", "category": "Statistics"},\n{"name": "_fbp", "category": "Marketing"}]'

    assert set(vendors(converted(shop, f"\ufeff{rows}", "export.json"))) == {"Google Analytics", "Meta Pixel"}
