"""Configuration from TOML and Python gives the same result, and one clear line for each mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cookieguard.config import (
    DEFAULT_PURPOSES,
    Config,
    PolicyVersion,
    Purpose,
    Vendor,
    config_from_mapping,
    load_config,
)
from cookieguard.config.languages import LANGUAGES
from cookieguard.errors import ConfigError


def test_an_empty_file_is_the_default_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("")

    assert load_config(tmp_path / "a.toml") == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('state_dirr = "x"', "state_dirr is not a known setting; allowed: state_dir, "),
        ('[consent]\nlang = "de"', "consent.lang is not a known setting; allowed: "),
        (
            '[look]\nlayout = "card"\nvendors = ["youtube"]',
            "look.vendors is not a known setting; allowed: vendors above the first [table] of the file, and here ba",
        ),
        (
            '[proof]\nwitness_url = "https://witness.example"',
            "proof.witness_url is a setting that was removed; allowed: proof.witness, a directory or a command, or ",
        ),
        ('[look]\nstats = "x"', "look.stats is not a known setting; allowed: background, "),
        ('[html]\nnoreferrer = "yes"', "html.noreferrer is 'yes'; allowed: true or false"),
        ('[consent]\nsignals = ["bing"]', "consent.signals is 'bing'; allowed: 'google', 'microsoft-uet', "),
        (
            '[consent]\nsignals = ["meta", "meta"]',
            "consent.signals is 'meta' twice; allowed: each value only once",
        ),
        (
            '[consent]\nsignals = ["google-advanced"]',
            "consent.signals is 'google-advanced'; allowed: 'google', which is the basic consent mode; the advanced",
        ),
        (
            '[consent]\nsignals = ["google"]\n[[purposes]]\nid = "necessary"\n[[purposes]]\nid = "marketing"',
            "consent.signals is 'google' without the purpose statistics; allowed: only with the purposes",
        ),
        (
            "[html]\nenabled = false\nnoreferrer = true",
            "html.noreferrer is true; allowed: false while html.enabled is false",
        ),
        (
            '[[vendors]]\nname = "A"\nhosts = ["a.example"]',
            "vendors.A.purpose is ''; allowed: the id of a purpose",
        ),
        (
            '[[vendors]]\nname = "A"\npurpose = "marketing"',
            "vendors.A.hosts is empty; allowed: at least one host",
        ),
        (
            '[[vendors]]\nname = "A"\npurpose = "fun"\nhosts = ["a.example"]',
            "vendors.A.purpose is 'fun'; allowed: 'nec",
        ),
        (
            '[[vendors]]\nname = "A"\npurpose = "marketing"\nhosts = "a.example"',
            "vendors.A.hosts is 'a.example'; allow",
        ),
        (
            '[[vendors]]\nname = "A"\npurpose = "marketing"\nhosts = ["https://a.example"]',
            "vendors.A.hosts is 'https:",
        ),
        (
            '[[vendors]]\nname = "A"\npurpose = "marketing"\nhosts = ["A.example"]',
            "vendors.A.hosts is 'A.example'",
        ),
        ('[[vendors]]\nname = "A\\r\\nSet-Cookie: x"\npurpose = "marketing"', "vendors.name is"),
        ("vendors = [3]", "vendors[0] is 3; allowed: a table"),
        ("log = 3", "log is 3; allowed: a table"),
        ("[log]\nipv4_prefix = 32", "log.ipv4_prefix is 32; allowed: 0 to 24 bits"),
        ("[log]\nipv4_prefix = true", "log.ipv4_prefix is True; allowed: a whole number"),
        ('[log]\npreset = "gdpr"', "log.preset is 'gdpr'; allowed: '', 'ga', 'cnil', 'zero'"),
        (
            '[log]\npreset = "ga"\nipv4_prefix = 24',
            "log.ipv4_prefix is 24 together with log.preset = 'ga'; allowed: a preset or prefixes, not both",
        ),
        (
            '[log]\npreset = "zero"\nipv6_prefix = 0',
            "log.ipv6_prefix is 0 together with log.preset = 'zero'; allowed: a preset or prefixes, not both",
        ),
        (
            '[log]\npreset = "cnil"\naddresses = "prefix-daily"',
            "log.addresses is 'prefix-daily' together with log.preset = 'cnil'; allowed: 'prefix-daily' or a preset",
        ),
        ('[log]\nformat = "xml"', "log.format is 'xml'; allowed: 'combined', 'json'"),
        ("[log]\nkeep_days = 0", "log.keep_days is 0; allowed: 1 to 400 days"),
        (
            'origins = ["https://shop.example/"]',
            "origins is 'https://shop.example/'; allowed: an origin like",
        ),
        (
            'origins = "https://shop.example"',
            "origins is 'https://shop.example'; allowed: a tuple (in TOML: a list)",
        ),
        (
            'trusted_proxies = ["10.0.0.1/8"]',
            "trusted_proxies is '10.0.0.1/8'; allowed: an address or a network",
        ),
        ('undeclared = "allow"', "undeclared is 'allow'; allowed: 'marketing', 'block', 'report'"),
        ('prefix = "cg"', "prefix is 'cg'; allowed: a path like '/_cg/'"),
        ('[consent]\nenabled = "no"', "consent.enabled is 'no'; allowed: true or false"),
        (
            '[cookies.session]\nname = "a\\r\\nb"',
            "cookies.session.name is 'a\\r\\nb'; allowed: an RFC 9110 token",
        ),
        ("[cookies.session]\nsecure = false", "cookies.session.secure is False; allowed: true"),
        (
            "[cookies.session]\nmax_age = 99999999",
            "cookies.session.max_age is 99999999; allowed: 0 to 3",
        ),
        (
            '[cookies.consent]\nname = "__Host-choice"\nmax_age = 99999999',
            "cookies.consent.max_age is 99999999; allowed: 0 to 3",
        ),
        ('[cookies.cart]\nname = "basket"\nsame_site = "no"', "cookies.cart.same_site is 'no'; allowed"),
        ('[policy]\nversion = "a b"', "policy.version is 'a b'; allowed"),
        (
            '[policy]\nprivacy_url = "//evil.example"',
            "policy.privacy_url is '//evil.example'; allowed: https://",
        ),
        ('[[purposes]]\nid = "fun"', "purposes.fun.title is empty; allowed: a title that visitors can read"),
        ("[identity]\nidle_days = 0", "identity.idle_days is 0; allowed: 1 to 400 days"),
        (
            '[keys]\nenvironment = "lower"',
            "keys.environment is 'lower'; allowed: an upper-case name like 'SHOP_DATABASE'",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_setting(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_mapping(tomllib.loads(text))

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"), [(b"a = ", "is .*; allowed: valid TOML"), (b"\xff", "not UTF-8")]
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "cookieguard.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=re.escape(str(file))) as caught:
        load_config(file)
    assert re.search(message, str(caught.value))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config file .*none.toml is unreadable \(No such file"):
        load_config(tmp_path / "none.toml")


def test_python_values_are_held_to_the_same_types() -> None:
    with pytest.raises(ConfigError, match=r"vendors\.A\.hosts is 'abc'"):
        Vendor(name="A", purpose="marketing", hosts="abc")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="vendors is a list"):
        Config(vendors=[])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"policy is '2'; allowed: PolicyVersion\(version='2'\)"):
        Config(policy="2")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Config(vendors=(Vendor(catalogue="vimeo"), "stripe")),
            "vendors[1] is 'stripe'; allowed: Vendor(catalogue='stripe')",
        ),
        (
            lambda: Config(vendors=({"name": "A"},)),
            "vendors[0] is a dict; allowed: Vendor(catalogue=...)",
        ),
        (lambda: Config(purposes=("chat",)), "purposes[0] is 'chat'; allowed: Purpose(id='chat')"),
        (lambda: Config(origins=("https://a.example", 3)), "origins[1] is 3; allowed: text"),
        (
            lambda: Vendor(catalogue="stripe", cookies=("a", b"b")),
            "vendors.stripe.cookies[1] is a bytes; allowed: text",
        ),
        (
            lambda: Purpose(id="chat", title={"en": "Chat", "de": 3}),
            "purposes.chat.title.de is 3; allowed: text",
        ),
        (
            lambda: config_from_mapping({"origins": ["https://a.example", 3]}),
            "origins[1] is 3; allowed: text",
        ),
        (
            lambda: config_from_mapping(
                {"cookies": {"own": [{"name": "a", "purpose": "marketing"}, {"name": "b", "path": 3}]}}
            ),
            "cookies.own.b.path is 3; allowed: text",
        ),
        (
            lambda: config_from_mapping({"proof": {"keep": [{"kind": "consent", "days": "9"}]}}),
            "proof.keep.consent.days is '9'; allowed: a whole number",
        ),
    ],
)
def test_the_one_wrong_element_of_a_list_is_named(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build()

    assert str(caught.value) == message


def test_a_purpose_more_keeps_the_default_ones_and_may_rename_one() -> None:
    text = """
        [[purposes]]
        id = "chat"
        title = { en = "Chat", de = "Plaudern" }
        description = { en = "Talk to us.", de = "Sprechen Sie mit uns." }
        [[purposes]]
        id = "marketing"
        title = { de = "Werbung" }
    """

    config = config_from_mapping(tomllib.loads(text))

    chat = Purpose(
        id="chat",
        title={"en": "Chat", "de": "Plaudern"},
        description={"en": "Talk to us.", "de": "Sprechen Sie mit uns."},
    )
    renamed = Purpose(id="marketing", title={"de": "Werbung"})
    assert config.purposes == (*DEFAULT_PURPOSES[:3], renamed, chat)
    assert Config(purposes=(chat,)).purposes == (*DEFAULT_PURPOSES, chat)
    assert config.languages == ("de", "en")
    assert Config().languages == LANGUAGES


SPOKEN = ", ".join(map(repr, LANGUAGES))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('[consent]\nlanguage = "qaa"', f"consent.language is 'qaa'; allowed: {SPOKEN}"),
        (
            '[[purposes]]\nid = "chat"\ntitle = { qaa = "x" }',
            f"purposes.chat.title is a table with 'qaa'; allowed: one with {SPOKEN}",
        ),
        (
            '[[purposes]]\nid = "chat"\ntitle = { de = "x" }',
            "purposes.chat.title is a table without 'en'; allowed: a table with 'en'",
        ),
        (
            '[[purposes]]\nid = "chat"\ntitle = { de = "x", en = "y" }\ndescription = { en = "z" }',
            "purposes.chat.description is a table without 'de'; allowed: a table with 'de', 'en'",
        ),
        (
            '[[purposes]]\nid = "chat"\ntitle = { de = "x", en = "y" }\ndescription = "z"',
            "purposes.chat.description is one text; allowed: a table with 'de', 'en'",
        ),
        (
            '[[purposes]]\nid = "chat"\ntitle = "x"\ndescription = { en = "z" }',
            "purposes.chat.title is one text; allowed: a table with 'en'",
        ),
        (
            '[[purposes]]\nid = "chat"\ntitle = { en = 3 }',
            "purposes.chat.title.en is 3; allowed: text",
        ),
    ],
)
def test_a_language_that_the_banner_does_not_speak_is_named(settings: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_mapping(tomllib.loads(settings))

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('languages = ["de", "qaa"]', f"languages is 'qaa'; allowed: {SPOKEN}"),
        ('languages = ["de", "pt-BR"]', f"languages is 'pt-BR'; allowed: {SPOKEN}"),
        ('languages = ["de", "en", "de"]', "languages is 'de' twice; allowed: each value only once"),
        (
            'languages = ["de", "fr"]\n[consent]\nlanguage = "en"',
            "consent.language is 'en'; allowed: 'de', 'fr'",
        ),
        (
            'languages = ["zh-Hans"]\n[consent]\nlanguage = "zh-TW"',
            "consent.language is 'zh-TW'; allowed: 'zh-Hans'",
        ),
        (
            'languages = ["de", "fr"]\n[[purposes]]\nid = "chat"\ntitle = { de = "x", en = "y" }',
            "purposes.chat.title is a table without 'fr'; allowed: a table with 'de', 'fr'",
        ),
    ],
)
def test_a_language_that_cannot_be_offered_is_named_with_what_is_allowed(settings: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_mapping(tomllib.loads(settings))

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "languages", "default"),
    [
        ("", LANGUAGES, "en"),
        ('languages = ["fr", "de"]', ("fr", "de"), "fr"),
        ('languages = ["fr", "de"]\n[consent]\nlanguage = "de-AT"', ("fr", "de"), "de-AT"),
        (
            'languages = ["fr", "de"]\n[[purposes]]\nid = "a"\ntitle = { de = "x", en = "y", fr = "z" }',
            ("fr", "de"),
            "fr",
        ),
        ('languages = ["fr", "de"]\n[[purposes]]\nid = "a"\ntitle = "x"', ("fr", "de"), "fr"),
    ],
)
def test_the_first_chosen_language_is_the_default(
    settings: str, languages: tuple[str, ...], default: str
) -> None:
    config = config_from_mapping(tomllib.loads(settings))

    assert (config.languages, config.consent.language) == (languages, default)
    assert replace(config, dev=True).languages == languages


def test_the_default_language_may_name_a_region() -> None:
    assert config_from_mapping(tomllib.loads('[consent]\nlanguage = "de-AT"')).consent.language == "de-AT"


def test_own_purposes_with_the_necessary_one_replace_the_default_ones() -> None:
    text = '[[purposes]]\nid = "necessary"\n[[purposes]]\nid = "maps"\ntitle = "Maps"\n'
    config = config_from_mapping(tomllib.loads(f'undeclared = "block"\n{text}[policy]\nversion = "2"\n'))

    assert config.purposes == (Purpose(id="necessary"), Purpose(id="maps", title="Maps"))
    assert config.policy == PolicyVersion(version="2")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('origins = ["https://Bücher.example"]', "'https://xn--bcher-kva.example'"),
        ('origins = ["https://shop.example/"]', "'https://shop.example'"),
        ('origins = ["HTTPS://Shop.Example:443/"]', "'https://shop.example'"),
        ('origins = ["https://shop.example:443"]', "'https://shop.example'"),
        ('origins = ["http://[::1]:80"]', "'http://[::1]'"),
        ('origins = ["HTTP://localhost:443"]', "'http://localhost:443'"),
        ('first_party_hosts = ["*.CDN.example"]', "'*.cdn.example'"),
        (
            'vendors = [{ name = "K", purpose = "marketing", hosts = ["faß.example"] }]',
            "'xn--fa-hia.example'",
        ),
    ],
)
def test_a_host_that_browsers_write_otherwise_is_told_as_they_write_it(
    tmp_path: Path, text: str, written: str
) -> None:
    (tmp_path / "cookieguard.toml").write_text(text, "utf-8")

    with pytest.raises(ConfigError, match=f"browsers write {re.escape(written)}"):
        load_config(tmp_path / "cookieguard.toml")


def test_what_no_browser_can_write_is_told_without_a_guess(tmp_path: Path) -> None:
    (tmp_path / "cookieguard.toml").write_text('origins = ["kä se"]', "utf-8")

    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "cookieguard.toml")

    assert "browsers write" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[policy]\neffective = "2026-12-15"', "a date (in TOML without quotes: 2026-12-15)"),
        ('trusted_proxies = ["10.0.0.1/8"]', "; this address is in the network '10.0.0.0/8'"),
        ("a = [1, 2", "config file cookieguard.toml is not TOML (Unclosed array"),
    ],
)
def test_misspelled_setting_is_reported_with_the_intended_one(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "cookieguard.toml").write_text(text, "utf-8")

    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "cookieguard.toml")

    assert told in str(caught.value).replace(f"{tmp_path}/", "")
