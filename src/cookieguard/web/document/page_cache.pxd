cimport cython


cdef class Repeats:
    cdef dict _pages
    cdef set _seen
    cdef dict _places
    cdef readonly Py_ssize_t size

    @cython.locals(kept=list)
    cpdef near(self, tuple key, bytes body)
    cpdef bint is_due(self, tuple key) except -1
    cpdef bint comes_again(self, tuple key, bytes body)


@cython.locals(place=Py_ssize_t, left=int, end=Py_ssize_t, raw=bytes, other=bytes)
cpdef like(page, bytes body, passes)
