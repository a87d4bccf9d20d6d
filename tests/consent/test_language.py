"""Which language the banner speaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.consent import pick_language

SPOKEN = ("ar", "de", "en")


@pytest.mark.parametrize(
    ("html_lang", "accept", "default", "picked"),
    [
        ("de", "en", "en", "de"),
        ("de-AT", "", "en", "de"),
        ("DE_ch", "", "en", "de"),
        (" ar ", "", "en", "ar"),
        ("", "de;q=0.5, ar;q=0.9", "en", "ar"),
        ("", "fr, de;q=0.3", "en", "de"),
        ("fr", "de", "en", "de"),
        ("", "de;q=0, ar", "en", "ar"),
        ("", "de;q=2", "en", "en"),
        ("", "*", "de", "de"),
        ("", "", "de", "de"),
        ("fr", "es", "pt", "en"),
        ("german", "", "ar", "ar"),
        ("", "," * 5000 + "de", "en", "en"),
    ],
)
def test_page_then_browser_then_shop_decides(html_lang: str, accept: str, default: str, picked: str) -> None:
    assert pick_language(html_lang, accept, default, SPOKEN) == picked


def test_regional_text_wins_where_it_is_there() -> None:
    assert pick_language("pt-BR", "", "en", ("pt", "pt-BR", "en")) == "pt-BR"


@given(st.text(max_size=50), st.text(max_size=200))
def test_any_header_gives_a_language_we_speak(html_lang: str, accept: str) -> None:
    assert pick_language(html_lang, accept, "en", SPOKEN) in SPOKEN
