from cookieguard.html.fast.answers cimport Known, text_t
from cookieguard.html.types cimport Tag
from cookieguard.html.fast.fragments cimport Strides


cdef class Scanner:
    cdef bint _xml
    cdef bint _links
    cdef public Known known
    cdef public Strides strides
    cdef public Tag tag
    cdef public Py_ssize_t end

    cpdef take(self, Known known, bint own_is_free)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t position)
    cpdef Py_ssize_t skip_head(self, bytes data, Py_ssize_t position)
    cpdef Py_ssize_t skip_drawing(self, bytes data, Py_ssize_t position)
    cdef Py_ssize_t _skip(self, text_t s, Py_ssize_t size, Py_ssize_t position, Strides strides) except -1
    cpdef Py_ssize_t text(self, bytes data, Py_ssize_t position)
    cpdef look(self, bytes data, Py_ssize_t position)
    cdef bint _passes(self, text_t s, Py_ssize_t start, Py_ssize_t end)
    cdef bint _begins_name(self, unsigned char byte) noexcept
    cdef void _find(self, text_t s, Py_ssize_t start, Py_ssize_t end) noexcept


cdef class TagEnd:
    cdef int _state

    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t position)


cpdef tuple script_end(bytes data, Py_ssize_t position, int level)
cpdef Py_ssize_t end_of_text(bytes name, bytes data, Py_ssize_t position)
cpdef tuple pass_markup(bytes name, bytes data, Py_ssize_t position, Py_ssize_t depth, bint xml)
cpdef bint has_sign(bytes data, Py_ssize_t start, Py_ssize_t end)
cpdef bint comment_begins(bytes data, Py_ssize_t start)
cpdef Py_ssize_t comment_end(bytes data, Py_ssize_t start)
cpdef list named_attributes(bytes raw, Py_ssize_t position)
cpdef list all_attributes(bytes raw, Py_ssize_t position)
cpdef bint names_anywhere(bytes raw, Py_ssize_t position)
