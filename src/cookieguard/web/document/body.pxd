cimport cython

from cookieguard.html.fast.answers cimport alike, piece
from cookieguard.html.insertion_point cimport end_begun
from cookieguard.web.document.page_cache cimport meeting


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

    @cython.locals(written=list, raw=bytes, place=Py_ssize_t, size=Py_ssize_t, begun=Py_ssize_t, start=Py_ssize_t, since=Py_ssize_t, end=Py_ssize_t, rest=int, before=int, in_head=bint)
    cpdef tuple cut(self, bytes body, bytes other, object passes)
    cpdef bytes close(self)
    cdef bytes _rewrite(self, bytes chunk)
    cdef bytes _finish(self)
    cdef bytes _fail(self, Exception error)
    cdef bytes _encode(self, bytes piece)
