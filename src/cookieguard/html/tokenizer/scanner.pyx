# cython: language_level=3, wraparound=False, initializedcheck=False
"""The innermost loop in C: what scanner.py says in regular expressions. The same tests run over both."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memchr, memcmp, memset

from cookieguard.html.fast.answers cimport Known, text_t
from cookieguard.html.contact_points import ANYWHERE, LINKS, NAMES, SPECIAL_NAMES, Load
from cookieguard.html.types cimport Attribute, Tag
from cookieguard.html.fast.name_table cimport (
    LONGEST_NAME, NO_LETTERS, SLOTS, Name, entry_of, fill, find, hashed,
)
from cookieguard.html.fast.fragments cimport Stretches, Strides

IS_COMPILED = True

cdef enum:
    BLANK = 1  # the white space of the tokenizer
    SLASH = 2
    GREATER = 4
    EQUALS = 8
    LETTER = 16
    ENDS_NAME = BLANK | SLASH | GREATER
    LONGEST_PREFIX = 64  # of a name
    ENDS_ATTRIBUTE = ENDS_NAME | EQUALS

    NEVER = 0  # what an attribute means: no contact
    ALWAYS = 1
    LINK = 3  # an element's: to be marked where this is wanted
    BY_CSS = 2  # only with one of `(`, `\`, `&` in its value

cdef const char* SCRIPT = "script"
cdef Strides STILL = Strides(Stretches())  # never looked into
STILL.stop = 1 << 62
cdef unsigned char KIND[256]
cdef unsigned char LOWER[256]


cdef Name ELEMENTS[SLOTS]
cdef Name ATTRIBUTES[SLOTS]
cdef Name READ[SLOTS]
# By its first letter: the lengths of the names there are, as bits. Most names need no closer look.
cdef unsigned int ELEMENT_SIZES[256]
cdef unsigned int ATTRIBUTE_SIZES[256]


cdef void _prepare():
    cdef int byte
    memset(KIND, 0, sizeof(KIND))
    memset(ELEMENTS, 0, sizeof(ELEMENTS))
    memset(ATTRIBUTES, 0, sizeof(ATTRIBUTES))
    memset(READ, 0, sizeof(READ))
    for byte in range(256):
        LOWER[byte] = byte + 32 if 65 <= byte <= 90 else byte
        if 97 <= LOWER[byte] <= 122:
            KIND[byte] = LETTER
    for byte in b"\t\n\f\r ":
        KIND[byte] = BLANK
    KIND[47], KIND[62], KIND[61] = SLASH, GREATER, EQUALS
    for name in SPECIAL_NAMES:
        fill(ELEMENTS, name, 0, ALWAYS)
    for name in LINKS:
        fill(ELEMENTS, name, 0, LINK)
    for name, load in ANYWHERE.items():
        fill(ATTRIBUTES, name, 0, BY_CSS if load is Load.CSS else ALWAYS)
    for name in NAMES:
        fill(READ, name, 0, ALWAYS)
    memset(ELEMENT_SIZES, 0, sizeof(ELEMENT_SIZES))
    memset(ATTRIBUTE_SIZES, 0, sizeof(ATTRIBUTE_SIZES))
    for byte in range(256):
        for name in [*SPECIAL_NAMES, *LINKS]:
            if name[0] == LOWER[byte]:
                ELEMENT_SIZES[byte] |= 1u << <int>len(name)
        for name in ANYWHERE:
            if name[0] == LOWER[byte]:
                ATTRIBUTE_SIZES[byte] |= 1u << <int>len(name)


assert max(map(len, [*SPECIAL_NAMES, *LINKS, *ANYWHERE, *NAMES])) <= LONGEST_NAME
_prepare()


cdef inline bint _may_load(text_t start, Py_ssize_t size) noexcept nogil:
    """Return whether a style may load (CSS_MAY_LOAD in tags.py)."""
    cdef Py_ssize_t index
    for index in range(size):
        if start[index] == 40 or start[index] == 92 or start[index] == 38:
            return True
    return False


cdef bint _counts(unsigned char meaning, text_t start, Py_ssize_t size) noexcept nogil:
    """Return whether an attribute with this value is to be looked at."""
    return _may_load(start, size) if meaning == BY_CSS else True


cdef inline unsigned char _meaning_of(Name* table, unsigned int* sizes, text_t name, Py_ssize_t size) noexcept nogil:
    """Tell what a name means; nearly all are told by their first letter and their length."""
    cdef Name* entry
    if size <= LONGEST_NAME:
        if not (sizes[name[0]] >> size) & 1:
            return NEVER
        entry = find(table, name, size)
        if entry != NULL:
            return entry.kind
    return NEVER


cdef Py_ssize_t _tag_end(text_t s, Py_ssize_t p, Py_ssize_t size, bint links, bint* dull) noexcept nogil:
    """Return where the tag ends whose name begins at `p`, -1 if it does not; `dull`: it has nothing to do."""
    cdef unsigned char meaning
    cdef Py_ssize_t start = p
    while p < size and not KIND[s[p]] & ENDS_NAME:
        p += 1
    meaning = _meaning_of(ELEMENTS, ELEMENT_SIZES, s + start, p - start)
    dull[0] = meaning == NEVER or (meaning == LINK and not links)
    return _attributes_end(s, p, size, dull)


cdef Py_ssize_t _attributes_end(text_t s, Py_ssize_t p, Py_ssize_t size, bint* dull) noexcept nogil:
    """Return where the tag ends whose name ended at `p`, -1 if it does not; not `dull` is what may load anywhere."""
    cdef unsigned char meaning, quote
    cdef Py_ssize_t start
    cdef const void* found
    while True:
        while p < size and KIND[s[p]] & (BLANK | SLASH):
            p += 1
        if p >= size:
            return -1
        if s[p] == 62:
            return p + 1
        start = p
        p += 1
        while p < size and not KIND[s[p]] & ENDS_ATTRIBUTE:
            p += 1
        meaning = _meaning_of(ATTRIBUTES, ATTRIBUTE_SIZES, s + start, p - start) if dull[0] else NEVER
        while p < size and KIND[s[p]] & BLANK:
            p += 1
        if p >= size:
            return -1
        if s[p] != 61:
            continue
        p += 1
        while p < size and KIND[s[p]] & BLANK:
            p += 1
        if p >= size:
            return -1
        start = p
        quote = s[p]
        if quote == 34 or quote == 39:
            found = memchr(s + p + 1, quote, size - p - 1)
            if found == NULL:
                return -1
            p = <text_t>found - s + 1
        else:
            while p < size and not KIND[s[p]] & (BLANK | GREATER):
                p += 1
        if meaning != NEVER and _counts(meaning, s + start, p - start):
            dull[0] = False


cdef class Scanner:
    """Find the places to look at. `tag` and `end` tell of the last one found."""

    def __init__(self, *, xml, marks_links=False):
        self._xml = xml
        self._links = marks_links
        self.known = Known()
        self.tag = None
        self.strides = None  # none where `known` is not the rules' own
        self.end = -1

    cpdef take(self, Known known, bint own_is_free):
        """Take the answers that hold where the page is now."""
        self.known = known

    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t position):
        """Pass over text and over all tags that have nothing to do; return where something has, or the end."""
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
        """Look the tag up; tell whether it is known to have nothing to do."""
        self._find(s, start, end)
        if self.tag is None or not self.tag.plain:
            return False
        self.end = -1
        return True

    cpdef Py_ssize_t skip_head(self, bytes data, Py_ssize_t position):
        """Stay: to look at each tag costs no more than to pass over them here."""
        return position

    cpdef Py_ssize_t skip_drawing(self, bytes data, Py_ssize_t position):
        """Stay, as above."""
        return position

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
        """Look at the tag that begins at `position`, whatever it is; none does where no `<` stands."""
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
    """Return whether the name stands at `p`, in any case, with what ends a tag's name behind it."""
    cdef Py_ssize_t index
    if p + length >= size or not KIND[s[p + length]] & ENDS_NAME:
        return False
    for index in range(length):
        if LOWER[s[p + index]] != name[index]:
            return False
    return True


