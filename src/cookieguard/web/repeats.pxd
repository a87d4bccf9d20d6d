from cookieguard.web.exchange cimport Exchange
from cookieguard.web.headers cimport every


cdef class Repeats:
    cdef dict _pages
    cdef set _seen
    cdef readonly Py_ssize_t size

    cpdef find(self, tuple key, bytes body, wall)
    cpdef bint comes_again(self, tuple key, bytes body)


cpdef tuple key_of(Exchange exchange, kind, names, list headers)
