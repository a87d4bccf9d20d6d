# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Which literals of a script may be what it loads, in C: what suspects.py says in regular expressions. The same tests run over both."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memset

from cookieguard.html import hosts
from cookieguard.html.glances cimport host_places
from cookieguard.html.known cimport text_t
from cookieguard.html.words cimport host_end

cdef enum:
    BLANK = 1
    LETTER = 2
    QUOTE = 4
    SLASHES = 8
    LABEL = 16  # of a host
    ENDS_HOST = 32
    OPENS_URL = 64  # a quote or a bracket
    ENDS_NAME = 128  # may stand before an attribute

    MARK_BYTE = 1
    LONGEST_SCHEME = 10
    MOST_ESCAPED = 80
    MOST_BEFORE_ESCAPE = 16
    LONGEST_HOLE = 256
    LOOK_BACK = 64
    MAX_SUSPECTS = 500

cdef unsigned char KIND[256]
cdef frozenset ONLY_MENTIONS = frozenset(b"a area form blockquote q cite del ins".split())  # until somebody clicks
cdef frozenset VOCABULARIES = hosts.VOCABULARIES, FILE_ENDINGS = hosts.FILE_ENDINGS
cdef tuple ATTRIBUTES = tuple(b"src srcset href data poster url action".split())


cdef void _prepare():
    cdef int byte
    memset(KIND, 0, sizeof(KIND))
    for byte in range(128):
        if chr(byte).isalpha():
            KIND[byte] |= LETTER
        if chr(byte).isalnum():
            KIND[byte] |= LABEL
    for signs, kind in (
        (b" \t\n\r\f\v", BLANK), (b"\"'`", QUOTE), (b"\\/", SLASHES), (b"-", LABEL), (b"/:?\"'`", ENDS_HOST),
        (b"\"'`(", OPENS_URL), (b" \t\n\r\f\v;\"'`<", ENDS_NAME),
    ):
        for byte in signs:
            KIND[byte] |= kind


_prepare()


cpdef list bare_hosts(bytes text):
    """List the hosts that literals may begin with, without slashes, each once."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), p = 0, start, end
    cdef dict found = {}
    while p < size:
        start = p + 1
        if KIND[s[p]] & QUOTE or s[p] == 125:
            if start < size and s[start] == 46:
                start += 1
            end = _bare_end(s, start, size)
            if end >= 0:
                found[PyBytes_FromStringAndSize(<char*>s + start, end - start)] = None
        p += 1
    return list(found)


cpdef list suspects(bytes joined, is_held, bint glues):
    """List the numbers of the suspect literals, at most MAX_SUSPECTS; a MARK leads each."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(joined)
    cdef Py_ssize_t place, counted = 0, number = 0, last = -1
    cdef const void* mark
    cdef list found = []
    cdef list places = _places(joined, is_held, glues)
    if len(places) > 1:
        places.sort()
    for place in places:
        while counted < place:
            mark = memchr(s + counted, MARK_BYTE, place - counted)
            if mark == NULL:
                break
            counted = <text_t>mark - s + 1
            number += 1
        counted = place
        if last != number - 1:
            last = number - 1
            found.append(last)
            if len(found) >= MAX_SUSPECTS:
                break
    return found


cdef struct Literal:
    # What was read of the literal at hand, up to `read`.
    Py_ssize_t read
    Py_ssize_t start
    Py_ssize_t begins  # behind its quote, holes and a scheme
    Py_ssize_t begun  # behind the slashes there
    Py_ssize_t escapes  # the same where it is spelled with escapes
    Py_ssize_t escaped
    Py_ssize_t tag  # behind its last `<`; -1: there is none
    Py_ssize_t name_end  # of that tag; -1: not looked for
    bint is_closed  # whether a `>` follows


