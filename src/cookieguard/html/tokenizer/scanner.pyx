# cython: language_level=3, wraparound=False, initializedcheck=False
"""The rewriter's innermost loop in C. It does what scanner.py does in regular expressions, and has the same tests."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memchr, memcmp

from cookieguard.html.fast.answers cimport Known, Names, lower, number_of, stands, text_t
from cookieguard.html.contact_points import ANYWHERE, LINKS, SPECIAL_NAMES, Load
from cookieguard.html.types cimport Tag
from cookieguard.html.fast.fragments cimport Stretches, Strides

IS_COMPILED = True

cdef enum:
    BLANK = 1  # the white space of the tokenizer
    SLASH = 2
    GREATER = 4
    EQUALS = 8
    LETTER = 16
    ENDS_NAME = BLANK | SLASH | GREATER
    ENDS_ATTRIBUTE = ENDS_NAME | EQUALS

    # What the name of an element or attribute means.
    NEVER = -1  # it loads nothing; this is what number_of returns for an unknown name
    ALWAYS = 1  # its tag has to be judged
    LINK = 3  # an element whose links are marked if the rules want it
    BY_CSS = 2  # its tag has to be judged if the value has one of `(`, `\`, `&`

cdef Strides STILL = Strides(Stretches())  # for scanners without strides: its `stop` is never reached
STILL.stop = 1 << 62
cdef unsigned char KIND[256]


cdef Names ELEMENTS = Names(), ATTRIBUTES = Names()  # the meaning of each name


cdef void _prepare():
    cdef int byte
    for byte in range(256):
        if 97 <= lower(byte) <= 122:
            KIND[byte] = LETTER
    for byte in b"\t\n\f\r ":
        KIND[byte] = BLANK
    KIND[47], KIND[62], KIND[61] = SLASH, GREATER, EQUALS
    for name in SPECIAL_NAMES:
        ELEMENTS[name] = ALWAYS
    for name in LINKS:
        ELEMENTS[name] = LINK
    for name, load in ANYWHERE.items():
        ATTRIBUTES[name] = BY_CSS if load is Load.CSS else ALWAYS


_prepare()


cdef bint _counts(int meaning, text_t start, Py_ssize_t size) noexcept nogil:
    """Return whether this value has to be judged: a style only if it may load (CSS_MAY_LOAD in attributes.py)."""
    cdef Py_ssize_t index
    for index in range(size):
        if meaning != BY_CSS or start[index] == 40 or start[index] == 92 or start[index] == 38:
            return True
    return False


cdef Py_ssize_t _tag_end(text_t s, Py_ssize_t p, Py_ssize_t size, bint links, bint* dull) noexcept:
    """Return where the tag ends whose name begins at `p`, or < 0 if it goes on; set `dull` if it needs no judgement."""
    cdef int meaning
    cdef Py_ssize_t start = p
    while p < size and not KIND[s[p]] & ENDS_NAME:
        p += 1
    meaning = number_of(ELEMENTS, s + start, p - start)
    dull[0] = meaning == NEVER or (meaning == LINK and not links)
    return _attributes_end(s, p, size, dull)


cdef Py_ssize_t _attributes_end(text_t s, Py_ssize_t p, Py_ssize_t size, bint* dull) noexcept:
    """Return where the tag ends whose name ended at `p`, and clear `dull` if an attribute of any element may load.

    If the tag goes on, return `~` of where the incomplete attribute begins.
    """
    cdef int meaning
    cdef unsigned char quote
    cdef Py_ssize_t start, value
    cdef const void* found
    while True:
        while p < size and KIND[s[p]] & (BLANK | SLASH):
            p += 1
        if p >= size:
            return ~p
        if s[p] == 62:
            return p + 1
        start = p
        p += 1
        while p < size and not KIND[s[p]] & ENDS_ATTRIBUTE:
            p += 1
        meaning = number_of(ATTRIBUTES, s + start, p - start) if dull[0] else NEVER
        while p < size and KIND[s[p]] & BLANK:
            p += 1
        if p >= size:
            return ~start
        if s[p] != 61:
            continue
        p += 1
        while p < size and KIND[s[p]] & BLANK:
            p += 1
        if p >= size:
            return ~start
        value = p
        quote = s[p]
        if quote == 34 or quote == 39:
            found = memchr(s + p + 1, quote, size - p - 1)
            if found == NULL:
                return ~start
            p = <text_t>found - s + 1
        else:
            while p < size and not KIND[s[p]] & (BLANK | GREATER):
                p += 1
            if p >= size:
                return ~start
        if meaning != NEVER and _counts(meaning, s + value, p - value):
            dull[0] = False


cpdef Py_ssize_t whole_attributes(bytes data, Py_ssize_t position):
    """Return where the attributes after `position` end that no further bytes can change."""
    cdef bint dull = False
    cdef Py_ssize_t end = _attributes_end(<text_t>PyBytes_AS_STRING(data), position, PyBytes_GET_SIZE(data), &dull)
    return end - 1 if end > 0 else ~end


cdef class Scanner:
    """Find the next tag that has to be judged. `tag` and `end` describe the last one found."""

    def __init__(self, *, xml, marks_links=False):
        self._xml = xml
        self._links = marks_links
        self.known = Known()
        self.tag = None
        self.strides = None  # None if `known` does not belong to the rules
        self.end = -1

    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t position):
        """Skip text and tags that pass; return where the next other markup begins, or the end of the data."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef Strides strides = self.strides
        if strides is None:
            return self._skip(s, size, position, STILL)
        strides.begin(s, position, size)
        position = self._skip(s, size, position, strides)
        strides.end(position)
        return position

    cdef Py_ssize_t _skip(self, text_t s, Py_ssize_t size, Py_ssize_t position, Strides strides) except -1:
        cdef Py_ssize_t end
        cdef const void* found
        cdef bint dull = False
        self.end = -1
        while position < size:
            found = memchr(s + position, 60, size - position)
            if found == NULL:
                return size
            position = <text_t>found - s
            if position >= strides.stop and strides.passes(s, position, size):
                position = strides.stop
                continue
            if position + 1 >= size:
                return position
            if KIND[s[position + 1]] == LETTER:
                end = _tag_end(s, position + 1, size, self._links, &dull)
                if end < 0 or not (dull or self._passes(s, position, end)):
                    return position
                position = end
                if position > strides.stop:
                    strides.cross(position)
            elif s[position + 1] == 47:
                if position + 2 >= size or KIND[s[position + 2]] != LETTER:
                    return position
                end = _tag_end(s, position + 2, size, self._links, &dull)
                if end < 0:
                    return position
                position = end
                if position > strides.stop:
                    strides.cross(position)
            elif s[position + 1] == 33 or s[position + 1] == 63:
                return position
            else:
                position += 1
        return size

    cdef bint _passes(self, text_t s, Py_ssize_t start, Py_ssize_t end):
        """Look the tag up; return whether it is known to pass unchanged."""
        self._find(s, start, end)
        if self.tag is None or not self.tag.plain:
            return False
        self.end = -1
        return True

    cpdef Py_ssize_t text(self, bytes data, Py_ssize_t position):
        """Return where the text at `position` ends."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef const void* found
        while position < size:
            found = memchr(s + position, 60, size - position)
            if found == NULL:
                return size
            position = <text_t>found - s
            if self._xml or position + 1 >= size or KIND[s[position + 1]] == LETTER:
                return position
            if s[position + 1] == 47 or s[position + 1] == 33 or s[position + 1] == 63:
                return position
            position += 1
        return position

    cpdef look(self, bytes data, Py_ssize_t position):
        """Match any tag that begins at `position`; set `end` to -1 if none begins there."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), name = position + 1
        cdef bint dull = False
        self.end = -1
        if s[position] != 60:
            return
        if name < size and s[name] == 47:
            name += 1
        if name >= size or not self._begins_name(s[name]):
            return
        cdef Py_ssize_t end = _tag_end(s, name, size, self._links, &dull)
        if end >= 0:
            self._find(s, position, end)

    cdef bint _begins_name(self, unsigned char byte) noexcept:
        if self._xml:
            return not KIND[byte] & ENDS_NAME and byte != 33 and byte != 63 and byte != 60
        return KIND[byte] == LETTER

    cdef void _find(self, text_t s, Py_ssize_t start, Py_ssize_t end) noexcept:
        cdef PyObject* known = self.known.look_up(s + start, end - start)
        self.tag = None if known == NULL else <Tag>known
        self.end = end


