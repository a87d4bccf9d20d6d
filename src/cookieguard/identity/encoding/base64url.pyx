"""Base64url without padding, as in base64url.py, written byte by byte for the C build."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeASCII

cdef bytes _LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
cdef const unsigned char* LETTERS = _LETTERS
cdef unsigned char NONE = 255
cdef unsigned char[256] VALUES


cdef _fill():
    cdef int code
    for code in range(256):
        VALUES[code] = NONE
    for code in range(64):
        VALUES[LETTERS[code]] = code
    VALUES[ord("+")] = 62
    VALUES[ord("/")] = 63


_fill()


cpdef str to_base64url(bytes raw):
    cdef Py_ssize_t size = len(raw), length = (size * 4 + 2) // 3, place = 0, at
    cdef bytes made = PyBytes_FromStringAndSize(NULL, length)
    cdef unsigned char* out = <unsigned char*> PyBytes_AS_STRING(made)
    cdef const unsigned char* source = <const unsigned char*> PyBytes_AS_STRING(raw)
    cdef unsigned int three
    for at in range(0, size - 2, 3):
        three = (source[at] << 16) | (source[at + 1] << 8) | source[at + 2]
        out[place] = LETTERS[three >> 18]
        out[place + 1] = LETTERS[(three >> 12) & 63]
        out[place + 2] = LETTERS[(three >> 6) & 63]
        out[place + 3] = LETTERS[three & 63]
        place += 4
    if size % 3:
        at = size - size % 3
        three = source[at] << 16
        if size % 3 == 2:
            three |= source[at + 1] << 8
        out[place] = LETTERS[three >> 18]
        out[place + 1] = LETTERS[(three >> 12) & 63]
        if size % 3 == 2:
            out[place + 2] = LETTERS[(three >> 6) & 63]
    return PyUnicode_DecodeASCII(<const char*> out, length, NULL)


cpdef bytes from_base64url(str text):
    cdef bytes encoded = text.encode("ascii")
    cdef Py_ssize_t size = len(encoded), length = size * 3 // 4, place = 0, at
    if size % 4 == 1:
        raise ValueError("no base64")
    cdef bytes made = PyBytes_FromStringAndSize(NULL, length)
    cdef unsigned char* out = <unsigned char*> PyBytes_AS_STRING(made)
    cdef const unsigned char* source = <const unsigned char*> PyBytes_AS_STRING(encoded)
    cdef unsigned int bits
    cdef unsigned char first, second, third, fourth, seen = 0
    cdef Py_ssize_t whole = size - size % 4
    for at in range(0, whole, 4):
        first, second = VALUES[source[at]], VALUES[source[at + 1]]
        third, fourth = VALUES[source[at + 2]], VALUES[source[at + 3]]
        seen |= first | second | third | fourth
        bits = (first << 18) | (second << 12) | (third << 6) | fourth
        out[place] = bits >> 16
        out[place + 1] = (bits >> 8) & 255
        out[place + 2] = bits & 255
        place += 3
    if whole < size:
        first, second = VALUES[source[whole]], VALUES[source[whole + 1]]
        third = VALUES[source[whole + 2]] if size - whole == 3 else 0
        seen |= first | second | third
        bits = (first << 12) | (second << 6) | third
        out[place] = (bits >> 10) & 255
        if size - whole == 3:
            out[place + 1] = (bits >> 2) & 255
    if seen > 63:  # NONE, the value of a character outside the alphabet, has all bits set
        raise ValueError("no base64")
    return made
