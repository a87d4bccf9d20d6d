# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a look at the bytes of a script, a tag or a sheet tells, in C: what glances.py says. The same tests run over both."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport (
    PyUnicode_DATA, PyUnicode_GET_LENGTH, PyUnicode_KIND, PyUnicode_READ, PyUnicode_Substring,
)
from libc.string cimport memchr, memcmp, memset

from cookieguard.html.hosts import ESCAPED_HOST, HOST, NAMESPACES, VOCABULARIES
from cookieguard.html.idioms import IMPORTS, LOADER_WORDS, SINK_CALLS, SINK_KEYS, SINK_PROPERTIES
from cookieguard.html.known cimport text_t
from cookieguard.html.nametable cimport has_word
from cookieguard.html.words cimport LONGEST_TOP, SHORTEST_TOP, blanks_before, plain_host_end, word_before

cdef enum:
    WORD = 1  # of a script's names
    LABEL = 2  # of a host
    QUOTE = 4
    LEAVES = 16  # may lead a reference away
    ADDS = 32  # may stand before the `=` that adds to a value
    MEANS = 128  # the first sign of a word that makes a meta element count
    NAMES_HOST = 64  # may stand behind two slashes where a host is named
    OF_HOST = 256  # of its name
    BEGINS_HOST = 1024  # a host, a hole of a template or an address may begin with it
    BEHIND_NAME = 512  # may make of the name before it one that loads

    HARD = 2048  # makes code and literals hard to tell apart
    PARTS_URL = 4096  # stands in no plain URL of a script

    LONGEST_USER = 64
    LONGEST_PORT = 5

    MARK_BYTE = 1
    LONGEST_LABEL = 63
    LONGEST_AFTER = 64  # signs of a name behind the word that says it loads
    LONGEST_SINK = 32

cdef unsigned short KIND[256]
cdef unsigned char LOWER[256]
cdef frozenset CALLS = SINK_CALLS, PROPERTIES = SINK_PROPERTIES, KEYS = SINK_KEYS, OPENERS = IMPORTS
cdef tuple LOADERS = tuple(LOADER_WORDS)
# By its first sign: the lengths of the names that load, as bits. Most names need no closer look.
cdef unsigned long long SINK_SIZES[256]


cdef void _prepare():
    cdef int byte
    memset(KIND, 0, sizeof(KIND))
    for byte in range(256):
        LOWER[byte] = byte + 32 if 65 <= byte <= 90 else byte
        if 97 <= LOWER[byte] <= 122 or 48 <= byte <= 57:
            KIND[byte] |= WORD | LABEL
        if KIND[byte] & LABEL or byte == 95 or byte == 45 or byte >= 128:
            KIND[byte] |= OF_HOST | BEGINS_HOST
        if byte not in b"/\"'`@<> \t\n\r\f\v":
            KIND[byte] |= NAMES_HOST
    for signs, kind in (
        (b"_$", WORD), (b"-", LABEL), (b"\"'`", QUOTE), (b":&\\", LEAVES), (b"+|?", ADDS),
        (b"-rR2&", MEANS), (b"(=:\x01", BEHIND_NAME), (b"$.[", BEGINS_HOST),
        (b"\"'`/\\\x01", HARD), (b"\"'`\\@\x01 \t\n\r\f\v", PARTS_URL),
    ):
        for byte in signs:
            KIND[byte] |= kind
    names = [*CALLS, *PROPERTIES, *KEYS, *OPENERS]
    assert max(map(len, names)) <= LONGEST_SINK
    memset(SINK_SIZES, 0, sizeof(SINK_SIZES))
    for name in names:
        SINK_SIZES[<unsigned char>name[0]] |= 1ull << <int>len(name)


_prepare()


cdef inline bint _begins(text_t s, Py_ssize_t p, Py_ssize_t size, const char* word, Py_ssize_t length) noexcept nogil:
    return p + length <= size and memcmp(s + p, word, length) == 0