cdef list _places(bytes joined, is_held, bint glues):
    cdef text_t s = <text_t>PyBytes_AS_STRING(joined)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(joined), p = 0, start, end, place
    cdef const void* mark
    cdef Literal one
    cdef list found = []
    memset(&one, 0, sizeof(one))
    one.begins = one.tag = -1
    for place, host in host_places(joined):
        if is_held(host) and host not in VOCABULARIES and _may_load(s, place, size, &one):
            found.append(place)
    while glues and p < size:
        mark = memchr(s + p, MARK_BYTE, size - p)
        if mark == NULL:
            break
        p = <text_t>mark - s + 1
        start = _bare_start(s, p, size)
        end = _bare_end(s, start, size) if start >= 0 else -1
        if end >= 0:
            p = end
            if is_held(PyBytes_FromStringAndSize(<char*>s + start, end - start)):
                found.append(start)
    return found


cdef Py_ssize_t _bare_start(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the host begins that a literal may begin with, behind a hole of a template; -1: it has no quote."""
    cdef Py_ssize_t start
    if p >= size or not KIND[s[p]] & QUOTE:
        return -1
    p += 1
    if p + 1 < size and s[p] == 36 and s[p + 1] == 123:
        start = p = p + 2
        while p < size and p - start < LONGEST_HOLE and s[p] != 123 and s[p] != 125:
            p += 1
        if p >= size or s[p] != 125:
            return -1
        p += 1
    return p + 1 if p < size and s[p] == 46 else p


cdef Py_ssize_t _bare_end(text_t s, Py_ssize_t p, Py_ssize_t size) except -2:
    """Return where the host ends that begins at `p`, and is no name of a file; -1: it is none."""
    cdef Py_ssize_t end = host_end(s, p, size, True), top = end
    if end < 0 or end >= size or not KIND[s[end]] & ENDS_HOST:
        return -1
    while s[top - 1] != 46:
        top -= 1
    return -1 if PyBytes_FromStringAndSize(<char*>s + top, end - top) in FILE_ENDINGS else end


cdef bint _may_load(text_t s, Py_ssize_t place, Py_ssize_t size, Literal* one):
    """Tell whether the URL at `place` may be what is loaded, by what stands before it in its literal."""
    cdef Py_ssize_t floor, name
    _read_to(s, place, one)
    if one.begins < 0:
        _begin(s, size, one)
    if one.begins <= place <= one.begun or one.escapes <= place <= one.escaped:
        return True
    floor = max(one.start, place - LOOK_BACK)
    if one.tag >= 0 and one.name_end < 0:
        one.name_end = _tag_name_end(s, one.tag, size)
    if one.tag < 0 or one.is_closed or one.name_end == one.tag or place <= one.tag:
        return _is_quoted(s, place, floor)
    name = one.tag
    while name < place and not KIND[s[name]] & LETTER:
        name += 1
    if name == place:
        return _is_quoted(s, place, floor)
    element = PyBytes_FromStringAndSize(<char*>s + name, min(one.name_end, place) - name).lower()
    return element not in ONLY_MENTIONS or _is_in_brackets(s, place, floor)


cdef void _read_to(text_t s, Py_ssize_t place, Literal* one) noexcept nogil:
    """Read on to `place`."""
    cdef Py_ssize_t p = one.read
    if place < p:  # hosts that are spelled with escapes come behind all others
        memset(one, 0, sizeof(Literal))
        one.begins = one.tag = -1
        p = 0
    while p < place:
        if s[p] == MARK_BYTE:
            one.start = p + 1
            one.begins = one.tag = -1
        elif s[p] == 60:
            one.tag, one.name_end, one.is_closed = p + 1, -1, False
        elif s[p] == 62:
            one.is_closed = True
        p += 1
    one.read = place


cdef void _begin(text_t s, Py_ssize_t size, Literal* one) noexcept nogil:
    """Find between which places a URL stands that its literal begins with."""
    cdef Py_ssize_t p = one.start, q
    one.begins, one.begun, one.escapes, one.escaped = size + 1, size, size + 1, size
    if p >= size or not KIND[s[p]] & QUOTE:
        return
    p += 1
    while p < size and KIND[s[p]] & BLANK:
        p += 1
    while p + 1 < size and s[p] == 36 and s[p + 1] == 123:
        q = p + 2
        while q < size and s[q] != 123 and s[q] != 125:
            q += 1
        if q >= size or s[q] != 125:
            break
        p = q + 1
    q = p
    while q < size and KIND[s[q]] & LETTER:
        q += 1
    if q < size and s[q] == 58 and q - p <= LONGEST_SCHEME:
        p = q + 1
    one.begins = p
    while p < size and KIND[s[p]] & SLASHES:
        p += 1
    one.begun = p
    _begin_escaped(s, size, one)


cdef void _begin_escaped(text_t s, Py_ssize_t size, Literal* one) noexcept nogil:
    """Find between which places a URL stands that its literal begins with, where it is spelled with escapes."""
    cdef Py_ssize_t start = one.start + 1, p = start
    while p < size and p - start < MOST_BEFORE_ESCAPE and (KIND[s[p]] & LETTER or s[p] == 58 or s[p] == 47):
        p += 1
    if p + 1 >= size or s[p] != 92 or s[p + 1] != 120 and s[p + 1] != 117:
        return
    one.escapes = p + 2
    while p < size and p - start < MOST_ESCAPED and (KIND[s[p]] & LABEL and s[p] != 45 or KIND[s[p]] & SLASHES or s[p] == 58):
        p += 1
    one.escaped = p


cdef Py_ssize_t _tag_name_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the name ends of the tag whose `<` stands before `p`; `p` where it has none."""
    cdef Py_ssize_t start = p
    if p < size and s[p] == 92:
        p += 1
    if p < size and s[p] == 47:
        p += 1
    if p >= size or not KIND[s[p]] & LETTER:
        return start
    while p < size and (KIND[s[p]] & LABEL or s[p] == 95):
        p += 1
    return p


cdef inline Py_ssize_t _before_scheme(text_t s, Py_ssize_t p, Py_ssize_t floor) noexcept nogil:
    """Go backwards from before `p` over slashes and the end of a scheme."""
    cdef Py_ssize_t colon
    while p > floor and KIND[s[p - 1]] & SLASHES:
        p -= 1
    if p > floor and s[p - 1] == 58:
        p -= 1
        colon = p
        while p > floor and colon - p < LONGEST_SCHEME and KIND[s[p - 1]] & LETTER:
            p -= 1
    return p


cdef inline Py_ssize_t _blanks(text_t s, Py_ssize_t p, Py_ssize_t floor) noexcept nogil:
    """Go backwards from before `p` over blanks."""
    while p > floor and KIND[s[p - 1]] & BLANK:
        p -= 1
    return p


cdef bint _is_quoted(text_t s, Py_ssize_t p, Py_ssize_t floor):
    """Tell whether a URL within text that is markup, style sheet, script or JSON is a value there."""
    cdef Py_ssize_t size
    p = _blanks(s, _before_scheme(s, p, floor), floor)
    if p <= floor:
        return False
    if KIND[s[p - 1]] & OPENS_URL:
        return True
    if s[p - 1] == 44:
        p = _blanks(s, p - 1, floor)
        return p - 2 >= floor and (s[p - 1] == 119 or s[p - 1] == 120) and (s[p - 2] == 46 or 48 <= s[p - 2] <= 57)
    if s[p - 1] != 61:
        return False
    p = _blanks(s, p - 1, floor)
    for name in ATTRIBUTES:
        size = PyBytes_GET_SIZE(name)
        if p - size >= floor and not memcmp(s + p - size, PyBytes_AS_STRING(name), size):
            if p - size == floor or KIND[s[p - size - 1]] & ENDS_NAME:
                return True
    return False


cdef bint _is_in_brackets(text_t s, Py_ssize_t p, Py_ssize_t floor) noexcept nogil:
    p = _before_scheme(s, p, floor)
    while p > floor and (KIND[s[p - 1]] & BLANK or s[p - 1] == 34 or s[p - 1] == 39 or s[p - 1] == 92):
        p -= 1
    return p > floor and s[p - 1] == 40
