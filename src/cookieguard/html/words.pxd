# Words, blanks and plain hosts in C, for all who walk over bytes: included where they are used, not imported.

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


cdef enum:
    SHORTEST_TOP = 2  # letters of the last label of a plain host
    LONGEST_TOP = 24


# Return where the host ends that begins at `p`: labels, letters behind the last dot; -1: it is none.
cdef inline Py_ssize_t host_end(text_t s, Py_ssize_t p, Py_ssize_t size, bint any_case) noexcept nogil:
    cdef Py_ssize_t label = p, dots = 0
    cdef bint has_letters_only = True
    while p < size:
        if s[p] == 46:
            if p == label:
                return -1
            dots += 1
            label, has_letters_only = p + 1, True
        elif 48 <= s[p] <= 57 or s[p] == 45:
            has_letters_only = False
        elif not (97 <= s[p] <= 122 or any_case and 65 <= s[p] <= 90):
            break
        p += 1
    return p if dots and has_letters_only and SHORTEST_TOP <= p - label <= LONGEST_TOP else -1


# Return the same of a plain host (PLAIN_NAME in hosts.py): it is compared as it stands.
cdef inline Py_ssize_t plain_host_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    return host_end(s, p, size, False)
