from cookieguard.html.known cimport piece
from cookieguard.html.model cimport Tag


cdef class Placement:
    cdef object _insert
    cdef bytes _head
    cdef object _stand
    cdef bint _xml
    cdef str _lang
    cdef list _policies
    cdef public bint has_base
    cdef readonly bint is_document
    cdef readonly bint is_done

    cpdef bint is_in_head(self)
    cpdef doctype(self)
    cpdef bytes text(self)
    cpdef bytes before(self, Tag tag)
    cpdef bytes after(self, Tag tag)
    cpdef bint waits_for_end(self)
    cpdef bytes last(self)
    cpdef shown(self, Tag tag)
    cdef _note(self, Tag tag)
    cdef bytes _before_end(self, bytes name)
    cdef bytes _begin_body(self)
    cdef bytes _take_head(self)


cpdef Py_ssize_t end_begun(bytes data)
cpdef Py_ssize_t blank_end(bytes data, Py_ssize_t start, Py_ssize_t end)