cdef Py_ssize_t _script_end(text_t s, Py_ssize_t p, Py_ssize_t size, int* level) noexcept nogil:
    """Return where the end tag of a script begins, else -1; `level` is the state its text is in."""
    cdef text_t name = <text_t>SCRIPT
    cdef const void* found
    while p < size:
        if level[0]:
            while p < size and s[p] != 60 and s[p] != 45:
                p += 1
            if p >= size:
                return -1
            if s[p] == 45:
                if p + 2 < size and s[p + 1] == 45 and s[p + 2] == 62:
                    level[0] = 0
                    p += 2
                p += 1
                continue
        else:
            found = memchr(s + p, 60, size - p)
            if found == NULL:
                return -1
            p = <text_t>found - s
        if p + 1 < size and s[p + 1] == 47 and _named(s, p + 2, size, name, 6):
            if level[0] < 2:
                return p
            level[0] = 1
            p += 8
        elif level[0] and _named(s, p + 1, size, name, 6):
            level[0] = 2
            p += 7
        elif not level[0] and p + 3 < size and s[p + 1] == 33 and s[p + 2] == 45 and s[p + 3] == 45:
            level[0] = 1
            p += 2  # its dashes count for the end, too
        else:
            p += 1
    return -1


cpdef tuple script_end(bytes data, Py_ssize_t position, int level):
    """Return where the end tag of a script begins (-1: nowhere) and the state its text is in then."""
    end = _script_end(<text_t>PyBytes_AS_STRING(data), position, PyBytes_GET_SIZE(data), &level)
    return end, level


