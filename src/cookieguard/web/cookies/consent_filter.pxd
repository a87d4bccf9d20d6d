from cookieguard.web.exchange cimport Exchange


cdef class Gate:
    cdef object _cookies
    cdef Exchange _exchange
    cdef list _held

    cpdef dict shown(self, dict scope)
    cpdef passed(self, headers)
    cpdef without_held(self, headers)
    cdef _find_held(self, bytes header)
    cdef bint _is_held(self, bytes name, bytes line)
