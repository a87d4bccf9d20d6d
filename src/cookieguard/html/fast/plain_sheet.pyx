# cython: language_level=3, wraparound=False, initializedcheck=False
"""A search for the URLs of a plain style sheet, in C. Sheets with escapes, imports or unclear comments are left to
css/stylesheet.py. `tests/html/test_tag_summary.py` checks that both find the same."""

import re

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr

from cookieguard.html.css import tokenizer
from cookieguard.html.fast.answers cimport lower, stands, text_t

cdef enum:
    BLANK = 1
    HEX = 2
    ENDS_URL = 8  # ends a URL without quotes, or makes it invalid
    LONGEST_HEX = 6
    LONGEST_RULE = 100  # bytes before a URL in which an at-rule such as `@namespace` begins

ESCAPED_LETTER = re.compile(tokenizer.ESCAPED_LETTER.pattern.encode())
cdef unsigned char KIND[256]


cdef void _prepare():
    cdef int byte
    for byte in range(256):
        if 97 <= lower(byte) <= 102 or 48 <= byte <= 57:
            KIND[byte] |= HEX
    for signs, kind in ((b" \t\r\n\f", BLANK), (b" \t\r\n\f\"'()\\", ENDS_URL)):
        for byte in signs:
            KIND[byte] |= kind


_prepare()


cdef inline bint _ends_in(text_t s, Py_ssize_t p, const char* word, Py_ssize_t length) noexcept nogil:
    return p >= length and stands(s, p - length, word, length)