cdef bint _is_special(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Tell whether what stands at `p`, behind two slashes, takes a closer look than its signs: a user, a namespace."""
    if not KIND[s[p]] & OF_HOST or _begins(s, p, size, b"www.w3.org", 10) or _begins(s, p, size, b"http", 4):
        return True
    return _has_user(s, p, size)


cdef bint _has_user(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Tell whether a user may be named before the host."""
    cdef Py_ssize_t start = p
    while p < size and p - start <= LONGEST_USER and KIND[s[p]] & NAMES_HOST:
        p += 1
    return p < size and s[p] == 64


cdef Py_ssize_t _host_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the host ends that begins at `p`, with its port."""
    cdef Py_ssize_t digits
    while p < size and (KIND[s[p]] & OF_HOST or (s[p] == 46 and p + 1 < size and KIND[s[p + 1]] & OF_HOST)):
        p += 1
    if p + 1 < size and s[p] == 58:
        digits = p + 1
        while digits < size and digits <= p + LONGEST_PORT and 48 <= s[digits] <= 57:
            digits += 1
        if digits > p + 1:
            p = digits
    return p


cpdef list host_places(bytes text):
    """List where hosts are named, from the slashes on, with their names."""
    cdef list places = []
    _find_hosts(text, places, None)
    return places


cpdef list named_hosts(bytes text):
    """List the hosts a script names, each once."""
    cdef dict hosts = {}
    _find_hosts(text, None, hosts)
    return list(hosts)


cdef inline _note(Py_ssize_t place, object host, list places, dict hosts):
    if places is None:
        hosts[host] = None
    else:
        places.append((place, host))


cdef _find_hosts(bytes text, list places, dict hosts):
    """Note where hosts are named, or only which, each once."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), p = 0, after, end
    cdef const void* found
    while p < size:
        found = memchr(s + p, 47, size - p)
        if found == NULL:
            break
        p = <text_t>found - s
        after = p + 2 if p + 1 < size and s[p + 1] == 92 else p + 1
        if after + 1 >= size or s[after] != 47 or not KIND[s[after + 1]] & NAMES_HOST:
            p += 1
            continue
        after += 1
        if not KIND[s[after]] & BEGINS_HOST and not _has_user(s, after, size):
            p += 1
            continue
        if not _is_special(s, after, size):
            end = _host_end(s, after, size)
            _note(p, PyBytes_FromStringAndSize(<char*>s + after, end - after), places, hosts)
            p = end
            continue
        match = HOST.match(text, p)
        if match is None:
            p += 1
            continue
        _note(p, match[1], places, hosts)
        p = match.end()
    p = _escaped_slash(s, 0, size)
    while p >= 0:
        match = ESCAPED_HOST.match(text, p)
        if match is not None:
            _note(p, match[1], places, hosts)
            p = match.end() - 1
        p = _escaped_slash(s, p + 1, size)


cdef Py_ssize_t _escaped_slash(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the next slash is written with an escape, from `p` on; -1: nowhere."""
    cdef const void* found
    while p + 3 < size:
        found = memchr(s + p, 92, size - p)
        if found == NULL:
            return -1
        p = <text_t>found - s
        if (
            _begins(s, p + 1, size, b"x2", 2) or _begins(s, p + 1, size, b"u002", 4) or _begins(s, p + 1, size, b"u{2", 3)
        ):
            return p
        p += 1
    return -1


cpdef bint has_servers(bytes text):
    """Tell whether a script names servers for WebRTC, or whose passkeys it asks for."""
    return _has_servers(<text_t>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cdef bint _has_servers(text_t s, Py_ssize_t size) noexcept nogil:
    # of their letters these are the rarest
    return has_word(s, size, 83, 3, b"iceServers", 10) or has_word(s, size, 75, 5, b"ublicKey", 8)


cdef inline bint _is_src(text_t s, Py_ssize_t p) noexcept nogil:
    """Tell whether what begins at `p` is given to `.src`."""
    return (p >= 5 and not memcmp(s + p - 5, b".src=", 5)) or (p >= 7 and not memcmp(s + p - 7, b".src = ", 7))


cdef Py_ssize_t _plain_url_end(text_t s, Py_ssize_t p, Py_ssize_t size, Py_ssize_t* host, Py_ssize_t* host_end) noexcept nogil:
    """Return where the plain URL ends that the literal at `p` is, at its quote; -1: it is none."""
    cdef unsigned char quote = s[p]
    p += 1
    if size - p > 5 and not memcmp(s + p, b"http", 4):
        p += 6 if s[p + 4] == 115 and s[p + 5] == 58 else 5 if s[p + 4] == 58 else 0
    if p + 1 >= size or s[p] != 47 or s[p + 1] != 47:
        return -1
    p += 2
    host[0], p = p, plain_host_end(s, p, size)
    host_end[0] = p
    if p < 0 or p >= size or not (s[p] == 47 or s[p] == 63 or s[p] == 35 or KIND[s[p]] & QUOTE):
        return -1
    while p < size and s[p] != quote:
        if KIND[s[p]] & PARTS_URL or (s[p] == 47 and s[p - 1] == 47):
            return -1
        p += 1
    return p if p < size and s[p - 1] != 58 else -1


cpdef bytes loaded_host(bytes text):
    """Return the host of the one URL in a short script, where that is loaded for sure; None: it takes a closer look."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), p = 0, end, host = -1, host_end = -1, first, last
    cdef unsigned char quote
    while p < size:
        if not KIND[s[p]] & HARD:
            p += 1
            continue
        quote = s[p]
        if quote != 34 and quote != 39 or (p > 1 and s[p - 1] == 58 and (s[p - 2] == 112 or s[p - 2] == 115)):
            return None
        end = _plain_url_end(s, p, size, &first, &last) if host < 0 and _is_src(s, p) else -1
        if end >= 0:
            host, host_end = first, last
        else:
            end = p + 1
            while end < size and s[end] != quote:
                if s[end] == 47 or s[end] == 92 or s[end] == 10 or s[end] == MARK_BYTE:
                    return None
                end += 1
            if end >= size or s[end - 1] == 58:
                return None
        p = end + 1
    if host < 0 or _has_servers(s, size):
        return None
    name = PyBytes_FromStringAndSize(<char*>s + host, host_end - host)
    return None if name in VOCABULARIES or name == NAMESPACES else name


cpdef bint names_nobody(bytes data, Py_ssize_t start, Py_ssize_t stop):
    """Tell whether a script, data[start:stop], can name no other host."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(data)
    stop = min(stop, PyBytes_GET_SIZE(data))
    if start >= stop:
        return True
    for sign in b"/\\&":
        if memchr(s + start, sign, stop - start) != NULL:
            return False
    return not _has_servers(s + start, stop - start)


cpdef plain_host(bytes name):
    """Return a host that is compared as it stands but for its case; None where it takes a closer look."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name), p, label = 0
    cdef bint is_lower = True
    if size and s[0] == 46:
        return None
    for p in range(size):
        is_lower = is_lower and not 65 <= s[p] <= 90
        if s[p] == 46:
            label = p + 1
        elif not KIND[s[p]] & (LABEL | WORD) or s[p] == 36:
            return None
    if label >= size or 48 <= s[label] <= 57:
        return None
    return name.decode("ascii") if is_lower else name.decode("ascii").lower()


cdef bint _glues(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Tell whether nothing but the first part of a host stands between `p` and the end of the literal."""
    cdef Py_ssize_t start = p
    while p < size and p - start < LONGEST_LABEL and KIND[s[p]] & LABEL:
        p += 1
    if p > start and p < size and s[p] == 46:
        p += 1
    if p < size and KIND[s[p]] & QUOTE:
        return True
    if not _begins(s, p, size, b"${", 2):
        return False
    p += 2
    if _begins(s, p, size, b"window.", 7):
        p += 7
    if not _begins(s, p, size, b"location.host", 13):
        return True
    p += 13
    if _begins(s, p, size, b"name", 4):
        p += 4
    return p >= size or s[p] != 125


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


cpdef bint has_pairs(bytes text):
    """Tell whether a text that is no UTF-8 has bytes that are a character in other encodings, and a sign alone."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    if not _has_pair(s, size, 92) and not _has_pair(s, size, 96):  # nearly always
        return False
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


cdef bint _has_pair(text_t s, Py_ssize_t size, unsigned char sign) noexcept nogil:
    """Tell whether this sign stands behind a byte that may begin a character."""
    cdef Py_ssize_t p = 1
    cdef const void* found
    while p < size:
        found = memchr(s + p, sign, size - p)
        if found == NULL:
            return False
        p = <text_t>found - s
        if 129 <= s[p - 1] <= 254:
            return True
        p += 1
    return False


cdef bint _is_one_of(frozenset names, text_t s, Py_ssize_t start, Py_ssize_t end):
    cdef Py_ssize_t size = end - start
    if not 0 < size <= LONGEST_SINK or not (SINK_SIZES[s[start]] >> size) & 1:
        return False
    return PyBytes_FromStringAndSize(<char*>s + start, size) in names


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


cpdef bint has_sink(bytes code):
    """Tell whether a script's code has anything that loads."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(code)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(code), p, end, start, added
    cdef unsigned char byte
    for p in range(size):
        byte = s[p]
        if not KIND[byte] & BEHIND_NAME:
            continue
        if byte == 40:
            end = blanks_before(s, p)
            start = word_before(s, end)
            if _is_one_of(CALLS, s, start, end) or _is_loader(s, start, end):
                return True
            if start == end and end > 0 and s[end - 1] == 93:  # by a name in quotes
                end = blanks_before(s, end - 1)
                if end and s[end - 1] == MARK_BYTE:
                    return True
        elif byte == 61:
            end, added = p, 0
            while end > 0 and added < 2 and KIND[s[end - 1]] & ADDS:
                end -= 1
                added += 1
            end = blanks_before(s, end)
            if end and s[end - 1] == 93:
                return True
            start = word_before(s, end)
            if start < end:
                added = blanks_before(s, start)
                if added and s[added - 1] == 46 and _is_one_of(PROPERTIES, s, start, end):
                    return True
        elif byte == 58 or byte == MARK_BYTE:
            end = blanks_before(s, p)
            start = word_before(s, end)
            if _is_one_of(KEYS, s, start, end) if byte == 58 else _opens(s, start, end):
                return True
    return False


cdef bint _opens(text_t s, Py_ssize_t start, Py_ssize_t end):
    """Tell whether a name ends in one that opens a module: `$` is no part of these."""
    cdef Py_ssize_t p = end
    while p > start and s[p - 1] != 36:
        p -= 1
    return _is_one_of(OPENERS, s, p, end)


cpdef bint may_have_sink(bytes text):
    """Say yes: to cut the code out costs no more here than to look at the text."""
    return True


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


cdef bint _stands(text_t s, Py_ssize_t p, Py_ssize_t size, const char* word, Py_ssize_t length) noexcept nogil:
    """Tell whether a word, here in lower case, stands at `p` in any case."""
    cdef Py_ssize_t index
    if p + length > size:
        return False
    for index in range(length):
        if LOWER[s[p + index]] != <unsigned char>word[index]:
            return False
    return True


cpdef bint meta_counts(bytes raw):
    """Tell whether a meta element is a refresh, a policy, about referrers or a charset that shifts."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(raw)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), p
    for p in range(size):
        if KIND[s[p]] & MEANS and (
            _stands(s, p, size, b"-equiv", 6) or _stands(s, p, size, b"referrer", 8) or _stands(s, p, size, b"2022", 4)
            or _stands(s, p, size, b"-2312", 5) or _stands(s, p, size, b"replacement", 11)
            or _stands(s, p, size, b"&#", 2)
        ):
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


cdef Py_ssize_t _plain_host_end(int kind, void* text, Py_ssize_t p, Py_ssize_t size) noexcept:
    """Return where the plain host ends that begins at `p`: labels, and letters behind the last dot; -1: it is none."""
    cdef Py_ssize_t label = p, dots = 0
    cdef bint has_letters_only = True
    cdef unsigned int sign
    while p < size:
        sign = <unsigned int>PyUnicode_READ(kind, text, p)
        if sign == 46:
            if p == label:
                return -1
            dots += 1
            label, has_letters_only = p + 1, True
        elif 48 <= sign <= 57 or sign == 45:
            has_letters_only = False
        elif not 97 <= sign <= 122:
            break
        p += 1
    return p if dots and has_letters_only and SHORTEST_TOP <= p - label <= LONGEST_TOP else -1


cpdef tuple plain_parts(str reference):
    """Return scheme ("" for the page's), host and path of a plain URL; None where it takes a closer look."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(reference), start = 0, host, p
    cdef int kind = PyUnicode_KIND(reference)
    cdef void* text = PyUnicode_DATA(reference)
    cdef unsigned int sign
    scheme = ""
    if size > 4 and PyUnicode_READ(kind, text, 0) == 104:
        if reference.startswith("http:"):
            scheme, start = "http", 5
        elif reference.startswith("https:"):
            scheme, start = "https", 6
    host = start + 2
    if host >= size or PyUnicode_READ(kind, text, start) != 47 or PyUnicode_READ(kind, text, start + 1) != 47:
        return None
    start = p = _plain_host_end(kind, text, host, size)
    if p < 0:
        return None
    if p < size:
        sign = <unsigned int>PyUnicode_READ(kind, text, p)
        if sign != 47 and sign != 63 and sign != 35:
            return None
        while p < size:
            sign = <unsigned int>PyUnicode_READ(kind, text, p)
            if sign == 63 or sign == 35 or sign == 92 or sign == 37 or sign == 9 or sign == 10 or sign == 13:
                break
            if sign == 46 and PyUnicode_READ(kind, text, p - 1) == 47:
                return None
            p += 1
    return scheme, PyUnicode_Substring(reference, host, start), PyUnicode_Substring(reference, start, p) if p > start else "/"
