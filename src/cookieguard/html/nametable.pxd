# Tables of the names of elements and attributes in C, looked up in any case: included where they are used, not imported.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.string cimport memchr, memcmp

from cookieguard.html.known cimport text_t

cdef enum:
    SLOTS = 512  # of a table; a power of two, several times the names there are
    LONGEST_NAME = 24
    NO_LETTERS = 2166136261  # what the hash of a name begins with


cdef struct Name:
    PyObject* whole
    unsigned char size
    unsigned char number
    unsigned char kind  # what it means to whose table it is
    unsigned char text[LONGEST_NAME]


cdef inline unsigned char lower(unsigned char sign) noexcept nogil:
    return sign + 32 if 65 <= sign <= 90 else sign


cdef inline unsigned int hashed(unsigned int value, unsigned char letter) noexcept nogil:
    return (value ^ letter) * 16777619u


# Return a name's entry, NULL where it has none; `value` is the hash of it in lower case.
cdef inline Name* entry_of(Name* table, unsigned int value, text_t name, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t index
    if size > LONGEST_NAME:
        return NULL
    value = (value ^ (value >> 15)) & (SLOTS - 1)
    while table[value].size:
        if table[value].size == size:
            index = 0
            while index < size and table[value].text[index] == lower(name[index]):
                index += 1
            if index == size:
                return &table[value]
        value = (value + 1) & (SLOTS - 1)
    return NULL


cdef inline Name* find(Name* table, text_t name, Py_ssize_t size) noexcept nogil:
    cdef unsigned int value = NO_LETTERS
    cdef Py_ssize_t index
    if size > LONGEST_NAME:
        return NULL
    for index in range(size):
        value = hashed(value, lower(name[index]))
    return entry_of(table, value, name, size)


# Put a name in lower case, which is not there yet.
cdef inline void fill(Name* table, bytes name, unsigned char number, unsigned char kind):
    cdef text_t text = <text_t>PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name), index
    cdef unsigned int value = NO_LETTERS
    for index in range(size):
        value = hashed(value, text[index])
    value = (value ^ (value >> 15)) & (SLOTS - 1)
    while table[value].size:
        value = (value + 1) & (SLOTS - 1)
    table[value].whole = <PyObject*>name
    Py_INCREF(name)  # a table keeps its names as long as the process lives
    table[value].size, table[value].number, table[value].kind = size, number, kind
    for index in range(size):
        table[value].text[index] = text[index]


# Tell whether an attribute is an event's (is_handler in loads.py).
cdef inline bint is_handler(text_t name, Py_ssize_t size) noexcept nogil:
    return size > 2 and (name[0] | 32) == 111 and (name[1] | 32) == 110 and 97 <= (name[2] | 32) <= 122


# Tell whether the script of an attribute may name a host (MAY_NAME in harmless.py).
cdef inline bint may_name(text_t s, Py_ssize_t size) noexcept nogil:
    if _has_pair(s, size, 47) or _has_pair(s, size, 92) or _has_pair(s, size, 38):
        return True
    return has_word(s, size, 83, 3, b"iceServers", 10) or has_word(s, size, 75, 5, b"ublicKey", 8)


# Tell whether a word is here that has `sign` at `place`.
cdef inline bint has_word(
    text_t s, Py_ssize_t size, unsigned char sign, Py_ssize_t place, const char* word, Py_ssize_t length
) noexcept nogil:
    cdef Py_ssize_t p = place
    cdef const void* found
    while p < size:
        found = memchr(s + p, sign, size - p)
        if found == NULL:
            return False
        p = <text_t>found - s
        if p - place + length <= size and not memcmp(s + p - place, word, length):
            return True
        p += 1
    return False


cdef inline bint _has_pair(text_t s, Py_ssize_t size, unsigned char sign) noexcept nogil:
    cdef Py_ssize_t p = 0
    cdef unsigned char after
    cdef const void* found
    while p + 1 < size:
        found = memchr(s + p, sign, size - 1 - p)
        if found == NULL:
            return False
        p = <text_t>found - s + 1
        after = s[p]
        if sign == 47 and after == 47:
            return True
        if sign == 92 and (after == 47 or after == 92 or 48 <= after <= 57 or after == 117 or after == 120):
            return True
        if sign == 38 and (after == 35 or after == 98 or after == 115):
            return True
    return False
