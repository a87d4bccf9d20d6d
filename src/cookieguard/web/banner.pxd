from cookieguard.web.exchange cimport Exchange


cdef class Insertion:
    cdef object _exchange
    cdef tuple _policies

    cdef _allowance(self, Exchange exchange, str kind, metas)
