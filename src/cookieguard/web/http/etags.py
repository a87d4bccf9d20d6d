"""ETags that name the state of consent, so that a browser's cache never shows a page of another state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cookieguard.web.http.headers import Headers, every, first, read, without

# The suffix inside the quotes says whether the app's own tag was weak, and names the page's state.
SUFFIX = re.compile(rb'(?:W/)?"(?P<own>[^"]*)-cg(?P<weak>w?)\.(?P<state>[0-9a-f]{12})"')
OTHER_TAG = re.compile(rb'(?:W/)?"(?![^"]*-cgw?\.[0-9a-f]{12}")[^"]*"|\*')
# Removed: digests and ranges of bytes that we rewrite, and dates, which do not change with consent.
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
# Request headers for a part of a page, or for a page that has changed since a date.
CONDITIONS = frozenset({b"if-match", b"if-modified-since", b"if-range", b"if-unmodified-since", b"range"})
MATCH, RANGE = b"if-match", b"range"
NONE_MATCH = frozenset({b"if-none-match"})
WHOLE = 200  # the status of a whole response, not a part (206)
FILES_KEPT = 1000
LONGEST_ADDRESS = 1000  # characters of an address in the cache
VALIDATING = frozenset({b"etag", b"last-modified"})
Validators = tuple[bytes | None, bytes | None]  # a response's ETag and Last-Modified


class Files:
    """Remember the validators of files that browsers opened (a PDF, a picture), so that their conditions reach the app.

    Conditions for a page are withheld from the app, and those for a file are not. Owned by the middleware, bounded.
    """

    def __init__(self) -> None:
        self._known: dict[str, Validators] = {}

    def note(self, address: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Remember the validators of a whole response that is not a document."""
        names = read(headers)[1]
        validators = names.get(b"etag"), names.get(b"last-modified")
        if validators == (None, None) or len(address) > LONGEST_ADDRESS:
            return
        if len(self._known) >= FILES_KEPT:
            self._known.clear()
        self._known[address] = validators

    def knows(self, address: str, asked: Mapping[bytes, bytes]) -> bool:
        """Return whether all conditions of a request name the current validators of such a file."""
        known = self._known.get(address)
        conditions = [asked[name] for name in (*CONDITIONS, *NONE_MATCH) if name in asked and name != RANGE]
        return known is not None and bool(conditions) and all(value in known for value in conditions)


def mark_state(headers: Headers, state: bytes) -> Headers:
    """Return a document's headers with a weak ETag that ends in `state` (12 hex digits); without a state, no ETag."""
    etag = first(headers, b"etag")
    kept = without(headers, STALE_HEADERS)
    if etag is None or not state:
        return kept
    weak = etag.startswith(b"W/")
    own = etag.removeprefix(b"W/").strip(b'"')
    return [*kept, (b"etag", b'W/"%s-cg%s.%s"' % (own, b"w" if weak else b"", state))]


def names_document(if_none_match: bytes) -> bool:
    """Return whether a conditional request names a document that cookieguard sent before."""
    return SUFFIX.search(if_none_match) is not None


def unmark_request(headers: Headers, state: bytes, *, is_navigation: bool) -> Headers:
    """Return a request's headers for the app.

    Our tags reach the app without their suffix, and only if they have the current state, so a page of another state is
    never confirmed by a 304. A navigation loses all other conditions too, unless they are a file's (`Files`): the page
    may be from before cookieguard was installed, and a rewritten document has no ranges.
    """
    # A change (If-Match) concerns the app's resource, whatever the state.
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
