"""The response headers of our own pages. A page adds or replaces headers with `{**PAGE_HEADERS, ...}`."""

from __future__ import annotations

# A page loads its style sheet and script from the shop's own host, and posts its forms there.
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
# A plain-text answer to a form may quote what was posted, so a browser must not sniff it as HTML.
ANSWER_HEADERS = {
    "cache-control": "private, no-store",
    "vary": "Cookie",
    "x-content-type-options": "nosniff",
}
