"""Our elements are allowed in a page with policies of the shop's own, read as a browser reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.consent import Allowance, Way, allowance
from cookieguard.consent.shop_csp import admits

ORIGIN = "https://shop.example"
INLINE, FILE, NONE = Allowance(Way.INLINE), Allowance(Way.FILE), Allowance(Way.NONE)
ABC = Allowance(Way.NONCE, "abc=")
N = "'nonce-abc='"


@pytest.mark.parametrize(
    ("headers", "script", "style"),
    [
        ([], INLINE, INLINE),
        ([""], INLINE, INLINE),
        (["img-src 'none'; frame-ancestors 'self'"], INLINE, INLINE),
        (["default-src 'self'"], FILE, FILE),
        (["default-src"], NONE, NONE),
        (["default-src 'none'"], NONE, NONE),
        (["default-src 'none'; script-src 'unsafe-inline'"], INLINE, NONE),
        (["script-src 'self'; script-src 'unsafe-inline'"], FILE, INLINE),
        (["script-src 'none'; script-src-elem 'unsafe-inline'"], INLINE, INLINE),
        (["script-src-attr 'none'; style-src-attr 'none'"], INLINE, INLINE),
        (["SCRIPT-SRC 'UNSAFE-INLINE'; Style-Src 'SELF'"], INLINE, FILE),
        ([f"script-src {N}; style-src 'unsafe-inline' {N}"], ABC, ABC),
        ([f"script-src {N} 'strict-dynamic' 'unsafe-inline'"], ABC, INLINE),
        (["script-src 'NONCE-Abc'"], Allowance(Way.NONCE, "Abc"), INLINE),
        (["script-src 'unsafe-inline' 'sha256-abc='"], NONE, INLINE),
        (["default-src 'self' 'unsafe-inline' 'sha256-abc='"], FILE, FILE),
        (["default-src 'strict-dynamic' 'unsafe-inline' 'self'"], NONE, INLINE),
        ([f"script-src {N}", "script-src 'self' 'unsafe-inline'"], ABC, INLINE),
        ([f"script-src {N}", "script-src 'nonce-other' 'nonce-abc='"], ABC, INLINE),
        ([f"script-src {N}, script-src 'nonce-other'"], NONE, INLINE),
        ([f"script-src {N}", "script-src 'self'"], Allowance(Way.FILE, "abc="), INLINE),
        (["script-src 'unsafe-inline'", "script-src 'self'"], NONE, INLINE),
        (["script-src 'unsafe-inline' 'self'", "script-src 'self'"], FILE, INLINE),
        (["script-src 'self'", f"style-src {N}"], FILE, ABC),
        (["script-src 'nonce-a\"b'"], NONE, INLINE),
        (["script-src 'nonce-'"], NONE, INLINE),
        (["script-src\t\n'unsafe-inline'\f;;  ; "], INLINE, INLINE),
        (["script-src 'ünsafe-inline'"], INLINE, INLINE),  # a directive that is not ASCII is ignored
    ],
)
def test_shops_policies_decide_how_our_elements_enter(
    headers: list[str], script: Allowance, style: Allowance
) -> None:
    assert allowance(headers, "script", origin=ORIGIN) == script
    assert allowance(headers, "style", origin=ORIGIN) == style


def test_meta_policy_counts_beside_the_header() -> None:
    found = allowance([f"script-src {N}"], "script", origin=ORIGIN, metas=["script-src 'nonce-x'"])

    assert found == NONE


@pytest.mark.parametrize(
    ("source", "origin", "covers"),
    [
        ("*", ORIGIN, True),
        ("https:", ORIGIN, True),
        ("http:", ORIGIN, True),
        ("https:", "http://shop.example", False),
        ("data:", ORIGIN, False),
        ("shop.example", ORIGIN, True),
        ("SHOP.example", ORIGIN, True),
        ("https://shop.example", ORIGIN, True),
        ("http://shop.example", ORIGIN, True),
        ("http://shop.example:80", ORIGIN, True),
        ("https://shop.example:443", ORIGIN, True),
        ("https://shop.example:8443", ORIGIN, False),
        ("shop.example", "https://shop.example:8443", False),
        ("shop.example:*", "https://shop.example:8443", True),
        ("*.example", ORIGIN, True),
        ("*.shop.example", ORIGIN, False),
        ("cdn.example", ORIGIN, False),
        ("shop.example/_cg/", ORIGIN, True),
        ("shop.example/static/", ORIGIN, False),
        ("shop.example/", ORIGIN, True),
        ("shop.example/_cg/b.css", ORIGIN, True),
        ("shop.example/_cg", ORIGIN, False),
        ("'none'", ORIGIN, False),
        ("'self'", ORIGIN, True),
        ("http://[::1]", ORIGIN, False),
        ("shop.example:99999999999", ORIGIN, False),
    ],
)
def test_file_of_ours_is_allowed_by_what_covers_our_origin(source: str, origin: str, covers: bool) -> None:
    found = allowance([f"style-src {source}"], "style", origin=origin, path="/_cg/b.css")

    assert found == (FILE if covers else NONE)


WORDS = [
    "'self'",
    "'unsafe-inline'",
    "'strict-dynamic'",
    "'none'",
    "*",
    N,
    "'nonce-z'",
    "'sha256-aa='",
    "cdn.example",
]
POLICY = st.builds(
    lambda name, words: f"{name} {' '.join(words)}",
    st.sampled_from(["default-src", "script-src", "script-src-elem", "img-src"]),
    st.lists(st.sampled_from(WORDS), max_size=4),
)
RANK = [Way.NONCE, Way.INLINE, Way.FILE, Way.NONE]


@given(st.lists(POLICY, max_size=3), POLICY)
def test_another_policy_never_allows_more(policies: list[str], another: str) -> None:
    before = allowance(policies, "script", origin=ORIGIN)
    after = allowance([*policies, another], "script", origin=ORIGIN)

    if before.way is Way.NONE:
        assert after.way is Way.NONE
    if before.way is Way.FILE:
        assert after.way in (Way.FILE, Way.NONE)
    assert after.nonce in ("", "abc=", "z")


@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_text_is_read_without_error(policies: list[str]) -> None:
    assert allowance(policies, "script", origin=ORIGIN).way in RANK


@pytest.mark.parametrize(
    ("policies", "host", "is_let_in"),
    [
        ([], "a.example", True),
        (["script-src 'self'"], "a.example", True),  # pictures may still come
        (["default-src 'self'"], "a.example", False),
        (["default-src 'self'; img-src https://a.example"], "a.example", True),
        (["default-src 'self'; img-src *.a.example"], "a.example", False),
        (["default-src 'self'; script-src js.a.example"], "*.a.example", True),
        (["default-src 'self'; script-src *.js.a.example"], "*.a.example", True),
        (["default-src 'self'; script-src nota.example"], "*.a.example", False),
        (["default-src 'self'; script-src 'nonce-abc'"], "a.example", True),
        (["default-src 'self'; connect-src https:"], "a.example", True),
        (["default-src a.example", "default-src 'self'"], "a.example", False),  # all must agree
        (["default-src a.example, default-src 'none'"], "a.example", False),
    ],
)
def test_a_host_that_a_policy_shuts_out_altogether_is_told(
    policies: list[str], host: str, is_let_in: bool
) -> None:
    assert admits(policies, host) is is_let_in
