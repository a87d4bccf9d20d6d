"""The language that the banner chooses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.consent import pick_language

SPOKEN = ("ar", "de", "en", "es", "he", "id", "nb", "pt", "zh-Hans", "zh-Hant")


@pytest.mark.parametrize(
    ("html_lang", "accept", "default", "picked"),
    [
        ("de", "en", "en", "de"),
        ("de-AT", "", "en", "de"),
        ("DE_ch", "", "en", "de"),
        (" ar ", "", "en", "ar"),
        ("", "de;q=0.5, ar;q=0.9", "en", "ar"),
        ("", "fr, de;q=0.3", "en", "de"),
        ("qaa", "de", "en", "de"),
        ("", "de;q=0, ar", "en", "ar"),
        ("", "de;q=2", "en", "en"),
        ("", "*", "de", "de"),
        ("", "", "de", "de"),
        ("qaa", "qab", "qac", "en"),
        ("german", "", "ar", "ar"),
        ("", "," * 5000 + "de", "en", "en"),
        ("zh-TW", "", "en", "zh-Hant"),
        ("zh_HK", "", "en", "zh-Hant"),
        ("zh-Hant-MO", "", "en", "zh-Hant"),
        ("yue", "", "en", "zh-Hant"),
        ("zh-CN", "", "en", "zh-Hans"),
        ("zh-Hans-SG", "", "en", "zh-Hans"),
        ("zh", "de", "en", "zh-Hans"),
        ("", "zh-TW,zh;q=0.9,en;q=0.8", "en", "zh-Hant"),
        ("no", "", "en", "nb"),
        ("nn-NO", "", "en", "nb"),
        ("iw", "", "en", "he"),
        ("in-ID", "", "en", "id"),
        ("pt-BR", "", "en", "pt"),
        ("es-419", "", "en", "es"),
        ("es-Latn-MX", "", "en", "es"),
    ],
)
def test_page_then_browser_then_shop_decides(html_lang: str, accept: str, default: str, picked: str) -> None:
    assert pick_language(html_lang, accept, default, SPOKEN) == picked


def test_regional_text_wins_where_it_is_there() -> None:
    assert pick_language("pt-BR", "", "en", ("pt", "pt-BR", "en")) == "pt-BR"
    assert pick_language("nn-NO", "", "en", ("nb", "nn", "en")) == "nn"


@pytest.mark.parametrize("tag", ["zh", "zh-TW", "zh-Hans-CN", "cmn", "no", "nn-NO", "iw"])
def test_a_language_that_is_not_there_is_looked_for_no_longer(tag: str) -> None:
    assert pick_language(tag, tag, "de", ("de", "en")) == "de"


@given(st.text(max_size=50), st.text(max_size=200))
def test_any_header_gives_a_language_we_speak(html_lang: str, accept: str) -> None:
    assert pick_language(html_lang, accept, "en", SPOKEN) in SPOKEN
