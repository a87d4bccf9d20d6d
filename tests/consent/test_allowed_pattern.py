"""The JavaScript pattern of the guard allows the same addresses as the Content-Security-Policy."""

from __future__ import annotations

import re

import pytest

from cookieguard.config import DEFAULT_PURPOSES, Vendor
from cookieguard.consent import Register, allowed_pattern, site_of

SHOP = site_of("www.shop.example")
VENDORS = (
    Vendor(name="Ads", purpose="marketing", hosts=("*.ads.example", "ads.example")),
    Vendor(
        name="Pay",
        purpose="necessary",
        hosts=("pay.example:8443", "www.search.example/captcha/", "one.example/a.js"),
    ),
    Vendor(name="Film", purpose="preferences", hosts=("film.example",)),
)


def allows(url: str, *granted: str, undeclared: str = "marketing") -> bool:
    register = Register(
        purposes=DEFAULT_PURPOSES, vendors=VENDORS, undeclared=undeclared, first_party_hosts=("cdn.example",)
    )
    pattern = allowed_pattern(register, frozenset(granted), shop=SHOP)
    assert " " not in pattern
    return re.search(pattern, url) is not None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://img.shop.example/x", True),
        ("https://shop.example:8443/x", True),
        ("https://notshop.example/x", False),
        ("https://shop.example.evil.example/x", False),
        ("https://cdn.example/lib.js?x", True),
        ("https://user:word@cdn.example/", True),
        ("https://cdn.example@evil.example/", False),
        ("https://pay.example:8443/form", True),
        ("https://pay.example/form", False),
        ("https://www.search.example/captcha/api", True),
        ("https://www.search.example/captcha", False),
        ("https://www.search.example/ads", False),
        ("https://one.example/a.js?v=1", True),
        ("https://one.example/a.json", False),
        ("https://film.example/", False),
        ("https://nobody.example/", False),
        ("stun:nobody.example:3478", False),
        ("turns:cdn.example:5349?transport=tcp", True),
        ("about:blank", True),
        ("mailto:a@b.example", True),
    ],
)
def test_an_address_is_let_through_where_the_policy_allows_it(url: str, expected: bool) -> None:
    assert allows(url) is expected


def test_consent_for_a_purpose_lets_its_vendors_through() -> None:
    assert allows("https://film.example/", "preferences")
    assert not allows("https://a.ads.example/", "preferences")


def test_declared_hosts_stay_held_if_undeclared_ones_are_only_reported() -> None:
    assert allows("https://nobody.example/", undeclared="report")
    assert allows("https://pay.example:8443/", undeclared="report")
    assert not allows("https://a.ads.example/x", undeclared="report")
    assert not allows("https://film.example/x", undeclared="report")
    assert allows("https://film.example/x", "preferences", undeclared="report")
