# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a look at the bytes of a script or a tag tells, in C: what glances.py says. The same tests run over both."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memset

from cookieguard.html.hosts import ESCAPED_HOST, ESCAPED_SLASH, HOST
from cookieguard.html.idioms import IMPORTS, LOADER_WORDS, SINK_CALLS, SINK_KEYS, SINK_PROPERTIES
from cookieguard.html.scanner cimport text_t

cdef enum:
    WORD = 1  # of a script's names
    LABEL = 2  # of a host
    QUOTE = 4
    BLANK = 8
    LEAVES = 16  # may lead a reference away
    ADDS = 32  # may stand before the `=` that adds to a value
    NAMES_HOST = 64  # may stand behind two slashes where a host is named

    MARK_BYTE = 1
    LONGEST_LABEL = 63
    LONGEST_AFTER = 64  # signs of a name behind the word that says it loads
    LONGEST_SINK = 32

cdef unsigned char KIND[256]
cdef unsigned char LOWER[256]
cdef frozenset CALLS = SINK_CALLS, PROPERTIES = SINK_PROPERTIES, KEYS = SINK_KEYS, OPENERS = IMPORTS
cdef tuple LOADERS = tuple(LOADER_WORDS)


cdef void _prepare():
    cdef int byte
    memset(KIND, 0, sizeof(KIND))
    for byte in range(256):
        LOWER[byte] = byte + 32 if 65 <= byte <= 90 else byte
        if 97 <= LOWER[byte] <= 122 or 48 <= byte <= 57:
            KIND[byte] |= WORD | LABEL
        if byte not in b"/\"'`@<> \t\n\r\f\v":
            KIND[byte] |= NAMES_HOST
    for signs, kind in (
        (b"_$", WORD), (b"-", LABEL), (b"\"'`", QUOTE), (b" \t\n\r\f\v", BLANK), (b":&\\", LEAVES), (b"+|?", ADDS),
    ):
        for byte in signs:
            KIND[byte] |= kind
    assert max(map(len, [*CALLS, *PROPERTIES, *KEYS, *OPENERS])) <= LONGEST_SINK


_prepare()


cpdef list named_hosts(bytes text):
    """List the hosts a script names, each once."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), p = 0, after
    cdef const void* found
    cdef dict hosts = {}
    match_at = HOST.match
    while p < size:
        found = memchr(s + p, 47, size - p)
        if found == NULL:
            break
        p = <text_t>found - s
        after = p + 2 if p + 1 < size and s[p + 1] == 92 else p + 1
        if after + 1 >= size or s[after] != 47 or not KIND[s[after + 1]] & NAMES_HOST:
            p += 1
            continue
        match = match_at(text, p)
        if match is None:
            p += 1
            continue
        hosts[match[1]] = None
        p = match.end()
    if memchr(s, 92, size) != NULL and ESCAPED_SLASH.search(text):
        hosts.update(dict.fromkeys(ESCAPED_HOST.findall(text)))
    return list(hosts)


cdef bint _glues(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Tell whether nothing but the first part of a host stands between `p` and the end of the literal."""
    cdef Py_ssize_t start = p
    while p < size and p - start < LONGEST_LABEL and KIND[s[p]] & LABEL:
        p += 1
    if p > start and p < size and s[p] == 46:
        p += 1
    return p < size and KIND[s[p]] & QUOTE


