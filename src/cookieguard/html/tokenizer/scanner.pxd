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

    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t position)
    cdef Py_ssize_t _skip(self, text_t s, Py_ssize_t size, Py_ssize_t position, Strides strides) except -1
    cpdef Py_ssize_t text(self, bytes data, Py_ssize_t position)
    cpdef look(self, bytes data, Py_ssize_t position)
    cdef bint _passes(self, text_t s, Py_ssize_t start, Py_ssize_t end)
    cdef bint _begins_name(self, unsigned char byte) noexcept
    cdef void _find(self, text_t s, Py_ssize_t start, Py_ssize_t end) noexcept


cpdef Py_ssize_t whole_attributes(bytes data, Py_ssize_t position)
cpdef Py_ssize_t end_of_text(bytes name, bytes data, Py_ssize_t position)
cpdef Py_ssize_t comment_end(bytes data, Py_ssize_t start)
cpdef bint has_sign(bytes data, Py_ssize_t start, Py_ssize_t end)
