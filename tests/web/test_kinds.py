"""What a browser makes of a Content-Type, whatever it was meant to be."""

from __future__ import annotations

import pytest

from cookieguard.web.kinds import kind_of


@pytest.mark.parametrize(
    "content_type",
    [
        b"text/html charset=utf-8",
        b"text/html(x)",
        b"Text/HTML\t; a",
        b" text/html foo",
        b"text/plain,text/html x",
    ],
)
def test_a_type_ends_where_a_browser_ends_it(content_type: bytes) -> None:
    assert kind_of(content_type).is_document


@pytest.mark.parametrize("content_type", [b"text/plain charset=text/html", b"text/htmlx", b"image/png"])
def test_no_other_type_becomes_a_document(content_type: bytes) -> None:
    assert not kind_of(content_type).is_document
