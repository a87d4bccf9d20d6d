"""The headers of our own pages. What a page needs besides, or otherwise, it says itself: `{**PAGE_HEADERS, ...}`."""

from __future__ import annotations

# A page loads its style sheet and its script, and posts its forms, all from here.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "cache-control": "private, no-store",
    "referrer-policy": "same-origin",
    "vary": "Cookie, Sec-GPC, Accept-Language",
    "x-content-type-options": "nosniff",
}
# An answer to a form quotes what it refuses in plain text, and must not be taken for a page.
ANSWER_HEADERS = {
    "cache-control": "private, no-store",
    "vary": "Cookie",
    "x-content-type-options": "nosniff",
}