cdef enum:
    NAME
    BEFORE
    ATTRIBUTE
    AFTER
    VALUE
    DOUBLE
    SINGLE
    UNQUOTED


cdef class TagEnd:
    """Find the end of a tag that chunks cut apart, from its name on. Owns the tokenizer's state."""

    def __init__(self):
        self._state = NAME

    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t position):
        """Return where the tag ends in its next piece, read from `position` on; -1 where it does not."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef int state = self._state
        cdef unsigned char byte, kind
        cdef const void* found
        while position < size:
            byte = s[position]
            kind = KIND[byte]
            if state == DOUBLE or state == SINGLE:
                found = memchr(s + position, 34 if state == DOUBLE else 39, size - position)
                if found == NULL:
                    break
                position = <text_t>found - s
                state = BEFORE
            elif kind & GREATER:
                return position + 1
            elif state == NAME:
                if kind & (BLANK | SLASH):
                    state = BEFORE
            elif state == BEFORE:
                if not kind & (BLANK | SLASH):
                    state = ATTRIBUTE
            elif state == ATTRIBUTE:
                if kind & EQUALS:
                    state = VALUE
                elif kind & SLASH:
                    state = BEFORE
                elif kind & BLANK:
                    state = AFTER
            elif state == AFTER:
                if kind & EQUALS:
                    state = VALUE
                elif kind & SLASH:
                    state = BEFORE
                elif not kind & BLANK:
                    state = ATTRIBUTE
            elif state == VALUE:
                if not kind & BLANK:
                    state = DOUBLE if byte == 34 else SINGLE if byte == 39 else UNQUOTED
            elif kind & BLANK:
                state = BEFORE
            position += 1
        self._state = state
        return -1


cpdef Py_ssize_t end_of_text(bytes name, bytes data, Py_ssize_t position):
    """Return where the end tag of the raw text element `name` begins, its text being at `position`; else -1."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(data)
    cdef text_t wanted = <text_t>PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), length = PyBytes_GET_SIZE(name)
    cdef const void* found
    cdef int level = 0
    if name == b"script":
        return _script_end(s, position, size, &level)
    while position < size:
        found = memchr(s + position, 60, size - position)
        if found == NULL:
            return -1
        position = <text_t>found - s
        if position + 1 < size and s[position + 1] == 47 and _named(s, position + 2, size, wanted, length):
            return position
        position += 1
    return -1


cpdef bint has_sign(bytes data, Py_ssize_t start, Py_ssize_t end):
    """Return whether a `<` stands in data[start:end]."""
    return start < end and memchr(PyBytes_AS_STRING(data) + start, 60, end - start) != NULL


