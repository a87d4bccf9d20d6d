cimport cython

from cookieguard.html.fast.answers cimport piece


cdef class DocumentBody:
    cdef object _on_event
    cdef readonly object rewriter
    cdef readonly bint is_coded
    cdef readonly bint is_strict
    cdef readonly bint has_head
    cdef readonly bint is_data
    cdef readonly bint is_transcoded
    cdef bint _has_failed
    cdef object _decoder
    cdef object _encoder
    cdef object _wide

    @cython.locals(place=Py_ssize_t, begun=Py_ssize_t, end=Py_ssize_t, small=int, rest=int, before=int, chunk=bytes)
    cpdef tuple cut(self, bytes body, bytes other, object passes)
    cpdef bytes close(self)
    cdef bytes _rewrite(self, bytes chunk)
    cdef bytes _finish(self)
    cdef bytes _fail(self, Exception error)
    cdef bytes _encode(self, bytes piece)


cdef Py_ssize_t _next_cut(bytes body, bytes other, Py_ssize_t place, bint may_be_small) except -2
cdef _add_free(list pieces, bytes chunk, bint in_head, bint may_join)
