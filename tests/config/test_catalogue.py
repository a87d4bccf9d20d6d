"""Known vendors by name and by host; fields that the shop sets override those of the catalogue."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import no_app

from cookieguard import CookieGuard
from cookieguard.config import Config, Vendor, config_from_mapping, load_catalogue, load_config
from cookieguard.config.catalogue import SourcePage, StoredName
from cookieguard.errors import ConfigError
from scripts.check_vendors import faults_of

CATALOGUE = load_catalogue()


def test_every_entry_has_the_form_and_no_host_is_in_two() -> None:
    assert list(faults_of(CATALOGUE.entries)) == []


GOOD = CATALOGUE.entry("stripe")
OTHER = CATALOGUE.entry("youtube")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sources": ()}, "names no page"),
        ({"sources": (SourcePage(page="http://a.example", of=("cookies",)),)}, "no https URL"),
        (
            {"sources": (SourcePage(page="https://a.example", of=("hosts",)),)},
            "no source is named for its cookies",
        ),
        ({"country": "Ireland"}, "no ISO code"),
        ({"purpose": "fun"}, "none of the default ones"),
        ({"necessary_when": ""}, "does not say when"),
        ({"hosts": ("Stripe.com",)}, "is no host"),
        ({"hosts": ("www.youtube.com",)}, "both have"),
        ({"hosts": ("*.youtube.com/embed/",)}, "both have"),
        ({"shared_hosts": ("nobody.example",)}, "nobody has"),
        ({"cookies": (StoredName(name="a", use="fun"),)}, "use 'fun'"),
        ({"cookies": (StoredName(name="a", use="ads", life="long"),)}, "life 'long'"),
        ({"cookies": (StoredName(name="a b", use="ads"),)}, "no name that a cookie can have"),
    ],
)
def test_the_check_sees_each_fault(changes: dict[str, Any], fault: str) -> None:
    found = list(faults_of([replace(GOOD, **changes), OTHER]))

    assert any(fault in one for one in found), found


def test_the_check_sees_no_fault_in_what_these_are_made_of() -> None:
    assert list(faults_of([GOOD, OTHER])) == []


def test_one_name_on_the_shops_site_for_two_purposes_is_a_fault() -> None:
    one = replace(GOOD, cookies=(StoredName(name="_x_*", use="fraud"),))
    other = replace(OTHER, cookies=(StoredName(name="_x_y", use="ads"),))

    assert any("both have _x_*" in fault for fault in faults_of([one, other]))


@pytest.mark.parametrize(
    ("host", "path", "id_"),
    [
        ("js.stripe.com", "", "stripe"),
        ("stripe.com", "", "stripe"),
        ("notstripe.com", "", None),
        ("REGION1.google-analytics.com.", "", "google-analytics"),
        ("www.google.com", "/recaptcha/api.js", "recaptcha"),
        ("www.google.com", "/maps/embed", "google-maps"),
        ("www.google.com", "/search", None),
        ("www.googletagmanager.com", "/gtm.js", "google-tag-manager"),
        ("www.googletagmanager.com", "/gtag/js", "google-analytics"),
        ("tags.tracker.example", "/gtag/js", None),
        ("www.google.com", "", None),
        ("shop.example", "", None),
    ],
)
def test_a_host_is_found_under_its_subdomains_and_by_path_where_several_share_it(
    host: str, path: str, id_: str | None
) -> None:
    found = CATALOGUE.by_host(host, path)

    assert (found and found.id) == id_


def test_names_alone_are_a_whole_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('vendors = ["google-analytics", "stripe", "youtube"]')

    analytics, stripe, youtube = load_config(tmp_path / "a.toml").vendors

    assert (analytics.name, analytics.purpose) == ("Google Analytics", "statistics")
    assert "_ga" in analytics.cookies
    assert (stripe.purpose, bool(stripe.reason)) == ("necessary", True)
    assert "*.youtube.com" in youtube.hosts
    assert youtube.privacy_url.startswith("https://")


def test_the_shops_own_fields_come_before_the_catalogues() -> None:
    own = {"catalogue": "recaptcha", "purpose": "necessary", "reason": "the login form is attacked daily"}

    config = config_from_mapping({"vendors": ["youtube", own]})

    captcha = config.vendors[1]
    assert (captcha.name, captcha.purpose) == ("Google reCAPTCHA", "necessary")
    assert captcha.reason == "the login form is attacked daily"
    assert captcha.hosts == CATALOGUE.entry("recaptcha").hosts


def test_the_catalogue_gives_no_reason_for_what_it_does_not_hold_for_necessary() -> None:
    assert Vendor(catalogue="recaptcha", purpose="necessary").reason == ""


def test_an_unknown_name_is_answered_in_one_line_with_the_three_nearest() -> None:
    with pytest.raises(ConfigError) as error:
        config_from_mapping({"vendors": ["google-analitics"]})

    assert str(error.value) == (
        "vendors is 'google-analitics'; allowed: a vendor in the catalogue; "
        "the nearest are 'google-analytics', 'google-fonts', 'google-ads'"
    )


@pytest.mark.parametrize(
    ("name", "meant"), [("gtm", "google-tag-manager"), ("Turnstile", "cloudflare-turnstile")]
)
def test_common_name_of_a_vendor_suggests_its_catalogue_name(name: str, meant: str) -> None:
    assert meant in CATALOGUE.nearest(name)


def test_a_shared_host_comes_with_the_milder_purpose_whatever_the_order() -> None:
    config = config_from_mapping({"vendors": ["google-ads", "google-analytics"]})

    ads, analytics = config.vendors
    assert "*.googletagmanager.com" in analytics.hosts
    assert "*.googletagmanager.com" not in ads.hosts


def test_a_shared_host_is_a_vendors_own_where_nobody_else_has_it() -> None:
    (ads,) = config_from_mapping({"vendors": ["google-ads"]}).vendors

    assert "*.googletagmanager.com" in ads.hosts


@pytest.mark.parametrize("name", ["braintree", "worldpay"])
def test_a_payment_vendor_brings_the_host_that_confirms_cards_for_it(name: str) -> None:
    (one,) = config_from_mapping({"vendors": [name]}).vendors

    assert "*.cardinalcommerce.com" in one.hosts


def test_the_owner_of_a_shared_host_keeps_it() -> None:
    config = config_from_mapping({"vendors": ["google-analytics", "google-tag-manager"]})

    assert [one.name for one in config.vendors if "*.googletagmanager.com" in one.hosts] == [
        "Google Tag Manager"
    ]


def test_every_entry_can_be_used_and_all_of_them_together(tmp_path: Path) -> None:
    every = tuple(Vendor(catalogue=one.id) for one in CATALOGUE.entries)

    CookieGuard(no_app, Config(state_dir=str(tmp_path / "state"), vendors=every))


def test_vendors_are_given_in_python_as_names(tmp_path: Path) -> None:
    own = Vendor(name="A", purpose="marketing", hosts=("a.example",))

    guard = CookieGuard(no_app, Config(state_dir=str(tmp_path / "state")), vendors=["stripe", own])

    assert [one.name for one in guard._parts.config.vendors] == ["Stripe", "A"]


def test_a_text_for_a_list_of_vendors_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"vendors is 'stripe'; allowed: a list of names, such as \['stripe'\]"
    ):
        CookieGuard(no_app, Config(state_dir=str(tmp_path / "state")), vendors="stripe")


def test_fast_lookup_in_the_catalogue_finds_what_toml_reads() -> None:
    """Tables and their lists are found by the form of our files: a reader of TOML must see the same."""
    folder = files("cookieguard.static").joinpath("vendors")
    read = {
        id_: facts
        for one in folder.iterdir()
        if one.name.endswith(".toml")
        for id_, facts in tomllib.loads(one.read_text("utf-8")).items()
    }

    assert {one.id for one in CATALOGUE.entries} == set(read)
    for id_, facts in read.items():
        for pattern in facts["hosts"]:
            host, slash, path = pattern.removeprefix("*.").partition("/")
            assert id_ in [one.id for _, one in CATALOGUE.candidates(host)]
            assert slash + path in [path for path, one in CATALOGUE.candidates(host) if one.id == id_]
        for end in facts.get("proxied", ()):
            path, _, query = end.partition("?")
            found = CATALOGUE.by_path(path, query)
            assert found is not None
            assert found.id == id_


def test_a_shop_that_names_one_vendor_reads_one_entry() -> None:
    code = "import sys; from cookieguard import Config, CookieGuard; from cookieguard.config import catalogue as c\n"
    code += "CookieGuard(None, Config(state_dir=sys.argv[1]), vendors=['stripe'])\n"
    code += "print(sorted(c.load_catalogue()._read))"
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
        )

    assert told.stdout.strip() == "['stripe']"