cdef Py_ssize_t _own_end(
    text_t s, Py_ssize_t p, Py_ssize_t size, text_t name, Py_ssize_t length, bint xml
) noexcept nogil:
    """Return where the name ends that begins at `p`, in XML with a prefix or without; -1: it is another one (own_name in
    grammar.py)."""
    cdef Py_ssize_t q = p
    while xml and q < size and q - p < LONGEST_PREFIX and (KIND[s[q]] & LETTER or 48 <= s[q] <= 57 or s[q] == 95 or s[q] == 45):
        q += 1
    if q > p and q < size and s[q] == 58 and _named(s, q + 1, size, name, length):
        return q + 1 + length
    return p + length if _named(s, p, size, name, length) else -1


cdef Py_ssize_t _declaration_end(text_t s, Py_ssize_t p, Py_ssize_t size, bint xml) noexcept nogil:
    """Return where the comment, section, declaration or instruction ends whose `<` stands at `p`; -1: it does not."""
    cdef const void* found
    cdef unsigned char sign = 62
    cdef Py_ssize_t least = 0
    if size - p > 3 and not memcmp(s + p, b"<!--", 4):
        return _comment_end(s, p, size)
    if size - p > 8 and not memcmp(s + p, b"<![CDATA[", 9):
        sign, least, p = 93, 2, p + 9
    elif xml:
        if s[p + 1] != 63:
            return -1
        sign, least, p = 63, 1, p + 2
    while p < size:
        found = memchr(s + p, sign, size - p)
        if found == NULL:
            return -1
        p = <text_t>found - s + 1
        if least == 0:
            return p
        if p < size and s[p] == 62 and least == 1:
            return p + 1
        if p + 1 < size and s[p] == 93 and s[p + 1] == 62 and least == 2:
            return p + 2
    return -1


cpdef tuple pass_markup(bytes name, bytes data, Py_ssize_t position, Py_ssize_t depth, bint xml):
    """Pass over markup that is complete, `depth` elements of this name deep; return where it is not, and how deep."""
    return _pass_markup(name, <text_t>PyBytes_AS_STRING(data), position, PyBytes_GET_SIZE(data), &depth, xml), depth


cdef Py_ssize_t _pass_markup(bytes name, text_t s, Py_ssize_t p, Py_ssize_t size, Py_ssize_t* depth, bint xml) noexcept:
    cdef text_t wanted = <text_t>PyBytes_AS_STRING(name)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(name), start, end, own
    cdef const void* found
    cdef bint closes
    while p < size:
        found = memchr(s + p, 60, size - p)
        if found == NULL:
            return size
        p = <text_t>found - s
        start = p + 1
        if start >= size:
            return p
        if s[start] == 33 or s[start] == 63:
            end = _declaration_end(s, p, size, xml)
            if end < 0:
                return p
            p = end
            continue
        closes = s[start] == 47
        start += closes
        if start >= size:
            return p
        if not (KIND[s[start]] & LETTER or ((xml or not closes) and (s[start] == 95 or s[start] == 58))):
            if not closes or s[start] == 62:  # no tag
                p = start
                continue
            found = memchr(s + start, 62, size - start)
            if xml or found == NULL or _own_end(s, start, size, wanted, length, xml) >= 0:
                return p
            p = <text_t>found - s + 1
            continue
        own = end = _own_end(s, start, size, wanted, length, xml)
        if own < 0:
            end = start
            while end < size and not KIND[s[end]] & ENDS_NAME:
                end += 1
        elif closes and not KIND[s[start]] & LETTER:
            return p
        end = _rest_end(s, end, size)
        if end < 0:
            return p
        if own >= 0 and closes:
            depth[0] -= 1
            if not depth[0]:
                return p
        elif own >= 0 and (s[end - 2] != 47 or (own != end - 2 and not KIND[s[end - 3]] & BLANK)):
            depth[0] += 1
        p = end
    return size


