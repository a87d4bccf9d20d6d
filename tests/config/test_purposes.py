"""Purposes: which ones a preset gives, which ones visitors see, and what the catalogue's vendors serve under each."""

from __future__ import annotations

import pytest

from cookieguard import Config, Vendor
from cookieguard.config import ConsentSettings, CookieSettings, OwnCookie, Purpose, StatsSettings
from cookieguard.config.languages import LANGUAGES, texts_of
from cookieguard.config.loading.toml import config_from_mapping
from cookieguard.config.purposes import DEFAULT_IDS, OUR_IDS
from cookieguard.errors import ConfigError
from cookieguard.web.banner.localized_texts import shown_purposes

SHOP = {"purpose_preset": "shop", "undeclared": "block", "stats": {"enabled": False}}


def asked(config: Config) -> list[str]:
    return [one.id for one in config.asked]


@pytest.mark.parametrize(
    ("vendor", "general", "shop"),
    [
        ("stripe", "necessary", "necessary"),
        ("dhl", "necessary", "necessary"),
        ("google-ads", "marketing", "marketing"),
        ("google-analytics", "statistics", "statistics"),
        ("typeform", "preferences", "surveys"),
        ("survicate", "statistics", "surveys"),
        ("intercom", "preferences", "relations"),
        ("zendesk", "preferences", "relations"),
        ("google-maps", "preferences", "preferences"),
    ],
)
def test_a_vendor_of_the_catalogue_has_the_purpose_of_the_preset(
    vendor: str, general: str, shop: str
) -> None:
    by_default = config_from_mapping({"vendors": [vendor]})
    by_preset = config_from_mapping({"vendors": [vendor], **SHOP})

    assert by_default.vendors[0].purpose == general
    assert by_preset.vendors[0].purpose == shop
    assert asked(by_preset) == list(dict.fromkeys(["necessary", shop]))


def test_a_purpose_that_the_shop_names_for_a_vendor_counts_before_the_presets() -> None:
    vendors = (Vendor(catalogue="intercom", purpose="preferences"), Vendor(catalogue="zendesk"))

    config = Config(purpose_preset="shop", vendors=vendors)

    assert [one.purpose for one in config.vendors] == ["preferences", "relations"]


def test_only_purposes_in_use_are_asked_for() -> None:
    bare = {"undeclared": "block", "stats": {"enabled": False}}

    assert asked(Config()) == ["necessary", "statistics", "marketing"]
    assert asked(config_from_mapping(bare)) == ["necessary"]
    assert asked(config_from_mapping({**bare, "vendors": ["google-maps"]})) == ["necessary", "preferences"]


@pytest.mark.parametrize(
    ("config", "purpose"),
    [
        (Config(undeclared="block", vendors=(Vendor(catalogue="google-ads"),)), "marketing"),
        (Config(cookies=CookieSettings(own=(OwnCookie(name="l", purpose="preferences"),))), "preferences"),
        (Config(undeclared="block", cookies=CookieSettings(undeclared="marketing")), "marketing"),
        (Config(undeclared="block", consent=ConsentSettings(signals=("meta",))), "marketing"),
        (Config(undeclared="marketing", stats=StatsSettings(enabled=False)), "marketing"),
        (Config(undeclared="block", stats=StatsSettings(enabled=True)), "statistics"),
        (Config(purposes=(Purpose(id="chat", title="Chat"),)), "chat"),
        (Config(purposes=(Purpose(id="preferences", title="Comfort"),)), "preferences"),
    ],
)
def test_whatever_waits_for_a_purpose_makes_it_one_that_visitors_see(config: Config, purpose: str) -> None:
    assert purpose in asked(config)


def test_a_shop_adds_to_the_preset_and_renames_its_purposes() -> None:
    own = (Purpose(id="loyalty", title="Loyalty programme"), Purpose(id="surveys", title="Polls"))

    config = Config(purpose_preset="shop", purposes=own)

    assert [one.id for one in config.purposes] == [*OUR_IDS, "loyalty"]
    assert {one.id: one.title for one in shown_purposes(config, "de")}["surveys"] == "Polls"


def test_an_own_purpose_may_be_called_as_one_of_the_preset() -> None:
    own = (Purpose(id="surveys", title={"en": "Polls", "de": "Abstimmungen"}),)

    config = Config(purposes=own)

    assert [one.id for one in config.purposes] == [*DEFAULT_IDS, "surveys"]
    assert config.languages == ("de", "en")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_preset_has_its_own_words_in_each_language(lang: str) -> None:
    names = ["stripe", "google-ads", "google-analytics", "typeform", "intercom", "google-maps"]
    config = config_from_mapping({**SHOP, "vendors": names})
    general = texts_of(lang)["purposes"]

    shown = {one.id: one for one in shown_purposes(config, lang)}

    assert tuple(shown) == OUR_IDS
    assert all(one.title and one.description for one in shown.values())
    assert len({one.title for one in shown.values()}) == len(OUR_IDS)
    assert all(shown[one].title != general[one]["title"] for one in ("necessary", "marketing", "statistics"))
    assert lang == "en" or all(
        shown[one].title != texts_of("en")["purposes"][one]["title"] for one in general
    )


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"purpose_preset": "shopp"}, "purpose_preset is 'shopp'; allowed: 'general', 'shop'"),
        ({"purpose_preset": True}, "purpose_preset is True; allowed: text"),
        ({"purposes": "shop"}, "purposes is 'shop'; allowed: "),
        ({"purposes": [{"id": "survey"}]}, "purposes.survey.title is empty; allowed: a title"),
        (
            {"vendors": [{"catalogue": "intercom", "has_catalogue_purpose": True}]},
            "vendors[0].has_catalogue_purpose is not a known setting",
        ),
        (
            {"vendors": [{"name": "A", "purpose": "relations", "hosts": ["a.example"]}]},
            "vendors.A.purpose is 'relations'; allowed: 'necessary', 'preferences', 'statistics', 'marketing'",
        ),
    ],
)
def test_a_bad_value_is_one_line_that_names_what_is_allowed(settings: dict[str, object], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_mapping(settings)

    assert str(caught.value).startswith(error)
    assert "\n" not in str(caught.value)
