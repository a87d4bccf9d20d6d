"""The text that guarded and unguarded pages of the framework shops contain."""

from __future__ import annotations

from typing import Any

# path -> (status, heading): a page, one the shop itself does not find, one nobody routed, one that raised
PAGES = {
    "/": (200, "Catalogue"),
    "/products/KK-101": (200, "Teapot"),
    "/products/nothing": (404, "Nothing on this shelf"),
    "/no/such/route": (404, "Nothing on this shelf"),
    "/crash": (500, "A plate fell down"),
}
LIVE_TAGS = ('<script src="https://tags.ads.example/', '<img src="https://pixel.ads.example/')


def live_tags(text: str) -> int:
    """Count the tags that would contact the ad network."""
    return sum(tag in text for tag in LIVE_TAGS)


def asks(text: str, root: str = "") -> bool:
    """Return whether the page carries the banner's form."""
    return f'action="{root}/_cg/consent"' in text and 'value="accept"' in text


def check_own_page(answer: Any, path: str) -> None:
    """Hold a page to what the shop itself says there."""
    status, heading = PAGES[path]
    assert answer.status_code == status
    assert f"<h1>{heading}</h1>" in answer.text


def check_guarded(answer: Any, path: str, root: str = "") -> None:
    """Hold the answer to a guarded page of an undecided visitor: the shop's own page, behind both walls."""
    check_own_page(answer, path)
    assert live_tags(answer.text) == 0
    assert asks(answer.text, root)
    assert "ads.example" not in answer.headers["content-security-policy"]
    assert "private" in answer.headers["cache-control"] or "no-store" in answer.headers["cache-control"]
    assert "cookie" in answer.headers["vary"].lower()
    assert len(answer.content) == int(answer.headers.get("content-length", len(answer.content)))


def check_unguarded(answer: Any, path: str) -> None:
    """Hold the answer to the shop's page as it is without us."""
    check_own_page(answer, path)
    assert live_tags(answer.text) == 2
    assert "_cg" not in answer.text
    assert "content-security-policy" not in answer.headers
