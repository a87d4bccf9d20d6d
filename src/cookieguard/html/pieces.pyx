# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A script cut into its code and its literals in C: what pieces.py says in regular expressions. The same tests run over both."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy, memset

from cookieguard.html.known cimport text_t

ctypedef unsigned char* buffer_t

cdef enum:
    OPENS = 1  # may begin a literal or a comment
    BEFORE_REGEXP = 2  # a regular expression may follow
    BEFORE_BLANK = 4  # the same, with a blank between
    STAYS_REGEXP = 8  # an ordinary sign of a regular expression
    IN_STRING = 16  # may end a string, or escape what would
    IN_NAME = 32  # in a name, or before a member of something

    MARK_BYTE = 1
    MOST_BLANKS = 12
    MOST_BEHIND_WORDS = 1
    MOST_SIGNS = 512
    MOST_IN_CLASS = 128
    MOST_ESCAPES_IN_CLASS = 64
    MOST_PARTS = 128

MARK = b"\x01"  # stands in the code where a literal was cut out
NO_MARKS = bytes.maketrans(MARK, b" ")
cdef unsigned char SIGN[256]


cdef void _prepare():
    cdef int byte
    memset(SIGN, 0, sizeof(SIGN))
    for byte in b"\"'`/":
        SIGN[byte] |= OPENS
    for byte in b"\"'`\\\n":
        SIGN[byte] |= IN_STRING
    for byte in b"=(,:;!&|?{}[\n":
        SIGN[byte] |= BEFORE_REGEXP
    for byte in b"=(,:;!&|?{[\n":
        SIGN[byte] |= BEFORE_BLANK
    for byte in range(128):
        if chr(byte).isalnum() or byte in b"_$.":
            SIGN[byte] |= IN_NAME
    for byte in range(256):
        if byte not in b"/\\\n[":
            SIGN[byte] |= STAYS_REGEXP


_prepare()


cdef inline Py_ssize_t _string_end(text_t s, Py_ssize_t p, Py_ssize_t size, unsigned char quote) noexcept nogil:
    """Return where the string ends that opened before `p`."""
    while p < size:
        if not SIGN[s[p]] & IN_STRING:
            p += 1
        elif s[p] == quote:
            return p + 1
        elif s[p] == 92:
            if p + 1 >= size:
                return p
            p += 2
        elif s[p] == 10 and quote != 96:
            return p
        else:
            p += 1
    return size


cdef inline Py_ssize_t _class_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the class of a regular expression ends that opened before `p`; -1 where it does not."""
    cdef Py_ssize_t signs, escapes = 0
    while True:
        signs = 0
        while p < size and signs < MOST_IN_CLASS and s[p] != 93 and s[p] != 92 and s[p] != 10:
            p += 1
            signs += 1
        if p >= size:
            return -1
        if s[p] == 93:
            return p + 1
        if s[p] != 92 or p + 1 >= size or escapes >= MOST_ESCAPES_IN_CLASS:
            return -1
        escapes += 1
        p += 2


cdef bint _is_value_next(text_t s, Py_ssize_t p) noexcept nogil:
    """Tell whether what stands before `p`, and before blanks there, wants a value next."""
    cdef Py_ssize_t end = p
    while p > 0 and end - p < MOST_BLANKS and (s[p - 1] == 32 or s[p - 1] == 9):
        p -= 1
    if p == 0:
        return False
    if p < end and SIGN[s[p - 1]] & BEFORE_BLANK:
        # a line of its own may go on with a division, too: with a blank behind, as it is written
        return s[p - 1] != 10 or (s[end + 1] != 32 and s[end + 1] != 9)
    if end - p > MOST_BEHIND_WORDS:
        return False
    if s[p - 1] == 62:
        return p > 1 and s[p - 2] == 61
    return (
        _is_word(s, p, b"return", 6)
        or _is_word(s, p, b"typeof", 6)
        or _is_word(s, p, b"case", 4)
        or _is_word(s, p, b"else", 4)
        or _is_word(s, p, b"throw", 5)
    )


cdef inline bint _is_word(text_t s, Py_ssize_t p, const char* word, Py_ssize_t size) noexcept nogil:
    """Tell whether a word ends before `p`, and begins there: `$return` is a name, and `one.case` a member."""
    return p >= size and not memcmp(s + p - size, word, size) and (p == size or not SIGN[s[p - size - 1]] & IN_NAME)


cdef Py_ssize_t _regexp_end(text_t s, Py_ssize_t start, Py_ssize_t size) noexcept nogil:
    """Return where the regular expression ends that the slash at `start` opens; -1 where it opens none."""
    cdef Py_ssize_t p = start + 1, signs
    cdef int parts = 0
    if start == 0 or p >= size:
        return -1
    if not SIGN[s[start - 1]] & BEFORE_REGEXP and not _is_value_next(s, start):
        return -1
    while parts < MOST_PARTS and p < size:
        if SIGN[s[p]] & STAYS_REGEXP:
            signs = 0
            while p < size and signs < MOST_SIGNS and SIGN[s[p]] & STAYS_REGEXP:
                p += 1
                signs += 1
        elif s[p] == 92 and p + 1 < size:
            p += 2
        elif s[p] == 91:
            p = _class_end(s, p + 1, size)
            if p < 0:
                return -1
        else:
            break
        parts += 1
    if not parts or p >= size or s[p] != 47:
        return -1
    p += 1
    while p < size and 97 <= s[p] <= 122:
        p += 1
    return p


cdef Py_ssize_t _line_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where a comment of one line ends: there are more ends of lines than one."""
    while p < size:
        if s[p] == 10 or s[p] == 13:
            return p
        if s[p] == 0xE2 and p + 2 < size and s[p + 1] == 0x80 and (s[p + 2] == 0xA8 or s[p + 2] == 0xA9):
            return p
        p += 1
    return size


