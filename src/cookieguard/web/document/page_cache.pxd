cdef class Repeats:
    cdef dict _pages
    cdef set _seen
    cdef readonly Py_ssize_t size

    cpdef find(self, tuple key, bytes body)
    cpdef bint comes_again(self, tuple key, bytes body)
