"""Texts of a shop in several languages: each reader gets the nearest one."""

from __future__ import annotations

import pytest

from cookieguard.config.languages import nearest_text

TITLE = {"cs": "Faktury", "de": "Rechnungen", "en": ""}


@pytest.mark.parametrize(
    ("languages", "told"),
    [
        (("fi", "de-AT"), ("Rechnungen", "de")),
        (("cs-CZ", "de-AT"), ("Faktury", "cs")),
        (("en", "fi"), ("Faktury", "cs")),
        (("", ""), ("Faktury", "cs")),
    ],
)
def test_reader_gets_the_nearest_text_also_where_the_shop_names_a_region(
    languages: tuple[str, ...], told: tuple[str, str]
) -> None:
    assert nearest_text(TITLE, *languages) == told