cdef Py_ssize_t _slash_end(text_t s, Py_ssize_t start, Py_ssize_t size, bint* is_comment) noexcept nogil:
    """Return where what the slash at `start` begins ends; -1 where it begins nothing."""
    cdef Py_ssize_t p = start + 1
    cdef const void* found
    is_comment[0] = True
    if p >= size:
        return -1
    if s[p] == 42:
        p += 1
        while True:
            found = memchr(s + p, 42, size - p)
            if found == NULL:
                return size
            p = <text_t>found - s + 1
            if p >= size:
                return size
            if s[p] == 47:
                return p + 1
    if s[p] == 47:
        if start and (s[start - 1] == 58 or s[start - 1] == 92):
            return -1
        return _line_end(s, p, size)
    is_comment[0] = False
    return _regexp_end(s, start, size)


cdef buffer_t _holes(text_t s, Py_ssize_t p, Py_ssize_t end, buffer_t out) noexcept nogil:
    """Write the code in the holes of a template; return where the next goes."""
    cdef Py_ssize_t start
    cdef const void* found
    while p < end:
        found = memchr(s + p, 36, end - p)
        if found == NULL:
            return out
        p = <text_t>found - s + 1
        if p >= end or s[p] != 123:
            continue
        start = p + 1
        p = start
        while p < end and s[p] != 123 and s[p] != 125:
            p += 1
        if p >= end or s[p] == 123:
            p = start
        else:
            out[0], out[1] = 43, 40
            memcpy(out + 2, s + start, p - start)
            out += 2 + p - start
            out[0] = 41
            out += 1
    return out


cdef void _cut(text_t s, Py_ssize_t size, buffer_t* code, buffer_t* literals) noexcept nogil:
    cdef Py_ssize_t p = 0, start, end
    cdef buffer_t out = code[0], found = literals[0]
    cdef unsigned char byte
    cdef bint is_comment
    while p < size:
        start = p
        while p < size and not SIGN[s[p]] & OPENS:
            p += 1
        if p > start:
            memcpy(out, s + start, p - start)
            out += p - start
            if p >= size:
                break
        byte = s[p]
        start = p
        is_comment = False
        end = _slash_end(s, p, size, &is_comment) if byte == 47 else _string_end(s, p + 1, size, byte)
        if end < 0:
            out[0] = byte
            out += 1
            p += 1
            continue
        p = end
        if is_comment:
            out[0] = 32
            out += 1
            continue
        out[0] = MARK_BYTE
        out += 1
        if byte == 96:
            out = _holes(s, start, end, out)
        found[0] = MARK_BYTE
        memcpy(found + 1, s + start, end - start)
        found += 1 + end - start
    code[0], literals[0] = out, found


cpdef tuple cut(bytes text):
    """Return the code, with a MARK for each literal, and the literals with their quotes, each behind a MARK."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    cdef buffer_t room, code, literals
    if memchr(PyBytes_AS_STRING(text), MARK_BYTE, size) != NULL:
        text = text.translate(NO_MARKS)
    room = <buffer_t>malloc(3 * size + 1)  # a literal of one byte takes two among the literals, and one in the code
    if room == NULL:
        raise MemoryError
    try:
        code, literals = room, room + size
        _cut(<text_t>PyBytes_AS_STRING(text), size, &code, &literals)
        return (
            PyBytes_FromStringAndSize(<char*>room, code - room),
            PyBytes_FromStringAndSize(<char*>room + size, literals - room - size),
        )
    finally:
        free(room)


cpdef list literals_of(bytes joined, list numbers):
    """List the literals of these numbers, which only grow."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(joined)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(joined), p = 0, end, at = -1, number
    cdef const void* found
    cdef list literals = []
    for number in numbers:
        while at < number:
            found = memchr(s + p, MARK_BYTE, size - p)
            if found == NULL:
                raise IndexError(number)
            p = <text_t>found - s + 1
            at += 1
        found = memchr(s + p, MARK_BYTE, size - p)
        end = size if found == NULL else <text_t>found - s
        literals.append(PyBytes_FromStringAndSize(<char*>s + p, end - p))
    return literals
