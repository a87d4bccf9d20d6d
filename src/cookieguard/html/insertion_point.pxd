from cookieguard.html.fast.answers cimport piece
from cookieguard.html.types cimport Tag


cdef class Placement:
    cdef object _insert
    cdef bytes _head
    cdef object _stand
    cdef bint _xml
    cdef str _lang
    cdef list _policies
    cdef str _scheme
    cdef public bint has_base
    cdef bytes _end
    cdef bint _is_empty
    cdef bint _is_over
    cdef readonly bint is_document
    cdef readonly bint is_done

    cpdef int rest(self)
    cpdef doctype(self)
    cpdef bytes text(self)
    cpdef bytes before(self, Tag tag)
    cpdef bytes after(self, Tag tag)
    cpdef bytes let_by(self, bytes chunk)
    cpdef bytes release(self)
    cpdef bytes last(self, bytes closer, bytes closers)
    cpdef shown(self, Tag tag)
    cdef bytes _before_end(self, bytes name)
    cdef _note(self, Tag tag)
    cdef bytes _begin_body(self)
    cdef bytes _take_head(self)


cpdef Py_ssize_t end_begun(bytes data)
cpdef Py_ssize_t blank_end(bytes data, Py_ssize_t start, Py_ssize_t end)
