# Tables of the names of elements and attributes in C, looked up in any case: included where they are used, not imported.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cookieguard.html.fast.answers cimport text_t

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
