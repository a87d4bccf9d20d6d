"""Reads and writes the JSON of most tokens byte by byte; returns None for other JSON (see fast_json.py)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

IS_READ_HERE = True
cdef enum:
    ROOM = 8192  # twice the size of a cookie
    MAX_DEPTH = 32  # same as in canonical_json.py
    MOST_DIGITS = 18  # any number of 18 digits fits into a long long
cdef object NOT_PLAIN = object()
cdef const char* HEX = b"0123456789abcdef"


cpdef dict entries_of(mapping):
    if not isinstance(mapping, dict):
        raise TypeError("a dict is taken apart here")
    cdef dict found = {}
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t place = 0
    while PyDict_Next(mapping, &place, &key, &value):
        found[<object> key] = <object> value
    return found


cpdef bytes written(dict payload):
    cdef char[ROOM] room
    cdef char* end = _write(room, room + ROOM, payload, 0)
    return None if end is NULL else PyBytes_FromStringAndSize(room, end - room)


cdef char* _write(char* at, char* end, object value, int depth) except? NULL:
    """Write a value at `at` and return the place after it; NULL for a rare type, or if the buffer is too small."""
    if type(value) is str:
        return _write_text(at, end, value)
    if end - at < 24:  # enough for any number, literal or bracket
        return NULL
    if value is None:
        memcpy(at, b"null", 4)
        return at + 4
    if value is True:
        memcpy(at, b"true", 4)
        return at + 4
    if value is False:
        memcpy(at, b"false", 5)
        return at + 5
    if type(value) is int:
        return _write_number(at, value)
    if depth == MAX_DEPTH:
        return NULL
    if type(value) is dict:
        return _write_dict(at, end, value, depth + 1)
    if type(value) is list:
        return _write_list(at, end, value, depth + 1)
    if type(value) is float and PyFloat_AS_DOUBLE(value) - PyFloat_AS_DOUBLE(value) == 0:  # finite
        return _write_text(at, end, repr(value), False)
    return NULL


cdef char* _write_number(char* at, object value) except? NULL:
    cdef int overflow = 0, length = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    cdef unsigned long long rest
    cdef char[24] digits
    if overflow:
        return NULL
    if number < 0:
        at[0] = c"-"
        at += 1
    rest = <unsigned long long> number if number >= 0 else 0 - <unsigned long long> number
    while rest or not length:
        digits[length] = <char> (48 + rest % 10)
        rest //= 10
        length += 1
    while length:
        length -= 1
        at[0] = digits[length]
        at += 1
    return at


cdef char* _write_dict(char* at, char* end, dict entries, int depth) except? NULL:
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t place = 0
    at[0] = c"{"
    at += 1
    while PyDict_Next(entries, &place, &key, &value):
        if type(<object> key) is not str:
            return NULL
        at = _write_text(at, end, <object> key)
        if at is NULL or end - at < 3:
            return NULL
        at[0] = c":"
        at = _write(at + 1, end, <object> value, depth)
        if at is NULL or end - at < 2:
            return NULL
        at[0] = c","
        at += 1
    at[0] = c"}"
    if entries:
        at[-1] = c"}"
        return at
    return at + 1


cdef char* _write_list(char* at, char* end, list values, int depth) except? NULL:
    cdef Py_ssize_t place
    at[0] = c"["
    at += 1
    for place in range(PyList_GET_SIZE(values)):
        at = _write(at, end, <object> PyList_GET_ITEM(values, place), depth)
        if at is NULL or end - at < 2:
            return NULL
        at[0] = c","
        at += 1
    at[0] = c"]"
    if values:
        at[-1] = c"]"
        return at
    return at + 1


cdef char* _write_text(char* at, char* end, object text, bint quoted=True) except? NULL:
    cdef Py_ssize_t size = 0, place
    cdef const char* source
    cdef unsigned char byte
    try:
        source = PyUnicode_AsUTF8AndSize(text, &size)
    except UnicodeEncodeError:  # half a surrogate pair
        return NULL
    if end - at < size * 6 + 2:  # the size if every byte needs a \u escape
        return NULL
    if not quoted:
        memcpy(at, source, size)
        return at + size
    at[0] = c'"'
    at += 1
    for place in range(size):
        byte = source[place]
        if byte >= 32 and byte != c'"' and byte != c"\\":
            at[0] = byte
            at += 1
        else:
            at = _write_escaped(at, byte)
    at[0] = c'"'
    return at + 1


cdef char* _write_escaped(char* at, unsigned char byte) noexcept:
    at[0] = c"\\"
    if byte == c'"' or byte == c"\\":
        at[1] = byte
    elif byte == c"\n":
        at[1] = c"n"
    elif byte == c"\r":
        at[1] = c"r"
    elif byte == c"\t":
        at[1] = c"t"
    elif byte == c"\b":
        at[1] = c"b"
    elif byte == c"\f":
        at[1] = c"f"
    else:
        memcpy(at + 1, b"u00", 3)
        at[4] = HEX[byte >> 4]
        at[5] = HEX[byte & 15]
        return at + 6
    return at + 2


cpdef dict read(bytes encoded):
    cdef const unsigned char* at = <const unsigned char*> PyBytes_AS_STRING(encoded)  # a NUL follows it
    cdef const unsigned char* end = at + PyBytes_GET_SIZE(encoded)
    if at[0] != c"{":
        return None
    payload = _read(&at, end, 0)
    if payload is NOT_PLAIN or at != end:
        return None
    return payload


cdef object _read(const unsigned char** place, const unsigned char* end, int depth):
    """Return a value and move `place` after it; NOT_PLAIN if it is no JSON, or JSON that only the library reads."""
    cdef const unsigned char* at = place[0]
    cdef unsigned char byte = at[0]
    if byte == c'"':
        return _read_text(place, end)
    if byte == c"-" or 48 <= byte <= 57:
        return _read_number(place)
    if byte == c"{" or byte == c"[":
        if depth == MAX_DEPTH:
            return NOT_PLAIN
        return _read_dict(place, end, depth + 1) if byte == c"{" else _read_list(place, end, depth + 1)
    if end - at < 4:
        return NOT_PLAIN
    if at[0] == c"n" and at[1] == c"u" and at[2] == c"l" and at[3] == c"l":
        place[0] = at + 4
        return None
    if at[0] == c"t" and at[1] == c"r" and at[2] == c"u" and at[3] == c"e":
        place[0] = at + 4
        return True
    if end - at > 4 and at[0] == c"f" and at[1] == c"a" and at[2] == c"l" and at[3] == c"s" and at[4] == c"e":
        place[0] = at + 5
        return False
    return NOT_PLAIN


cdef object _read_text(const unsigned char** place, const unsigned char* end):
    cdef const unsigned char* start = place[0] + 1
    cdef const unsigned char* at = start
    while at < end and at[0] != c'"':
        if at[0] == c"\\" or at[0] < 32:
            return NOT_PLAIN
        at += 1
    if at == end:
        return NOT_PLAIN
    place[0] = at + 1
    try:
        return PyUnicode_DecodeUTF8(<const char*> start, at - start, NULL)
    except UnicodeDecodeError:
        return NOT_PLAIN


cdef object _read_number(const unsigned char** place):
    cdef const unsigned char* at = place[0]
    cdef const unsigned char* start
    cdef bint is_negative = at[0] == c"-"
    cdef long long number = 0
    if is_negative:
        at += 1
    start = at
    while 48 <= at[0] <= 57 and at - start <= MOST_DIGITS:
        number = number * 10 + (at[0] - 48)
        at += 1
    if at == start or at - start > MOST_DIGITS or at[0] == c"." or at[0] == c"e" or at[0] == c"E":
        return NOT_PLAIN
    if start[0] == c"0" and (at - start > 1 or is_negative):
        return NOT_PLAIN
    place[0] = at
    return -number if is_negative else number


cdef object _read_dict(const unsigned char** place, const unsigned char* end, int depth):
    cdef dict entries = {}
    place[0] += 1
    if place[0][0] == c"}":
        place[0] += 1
        return entries
    while True:
        if place[0][0] != c'"':
            return NOT_PLAIN
        key = _read_text(place, end)
        if key is NOT_PLAIN or place[0][0] != c":":
            return NOT_PLAIN
        place[0] += 1
        value = _read(place, end, depth)
        if value is NOT_PLAIN:
            return NOT_PLAIN
        entries[key] = value
        if place[0][0] == c"}":
            place[0] += 1
            return entries
        if place[0][0] != c",":
            return NOT_PLAIN
        place[0] += 1


cdef object _read_list(const unsigned char** place, const unsigned char* end, int depth):
    cdef list values = []
    place[0] += 1
    if place[0][0] == c"]":
        place[0] += 1
        return values
    while True:
        value = _read(place, end, depth)
        if value is NOT_PLAIN:
            return NOT_PLAIN
        values.append(value)
        if place[0][0] == c"]":
            place[0] += 1
            return values
        if place[0][0] != c",":
            return NOT_PLAIN
        place[0] += 1
