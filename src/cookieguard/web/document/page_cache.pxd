cimport cython

from cookieguard.html.fast.answers cimport alike, piece
from cookieguard.html.insertion_point cimport end_begun


cdef class Repeats:
    cdef dict _pages
    cdef dict _places
    cdef readonly Py_ssize_t size

    cpdef list near(self, tuple key)
    @cython.locals(kept=list, entry=list, begun=list)
    cpdef tuple find(self, tuple key, bytes body, judge)
    cpdef bint is_due(self, tuple key) except -1


@cython.locals(known=bytes, at=Py_ssize_t, place=Py_ssize_t, done=Py_ssize_t, last=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, begun=Py_ssize_t, in_head=bint, begin=Py_ssize_t, found=Py_ssize_t, other=bytes, written=list, pieces=tuple)
cpdef like(page, bytes body, judge, Py_ssize_t same=*)
@cython.locals(anchor=bytes, found=Py_ssize_t)
cpdef Py_ssize_t meeting(bytes known, Py_ssize_t end, bytes body, Py_ssize_t least, Py_ssize_t place) except -2
