"""Keep browser caches honest: a document's ETag says for which state of consent it was written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cookieguard.web.http.headers import Headers, every, first, read, without

# What we append inside the quotes: whether the app's own tag was weak, and the state of the page.
SUFFIX = re.compile(rb'(?:W/)?"(?P<own>[^"]*)-cg(?P<weak>w?)\.(?P<state>[0-9a-f]{12})"')
OTHER_TAG = re.compile(rb'(?:W/)?"(?![^"]*-cgw?\.[0-9a-f]{12}")[^"]*"|\*')
# Digests and ranges of bytes that we rewrite, and dates that know nothing of consent.
STALE_HEADERS = frozenset(
    {
        b"accept-ranges",
        b"content-digest",
        b"content-md5",
        b"digest",
        b"etag",
        b"last-modified",
        b"repr-digest",
    }
)
# What asks for a part of a page, or for one that did not change since a date.
CONDITIONS = frozenset({b"if-match", b"if-modified-since", b"if-range", b"if-unmodified-since", b"range"})
MATCH, RANGE = b"if-match", b"range"
NONE_MATCH = frozenset({b"if-none-match"})
WHOLE = 200  # the status of a response that is no part of one
FILES_KEPT = 1000
LONGEST_ADDRESS = 1000  # characters of what a file is known by
VALIDATING = frozenset({b"etag", b"last-modified"})
Validators = tuple[bytes | None, bytes | None]  # a response's ETag and Last-Modified


class Files:
    """Remember of what a browser was shown that is no document (a PDF, a picture) how it is revalidated.

    Owned by the middleware, bounded. Only a page's conditions are kept from the app.
    """

    def __init__(self) -> None:
        self._known: dict[str, Validators] = {}

    def note(self, address: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Take note of a whole response that is no document."""
        names = read(headers)[1]
        validators = names.get(b"etag"), names.get(b"last-modified")
        if validators == (None, None) or len(address) > LONGEST_ADDRESS:
            return
        if len(self._known) >= FILES_KEPT:
            self._known.clear()
        self._known[address] = validators

    def knows(self, address: str, asked: Mapping[bytes, bytes]) -> bool:
        """Return whether a request asks for such a response, and for nothing older, by all of its conditions."""
        known = self._known.get(address)
        conditions = [asked[name] for name in (*CONDITIONS, *NONE_MATCH) if name in asked and name != RANGE]
        return known is not None and bool(conditions) and all(one in known for one in conditions)


def mark_state(headers: Headers, state: bytes) -> Headers:
    """Return a document's headers with its ETag weakened and suffixed by `state` (12 hex digits), left out without."""
    etag = first(headers, b"etag")
    kept = without(headers, STALE_HEADERS)
    if etag is None or not state:
        return kept
    weak = etag.startswith(b"W/")
    own = etag.removeprefix(b"W/").strip(b'"')
    return [*kept, (b"etag", b'W/"%s-cg%s.%s"' % (own, b"w" if weak else b"", state))]


def names_document(if_none_match: bytes) -> bool:
    """Return whether a conditional request asks for a document that passed here before."""
    return SUFFIX.search(if_none_match) is not None


def unmark_request(headers: Headers, state: bytes, *, is_navigation: bool) -> Headers:
    """Return a request's headers as the app may see them.

    Of our tags only those of the current state reach the app, without the suffix: a page written for another
    consent is never answered by 304. A navigation loses every other condition too, unless it is known for no page's
    (`Files`): its page may be one from before cookieguard was there, and a rewritten document has no ranges.
    """
    # What is changed is the same in every state
    headers = [(name, SUFFIX.sub(_own_tag, value) if name == MATCH else value) for name, value in headers]
    value = b", ".join(every(headers, b"if-none-match"))
    tags = [_own_tag(match) for match in SUFFIX.finditer(value) if match["state"] == state]
    kept = without(headers, NONE_MATCH)
    if is_navigation:
        kept = without(kept, CONDITIONS)
    else:
        tags += OTHER_TAG.findall(value)
    return [*kept, (b"if-none-match", b", ".join(tags))] if tags else kept


def _own_tag(match: re.Match[bytes]) -> bytes:
    return (b'W/"%s"' if match["weak"] else b'"%s"') % match["own"]
