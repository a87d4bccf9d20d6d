from cookieguard.web.exchange cimport Exchange


cdef class Insertion:
    cdef object _exchange
    cdef bint _is_xml
    cdef tuple _policies

    cdef _allowance(self, Exchange exchange, str kind, metas)