cdef inline Py_ssize_t _blanks(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    while p < size and KIND[s[p]] & BLANK:
        p += 1
    return p


cdef inline Py_ssize_t _escape_end(text_t s, Py_ssize_t p, Py_ssize_t size, bint is_line_one) noexcept nogil:
    """Return where the escape at `p` ends, or -1 if the data ends; `is_line_one` counts CR LF as one character."""
    cdef Py_ssize_t start = p + 1
    p = start
    if p >= size:
        return -1
    while p < size and p - start < LONGEST_HEX and KIND[s[p]] & HEX:
        p += 1
    if p == start:
        return p + 2 if is_line_one and s[p] == 13 and p + 1 < size and s[p + 1] == 10 else p + 1
    if p + 1 < size and s[p] == 13 and s[p + 1] == 10:
        return p + 2
    return p + 1 if p < size and KIND[s[p]] & BLANK else p


cdef Py_ssize_t _string_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the string that opens at `p` ends, or -1 if it is incomplete."""
    cdef unsigned char quote = s[p]
    p += 1
    while p < size:
        if s[p] == quote:
            return p + 1
        if s[p] == 10:
            return p
        if s[p] == 92:
            p = _escape_end(s, p, size, True)
            if p < 0:
                return -1
        else:
            p += 1
    return p


cdef Py_ssize_t _plain_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the URL without quotes at `p` ends, or -1 if it is invalid, so that no browser fetches it."""
    cdef Py_ssize_t end
    if p >= size or s[p] == 41:
        return -1
    while p < size:
        if not KIND[s[p]] & ENDS_URL:
            p += 1
        elif s[p] == 92:
            end = _escape_end(s, p, size, False)
            if end < 0:
                break
            p = end
        else:
            break
    end = _blanks(s, p, size)
    return p if end >= size or s[end] == 41 else -1


cdef bint _imports(text_t s, Py_ssize_t size) noexcept nogil:
    """Return whether the sheet has an `@import` before a string or a comment, and not only `@import url()`."""
    cdef Py_ssize_t p = 0
    cdef const void* at
    while p + 7 <= size:
        at = memchr(s + p, 64, size - p)
        if at == NULL:
            break
        p = <text_t>at - s + 1
        if p + 6 <= size and stands(s, p, b"import", 6):
            p = _blanks(s, p + 6, size)
            if p < size and (s[p] == 34 or s[p] == 39 or s[p] == 47):
                return True
    return False


cdef inline bint _takes_url(text_t s, Py_ssize_t p) noexcept nogil:
    """Return whether the function with its bracket at `p` takes a URL."""
    return _ends_in(s, p, b"url", 3) or _ends_in(s, p, b"src", 3) or _ends_in(s, p, b"x", 1)


cdef inline bint _takes_strings(text_t s, Py_ssize_t p) noexcept nogil:
    """Return whether the function with its bracket at `p` may take URLs as strings."""
    return _ends_in(s, p, b"-set", 4) or _ends_in(s, p, b"mage", 4) or _ends_in(s, p, b"-fade", 5)


cdef Py_ssize_t _url_end(text_t s, Py_ssize_t start, Py_ssize_t size, bint* is_string) noexcept nogil:
    """Return where the URL at `start` ends, with or without quotes, or -1 if it causes no request."""
    is_string[0] = start < size and (s[start] == 34 or s[start] == 39)
    cdef Py_ssize_t end = _string_end(s, start, size) if is_string[0] else _plain_end(s, start, size)
    cdef Py_ssize_t first = start + is_string[0]
    return -1 if first + 5 <= size and _is_data(s, first) else end


cdef bint begin(Walk* walk, bytes sheet):
    """Start the search; return False if the sheet has to be judged in full, because it escapes a letter or imports.

    `step` finds other reasons for that: an escape in a URL, a function that takes strings, or a URL to another host
    that may be in a comment or a mere name, which only a tokenizer can decide.
    """
    walk.s, walk.size = <text_t>PyBytes_AS_STRING(sheet), PyBytes_GET_SIZE(sheet)
    walk.p, walk.read, walk.opened, walk.closed = 0, 1, -1, -1
    is_escaped = memchr(walk.s, 92, walk.size) != NULL and ESCAPED_LETTER.search(sheet) is not None
    return not is_escaped and not _imports(walk.s, walk.size)


cdef int step(Walk* walk) noexcept nogil:
    """Move to the next URL; return 1 if there is one, 0 if there is none, -1 if the sheet has to be judged in full."""
    cdef text_t s = walk.s
    cdef Py_ssize_t size = walk.size, p = walk.p, start, end
    cdef const void* at
    while p < size:
        at = memchr(s + p, 40, size - p)
        if at == NULL:
            break
        p = <text_t>at - s
        if not _takes_url(s, p):
            if _takes_strings(s, p):
                return -1
            p += 1
            continue
        p += 1
        start = _blanks(s, p, size)
        end = _url_end(s, start, size, &walk.is_string)
        if end < 0:
            continue
        if memchr(s + start, 92, end - start) != NULL:
            return -1
        if _leaves(s, start, end):
            walk.opened = _last_opened(s, start, &walk.read, walk.opened)
            if walk.opened != walk.closed and not _is_closed(s, walk.opened + 2, start):
                return -1
            walk.closed = walk.opened
            if _may_be_name(s, start):
                return -1
        walk.p, walk.start, walk.end = p, start, end
        return 1
    return 0


cdef bint _leaves(text_t s, Py_ssize_t p, Py_ssize_t end) noexcept nogil:
    """Return whether a URL may reach another host (LEAVES in stylesheet.py)."""
    cdef Py_ssize_t start = p, q
    while p < end:
        if s[p] == 47 and p + 1 < end and (s[p + 1] == 47 or s[p + 1] == 9 or s[p + 1] == 10 or s[p + 1] == 13):
            return True
        if s[p] == 58:
            q = p
            while q > start and (48 <= s[q - 1] <= 57 or s[q - 1] == 43 or s[q - 1] == 45 or s[q - 1] == 46):
                q -= 1
            if q > start and 97 <= lower(s[q - 1]) <= 122:
                return True
        p += 1
    return False


cdef Py_ssize_t _last_opened(text_t s, Py_ssize_t place, Py_ssize_t* read, Py_ssize_t opened) noexcept nogil:
    """Return where the last comment before `place` may begin, or -1. Up to `read`, the last one begins at `opened`."""
    cdef Py_ssize_t p = read[0]
    cdef const void* at
    while p <= place:
        at = memchr(s + p, 42, place + 1 - p)
        if at == NULL:
            break
        p = <text_t>at - s
        if s[p - 1] == 47:
            opened = p - 1
        p += 1
    read[0] = max(read[0], place + 1)
    return opened


cdef bint _is_closed(text_t s, Py_ssize_t p, Py_ssize_t place) noexcept nogil:
    """Return whether a comment ends between `p` and `place`."""
    cdef const void* at
    while p < place:
        at = memchr(s + p, 42, place - p)
        if at == NULL:
            return False
        p = <text_t>at - s + 1
        if s[p] == 47:
            return True
    return False


cdef bint _may_be_name(text_t s, Py_ssize_t place) noexcept nogil:
    """Return whether a rule whose URL is a mere name may begin just before `place` (NAMES_ONLY in stylesheet.py)."""
    cdef Py_ssize_t p = place, lowest = max(0, place - LONGEST_RULE)
    while p > lowest:
        p -= 1
        if s[p] == 64:
            return lower(s[p + 1]) == 110 or lower(s[p + 1]) == 100 or s[p + 1] == 45
    return False


cdef inline bint _is_data(text_t s, Py_ssize_t p) noexcept nogil:
    return s[p] == 100 and s[p + 1] == 97 and s[p + 2] == 116 and s[p + 3] == 97 and s[p + 4] == 58