cdef inline Py_ssize_t _rest_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the tag ends whose name ended at `p`; -1: it does not."""
    cdef bint dull = False
    return _attributes_end(s, p, size, &dull)


cpdef bint comment_begins(bytes data, Py_ssize_t start):
    """Return whether a comment begins at `start` for sure, and is not over at once."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(data) + start
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data) - start
    if size < 5 or s[1] != 33 or s[2] != 45 or s[3] != 45 or s[4] == 62:
        return False
    return s[4] != 45 or (size > 5 and s[5] != 62)


cpdef Py_ssize_t comment_end(bytes data, Py_ssize_t start):
    """Return where the comment that begins at `start` ends; -1: it does not, or there is none."""
    return _comment_end(<text_t>PyBytes_AS_STRING(data), start, PyBytes_GET_SIZE(data))


cdef Py_ssize_t _comment_end(text_t s, Py_ssize_t start, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t p = start + 4
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


cpdef list named_attributes(bytes raw, Py_ssize_t position):
    """List the attributes of a start tag with a name of NAMES, and the last one whatever its name."""
    return _attributes(raw, position, False)


cpdef list all_attributes(bytes raw, Py_ssize_t position):
    """List the attributes of a start tag."""
    return _attributes(raw, position, True)


cdef list _attributes(bytes raw, Py_ssize_t position, bint every):
    cdef text_t s = <text_t>PyBytes_AS_STRING(raw)
    cdef Py_ssize_t p = position, size = PyBytes_GET_SIZE(raw) - 1, start, stop, value, end
    cdef unsigned int value_hash
    cdef const void* found
    cdef Name* entry
    cdef bytes quote
    cdef Attribute attribute
    cdef list attributes = []
    while True:
        while p < size and KIND[s[p]] & (BLANK | SLASH | GREATER):
            p += 1
        if p >= size:
            return attributes
        start = p
        value_hash = hashed(NO_LETTERS, LOWER[s[p]])
        p += 1
        while p < size and not KIND[s[p]] & ENDS_ATTRIBUTE:
            value_hash = hashed(value_hash, LOWER[s[p]])
            p += 1
        stop = p
        value = end = -1
        quote = NONE
        while p < size and KIND[s[p]] & BLANK:
            p += 1
        if p < size and s[p] == 61:
            p += 1
            while p < size and KIND[s[p]] & BLANK:
                p += 1
            if p < size and (s[p] == 34 or s[p] == 39):
                quote = DOUBLE_QUOTE if s[p] == 34 else SINGLE_QUOTE
                value = p + 1
                found = memchr(s + value, s[p], size - value)
                end = size if found == NULL else <text_t>found - s
                p = end + 1
            elif p < size and s[p] != 62:
                value = p
                while p < size and not KIND[s[p]] & (BLANK | GREATER):
                    p += 1
                end = p
        else:
            p = stop
        entry = entry_of(READ, value_hash, s + start, stop - start)
        if every or entry != NULL or p >= size - 1:
            attribute = Attribute.__new__(Attribute)
            attribute.name = raw[start:stop].lower() if entry == NULL else <bytes>entry.whole
            attribute.raw = NONE if value < 0 else PyBytes_FromStringAndSize(<char*>s + value, end - value)
            attribute.start, attribute.value_start, attribute.end, attribute.quote = start, value, end, quote
            attributes.append(attribute)


NONE, DOUBLE_QUOTE, SINGLE_QUOTE = b"", b'"', b"'"


def attribute_of(match, bytes name):
    """Make an attribute of a match of ATTRIBUTES."""
    cdef int group = match.lastindex or 1
    if group == 1:
        return Attribute(name, match.start(), NONE, -1, -1, NONE)
    quote = DOUBLE_QUOTE if group == 2 else SINGLE_QUOTE if group == 3 else NONE
    return Attribute(name, match.start(), match[group], match.start(group), match.end(group), quote)


cpdef bint names_anywhere(bytes raw, Py_ssize_t position):
    """Return whether a start tag may have an attribute of ANYWHERE, its name ending at `position`."""
    cdef bint dull = True
    _attributes_end(<text_t>PyBytes_AS_STRING(raw), position, PyBytes_GET_SIZE(raw), &dull)
    return not dull