cdef bint _named(text_t s, Py_ssize_t p, Py_ssize_t size, text_t name, Py_ssize_t length) noexcept nogil:
    """Return whether a complete tag name at `p` is `name`, in any case."""
    return p + length < size and KIND[s[p + length]] & ENDS_NAME and stands(s, p, <const char*>name, length)


cpdef Py_ssize_t end_of_text(bytes name, bytes data, Py_ssize_t position):
    """Return where the end tag of the raw text element `name` begins, after `position`; -1 as in scanner.py."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(data)
    cdef text_t wanted = <text_t>PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), length = PyBytes_GET_SIZE(name)
    cdef const void* found
    cdef bint is_script = name == b"script"
    while position < size:
        found = memchr(s + position, 60, size - position)
        if found == NULL:
            return -1
        position = <text_t>found - s
        if position + 1 < size and s[position + 1] == 47 and _named(s, position + 2, size, wanted, length):
            return position
        if is_script and size - position > 3 and s[position + 1] == 33 and not memcmp(s + position, b"<!--", 4):
            return -1
        position += 1
    return -1


cpdef Py_ssize_t comment_end(bytes data, Py_ssize_t start):
    """Return where the comment at `start` ends, or -1 if it goes on or there is none."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), p = start + 4
    cdef const void* found
    if p > size or s[start + 1] != 33 or s[start + 2] != 45 or s[start + 3] != 45:
        return -1
    if p < size and s[p] == 62:
        return p + 1
    if p + 1 < size and s[p] == 45 and s[p + 1] == 62:
        return p + 2
    while p < size:
        found = memchr(s + p, 62, size - p)
        if found == NULL:
            return -1
        p = <text_t>found - s + 1
        if p - 3 >= start + 4 and s[p - 2] == 45 and s[p - 3] == 45:
            return p
        if p - 4 >= start + 4 and s[p - 2] == 33 and s[p - 3] == 45 and s[p - 4] == 45:
            return p
    return -1


cpdef bint has_sign(bytes data, Py_ssize_t start, Py_ssize_t end):
    """Return whether data[start:end] contains a `<`."""
    return start < end and memchr(PyBytes_AS_STRING(data) + start, 60, end - start) != NULL
