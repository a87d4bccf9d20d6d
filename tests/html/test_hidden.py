"""References that a browser reads differently than their bytes suggest."""

from __future__ import annotations

import pytest
from harness.rewriting import every_byte, rewrite

ESCAPES = [
    rb"url(\2f\2f ads.example)",
    b"url(\\2f\n\\2f\tads.example)",
    b"url(\\2f\r\n\\2f ads.example)",
    b"url('\\2f\r\n/ads.example')",
    b"url('\\2f\n/ads.example')",
    b"url('/\\\r\n/ads.example')",
    b"url('/\\\x0c/ads.example')",
    b"image-set('/\\\n/ads.example' 1x)",
    b"image-set('/\\\r\n/ads.example' 1x)",
    b"image-set('/\\\x0c/ads.example' 1x)",
    b"image-set('\\2f\n/ads.example' 1x)",
    b"image-set('\\\n//ads.example' 1x)",
    b"image-set('ht\\\ntps://ads.example' 1x)",
    b"image-set('//ads.example/" + b"a" * 5000 + b"' 1x)",
]


@pytest.mark.parametrize("value", ESCAPES)
def test_an_escape_in_css_takes_the_blank_or_end_of_line_behind_it_along(value: bytes) -> None:
    assert b"data:," in rewrite(b"<style>a{background:" + value + b"}</style>")
    assert b"data:," in rewrite(b'<p style="background:' + value + b'">')


@pytest.mark.parametrize(
    "value", [b"'/\\\r\n/ads.example'", b"'/\\\x0c/ads.example'", b"'\\2f\r\n/ads.example'"]
)
def test_so_does_one_in_what_a_sheet_imports(value: bytes) -> None:
    assert rewrite(b"<style>@import " + value + b";</style>") == b'<style>@import "data:,";</style>'


@pytest.mark.parametrize("blank", [b"\n", b"\t", b"\r\n", b"&#10;"])
@pytest.mark.parametrize("place", [b"iframe src", b"object data", b"embed src"])
def test_a_blank_in_a_data_url_parts_names_as_chromium_has_it(place: bytes, blank: bytes) -> None:
    page = b"<%b=\"data:text/html,<img%bsrc='https://ads.example/'>\">" % (place, blank)
    name, attribute = place.split()
    assert rewrite(page).startswith(b"<%b data-cg-%b=" % (name, attribute))


def test_a_blank_in_a_data_url_that_is_none_by_the_standard_hides_nothing_either() -> None:
    page = b"<iframe src=\"data:text/html,<i\nmg src='https://ads.example/'>\"></iframe>"
    assert b"data-cg-src" in rewrite(page)


def test_a_data_url_with_blanks_that_contacts_nobody_stays() -> None:
    page = b'<iframe src="data:text/html,<p\nclass=x>\n<b>x</b>"></iframe>'
    assert rewrite(page) == page


@pytest.mark.parametrize(
    "page",
    [
        b'<select><style>@import "//ads.example/";</style></select>',
        b'<svg><style>@import "//ads.example/";</style></svg>',
        b'<style>@\\69mport "//ads.example/"; @import "//ads.example/";</style>',
    ],
)
def test_a_sheet_held_whole_is_none_for_a_preload_scanner_that_knows_no_types(page: bytes) -> None:
    expected = page.replace(b"<style>", b'<style type="text/plain">-->')
    assert rewrite(page) == rewrite(page, every_byte(page)) == expected
