# Words and blanks of a script in C, for all who walk over its code: included where they are used, not imported.

from libc.string cimport memcmp

from cookieguard.html.known cimport text_t


cdef inline bint is_blank(unsigned char sign) noexcept nogil:
    return sign == 32 or 9 <= sign <= 13


cdef inline bint is_of_word(unsigned char sign) noexcept nogil:
    return 97 <= (sign | 32) <= 122 or 48 <= sign <= 57 or sign == 95 or sign == 36


# Go backwards from before `p` over blanks.
cdef inline Py_ssize_t blanks_before(text_t s, Py_ssize_t p) noexcept nogil:
    while p > 0 and is_blank(s[p - 1]):
        p -= 1
    return p


# Go backwards from before `p` over a name.
cdef inline Py_ssize_t word_before(text_t s, Py_ssize_t p) noexcept nogil:
    while p > 0 and is_of_word(s[p - 1]):
        p -= 1
    return p


cdef inline Py_ssize_t blanks_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    while p < size and is_blank(s[p]):
        p += 1
    return p


cdef inline Py_ssize_t word_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    while p < size and is_of_word(s[p]):
        p += 1
    return p


# Tell whether a word ends before `p`; more may stand before it.
cdef inline bint ends_in(text_t s, Py_ssize_t p, const char* word, Py_ssize_t size) noexcept nogil:
    return p >= size and memcmp(s + p - size, word, size) == 0