cpdef bint has_glue(bytes text):
    """Tell whether a host may be put behind a scheme somewhere in a script."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), p = 0, after
    cdef const void* found
    while p < size:
        found = memchr(s + p, 47, size - p)
        if found == NULL:
            break
        p = <text_t>found - s
        after = p + 2 if p + 1 < size and s[p + 1] == 92 else p + 1
        if after < size and s[after] == 47 and _glues(s, after + 1, size):
            return True
        p += 1
    p = 3
    while p < size:
        found = memchr(s + p, 58, size - p)
        if found == NULL:
            return False
        p = <text_t>found - s
        if p + 1 < size and KIND[s[p + 1]] & QUOTE and (
            (p > 3 and memcmp(s + p - 4, b"ttps", 4) == 0) or memcmp(s + p - 3, b"ttp", 3) == 0
        ):
            return True
        p += 1
    return False


cdef inline Py_ssize_t _blanks(text_t s, Py_ssize_t p) noexcept nogil:
    """Go backwards from before `p` over blanks."""
    while p > 0 and KIND[s[p - 1]] & BLANK:
        p -= 1
    return p


cdef inline Py_ssize_t _word(text_t s, Py_ssize_t p) noexcept nogil:
    """Go backwards from before `p` over a name."""
    while p > 0 and KIND[s[p - 1]] & WORD:
        p -= 1
    return p


cdef bint _is_one_of(frozenset names, text_t s, Py_ssize_t start, Py_ssize_t end):
    return 0 < end - start <= LONGEST_SINK and PyBytes_FromStringAndSize(<char*>s + start, end - start) in names


cdef bint _is_loader(text_t s, Py_ssize_t start, Py_ssize_t end):
    """Tell whether a name says that it loads, near to its end."""
    cdef Py_ssize_t p, length, index
    cdef text_t word
    for loader in LOADERS:
        word, length = <text_t>PyBytes_AS_STRING(loader), PyBytes_GET_SIZE(loader)
        p = max(start, end - LONGEST_AFTER - length)
        while p + length <= end:
            index = 0
            while index < length and LOWER[s[p + index]] == word[index]:
                index += 1
            if index == length:
                return True
            p += 1
    return False


cpdef bint has_sink(bytes code, bytes back):
    """Tell whether a script's code has anything that loads."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(code)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(code), p, end, start, added
    cdef unsigned char byte
    for p in range(size):
        byte = s[p]
        if byte == 40:
            end = _blanks(s, p)
            start = _word(s, end)
            if _is_one_of(CALLS, s, start, end) or _is_loader(s, start, end):
                return True
        elif byte == 61:
            end, added = p, 0
            while end > 0 and added < 2 and KIND[s[end - 1]] & ADDS:
                end -= 1
                added += 1
            end = _blanks(s, end)
            if end and s[end - 1] == 93:
                return True
            start = _word(s, end)
            if start < end:
                added = _blanks(s, start)
                if added and s[added - 1] == 46 and _is_one_of(PROPERTIES, s, start, end):
                    return True
        elif byte == 58 or byte == MARK_BYTE:
            end = _blanks(s, p)
            start = _word(s, end)
            if _is_one_of(KEYS, s, start, end) if byte == 58 else _opens(s, start, end):
                return True
    return False


cdef bint _opens(text_t s, Py_ssize_t start, Py_ssize_t end):
    """Tell whether a name ends in one that opens a module: `$` is no part of these."""
    cdef Py_ssize_t p = end
    while p > start and s[p - 1] != 36:
        p -= 1
    return _is_one_of(OPENERS, s, p, end)


cpdef bint may_reach_others(bytes raw):
    """Tell whether a reference in a tag may leave the page's own origin."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(raw)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), p
    for p in range(size):
        if KIND[s[p]] & LEAVES:
            return True
        if s[p] == 47 and p + 1 < size and (s[p + 1] == 47 or s[p + 1] == 10 or s[p + 1] == 9 or s[p + 1] == 13):
            return True
    return False


cpdef tuple name_of(bytes raw):
    """Return the name of a tag in lower case, and where it ends."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(raw)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), start, p
    cdef bint is_lower = True
    start = 2 if size > 1 and s[1] == 47 else 1
    p = start
    while p < size and s[p] != 62 and s[p] != 47 and s[p] != 32 and not (9 <= s[p] <= 13 and s[p] != 11):
        is_lower = is_lower and not 65 <= s[p] <= 90
        p += 1
    name = PyBytes_FromStringAndSize(<char*>s + start, p - start)
    return (name if is_lower else name.lower()), p
